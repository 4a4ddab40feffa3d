"""`signvlm keypoints export`: a detector as ONNX, (N, 3, S, S) floats in 0..1 → (N, 64, S / 4, S / 4), N free."""

import importlib
import importlib.util
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch.onnx.utils import export as trace

from data_engineering.clip import write_bytes
from data_engineering.errors import ConfigError, RunError
from signvlm.keypoints.checkpoint import Loaded
from signvlm.keypoints.network import Detector

PARITY = 1e-3
"""How far a cell of ONNX Runtime's heatmaps may be from torch's."""
_OPSET = 17
INPUT, OUTPUT = "images", "heatmaps"


@dataclass(frozen=True)
class Exported:
    """What an export gave.

    Attributes:
        path: The file.
        shapes: Input and output, as one reads it.
        difference: The largest from torch's heatmaps, over batches of one and three; None where onnxruntime is not
            installed.
    """

    path: Path
    shapes: str
    difference: float | None


def export(loaded: Loaded, path: Path) -> Exported:
    """Writes an ONNX file and, where onnxruntime can be imported, compares its heatmaps with torch's.

    Raises:
        ConfigError: The package that exporting takes is missing.
        RunError: The file cannot be written, or its heatmaps are others than torch's; then nothing is written.
    """
    if importlib.util.find_spec("onnx") is None:
        raise ConfigError("exporting takes the package onnx; install it: uv pip install onnx onnxruntime")
    detector = loaded.detector.cpu().eval()
    example = torch.rand(2, 3, loaded.size, loaded.size, generator=torch.Generator().manual_seed(0))
    data = _onnx(detector, example)
    difference = _compare(data, detector, loaded.size)
    if difference is not None and not difference <= PARITY:
        raise RunError(f"{path}: ONNX Runtime's heatmaps differ from torch's by {difference:.2g}; nothing was written")
    write_bytes(path, data)
    side = loaded.size // 4
    return Exported(path, f"(N, 3, {loaded.size}, {loaded.size}) -> (N, 64, {side}, {side})", difference)


def _onnx(detector: Detector, example: torch.Tensor) -> bytes:
    """Traces a detector with the older of torch's two exporters, which torch 2.4 has, too, and which takes a second."""
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        file = Path(folder) / "detector.onnx"
        warnings.simplefilter("ignore")  # that there is a newer one
        trace(
            detector,
            (example,),
            str(file),
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_axes={INPUT: {0: "N"}, OUTPUT: {0: "N"}},
            opset_version=_OPSET,
        )
        return file.read_bytes()


def _compare(data: bytes, detector: Detector, size: int) -> float | None:
    if importlib.util.find_spec("onnxruntime") is None:
        return None
    session = importlib.import_module("onnxruntime").InferenceSession(data, providers=["CPUExecutionProvider"])
    largest = 0.0
    for count in (1, 3):
        images = torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(count))
        with torch.inference_mode():
            ours = detector(images).numpy()
        (theirs,) = session.run([OUTPUT], {INPUT: images.numpy()})
        largest = max(largest, float(np.abs(ours - theirs).max()))
    return largest
