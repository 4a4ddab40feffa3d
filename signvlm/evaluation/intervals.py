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


class Bootstrap(NamedTuple):
    """A figure's interval, and the figure of each resample, float64 (samples,): of single clips, of whole signers.

    The latter is None where there is but one signer, or none is named.
    """

    interval: Interval
    single: NDArray[np.float64]
    clustered: NDArray[np.float64] | None


class Sums(NamedTuple):
    """A figure as a mean over classes of ratios of sums, each (clips,): what a clip adds to its classes' sums.

    Attributes:
        top: [(class of each clip, what it adds above the line), ...]; class -1 adds nothing.
        bottom: The same below the line.
        present: (clips,) the class that a clip brings into the mean.
        alone: (clips,) what the figure would be of each clip alone, `least` to 1.
        least: The least that it can be: 0, or -1 of a difference.
    """

    top: list[tuple[NDArray[np.int64], NDArray[np.float64]]]
    bottom: list[tuple[NDArray[np.int64], NDArray[np.float64]]]
    present: NDArray[np.int64]
    alone: NDArray[np.float64]
    least: float = 0.0


def mean_of(values: ArrayLike, classes: Sequence[object] | None = None, *, least: float = 0.0) -> Sums:
    """Returns the mean of (clips,) values, `least` to 1, or with `classes` the mean over classes of each one's mean."""
    added = np.asarray(values, dtype=np.float64)
    labels = (
        np.zeros(added.size, dtype=np.int64)
        if classes is None
        else np.unique(np.asarray(classes, dtype=object), return_inverse=True)[1]
    )
    return Sums([(labels, added)], [(labels, np.ones_like(added))], labels, added, least)


def ratio_of(above: ArrayLike, below: ArrayLike) -> Sums:
    """Returns one sum over another: of what each clip adds (clips,), e.g. choices that were right of its choices."""
    over, under = np.asarray(above, dtype=np.float64), np.asarray(below, dtype=np.float64)
    labels = np.zeros(over.size, dtype=np.int64)
    return Sums([(labels, over)], [(labels, under)], labels, over / under)


def macro_f1_of(truth: ArrayLike, answers: ArrayLike) -> Sums:
    """Returns macro-F1, 2 TP / (true + answered) of each class that has clips, of int (clips,) classes."""
    shown, labels = np.unique(np.asarray(truth), return_inverse=True)
    place = {int(label): index for index, label in enumerate(shown)}
    answered = np.array([place.get(int(answer), -1) for answer in np.asarray(answers)], dtype=np.int64)
    ones, right = np.ones(labels.size), (labels == answered).astype(np.float64)
    return Sums([(labels, 2.0 * right)], [(labels, ones), (answered, ones)], labels, right)


def value_of(figure: Sums) -> float:
    """Returns the figure itself."""
    return float(_resample(figure, np.zeros(figure.present.size, dtype=np.int64), samples=1, seed=0)[0])


def interval(figure: Sums, signers: Sequence[object], *, samples: int = 1000, seed: int = 0) -> Interval:
    """Returns a 95 % interval of a figure, which holds the figure: see `bootstrap`."""
    return bootstrap(figure, signers, samples=samples, seed=seed).interval


def bootstrap(figure: Sums, signers: Sequence[object], *, samples: int, seed: int) -> Bootstrap:
    """Resamples whole signers for a 95 % percentile interval of a figure.

    One signer's clips resemble each other, so they are drawn together (the cluster bootstrap; Field and Welsh, J. R.
    Stat. Soc. B 69(3), 2007); a clip whose signer nobody named is drawn by itself. With few signers that interval can
    come out narrower than chance allows - two signers with the same score give no width at all - so it is widened to
    the one that resamples single clips wherever that one reaches further. With one signer only the latter is left.
    Where every clip counts the same there is nothing to vary, and exact binomial bounds take over. Which one it was is
    said in `method`. A mean over classes of which some have few clips is biased under resampling; where that would
    leave the figure outside, the end is the figure.

    Args:
        figure: What is measured.
        signers: Each clip's signer, "" where nobody named one.
        samples: Resamples.
        seed: Seeds them; the same seed gives the same interval.

    Raises:
        ValueError: There is no clip.
    """
    if figure.present.size == 0:
        raise ValueError("no clips, so no interval")
    if figure.alone.min() == figure.alone.max():
        return Bootstrap(_exact(figure), np.full(samples, figure.alone[0]), None)
    value = value_of(figure)
    unit, people, unnamed = _units(signers)
    single = _resample(figure, np.arange(unit.size), samples, seed)
    low, high = _ends(single)
    if not people or unit.max() == 0:
        why = "there is one signer" if people else "no clip names its signer"
        method = f"bootstrap, {samples} resamples of single clips, as {why}"
        return Bootstrap(Interval(min(low, value), max(high, value), method), single, None)
    clustered = _resample(figure, unit, samples, seed)
    narrow = _ends(clustered)
    method = f"bootstrap, {samples} resamples of whole signers ({people})"
    if unnamed:
        method += f" and of single clips that name none ({unnamed})"
    if low < narrow[0] or high > narrow[1]:
        method += ", widened to resamples of single clips"
    return Bootstrap(Interval(min(low, narrow[0], value), max(high, narrow[1], value), method), single, clustered)


def _units(signers: Sequence[object]) -> tuple[NDArray[np.int64], int, int]:
    """Returns int64 (clips,) which clips are drawn together, how many signers are named, and how many clips name none.

    Clips whose signer nobody named may be anybody's: each is a unit of its own.
    """
    names = np.array([str(each) for each in signers])
    unnamed = names == ""
    unit = np.unique(names, return_inverse=True)[1]
    unit[unnamed] = names.size + np.arange(unnamed.sum())
    return np.unique(unit, return_inverse=True)[1], len({*names[~unnamed].tolist()}), int(unnamed.sum())


def _exact(figure: Sums) -> Interval:
    """Bounds a figure of which every clip alone is the same c, by the exact interval of Clopper and Pearson (1934).

    Of all n clips n count c, so of what they were drawn from at least a share s counts c or more, and at least s counts
    c or less: the rest may count as little, or as much, as a clip can.
    """
    clips, alike = figure.alone.size, float(figure.alone[0])
    sure = float(binomtest(clips, clips).proportion_ci(LEVEL, method="exact").low)
    how = {(1.0, 0.0): "is right", (0.0, 0.0): "is wrong"}.get((alike, figure.least), "counts the same")
    return Interval(
        figure.least + sure * (alike - figure.least),
        alike + (1 - sure) * (1 - alike),
        f"exact binomial over clips, as every clip {how}",
    )


def _ends(figures: NDArray[np.float64]) -> tuple[float, float]:
    low, high = np.quantile(figures, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def _resample(figure: Sums, unit: NDArray[np.int64], samples: int, seed: int) -> NDArray[np.float64]:
    """Draws units (signers or clips, 0..units-1 a clip) with replacement; a figure's mean is over the classes drawn.

    Returns:
        float64 (samples,) the figure of each draw. Of a single unit that is the figure itself.
    """
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
