"""Whether probabilities mean what they say: the temperature, the reliability curve and the expected calibration error.

Source: Guo et al., "On Calibration of Modern Neural Networks", ICML 2017 (temperature: 4.2; ECE and its bins: 2).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize_scalar
from sklearn.calibration import calibration_curve

from signvlm.calibration import log_shares
from signvlm.evaluation.answers import glosses_of, log_probs_of

BINS = 15
_HOTTEST = 100.0  # temperatures are sought from 1/100 to 100
_PEAK = 1e-6  # nats a clip: what the best temperature must gain on those at the ends


class UndeterminedError(ValueError):
    """The clips do not determine a temperature; says why."""


def fit_temperature(log_probs: ArrayLike, truth: ArrayLike) -> float:
    """Returns the temperature that makes the true glosses likeliest (least negative log-likelihood).

    Args:
        log_probs: float (clips, G) scores of every gloss.
        truth: int (clips,) the true glosses' columns.

    Raises:
        UndeterminedError: Every clip was right, and the surer the likelier; or none was, and no sureness would be true;
            or the likelihood has no peak between a hundredth and a hundred, as where scores and clips have nothing to
            do with each other.
        ValueError: There is no clip.
    """
    scores, labels = np.asarray(log_probs, dtype=np.float64), np.asarray(truth)
    if not labels.size:
        raise ValueError("no clips, so no temperature")
    right = int((scores.argmax(axis=1) == labels).sum())
    if right == labels.size:
        raise UndeterminedError("every clip was right, so the surer the likelier, without end")
    if not right:
        raise UndeterminedError("no clip was right, so there is no telling how sure to be")

    def loss(log_temperature: float) -> float:
        return negative_log_likelihood(scores, labels, np.exp(log_temperature))

    end = float(np.log(_HOTTEST))
    found = minimize_scalar(loss, bounds=(-end, end), method="bounded", options={"xatol": 1e-6})
    if not found.fun < min(loss(-end), loss(end)) - _PEAK:
        raise UndeterminedError(f"no temperature from {1 / _HOTTEST:g} to {_HOTTEST:g} is likelier than both ends")
    return float(np.exp(found.x))


def negative_log_likelihood(log_probs: ArrayLike, truth: ArrayLike, temperature: float = 1.0) -> float:
    """Returns the mean of -log of the true gloss's probability within the glossary, in nats."""
    labels = np.asarray(truth)
    return float(-log_shares(log_probs, temperature)[np.arange(labels.size), labels].mean())


def reliability(log_probs: ArrayLike, truth: ArrayLike, temperature: float = 1.0) -> dict[str, Any]:
    """Compares how sure the first answer was with how often it was right.

    Args:
        log_probs: float (clips, G) scores of every gloss.
        truth: int (clips,) the true glosses' columns; -1 for a gloss that cannot be answered.
        temperature: What the scores are divided by.

    Returns:
        `ece`, the expected calibration error over bins of equal width; `nll` in nats over the glosses that can be
        answered (None without one); `bins`, those that hold clips: {confidence, accuracy, clips}.
    """
    labels = np.asarray(truth)
    shares = np.exp(log_shares(log_probs, temperature))
    confidence = np.minimum(shares.max(axis=1), 1.0)
    right = shares.argmax(axis=1) == labels
    accuracy, mean = calibration_curve(right, confidence, pos_label=True, n_bins=BINS, strategy="uniform")
    inner = np.linspace(0, 1, BINS + 1)[1:-1]
    clips = np.bincount(np.searchsorted(inner, confidence), minlength=BINS)
    clips = clips[clips > 0]
    known = labels >= 0
    return {
        "ece": float((clips * np.abs(accuracy - mean)).sum() / labels.size),
        "nll": negative_log_likelihood(np.asarray(log_probs)[known], labels[known], temperature)
        if known.any()
        else None,
        "bins": [
            {"confidence": float(sure), "accuracy": float(share), "clips": int(count)}
            for sure, share, count in zip(mean, accuracy, clips, strict=True)
        ],
    }


def scores_of(clips: Sequence[Mapping[str, Any]], glossary: Sequence[str]) -> tuple[NDArray[np.float64], NDArray]:
    """Returns the `exact` answers of the clips that have any as scores (clips, G), and the true glosses' columns.

    A gloss outside the glossary has column -1; a score of null is minus infinity.
    """
    place = {gloss: index for index, gloss in enumerate(glossary)}
    answered = [clip for clip in clips if clip["exact"]]
    scores = np.full((len(answered), len(glossary)), -np.inf)
    for row, clip in zip(scores, answered, strict=True):
        row[[place[gloss] for gloss in glosses_of(clip["exact"])]] = log_probs_of(clip["exact"])
    return scores, np.array([place.get(clip["gloss"], -1) for clip in answered], dtype=np.int64)
