"""How good a key-point detector is on images of the avatar, by signers that it never saw, and how it got there.

    python benchmarks/keypoints.py --run data/keypoints/runs/keypoints [--images 600] [--seed 1]

Renders IMAGES by signers of another seed than the training's, unless --folder names a folder of labelled images, and
measures the run's best detector on all of them: PCK@0.05 and @0.1 of the person's box, error in pixels, OKS; for the
body, each hand and the face. Beside it stand the curve that training noted on the tenth it held out (steps and seconds
against PCK), and how long one image takes. Prints tables and, as its last line, the same figures as JSON.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

import numpy as np

from signvlm.config import load
from signvlm.keypoints.checkpoint import load_model
from signvlm.keypoints.device import choose
from signvlm.keypoints.evaluate import evaluate
from signvlm.keypoints.metrics import table
from signvlm.keypoints.network import sizes
from signvlm.keypoints.predict import Finder
from signvlm.keypoints.render import render

WANTED = 0.95


def speed(loaded, config, repeats=10):
    """Milliseconds an image of 640 x 480, from pixels to points: the median."""
    finder = Finder(loaded, choose(config.model))
    image = np.random.default_rng(0).integers(0, 255, (480, 640, 3), np.uint8)
    times = []
    for _ in range(repeats + 2):
        start = time.perf_counter()
        finder.find(image)
        times.append(time.perf_counter() - start)
    return 1e3 * float(np.median(times[2:]))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--folder", type=Path, help="labelled images by signers that training did not see")
    parser.add_argument("--images", type=int, default=600)
    parser.add_argument("--seed", type=int, default=1, help="of the avatar's signers; training's is 0")
    given = parser.parse_args()
    loaded = load_model(given.run)
    told = json.loads((given.run / "metrics.json").read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.folder or Path(temporary) / "images"
        if given.folder is None:
            people = max(1, given.images // 10)
            render(folder, images=given.images, signers=people, seed=given.seed, size=512)
        config = load("params/keypoints.yaml", [f"data.root={folder}"])
        figures = evaluate(config, loaded, part="all", out=Path(temporary) / "figures.json")
        milliseconds = speed(loaded, config)
    print(f"{sizes(loaded.detector)}; {loaded.size} px; step {loaded.about['step']} of {told['steps']}\n")
    print("On the tenth held out in training, other signers than those trained on, at the size trained at then:")
    print("    steps  seconds  size  PCK@0.05  PCK@0.1   body  left hand  right hand")
    parts = ("pck@0.05", "pck@0.1", "body pck@0.05", "left hand pck@0.05", "right hand pck@0.05")
    for row in told["history"]:
        print(
            f"  {row['step']:7,} {row['seconds']:8.0f} {row['size']:5}  {row[parts[0]]:8.4f} {row[parts[1]]:8.4f}"
            f" {row[parts[2]]:6.3f} {row[parts[3]]:10.3f} {row[parts[4]]:11.3f}"
        )
    print(f"\nOn {figures['images']} images of signers of another seed (wanted: PCK@0.05 >= {WANTED}):")
    print("\n".join(f"  {line}" for line in table(figures, names=False)))
    print(f"\n{milliseconds:.0f} ms an image")
    result = {
        "images": figures["images"],
        "training_seconds": told["seconds"],
        "steps": told["steps"],
        "parts": figures["parts"],
        "history": told["history"],
        "ms_an_image": round(milliseconds, 1),
        "reached": bool(figures["parts"]["all"]["pck@0.05"] >= WANTED),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
