"""`signvlm keypoints render`: a folder of labelled images of the signing avatar.

    signvlm keypoints render --out data/keypoints --images 8000

Every image names its signer, so that a split of the folder holds whole signers out. The signs are ASL-LIKE and
simplified: a measuring instrument, not teaching material.
"""

import io
import signal
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from tqdm import tqdm

from data_engineering.clip import read_json, write_bytes, write_json
from data_engineering.errors import ConfigError, RunError
from data_engineering.report import Report
from data_engineering.sandbox import cores
from data_engineering.synthetic.clips import render_clip
from data_engineering.synthetic.sheet import NOTICE
from data_engineering.synthetic.signer import Signer
from data_engineering.synthetic.signs import load_signs
from signvlm.keypoints.labels import Label, write_label

RECIPE = "avatar.json"
# Frames of a clip: filming one costs as much as drawing several, and these show all of the sign.
_A_CLIP = 6
_QUALITY = 92  # of the JPEG files; the pictures hold their own camera's compression already
_MARGIN = 0.04  # of the box about the points, in shares of the frame: hair, shoulders' width


@dataclass(frozen=True)
class _Clip:
    """A clip to film: its number, how many frames of it are wanted, and what decides it."""

    number: int
    frames: int
    signer: int
    seed: int
    size: int
    out: Path


def render(
    out: Path, *, images: int, signers: int, seed: int, size: int, workers: int | None = None, progress: bool = True
) -> Report:
    """Writes images and labels; called again after an interruption, it goes on.

    Args:
        out: The folder; new, empty, or begun by the same call.
        images: How many.
        signers: By how many people; no more than there are clips.
        seed: Draws everything: other seeds have other signers.
        size: Side of the images, pixels.
        workers: Processes; None for one a core.
        progress: Show a bar on stderr.

    Raises:
        ConfigError: The folder holds something else.
        RunError: A worker died, or the folder cannot be written.
    """
    clips = -(-images // _A_CLIP)
    people = min(signers, clips)
    _claim(out, {"images": images, "signers": people, "seed": seed, "size": size})
    for name in ("images", "labels"):
        (out / name).mkdir(parents=True, exist_ok=True)
    jobs = [
        _Clip(number, min(_A_CLIP, images - number * _A_CLIP), number % people, seed, size, out)
        for number in range(clips)
    ]
    kept = 0
    with (
        ProcessPoolExecutor(workers or cores(), mp_context=get_context("spawn"), initializer=_start) as pool,
        tqdm(total=images, desc="render", unit="image", disable=not progress) as bar,
    ):
        try:
            for made, found in pool.map(_film, jobs, chunksize=4):
                kept += found
                bar.update(made + found)
        except BrokenProcessPool as error:
            raise RunError(f"{out}: a rendering process was killed; run again with --workers 1") from error
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return Report(
        stage="keypoints render",
        counts={"images": images, "signers": people},
        reused=kept,
        written=[out / "images", out / "labels", out / RECIPE],
        notes=[NOTICE],
        next_step=f"signvlm keypoints train --set data.root={out}",
    )


def _claim(out: Path, recipe: Mapping[str, int]) -> None:
    file = out / RECIPE
    if file.is_file():
        if read_json(file, "name a new folder") != recipe:
            raise ConfigError(f"{out}: holds images made otherwise; ask for the same again, or name a new folder")
    elif out.is_dir() and any(out.iterdir()):
        raise ConfigError(f"{out}: is not empty and holds no images of the avatar; name an empty or a new folder")
    write_json(file, recipe)


def _film(clip: _Clip) -> tuple[int, int]:
    """Writes a clip's images, each before its label; returns how many it wrote, and how many were there."""
    names = [f"{clip.number:06d}_{frame}" for frame in range(clip.frames)]
    if all((clip.out / "labels" / f"{name}.json").is_file() for name in names):
        return 0, clip.frames
    signs = list(load_signs().values())
    rng = np.random.default_rng([clip.seed, 1, clip.number])
    signer = Signer.sample(np.random.default_rng([clip.seed, 0, clip.signer]))
    sign = signs[int(rng.integers(len(signs)))]
    pictures, labels = render_clip(sign, signer, int(rng.integers(2**31)), num_frames=clip.frames, size=clip.size)
    for name, picture, points in zip(names, pictures, labels, strict=True):
        data = io.BytesIO()
        Image.fromarray(picture).save(data, format="JPEG", quality=_QUALITY)
        write_bytes(clip.out / "images" / f"{name}.jpg", data.getvalue())
        size = (clip.size, clip.size)
        placed = points * np.array([clip.size, clip.size, 1], np.float32)
        who = f"avatar-{clip.seed}-{clip.signer}"
        write_label(clip.out / "labels" / f"{name}.json", Label(f"{name}.jpg", size, placed, box(placed, size), who))
    return clip.frames, 0


def box(points: np.ndarray, size: tuple[int, int]) -> tuple[float, float, float, float]:
    """Returns the person's box as far as the image shows it, from all points, hidden ones too: xmin, ymin, xmax, ymax.

    Hips and knees lie below the image, so it reaches the lower edge, as the trunk does.
    """
    edges = np.array(size) * _MARGIN
    places = points[:, :2]
    low, high = np.maximum(places.min(axis=0) - edges, 0), np.minimum(places.max(axis=0) + edges, size)
    return float(low[0]), float(low[1]), float(high[0]), float(high[1])


def _start() -> None:
    """Sets a worker up: one thread, and Ctrl-C is the parent's to hear."""
    cv2.setNumThreads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
