"""The recogniser over key points behind the seam: a network and a glossary."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from signvlm.pose.network import padded
from signvlm.recognizer import ScoringRecognizer


class PoseRecognizer(ScoringRecognizer):
    """Answers clips by the probability of every gloss.

    Its clips are float32 (T, 64, 3) key points as `prepare.prepared` returns them, of any lengths.
    """

    def __init__(self, network: nn.Module, glossary: tuple[str, ...], device: torch.device) -> None:
        """Args: network: as `network.build` returns it, on its device. glossary: its answers. device: it."""
        super().__init__(glossary)
        self.network = network.eval()
        self.device = device

    def log_probs(self, clips: Sequence[np.ndarray]) -> np.ndarray:
        """See `ScoringRecognizer`."""
        points, mask = padded(clips)
        with torch.inference_mode():
            scores: np.ndarray = self.network(points.to(self.device), mask.to(self.device)).cpu().numpy()
        return scores
