"""Optimizer steps one weight after another: DirectML knows no operations on lists of tensors (foreach, fused)."""

from typing import Any

import torch
from accelerate import Accelerator

# Where torch's lists of tensors run. DirectML's device is torch's private one, which torch takes for one of these.
LISTS = ("cuda", "cpu", "mps")


def without_lists(optimizer: torch.optim.Optimizer, accelerator: Accelerator) -> None:
    """Makes an optimizer and the clipping of its gradients go weight by weight."""
    for group in optimizer.param_groups:
        group.update({key: False for key in ("foreach", "fused") if key in group})

    def clip(parameters: Any, max_norm: float, norm_type: float = 2) -> torch.Tensor:
        accelerator.unscale_gradients()
        return torch.nn.utils.clip_grad_norm_(list(parameters), max_norm, norm_type=norm_type, foreach=False)

    accelerator.clip_grad_norm_ = clip
