import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import (
    balanced_accuracy_score,
    f1_score,
    label_ranking_average_precision_score,
    top_k_accuracy_score,
)

from signvlm.evaluation import accuracy

GLOSSARY = [f"gloss {index}" for index in range(12)]


def scored(seed: int, clips: int = 90) -> tuple[np.ndarray, np.ndarray, list[list[str]], list[str]]:
    """Random scores (clips, glosses), the true labels, and both as rankings and glosses."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(clips) % (len(GLOSSARY) - 2))  # the last two glosses have no clip
    scores = rng.normal(size=(clips, len(GLOSSARY)))
    scores[np.arange(clips), labels] += 1
    rankings = [[GLOSSARY[index] for index in np.argsort(-row)] for row in scores]
    return scores, labels, rankings, [GLOSSARY[label] for label in labels]


def found(rankings, truth) -> np.ndarray:
    return accuracy.places(rankings, [(gloss,) for gloss in truth])


@pytest.mark.parametrize("k", [1, 5, 10])
def test_top_k_per_instance_is_scikit_learns(k):
    scores, labels, rankings, truth = scored(seed=k)
    expected = top_k_accuracy_score(labels, scores, k=k, labels=np.arange(len(GLOSSARY)))
    assert accuracy.per_instance(accuracy.hits(found(rankings, truth), k)) == pytest.approx(expected)


def test_per_class_top_1_is_scikit_learns_balanced_accuracy():
    scores, labels, rankings, truth = scored(seed=3, clips=47)
    expected = balanced_accuracy_score(labels, np.where(scores.argmax(1) == labels, labels, (labels + 1) % 10))
    assert accuracy.per_class(accuracy.hits(found(rankings, truth), 1), truth) == pytest.approx(expected)


def test_macro_f1_is_scikit_learns_over_the_classes_that_have_clips():
    scores, labels, _, _ = scored(seed=4, clips=61)
    expected = f1_score(labels, scores.argmax(1), labels=np.arange(10), average="macro")
    assert accuracy.macro_f1(labels, scores.argmax(1)) == pytest.approx(expected)
    assert accuracy.macro_f1([0, 0, 1], [0, accuracy.NOBODY, 1]) == pytest.approx((2 / 3 + 1) / 2)


def test_mrr_is_scikit_learns_ranking_precision_of_one_relevant_label():
    scores, labels, rankings, truth = scored(seed=5)
    expected = label_ranking_average_precision_score(np.eye(len(GLOSSARY))[labels], scores)
    assert accuracy.mean_reciprocal_rank(found(rankings, truth)) == pytest.approx(expected)


@given(st.lists(st.integers(0, 400), min_size=1))
def test_mrr_is_the_mean_of_the_reciprocal_places(places):
    """What its interval is drawn from has it for a mean, also where clips were not answered."""
    assert accuracy.mean_reciprocal_rank(places) == pytest.approx(accuracy.reciprocal(places).mean())


def test_per_class_weighs_a_rare_class_like_a_frequent_one():
    assert accuracy.per_class([True, True, True, False], ["often"] * 3 + ["rare"]) == pytest.approx(0.5)
    assert accuracy.per_instance([True, True, True, False]) == pytest.approx(0.75)


def test_a_class_without_clips_is_left_out_and_named_never_nan():
    truth = ["a", "a", "b"]
    assert accuracy.per_class([True, False, True], truth) == pytest.approx(0.75)
    assert accuracy.without_clips(["a", "b", "c", "d"], truth) == ["c", "d"]


def test_an_empty_ranking_is_wrong_at_every_k_and_has_no_rank():
    places = found([["a", "b", "c"], []], ["c", "a"])
    assert places.tolist() == [3, 0]
    assert accuracy.hits(places, 10).tolist() == [True, False]
    assert accuracy.mean_rank(places) == 3
    assert accuracy.mean_rank([0, 0]) is None
    assert accuracy.reciprocal(places).tolist() == pytest.approx([1 / 3, 0])


def test_the_first_accepted_answer_counts_where_several_are_right():
    assert accuracy.places([["food", "eat", "tea"]], [{"eat", "food"}]).tolist() == [1]


@pytest.mark.parametrize("generated", ["don't want", " Don't  Want", "DON'T WANT\n", "don't\u00a0want"])
def test_answers_are_compared_without_case_and_spacing(generated):
    assert accuracy.canonical([generated], ["don't want"]) == ["don't want"]


def test_composed_and_decomposed_letters_are_one():
    assert accuracy.canonical(["cafe\u0301"], ["caf\u00e9"]) == ["caf\u00e9"]


def test_duplicates_merge_into_the_first_and_the_glossarys_spelling_wins():
    assert accuracy.canonical(["book", "BOOK ", "boo", "ASL", "Boo"], ["Book", "asl"]) == ["Book", "boo", "asl"]


@pytest.mark.parametrize("glossary", [["May", "may", "tea"], ["tea", "may", "May"]])
def test_glosses_that_differ_only_in_case_stay_apart(glossary):
    assert accuracy.canonical(["may", "May", "tea"], glossary) == ["may", "May", "tea"]
    assert accuracy.canonical([" may\n", " May"], glossary) == ["may", "May"]
    first = next(gloss for gloss in glossary if gloss != "tea")
    assert accuracy.canonical(["MAY", "TEA"], glossary) == [first, "tea"]


@given(st.lists(st.text(max_size=6)))
def test_normalising_twice_changes_nothing_and_no_answer_stays_double(texts):
    answers = accuracy.canonical(texts, [])
    assert [accuracy.normalise(each) for each in answers] == answers
    assert len(set(answers)) == len(answers)


def test_out_of_glossary_is_a_share_of_all_answers():
    assert accuracy.out_of_glossary([["a", "x"], ["b", "a"]], ["a", "b"]) == pytest.approx(0.25)
    assert accuracy.out_of_glossary([], ["a"]) == 0


@pytest.mark.parametrize(
    "figure",
    [
        accuracy.per_instance,
        accuracy.mean_reciprocal_rank,
        lambda none: accuracy.per_class(none, []),
        lambda none: accuracy.macro_f1(none, []),
    ],
)
def test_no_clip_is_an_error_never_nan(figure):
    with pytest.raises(ValueError, match="no clips"):
        figure([])
