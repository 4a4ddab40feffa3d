"""`signvlm pose`: a file of key points a clip, once, whatever ends the run; and what the health report says of them."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pose_clips import LIMITS, PERSON, PROGRAM, SMALL, gone, write_kinds
from stand_in import ANKLE

from data_engineering.clip import Manifests
from data_engineering.errors import ConfigError, RunError
from data_engineering.keypoints import LEFT_HAND, RIGHT_HAND
from data_engineering.pose.record import Pose, pose_path, read_about, read_pose
from data_engineering.pose.stage import pose
from data_engineering.report import Report
from data_engineering.settings import DataSettings, DownloadSettings, ValidateSettings
from data_engineering.validate import validate


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the stand-in writes a line a process."""
    monkeypatch.setenv("STAND_IN_LOG", str(tmp_path / "log"))
    return tmp_path / "log"


def run(data: DataSettings, program=PROGRAM, limits: ValidateSettings = LIMITS) -> Report:
    return pose(data, limits, SMALL, tell=pytest.fail, program=program, progress=False)


def found(data: DataSettings, name: str) -> Pose:
    return read_pose(pose_path(data.root, name))


def written(data: DataSettings) -> dict[str, int]:
    """When each file of key points was written."""
    return {path.stem: path.stat().st_mtime_ns for path in (data.root / "poses").glob("*.safetensors")}


def change(data: DataSettings, name: str) -> None:
    """Puts another clip in the place of one, and validates it."""
    write_kinds(data.root / "raw_videos" / f"{name}.mp4", *PERSON, "person")
    validate(data, DownloadSettings(), LIMITS, SMALL, "Which sign?", progress=False)


def told(data: DataSettings) -> dict:
    return json.loads(Manifests(data.root).health.read_text())["poses"]


def test_every_clip_gets_its_points(prepare, log: Path) -> None:
    data = prepare("a", "dim", "late", "turned", "wide", "two", "pair", "empty", "bad")
    report = run(data)
    assert report.counts == {"clips with key points": 7, "without": 2, "frames": 35}

    # Every frame, in pixels, at the clip's own rate; what was not found is marked.
    a = found(data, "a")
    assert a.size == (64, 48)
    assert a.times == pytest.approx(np.arange(5) / 10, abs=1e-6)
    assert a.points[:, ANKLE, 0].tolist() == [0, 1, 2, 3, 4]
    assert a.points[0, 5, :2] == pytest.approx((0.6 * 64, 24), abs=0.05)
    assert not a.found[:, LEFT_HAND].any()
    assert a.found[:, RIGHT_HAND].all()
    assert not found(data, "dim").found[:, RIGHT_HAND].any()

    # The range is validation's: without the black frames at both ends.
    assert found(data, "late").times == pytest.approx([0.3, 0.4, 0.5, 0.6, 0.7], abs=1e-6)

    # Pixels are those of the frame as it is shown: a body's proportions are true in no other.
    assert found(data, "turned").size == (48, 64)
    wide = found(data, "wide")
    assert wide.size == (128, 48)
    assert wide.points[0, 5, 0] == pytest.approx(0.6 * 128, abs=0.1)

    # A file says what it was made from and by.
    rows = {row["video_id"]: row["media"] for row in json.loads(Manifests(data.root).validated.read_text())}
    about = read_about(pose_path(data.root, "a"))
    assert about is not None
    assert about["clip"] == {**{name: rows["a"][name] for name in ("sha256", "start", "end")}, "bbox": None}
    assert about["by"] == {"name": "stand-in", "version": "1", "settings": {"depth": 2}, "revision": 1}

    # Of two people it is the one in the signer's box, if anybody is.
    assert (found(data, "pair").points[:, 5, 0] > 32).all()
    assert found(data, "two").found.any()

    # Going from one to the other is noticed; nobody, and an extractor that died on a clip, have their reasons.
    assert "the points go from one person to another: 1 clip (two)" in report.notes
    assert told(data)["jumps"] == {"two": 2}
    assert report.refused == [
        "empty (sign empty) no_person: nobody in any of 4 frames",
        "bad crashed: the extractor ended: it was red",
    ]
    assert "1 of the refused clips may go well next time: run it again" in report.notes

    # One worker, one extractor; another only after the one that died.
    assert len(log.read_text().split()) == (2 if "bad" < "dim" else 1)


def test_a_second_run_does_only_what_is_missing_or_stale(prepare, log: Path, monkeypatch) -> None:
    data = prepare("a", "b", "c", "d", "empty")
    refused = run(data).refused
    first = written(data)
    left = data.root / "poses" / ".a.safetensors.abc.part"
    left.write_bytes(b"half")
    os.utime(left, (0, 0))
    again = run(data)
    assert (again.reused, again.refused) == (5, refused)
    assert written(data) == first
    assert len(log.read_text().split()) == 1  # no extractor was started for nothing
    assert not left.exists()

    pose_path(data.root, "a").unlink()
    pose_path(data.root, "b").write_bytes(b"damaged")
    change(data, "c")
    assert run(data).reused == 2
    second = written(data)
    assert {name for name in second if second[name] != first[name]} == {"a", "b", "c"}

    monkeypatch.setenv("STAND_IN_VERSION", "2")
    assert run(data, replace(PROGRAM, version="2")).reused == 0


