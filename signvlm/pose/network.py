"""The networks by their names, and clips of several lengths as one batch."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from signvlm.config import PoseSettings
from signvlm.pose.conv_gru import ConvGRU
from signvlm.pose.st_gcn import STGCN

NETWORKS: dict[str, tuple[type[ConvGRU] | type[STGCN], int]] = {"conv_gru": (ConvGRU, 96), "st_gcn": (STGCN, 64)}
"""Each with its usual width."""


def build(settings: PoseSettings, glosses: int) -> nn.Module:
    """Returns a network with random weights (torch's generator): (points, mask) → float32 (B, glosses) log-probs.

    Args:
        settings: Which network, its width and dropout.
        glosses: How many answers there are.
    """
    network, usual = NETWORKS[settings.network]
    return network(glosses, settings.width or usual, settings.dropout)


def padded(clips: Sequence[np.ndarray]) -> tuple[torch.Tensor, torch.Tensor]:
    """Returns clips (T, 64, 3) of any lengths as float32 (B, longest, 64, 3) and their mask, float32 (B, longest)."""
    longest = max(map(len, clips))
    points = torch.zeros(len(clips), longest, *clips[0].shape[1:])
    mask = torch.zeros(len(clips), longest)
    for row, clip in enumerate(clips):
        points[row, : len(clip)] = torch.from_numpy(np.ascontiguousarray(clip))
        mask[row, : len(clip)] = 1
    return points, mask


def count_parameters(network: nn.Module) -> int:
    """Returns how many weights a network learns."""
    return sum(weight.numel() for weight in network.parameters() if weight.requires_grad)
