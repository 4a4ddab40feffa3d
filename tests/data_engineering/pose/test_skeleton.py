"""Key points drawn as frames: a body above, each hand enlarged below, intensity for certainty, nothing for nothing."""

import numpy as np
import pytest
from avatar_poses import avatar_pose

from data_engineering.keypoints import KEYPOINTS, LEFT_HAND, RIGHT_HAND
from data_engineering.pose.normalize import normalized
from data_engineering.pose.skeleton import drawn, panel_places, shown, skeleton_frames

RED, GREEN, BLUE = range(3)


def points_of(gloss="MOTHER", signer=0):
    pose, _ = avatar_pose(gloss, signer)
    return normalized(pose.points, pose.size)


def quadrants(frames):
    """Body, and the panels of the picture's left and right."""
    half = frames.shape[1] // 2
    return frames[:, :half], frames[:, half:, :half], frames[:, half:, half:]


@pytest.mark.parametrize("side", [64, 96, 448])
def test_frames_are_square_pictures_of_the_asked_size(side):
    frames = skeleton_frames(points_of(), 3, side)
    assert frames.shape == (3, side, side, 3)
    assert frames.dtype == np.uint8
    assert all(frame.max() > 200 for frame in frames)


def test_the_same_points_give_the_same_frames():
    points = points_of()
    assert (skeleton_frames(points, 8) == skeleton_frames(points, 8)).all()


def test_camera_and_picture_size_leave_no_trace():
    pose, _ = avatar_pose("CAR", 1)
    other = pose.points * [2, 2, 1] + np.array([70, 30, 0]) * pose.found[..., None]
    one, again = (skeleton_frames(normalized(points, pose.size), 8) for points in (pose.points, other))
    assert np.abs(one.astype(int) - again).mean() < 0.2


def test_each_arm_and_the_head_have_a_channel():
    points = points_of()
    points[:, LEFT_HAND] = points[:, RIGHT_HAND] = 0
    for part, channel in (("left", RED), ("right", GREEN)):
        without = points.copy()
        without[:, [KEYPOINTS.index(f"{part}_{joint}") for joint in ("elbow", "wrist")]] = 0
        # One and the same frame, so that no other is sampled for want of a wrist.
        one, other = (drawn(shown(clip[20:21], 1)) for clip in (points, without))
        change = (one != other).any(axis=(0, 1, 2))
        assert change[channel]
        assert not change[1 - channel]
    head = skeleton_frames(points, 1)[0, :16, 24:40]
    assert head[..., BLUE].max() > 150


def test_the_persons_right_hand_is_on_the_pictures_left_and_enlarged():
    points = points_of("MOTHER", 0)
    points[:, LEFT_HAND] = 0
    _, left, right = quadrants(skeleton_frames(points, 8))
    assert not right.any()
    middle = left[4].max(axis=-1) > 60
    rows, columns = np.flatnonzero(middle.any(axis=1)), np.flatnonzero(middle.any(axis=0))
    assert max(np.ptp(rows), np.ptp(columns)) >= 22  # of 32 pixels; in the whole figure it has seven


def test_a_fingers_colour_is_its_own():
    hand = np.zeros((1, 64, 3), np.float32)
    for finger in range(5):
        for joint in range(4):
            hand[0, RIGHT_HAND.start + 1 + 4 * finger + joint] = (0.1 * finger, -0.1 * joint, 1)
    hand[0, RIGHT_HAND.start] = (0.2, 0.2, 1)
    panel = quadrants(drawn(shown(hand, 1), 128))[1][0]
    columns = [panel[10:40, column] for column in np.linspace(8, 56, 5).astype(int)]
    brightest = [tuple((column.max(axis=0) > 150).tolist()) for column in columns]
    assert len(set(brightest)) == 5


def test_a_hand_that_is_missing_for_a_moment_is_shown_at_half_brightness():
    points = points_of("MOTHER", 0)
    middle = len(points) // 2
    points[:, LEFT_HAND] = 0
    clip = np.tile(points[middle], (9, 1, 1))
    full = quadrants(skeleton_frames(clip, 1))[1].max()
    clip[3:6, RIGHT_HAND] = 0
    half = quadrants(skeleton_frames(clip, 1))[1].max()
    assert half == pytest.approx(full / 2, abs=12)
    clip[:, RIGHT_HAND] = 0
    assert not quadrants(skeleton_frames(clip, 1))[1].any()


def test_the_score_is_the_intensity():
    points = points_of()
    faint = points * [1, 1, 0.25]
    strong, weak = (quadrants(skeleton_frames(clip, 4))[0].max() for clip in (points, faint))
    assert weak == pytest.approx(strong / 4, abs=10)


def test_the_wrists_way_since_two_samples_before_is_a_trail():
    points = np.zeros((30, 64, 3), np.float32)
    wrist = KEYPOINTS.index("right_wrist")
    points[:, wrist] = np.stack([np.linspace(-1.2, 1.2, 30), np.full(30, 0.3), np.ones(30)], axis=1)
    frames = skeleton_frames(points, 6)
    lengths = [(quadrants(frames)[0][number, :, :, GREEN] > 30).any(axis=0).sum() for number in range(6)]
    assert lengths[0] < lengths[1] < lengths[2]
    assert lengths[3] == pytest.approx(lengths[2], abs=3)


def test_only_the_segment_in_which_somebody_signs_is_sampled():
    pose, phases = avatar_pose("PLEASE", 4)
    what = shown(normalized(pose.points, pose.size), 8)
    assert (np.diff(what.at) >= 0).all()
    assert (phases[what.at] == 2).sum() >= 4


def test_nobody_and_one_frame_and_wild_places_can_be_drawn():
    assert not skeleton_frames(np.zeros((5, 64, 3), np.float32), 8).any()
    assert skeleton_frames(points_of()[:1], 8).shape == (8, 64, 64, 3)
    wild = points_of() * [1e6, -1e6, 1]
    assert skeleton_frames(wild.astype(np.float32), 2).shape == (2, 64, 64, 3)


def test_panel_places_tell_where_points_are_drawn():
    points = points_of("CAR", 0)
    what = shown(points, 8)
    places, frames = panel_places(what), drawn(what, 256)
    tip = RIGHT_HAND.start + 8
    for place, frame in zip(places[2:6], frames[2:6], strict=True):
        if place[tip, 2] > 0:
            x, y = (place[tip, :2] * 128).astype(int)
            assert frame[128 + y - 4 : 128 + y + 5, max(x - 4, 0) : x + 5].max() > 60
    nose = KEYPOINTS.index("nose")
    assert (np.abs(places[:, nose, 0] - 0.5) < 0.1).all()
    assert not places[~(places[..., 2] > 0)].any()
