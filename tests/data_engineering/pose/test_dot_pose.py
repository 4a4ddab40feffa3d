"""`.pose` files: whose points become which of ours, and that no damaged one is believed."""

from contextlib import suppress

import numpy as np
import pytest
from foreign_files import HOLISTIC, WHOLE_BODY, dot_pose, standing

from data_engineering.keypoints import BODY, FACE, KEYPOINTS, LEFT_HAND, RIGHT_HAND
from data_engineering.pose.dot_pose import read_dot_pose
from data_engineering.reasons import ClipError

MOST = 100


def names(components: dict) -> list[tuple[str, str]]:
    return [(component, point) for component, points in components.items() for point in points]


def read(data: bytes):
    return read_dot_pose(data, MOST)


def refused(data: bytes) -> str:
    with pytest.raises(ClipError) as error:
        read(data)
    assert error.value.reason == "bad_pose"
    return error.value.detail


@pytest.mark.parametrize("version", [0.1, 0.2])
def test_holistics_points_become_ours_by_name(version: float) -> None:
    people = standing(names(HOLISTIC), 3)
    foreign = read(dot_pose(HOLISTIC, people, version=version, fps=25))
    assert foreign.people.shape == (3, 1, 64, 3)
    assert (foreign.size, foreign.fps) == ((64, 48), 25)
    assert (foreign.people[..., 2] == 1).all()
    order = {name: 32 + at / 10 for at, name in enumerate(names(HOLISTIC))}
    x = dict(zip(KEYPOINTS, foreign.people[0, 0, :, 0].tolist(), strict=True))
    for ours, theirs in {
        "nose": ("POSE_LANDMARKS", "NOSE"),
        "left_wrist": ("POSE_LANDMARKS", "LEFT_WRIST"),
        "right_ankle": ("POSE_LANDMARKS", "RIGHT_ANKLE"),
        "left_hand_wrist": ("LEFT_HAND_LANDMARKS", "WRIST"),
        "left_hand_thumb_cmc": ("LEFT_HAND_LANDMARKS", "THUMB_CMC"),
        "right_hand_index_mcp": ("RIGHT_HAND_LANDMARKS", "INDEX_FINGER_MCP"),
        "right_hand_little_tip": ("RIGHT_HAND_LANDMARKS", "PINKY_TIP"),
        "face_nose": ("FACE_LANDMARKS", "4"),
    }.items():
        assert x[ours] == pytest.approx(order[theirs], abs=1e-4), ours
    eye = (order["FACE_LANDMARKS", "263"] + order["FACE_LANDMARKS", "362"]) / 2
    assert x["face_left_eye"] == pytest.approx(eye, abs=1e-4)


@pytest.mark.parametrize("sided", [True, False])
def test_the_133_points_become_ours_too(sided: bool) -> None:
    """The two ways in which hands' points are named: with their side, and without."""
    told = {part: [name if sided else name.partition("_")[2] for name in each] for part, each in WHOLE_BODY.items()}
    told |= {part: WHOLE_BODY[part] for part in ("BODY", "FACE")}
    foreign = read(dot_pose(told, standing(names(told), 2), layout="XYC"))
    assert (foreign.people[..., 2] == 1).all()
    order = {point: 32 + at / 10 for at, (_, point) in enumerate(names(WHOLE_BODY))}
    x = dict(zip(KEYPOINTS, foreign.people[0, 0, :, 0].tolist(), strict=True))
    assert x["left_shoulder"] == pytest.approx(order["left_shoulder"], abs=1e-4)
    assert x["right_hand_thumb_tip"] == pytest.approx(order["right_hand_4"], abs=1e-4)
    assert x["face_right_ear"] == pytest.approx(order["face-0"], abs=1e-4)