def test_nobody_in_any_clip_is_an_error(prepare) -> None:
    with pytest.raises(
        RunError, match=r"none of 1 clips has key points; empty \(sign empty\) no_person: nobody in any"
    ):
        run(prepare("empty"))


def test_an_extractor_that_dies_on_every_clip_ends_the_run(prepare, tmp_path: Path) -> None:
    broken = tmp_path / "broken.py"
    broken.write_text("import no_such_module")
    with pytest.raises(RunError, match=r"broken\.py: dies on every clip .*no_such_module"):
        run(prepare("a", "b", "c", "d", "dim"), replace(PROGRAM, script=broken))


def test_a_clip_that_takes_too_long_is_given_up_and_its_extractor_ends(prepare, log: Path, monkeypatch) -> None:
    data = prepare("a", "slow")
    monkeypatch.setattr("data_engineering.pose.extract._START", 0.0)
    report = run(data, limits=LIMITS.model_copy(update={"timeout": 5.0}))
    assert sorted(written(data)) == ["a"]
    (line,) = report.refused
    assert line == "slow timeout: not done after 8 s; its process was killed"
    assert all(map(gone, map(int, log.read_text().split())))


def test_the_disk_is_full(prepare) -> None:
    data = prepare("a")
    (data.root / "poses").write_text("no folder")
    with pytest.raises(RunError, match="cannot be written"):
        run(data)


def test_what_is_no_validated_data_root_is_refused(prepare, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is no folder"):
        run(DataSettings(root=tmp_path / "none", index=tmp_path / "index.json"))
    data = prepare("a")
    write_kinds(data.root / "raw_videos" / "a.mp4", *PERSON, "person")
    with pytest.raises(RunError, match=r"gone or changed since validation \(a\)"):
        run(data)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no such signal there")
def test_killed_at_any_moment_it_keeps_what_was_done_and_leaves_nobody_behind(prepare, log: Path) -> None:
    data = prepare("a", "b", "c", "d")
    script = data.root / "run.py"
    script.write_text(
        "import sys; sys.path[:0] = sys.argv[2:]\n"
        "if __name__ == '__main__':\n"
        "    from pathlib import Path; from pose_clips import *; from data_engineering.settings import DataSettings\n"
        "    from data_engineering.pose.stage import pose\n"
        "    root = Path(sys.argv[1])\n"
        "    data = DataSettings(root=root, index=root / 'index.json')\n"
        "    pose(data, LIMITS, SMALL, tell=print, program=PROGRAM, progress=False)\n"
    )
    for wanted in (1, 3):
        process = subprocess.Popen([sys.executable, script, data.root, *sys.path])
        while len(written(data)) < wanted and process.poll() is None:
            time.sleep(0.005)
        process.kill()
        process.wait()
    kept = written(data)
    assert len(kept) >= 3
    run(data)
    assert written(data).items() >= kept.items()
    assert sorted(written(data)) == ["a", "b", "c", "d"]
    extractors = [int(line) for line in log.read_text().split()]
    assert len(extractors) <= 3
    assert all(map(gone, extractors))


def test_the_health_report_tells_what_was_found_and_draws_it(prepare) -> None:
    data = prepare("a", "dim", "empty")
    assert told(data) is None
    assert "Key points" not in Manifests(data.root).health_page.read_text()
    report = run(data)
    expected = {
        "validated": 3,
        "clips": 2,
        "frames": 10,
        "active": 1.0,
        "pose": 1.0,
        "face": 1.0,
        "left_hand": 0.0,
        "right_hand": 0.5,
        "any_hand": 0.5,
        "active_any_hand": 0.5,
        "by": {"stand-in 1": 2},
        "few_hands": {"dim": 0.0},
        "jumps": {},
        "refused": [
            {"video_id": "empty", "gloss": "sign empty", "reason": "no_person", "detail": "nobody in any of 4 frames"}
        ],
    }
    assert told(data) == expected
    page = Manifests(data.root).health_page.read_text()
    assert page.count("key points over frame") == 10
    assert "2 of 3 validated clips have key points, 10 frames: 2 by stand-in 1." in page
    assert "  any hand      50.0% of the frames, 50.0% of the active ones" in report.lines()
    assert "a hand in less than a third of the active frames: 1 clip (dim)" in report.notes
    # Validation, done again, says the same, and of a clip that has changed since no more.
    validate(data, DownloadSettings(), LIMITS, SMALL, "Which sign?", progress=False)
    assert told(data) == expected
    change(data, "dim")
    assert told(data)["clips"] == 1
