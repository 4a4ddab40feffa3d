"""`signvlm pose` on the command line: what it prints, and that what goes wrong is one line."""

import json

import pytest
from clips import write_clip, write_index
from pose_clips import PROGRAM

from data_engineering.pose import extractor
from data_engineering.pose.record import pose_path, read_pose


@pytest.fixture
def options(call, tmp_path):
    """The options that name a validated data root of two clips, 00001 and 00002."""
    root = tmp_path / "data"
    (root / "raw_videos").mkdir(parents=True)
    names = ("00001", "00002")
    for name in names:
        write_clip(root / "raw_videos" / f"{name}.mp4", frames=8)
    index = write_index(root / "index.json", [{"video_id": name, "gloss": name} for name in names])
    given = {"data.root": root, "data.index": index, "data.glossary": "null", "validate.workers": 1}
    options = [word for key, value in given.items() for word in ("--set", f"{key}={value}")]
    assert call("validate", *options).status == 0
    return options


def test_points_are_found_and_told(call, options, tmp_path, monkeypatch):
    monkeypatch.setattr(extractor, "HOLISTIC", PROGRAM)
    called = call("pose", *options)
    assert called.status == 0, called.err
    lines = called.out.splitlines()
    assert lines[0] == "pose: 2 clips with key points, 0 without, 16 frames"
    assert "  pose         100.0% of the frames" in lines
    assert lines[-1].startswith("  next     signvlm train --set data.root=")
    assert len(read_pose(pose_path(tmp_path / "data", "00001")).points) == 8
    again = call("pose", *options, "--quiet")
    assert again.out.startswith("pose: 2 clips with key points, 0 without, 16 frames (2 up to date, not done again)")
    assert again.err == ""


def test_points_that_were_brought_along(call, refused, options, tmp_path):
    folder = tmp_path / "poses"
    folder.mkdir()
    told = refused(2, "pose", "--from", folder, *options)
    assert "holds no <video_id>.pose or <video_id>.json of any of 2 validated clips" in told
    people = [{"keypoints": [[20 + n / 10, 20] for n in range(133)], "keypoint_scores": [0.9] * 133}]
    frames = [{"frame_id": number, "instances": people} for number in range(8)]
    (folder / "00001.json").write_text(json.dumps(frames))
    called = call("pose", "--from", folder, *options)
    assert called.status == 0, called.err
    assert called.out.startswith("pose: 1 clips with key points, 1 without, 8 frames")


def test_without_uv_it_is_one_line_and_other_verbs_are_unharmed(call, refused, options, monkeypatch):
    monkeypatch.setenv("PATH", "")
    told = refused(1, "pose", *options)
    assert told.startswith("uv: not found, and the extractor's environment is made by it; install uv")
    assert call("preprocess", *options, "--set", "preprocess.size=32").status == 0


def test_without_validated_clips_it_says_what_to_run(refused, tmp_path):
    (tmp_path / "empty").mkdir()
    assert "run `signvlm validate`" in refused(1, "pose", "--set", f"data.root={tmp_path / 'empty'}")