def test_openposes_points_become_ours_too() -> None:
    body = ["Nose", "Neck", "RShoulder", "RElbow", "RWrist", "LShoulder", "LElbow", "LWrist"]
    hand = [
        "BASE",
        "T_STT",
        "T_BCMC",
        "T_MCP",
        "T_IP",
        *(f"{f}_{b}" for f in "IMRP" for b in ("CMC", "MCP", "PIP", "DIP")),
    ]
    parts = {"pose_keypoints_2d": body, "hand_left_keypoints_2d": hand, "hand_right_keypoints_2d": hand}
    foreign = read(dot_pose(parts, standing(names(parts), 2), layout="XYC"))
    found = foreign.people[0, 0, :, 2] > 0
    assert found[LEFT_HAND].all()
    assert found[RIGHT_HAND].all()
    assert not found[FACE].any()
    assert [name for name, there in zip(KEYPOINTS[BODY], found[BODY], strict=True) if there] == [
        "nose", "left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist",
    ]  # fmt: skip


def test_what_a_file_does_not_name_is_not_found() -> None:
    body = {"POSE_LANDMARKS": HOLISTIC["POSE_LANDMARKS"]}
    points = read(dot_pose(body, standing(names(body), 2))).people
    assert (points[:, :, BODY, 2] == 1).all()
    assert not points[:, :, 17:].any()


def test_what_is_no_number_or_has_no_score_is_not_found() -> None:
    people = standing(names(HOLISTIC), 3)
    people[0, 0, 0, 0] = np.nan
    people[1, 0, 0, 2] = 0
    people[2, 0, 0, 1] = np.inf
    people[2, 0, 11, 2] = 7
    points = read(dot_pose(HOLISTIC, people)).people
    assert not points[:, 0, 0].any()
    assert points[2, 0, KEYPOINTS.index("left_shoulder"), 2] == 1


def test_unknown_names_are_told_and_the_known_ones_too() -> None:
    strange = {"SKELETON": ["head", "tail"]}
    told = refused(dot_pose(strange, standing(names(strange), 2)))
    assert told == "has points of SKELETON; known are those of MediaPipe, COCO-WholeBody, OpenPose"


def test_lacking_names_are_told() -> None:
    parts = {"POSE_LANDMARKS": ["NOSE", "LEFT_SHOULDER", "RIGHT_SHOULDER", "LEFT_WRIST"]}
    assert refused(dot_pose(parts, standing(names(parts), 2))) == "names no right_wrist"


def test_a_file_without_a_person_says_so() -> None:
    with pytest.raises(ClipError, match="no_person"):
        read(dot_pose(HOLISTIC, np.zeros((3, 0, len(names(HOLISTIC)), 3))))


def test_no_damaged_file_is_believed() -> None:
    people = standing(names(HOLISTIC), 3)
    whole = dot_pose(HOLISTIC, people)
    for size in (0, 3, 4, 11, 12, 40, 500, len(whole) - 1):
        assert refused(whole[:size]), size
    assert refused(dot_pose(HOLISTIC, people, version=0.0)) == "no .pose file of version 0.1 or 0.2 (it says 0)"
    assert refused(dot_pose(HOLISTIC, people, size=(0, 48))).endswith("a picture of 0 x 48")
    assert "has the format 'CYX'" in refused(dot_pose(HOLISTIC, people, layout="CYX"))
    assert refused(dot_pose(HOLISTIC, standing(names(HOLISTIC), MOST + 1))).startswith("claims 101 frames")
    assert refused(b"\x89PNG\r\n\x1a\n" + bytes(1000)).startswith("no .pose file of version")


def test_no_noise_is_believed() -> None:
    rng = np.random.default_rng(0)
    whole = dot_pose(HOLISTIC, standing(names(HOLISTIC), 3))
    for _ in range(300):
        damaged = bytearray(whole)
        for place in rng.integers(0, 3000, 5):
            damaged[place] = rng.integers(256)
        with suppress(ClipError):
            assert np.isfinite(read(bytes(damaged)).people).all()
