"""A spatial-temporal graph convolutional network over the skeleton, the field's standard.

Yan et al. (AAAI 2018; see `signvlm.pose.graph`) with the learned graph of Shi et al., "Two-Stream Adaptive Graph
Convolutional Networks for Skeleton-Based Action Recognition", CVPR 2019, section 3.3 (their B_k). Made for a CPU:
normalisation is a point's own, the convolution over time is depthwise, and the first block halves time.
"""

import torch
from torch import nn
from torch.nn import functional

from signvlm.pose import features
from signvlm.pose.graph import BODY, HAND, POINTS, adjacency

_CHANNELS = 9  # of a point: in place 2, about its wrist 2, the velocities of both 4, found 1


class STGCN(nn.Module):
    """Points of clips → log-probabilities of glosses."""

    def __init__(self, glosses: int, width: int, dropout: float) -> None:
        """Args: glosses: answers. width: channels of the last blocks. dropout: share dropped in training."""
        super().__init__()
        half = width // 2
        self.stem = nn.Linear(_CHANNELS, half)
        self.blocks = nn.ModuleList([_Block(half, half, stride=2), _Block(half, width), _Block(width, width)])
        self.norm = nn.LayerNorm(width)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(2 * width, glosses)

    def forward(self, points: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Answers clips; takes and returns what `ConvGRU.forward` does."""
        steps = self.stem(self._points(points, mask))
        for block in self.blocks:
            steps, mask = block(steps, mask)
        frames = self.norm(steps).mean(dim=0)
        mean = (frames * mask[..., None]).sum(dim=1) / mask.sum(dim=1, keepdim=True)
        most = frames.masked_fill(mask[..., None] == 0, -1e4).amax(dim=1)
        return functional.log_softmax(self.head(self.dropout(torch.cat([mean, most], dim=-1))), dim=-1)

    def _points(self, points: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Returns what is known of each point, (V, B, T, 9): the graph's points first, as it multiplies them."""
        places, found = features.split(points, mask)
        used, seen = places[..., list(POINTS), :], found[..., list(POINTS)]
        wrists = [BODY + side * HAND for side in range(len(features.HANDS))]
        # Each hand about its own wrist; the body stays where it is.
        about = [used[..., :BODY, :]]
        known = [seen[..., :BODY]]
        for wrist in wrists:
            known.append(seen[..., wrist : wrist + HAND] * seen[..., wrist : wrist + 1])
            moved = used[..., wrist : wrist + HAND, :] - used[..., wrist : wrist + 1, :]
            about.append(moved * known[-1][..., None] * features.HAND_SCALE)
        own, known_own = torch.cat(about, dim=2), torch.cat(known, dim=2)
        moving = [features.velocity(used, seen), features.velocity(own, known_own)]
        return torch.cat([used, own, *moving, seen[..., None]], dim=-1).permute(2, 0, 1, 3)


class _Block(nn.Module):
    """A graph convolution, then a convolution over time, with a residual around both."""

    def __init__(self, before: int, after: int, *, stride: int = 1) -> None:
        super().__init__()
        graph = torch.from_numpy(adjacency())
        self.graph: torch.Tensor
        self.register_buffer("graph", graph, persistent=False)
        self.importance = nn.Parameter(torch.ones_like(graph))
        self.learned = nn.Parameter(torch.zeros_like(graph))
        self.norm = nn.LayerNorm(before)
        self.space = nn.ModuleList(nn.Linear(before, after) for _ in graph)
        self.between = nn.LayerNorm(after)
        self.time = nn.Conv1d(after, after, kernel_size=9, padding=4, stride=stride, groups=after)
        self.mix = nn.Linear(after, after)
        self.skip = nn.Linear(before, after) if before != after else nn.Identity()
        self.stride = stride

    def forward(self, steps: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Returns (V, B, T', after) of (V, B, T, before), and the mask (B, T'); T' is T / stride, rounded up."""
        graph = self.graph * self.importance + self.learned
        parts, count = graph.shape[:2]
        known = functional.gelu(self.norm(steps))
        mixed = (graph.flatten(0, 1) @ known.flatten(1)).unflatten(0, (parts, count)).unflatten(2, steps.shape[1:])
        gathered = torch.stack([layer(part) for layer, part in zip(self.space, mixed, strict=True)]).sum(dim=0)
        spread = functional.gelu(self.between(gathered)) * mask[..., None]
        rows = spread.flatten(0, 1).transpose(1, 2)
        moved = self.time(rows).transpose(1, 2).unflatten(0, steps.shape[:2])
        return self.skip(steps[:, :, :: self.stride]) + self.mix(moved), mask[:, :: self.stride]
