import json
import tracemalloc

import numpy as np
import pytest

from signvlm.evaluation.answers import ExactAnswers, glosses_of, log_probs_of, scored, to_json
from signvlm.evaluation.ask import answers_in

GLOSSARY = ("book", "caf\u00e9", "tea", "cup")
SCORES = np.array([-2.0, -0.12345678, -np.inf, -2.0], dtype=np.float32)
EXPANDED = [
    {"gloss": "caf\u00e9", "log_prob": -0.123457},
    {"gloss": "book", "log_prob": -2.0},
    {"gloss": "cup", "log_prob": -2.0},
    {"gloss": "tea", "log_prob": None},
]


@pytest.fixture
def answers() -> ExactAnswers:
    return ExactAnswers.of_scores(GLOSSARY, SCORES)


def test_scores_become_answers_best_first_and_equal_ones_stay_in_order(answers):
    assert list(answers) == EXPANDED
    assert answers == EXPANDED
    assert answers != EXPANDED[:3]
    assert [answers[0], answers[-1], *answers[1:3]] == [EXPANDED[0], EXPANDED[-1], *EXPANDED[1:3]]
    assert (len(answers), bool(answers)) == (4, True)


def test_they_are_written_as_lists_and_read_back(answers):
    line = to_json({"clip_id": "1", "exact": answers, "beam": ["tea"]})
    assert line == json.dumps({"clip_id": "1", "exact": EXPANDED, "beam": ["tea"]}, ensure_ascii=False)
    places = {gloss: place for place, gloss in enumerate(GLOSSARY)}
    again = ExactAnswers.of_json(GLOSSARY, places, json.loads(line)["exact"])
    assert again == answers
    assert again.order.tolist() == answers.order.tolist()


def test_arrays_and_lists_tell_the_same(answers):
    for told in (answers, EXPANDED):
        assert glosses_of(told) == ["caf\u00e9", "book", "cup", "tea"]
        assert log_probs_of(told).tolist() == [-0.123457, -2.0, -2.0, -np.inf]
        assert scored(told)
    assert glosses_of(["tea", "cup"]) == ["tea", "cup"]
    assert not scored(["tea"])
    assert not scored([])


def test_what_is_no_json_is_refused():
    with pytest.raises(TypeError, match="set is no JSON"):
        to_json({"clip_id": {"1"}})
    with pytest.raises(ValueError, match="not JSON compliant"):
        to_json({"seconds": float("nan")})


def test_thousands_of_glosses_take_some_bytes_each():
    class Ranks:
        glossary = tuple(f"gloss {number}" for number in range(2000))

        def log_probs(self, clips):
            return np.random.default_rng(0).normal(size=(len(clips), 2000)).astype(np.float32)

    tracemalloc.start()
    found = answers_in(Ranks(), [np.zeros(1)] * 10, "exact", list("0123456789"))
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert len(found) == 10
    assert held < 10 * 2000 * 30  # as dicts they are some 250 bytes each
