import pytest
from scipy.stats import binomtest

from signvlm.evaluation.breakdown import count_signers, per_gloss, per_signer
from signvlm.evaluation.parameters import pair_accuracy, parameter_accuracy, phonology_of
from signvlm.evaluation.protocol import deviations, wlasl_official

SIGNS = {"book": {"hand": "flat", "place": "chest"}, "read": {"hand": "flat", "place": "mid"}, "tea": {"hand": "o"}}


def clip(gloss, signer, **scores):
    exact = [{"gloss": name, "log_prob": score} for name, score in scores.items()]
    return {"gloss": gloss, "signer_id": signer, "exact": exact}


def test_a_pair_is_a_forced_choice_whatever_else_scores_higher():
    clips = [
        clip("book", "a", tea=-0.1, book=-2.0, read=-3.0),
        clip("read", "b", tea=-0.1, book=-2.0, read=-3.0),
        clip("tea", "b", tea=-0.1, book=-2.0, read=-3.0),
    ]
    found = pair_accuracy(clips, [("book", "read", "place")], samples=50, seed=0)
    assert found["accuracy"] == 0.5
    assert found["pairs"] == [{"glosses": ["book", "read"], "parameter": "place", "choices": 2, "right": 1}]
    assert found["by_parameter"] == {"place": {"choices": 2, "accuracy": 0.5}}
    assert found["interval"][0] <= 0.5 <= found["interval"][1]


def test_a_tie_and_an_unreadable_clip_are_wrong():
    clips = [clip("book", "a", book=-2.0, read=-2.0), clip("book", "a"), clip("book", "a", book=-1.0, read=None)]
    found = pair_accuracy(clips, [("book", "read", "place")], samples=50, seed=0)
    assert found["pairs"][0]["right"] == 1
    assert found["pairs"][0]["choices"] == 3


PAIRS = [("book", f"sign {number}", "place") for number in range(10)]


def choosing(right, signer):
    """A clip of `book` that is told from so many of the ten signs it makes a pair with."""
    others = {other: -3.0 if number < right else -1.0 for number, (_, other, _) in enumerate(PAIRS)}
    return clip("book", signer, book=-2.0, **others)


def test_what_the_interval_draws_are_clips_with_all_their_choices():
    """Two clips are two pieces of evidence, though each is ten choices."""
    found = pair_accuracy([choosing(10, "a"), choosing(0, "a")], PAIRS, samples=200, seed=0)
    assert found["accuracy"] == 0.5
    assert found["interval"] == [0, 1]
    right = pair_accuracy([choosing(10, "a"), choosing(10, "b")], PAIRS, samples=200, seed=0)
    assert right["interval"] == pytest.approx([*binomtest(2, 2).proportion_ci(0.95, "exact")])
    mixed = pair_accuracy([choosing(8, "a"), choosing(7, "b"), choosing(10, "c")], PAIRS, samples=200, seed=0)
    assert mixed["accuracy"] == pytest.approx(25 / 30)
    assert mixed["by_parameter"] == {"place": {"choices": 30, "accuracy": pytest.approx(25 / 30)}}
    assert mixed["pairs"][0] == {"glosses": ["book", "sign 8"], "parameter": "place", "choices": 3, "right": 1}


def test_a_clip_of_no_pair_is_not_looked_at():
    clips = [clip("book", "a", book=-1.0, read=-2.0), {"gloss": "tea", "signer_id": "b"}]
    assert pair_accuracy(clips, [("book", "read", "place")], samples=50, seed=0)["accuracy"] == 1


def test_without_a_clip_of_a_pair_there_is_no_figure():
    assert pair_accuracy([clip("tea", "a", tea=-1.0)], [("book", "read", "place")], samples=50, seed=0) is None


def test_a_wrong_answer_may_have_the_right_handshape():
    found = parameter_accuracy(["book", "book", "tea", "cup"], ["read", "book", None, "book"], SIGNS)
    assert found["hand"]["accuracy"] == pytest.approx(2 / 3)
    assert found["place"]["accuracy"] == pytest.approx(1 / 2)
    assert list(found["hand"]["values"]) == ["o", "flat"]
    assert found["hand"]["values"]["flat"] == {"clips": 2, "accuracy": 1.0}


