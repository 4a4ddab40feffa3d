"""The demo's accuracy on signers it never saw, for several seeds, and the same training without the pre-trained base.

    python benchmarks/demo.py --out DIR [--seeds 0 1 2]

Each seed draws other signers, clips, broken files and training. `random base` is the control: the same clips and the
same LoRA training on a base of the same shape with random weights. Prints a table and, as the last line, one JSON
object with the same figures.
"""

import argparse
import json
import time
from pathlib import Path

from signvlm.config import load
from signvlm.demo import demo
from signvlm.eval import evaluate_checkpoint
from signvlm.train import train
from signvlm.vlm.pretrain import corpus
from signvlm.vlm.tiny import save_tiny


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    arguments = parser.parse_args()
    rows = []
    for seed in arguments.seeds:
        out = arguments.out / str(seed)
        started = time.perf_counter()
        demo(out, seed=seed)
        seconds = time.perf_counter() - started
        learned = json.loads((out / "runs" / "demo" / "evaluation_results.json").read_text())["summary"]["exact"]
        base = save_tiny(out / "random_base", corpus(seed), seed)
        control = load(
            "params/demo.yaml",
            [
                f"data.root={out}",
                f"data.index={out / 'index.json'}",
                f"model.base={base}",
                f"training.seed={seed}",
                f"training.output_dir={out / 'runs' / 'control'}",
                "evaluation.modes=[exact]",
            ],
        )
        untaught = evaluate_checkpoint(control, train(control).bundle).summary["exact"]
        rows.append(
            {
                "seed": seed,
                "seconds": round(seconds, 1),
                "top1": learned["top1"],
                "interval": learned["intervals"]["top1"],
                "chance": learned["chance"]["top1"],
                "random_base_top1": untaught["top1"],
            }
        )
    print(f"{'seed':>4}  {'top-1':>7}  {'95 %':>16}  {'random base':>11}  {'chance':>6}  {'seconds':>7}")
    for row in rows:
        low, high = row["interval"][:2]
        print(
            f"{row['seed']:>4}  {row['top1']:>7.1%}  {f'{low:.1%} - {high:.1%}':>16}  {row['random_base_top1']:>11.1%}"
            f"  {row['chance']:>6.1%}  {row['seconds']:>7}"
        )
    print(json.dumps({"demo": rows}))


if __name__ == "__main__":
    main()
