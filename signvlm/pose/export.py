"""A trained network as ONNX, for runtimes without torch: dynamic batch and length, checked against torch.

signvlm export --checkpoint data/pose/runs/pose/adapter --out signs.onnx

Inputs: `points`, float32 (batch, time, 64, 3), as `prepare.prepared` makes them, and `mask`, float32 (batch, time), 1
for a frame and 0 for padding. Output: `log_probs`, float32 (batch, glosses). The glossary, the frames a second and the
key points' names are in the file's metadata.
"""

import json
import tempfile
import warnings
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from data_engineering.clip import write_bytes
from data_engineering.errors import ConfigError, RunError
from data_engineering.keypoints import KEYPOINTS
from signvlm.bundles import read_bundle_config, read_glossary
from signvlm.config import Config
from signvlm.pose.bundle import load_bundle
from signvlm.runs import newest_bundle

TOLERANCE = 1e-3  # of a log-probability
OPSET = 17  # what onnxruntime reads since 1.12
# Batch and time of what is compared: neither are those of the export.
_TRIED = ((1, 2), (2, 17), (3, 64), (1, 256))


@dataclass(frozen=True)
class Exported:
    """An exported network.

    Attributes:
        path: The file.
        size: Its bytes.
        gap: The largest difference of a log-probability between onnxruntime and torch; None without onnxruntime.
    """

    path: Path
    size: int
    gap: float | None


def export(config: Config, checkpoint: Path | None, out: Path) -> Exported:
    """Exports a bundle's network and compares the two.

    Args:
        config: The configuration in force.
        checkpoint: The bundle; None for the newest run's.
        out: The file to write.

    Raises:
        ConfigError: The bundle is not of this family, or `onnx` is not installed.
        RunError: The disk is full, or the answers differ; nothing is written then.
    """
    if find_spec("onnx") is None:
        raise ConfigError("exporting takes the package onnx; install it: uv pip install onnx onnxruntime")
    bundle = checkpoint or newest_bundle(config.output_dir)
    trained = read_bundle_config(bundle, "pose")
    glossary = read_glossary(bundle)
    network = load_bundle(bundle, trained, torch.device("cpu")).network
    told = {
        "glossary": json.dumps(glossary),
        "rate": repr(trained.pose.rate),
        "keypoints": json.dumps(KEYPOINTS),
        "network": trained.pose.network,
    }
    data = _labelled(to_onnx(network), told)
    gap = compare(network, data) if find_spec("onnxruntime") is not None else None
    if gap is not None and not gap <= TOLERANCE:
        raise RunError(f"{bundle}: in onnxruntime a log-probability differs by {gap:.1e}; nothing is written")
    write_bytes(out, data)
    return Exported(out, len(data), gap)


def to_onnx(network: nn.Module) -> bytes:
    """Returns a network as an ONNX file's bytes, batch and length being free.

    By tracing: the exporter that reads the program instead needs a library more, onnxscript.
    """
    points, mask = torch.zeros(2, 8, len(KEYPOINTS), 3), torch.ones(2, 8)
    free = {0: "batch", 1: "time"}
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what tracing takes for constant is none here, as the comparison shows
        path = Path(folder) / "network.onnx"
        torch.onnx.export(
            network.eval(),
            (points, mask),
            path,
            input_names=["points", "mask"],
            output_names=["log_probs"],
            dynamic_axes={"points": free, "mask": free, "log_probs": {0: "batch"}},
            opset_version=OPSET,
            dynamo=False,
        )
        return path.read_bytes()


def compare(network: nn.Module, data: bytes) -> float:
    """Returns the largest difference of a log-probability between onnxruntime and torch, over several shapes.

    Args:
        network: In torch.
        data: The ONNX file's bytes.
    """
    from onnxruntime import InferenceSession

    session = InferenceSession(data, providers=["CPUExecutionProvider"])
    rng = np.random.default_rng(0)
    worst = 0.0
    for batch, length in _TRIED:
        points = rng.normal(0, 1, (batch, length, len(KEYPOINTS), 3)).astype(np.float32)
        points[rng.random(points.shape[:3]) < 0.2] = 0  # lost
        mask = np.ones((batch, length), np.float32)
        mask[-1, max(1, length // 2) :] = 0
        with torch.no_grad():
            ours = network(torch.from_numpy(points), torch.from_numpy(mask)).numpy()
        theirs = session.run(None, {"points": points, "mask": mask})[0]
        worst = max(worst, float(np.abs(ours - theirs).max()))
    return worst


def _labelled(data: bytes, told: dict[str, str]) -> bytes:
    """Returns the file with metadata."""
    import onnx

    model: Any = onnx.load_model_from_string(data)
    onnx.helper.set_model_props(model, told)
    return bytes(model.SerializeToString())
