"""How long `signvlm --help` takes: a whole process, from start to exit.

    python benchmarks/start_up.py [--runs 9]

Prints a table and, as the last line, one JSON object with the same figures.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=9)
    runs = parser.parse_args().runs
    seconds = []
    for _ in range(runs + 1):  # the first warms the disk's cache
        started = time.perf_counter()
        subprocess.run([sys.executable, "-m", "signvlm", "--help"], check=True, stdout=subprocess.DEVNULL)
        seconds.append(time.perf_counter() - started)
    figures = {
        "median": round(statistics.median(seconds[1:]), 3),
        "min": round(min(seconds[1:]), 3),
        "max": round(max(seconds[1:]), 3),
    }
    print(f"signvlm --help, seconds over {runs} runs: " + ", ".join(f"{k} {v}" for k, v in figures.items()))
    print(json.dumps({"help_seconds": figures}))


if __name__ == "__main__":
    main()
