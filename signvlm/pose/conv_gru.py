"""A small network over key points: each frame encoded, convolutions over neighbours, a recurrent layer each way.

Convolution and a bidirectional GRU (Cho et al., "Learning Phrase Representations using RNN Encoder-Decoder", EMNLP
2014, section 2.3) over body and hand points. Normalisation is a frame's own (LayerNorm), so that what a clip is
answered does not depend on the clips and the padding beside it.
"""

import torch
from torch import nn
from torch.nn import functional

from signvlm.pose import features


class ConvGRU(nn.Module):
    """Points of clips → log-probabilities of glosses."""

    def __init__(self, glosses: int, width: int, dropout: float) -> None:
        """Args: glosses: answers. width: channels. dropout: share of channels dropped in training."""
        super().__init__()
        joints = features.HAND_JOINTS - 1  # a wrist about itself is nothing
        places = len(features.BODY_POINTS) + len(features.HANDS)
        self.hand = nn.Linear(4 * joints + 1, width // 2)
        self.frame = nn.Linear(5 * places + len(features.HANDS) * (width // 2), width)
        self.blocks = nn.ModuleList(_Block(width, dropout) for _ in range(2))
        self.forth = nn.GRU(width, width, batch_first=True)
        self.back = nn.GRU(width, width, batch_first=True)
        self.norm = nn.LayerNorm(2 * width)
        self.attend = nn.Linear(2 * width, 1)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(4 * width, glosses)

    def forward(self, points: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Answers clips.

        Args:
            points: float32 (B, T, 64, 3), shoulder-normalised; padded frames may hold anything finite.
            mask: float32 (B, T): 1 for a frame, 0 for padding; every clip has a frame, and its frames come first.

        Returns:
            float32 (B, G) natural log-probabilities, which sum to 1 over the glossary.
        """
        steps = self.frame(self._frames(points, mask))
        for block in self.blocks:
            steps = block(steps, mask)
        steps = self.norm(torch.cat([self.forth(steps)[0], self._backwards(steps, mask)], dim=-1))
        weight = self.attend(steps).masked_fill(mask[..., None] == 0, -1e4).softmax(dim=1)
        mean = (steps * mask[..., None]).sum(dim=1) / mask.sum(dim=1, keepdim=True)
        told = torch.cat([(steps * weight).sum(dim=1), mean], dim=-1)
        return functional.log_softmax(self.head(self.dropout(told)), dim=-1)

    def _frames(self, points: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Returns what is known of each frame, (B, T, D): body and wrists in place and moving, each hand encoded."""
        places, found = features.split(points, mask)
        chosen = [*features.BODY_POINTS, *(part.start for part in features.HANDS)]
        body, seen = places[..., chosen, :], found[..., chosen]
        parts = [body.flatten(-2), features.velocity(body, seen).flatten(-2), seen]
        for side in range(len(features.HANDS)):
            joints, known = features.hand(places, found, side)
            moving = features.velocity(joints, known)
            shape = [joints[..., 1:, :].flatten(-2), moving[..., 1:, :].flatten(-2), known[..., :1]]
            parts.append(functional.gelu(self.hand(torch.cat(shape, dim=-1))))
        return torch.cat(parts, dim=-1)

    def _backwards(self, steps: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Reads clips from their last frame to their first.

        Each is turned round within its own length, so that no padding is read before it; packed sequences, which do
        the same, cannot be exported.
        """
        last = mask.sum(dim=1, keepdim=True).long() - 1
        order = (last - torch.arange(steps.shape[1], device=steps.device)).clamp(min=0)
        turned = steps.gather(1, order[..., None].expand(-1, -1, steps.shape[2]))
        read = self.back(turned)[0]
        return read.gather(1, order[..., None].expand(-1, -1, read.shape[2]))


class _Block(nn.Module):
    """A residual convolution over five neighbouring frames, normalised before."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.conv = nn.Conv1d(width, width, kernel_size=3, padding=1)
        self.dropout = nn.Dropout(dropout)

    def forward(self, steps: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Returns (B, T, width) of (B, T, width); padding is read as nothing."""
        known = functional.gelu(self.norm(steps)) * mask[..., None]
        return steps + self.dropout(self.conv(known.transpose(1, 2)).transpose(1, 2))
