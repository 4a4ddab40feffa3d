"""What is done when memory runs out: smaller batches with the same effective batch, or the setting to change next."""

from collections.abc import Callable
from typing import TypeVar

import torch

from data_engineering.errors import RunError
from signvlm.config import Config
from signvlm.console import note
from signvlm.hardware import Hardware

T = TypeVar("T")
# What CUDA, DirectML and the CPU's allocators say; the last two in a plain RuntimeError.
_WORDS = ("out of memory", "not enough gpu video memory", "can't allocate memory", "not enough memory")


def is_out_of_memory(error: BaseException) -> bool:
    """Tells whether an error means that memory ran out."""
    if isinstance(error, torch.cuda.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(word in str(error).lower() for word in _WORDS)


def smaller(size: int) -> int:
    """Returns the largest size below `size` that divides it: half of an even one; 0 where there is none."""
    return next((size // factor for factor in range(2, size + 1) if size % factor == 0), 0)


def shrinking(run: Callable[[int], T], size: int, key: str) -> tuple[T, int]:
    """Runs something with a batch size; where memory runs out, again with half of it.

    Returns:
        What it returned, and the size that did.

    Raises:
        RunError: A batch of one does not fit.
    """
    while True:
        try:
            return run(size), size
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            if size == 1:
                raise RunError(f"out of memory in evaluation with {key}=1; set preprocess.num_frames lower") from error
        size //= 2  # beyond the except block, so that the error's frames and their tensors are gone
        free()
        note(f"warning: out of memory in evaluation; going on with {key}={size}")


def free() -> None:
    """Gives back what torch keeps for later."""
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def next_setting(config: Config, hardware: Hardware, *, checkpointing: bool) -> str:
    """Returns the setting that saves most of what can still be saved, as the user would type it.

    Args:
        config: The configuration.
        hardware: What the run is on.
        checkpointing: Whether all layers compute their activations again already.
    """
    if not checkpointing:
        return "--set training.gradient_checkpointing=true"
    if hardware.device == "cuda" and not hardware.load_in_4bit:
        return "--set quantization.load_in_4bit=true"
    if config.lora is None:
        return "--set lora.r=16 (LoRA instead of all weights)"
    if config.preprocess.num_frames > 4:
        return f"--set preprocess.num_frames={config.preprocess.num_frames // 2}, and preprocess again"
    return "a smaller model.base"
