"""A label says where 64 named points are; what it says wrong is refused with the reason."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data_engineering.keypoints import KEYPOINTS
from signvlm.keypoints.labels import Label, parse_label, read_label, write_label


def told(**changes: Any) -> dict[str, Any]:
    points = [{"name": name, "x": 10.0 + number, "y": 20, "visible": 1} for number, name in enumerate(KEYPOINTS)]
    return {"image": "a.jpg", "width": 200, "height": 100, "keypoints": points, "bbox": [5, 5, 90, 95]} | changes


def changed(**fields: Any) -> list[dict[str, Any]]:
    """The points of `told`, the first with other fields; None takes a field away."""
    first = {key: value for key, value in (told()["keypoints"][0] | fields).items() if value is not None}
    return [first, *told()["keypoints"][1:]]


def test_a_label_is_written_and_read_back(tmp_path: Path) -> None:
    points = np.zeros((64, 3), np.float32)
    points[:, :2], points[::2, 2] = [12.25, 30.5], 1
    write_label(tmp_path / "a.json", Label("a.png", (50, 60), points, (1.0, 2.0, 40.0, 50.0), "anna"))
    back = read_label(tmp_path / "a.json")
    assert (back.image, back.size, back.bbox, back.signer) == ("a.png", (50, 60), (1.0, 2.0, 40.0, 50.0), "anna")
    np.testing.assert_array_equal(back.points, points)


def test_points_come_in_the_order_of_the_names_whatever_the_files_order() -> None:
    label = parse_label(told(keypoints=told()["keypoints"][::-1]))
    assert label.points[:, 0].tolist() == [10.0 + number for number in range(64)]


def test_visible_defaults_to_one() -> None:
    assert parse_label(told(keypoints=changed(visible=None))).points[0].tolist() == [10, 20, 1]


def test_a_hidden_point_may_lie_outside_of_the_image() -> None:
    assert parse_label(told(keypoints=changed(x=-40, visible=0))).points[0].tolist() == [-40, 20, 0]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ([], "holds a list"),
        (told(image="../secret.jpg"), "image '../secret.jpg' is not the name of a file"),
        (told(image="a.gif"), "is not a .jpg"),
        (told(width=0), "width 0 is not a whole number of pixels"),
        (told(height=True), "height True is not a whole number"),
        (told(keypoints="all"), "keypoints is a string"),
        (told(keypoints=told()["keypoints"][2:]), "lacks 2 of the 64 names: nose, left_eye"),
        (told(keypoints=[*told()["keypoints"], {"name": "tail", "x": 1, "y": 1}]), "'tail', which is none of the 64"),
        (told(keypoints=[*told()["keypoints"], told()["keypoints"][3]]), "holds left_ear twice"),
        (told(keypoints=[None]), "none of the 64 names"),
        (told(keypoints=changed(x="left")), "nose: x 'left' is not a number"),
        (told(keypoints=changed(y=float("nan"))), "nose: y nan is not a number"),
        (told(keypoints=changed(y=1e30)), "nose: y 1e+30 is far outside"),
        (told(keypoints=changed(visible=2)), "nose: visible 2 is neither 0 nor 1"),
        (told(keypoints=changed(x=200.5)), "nose (200.5, 20) is visible and lies outside of the image of 200 x 100"),
        (told(bbox=[5, 5, 90]), "is not [xmin, ymin, xmax, ymax]"),
        (told(bbox=[90, 5, 5, 95]), "is no box"),
        (told(signer={}), "signer {} is no name"),
    ],
)
def test_what_is_wrong_is_named(value: Any, reason: str) -> None:
    with pytest.raises(ValueError, match=r".") as refused:
        parse_label(value)
    assert reason in str(refused.value)


@pytest.mark.parametrize(
    ("write", "reason"),
    [
        (lambda path: path.write_text("{"), "is no JSON"),
        (lambda path: path.write_bytes(b"\xff\xfe\x00"), "is no UTF-8 text"),
        (lambda path: path.write_text("[" * 100_000), "is no JSON"),
        (lambda path: path.write_text(json.dumps("x" * 1_100_000)), "more than 1,000,000 bytes"),
        (lambda path: path.mkdir(), "cannot be read"),
    ],
)
def test_a_file_that_is_no_label_is_refused(tmp_path: Path, write: Callable[[Path], Any], reason: str) -> None:
    write(tmp_path / "a.json")
    with pytest.raises(ValueError, match=reason):
        read_label(tmp_path / "a.json")
