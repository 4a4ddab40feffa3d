"""What is counted of a clip's key points, on the avatar's own."""

import numpy as np
from avatar_poses import avatar_pose

from data_engineering.keypoints import FACE, LEFT_HAND, RIGHT_HAND
from data_engineering.pose.rates import counted, summed
from data_engineering.pose.record import Pose


def found_everywhere(pose: Pose) -> np.ndarray:
    points = pose.points.copy()
    points[..., 2] = 1
    return points


def test_frames_are_counted_by_what_was_found_in_them() -> None:
    pose, phases = avatar_pose()
    points = found_everywhere(pose)
    points[: len(points) // 2, LEFT_HAND] = 0
    points[:, RIGHT_HAND] = 0
    points[3, FACE] = 0
    counts = counted(Pose(points, pose.times, pose.size))
    total = len(points)
    assert (counts["frames"], counts["pose"], counts["face"]) == (total, total, total - 1)
    assert (counts["left_hand"], counts["right_hand"]) == (total - total // 2, 0)
    assert counts["any_hand"] == counts["left_hand"]
    assert counts["jumps"] == 0
    signing = sum(phase != "rest" for phase in phases)
    assert signing - 2 <= counts["active"] <= signing + 6
    assert counts["active_any_hand"] < counts["active"]


def test_going_to_somebody_else_and_back_is_two_jumps() -> None:
    pose, _ = avatar_pose()
    points = found_everywhere(pose)
    points[5:8, :, 0] += pose.size[0]
    assert counted(Pose(points, pose.times, pose.size))["jumps"] == 2


def test_one_frame_and_nobody_are_counted_too() -> None:
    pose, _ = avatar_pose()
    one = counted(Pose(found_everywhere(pose)[:1], pose.times[:1], pose.size))
    assert (one["frames"], one["pose"], one["active"]) == (1, 1, 1)
    nobody = counted(Pose(pose.points * 0, pose.times, pose.size))
    assert (nobody["pose"], nobody["any_hand"], nobody["jumps"]) == (0, 0, 0)


def test_shares_are_of_all_frames_of_all_clips() -> None:
    usual = {"active": 2, "pose": 4, "face": 0, "left_hand": 1, "right_hand": 0, "any_hand": 1, "active_any_hand": 1}
    told = summed([{"frames": 4, **usual}, {"frames": 12, **usual, "active_any_hand": 0}])
    assert told["clips"] == 2
    assert told["frames"] == 16
    assert (told["pose"], told["left_hand"], told["active"]) == (0.5, 0.125, 0.25)
    assert told["active_any_hand"] == 0.25
    assert summed([])["pose"] is None