def test_a_phonology_file_gives_the_signs_of_the_glossary_and_their_pairs(tmp_path):
    path = tmp_path / "signs.yaml"
    path.write_text("Book: {hand: flat, place: chest}\nread: {hand: flat, place: mid}\nelsewhere: {hand: o}\n")
    assert phonology_of(path, ["book", "read", "cup"]) == {
        "file": "signs.yaml",
        "signs": {"book": {"hand": "flat", "place": "chest"}, "read": {"hand": "flat", "place": "mid"}},
        "pairs": [["book", "read", "place"]],
    }


def test_signers_are_summed_up_by_the_least_the_middle_and_the_most():
    import numpy as np

    found = per_signer(np.array([1, 1, 2, 0, 1, 3]), ["a", "a", "b", "b", "c", "c"])
    assert (found["min"], found["median"], found["max"]) == (0, 0.5, 1)
    assert list(found["of"]) == ["b", "c", "a"]
    assert found["of"]["b"] == {"clips": 2, "top1": 0.0, "top5": 0.5}


def test_clips_that_name_no_signer_are_nobodys():
    import numpy as np

    places, signers = np.array([1, 1, 2, 0]), ["a", "", "", "b"]
    found = per_signer(places, signers)
    assert list(found["of"]) == ["b", "a"]
    assert (found["min"], found["max"]) == (0, 1)
    assert count_signers(signers) == {"signers": 2, "signer_unknown": 2}
    assert per_signer(places, [""] * 4) == {"min": None, "median": None, "max": None, "of": {}}


def test_a_gloss_never_answered_has_an_f1_of_nought_not_nan():
    import numpy as np

    found = per_gloss(np.array([1, 0, 2]), ["a", "b", "a"], ["a", None, "b"])
    assert found["a"] == {"clips": 2, "top1": 0.5, "top5": 1.0, "f1": pytest.approx(2 / 3)}
    assert found["b"]["f1"] == 0


def test_the_authors_figures_are_over_the_clips_that_can_be_read():
    clips = [{"gloss": "a"}, {"gloss": "a"}, {"gloss": "b"}, {"gloss": "b", "unreadable": "empty"}]
    rankings = [["a", "b"], ["b", "a"], ["b", "a"], []]
    found = wlasl_official(clips, rankings)
    assert found["clips"] == 3
    assert found["top1_per_instance"] == pytest.approx(2 / 3)
    assert found["top1_per_class"] == pytest.approx((0.5 + 1) / 2)
    assert found["top5_per_class"] == 1


def test_what_keeps_figures_from_standing_beside_the_published_ones_is_said():
    data = {"index": "data/WLASL_v0.3.json", "glossary": "first-100", "split": "official"}
    [always] = deviations("test", data, 100, 0, limited=False)
    assert "trained on train and validation" in always
    told = " ".join(deviations("validation", {"index": "mine.json", "split": "signer"}, 24, 1, limited=True))
    for part in ("not WLASL's", "24 glosses are none", "validation split of `data.split: signer`", "1 clip", "sample"):
        assert part in told
    assert "Of the 100 glosses asked for 98" in " ".join(deviations("test", data, 98, 0, limited=False))


@pytest.mark.parametrize("size", [100, 300, 1000, 2000])
def test_the_authors_own_split_file_is_no_deviation(size):
    data = {"index": "data/WLASL_v0.3.json", "glossary": None, "split": f"splits/nslt_{size}.json"}
    assert len(deviations("test", data, size, 0, limited=False)) == 1
    [_, lost] = deviations("test", data, size - 2, 0, limited=False)
    assert lost == f"Of the {size} glosses asked for {size - 2} have a clip and could be answered."
    [_, other] = deviations("validation", data, size, 0, limited=False)
    assert "not the official test" in other


def test_a_split_file_of_another_name_or_size_is_a_deviation():
    for name in ("my_nslt_100.json", "nslt_50.json", "nslt_100.json.bak"):
        data = {"index": "data/WLASL_v0.3.json", "split": name}
        assert "not the official test" in deviations("test", data, 100, 0, limited=False)[-1], name
    few = {"index": "data/WLASL_v0.3.json", "glossary": "first-50", "split": "nslt_100.json"}
    assert "50 glosses are none of the authors' subsets" in " ".join(deviations("test", few, 50, 0, limited=False))
