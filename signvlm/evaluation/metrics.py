"""The mathematics of an evaluation: pure functions from ranked answers to figures. No model, no files, no printing.

A ranking is a clip's answers, best first. A clip that could not be answered has an empty one, and so counts as wrong.
"""

import unicodedata
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array
from scipy.stats import binomtest
from sklearn.metrics import recall_score

LEVEL = 0.95
_CHUNK = 500  # resamples held at once: 500 x 2,000 classes are 8 MB

Ranking = Sequence[str]


class Interval(NamedTuple):
    """A confidence interval, as fractions, and in words how it was computed."""

    low: float
    high: float
    method: str


def normalise(text: str) -> str:
    """Returns a generated answer as it is compared: NFC, outer space stripped, inner space single, case folded."""
    return " ".join(unicodedata.normalize("NFC", text).casefold().split())


def canonical(answers: Iterable[str], glossary: Iterable[str]) -> list[str]:
    """Maps generated answers to the glossary's spelling and merges those that are then the same.

    Args:
        answers: Strings as generated, best first.
        glossary: The glosses that can be recognised.

    Returns:
        The answers, each at the place where it first occurred. One outside the glossary stays, normalised: it keeps its
        rank, because a user would have seen it there.
    """
    spelling = {normalise(gloss): gloss for gloss in glossary}
    return list(dict.fromkeys(spelling.get(text, text) for text in map(normalise, answers)))


def hits_at(rankings: Sequence[Ranking], truth: Sequence[str], k: int) -> NDArray[np.bool_]:
    """Returns bool (clips,): whether the true gloss is among a clip's first k answers."""
    return np.array([gloss in ranking[:k] for ranking, gloss in zip(rankings, truth, strict=True)], dtype=bool)


def per_instance(hits: ArrayLike) -> float:
    """Returns the fraction of clips that hit; raises ValueError without a clip."""
    hits = np.asarray(hits, dtype=bool)
    if hits.size == 0:
        raise ValueError("no clips, so no accuracy")
    return float(hits.mean())


def per_class(hits: ArrayLike, truth: Sequence[str]) -> float:
    """Returns the mean over classes of the fraction of a class's clips that hit (mean per-class recall).

    Only classes that have clips enter the mean; `without_clips` names the others. With the hits at k this is what the
    WLASL authors call per-class top-k. Raises ValueError without a clip.
    """
    hits = np.asarray(hits, dtype=bool)
    if hits.size == 0:
        raise ValueError("no clips, so no accuracy")
    classes, labels = np.unique(np.asarray(truth, dtype=object), return_inverse=True)
    # Only being right matters to a recall, so every wrong answer may share one label that no class has.
    answers = np.where(hits, labels, -1)
    return float(recall_score(labels, answers, labels=np.arange(len(classes)), average="macro"))


def without_clips(glossary: Iterable[str], truth: Iterable[str]) -> list[str]:
    """Returns the glosses that no clip shows, in the glossary's order; they are left out of per-class means."""
    shown = set(truth)
    return [gloss for gloss in glossary if gloss not in shown]


def ranks(rankings: Sequence[Ranking], truth: Sequence[str]) -> NDArray[np.int64]:
    """Returns int64 (clips,): the 1-based place of the true gloss, one past the end where the ranking lacks it."""
    return np.array(
        [
            ranking.index(gloss) + 1 if gloss in ranking else len(ranking) + 1
            for ranking, gloss in zip(rankings, truth, strict=True)
        ],
        dtype=np.int64,
    )


def mean_reciprocal_rank(rankings: Sequence[Ranking], truth: Sequence[str]) -> float:
    """Returns the mean of 1/rank, a ranking without the true gloss contributing 0; raises ValueError without a clip."""
    if not len(rankings):
        raise ValueError("no clips, so no rank")
    found = np.array([gloss in ranking for ranking, gloss in zip(rankings, truth, strict=True)])
    return float(np.where(found, 1.0 / ranks(rankings, truth), 0.0).mean())


