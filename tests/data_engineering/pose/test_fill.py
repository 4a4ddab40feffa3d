"""Short gaps filled from the nearest detection, and marked by half its score."""

import numpy as np
import pytest

from data_engineering.keypoints import RIGHT_HAND
from data_engineering.pose.fill import filled


def seen_in(frames, count=12):
    """A right hand that is found in these frames only, each time somewhere else."""
    points = np.zeros((count, 64, 3), np.float32)
    for frame in frames:
        points[frame, RIGHT_HAND] = (frame, 2 * frame, 0.8)
    return points


def sources(points):
    """From which frame each frame's hand is; -1 without one."""
    hand = points[:, RIGHT_HAND.start]
    return np.where(hand[:, 2] > 0, hand[:, 0], -1).astype(int).tolist()


def test_a_gap_is_filled_from_the_nearest_frame_and_the_earlier_of_two():
    assert sources(filled(seen_in([2, 6]))) == [2, 2, 2, 2, 2, 6, 6, 6, 6, 6, -1, -1]


def test_the_gap_has_a_limit():
    assert sources(filled(seen_in([4]), gap=1)) == [-1, -1, -1, 4, 4, 4, -1, -1, -1, -1, -1, -1]
    assert sources(filled(seen_in([4]), gap=0)) == [-1, -1, -1, -1, 4, -1, -1, -1, -1, -1, -1, -1]
    assert sources(filled(seen_in([1], count=2), gap=9)) == [1, 1]


def test_what_is_filled_has_half_the_score_and_what_was_found_its_own():
    points = seen_in([4])
    result = filled(points)
    assert (result[4] == points[4]).all()
    assert result[3, RIGHT_HAND, 2] == pytest.approx(0.4)
    assert not result[:, : RIGHT_HAND.start].any()
    assert sources(points) == [-1] * 4 + [4] + [-1] * 7  # the argument stays as it is


def test_nothing_comes_of_nothing():
    assert not filled(np.zeros((3, 64, 3), np.float32)).any()
    assert filled(np.zeros((0, 64, 3), np.float32)).shape == (0, 64, 3)
