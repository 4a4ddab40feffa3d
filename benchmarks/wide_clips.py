"""The demo's configuration, unchanged, on somebody else's clips: wide frames, a small signer, the whole frame as box.

    python benchmarks/wide_clips.py --out DIR [--takes 10] [--processes 2]

Ten signs by twelve people, so many takes each, 960 x 540: the signer stands left or right of the middle, at half the
usual size, and every bbox is the whole frame, so that the crop must come from what moves. Eight people train, two
select, two test. Then each verb runs in a process of its own with `--config params/demo.yaml`, which is what a user
would type; wanted are at most 20 minutes from `validate` to the report on two cores. Prints a table and, as the last
line, one JSON object with the same figures.
"""

import argparse
import dataclasses
import json
import multiprocessing
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from data_engineering.synthetic.clips import render_video
from data_engineering.synthetic.dataset import known_signs
from data_engineering.synthetic.signer import Signer
from data_engineering.synthetic.signs import load_signs

GLOSSES = ("EAT", "HOME", "BOOK", "HELP", "CAR", "WORK", "MOTHER", "WATER", "UP", "DOWN")
PEOPLE = {"train": 8, "val": 2, "test": 2}
WIDTH, HEIGHT = 960, 540
WANTED = 20  # minutes


def film(job: tuple[str, Signer, int, Path]) -> int:
    """Writes a clip; returns its frames."""
    gloss, signer, seed, path = job
    cv2.setNumThreads(1)
    (sign,) = known_signs([gloss], load_signs())
    return len(render_video(sign, signer, seed, path).phases)


def make_root(root: Path, takes: int, processes: int) -> int:
    """Films the clips and writes index.json; returns how many clips there are."""
    (root / "raw_videos").mkdir(parents=True)
    people = [split for split, count in PEOPLE.items() for _ in range(count)]
    jobs, entries = [], {gloss: [] for gloss in GLOSSES}
    for person, split in enumerate(people):
        rng = np.random.default_rng([9, person])
        signer = dataclasses.replace(
            Signer.sample(rng), width=WIDTH, height=HEIGHT, zoom=0.55, shift=(float(rng.uniform(-0.2, 0.2)), 0.1)
        )
        for gloss in GLOSSES:
            for take in range(takes):
                video_id = f"{len(jobs):05d}"
                jobs.append((gloss, signer, len(jobs), root / "raw_videos" / f"{video_id}.mp4"))
                entries[gloss].append(
                    {
                        "video_id": video_id,
                        "split": split,
                        "signer_id": person,
                        "bbox": [0, 0, WIDTH, HEIGHT],
                        "url": f"https://clips.invalid/{video_id}.mp4",
                        "fps": 25,
                        "frame_start": 1,
                        "frame_end": -1,
                        "instance_id": take,
                        "source": "clips",
                        "variation_id": 0,
                    }
                )
    with ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn")) as pool:
        list(tqdm(pool.map(film, jobs, chunksize=8), total=len(jobs), desc="film", unit="clip"))
    index = [{"gloss": gloss.lower(), "instances": instances} for gloss, instances in entries.items()]
    (root / "index.json").write_text(json.dumps(index))
    return len(jobs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="a new folder")
    parser.add_argument("--takes", type=int, default=10)
    parser.add_argument("--processes", type=int, default=2)
    arguments = parser.parse_args()
    root = arguments.out
    clips = make_root(root, arguments.takes, arguments.processes)
    options = ["--config", "params/demo.yaml", "--set", f"data.root={root}", "--set", f"data.index={root}/index.json"]
    seconds = {}
    for verb in ("validate", "preprocess", "train", "eval"):
        started = time.perf_counter()
        subprocess.run([sys.executable, "-m", "signvlm", verb, *options], check=True, stdout=sys.stderr)
        seconds[verb] = round(time.perf_counter() - started, 1)
    results = json.loads((root / "runs" / "demo" / "evaluation_results.json").read_text())
    exact = results["summary"]["exact"]
    minutes = sum(seconds.values()) / 60
    print(f"{clips} clips of {WIDTH} x {HEIGHT}, {len(GLOSSES)} signs, {sum(PEOPLE.values())} people")
    for verb, taken in seconds.items():
        print(f"  {verb:<10}  {taken:7.1f} s")
    print(f"  together    {minutes:7.1f} minutes   wanted <= {WANTED}")
    print(f"  exact top-1 {exact['top1']:7.1%} over {exact['clips']} clips of people never seen")
    figures = {"clips": clips, "seconds": seconds, "minutes": round(minutes, 2), "top1": exact["top1"]}
    print(json.dumps({**figures, "test_clips": exact["clips"]}))


if __name__ == "__main__":
    main()
