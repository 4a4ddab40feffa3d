"""What training varies in key points: seeded, within its ranges, and never a point that was not found."""

import numpy as np
import pytest
from avatar_poses import avatar_pose

from data_engineering.keypoints import KEYPOINTS, LEFT_HAND, RIGHT_HAND, SHOULDERS
from data_engineering.pose.normalize import normalized
from data_engineering.pose.vary import DROPPED, varied

LEFT_TIP, RIGHT_TIP = KEYPOINTS.index("left_hand_index_tip"), KEYPOINTS.index("right_hand_index_tip")


@pytest.fixture(scope="module")
def points():
    pose, _ = avatar_pose("CAR", 2)
    return normalized(pose.points, pose.size)


def draws(points, count=40, **options):
    return [varied(points, np.random.default_rng(seed), **options) for seed in range(count)]


def test_the_same_seed_gives_the_same_variation_and_another_another(points):
    one, same, other = (varied(points, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert one.dtype == np.float32
    assert one.shape == points.shape
    assert (one == same).all()
    assert (one != other).any()


def test_no_strength_changes_nothing(points):
    assert varied(points, np.random.default_rng(0), strength=0) == pytest.approx(points, abs=1e-6)


def test_nothing_is_invented_and_scores_stay(points):
    never = ~(points[..., 2] > 0).any(axis=0)
    for changed in draws(points, 5):
        assert not changed[:, never].any()
        assert (changed[changed[..., 2] == 0] == 0).all()
        assert set(np.unique(changed[..., 2])) <= set(np.unique(points[..., 2])) | {0.0}


def test_shoulders_are_turned_scaled_and_shifted_within_their_ranges(points):
    angles, widths, middles = [], [], []
    for changed in draws(points, 60):
        left, right = (np.median(changed[:, shoulder, :2], axis=0) for shoulder in SHOULDERS)
        span = left - right
        angles.append(np.arctan2(span[1], span[0]))
        widths.append(np.linalg.norm(span))
        middles.append((left + right) / 2)
    assert 0.08 < np.ptp(angles) <= 0.35
    assert 0.85 < min(widths) < 0.95
    assert 1.05 < max(widths) < 1.17
    assert 0.05 < np.abs(middles).max() < 0.16


def test_a_hand_is_dropped_in_runs_as_often_as_said(points):
    whole = np.tile(points[len(points) // 2], (200, 1, 1))
    whole[..., 2] = 1
    gone = np.concatenate([(changed[:, hand, 2] == 0).all(axis=1) for changed in draws(whole, 60)
                           for hand in (LEFT_HAND, RIGHT_HAND)])  # fmt: skip
    assert gone.mean() == pytest.approx(DROPPED, abs=0.015)
    runs = np.flatnonzero(np.diff(gone.astype(int)) == 1)
    assert 2 < gone.sum() / len(runs) < 4.5


def test_time_is_warped_forwards_and_both_ends_stay():
    clock = np.zeros((50, 64, 3), np.float32)
    clock[:, 0] = np.stack([np.arange(50), np.arange(50), np.ones(50)], axis=1)
    seen = [changed[:, 0, 0] for changed in draws(clock)]
    assert all((np.diff(np.hypot(*changed[:, 0, :2].T)) >= 0).all() for changed in draws(clock, 10))
    assert len({tuple(np.round(times / max(times[-1], 1), 2)) for times in seen}) > 20


def test_mirrored_has_left_and_right_exchanged(points):
    plain, mirror = (varied(points, np.random.default_rng(3), mirror=mirror) for mirror in (False, True))
    assert (mirror[:, LEFT_TIP, 0] == -plain[:, RIGHT_TIP, 0]).all()
    assert (mirror[:, LEFT_TIP, 1:] == plain[:, RIGHT_TIP, 1:]).all()


def test_a_single_frame_and_an_empty_clip_are_varied_too(points):
    assert varied(points[:1], np.random.default_rng(0)).shape == (1, 64, 3)
    assert not varied(np.zeros((3, 64, 3), np.float32), np.random.default_rng(0)).any()
