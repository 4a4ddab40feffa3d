"""What a model learns from drawings of key points, and how long that takes, on people it never saw.

    python benchmarks/skeleton.py --out DIR [--task demo|ten] [--seeds 0 1 2] [--exact] [--clips DIR]

The avatar performs (rendered first, unless --clips names a folder where this script left them): the demo's 24 signs,
many of them alike but for one parameter, 16 people once each to learn from; or ten signs, 8 people ten times each, as
many clips as somebody's own folder may have. Their key points are made what an extractor would have found (jitter,
drop-outs by speed, wrong hands: data_engineering/pose/realism.py), or with --exact left as they are. Then
params/skeleton.yaml is trained, with LoRA or with all weights. Prints a table and, as the last line, one JSON object
with the same figures.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch

from data_engineering.pose.normalize import normalized
from data_engineering.pose.rates import counted
from data_engineering.pose.realism import realistic
from data_engineering.pose.record import Pose, read_pose, write_pose
from data_engineering.preprocess import preprocess
from data_engineering.sandbox import cores
from data_engineering.synthetic.dataset import known_signs, render_dataset
from data_engineering.synthetic.plan import Recipe
from data_engineering.synthetic.signs import load_signs
from data_engineering.validate import validate
from signvlm.config import Config, load
from signvlm.demo import GLOSSES, SIGNERS
from signvlm.eval import evaluate_checkpoint
from signvlm.train import train

TASKS = {
    "demo": (GLOSSES, SIGNERS, 1),
    "ten": (GLOSSES[:10], {"train": 8, "validation": 1, "test": 2}, 10),
}
HEIGHT = 96  # pixels of the films, which nobody is shown
PIXELS = 100  # a shoulder width, in the key points that are written


def make_root(root: Path, task: str, seed: int, *, exact: bool) -> None:
    """Renders the clips of a task, validated, with key points."""
    glosses, signers, takes = TASKS[task]
    recipe = Recipe(known_signs(glosses, load_signs()), signers, takes, seed, {}, size=HEIGHT)
    render_dataset(recipe, root, root / "index.json", workers=cores(), keypoints=True)
    config = settings(root, root, seed, "lora")
    validate(config.data, config.download, config.validate_, config.preprocess, config.model.prompt)
    if exact:
        return
    for number, path in enumerate(sorted((root / "poses").iterdir())):
        pose = read_pose(path)
        points = normalized(pose.points, pose.size)
        found = realistic(points, pose.times, np.random.default_rng([seed, number]))
        found[..., :2] = (found[..., :2] * PIXELS + 4 * PIXELS) * (found[..., 2:] > 0)
        degraded = Pose(found, pose.times, (8 * PIXELS, 8 * PIXELS))
        write_pose(path, degraded, {"by": {"name": "avatar"}, "counts": counted(degraded)})


def settings(root: Path, out: Path, seed: int, weights: str) -> Config:
    """Returns the shipped configuration on a task's clips."""
    changes = ["lora=null", "training.learning_rate=1e-3"] if weights == "all" else []
    return load(
        "params/skeleton.yaml",
        [
            f"data.root={root}",
            f"data.index={root / 'index.json'}",
            "data.split=official",
            f"training.output_dir={out}",
            f"training.seed={seed}",
            "evaluation.modes=[exact]",
            "evaluation.occlusion=0",
            *changes,
        ],
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--task", choices=TASKS, default="demo")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--weights", choices=("lora", "all"), nargs="+", default=["lora", "all"])
    parser.add_argument("--exact", action="store_true", help="leave the key points as they are")
    parser.add_argument("--clips", type=Path, help="what this script left in OUT/clips")
    parser.add_argument("--threads", type=int, default=1, help="of torch")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    root = arguments.clips
    if root is None:
        root = arguments.out / "clips"
        make_root(root, arguments.task, 0, exact=arguments.exact)
    rows = []
    for seed in arguments.seeds:
        for weights in arguments.weights:
            config = settings(root, arguments.out / f"{weights}-{seed}", seed, weights)
            started = time.perf_counter()
            report = preprocess(config.data, config.preprocess)
            drawn, started = time.perf_counter() - started, time.perf_counter()
            training = train(config)
            trained = time.perf_counter() - started
            figures = evaluate_checkpoint(config, training.bundle).summary["exact"]
            rows.append(
                {
                    "weights": weights,
                    "seed": seed,
                    "preprocess_seconds": round(drawn, 1),
                    "train_seconds": round(trained, 1),
                    "train_clips": report.counts.get("train", 0),
                    "test_clips": figures["clips"],
                    "top1": figures["top1"],
                    "interval": figures["intervals"]["top1"][:2],
                }
            )
    kind = "exact" if arguments.exact else "realistic"
    print(f"{arguments.task}: {len(TASKS[arguments.task][0])} signs, {kind} key points, people never seen\n")
    print(f"{'weights':<8}  {'seed':>4}  {'preprocess':>10}  {'train':>7}  {'top-1':>6}  {'95 %':>15}")
    for row in rows:
        low, high = row["interval"]
        print(
            f"{row['weights']:<8}  {row['seed']:>4}  {row['preprocess_seconds']:>8} s  {row['train_seconds']:>5} s"
            f"  {row['top1']:>6.1%}  {f'{low:.1%} - {high:.1%}':>15}"
        )
    print(json.dumps({"task": arguments.task, "keypoints": kind, "runs": rows}))


if __name__ == "__main__":
    main()
