import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, bootstrap
from sklearn.metrics import balanced_accuracy_score, top_k_accuracy_score

from signvlm.evaluation import metrics

GLOSSARY = [f"gloss {index}" for index in range(12)]


def scored(seed: int, clips: int = 90) -> tuple[np.ndarray, np.ndarray, list[list[str]], list[str]]:
    """Random scores (clips, glosses), the true labels, and both as rankings and glosses."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(clips) % (len(GLOSSARY) - 2))  # the last two glosses have no clip
    scores = rng.normal(size=(clips, len(GLOSSARY)))
    scores[np.arange(clips), labels] += 1
    rankings = [[GLOSSARY[index] for index in np.argsort(-row)] for row in scores]
    return scores, labels, rankings, [GLOSSARY[label] for label in labels]


@pytest.mark.parametrize("k", [1, 5, 10])
def test_top_k_per_instance_is_scikit_learns(k):
    scores, labels, rankings, truth = scored(seed=k)
    expected = top_k_accuracy_score(labels, scores, k=k, labels=np.arange(len(GLOSSARY)))
    assert metrics.per_instance(metrics.hits_at(rankings, truth, k)) == pytest.approx(expected)


def test_per_class_top_1_is_scikit_learns_balanced_accuracy():
    scores, labels, rankings, truth = scored(seed=3, clips=47)
    expected = balanced_accuracy_score(labels, np.where(scores.argmax(1) == labels, labels, (labels + 1) % 10))
    assert metrics.per_class(metrics.hits_at(rankings, truth, 1), truth) == pytest.approx(expected)


def test_per_class_weighs_a_rare_class_like_a_frequent_one():
    assert metrics.per_class([True, True, True, False], ["often"] * 3 + ["rare"]) == pytest.approx(0.5)
    assert metrics.per_instance([True, True, True, False]) == pytest.approx(0.75)


def test_a_class_without_clips_is_left_out_and_named_never_nan():
    truth = ["a", "a", "b"]
    assert metrics.per_class([True, False, True], truth) == pytest.approx(0.75)
    assert metrics.without_clips(["a", "b", "c", "d"], truth) == ["c", "d"]


def test_an_empty_ranking_is_wrong_at_every_k_and_last_in_rank():
    rankings = [["a", "b", "c"], []]
    assert metrics.hits_at(rankings, ["c", "a"], 10).tolist() == [True, False]
    assert metrics.ranks(rankings[:1], ["c"]).tolist() == [3]
    assert metrics.mean_reciprocal_rank(rankings, ["c", "a"]) == pytest.approx((1 / 3 + 0) / 2)


def test_a_gloss_that_the_ranking_lacks_ranks_one_past_its_end_and_gains_nothing():
    assert metrics.ranks([["a", "b"]], ["unknown"]).tolist() == [3]
    assert metrics.mean_reciprocal_rank([["a", "b"]], ["unknown"]) == 0


@pytest.mark.parametrize("generated", ["don't want", " Don't  Want", "DON'T WANT\n", "don't\u00a0want"])
def test_answers_are_compared_without_case_and_spacing(generated):
    assert metrics.canonical([generated], ["don't want"]) == ["don't want"]


def test_composed_and_decomposed_letters_are_one():
    assert metrics.canonical(["cafe\u0301"], ["caf\u00e9"]) == ["caf\u00e9"]


def test_duplicates_merge_into_the_first_and_the_glossarys_spelling_wins():
    assert metrics.canonical(["book", "BOOK ", "boo", "ASL", "Boo"], ["Book", "asl"]) == ["Book", "boo", "asl"]


@given(st.lists(st.text(max_size=6)))
def test_normalising_twice_changes_nothing_and_no_answer_stays_double(texts):
    answers = metrics.canonical(texts, [])
    assert [metrics.normalise(each) for each in answers] == answers
    assert len(set(answers)) == len(answers)


def test_out_of_glossary_is_a_share_of_all_answers():
    assert metrics.out_of_glossary([["a", "x"], ["b", "a"]], ["a", "b"]) == pytest.approx(0.25)
    assert metrics.out_of_glossary([], ["a"]) == 0


def clustered(seed: int, signers: int = 30) -> tuple[np.ndarray, np.ndarray]:
    """Hits that depend strongly on the signer, so that clips of a signer are no independent evidence."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(8, 20, size=signers)
    who = np.repeat(np.arange(signers), sizes)
    return rng.random(len(who)) < np.repeat(rng.uniform(0.1, 0.9, signers), sizes), who


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
    found = metrics.interval(hits, signers, samples=20_000, seed=1)
    assert (found.low, found.high) == pytest.approx(tuple(expected), abs=0.006)
    assert found.method == "bootstrap, 20000 resamples of whole signers (30)"


def test_signers_make_the_interval_wider_than_clips_alone_would():
    hits, signers = clustered(seed=0)
    whole, single = metrics.interval(hits, signers), metrics.interval(hits, np.zeros_like(signers))
    assert whole.high - whole.low > 1.5 * (single.high - single.low)


def test_one_signer_falls_back_to_clips_and_says_so():
    found = metrics.interval([True, True, False, True] * 10, ["only"] * 40)
    assert 0.55 < found.low < 0.75 < found.high < 0.9
    assert "single clips, as there is one signer" in found.method


def test_two_equal_signers_do_not_make_an_interval_of_no_width():
    found = metrics.interval([True, False, True, True] * 2, ["a"] * 4 + ["b"] * 4)
    assert found.low < 0.6
    assert found.high > 0.9
    assert "widened" in found.method


@pytest.mark.parametrize("right", [True, False])
def test_all_right_or_all_wrong_gets_the_exact_binomial_interval(right):
    found = metrics.interval([right] * 24, list("ab") * 12)
    assert found[:2] == pytest.approx(tuple(binomtest(24 * right, 24).proportion_ci(0.95, "exact")))
    assert "exact binomial" in found.method


def test_the_same_seed_gives_the_same_interval():
    hits, signers = clustered(seed=2)
    assert metrics.interval(hits, signers, seed=4) == metrics.interval(hits, signers, seed=4)
    assert metrics.interval(hits, signers, seed=4) != metrics.interval(hits, signers, seed=5)


def test_the_per_class_interval_surrounds_the_per_class_mean_without_nan():
    hits, signers = clustered(seed=6)
    classes = [GLOSSARY[index % 12] for index in range(len(hits))]
    found = metrics.interval(hits, signers, classes=classes)
    assert 0 < found.low < metrics.per_class(hits, classes) < found.high < 1


@pytest.mark.parametrize(
    "figure", [metrics.per_instance, lambda hits: metrics.per_class(hits, []), lambda hits: metrics.interval(hits, [])]
)
def test_no_clip_is_an_error_never_nan(figure):
    with pytest.raises(ValueError, match="no clips"):
        figure([])
