"""The recogniser over key points behind the seam: a network and a glossary."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from signvlm.pose.network import padded
from signvlm.recognizer import Answer, Ranking


class PoseRecognizer:
    """Answers clips by the probability of every gloss.

    Its clips are float32 (T, 64, 3) key points as `prepare.prepared` returns them, of any lengths.

    Attributes:
        modes: `exact`: the network scores the whole glossary at once.
    """

    modes: tuple[str, ...] = ("exact",)

    def __init__(self, network: nn.Module, glossary: tuple[str, ...], device: torch.device) -> None:
        """Args: network: as `network.build` returns it, on its device. glossary: its answers. device: it."""
        self.network = network.eval()
        self.device = device
        self._glossary = glossary

    @property
    def glossary(self) -> tuple[str, ...]:
        """The glosses that can be recognised."""
        return self._glossary

    def answer(self, clips: Sequence[np.ndarray], mode: str) -> list[list[Answer]]:
        """Ranks the whole glossary for each clip; see `Recognizer`."""
        return [list(ranking.answers) for ranking in self.rank(clips, len(self.glossary))]

    def rank(
        self, clips: Sequence[np.ndarray], top: int, *, temperature: float = 1.0, tolerance: float | None = None
    ) -> list[Ranking]:
        """Finds each clip's `top` best glosses; see `Recognizer`."""
        return [Ranking.of(self.glossary, scores, top, temperature) for scores in self.log_probs(clips)]

    def log_probs(self, clips: Sequence[np.ndarray]) -> np.ndarray:
        """Scores every gloss for every clip: float32 (B, G), normalised over the glossary; see `Recognizer`."""
        points, mask = padded(clips)
        with torch.inference_mode():
            scores: np.ndarray = self.network(points.to(self.device), mask.to(self.device)).cpu().numpy()
        return scores
