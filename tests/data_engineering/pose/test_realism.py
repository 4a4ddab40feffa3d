"""Exact points made what an extractor would have found, as often as extractors were seen to find them."""

import numpy as np
import pytest

from data_engineering.keypoints import BODY, KEYPOINTS, LEFT_HAND, RIGHT_HAND, SHOULDERS
from data_engineering.pose.normalize import normalized
from data_engineering.pose.realism import FOUND, SPEEDS, WRONG, detection_rates, realistic
from data_engineering.synthetic.clips import record
from data_engineering.synthetic.exact import HIDDEN, exact_pose, perform_pose
from data_engineering.synthetic.signer import Signer
from data_engineering.synthetic.signs import load_signs

SIGNS = load_signs()
STEP = 0.04


def moving(speed, count=400, y=0.2):
    """Everything goes sideways at `y`, shoulder widths a second, the hands apart; all of it is seen."""
    points = np.ones((count, 64, 3), np.float32)
    points[..., 0] = np.linspace(-0.2, 0.2, 64) + np.arange(count)[:, None] * speed * STEP
    points[..., 1] = y
    points[:, LEFT_HAND, 0] += 0.8
    points[:, RIGHT_HAND, 0] -= 0.8
    return points


def found(points, hand=RIGHT_HAND, draws=30):
    times = np.arange(len(points)) * STEP
    return np.stack([realistic(points, times, np.random.default_rng(seed))[:, hand, 2] > 0 for seed in range(draws)])


@pytest.mark.parametrize(("speed", "rate"), [(0.1, FOUND[0]), (0.8, FOUND[2]), (1.6, FOUND[3])])
def test_a_hand_is_found_as_often_as_its_speed_lets_it(speed, rate):
    seen = found(moving(speed))
    assert seen.mean() == pytest.approx(rate, abs=0.06)
    assert (seen.all(axis=2) == seen.any(axis=2)).all()  # as a whole or not at all


def test_the_table_is_the_measured_one():
    hand = np.ones((5, 21, 3))
    hand[..., 1] = 0
    for speed, rate in zip((0.0, *SPEEDS), FOUND, strict=True):
        hand[..., 0] = np.arange(5)[:, None] * (speed + 0.01) * STEP
        assert detection_rates(hand, STEP) == pytest.approx(rate)


def test_gaps_come_in_runs():
    gone = ~found(moving(1.6))[:, :, 0]
    starts = (np.diff(gone.astype(int), axis=1) == 1).sum()
    assert gone.sum() / starts > 1.6  # one frame in four gone at random would give runs of 1.35


def test_a_hand_outside_the_frame_or_below_the_belt_is_found_less():
    assert found(moving(0.1, y=0.2)).mean() > 1.5 * found(moving(0.1, y=1.4)).mean()
    outside = moving(0.1)
    outside[:, RIGHT_HAND, 2] = 0
    assert found(outside).mean() < 2 * WRONG  # the other one, mistaken for it


def test_now_and_then_a_hand_is_the_other_one():
    points = moving(0, count=2000)
    result = realistic(points, np.arange(2000) * STEP, np.random.default_rng(0))
    right = result[result[:, RIGHT_HAND.start, 2] > 0][:, RIGHT_HAND, 0].mean(axis=1)
    assert (right > 0).mean() == pytest.approx(WRONG, abs=0.015)


def test_points_jitter_by_hundredths_and_wrists_drift():
    points = moving(0)
    result = realistic(points, np.arange(len(points)) * STEP, np.random.default_rng(0))
    trunk, wrist = SHOULDERS[0], KEYPOINTS.index("right_wrist")
    assert (result[:, trunk, :2] - points[:, trunk, :2]).std() < 0.004
    off = result[:, wrist, :2] - points[:, wrist, :2]
    assert 0.02 < off.std() < 0.08
    assert np.abs(np.diff(off, axis=0)).mean() < 0.2 * np.abs(off).mean()


def test_the_same_seed_gives_the_same_points():
    points, times = moving(1), np.arange(400) * STEP
    one, again = (realistic(points, times, np.random.default_rng(5)) for _ in range(2))
    assert (one == again).all()


def test_one_frame_and_nobody_are_no_special_cases():
    one = realistic(moving(0, count=1), np.zeros(1), np.random.default_rng(0))
    assert one.shape == (1, 64, 3)
    assert not realistic(np.zeros((4, 64, 3), np.float32), np.arange(4) * STEP, np.random.default_rng(0)).any()


def test_an_avatars_exact_points_are_marked_as_extractors_mark_theirs():
    signer = Signer.sample(np.random.default_rng(1))
    recording, _ = record(SIGNS["MOTHER"], signer, 0)
    pose = exact_pose(recording)
    seen = recording.keypoints[..., 3] > 0
    assert (pose.points[seen] == recording.keypoints[seen][:, [0, 1, 3]]).all()
    assert set(np.unique(pose.points[~seen][:, 2])) <= {0, HIDDEN}
    assert pose.found[:, BODY].all()  # the legs are guessed outside the frame
    inside = ((recording.keypoints[..., :2] > 0) & (recording.keypoints[..., :2] < pose.size)).all(axis=-1)
    for hand in (LEFT_HAND, RIGHT_HAND):
        assert (pose.found[:, hand] == inside[:, hand]).all()
    assert pose.times[1] == pytest.approx(1 / recording.fps)


def test_a_performance_that_nobody_films_has_the_same_points():
    """Both draw timing and sway from the same generator, so places agree exactly."""
    signer = Signer.sample(np.random.default_rng(1))
    rng = np.random.default_rng(4)
    unfilmed = perform_pose(SIGNS["CAR"], signer, rng)
    assert len(unfilmed.points) == len(unfilmed.times)
    filmed = exact_pose(record(SIGNS["CAR"], signer, 4)[0])
    assert unfilmed.points.shape == filmed.points.shape
    one, other = (normalized(pose.points, pose.size)[:, SHOULDERS[0], :2].mean(axis=0) for pose in (unfilmed, filmed))
    assert one == pytest.approx(other, abs=0.05)
