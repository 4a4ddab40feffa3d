"""The seam's ranking: what is promised of the best glosses and of all the others."""

import math

import numpy as np
import pytest

from signvlm.recognizer import Answer, Ranking


def test_a_scored_glossary_is_ranked_with_ties_in_the_glossarys_order():
    ranking = Ranking.of(["a", "b", "c", "d"], np.log([0.1, 0.3, 0.3, 0.2]), 2)
    assert [answer.gloss for answer in ranking.answers] == ["b", "c"]
    assert ranking.bound == pytest.approx(math.log(0.2))
    assert ranking.rest == pytest.approx((math.log(0.3), math.log(0.3)))
    assert ranking.shares() == [pytest.approx((1 / 3, 1 / 3))] * 2


def test_more_answers_than_glosses_are_all_of_them():
    ranking = Ranking.of(["a", "b"], np.log([0.1, 0.3]), 5)
    assert [answer.gloss for answer in ranking.answers] == ["b", "a"]
    assert ranking.bound == -math.inf
    assert [low for low, _ in ranking.shares()] == pytest.approx([0.75, 0.25])


def test_a_temperature_flattens_the_shares():
    scores = np.log([0.1, 0.3, 0.3, 0.2])
    ranking = Ranking.of(["a", "b", "c", "d"], scores, 2, temperature=2.0)
    expected = 0.3**0.5 / (0.1**0.5 + 2 * 0.3**0.5 + 0.2**0.5)
    assert ranking.shares() == [pytest.approx((expected, expected))] * 2


def test_a_bounded_rest_bounds_the_shares():
    ranking = Ranking((Answer("a", math.log(0.5)),), bound=math.log(0.1), rest=(-math.inf, math.log(0.5)))
    assert ranking.shares() == [pytest.approx((0.5, 1.0))]
