"""COCO-WholeBody's JSON and MMPose's: whose points become which of ours, and that nothing odd is believed."""

import json

import numpy as np
import pytest
from foreign_files import WHOLE_BODY, coco, mmpose, standing

from data_engineering.keypoints import KEYPOINTS, LEFT_HAND
from data_engineering.pose.wholebody import read_wholebody
from data_engineering.reasons import ClipError

NAMES = [point for points in WHOLE_BODY.values() for point in points]
FORMS = {"coco": coco, "mmpose from one": mmpose, "mmpose from nought": lambda people: mmpose(people, first=0)}


def read(content: object):
    return read_wholebody(json.dumps(content), max_frames=100)


def refused(content: object) -> str:
    with pytest.raises(ClipError) as error:
        read(content)
    assert error.value.reason == "bad_pose"
    return error.value.detail


@pytest.mark.parametrize("form", FORMS)
def test_the_133_become_ours_in_order_of_the_frames(form: str) -> None:
    points = read(FORMS[form](standing(NAMES, 4))).people
    assert points.shape == (4, 1, 64, 3)
    assert (points[..., 2] == 1).all()
    x = dict(zip(KEYPOINTS, points[0, 0, :, 0].tolist(), strict=True))
    # Half a pixel on: theirs are counted from the first pixel's middle, ours from its edge.
    order = {name: 32.5 + at / 10 for at, name in enumerate(NAMES)}
    for ours, theirs in {
        "nose": "nose",
        "right_ankle": "right_ankle",
        "left_hand_wrist": "left_hand_0",
        "right_hand_little_tip": "right_hand_20",
        "face_nose": "face-30",
        "face_left_ear": "face-16",
    }.items():
        assert x[ours] == pytest.approx(order[theirs], abs=1e-4), ours
    assert x["face_right_eye"] == pytest.approx((order["face-36"] + order["face-39"]) / 2, abs=1e-4)
    assert points[:, 0, 0, 1] == pytest.approx([24.5, 24.6, 24.7, 24.8], abs=1e-4)


def test_several_people_and_frames_without_anybody() -> None:
    people = np.concatenate([standing(NAMES, 4)] * 2, axis=1)
    people[1] = 0
    content = mmpose(people)
    content["instance_info"][1]["instances"].pop()
    points = read(content).people
    assert points.shape[:2] == (4, 2)
    assert (points[..., 2] > 0).any(axis=2).tolist() == [[True, True], [False, False], [True, False], [True, True]]


def test_flags_and_scores_become_scores() -> None:
    people = standing(NAMES, 2)
    assert (read(coco(people, visible=1)).people[..., 2] == 0.5).all()  # there, but hidden
    assert read(coco(people, visible=0.7)).people[..., 2] == pytest.approx(0.7)
    people[..., 2] = 3.5
    assert (read(mmpose(people)).people[..., 2] == 1).all()


def test_parts_that_may_be_left_out_and_points_that_are_no_numbers_are_not_found() -> None:
    content = coco(standing(NAMES, 2))
    for annotation in content["annotations"]:
        annotation["face_kpts"], annotation["foot_kpts"] = [], None
        annotation["lefthand_kpts"] = [float("nan")] * 63
    points = read(content).people
    assert not points[:, :, 59:].any()
    assert not points[:, :, LEFT_HAND].any()


def test_size_and_rate_are_taken_where_they_are_told() -> None:
    content = coco(standing(NAMES, 2), size=(640, 480))
    assert read(content).size == (640, 480)
    assert read(content).fps is None
    assert read({**content, "info": {"fps": 25}}).fps == 25
    assert read(mmpose(standing(NAMES, 2))).size is None


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ({}, "has no list of instance_info; it should be COCO-WholeBody's JSON or MMPose's"),
        (3, "has no list of instance_info; it should be COCO-WholeBody's JSON or MMPose's"),
        ({"annotations": []}, "has no list of images; it should be COCO-WholeBody's JSON or MMPose's"),
        (
            [{"frame_id": 1, "instances": [{"keypoints": [[1, 2]] * 17, "keypoint_scores": [1] * 17}]}],
            "holds 17 points a",
        ),
        ([{"frame_id": 1, "instances": [{"keypoints": "points"}]}], "keypoints: holds what is no list of numbers"),
        ([{"frame_id": 1, "instances": 3}], "has no list of instances"),
        ([{"instances": []}], "its frames have no frame_id of their own"),
        ([{"frame_id": 1}, {"frame_id": 1}], "its frames have no frame_id of their own"),
        ([{"frame_id": 10**9, "instances": []}], "claims 1,000,000,000 frames; validate.max_frames is 100"),
        ({"images": [{"id": 1}, {"id": 1}], "annotations": []}, "its images have no ids of their own"),
        ({"images": [{"id": [1]}], "annotations": []}, "its images have no ids of their own"),
        ({"images": [{"id": 1}], "annotations": [{"image_id": 2}]}, "an annotation is of image '2', which it does not"),
        ({"images": [{"id": 1}], "annotations": [{"image_id": 1, "keypoints": [1, 2]}]}, "keypoints holds 2 numbers"),
    ],
)
def test_what_is_not_of_the_form_is_refused(content: object, told: str) -> None:
    assert refused(content).startswith(told)


def test_what_is_no_json_is_refused() -> None:
    for text in ("", "{", "[" * 100_000, "NaN"):
        with pytest.raises(ClipError, match="bad_pose"):
            read_wholebody(text, 100)


def test_nobody_is_told_from_a_bad_file() -> None:
    for content in ({"images": [{"id": 1}], "annotations": []}, [], [{"frame_id": 1, "instances": []}]):
        with pytest.raises(ClipError, match="no_person"):
            read(content)
