"""A clip's key points, kept in a file."""

import numpy as np
import pytest
from safetensors.numpy import save_file

from data_engineering.errors import RunError
from data_engineering.keypoints import BODY, FACE, KEYPOINTS, LEFT_HAND, RIGHT_HAND, SHOULDERS, SWAPPED
from data_engineering.pose.record import Pose, pose_path, read_about, read_pose, write_pose


@pytest.fixture
def pose():
    rng = np.random.default_rng(0)
    points = np.concatenate([rng.uniform(0, 900, (5, 64, 2)), rng.uniform(0.1, 1, (5, 64, 1))], axis=2)
    points[2, RIGHT_HAND] = 0
    return Pose(points.astype(np.float32), np.arange(5, dtype=np.float32) / 25, (960, 540))


def test_key_points_come_back_to_half_a_pixel(tmp_path, pose):
    path = pose_path(tmp_path, "01234")
    write_pose(path, pose, {"sha256": "ab"})
    again = read_pose(path)
    assert np.abs(again.points - pose.points).max() <= 0.5
    assert (again.times == pose.times).all()
    assert again.size == (960, 540)
    assert read_about(path) == {"sha256": "ab"}


def test_points_come_back_in_their_places_however_they_lay_in_memory(tmp_path, pose):
    other = Pose(np.asfortranarray(pose.points), pose.times[::-1], pose.size)
    write_pose(tmp_path / "a.safetensors", other, {})
    again = read_pose(tmp_path / "a.safetensors")
    assert np.abs(again.points - pose.points).max() <= 0.5
    assert (again.times == pose.times[::-1]).all()


def test_the_same_points_are_the_same_bytes(tmp_path, pose):
    written = set()
    for number in range(8):
        write_pose(
            tmp_path / f"{number}.safetensors", pose, {"by": {"name": "x", "version": "1"}, "clip": {"start": 0}}
        )
        written.add((tmp_path / f"{number}.safetensors").read_bytes())
    assert len(written) == 1


def test_a_point_that_was_not_found_stays_so(tmp_path, pose):
    write_pose(tmp_path / "a.safetensors", pose, {})
    again = read_pose(tmp_path / "a.safetensors")
    assert not again.found[2, RIGHT_HAND].any()
    assert again.found[2, LEFT_HAND].all()


def test_what_is_no_file_of_key_points_is_refused(tmp_path, pose):
    path = tmp_path / "a.safetensors"
    with pytest.raises(RunError, match="does not exist; run `signvlm pose`"):
        read_pose(path)
    path.write_bytes(b"no")
    with pytest.raises(RunError, match="cannot be read"):
        read_pose(path)
    save_file({"points": pose.points}, path)
    with pytest.raises(RunError, match="no key points of this version"):
        read_pose(path)
    write_pose(path, Pose(pose.points[:, :17], pose.times, pose.size), {})
    with pytest.raises(RunError, match="no key points of this form"):
        read_pose(path)
    write_pose(path, Pose(pose.points * np.nan, pose.times, pose.size), {})
    with pytest.raises(RunError, match="no key points of this form"):
        read_pose(path)
    assert read_about(tmp_path / "b.safetensors") is None


def test_names_stand_where_the_parts_say():
    assert len(KEYPOINTS) == len(set(KEYPOINTS)) == 64
    assert all(name.startswith("left_hand_") for name in KEYPOINTS[LEFT_HAND])
    assert all(name.startswith("right_hand_") for name in KEYPOINTS[RIGHT_HAND])
    assert all(name.startswith("face_") for name in KEYPOINTS[FACE])
    assert KEYPOINTS[BODY][-1] == "right_ankle"
    assert [KEYPOINTS[index] for index in SHOULDERS] == ["left_shoulder", "right_shoulder"]
    for index, other in enumerate(SWAPPED):
        assert SWAPPED[other] == index
        assert (KEYPOINTS[index] == KEYPOINTS[other]) == ("left" not in KEYPOINTS[index] + KEYPOINTS[other])
