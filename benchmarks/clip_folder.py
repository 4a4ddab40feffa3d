"""The clips that the data benchmarks run on: a folder that is given, or the avatar's."""

import argparse
import resource
import shutil
import time
from pathlib import Path

from data_engineering.sandbox import cores
from data_engineering.settings import DataSettings
from data_engineering.synthetic.dataset import known_signs, render_dataset
from data_engineering.synthetic.plan import Recipe
from data_engineering.synthetic.signs import load_signs

_GLOSSES = ("EAT", "HOME", "BOOK", "HELP", "CAR", "WORK")
_SIGNERS = {"train": 4, "validation": 1, "test": 1}


def options(description: str) -> argparse.Namespace:
    """Reads the command line of a benchmark on clips: `clips`, `repeats`, `workers`."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("clips", type=Path, nargs="?", help="folder with clips_index.json and clips/; default: avatar")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--workers", type=int, default=None)
    return parser.parse_args()


def data_root(given: Path | None, root: Path) -> DataSettings:
    """Fills a data root.

    Args:
        given: A folder with clips_index.json (WLASL-shaped) and clips/<video_id>.mp4; None for 72 clips of the avatar.
        root: The new data root.
    """
    if given is None:
        recipe = Recipe(known_signs(_GLOSSES, load_signs()), _SIGNERS, clips_per_cell=2, seed=0, broken={})
        render_dataset(recipe, root, root / "index.json", workers=cores())
        return DataSettings(root=root, index=root / "index.json")
    (root / "raw_videos").mkdir()
    for clip in (given / "clips").glob("*.mp4"):
        shutil.copyfile(clip, root / "raw_videos" / clip.name)
    return DataSettings(root=root, index=given / "clips_index.json")


def clock() -> tuple[float, float]:
    """Seconds of the wall clock, and of processor time of this process and the workers that have ended."""
    own, workers = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.perf_counter(), own.ru_utime + own.ru_stime + workers.ru_utime + workers.ru_stime
