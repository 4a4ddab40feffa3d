"""Which layers of the language model keep their activations, and which compute them again in the backward pass."""

from collections.abc import Sequence
from functools import partial

import torch
from torch.utils.checkpoint import checkpoint
from transformers.modeling_layers import GradientCheckpointingLayer

from signvlm.vlm.model import LANGUAGE_MODEL

# The random state is kept, so that dropout drops the same again.
_AGAIN = partial(checkpoint, use_reentrant=False, preserve_rng_state=True)


def language_layers(model: torch.nn.Module) -> list[GradientCheckpointingLayer]:
    """Returns the language model's layers, the first one first."""
    return [
        module
        for name, module in model.named_modules()
        if LANGUAGE_MODEL in name and isinstance(module, GradientCheckpointingLayer)
    ]


def recompute(layers: Sequence[GradientCheckpointingLayer], count: int) -> None:
    """Lets `count` layers compute their activations again, the others keep them.

    The first ones do: the last layers' activations are freed before an earlier layer computes its own again. Only what
    is inside of a layer is computed again, so a vision tower, and whatever else needs no gradient, stays out of it.
    """
    for number, layer in enumerate(layers):
        layer.gradient_checkpointing = number < count
        layer._gradient_checkpointing_func = _AGAIN  # type: ignore[assignment]
