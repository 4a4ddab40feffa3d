"""Whether one run is better than another on the same clips: exact McNemar, and the paired bootstrap over signers."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import binomtest

from signvlm.evaluation.intervals import Interval, bootstrap, mean_of, value_of


@dataclass(frozen=True, slots=True)
class Paired:
    """How two runs differ on the same clips.

    Attributes:
        difference: The second run's accuracy minus the first's.
        interval: Its 95 % interval, by the paired bootstrap over whole signers.
        p: Two-sided p-value of no difference: the largest of that bootstrap's, of the one over single clips and of
            McNemar's, since each of them promises too much somewhere.
        first_only: Clips that only the first run got right.
        second_only: Clips that only the second run got right.
        p_mcnemar: Two-sided p-value of the exact McNemar test, which takes clips as independent of each other.
    """

    difference: float
    interval: Interval
    p: float
    first_only: int
    second_only: int
    p_mcnemar: float


def paired(
    first: ArrayLike,
    second: ArrayLike,
    signers: Sequence[object],
    *,
    samples: int = 2000,
    seed: int = 0,
) -> Paired:
    """Compares two runs' hits on the same clips.

    Args:
        first: bool (clips,) whether the first run was right.
        second: bool (clips,) whether the second run was.
        signers: Each clip's signer, "" where nobody named one.
        samples: Resamples.
        seed: Seeds them.

    Raises:
        ValueError: There is no clip.
    """
    one, two = np.asarray(first, dtype=bool), np.asarray(second, dtype=bool)
    figure = mean_of(two.astype(float) - one.astype(float), least=-1.0)
    found = bootstrap(figure, signers, samples=samples, seed=seed)
    first_only, second_only = int((one & ~two).sum()), int((two & ~one).sum())
    p_mcnemar = mcnemar(first_only, second_only)
    by_bootstrap = (_two_sided(each) for each in (found.single, found.clustered) if each is not None)
    return Paired(
        difference=value_of(figure),
        interval=found.interval,
        # Few signers leave the clustered bootstrap too little to vary, and few clips that differ either one: a handful
        # that all differ the same way never come out the other way, however often they are drawn.
        p=max(p_mcnemar, *by_bootstrap),
        first_only=first_only,
        second_only=second_only,
        p_mcnemar=p_mcnemar,
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
