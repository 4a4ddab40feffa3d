"""What is known of a clip's key points: only of this clip, and only what such a file says."""

import json
from pathlib import Path

import numpy as np
import pytest

from data_engineering.pose.kept import about, keep, refuse, refused, summary
from data_engineering.pose.record import Pose, pose_path, write_pose
from data_engineering.reasons import ClipError

ROW = {"video_id": "a", "gloss": "book", "bbox": None, "media": {"sha256": "00", "start": 0.0, "end": 0.2}}
BY = {"name": "some", "version": "1"}
POSE = Pose(np.ones((5, 64, 3), np.float32), np.arange(5, dtype=np.float32), (64, 48))


def changed(**media: object) -> dict:
    return {**ROW, "media": {**ROW["media"], **media}}  # type: ignore[dict-item]


def test_points_are_of_one_file_one_range_and_one_box(tmp_path: Path) -> None:
    counts = keep(tmp_path, ROW, POSE, BY)
    assert about(tmp_path, ROW) == {"clip": {**ROW["media"], "bbox": None}, "by": BY, "counts": counts}  # type: ignore[dict-item]
    for other in (changed(sha256="11"), changed(start=0.1), changed(end=0.3), {**ROW, "bbox": [0, 0, 9, 9]}):
        assert about(tmp_path, other) is None


def test_points_take_the_place_of_a_refusal_and_a_refusal_theirs(tmp_path: Path) -> None:
    refuse(tmp_path, ROW, ClipError("no_person", "nobody"), BY)
    told = refused(tmp_path, ROW)
    assert told is not None
    assert (told["reason"], told["detail"], told["by"]) == ("no_person", "nobody", BY)
    assert refused(tmp_path, changed(sha256="11")) is None
    keep(tmp_path, ROW, POSE, BY)
    assert refused(tmp_path, ROW) is None
    refuse(tmp_path, ROW, ClipError("no_person", "nobody"), BY)
    assert about(tmp_path, ROW) is None


@pytest.mark.parametrize("change", [{"counts": None}, {"counts": {"frames": 5}}, {"by": None}, {"clip": None}])
def test_a_file_that_tells_something_else_is_none(tmp_path: Path, change: dict) -> None:
    keep(tmp_path, ROW, POSE, BY)
    told = about(tmp_path, ROW)
    assert told is not None
    write_pose(pose_path(tmp_path, "a"), POSE, {**told, **change})
    assert about(tmp_path, ROW) is None
    assert summary(tmp_path, [ROW])["clips"] == 0


def test_a_damaged_refusal_is_none(tmp_path: Path) -> None:
    refuse(tmp_path, ROW, ClipError("no_person", "nobody"), BY)
    path = tmp_path / "poses" / "a.refused.json"
    told = json.loads(path.read_text())
    for text in ("{", "[]", json.dumps({"clip": told["clip"]})):
        path.write_text(text)
        assert refused(tmp_path, ROW) is None
