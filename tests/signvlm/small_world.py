"""A small world to test the verbs in: real clips and their index, and the configuration of a training of two steps."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from clips import write_clip, write_index

GLOSSES = ("no", "book", "thank you")
COLOURS = {"no": (200, 60, 60), "book": (60, 200, 60), "thank you": (60, 60, 200)}
SIZE = 64
BROKEN = "00009"


class World(NamedTuple):
    """What `world` built.

    Attributes:
        root: A data root, validated and preprocessed: 9 clips of 3 glosses, one test clip broken.
        config: Its configuration file.
        base: A tiny InternVL with random weights.
        run: The run of a training of two steps.
        bundle: Its adapter.
    """

    root: Path
    config: Path
    base: Path
    run: Path
    bundle: Path


def paint(gloss: str) -> Callable[[int], np.ndarray]:
    """Frames of a sign that is a square of the gloss's colour, moving."""

    def frame(index: int) -> np.ndarray:
        picture = np.full((48, 64, 3), 90, np.uint8)
        picture[8:32, 2 * index % 40 : 2 * index % 40 + 24] = COLOURS[gloss]
        return picture

    return frame


def performed(gloss: str, seed: int) -> Callable[[int], np.ndarray]:
    """Frames of a gloss's colour moving in a way and before a wall of the clip's own: no two clips look alike."""
    random = np.random.default_rng(seed)
    wall = np.kron(random.integers(0, 255, (6, 8, 3), np.uint8), np.ones((8, 8, 1), np.uint8))
    places = np.cumsum(random.integers(-6, 7, (40, 2)), axis=0)

    def frame(index: int) -> np.ndarray:
        picture = wall.copy()
        top, left = places[index] % (24, 40)
        picture[top : top + 24, left : left + 24] = COLOURS[gloss]
        return picture

    return frame


def write_data(root: Path, glosses: tuple[str, ...] = GLOSSES) -> Path:
    """Writes clips and their index below a new data root; the last test clip is not a video. Returns the index."""
    (root / "raw_videos").mkdir(parents=True)
    clips = []
    for split in ("train", "val", "test"):
        for gloss in glosses:
            name = f"{len(clips) + 1:05d}"
            path = root / "raw_videos" / f"{name}.mp4"
            if name == BROKEN:
                path.write_text("<html>gone</html>")
            else:
                write_clip(path, frames=20, paint=paint(gloss))
            clips.append({"video_id": name, "gloss": gloss, "split": split, "bbox": [0, 0, 48, 48]})
    return write_index(root / "index.json", clips)


def write_config(path: Path, root: Path, base: Path) -> Path:
    """Writes the configuration of a training of two steps."""
    path.write_text(
        f"""\
data:
  root: {root}
  index: {root / "index.json"}
validate:
  workers: 1
preprocess:
  num_frames: 4
  size: {SIZE}
  workers: 1
model:
  base: {base}
  device: cpu
lora:
  r: 4
training:
  max_steps: 2
  per_device_train_batch_size: 2
  eval_strategy: steps
  eval_steps: 2
  save_strategy: steps
  save_steps: 2
  logging_steps: 1
  dataloader_num_workers: 0
evaluation:
  batch_size: 4
  bootstrap_samples: 50
""",
        encoding="utf-8",
    )
    return path


def files(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, with its content."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def data(world: World, root: Path, *overrides: str) -> list[object]:
    """Options that point the shared configuration at another data root."""
    pairs = [f"data.root={root}", f"data.index={root / 'index.json'}", *overrides]
    return ["--config", world.config, *(part for pair in pairs for part in ("--set", pair))]
