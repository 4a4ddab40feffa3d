"""`download` without its politeness against loopback hosts: clips a second, side by side or one by one.

    python benchmarks/download.py [--clips 40] [--delay 0.02] [--rounds 5]

Each host answers after `--delay` seconds, as a distant one would. Both ways fetch the same clips from the same
six hosts into fresh data roots, taking turns; the ratio is of a round's two times. Nothing leaves this machine.
"""

import argparse
import json
import statistics
import tempfile
import threading
import time
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np

from data_engineering.download import download
from data_engineering.settings import DataSettings, DownloadSettings
from data_engineering.synthetic.mp4 import write_mp4

HOSTS = 6


def host(body: bytes, delay: float) -> ThreadingHTTPServer:
    """Serves the clip under every path, each time with other bytes behind it, so that no two are one file."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            time.sleep(delay)
            own = body + b"\0\0\0\x28free" + self.path.encode().ljust(32, b"\0")[:32]
            self.send_response(200)
            self.send_header("Content-Length", str(len(own)))
            self.end_headers()
            self.wfile.write(own)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def fetch(folder: Path, index: Path, only: list[tuple[str, ...]]) -> float:
    """Returns the seconds that a fresh download takes, one call for each group of hosts."""
    data = DataSettings(root=Path(tempfile.mkdtemp(dir=folder)), index=index)
    start = time.perf_counter()
    for hosts in only:
        settings = DownloadSettings(pause=0, backoff=0, only_hosts=hosts, allow_hosts=("127.0.0.1",))
        report = download(data, settings, "", progress=False)
    seconds = time.perf_counter() - start
    if report.counts["missing"]:
        raise SystemExit(f"clips are missing: {report.lines()}")
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=40, help="a host")
    parser.add_argument("--delay", type=float, default=0.02, help="seconds")
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        noise = np.random.default_rng(0).integers(0, 255, (60, 240, 320, 3), np.uint8)
        write_mp4(folder / "clip.mp4", noise, fps=25, crf=38, width=320, height=240)
        body = (folder / "clip.mp4").read_bytes()
        servers = [host(body, args.delay) for _ in range(HOSTS)]
        for server in servers:
            stack.callback(server.shutdown)
        bases = [f"127.0.0.1:{server.server_port}" for server in servers]
        instances = [
            {"video_id": f"{n:05}", "split": "train", "signer_id": 1, "url": f"http://{bases[n % HOSTS]}/{n}.mp4"}
            for n in range(HOSTS * args.clips)
        ]
        index = folder / "index.json"
        index.write_text(json.dumps([{"gloss": "book", "instances": instances}]), encoding="utf-8")
        together, apart = [()], [(base,) for base in bases]
        fetch(folder, index, together)  # imports, caches
        rounds = [(fetch(folder, index, together), fetch(folder, index, apart)) for _ in range(args.rounds)]
    clips = len(instances)
    figures = {
        "hosts": HOSTS,
        "clips": clips,
        "clip_kilobytes": round(len(body) / 1000),
        "delay_seconds": args.delay,
        "clips_a_second": round(statistics.median(clips / side for side, _ in rounds), 1),
        "one_by_one_clips_a_second": round(statistics.median(clips / one for _, one in rounds), 1),
        "ratio": round(statistics.median(one / side for side, one in rounds), 2),
        "ratio_range": [round(pick(one / side for side, one in rounds), 2) for pick in (min, max)],
    }
    for key, value in figures.items():
        print(f"{key:<28}{value}")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
