import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import false_discovery_control, permutation_test

from signvlm.evaluation.paired import holm, mcnemar, paired


def test_mcnemar_is_scipys_exact_test_of_every_swap():
    first = np.array([1, 1, 1, 0, 0, 1, 0, 1, 1, 1, 0, 0], dtype=float)
    second = np.array([1, 0, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0], dtype=float)
    swapped = permutation_test(
        (first, second), lambda a, b, axis: (a - b).mean(axis), permutation_type="samples", n_resamples=np.inf
    )
    only = int(((first == 1) & (second == 0)).sum()), int(((first == 0) & (second == 1)).sum())
    assert mcnemar(*only) == pytest.approx(swapped.pvalue)


def test_runs_that_never_differ_are_no_evidence():
    same = paired([True, False, True], [True, False, True], list("abc"))
    assert (same.difference, same.p_mcnemar, same.p) == (0, 1, 1)


def test_a_clear_difference_is_found_and_its_sign_is_the_second_runs():
    rng = np.random.default_rng(0)
    signers = np.repeat(np.arange(20), 20)
    first, second = rng.random(400) < 0.5, rng.random(400) < 0.75
    found = paired(first, second, signers)
    assert found.difference == pytest.approx(second.mean() - first.mean())
    assert 0 < found.interval.low < found.difference < found.interval.high
    assert found.p_mcnemar < 1e-6
    assert found.p < 0.005
    back = paired(second, first, signers)
    assert back.difference == -found.difference
    assert (back.first_only, back.second_only) == (found.second_only, found.first_only)


def test_one_signer_who_decides_everything_convinces_mcnemar_but_not_the_bootstrap():
    """Thirty clips of one person are one person's evidence."""
    signers = ["a"] * 30 + [*"bcdefghij"] * 3
    first = np.zeros(57, dtype=bool)
    second = np.array([True] * 30 + [False] * 27)
    found = paired(first, second, signers)
    assert found.p_mcnemar < 1e-6
    assert found.p > 0.3
    assert found.interval.low <= 0


def test_the_error_rate_under_no_difference_is_what_is_promised():
    rng = np.random.default_rng(3)
    wrong = 0
    for trial in range(80):
        signers = np.repeat(np.arange(25), 8)
        ease = np.repeat(rng.uniform(0.2, 0.8, 25), 8)
        first, second = rng.random(200) < ease, rng.random(200) < ease
        wrong += paired(first, second, signers, samples=300, seed=trial).p < 0.05
    assert wrong <= 9


@pytest.mark.parametrize(("clips", "differing"), [(3, 3), (5, 5), (40, 3), (200, 4), (200, 5)])
def test_a_handful_of_clips_that_differ_is_no_proof_however_often_they_are_drawn(clips, differing):
    """Drawn with replacement they never come out the other way; of as many coins that often fall alike."""
    first, second = np.zeros(clips, dtype=bool), np.arange(clips) < differing
    found = paired(first, second, [f"signer {index}" for index in range(clips)])
    assert found.p_mcnemar == pytest.approx(2 * 0.5**differing)
    assert found.p >= found.p_mcnemar > 0.05


def test_where_all_clips_differ_alike_the_interval_says_how_little_that_is():
    found = paired([False] * 3, [True] * 3, list("abc"))
    assert found.difference == found.interval.high == 1
    assert found.interval.low < 0


@given(st.lists(st.floats(1e-6, 1), min_size=1, max_size=6))
def test_holm_is_the_closed_test_of_bonferroni(p_values):
    """A p-value adjusted is the largest Bonferroni's p-value of any set of the tests that it is one of."""
    tests = range(len(p_values))
    sets = [chosen for size in range(1, len(p_values) + 1) for chosen in itertools.combinations(tests, size)]
    closed = [
        max(min(1.0, len(each) * min(p_values[i] for i in each)) for each in sets if one in each) for one in tests
    ]
    assert holm(p_values) == pytest.approx(closed)


def test_holm_never_lowers_a_p_value_and_keeps_their_order():
    p_values = [0.01, 0.04, 0.03, 0.5]
    adjusted = holm(p_values)
    assert adjusted == pytest.approx([0.04, 0.09, 0.09, 0.5])
    assert holm([]) == []
    assert all(a >= b for a, b in zip(adjusted, false_discovery_control(p_values), strict=True))  # the weaker promise
