"""The mathematics of an evaluation: pure functions from ranked answers to figures. No model, no files, no printing.

A ranking is a clip's answers, best first. A clip that could not be answered has an empty one, and so counts as wrong.
"""

import unicodedata
from collections.abc import Collection, Iterable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import accuracy_score, f1_score, label_ranking_average_precision_score, recall_score

Ranking = Sequence[str]
NOBODY = -1  # the class of an answer that no class of the clips is


def normalise(text: str) -> str:
    """Returns a generated answer as it is compared: NFC, outer space stripped, inner space single, case folded."""
    return " ".join(unicodedata.normalize("NFC", text).casefold().split())


def canonical(answers: Iterable[str], glossary: Sequence[str]) -> list[str]:
    """Maps generated answers to the glossary's spelling and merges those that are then the same.

    Args:
        answers: Strings as generated, best first.
        glossary: The glosses that can be recognised.

    Returns:
        The answers, each at the place where it first occurred. One outside the glossary stays, normalised: it keeps its
        rank, because a user would have seen it there. Of glosses that differ only in case, as `May` and `may`, an
        answer is the one that is written like it, and the first where none is.
    """
    spelling = {normalise(gloss): gloss for gloss in reversed(glossary)}
    as_they_stand = set(glossary)

    def spelled(text: str) -> str:
        if text.strip() in as_they_stand:
            return text.strip()
        return spelling.get(normalise(text), normalise(text))

    return list(dict.fromkeys(map(spelled, answers)))


def places(rankings: Sequence[Ranking], accepted: Sequence[Collection[str]]) -> NDArray[np.int64]:
    """Returns int64 (clips,): the 1-based place of the first accepted answer, 0 where there is none.

    Args:
        rankings: Each clip's answers, best first.
        accepted: The glosses that count as right for each clip; one, where no synonyms are granted.
    """
    return np.array(
        [
            next((place for place, answer in enumerate(ranking, 1) if answer in right), 0)
            for ranking, right in zip(rankings, accepted, strict=True)
        ],
        dtype=np.int64,
    )


def hits(places: ArrayLike, k: int) -> NDArray[np.bool_]:
    """Returns bool (clips,): whether an accepted answer is among a clip's first k."""
    places = np.asarray(places)
    return (places >= 1) & (places <= k)


def per_instance(hits: ArrayLike) -> float:
    """Returns the fraction of clips that hit; raises ValueError without a clip.

    With the hits at k this is scikit-learn's top_k_accuracy_score, which wants a score of every class for every clip: a
    beam gives none, and a clip that could not be read has none.
    """
    right = _some(np.asarray(hits, dtype=bool))
    return float(accuracy_score(np.ones_like(right), right))


def per_class(hits: ArrayLike, truth: Sequence[object] | NDArray[np.int64]) -> float:
    """Returns the mean over classes of the fraction of a class's clips that hit (mean per-class recall).

    Only classes that have clips enter the mean; `without_clips` names the others. With the hits at k this is what the
    WLASL authors call per-class top-k. Raises ValueError without a clip.
    """
    right = _some(np.asarray(hits, dtype=bool))
    classes, labels = np.unique(np.asarray(truth, dtype=object), return_inverse=True)
    # Only being right matters to a recall, so every wrong answer may share one label that no class has.
    answers = np.where(right, labels, NOBODY)
    return float(recall_score(labels, answers, labels=np.arange(len(classes)), average="macro"))


def macro_f1(truth: ArrayLike, answers: ArrayLike) -> float:
    """Returns the mean F1 of the classes that have clips; raises ValueError without a clip.

    Args:
        truth: int (clips,) the true classes.
        answers: int (clips,) the classes answered first, `NOBODY` for none.
    """
    labels = _some(np.asarray(truth, dtype=np.int64))
    return float(f1_score(labels, np.asarray(answers), labels=np.unique(labels), average="macro", zero_division=0))


def reciprocal(places: ArrayLike) -> NDArray[np.float64]:
    """Returns float64 (clips,): 1/place, and 0 where no answer was accepted; for intervals of their mean, the MRR."""
    found = np.asarray(places, dtype=np.float64)
    return np.divide(1.0, found, out=np.zeros_like(found), where=found > 0)


def mean_reciprocal_rank(places: ArrayLike) -> float:
    """Returns the MRR, to which a clip without an accepted answer adds 0; raises ValueError without a clip.

    The label ranking average precision of one relevant label is the reciprocal of its place.
    """
    everyone = _some(np.asarray(places, dtype=np.int64))
    found = everyone[everyone > 0]
    if not found.size:
        return 0.0
    ranks = np.arange(1, found.max() + 1)
    precision = label_ranking_average_precision_score(ranks == found[:, None], np.tile(-ranks, (found.size, 1)))
    return float(precision) * found.size / everyone.size


def mean_rank(places: ArrayLike) -> float | None:
    """Returns the mean place of the clips that have one; None where none has."""
    found = np.asarray(places)
    found = found[found > 0]
    return float(found.mean()) if found.size else None


def without_clips(glossary: Iterable[str], truth: Iterable[str]) -> list[str]:
    """Returns the glosses that no clip shows, in the glossary's order; they are left out of per-class means."""
    shown = set(truth)
    return [gloss for gloss in glossary if gloss not in shown]


def out_of_glossary(rankings: Sequence[Ranking], glossary: Iterable[str]) -> float:
    """Returns the share of all given answers that the glossary does not hold; 0 where nothing was answered."""
    known = set(glossary)
    answers = [answer for ranking in rankings for answer in ranking]
    return sum(answer not in known for answer in answers) / max(1, len(answers))


def _some(values: NDArray) -> NDArray:
    if values.size == 0:
        raise ValueError("no clips, so no figure")
    return values
