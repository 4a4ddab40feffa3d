"""`signvlm pose --from`: each clip takes its own file, a bad one costs itself alone."""

import json
from pathlib import Path

import numpy as np
import pytest
from foreign_files import HOLISTIC, WHOLE_BODY, coco, dot_pose, standing, write_json
from pose_clips import LIMITS, PROGRAM, SMALL

from data_engineering.clip import Manifests
from data_engineering.errors import ConfigError, RunError
from data_engineering.pose.bring import bring
from data_engineering.pose.record import pose_path, read_about, read_pose
from data_engineering.pose.stage import pose
from data_engineering.report import Report
from data_engineering.settings import DataSettings

POINTS = [point for points in HOLISTIC.values() for point in points]
WHOLE = [point for points in WHOLE_BODY.values() for point in points]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "poses").mkdir()
    return tmp_path / "poses"


def run(folder: Path, data: DataSettings) -> Report:
    return bring(folder, data, LIMITS, SMALL, progress=False)


def test_each_clip_takes_its_file_and_a_bad_one_costs_itself(prepare, folder: Path) -> None:
    data = prepare("a", "b", "c", "d", "dim")
    (folder / "a.pose").write_bytes(dot_pose(HOLISTIC, standing(POINTS, 5)))
    write_json(folder / "b.json", coco(standing(WHOLE, 5)))
    (folder / "c.pose").write_bytes(b"no pose")
    (folder / "d.json").mkdir()
    (folder / "stranger.pose").write_bytes(b"")
    (folder / "notes.txt").write_text("not looked at")
    report = run(folder, data)
    assert report.counts == {"clips with key points": 2, "without": 3, "frames": 10}
    assert [line.partition(":")[0] for line in report.refused] == ["c bad_pose", "d not_a_file"]
    assert f"1 of 5 validated clips have no file in {folder}; `signvlm pose` does them" in report.notes
    assert f"1 files in {folder} are of no validated clip" in report.notes
    found = read_pose(pose_path(data.root, "a"))
    assert found.times == pytest.approx(np.arange(5) / 10, abs=1e-6)
    assert found.found.all()
    about = read_about(pose_path(data.root, "b"))
    assert about is not None
    assert about["by"]["brought"] == "b.json"
    assert json.loads(Manifests(data.root).health.read_text())["poses"]["by"] == {"brought along": 2}

    # Done again, only a file that has changed is read; what was brought stays when the others are extracted.
    (folder / "a.pose").write_bytes(dot_pose(HOLISTIC, standing(POINTS, 5), version=0.1))
    assert run(folder, data).reused == 1
    report = pose(data, LIMITS, SMALL, tell=pytest.fail, program=PROGRAM, progress=False)
    assert report.reused == 2
    assert {"2 by brought along", "3 by stand-in 1"} <= set(report.notes)


def test_a_folder_without_a_file_of_any_clip_is_refused(prepare, folder: Path) -> None:
    data = prepare("a")
    with pytest.raises(ConfigError, match=r"holds no <video_id>\.pose or <video_id>\.json of any of 1 validated clips"):
        run(folder, data)
    with pytest.raises(ConfigError, match="No such file or directory"):
        run(folder / "none", data)


def test_when_no_file_can_be_taken_the_first_reason_is_told(prepare, folder: Path) -> None:
    data = prepare("a")
    (folder / "a.json").write_bytes(b"\xff\xff")
    with pytest.raises(RunError, match="none of 1 clips has key points; a bad_pose: not text"):
        run(folder, data)
