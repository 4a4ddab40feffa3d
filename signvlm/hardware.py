"""Which device, dtype, quantization and how many loader workers a run gets, each with its reason.

`probe` is the only place that asks the machine; `select` is a pure function of what it found.

    signvlm doctor                                   # what would be chosen here, and why
    signvlm train --set model.device=cpu             # choose otherwise
"""

import importlib
import os
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Literal

from data_engineering.errors import ConfigError

WORKERS = 4
FASTEST_FIRST = ("cuda", "directml", "mps", "cpu")
REMEDY = {
    "cuda": "check `nvidia-smi` and that torch is a CUDA build (on Windows: "
    "uv pip install --torch-backend=auto --reinstall torch torchvision), or set model.device=auto",
    "directml": "install it on Windows with Python 3.11 or 3.12 (uv sync --extra directml), or set model.device=auto",
    "mps": "it needs a Mac with Apple silicon, or set model.device=auto",
}


@dataclass(frozen=True)
class Backends:
    """What a machine offers.

    Attributes:
        names: The name of the card behind each device there is, by device; always holds `cpu`.
        ampere: Whether the CUDA card has bfloat16 and tf32 in hardware (compute capability 8.0 on).
        bitsandbytes: Whether bitsandbytes can be imported.
        cores: Processor cores this process may use.
        windows: Whether this is Windows.
    """

    names: dict[str, str]
    ampere: bool
    bitsandbytes: bool
    cores: int
    windows: bool


@dataclass(frozen=True)
class Hardware:
    """What a run uses.

    Attributes:
        device: `cuda`, `directml`, `mps` or `cpu`.
        dtype: torch's name of the compute dtype: `float32`, `bfloat16` or `float16`.
        load_in_4bit: Whether the base's language model is loaded in 4 bits.
        workers: Processes that load data beside the training process; 0 loads in that process.
        tf32: Whether float32 matrix products may run as tf32.
        reasons: A line for each choice, as printed; what deserves attention starts with `warning:`.
    """

    device: str
    dtype: str
    load_in_4bit: bool
    workers: int
    tf32: bool
    reasons: tuple[str, ...]


def probe() -> Backends:
    """Asks torch, torch_directml, bitsandbytes and the system what this machine offers."""
    import torch

    names = {"cpu": "always there"}
    if torch.cuda.is_available():
        names["cuda"] = torch.cuda.get_device_name()
    if _importable("torch_directml"):
        directml = importlib.import_module("torch_directml")
        if directml.is_available():
            names["directml"] = directml.device_name(directml.default_device())
    if torch.backends.mps.is_available():
        names["mps"] = "Apple silicon"
    return Backends(
        names=names,
        ampere="cuda" in names and torch.cuda.get_device_capability() >= (8, 0),
        # Its import takes seconds and talks on stderr, so without a card, where it is not needed, it is only looked up.
        bitsandbytes=_importable("bitsandbytes") if "cuda" in names else find_spec("bitsandbytes") is not None,
        cores=len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1,
        windows=sys.platform == "win32",
    )


def select(
    device: str = "auto",
    dtype: str = "auto",
    load_in_4bit: bool | Literal["auto"] = "auto",
    workers: int | None = None,
    backends: Backends | None = None,
) -> Hardware:
    """Chooses what a run uses; what is given is kept, what is `auto` is chosen.

    Args:
        device: `auto` (the fastest there is), `cuda`, `directml`, `mps` or `cpu`.
        dtype: `auto`, `float32`, `bfloat16` or `float16`.
        load_in_4bit: `auto` (on CUDA, where bitsandbytes can be imported), True or False.
        workers: Loader processes; None for 4, but 0 on Windows and DirectML and never more than there are cores.
        backends: What the machine offers; None asks it.

    Raises:
        ConfigError: The device asked for is not there, it cannot compute in the dtype asked for, or 4 bits are asked
            for without bitsandbytes.
    """
    there = backends or probe()
    device, why_device = _device(device, there)
    dtype, why_dtype = _dtype(dtype, device, there)
    four_bit, why_four_bit = _four_bit(load_in_4bit, device, there)
    workers, why_workers = _workers(workers, device, there)
    tf32 = device == "cuda" and there.ampere
    reasons = [
        f"device: {device} ({why_device})",
        f"dtype: {dtype} ({why_dtype})" + (", tf32 on" if tf32 else ""),
        f"4-bit: {'on' if four_bit else 'off'} ({why_four_bit})",
        f"workers: {workers} ({why_workers})",
    ]
    if device == "cuda" and dtype == "bfloat16" and not there.ampere:
        reasons.append(
            "warning: this card has no bfloat16 in hardware and will be slow; model.dtype=float16 is its own"
        )
    if four_bit and device != "cuda":
        reasons.append(f"warning: 4 bits on {device} are slow, or refused by bitsandbytes; they are made for CUDA")
    return Hardware(device, dtype, four_bit, workers, tf32, tuple(reasons))


def _device(asked: str, there: Backends) -> tuple[str, str]:
    if asked == "auto":
        device = next(device for device in FASTEST_FIRST if device in there.names)
        why = there.names[device] if device != "cpu" else "no accelerator was found"
        return device, f"auto: {why}"
    if asked not in there.names:
        raise ConfigError(f"model.device: {asked} is not available here; {REMEDY[asked]}")
    return asked, f"asked for: {there.names[asked]}"


def _dtype(asked: str, device: str, there: Backends) -> tuple[str, str]:
    if asked != "auto":
        refused = (
            {"float16"} if device in ("cpu", "mps") else {"float16", "bfloat16"} if device == "directml" else set()
        )
        if asked in refused:
            raise ConfigError(f"model.dtype: {asked} does not train on {device}; set model.dtype=auto or float32")
        return asked, "asked for"
    if device != "cuda":
        return "float32", f"auto: {device} computes in full precision"
    if there.ampere:
        return "bfloat16", "auto: the card has it in hardware"
    return "float16", "auto: the card has no bfloat16 in hardware"


def _four_bit(asked: bool | Literal["auto"], device: str, there: Backends) -> tuple[bool, str]:
    if asked is False:
        return False, "asked for"
    if asked is True:
        if not there.bitsandbytes:
            raise ConfigError(
                "quantization.load_in_4bit: bitsandbytes cannot be imported; install it (uv sync), or set it to false"
            )
        return True, "asked for"
    if device != "cuda":
        return False, f"auto: bitsandbytes' 4 bits are made for CUDA, not {device}"
    if not there.bitsandbytes:
        return False, "auto: bitsandbytes cannot be imported"
    return True, "auto: CUDA with bitsandbytes"


def _workers(asked: int | None, device: str, there: Backends) -> tuple[int, str]:
    if asked is not None:
        return asked, "asked for"
    if there.windows:
        return 0, "auto: Windows starts each worker process anew, which costs more than it gains"
    if device == "directml":
        return 0, "auto: DirectML cannot be shared with worker processes"
    if there.cores < WORKERS:
        return there.cores, f"auto: {there.cores} cores"
    return WORKERS, f"auto: {WORKERS} of {there.cores} cores"


def _importable(name: str) -> bool:
    """Whether a library imports. A wheel of another torch or a missing driver raises more than ImportError."""
    try:
        importlib.import_module(name)
    except (ImportError, OSError, RuntimeError):
        return False
    return True
