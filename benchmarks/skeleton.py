"""What a model learns from drawings of key points, and how long that takes, on people it never saw.

    python benchmarks/skeleton.py --out DIR [--task demo|ten] [--seeds 0 1 2] [--exact]

The avatar performs, and nobody films it: a data root is written that has key points and no clips. The demo's 24 signs,
many of them alike but for one parameter, 16 people once each to learn from; or ten signs, 8 people ten times each, as
many clips as somebody's own folder may have. Their key points are made what an extractor would have found (jitter,
drop-outs by speed, wrong hands: data_engineering/pose/realism.py), or with --exact left as they are. Then
params/skeleton.yaml is trained, with LoRA or with all weights, in one process; where others use the machine, its CPU
seconds tell what it would take alone. Prints a table and, as the last line, one JSON object
with the same figures.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from data_engineering.clip import Manifests, write_json
from data_engineering.pose.kept import keep
from data_engineering.pose.normalize import normalized
from data_engineering.pose.realism import realistic
from data_engineering.pose.record import Pose
from data_engineering.stage import selection
from data_engineering.synthetic.dataset import known_signs
from data_engineering.synthetic.exact import perform_pose
from data_engineering.synthetic.signer import Signer
from data_engineering.synthetic.signs import load_signs
from signvlm.config import Config, load
from signvlm.demo import GLOSSES, SIGNERS
from signvlm.eval import evaluate_checkpoint
from signvlm.train import train

TASKS = {
    "demo": (GLOSSES, SIGNERS, 1),
    "ten": (GLOSSES[:10], {"train": 8, "validation": 1, "test": 2}, 10),
}
PIXELS = 100  # a shoulder width, in the key points that are written


def make_root(root: Path, task: str, seed: int, *, exact: bool) -> None:
    """Writes a validated data root of clips that nobody filmed: manifests and key points."""
    glosses, signers, takes = TASKS[task]
    signs = known_signs(glosses, load_signs())
    people = [(split, person) for split, count in signers.items() for person in range(count)]
    rows: list[dict[str, Any]] = []
    for number, (split, person) in enumerate(people):
        who = Signer.sample(np.random.default_rng([seed, number]))
        for sign in signs:
            for _ in range(takes):
                rng = np.random.default_rng([seed, 1, len(rows)])
                pose = perform_pose(sign, who, rng)
                name = f"{len(rows):05d}"
                media = {"sha256": name, "start": 0.0, "end": float(pose.times[-1]), "motion": None}
                told = {"video_id": name, "gloss": sign.gloss, "split": split, "signer_id": f"{split} {person}"}
                rows.append(
                    {**told, "source": "avatar", "url": "", "bbox": None, "video_path": f"{name}.mp4", "media": media}
                )
                keep(root, rows[-1], pose if exact else degraded(pose, rng), {"name": "avatar"})
    config = settings(root, root, seed, "lora")
    index = [{"gloss": gloss, "instances": [row for row in rows if row["gloss"] == gloss]} for gloss in glosses]
    write_json(root / "index.json", index)
    manifests = Manifests(root)
    write_json(manifests.validated, rows)
    write_json(manifests.cleaned, rows)
    write_json(manifests.corrupted, [])
    write_json(manifests.health, {"missing": [], "leakage": None, "selection": selection(config.data)})


def degraded(pose: Pose, rng: np.random.Generator) -> Pose:
    """Returns a clip's key points as an extractor would have found them, a shoulder width being `PIXELS`."""
    points = realistic(normalized(pose.points, pose.size), pose.times, rng)
    points[..., :2] = (points[..., :2] * PIXELS + 4 * PIXELS) * (points[..., 2:] > 0)
    return Pose(points, pose.times, (8 * PIXELS, 8 * PIXELS))


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
    parser.add_argument("--threads", type=int, default=1, help="of torch")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    root = arguments.out / "data"
    started = time.perf_counter()
    make_root(root, arguments.task, 0, exact=arguments.exact)
    made = time.perf_counter() - started
    rows = []
    for seed in arguments.seeds:
        for weights in arguments.weights:
            config = settings(root, arguments.out / f"{weights}-{seed}", seed, weights)
            started, worked = time.perf_counter(), time.process_time()
            training = train(config)
            trained, worked = time.perf_counter() - started, time.process_time() - worked
            figures = evaluate_checkpoint(config, training.bundle).summary["exact"]
            rows.append(
                {
                    "weights": weights,
                    "seed": seed,
                    "train_seconds": round(trained, 1),
                    "train_cpu_seconds": round(worked, 1),
                    "clips": figures["clips"],
                    "top1": figures["top1"],
                    "interval": figures["intervals"]["top1"][:2],
                }
            )
    kind = "exact" if arguments.exact else "realistic"
    print(f"{arguments.task}: {len(TASKS[arguments.task][0])} signs, {kind} key points, people never seen\n")
    print(f"{'weights':<8}  {'seed':>4}  {'train':>9}  {'CPU':>9}  {'top-1':>6}  {'95 %':>15}")
    for row in rows:
        low, high = row["interval"]
        print(
            f"{row['weights']:<8}  {row['seed']:>4}  {row['train_seconds']:>7} s"
            f"  {row['train_cpu_seconds']:>7} s  {row['top1']:>6.1%}"
            f"  {f'{low:.1%} - {high:.1%}':>15}"
        )
    print(json.dumps({"task": arguments.task, "keypoints": kind, "performed_seconds": round(made, 1), "runs": rows}))


if __name__ == "__main__":
    main()
