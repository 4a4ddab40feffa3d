"""A clip in the signer's own measure, and the part of it in which somebody signs."""

import numpy as np
import pytest
from avatar_poses import avatar_pose

from data_engineering.keypoints import KEYPOINTS, RIGHT_HAND, SHOULDERS
from data_engineering.pose.normalize import active, normalized

LEFT, RIGHT = SHOULDERS
WRIST = KEYPOINTS.index("right_wrist")
SIZE = (960, 540)


def standing(count=40):
    """Somebody whose shoulders are 100 px wide, around (500, 200); only shoulders and the right wrist are found."""
    points = np.zeros((count, 64, 3), np.float32)
    points[:, LEFT], points[:, RIGHT] = (550, 200, 0.9), (450, 200, 0.8)
    points[:, WRIST] = (460, 330, 0.5)
    return points


def test_places_are_told_in_shoulder_widths_from_between_the_shoulders():
    result = normalized(standing(), SIZE)
    assert result.dtype == np.float32
    assert result[0, LEFT].tolist() == pytest.approx([0.5, 0, 0.9])
    assert result[0, RIGHT].tolist() == pytest.approx([-0.5, 0, 0.8])
    assert result[0, WRIST].tolist() == pytest.approx([-0.4, 1.3, 0.5])


def test_what_was_not_found_stays_so_and_so_does_what_is_no_number():
    points = standing()
    points[3, WRIST] = np.nan
    points[5, WRIST] = np.inf
    result = normalized(points, SIZE)
    assert np.isfinite(result).all()
    assert not result[3:6:2, WRIST].any()
    assert not result[:, RIGHT_HAND].any()


def test_camera_and_size_of_the_picture_are_gone():
    pose, _ = avatar_pose()
    moved = pose.points * [2.5, 2.5, 1] + [300, -40, 0] * pose.found[..., None]
    again = normalized(moved, (pose.size[0] * 3, pose.size[1] * 3))
    assert np.abs(again - normalized(pose.points, pose.size)).max() < 1e-4


def test_a_clip_is_moved_as_a_whole_so_the_trunk_still_sways():
    points = standing()
    points[10, [LEFT, RIGHT, WRIST], 0] += 20
    result = normalized(points, SIZE)
    assert result[10, WRIST, 0] - result[9, WRIST, 0] == pytest.approx(0.2)


def test_one_bad_frame_does_not_move_the_others():
    points = standing()
    points[7, [LEFT, RIGHT]] = (0.1, 0.1, 0.3)
    assert (normalized(points, SIZE)[8] == normalized(standing(), SIZE)[8]).all()


def test_somebody_without_shoulders_is_measured_by_the_frame():
    points = standing()
    points[:, [LEFT, RIGHT]] = 0
    assert normalized(points, SIZE)[0, WRIST].tolist() == pytest.approx([-20 / 240, 60 / 240, 0.5])
    assert not normalized(np.zeros((3, 64, 3)), SIZE).any()


def test_somebody_seen_from_the_side_is_not_blown_up():
    points = standing()
    points[:, RIGHT] = points[:, LEFT] + (0.5, 0, 0)
    assert np.abs(normalized(points, SIZE)).max() < 12


def test_the_active_segment_holds_the_stroke_and_little_rest():
    for gloss, signer in (("MOTHER", 0), ("PLEASE", 3), ("CAR", 5), ("BOOK", 7)):
        pose, phases = avatar_pose(gloss, signer)
        start, end = active(normalized(pose.points, pose.size))
        stroke = np.flatnonzero(phases == 2)
        assert start <= stroke[0]
        assert end > stroke[-1]
        rest = (phases[start:end] == 0).sum()
        assert rest <= 3


def test_a_raised_wrist_is_active_and_so_is_one_that_moves_below():
    points = standing()
    points[10:20, WRIST, 1] = 240
    assert active(normalized(points, SIZE)) == (8, 22)
    points = standing()
    points[10:20, WRIST, 0] += np.arange(10) * 15
    points[20:, WRIST, 0] += 135
    start, end = active(normalized(points, SIZE))
    assert start in (8, 9, 10)
    assert end in (20, 21, 22)


def test_jitter_is_no_movement_and_without_any_the_whole_clip_counts():
    points = standing()
    points[:, WRIST, :2] += np.random.default_rng(0).normal(0, 0.5, (40, 2))
    assert active(normalized(points, SIZE)) == (0, 40)
    assert active(np.zeros((5, 64, 3), np.float32)) == (0, 5)
    assert active(normalized(standing(1), SIZE)) == (0, 1)


def test_a_hands_own_wrist_serves_where_the_arms_is_not_found():
    points = standing()
    points[10:20, RIGHT_HAND.start] = (460, 240, 1)
    points[10:20, WRIST] = 0
    assert active(normalized(points, SIZE)) == (8, 22)