def out_of_glossary(rankings: Sequence[Ranking], glossary: Iterable[str]) -> float:
    """Returns the share of all given answers that the glossary does not hold; 0 where nothing was answered."""
    known = set(glossary)
    answers = [answer for ranking in rankings for answer in ranking]
    return sum(answer not in known for answer in answers) / max(1, len(answers))


def interval(
    hits: ArrayLike,
    signers: Sequence[object],
    *,
    classes: Sequence[str] | None = None,
    samples: int = 1000,
    seed: int = 0,
) -> Interval:
    """Returns a 95 % interval of an accuracy: the percentile bootstrap that resamples whole signers.

    One signer's clips resemble each other, so they are drawn together (the cluster bootstrap; Field and Welsh, J. R.
    Stat. Soc. B 69(3), 2007). With few signers that interval can come out narrower than chance allows - two signers
    with the same score give no width at all - so it is widened to the one that resamples single clips wherever that
    one reaches further. With one signer only the latter is left. All right or all wrong leaves a bootstrap nothing to
    vary, and the exact binomial interval (Clopper and Pearson, 1934) takes over. Which one it was is said in `method`.

    Args:
        hits: bool (clips,).
        signers: Each clip's signer.
        classes: Each clip's class for the mean per-class accuracy, None for the per-instance one. A resample's mean is
            over the classes that it drew.
        samples: Resamples.
        seed: Seeds them; the same seed gives the same interval.

    Raises:
        ValueError: There is no clip.
    """
    right = np.asarray(hits, dtype=float)
    if right.size == 0:
        raise ValueError("no clips, so no interval")
    if right.min() == right.max():
        exact = binomtest(int(right.sum()), right.size).proportion_ci(LEVEL, method="exact")
        same = "right" if right[0] else "wrong"
        return Interval(float(exact.low), float(exact.high), f"exact binomial over clips, as every clip is {same}")

    column = (
        np.zeros(right.size, dtype=int)
        if classes is None
        else np.unique(np.asarray(classes, object), return_inverse=True)[1]
    )
    signer = np.unique([str(each) for each in signers], return_inverse=True)[1]
    groups = int(signer.max()) + 1
    low, high = _percentiles(right, np.arange(right.size), column, samples, seed)
    if groups == 1:
        return Interval(low, high, f"bootstrap, {samples} resamples of single clips, as there is one signer")
    clustered = _percentiles(right, signer, column, samples, seed)
    method = f"bootstrap, {samples} resamples of whole signers ({groups})"
    if low < clustered[0] or high > clustered[1]:
        method += ", widened to resamples of single clips"
    return Interval(min(low, clustered[0]), max(high, clustered[1]), method)


def _percentiles(
    right: NDArray[np.float64], unit: NDArray[np.int64], column: NDArray[np.int64], samples: int, seed: int
) -> tuple[float, float]:
    """Resamples units (signers or clips) and returns the ends of the interval of the mean over columns (classes).

    Args:
        right: (clips,) 1.0 or 0.0.
        unit: (clips,) the unit a clip is drawn with, 0..units-1.
        column: (clips,) the class it counts for, 0..classes-1.
        samples: Resamples.
        seed: Seeds them.
    """
    rng = np.random.default_rng(seed)
    shape = (int(unit.max()) + 1, int(column.max()) + 1)
    hits = csr_array((right, (unit, column)), shape=shape)
    clips = csr_array((np.ones_like(right), (unit, column)), shape=shape)
    means = []
    for start in range(0, samples, _CHUNK):
        rows = min(_CHUNK, samples - start)
        drawn = rng.integers(shape[0], size=(rows, shape[0])) + np.arange(rows)[:, None] * shape[0]
        times = np.bincount(drawn.ravel(), minlength=rows * shape[0]).reshape(rows, shape[0])
        total = times @ clips
        recall = np.divide(times @ hits, total, out=np.zeros(total.shape), where=total > 0)
        means.append(recall.sum(axis=1) / (total > 0).sum(axis=1))
    low, high = np.quantile(np.concatenate(means), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
