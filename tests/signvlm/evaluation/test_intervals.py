import numpy as np
import pytest
from scipy.stats import binomtest, bootstrap

from signvlm.evaluation import accuracy
from signvlm.evaluation.intervals import interval, macro_f1_of, mean_of


def clustered(seed: int, signers: int = 30) -> tuple[np.ndarray, np.ndarray]:
    """Hits that depend strongly on the signer, so that clips of a signer are no independent evidence."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(8, 20, size=signers)
    who = np.repeat(np.arange(signers), sizes)
    return rng.random(len(who)) < np.repeat(rng.uniform(0.1, 0.9, signers), sizes), who


def of(hits, signers, classes=None, **drawn):
    return interval(mean_of(hits, classes), signers, hits=hits, **drawn)


def test_the_interval_is_scipys_bootstrap_over_signers():
    hits, signers = clustered(seed=0)
    right = np.bincount(signers, weights=hits)
    clips = np.bincount(signers)
    expected = bootstrap(
        (right, clips),
        lambda right, clips, axis: right.sum(axis) / clips.sum(axis),
        paired=True,
        method="percentile",
        n_resamples=20_000,
    ).confidence_interval
    found = of(hits, signers, samples=20_000, seed=1)
    assert (found.low, found.high) == pytest.approx(tuple(expected), abs=0.006)
    assert found.method == "bootstrap, 20000 resamples of whole signers (30)"


def test_signers_make_the_interval_wider_than_clips_alone_would():
    hits, signers = clustered(seed=0)
    whole, single = of(hits, signers), of(hits, np.zeros_like(signers))
    assert whole.high - whole.low > 1.5 * (single.high - single.low)


def test_one_signer_falls_back_to_clips_and_says_so():
    found = of([True, True, False, True] * 10, ["only"] * 40)
    assert 0.55 < found.low < 0.75 < found.high < 0.9
    assert "single clips, as there is one signer" in found.method


def test_two_equal_signers_do_not_make_an_interval_of_no_width():
    found = of([True, False, True, True] * 2, ["a"] * 4 + ["b"] * 4)
    assert found.low < 0.6
    assert found.high > 0.9
    assert "widened" in found.method


@pytest.mark.parametrize("right", [True, False])
def test_all_right_or_all_wrong_gets_the_exact_binomial_interval(right):
    found = of([right] * 24, list("ab") * 12)
    assert found[:2] == pytest.approx(tuple(binomtest(24 * right, 24).proportion_ci(0.95, "exact")))
    assert "exact binomial" in found.method


def test_the_same_seed_gives_the_same_interval():
    hits, signers = clustered(seed=2)
    assert of(hits, signers, seed=4) == of(hits, signers, seed=4)
    assert of(hits, signers, seed=4) != of(hits, signers, seed=5)


def test_the_per_class_interval_surrounds_the_per_class_mean_without_nan():
    hits, signers = clustered(seed=6)
    classes = [f"gloss {index % 12}" for index in range(len(hits))]
    found = of(hits, signers, classes)
    assert 0 < found.low < accuracy.per_class(hits, classes) < found.high < 1


def test_the_macro_f1_interval_is_scipys_bootstrap_of_scikit_learns_figure():
    rng = np.random.default_rng(1)
    truth = np.repeat(np.arange(4), 30)
    answers = np.where(rng.random(120) < 0.7, truth, rng.integers(-1, 6, 120))
    expected = bootstrap(
        (truth, answers),
        accuracy.macro_f1,
        paired=True,
        vectorized=False,
        method="percentile",
        n_resamples=400,
        rng=np.random.default_rng(0),
    ).confidence_interval
    found = interval(macro_f1_of(truth, answers), ["one"] * 120, hits=truth == answers, samples=4000)
    assert (found.low, found.high) == pytest.approx(tuple(expected), abs=0.02)


def test_no_clip_is_an_error_never_nan():
    with pytest.raises(ValueError, match="no clips"):
        of([], [])
