"""Features on disk: one tensor a file, written whole or not at all, and a batch made of them."""

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from transformers import BatchFeature, ProcessorMixin

from data_engineering.errors import RunError
from signvlm.vlm.prompt import encode_prompts

_NAME = "features"


def write(path: Path, features: torch.Tensor) -> None:
    """Writes a clip's features (T, tokens, width) to a temporary name, then renames it.

    Raises:
        RunError: The disk is full or the folder cannot be written.
    """
    temporary = ""
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
        os.close(handle)
        save_file({_NAME: features.contiguous()}, temporary)
        Path(temporary).replace(path)
    except (OSError, SafetensorError) as error:
        if temporary:
            Path(temporary).unlink(missing_ok=True)
        reason = (isinstance(error, OSError) and error.strerror) or error
        raise RunError(f"{path}: cannot be written ({reason}); free space, or set features.cache=false") from error


def read(path: Path) -> torch.Tensor:
    """Reads a clip's features (T, tokens, width).

    Raises:
        RunError: The file is gone or broken since the training began.
    """
    try:
        return load_file(path)[_NAME]
    except (OSError, SafetensorError, KeyError) as error:
        raise RunError(f"{path}: cannot be read ({error}); delete it and go on with --resume") from error


def whole(path: Path, frames: int) -> bool:
    """Tells whether a file holds features of so many frames, all of them; its tensor is not read."""
    try:
        with safe_open(path, "pt") as file:
            return file.get_slice(_NAME).get_shape()[0] == frames
    except (OSError, SafetensorError):
        return False


class StoredPrompts:
    """Encodes clips as `encode_prompts` does, given their features: `pixel_values` is then the tower's output."""

    def __init__(self, processor: ProcessorMixin, prompt: str, frames: int, size: int) -> None:
        """Args: processor: the model's. prompt: the question. frames, size: of every clip, in frames and pixels."""
        blank = np.zeros((frames, size, size, 3), dtype=np.uint8)
        self.text = {k: v for k, v in encode_prompts(processor, prompt, [blank]).items() if k != "pixel_values"}

    def __call__(self, clips: Sequence[torch.Tensor]) -> BatchFeature:
        """Encodes clips (T, tokens, width); all are asked the same, in as many tokens."""
        text = {key: value.expand(len(clips), -1) for key, value in self.text.items()}
        return BatchFeature({**text, "pixel_values": torch.cat(list(clips))})
