import numpy as np
import pytest
from scipy import stats
from scipy.stats import binomtest

from signvlm.evaluation import accuracy
from signvlm.evaluation.intervals import bootstrap, interval, macro_f1_of, mean_of, ratio_of, value_of


def clustered(seed: int, signers: int = 30) -> tuple[np.ndarray, np.ndarray]:
    """Hits that depend strongly on the signer, so that clips of a signer are no independent evidence."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(8, 20, size=signers)
    who = np.repeat(np.arange(signers), sizes)
    return rng.random(len(who)) < np.repeat(rng.uniform(0.1, 0.9, signers), sizes), who


def of(hits, signers, classes=None, **drawn):
    return interval(mean_of(hits, classes), signers, **drawn)


def test_the_interval_is_scipys_bootstrap_over_signers():
    hits, signers = clustered(seed=0)
    right = np.bincount(signers, weights=hits)
    clips = np.bincount(signers)
    expected = stats.bootstrap(
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
    expected = stats.bootstrap(
        (truth, answers),
        accuracy.macro_f1,
        paired=True,
        vectorized=False,
        method="percentile",
        n_resamples=400,
        rng=np.random.default_rng(0),
    ).confidence_interval
    found = interval(macro_f1_of(truth, answers), ["one"] * 120, samples=4000)
    assert (found.low, found.high) == pytest.approx(tuple(expected), abs=0.02)


def test_where_every_clip_counts_the_same_the_interval_is_exact_and_holds_that():
    """Fifty clips whose gloss stands second: were 7 % of all clips first, or nowhere, that could be so."""
    found = interval(mean_of([0.5] * 50), list("ab") * 25)
    certain = binomtest(50, 50).proportion_ci(0.95, "exact").low
    assert found[:2] == pytest.approx((0.5 * certain, 0.5 + 0.5 * (1 - certain)))
    assert "counts the same" in found.method
    difference = interval(mean_of([0.0] * 50, least=-1.0), list("ab") * 25)
    assert difference[:2] == pytest.approx((certain - 1, 1 - certain))


@pytest.mark.parametrize("seed", range(12))
def test_every_interval_holds_its_figure(seed):
    """Also of few clips, of rare glosses, of places that are all alike but one."""
    rng = np.random.default_rng(seed)
    clips = int(rng.integers(1, 12))
    signers = rng.choice(["a", "b", ""], clips)
    truth = rng.integers(0, 6, clips)
    answers = np.where(rng.random(clips) < 0.8, truth, rng.integers(-1, 6, clips))
    places = rng.choice([0, 1, 2, 2, 2, 7], clips)
    for figure in (
        mean_of(places == 1),
        mean_of(places == 1, truth),
        mean_of(accuracy.reciprocal(places)),
        macro_f1_of(truth, answers),
        ratio_of(rng.integers(0, 3, clips), rng.integers(2, 5, clips)),
        mean_of(rng.integers(-1, 2, clips), least=-1.0),
    ):
        found = interval(figure, signers, samples=60, seed=seed)
        assert figure.least <= found.low <= value_of(figure) <= found.high <= 1


def test_the_value_is_the_figures_own():
    hits, signers = clustered(seed=3)
    classes = [f"gloss {index % 12}" for index in range(len(hits))]
    assert value_of(mean_of(hits)) == pytest.approx(hits.mean())
    assert value_of(mean_of(hits, classes)) == pytest.approx(accuracy.per_class(hits, classes))
    assert value_of(macro_f1_of(signers, signers + hits)) == pytest.approx(accuracy.macro_f1(signers, signers + hits))
    assert value_of(ratio_of([1, 0, 3], [2, 1, 5])) == pytest.approx(4 / 8)


def test_clips_that_name_no_signer_are_not_one_persons():
    hits, signers = clustered(seed=0)
    figure = mean_of(hits)
    nobody = bootstrap(figure, [""] * len(hits), samples=400, seed=1)
    apart = interval(figure, np.arange(len(hits)), samples=400, seed=1)
    assert nobody.interval[:2] == apart[:2]
    assert nobody.interval.method == "bootstrap, 400 resamples of single clips, as no clip names its signer"
    half = np.where(signers < 15, signers.astype(str), "")
    mixed = bootstrap(figure, half, samples=400, seed=1)
    everyone_apart = np.where(signers < 15, signers, 100 + np.arange(len(hits)))
    assert mixed.interval[:2] == pytest.approx(interval(figure, everyone_apart, samples=400, seed=1)[:2], abs=0.02)
    assert f"whole signers (15) and of single clips that name none ({(half == '').sum()})" in mixed.interval.method


def test_no_clip_is_an_error_never_nan():
    with pytest.raises(ValueError, match="no clips"):
        of([], [])
