"""The seam: anything that ranks a glossary for a clip. Evaluation, prediction, serving and reports know only this."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np


class Answer(NamedTuple):
    """One answer of a recogniser to one clip.

    Attributes:
        gloss: The gloss; a free beam may answer a string that no glossary holds.
        log_prob: Natural logarithm of the answer's probability under the recogniser (sum over its tokens and the end
            token), not normalised over the glossary.
    """

    gloss: str
    log_prob: float


class Recognizer(Protocol):
    """What a family of models must offer.

    Attributes:
        glossary: The glosses that can be recognised.
        modes: The ways of answering: `exact` (the whole glossary, ranked), and for generative models `beam` (free)
            and `beam_constrained` (inside the glossary).
    """

    @property
    def glossary(self) -> tuple[str, ...]:
        """The glosses that can be recognised."""
        ...

    @property
    def modes(self) -> tuple[str, ...]:
        """The ways of answering."""
        ...

    def answer(self, clips: Sequence[np.ndarray], mode: str) -> list[list[Answer]]:
        """Answers a batch of clips.

        Args:
            clips: uint8 (T, H, W, 3) RGB arrays, all with the same T, as preprocessing makes them.
            mode: One of `modes`.

        Returns:
            A list of answers a clip, best first.
        """
        ...
