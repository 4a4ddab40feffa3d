"""Skeletons over frames, for people to look at: where the points are, in the frames they belong to."""

from pathlib import Path

import numpy as np
from clips import write_clip
from pose_clips import PERSON, write_kinds

from data_engineering.keypoints import KEYPOINTS, LEFT_HAND, RIGHT_HAND, SHOULDERS
from data_engineering.pose.overlay import drawn, overlays
from data_engineering.pose.record import Pose

ORANGE, BLUE = (255, 160, 60), (70, 190, 255)


def has(picture: np.ndarray, colour: tuple[int, int, int]) -> bool:
    return bool((np.abs(picture.astype(int) - colour).max(axis=-1) < 40).any())


def points_at(*places: tuple[str, float, float, float]) -> np.ndarray:
    points = np.zeros((64, 3), np.float32)
    for name, x, y, score in places:
        points[KEYPOINTS.index(name)] = x, y, score
    return points


def test_a_limb_is_drawn_where_its_ends_are() -> None:
    frame = np.full((100, 200, 3), 90, np.uint8)
    picture = drawn(frame, points_at(("left_shoulder", 150, 50, 1), ("right_shoulder", 50, 50, 1)))
    assert (picture[50, 60:140] > 200).all()
    assert (picture[:40] == 90).all()
    assert (frame == 90).all()


def test_each_hand_has_its_colour_and_what_is_not_sure_is_not_drawn() -> None:
    frame = np.full((100, 200, 3), 90, np.uint8)
    for hand, ink, other in ((LEFT_HAND, ORANGE, BLUE), (RIGHT_HAND, BLUE, ORANGE)):
        points = np.zeros((64, 3), np.float32)
        points[hand] = [(40 + 5 * joint, 50, 1) for joint in range(21)]
        picture = drawn(frame, points)
        assert has(picture, ink)
        assert not has(picture, other)
        points[hand, 2] = 0.1
        assert (drawn(frame, points) == frame).all()


def test_points_far_outside_do_no_harm() -> None:
    frame = np.zeros((100, 200, 3), np.uint8)
    points = np.full((64, 3), 1e9, np.float32)
    points[:32] *= -1
    points[:, 2] = 1
    assert drawn(frame, points).shape == frame.shape


def test_pictures_are_of_the_frames_that_the_points_belong_to(tmp_path: Path) -> None:
    """A dot wanders over a clip, and the shoulders with it: what is drawn covers it in every picture."""

    def paint(index: int) -> np.ndarray:
        picture = np.full((192, 256, 3), 60, np.uint8)
        picture[60:132, 16 * index : 16 * index + 64] = (255, 0, 0)
        return picture

    clip = write_clip(tmp_path / "clip.mp4", frames=12, size=(256, 192), rate=10, paint=paint)
    points = np.zeros((12, 64, 3), np.float32)
    points[:, SHOULDERS, 2] = 1
    points[:, SHOULDERS, 1] = 96
    points[:, SHOULDERS[0], 0] = 16 * np.arange(12) + 56
    points[:, SHOULDERS[1], 0] = 16 * np.arange(12) + 8
    pictures = overlays(clip, Pose(points, np.arange(12, dtype=np.float32) / 10, (256, 192)), 4, 192)
    assert len(pictures) == 4
    assert len({picture.shape for picture in pictures}) == 1
    for picture in pictures:
        red = (picture[..., 0] > 150) & (picture[..., 1] < 110)
        white = (picture > 180).all(axis=-1)
        assert abs(np.nonzero(red)[1].mean() - np.nonzero(white)[1].mean()) < 8


def test_fewer_frames_than_pictures_give_as_many_as_there_are(tmp_path: Path) -> None:
    clip = write_kinds(tmp_path / "clip.mp4", *PERSON)
    points = np.full((5, 64, 3), 20, np.float32)
    points[..., 2] = 1
    assert len(overlays(clip, Pose(points, np.arange(5, dtype=np.float32) / 10, (64, 48)), 9, 48)) == 5
