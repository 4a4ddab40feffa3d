"""Where a detector computes and in which precision: float32, or mixed where the hardware is made for it."""

import contextlib
import importlib
from typing import Any

import torch

from signvlm.config import ModelSettings
from signvlm.console import note
from signvlm.hardware import Hardware, select
from signvlm.keypoints.network import Detector


def choose(settings: ModelSettings) -> Hardware:
    """Chooses device and precision as `model.device` and `model.dtype` say, and notes why.

    Raises:
        ConfigError: What is asked for is not there.
    """
    hardware = select(settings.device, settings.dtype, load_in_4bit=False)
    for reason in hardware.reasons:
        if not reason.startswith("4-bit"):
            note(reason)
    if hardware.device == "cuda":
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = hardware.tf32
        torch.backends.cudnn.benchmark = True  # squares of two sizes, each thousands of times
    return hardware


def on(hardware: Hardware) -> torch.device:
    """Returns torch's device; DirectML's is known to torch under a name of its own."""
    if hardware.device == "directml":
        return importlib.import_module("torch_directml").device()
    return torch.device(hardware.device)


def placed(detector: Detector, hardware: Hardware) -> Detector:
    """Moves a detector there, its weights in the order that is fastest for convolutions."""
    return detector.to(memory_format=torch.channels_last).to(on(hardware))


class Precision:
    """Mixed precision: products in the hardware's dtype, weights and sums in float32; float16's gradients are scaled.

    Args:
        hardware: Gives device and dtype.
    """

    def __init__(self, hardware: Hardware) -> None:
        self._type = hardware.device
        self._dtype = getattr(torch, hardware.dtype)
        self._scaler = torch.amp.GradScaler(enabled=self._dtype is torch.float16)

    def autocast(self) -> contextlib.AbstractContextManager[Any]:
        """Within it products are of the mixed precision; of float32 nothing changes."""
        if self._dtype is torch.float32:
            return contextlib.nullcontext()
        return torch.autocast(self._type, self._dtype)

    def backward(self, loss: torch.Tensor, optimizer: torch.optim.Optimizer) -> None:
        """Computes the gradients, in their true size."""
        self._scaler.scale(loss).backward()
        self._scaler.unscale_(optimizer)

    def step(self, optimizer: torch.optim.Optimizer) -> None:
        """Takes the optimizer's step, unless a scaled gradient overflowed."""
        self._scaler.step(optimizer)
        self._scaler.update()

    def state(self) -> dict[str, Any]:
        """Returns what resuming needs; JSON."""
        return self._scaler.state_dict()

    def load(self, state: dict[str, Any]) -> None:
        """Goes back to what `state` returned."""
        if state:
            self._scaler.load_state_dict(state)
