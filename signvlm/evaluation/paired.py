"""Whether one run is better than another on the same clips: exact McNemar, and the paired bootstrap over signers."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import binomtest

from signvlm.evaluation.intervals import Interval, interval, mean_of, resampled


@dataclass(frozen=True, slots=True)
class Paired:
    """How two runs differ on the same clips.

    Attributes:
        difference: The second run's accuracy minus the first's.
        interval: Its 95 % interval, by the paired bootstrap over whole signers.
        p_bootstrap: Two-sided p-value of no difference by that bootstrap.
        first_only: Clips that only the first run got right.
        second_only: Clips that only the second run got right.
        p_mcnemar: Two-sided p-value of the exact McNemar test, which takes clips as independent of each other.
    """

    difference: float
    interval: Interval
    p_bootstrap: float
    first_only: int
    second_only: int
    p_mcnemar: float


def paired(
    first: ArrayLike,
    second: ArrayLike,
    signers: Sequence[object],
    *,
    classes: Sequence[object] | None = None,
    samples: int = 2000,
    seed: int = 0,
) -> Paired:
    """Compares two runs' hits on the same clips.

    Args:
        first: bool (clips,) whether the first run was right.
        second: bool (clips,) whether the second run was.
        signers: Each clip's signer.
        classes: Each clip's gloss, for the mean per-class accuracy instead of the per-instance one. McNemar's test is
            of the clips, either way.
        samples: Resamples.
        seed: Seeds them.

    Raises:
        ValueError: There is no clip.
    """
    one, two = np.asarray(first, dtype=bool), np.asarray(second, dtype=bool)
    figure = mean_of(two.astype(float) - one.astype(float), classes)
    ends = interval(figure, signers, samples=samples, seed=seed)
    single, clustered = resampled(figure, signers, samples, seed)
    labels = figure.present
    means = np.bincount(labels, weights=figure.top[0][1]) / np.bincount(labels)
    first_only, second_only = int((one & ~two).sum()), int((two & ~one).sum())
    return Paired(
        difference=float(means.mean()),
        interval=ends,
        # As the interval, the wider of the two: with few signers the clustered one alone would promise too much.
        p_bootstrap=max(_two_sided(each) for each in (single, clustered) if each is not None),
        first_only=first_only,
        second_only=second_only,
        p_mcnemar=mcnemar(first_only, second_only),
    )


def mcnemar(first_only: int, second_only: int) -> float:
    """Returns the two-sided p-value of the exact McNemar test (McNemar, Psychometrika 12(2), 1947; binomial form).

    Args:
        first_only: Clips that only the first run got right.
        second_only: Clips that only the second run got right.
    """
    differing = first_only + second_only
    return float(binomtest(first_only, differing, 0.5).pvalue) if differing else 1.0


def holm(p_values: Sequence[float]) -> list[float]:
    """Returns p-values adjusted for there being several tests (Holm, Scand. J. Statist. 6(2), 1979)."""
    order = np.argsort(p_values, kind="stable")
    tests = len(p_values)
    raised = [p_values[index] * (tests - place) for place, index in enumerate(order)]
    adjusted = np.empty(tests)
    adjusted[order] = np.minimum(np.maximum.accumulate(raised), 1.0) if tests else []
    return [float(each) for each in adjusted]


def _two_sided(differences: np.ndarray) -> float:
    """The share of resamples on the other side of zero, doubled; the +1 keeps it from ever being 0."""
    beyond = min(int((differences <= 0).sum()), int((differences >= 0).sum()))
    return min(1.0, 2 * (beyond + 1) / (differences.size + 1))
