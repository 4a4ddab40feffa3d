"""95 % intervals that know that one person's clips resemble each other: the bootstrap over whole signers."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array
from scipy.stats import binomtest

LEVEL = 0.95
_CHUNK = 500  # resamples held at once: 500 x 2,000 classes are 8 MB


class Interval(NamedTuple):
    """A confidence interval, as fractions, and in words how it was computed."""

    low: float
    high: float
    method: str


class Sums(NamedTuple):
    """A figure as a mean over classes of ratios of sums, each (clips,): what a clip adds to its classes' sums.

    Attributes:
        top: [(class of each clip, what it adds above the line), ...]; class -1 adds nothing.
        bottom: The same below the line.
        present: (clips,) the class that a clip brings into the mean.
    """

    top: list[tuple[NDArray[np.int64], NDArray[np.float64]]]
    bottom: list[tuple[NDArray[np.int64], NDArray[np.float64]]]
    present: NDArray[np.int64]


def mean_of(values: ArrayLike, classes: Sequence[object] | None = None) -> Sums:
    """Returns the mean of (clips,) values, or with `classes` the mean over classes of each one's mean."""
    added = np.asarray(values, dtype=np.float64)
    labels = (
        np.zeros(added.size, dtype=np.int64)
        if classes is None
        else np.unique(np.asarray(classes, dtype=object), return_inverse=True)[1]
    )
    return Sums([(labels, added)], [(labels, np.ones_like(added))], labels)


def macro_f1_of(truth: ArrayLike, answers: ArrayLike) -> Sums:
    """Returns macro-F1, 2 TP / (true + answered) of each class that has clips, of int (clips,) classes."""
    shown, labels = np.unique(np.asarray(truth), return_inverse=True)
    place = {int(label): index for index, label in enumerate(shown)}
    answered = np.array([place.get(int(answer), -1) for answer in np.asarray(answers)], dtype=np.int64)
    ones = np.ones(labels.size)
    return Sums([(labels, 2.0 * (labels == answered))], [(labels, ones), (answered, ones)], labels)


def interval(
    figure: Sums, signers: Sequence[object], *, hits: ArrayLike | None = None, samples: int = 1000, seed: int = 0
) -> Interval:
    """Returns a 95 % interval of a figure: the percentile bootstrap that resamples whole signers.

    One signer's clips resemble each other, so they are drawn together (the cluster bootstrap; Field and Welsh, J. R.
    Stat. Soc. B 69(3), 2007). With few signers that interval can come out narrower than chance allows - two signers
    with the same score give no width at all - so it is widened to the one that resamples single clips wherever that
    one reaches further. With one signer only the latter is left. All right or all wrong leaves a bootstrap nothing to
    vary, and the exact binomial interval (Clopper and Pearson, 1934) takes over. Which one it was is said in `method`.

    Args:
        figure: What is measured.
        signers: Each clip's signer.
        hits: bool (clips,) whether each clip was right, where the figure is 0 or 1 when all or none are.
        samples: Resamples.
        seed: Seeds them; the same seed gives the same interval.

    Raises:
        ValueError: There is no clip.
    """
    if figure.present.size == 0:
        raise ValueError("no clips, so no interval")
    right = None if hits is None else np.asarray(hits, dtype=bool)
    if right is not None and right.min() == right.max():
        exact = binomtest(int(right.sum()), right.size).proportion_ci(LEVEL, method="exact")
        same = "right" if right[0] else "wrong"
        return Interval(float(exact.low), float(exact.high), f"exact binomial over clips, as every clip is {same}")
    single, clustered = resampled(figure, signers, samples, seed)
    low, high = _ends(single)
    if clustered is None:
        return Interval(low, high, f"bootstrap, {samples} resamples of single clips, as there is one signer")
    narrow = _ends(clustered)
    method = f"bootstrap, {samples} resamples of whole signers ({len({str(each) for each in signers})})"
    if low < narrow[0] or high > narrow[1]:
        method += ", widened to resamples of single clips"
    return Interval(min(low, narrow[0]), max(high, narrow[1]), method)


def resampled(
    figure: Sums, signers: Sequence[object], samples: int, seed: int
) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
    """Returns the figure of each resample, float64 (samples,): of single clips, and of whole signers.

    The latter is None where all clips are one signer's.
    """
    signer = np.unique([str(each) for each in signers], return_inverse=True)[1]
    single = _resample(figure, np.arange(signer.size), samples, seed)
    return single, _resample(figure, signer, samples, seed) if signer.max() > 0 else None


def _ends(figures: NDArray[np.float64]) -> tuple[float, float]:
    low, high = np.quantile(figures, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def _resample(figure: Sums, unit: NDArray[np.int64], samples: int, seed: int) -> NDArray[np.float64]:
    """Draws units (signers or clips, 0..units-1 a clip) with replacement; a figure's mean is over the classes drawn."""
    rng = np.random.default_rng(seed)
    shape = (int(unit.max()) + 1, int(figure.present.max()) + 1)
    top, bottom = (_by_unit(parts, unit, shape) for parts in (figure.top, figure.bottom))
    present = _by_unit([(figure.present, np.ones(unit.size))], unit, shape)
    found = []
    for start in range(0, samples, _CHUNK):
        rows = min(_CHUNK, samples - start)
        drawn = rng.integers(shape[0], size=(rows, shape[0])) + np.arange(rows)[:, None] * shape[0]
        times = np.bincount(drawn.ravel(), minlength=rows * shape[0]).reshape(rows, shape[0]).astype(np.float64)
        here = times @ present > 0
        below = times @ bottom
        ratio = np.divide(times @ top, below, out=np.zeros(below.shape), where=here & (below > 0))
        found.append(ratio.sum(axis=1) / here.sum(axis=1))
    return np.concatenate(found)


def _by_unit(
    parts: list[tuple[NDArray[np.int64], NDArray[np.float64]]], unit: NDArray[np.int64], shape: tuple[int, int]
) -> csr_array:
    total = csr_array(shape, dtype=np.float64)
    for column, added in parts:
        counts = column >= 0
        total = total + csr_array((added[counts], (unit[counts], column[counts])), shape=shape)
    return total
