"""What each stage of the tiny base's pre-training is worth: bases made with and without it, fine-tuned alike.

    python benchmarks/stages.py --out DIR [--steps 900] [--seed 0] [--root DEMO]

Every base gets the same number of steps, far fewer than the shipped one, from the same seed: all three stages; without
key points (neither the first stage nor the loss beside the answers); without the last stage, which names signs that are
nearly alike. Each is then fine-tuned with the demo's configuration on the demo's clips (rendered first, unless --root
names a folder where `signvlm demo` left them) and asked about people it never saw. Prints a table and, as the last
line, one JSON object with the same figures.
"""

import argparse
import json
import time
from pathlib import Path

import torch

from data_engineering.preprocess import preprocess
from data_engineering.sandbox import cores
from data_engineering.synthetic.dataset import known_signs, render_dataset
from data_engineering.synthetic.plan import Recipe
from data_engineering.synthetic.signs import load_signs
from data_engineering.validate import validate
from signvlm.config import Config, load
from signvlm.demo import CLIPS_PER_CELL, GLOSSES, HEIGHT, SIGNERS
from signvlm.eval import evaluate_checkpoint
from signvlm.train import train
from signvlm.vlm.pretrain import Schedule, pretrain

SEE, LOOK = 0.22, 0.18  # of all steps, as the shipped base has them


def schedules(steps: int) -> dict[str, Schedule]:
    """Returns the bases to make, each of so many steps."""
    see, look = round(SEE * steps), round(LOOK * steps)
    return {
        "all stages": Schedule(see=see, answer=steps - see - look, look=look),
        "no key points": Schedule(see=0, answer=steps - look, look=look, keypoint_weight=0.0),
        "no look": Schedule(see=see, answer=steps - see, look=0),
    }


def make_root(root: Path, seed: int) -> None:
    """Renders the demo's clips and makes them ready."""
    recipe = Recipe(known_signs(GLOSSES, load_signs()), SIGNERS, CLIPS_PER_CELL, seed, {}, size=HEIGHT)
    render_dataset(recipe, root, root / "index.json", workers=cores())
    config = settings(root, root, seed)
    validate(config.data, config.download, config.validate_, config.preprocess, config.model.prompt)
    preprocess(config.data, config.preprocess)


def settings(root: Path, base: Path, seed: int) -> Config:
    """Returns the demo's configuration on another base."""
    return load(
        "params/demo.yaml",
        [
            f"data.root={root}",
            f"data.index={root / 'index.json'}",
            f"data.seed={seed}",
            f"model.base={base}",
            f"training.seed={seed}",
            f"training.output_dir={base / 'run'}",
            "evaluation.modes=[exact]",
            "evaluation.occlusion=0",
        ],
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=900)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--root", type=Path, help="what `signvlm demo` left")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    root = arguments.root
    if root is None:
        root = arguments.out / "clips"
        make_root(root, arguments.seed)
    rows = []
    for name, schedule in schedules(arguments.steps).items():
        base = arguments.out / name.replace(" ", "_")
        started = time.perf_counter()
        pretrain(base, seed=arguments.seed, schedule=schedule, workers=2)
        made = time.perf_counter() - started
        config = settings(root, base, arguments.seed)
        figures = evaluate_checkpoint(config, train(config).bundle).summary["exact"]
        pairs = figures["minimal_pairs"]
        rows.append(
            {
                "base": name,
                "seconds": round(made),
                "top1": figures["top1"],
                "interval": figures["intervals"]["top1"][:2],
                "minimal_pairs": pairs["accuracy"],
                "handshape_pairs": pairs["by_parameter"]["handshape"]["accuracy"],
            }
        )
    print(f"{arguments.steps} steps each, then fine-tuned on {len(GLOSSES)} signs\n")
    print(f"{'base':<14}  {'made in':>8}  {'top-1':>6}  {'95 %':>15}  {'pairs':>6}  {'by handshape':>12}")
    for row in rows:
        low, high = row["interval"]
        print(
            f"{row['base']:<14}  {row['seconds']:>6} s  {row['top1']:>6.1%}  {f'{low:.1%} - {high:.1%}':>15}"
            f"  {row['minimal_pairs']:>6.1%}  {row['handshape_pairs']:>12.1%}"
        )
    print(json.dumps({"steps": arguments.steps, "stages": rows}))


if __name__ == "__main__":
    main()
