import numpy as np
import pytest
import sklearn
from scipy.special import log_softmax
from sklearn.metrics import log_loss

from signvlm.evaluation.reliability import (
    BINS,
    UndeterminedError,
    fit_temperature,
    negative_log_likelihood,
    reliability,
    scores_of,
)


def scored(clips: int = 4000, glosses: int = 8, temperature: float = 1.0, seed: int = 0):
    """Scores whose true probabilities are known: labels are drawn from them, then they are made too sure."""
    rng = np.random.default_rng(seed)
    honest = log_softmax(rng.normal(0, 2, (clips, glosses)), axis=1)
    truth = np.array([rng.choice(glosses, p=np.exp(row)) for row in honest])
    return honest * temperature, truth


@pytest.mark.parametrize("temperature", [0.4, 1.0, 2.5])
def test_the_temperature_that_spoiled_the_scores_is_found_again(temperature):
    scores, truth = scored(temperature=temperature)
    assert fit_temperature(scores, truth) == pytest.approx(temperature, rel=0.06)


def test_clips_that_do_not_determine_a_temperature_give_none_but_the_reason():
    scores, _ = scored(clips=200)
    best = scores.argmax(axis=1)
    with pytest.raises(UndeterminedError, match="every clip was right"):
        fit_temperature(scores, best)
    with pytest.raises(UndeterminedError, match="no clip was right"):
        fit_temperature(scores, scores.argsort(axis=1)[:, -2])


def test_scores_that_have_nothing_to_do_with_the_clips_determine_no_temperature():
    """The best that can be made of them is no opinion at all: the likelihood rises to the end of the range."""
    scores, _ = scored(clips=200)
    with pytest.raises(UndeterminedError, match=r"no temperature from 0\.01 to 100 is likelier than both ends"):
        fit_temperature(scores, np.where(np.arange(200) < 20, scores.argmax(axis=1), scores.argmin(axis=1)))
    with pytest.raises(UndeterminedError, match="likelier than both ends"):
        fit_temperature(np.zeros((10, 4)), [0, 1, 2, 3, 0, 1, 2, 3, 0, 1])  # every temperature is the same


@pytest.mark.skipif(
    tuple(map(int, sklearn.__version__.split(".")[:2])) < (1, 8), reason="scikit-learn has it since 1.8"
)
def test_the_temperature_is_scikit_learns():
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.frozen import FrozenEstimator
    from sklearn.linear_model import LogisticRegression

    class Scores(LogisticRegression):
        """A classifier whose decision is the features themselves."""

        def decision_function(self, X):  # noqa: N803  scikit-learn's name
            return X

    scores, truth = scored(temperature=2.0, clips=600)
    theirs = CalibratedClassifierCV(FrozenEstimator(Scores(max_iter=2000).fit(scores, truth)), method="temperature")
    probabilities = theirs.fit(scores, truth).predict_proba(scores)
    ours = negative_log_likelihood(scores, truth, fit_temperature(scores, truth))
    assert ours == pytest.approx(log_loss(truth, probabilities), abs=1e-4)


def test_the_likelihood_is_scikit_learns_log_loss():
    scores, truth = scored(clips=300)
    assert negative_log_likelihood(scores, truth) == pytest.approx(log_loss(truth, np.exp(scores), labels=range(8)))


def test_honest_scores_are_calibrated_and_sure_ones_are_not():
    honest, truth = scored()
    assert reliability(honest, truth)["ece"] < 0.05
    sure = reliability(honest * 3, truth)
    assert sure["ece"] > 0.1
    cooled = reliability(honest * 3, truth, temperature=3.0)
    assert cooled["ece"] == pytest.approx(reliability(honest, truth)["ece"])


def test_the_error_is_the_mean_gap_over_bins_weighed_by_clips():
    """Counted by hand: four clips 90 % sure of which two are right, one clip 60 % sure and right."""
    scores = np.log([[0.9, 0.1]] * 4 + [[0.6, 0.4]])
    found = reliability(scores, [0, 0, 1, 1, 0])
    assert found["ece"] == pytest.approx(0.8 * 0.4 + 0.2 * 0.4)
    assert [(each["clips"], each["accuracy"]) for each in found["bins"]] == [(1, 1.0), (4, 0.5)]
    assert len(found["bins"]) <= BINS


@pytest.mark.parametrize("sharpness", [0.5, 1.0, 3.0])
def test_the_error_is_the_sum_of_its_definition(sharpness):
    """Guo et al. 2017, equation 3: bins of equal width, open below and closed above, taken one by one."""
    scores, truth = scored(clips=700)
    shares = np.exp(log_softmax(scores * sharpness, axis=1))
    sure, right = shares.max(axis=1), shares.argmax(axis=1) == truth
    error = 0.0
    for number in range(BINS):
        inside = (sure > number / BINS) & (sure <= (number + 1) / BINS)
        if inside.any():
            error += inside.mean() * abs(right[inside].mean() - sure[inside].mean())
    assert reliability(scores, truth, 1 / sharpness)["ece"] == pytest.approx(error)


def test_every_clip_is_in_a_bin_also_on_the_bins_edges():
    edges = np.linspace(0.5, 1, 31)
    found = reliability(np.log(np.stack([edges, 1 - edges + 1e-12], axis=1)), np.zeros(31, dtype=int))
    assert sum(each["clips"] for each in found["bins"]) == 31


def test_a_gloss_outside_the_glossary_is_wrong_but_has_no_likelihood():
    found = reliability(np.log([[0.9, 0.1], [0.8, 0.2]]), [-1, -1])
    assert found["nll"] is None
    assert found["ece"] == pytest.approx(0.85)


def test_scores_are_read_as_the_results_file_holds_them():
    clips = [
        {"gloss": "b", "exact": [{"gloss": "b", "log_prob": -1.0}, {"gloss": "a", "log_prob": None}]},
        {"gloss": "x", "exact": [{"gloss": "a", "log_prob": -2.0}, {"gloss": "b", "log_prob": -3.0}]},
        {"gloss": "a", "exact": []},
    ]
    scores, truth = scores_of(clips, ["a", "b"])
    assert scores.tolist() == [[-np.inf, -1.0], [-2.0, -3.0]]
    assert truth.tolist() == [1, -1]
    assert negative_log_likelihood(scores[:1], truth[:1]) == 0


def test_no_clip_is_an_error_never_nan():
    with pytest.raises(ValueError, match="no clips"):
        fit_temperature(np.empty((0, 3)), [])
