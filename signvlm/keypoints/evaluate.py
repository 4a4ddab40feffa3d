"""`signvlm keypoints eval`: a detector's PCK, errors and OKS on labelled images, the body and each hand apart."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from data_engineering.clip import write_json
from data_engineering.errors import RunError
from signvlm.config import Config
from signvlm.console import note, watched
from signvlm.hardware import Hardware
from signvlm.keypoints.batches import Squares, as_input, as_they_are, load
from signvlm.keypoints.checkpoint import Loaded
from signvlm.keypoints.data import Example, points_of, read_folder, split
from signvlm.keypoints.device import Precision, choose, on, placed
from signvlm.keypoints.heatmaps import decode
from signvlm.keypoints.images import fitted
from signvlm.keypoints.metrics import SHARES, measure
from signvlm.keypoints.network import Detector
from signvlm.keypoints.settings import KeypointSettings

RESULTS = "keypoints_results.json"


def evaluate(config: Config, loaded: Loaded, *, part: str, out: Path, progress: bool = True) -> dict[str, Any]:
    """Measures a detector on the images of `data.root` and writes the figures.

    Args:
        config: Gives the folder and the machine.
        loaded: The detector.
        part: `held-out`, the tenth that training on this folder never took a step on, or `all` images.
        out: The JSON file to write.
        progress: Show a bar on stderr.

    Returns:
        The figures of `metrics.measure`, and what they were measured on.

    Raises:
        ConfigError: There is no such folder.
        RunError: A label or an image is broken, or the file cannot be written.
    """
    examples = read_folder(config.data.root)
    if part == "held-out":
        examples = split(examples, int(loaded.about["settings"]["seed"]))[1]
    hardware = choose(config.model)
    detector = placed(loaded.detector, hardware)
    batch_size = config.keypoints.batch_size
    figures = find(detector, examples, loaded.size, batch_size, hardware, Precision(hardware), progress=progress)
    told = {"detector": str(loaded.path), "folder": str(config.data.root), "part": part, "step": loaded.about["step"]}
    note(f"{figures['images']} images of {config.data.root} ({part})")
    write_json(out, told | figures)
    return told | figures


def find(
    detector: Detector,
    examples: Sequence[Example],
    size: int,
    batch_size: int,
    hardware: Hardware,
    precision: Precision,
    *,
    progress: bool = False,
) -> dict[str, Any]:
    """Runs a detector over examples; returns the figures of `metrics.measure`, in pixels of the examples' images.

    Raises:
        RunError: An image broke since the folder was read.
    """
    squares = Squares(examples, KeypointSettings())
    batches = as_they_are(range(len(examples)), batch_size, size)
    detector.eval()
    found = []
    bar = tqdm(total=len(examples), desc="eval", unit="image", disable=not progress or not watched(), leave=False)
    try:
        with torch.inference_mode(), precision.autocast(), bar:
            for images, _ in load(squares, batches, len(batches), hardware.workers):
                found.append(decode(detector(as_input(images, on(hardware)))).cpu().numpy())
                bar.update(len(images))
    except ValueError as error:
        words = str(error).strip().splitlines()
        raise RunError(f"{words[-1].removeprefix('ValueError: ')}; correct or remove it and its label") from error
    places = np.concatenate(found)
    placed = [fitted(example.label.size, size).back(points) for example, points in zip(examples, places, strict=True)]
    boxes = np.array([example.label.bbox for example in examples])
    return measure(np.stack(placed), points_of(examples), boxes)


def headline(figures: dict[str, Any]) -> dict[str, Any]:
    """Returns the figures worth a curve: PCK, error and OKS of all points, PCK@0.05 of the body and each hand."""
    parts = figures["parts"]
    whole = {name: parts["all"][name] for name in (*(f"pck@{share:g}" for share in SHARES), "error", "oks")}
    return whole | {f"{part} pck@0.05": parts[part]["pck@0.05"] for part in ("body", "left hand", "right hand")}
