"""A clip's answers: as the results file holds them, and, of a whole glossary, as two arrays that stand for that.

Beams answer with a list of glosses, `exact` with the whole glossary, [{gloss, log_prob}, ...], best first, null where
the model rules a gloss out (JSON has no infinity).
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from math import isfinite
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray


class ExactAnswers(Sequence[dict[str, Any]]):
    """`exact` answers that are expanded as they are read: 2,000 dicts take 400 kB a clip, these arrays 24.

    Attributes:
        glossary: The glosses, shared by all clips.
        order: int32 (G,) their columns, best first.
        log_probs: float64 (G,) their natural log-probabilities, best first; minus infinity where one is ruled out.
    """

    __slots__ = ("glossary", "log_probs", "order")

    def __init__(self, glossary: Sequence[str], order: NDArray[np.int32], log_probs: NDArray[np.float64]) -> None:
        self.glossary = glossary
        self.order = order
        self.log_probs = log_probs

    @classmethod
    def of_scores(cls, glossary: Sequence[str], scores: NDArray[Any]) -> "ExactAnswers":
        """Ranks scores (G,) in the glossary's order; of equal ones the first stays first. Kept to six decimals."""
        order = np.argsort(-scores, kind="stable")
        best_first = scores[order].astype(np.float64)
        kept = np.where(np.isfinite(best_first), np.round(best_first, 6), -np.inf)
        return cls(glossary, order.astype(np.int32), kept)

    @classmethod
    def of_json(cls, glossary: Sequence[str], places: Mapping[str, int], answers: Sequence[Any]) -> "ExactAnswers":
        """Reads [{gloss, log_prob}, ...]; `places` are the glosses' columns.

        Raises:
            KeyError: A gloss that is not of the glossary, or an answer that lacks something.
            TypeError, ValueError: Anything else.
        """
        order = np.array([places[answer["gloss"]] for answer in answers], dtype=np.int32)
        return cls(glossary, order, log_probs_of(answers))

    def glosses(self) -> list[str]:
        """Returns the glosses, best first."""
        return [self.glossary[column] for column in self.order.tolist()]

    def __len__(self) -> int:
        return self.order.size

    @overload
    def __getitem__(self, index: int) -> dict[str, Any]: ...
    @overload
    def __getitem__(self, index: slice) -> list[dict[str, Any]]: ...
    def __getitem__(self, index: int | slice) -> dict[str, Any] | list[dict[str, Any]]:
        if isinstance(index, slice):
            return [self[place] for place in range(*index.indices(len(self)))]
        return _answer(self.glossary[self.order[index]], float(self.log_probs[index]))

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return map(_answer, self.glosses(), self.log_probs.tolist())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ExactAnswers | list) and list(self) == list(other)

    def __repr__(self) -> str:
        return f"ExactAnswers({list(self)})"


def _answer(gloss: str, log_prob: float) -> dict[str, Any]:
    return {"gloss": gloss, "log_prob": log_prob if isfinite(log_prob) else None}


def glosses_of(answers: Sequence[Any]) -> list[str]:
    """Returns a clip's answers as glosses, best first; `exact` ones come as {gloss, log_prob}."""
    if isinstance(answers, ExactAnswers):
        return answers.glosses()
    return [answer["gloss"] if isinstance(answer, Mapping) else answer for answer in answers]


def log_probs_of(answers: Sequence[Any]) -> NDArray[np.float64]:
    """Returns float64 (answers,): the log-probabilities of `exact` answers, minus infinity for null."""
    if isinstance(answers, ExactAnswers):
        return answers.log_probs
    scores = (answer["log_prob"] for answer in answers)
    return np.array([-np.inf if score is None else float(score) for score in scores], dtype=np.float64)


def scored(answers: Sequence[Any]) -> bool:
    """Returns whether answers come with their log-probabilities."""
    return bool(answers) and isinstance(answers[0], Mapping)


def to_json(record: Mapping[str, Any]) -> str:
    """Returns a clip's record as a line of JSON, its answers expanded; raises ValueError for NaN and infinities."""
    return json.dumps(record, ensure_ascii=False, allow_nan=False, default=_expanded)


def _expanded(value: object) -> list[dict[str, Any]]:
    if isinstance(value, ExactAnswers):
        return list(value)
    raise TypeError(f"{type(value).__name__} is no JSON")
