"""The seam: anything that ranks a glossary for a clip. Evaluation, prediction, serving and reports know only this."""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

RULED_OUT = -1e4  # what minus infinity counts as in a share, so that infinity / infinity never arises


class Answer(NamedTuple):
    """One answer of a recogniser to one clip.

    Attributes:
        gloss: The gloss; a free beam may answer a string that no glossary holds.
        log_prob: Natural logarithm of the answer's probability under the recogniser (sum over its tokens and the end
            token), not normalised over the glossary.
    """

    gloss: str
    log_prob: float


@dataclass(frozen=True)
class Ranking:
    """The best glosses for one clip, proven to be the best, and what is known of all the others.

    Attributes:
        answers: The best glosses, best first, with their exact log-probabilities.
        bound: No other gloss scores above this; minus infinity where there is no other.
        rest: Natural logarithms of the least and the greatest that all other glosses can sum to, each one's probability
            to the power of 1 / temperature; equal where every gloss was scored.
        temperature: What log-probabilities are divided by before they become shares; 1 where none was fitted.
    """

    answers: tuple[Answer, ...]
    bound: float
    rest: tuple[float, float]
    temperature: float = 1.0

    @classmethod
    def of(
        cls, glossary: Sequence[str], log_probs: Sequence[float] | np.ndarray, top: int, temperature: float = 1.0
    ) -> "Ranking":
        """Makes the ranking of a clip whose every gloss is scored; equal scores keep the glossary's order.

        Examples:
            >>> ranking = Ranking.of(["no", "book"], np.log([0.01, 0.03]), top=1)
            >>> ranking.answers[0].gloss, round(ranking.shares()[0][0], 2)
            ('book', 0.75)
        """
        scores = np.asarray(log_probs, dtype=np.float64)
        order = np.argsort(-scores, kind="stable")
        others = scores[order[top:]]
        total = log_sum(others / temperature)
        return cls(
            answers=tuple(Answer(glossary[i], float(scores[i])) for i in order[:top]),
            bound=float(others[0]) if len(others) else -math.inf,
            rest=(total, total),
            temperature=temperature,
        )

    def shares(self) -> list[tuple[float, float]]:
        """Returns each answer's share of the whole glossary's probability at this temperature: at least, at most."""
        scores = np.maximum([answer.log_prob for answer in self.answers], RULED_OUT) / self.temperature
        named = log_sum(scores)
        least, most = (np.logaddexp(named, rest) for rest in self.rest)
        return [(math.exp(score - most), math.exp(score - least)) for score in scores]


def log_sum(log_probs: np.ndarray) -> float:
    """Returns the logarithm of the sum of what these are the logarithms of; minus infinity of none."""
    with np.errstate(invalid="ignore"):  # NaN is what a diverged model gives, and its user is told elsewhere
        return float(np.logaddexp.reduce(log_probs, initial=-np.inf))


class Recognizer(Protocol):
    """What a family of models must offer.

    What a clip is, the family says; `signvlm.reader.Reader` makes it of files, arrays and manifest rows. To a
    vision-language model it is uint8 (T, H, W, 3) RGB, all of a batch with the same T, as preprocessing makes them; to
    a network over key points float32 (T, 64, 3), of any T.

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
            clips: As the family is shown them.
            mode: One of `modes`.

        Returns:
            A list of answers a clip, best first.
        """
        ...

    def rank(
        self, clips: Sequence[np.ndarray], top: int, *, temperature: float = 1.0, tolerance: float | None = None
    ) -> list[Ranking]:
        """Finds each clip's best glosses, the same that scoring the whole glossary finds; for predictions.

        Args:
            clips: As the family is shown them.
            top: How many, at least 1; the whole glossary where it is smaller.
            temperature: Of the rankings' shares.
            tolerance: How far apart the least and the greatest share of an answer may be; None where shares do not
                matter.

        Returns:
            A ranking a clip.
        """
        ...

    def log_probs(self, clips: Sequence[np.ndarray]) -> np.ndarray:
        """Scores every gloss for every clip; for calibration, fusion, and metrics over the whole glossary.

        Args:
            clips: As the family is shown them.

        Returns:
            float32 (B, G), in the glossary's order: `Answer.log_prob` of each gloss.
        """
        ...


class ScoringRecognizer(ABC):
    """A recogniser that scores the whole glossary at once, and nothing else: the rest of the seam follows from that.

    Attributes:
        glossary: The glosses that can be recognised.
        modes: `exact` alone.
    """

    modes: tuple[str, ...] = ("exact",)

    def __init__(self, glossary: Sequence[str]) -> None:
        """Args: glossary: The glosses that can be recognised."""
        self.glossary = tuple(glossary)

    @abstractmethod
    def log_probs(self, clips: Sequence[np.ndarray]) -> np.ndarray:
        """Scores every gloss for every clip: float32 (B, G), normalised over the glossary; see `Recognizer`."""

    def rank(
        self, clips: Sequence[np.ndarray], top: int, *, temperature: float = 1.0, tolerance: float | None = None
    ) -> list[Ranking]:
        """Finds each clip's `top` best glosses; see `Recognizer`."""
        return [Ranking.of(self.glossary, scores, top, temperature) for scores in self.log_probs(clips)]

    def answer(self, clips: Sequence[np.ndarray], mode: str) -> list[list[Answer]]:
        """Ranks the whole glossary for each clip; see `Recognizer`."""
        return [list(ranking.answers) for ranking in self.rank(clips, len(self.glossary))]
