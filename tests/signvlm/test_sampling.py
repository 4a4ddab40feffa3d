"""Which stored frames are shown: one from each equal segment, its centre, or in training any."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from signvlm.sampling import choose_frames

COUNTS = st.integers(1, 40).flatmap(lambda wanted: st.tuples(st.integers(wanted, 200), st.just(wanted)))


@given(COUNTS, st.booleans())
def test_every_segment_gives_one_frame_of_its_own(counts: tuple[int, int], jitter: bool) -> None:
    stored, wanted = counts
    chosen = choose_frames(stored, wanted, jitter)
    assert chosen.shape == (wanted,)
    assert chosen.dtype == np.int64
    assert np.all(np.diff(chosen) >= 1)  # no frame twice, and time goes forward
    segment = np.arange(wanted) * stored / wanted
    assert np.all(chosen >= np.floor(segment))
    assert np.all(chosen < segment + stored / wanted)
    assert chosen[-1] < stored


@given(st.integers(1, 100), st.booleans())
def test_as_many_as_are_stored_are_all_of_them(count: int, jitter: bool) -> None:
    assert choose_frames(count, count, jitter).tolist() == list(range(count))


@pytest.mark.parametrize(("stored", "wanted", "expected"), [(16, 8, [1, 3, 5, 7, 9, 11, 13, 15]), (9, 3, [1, 4, 7])])
def test_without_jitter_the_centres_are_taken(stored: int, wanted: int, expected: list[int]) -> None:
    assert choose_frames(stored, wanted, False).tolist() == expected


def test_jitter_reaches_every_stored_frame_and_follows_torchs_seed() -> None:
    torch.manual_seed(0)
    draws = [choose_frames(16, 8, True).tolist() for _ in range(200)]
    assert {index for draw in draws for index in draw} == set(range(16))
    torch.manual_seed(0)
    assert choose_frames(16, 8, True).tolist() == draws[0]
