"""What a detector's training leaves: `model.safetensors`, which is all that using it takes, and `state.safetensors`.

Tensors and JSON alone, no pickle: a model of a stranger's runs no code.
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from data_engineering.clip import write_bytes
from data_engineering.errors import ConfigError, RunError
from data_engineering.keypoints import KEYPOINTS
from signvlm.keypoints.network import Detector
from signvlm.keypoints.settings import KeypointSettings
from signvlm.runs import runs

MODEL, STATE = "model.safetensors", "state.safetensors"
_FORMAT = "signvlm keypoints 1"


@dataclass(frozen=True)
class Loaded:
    """A trained detector.

    Attributes:
        detector: In evaluation mode, on the CPU.
        size: Side of the square that it was trained on and is shown, pixels: keypoints.size, unless training was
            stopped before it came to that.
        about: What its training noted: settings, step, figures.
        path: Its file.
    """

    detector: Detector
    size: int
    about: dict[str, Any]
    path: Path


def save_model(path: Path, detector: Detector, settings: KeypointSettings, about: dict[str, Any]) -> None:
    """Writes a detector, whole or not at all.

    Raises:
        RunError: The disk is full or the folder cannot be written.
    """
    told = about | {"settings": settings.model_dump(mode="json"), "names": KEYPOINTS}
    _write(path, detector.state_dict(), told)


def load_model(checkpoint: Path) -> Loaded:
    """Reads a detector.

    Args:
        checkpoint: A run's folder, or the file in it.

    Raises:
        ConfigError: There is none.
        RunError: The file is damaged, or holds something else.
    """
    path = checkpoint / MODEL if checkpoint.is_dir() else checkpoint
    if not path.is_file():
        raise ConfigError(f"{path}: is not there; run `signvlm keypoints train` first, or give --checkpoint DIR")
    about, tensors = read(path)
    try:
        settings = KeypointSettings.model_validate(about["settings"])
        if tuple(about["names"]) != KEYPOINTS:
            raise ValueError("it has other key points")
        size = int(about["size"])
        detector = Detector(settings.network, settings.head_channels)
        detector.load_state_dict(tensors)
    except (KeyError, ValueError, TypeError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise RunError(f"{path}: holds no detector of this version ({reason}); train one anew") from error
    return Loaded(detector.eval(), size, about, path)


def newest_run(output_dir: Path) -> Path:
    """Returns the newest run that has a detector.

    Raises:
        ConfigError: There is none.
    """
    for folder in reversed(runs(output_dir)):
        if (folder / MODEL).is_file():
            return folder
    raise ConfigError(
        f"{output_dir}: holds no trained detector; run `signvlm keypoints train` first, or give --checkpoint DIR"
    )


def save_state(path: Path, detector: Detector, optimizer: torch.optim.Optimizer, about: dict[str, Any]) -> None:
    """Writes all that resuming needs, whole or not at all; raises as `save_model`."""
    tensors = {f"model.{name}": tensor for name, tensor in detector.state_dict().items()}
    for number, state in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{number}.{name}": torch.as_tensor(value) for name, value in state.items()}
    _write(path, tensors, about)


def restore(tensors: dict[str, torch.Tensor], detector: Detector, optimizer: torch.optim.Optimizer, path: Path) -> None:
    """Takes detector and optimizer back to where `save_state` left them.

    Args:
        tensors: What `read` returned.
        detector: Of the same network.
        optimizer: Of its weights.
        path: Where the tensors come from, for the error.

    Raises:
        RunError: They are of another network.
    """
    model = {name.removeprefix("model."): each for name, each in tensors.items() if name.startswith("model.")}
    moments: dict[int, dict[str, torch.Tensor]] = {}
    for name, tensor in tensors.items():
        kind, _, rest = name.partition(".")
        if kind == "optimizer":
            number, _, key = rest.partition(".")
            moments.setdefault(int(number), {})[key] = tensor
    try:
        detector.load_state_dict(model)
        optimizer.load_state_dict({"state": moments, "param_groups": optimizer.state_dict()["param_groups"]})
    except (RuntimeError, ValueError, KeyError) as error:
        raise RunError(f"{path}: is of another network; train anew without --resume") from error


def read(path: Path) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """Reads what was noted in a file, and its tensors.

    Raises:
        RunError: It is damaged, or holds something else.
    """
    try:
        with safe_open(os.fspath(path), framework="pt") as file:
            told = file.metadata() or {}
            if told.get("format") != _FORMAT:
                raise RunError(f"{path}: is no file of a key-point detector; give a run of `signvlm keypoints train`")
            return json.loads(told["about"]), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError, ValueError, KeyError) as error:
        raise RunError(f"{path}: cannot be read ({error}); train anew, or take another run") from error


def _write(path: Path, tensors: dict[str, torch.Tensor], about: dict[str, Any]) -> None:
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    write_bytes(path, save(plain, metadata={"format": _FORMAT, "about": json.dumps(about, default=str)}))
