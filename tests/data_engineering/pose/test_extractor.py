"""The process that finds key points: what it is told, what is believed of it, and that it never outlives anybody."""

import os
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from pose_clips import PROGRAM, STAND_IN, coloured, gone
from stand_in import ANKLE

from data_engineering.keypoints import FACE, KEYPOINTS, LEFT_HAND, RIGHT_HAND
from data_engineering.pose import extractor as module
from data_engineering.pose import extractor_protocol
from data_engineering.pose.extractor import Extractor, Program
from data_engineering.pose.extractor_protocol import Landmarks, key_points
from data_engineering.reasons import ClipError


def test_an_answer_a_frame_in_order() -> None:
    with Extractor(PROGRAM) as extractor:
        points = np.stack(list(extractor.points(coloured(*["person"] * 4))))
    assert points.shape == (4, 64, 3)
    assert points.dtype == np.float32
    assert points[:, ANKLE, 0].tolist() == [0, 1, 2, 3]
    assert points[:, ANKLE, 1].tolist() == [150, 151, 152, 153]
    assert not points[:, LEFT_HAND].any()
    assert (points[:, RIGHT_HAND, 2] == 1).all()


def test_frames_are_taken_one_ahead_of_the_answers() -> None:
    """The decoder works while the extractor does, and no clip is held in memory."""
    taken = []

    def frames():
        for number, frame in enumerate(coloured(*["person"] * 4)):
            taken.append(number)
            yield frame

    with Extractor(PROGRAM) as extractor:
        for number, _ in enumerate(extractor.points(frames())):
            assert len(taken) == min(number + 2, 4)


def test_one_process_serves_clip_after_clip_and_forgets_each() -> None:
    with Extractor(PROGRAM) as extractor:
        for length in (3, 1, 0, 2):
            points = list(extractor.points(coloured(*["person"] * length)))
            assert [each[ANKLE, 0] for each in points] == list(range(length))


def test_nobody_is_all_zero_and_what_is_no_number_was_not_found() -> None:
    with Extractor(PROGRAM) as extractor:
        nobody, strange = extractor.points(coloured("nobody", "no number"))
    assert not nobody.any()
    assert not strange[KEYPOINTS.index("nose")].any()
    assert strange[ANKLE, 2] == 1


def test_one_that_dies_is_named_with_its_last_words() -> None:
    with Extractor(PROGRAM) as extractor, pytest.raises(ClipError, match="crashed: the extractor ended: it was red"):
        list(extractor.points(coloured("person", "dies", "person")))


def test_one_that_never_answers_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_STALL", 1.0)
    began = time.monotonic()
    with Extractor(PROGRAM) as extractor, pytest.raises(ClipError, match="timeout: the extractor gave no answer"):
        list(extractor.points(coloured("hangs", "person")))
    assert time.monotonic() - began < 30


def test_one_that_does_not_start_says_why(tmp_path: Path) -> None:
    broken = tmp_path / "broken.py"
    broken.write_text("import no_such_module")
    with pytest.raises(ClipError, match="No module named 'no_such_module'"):
        Extractor(Program(broken, "broken", "1", python=sys.executable))
    with pytest.raises(ClipError, match="does not start"):
        Extractor(Program(broken, "broken", "1", python=str(tmp_path / "python")))


def test_another_version_is_not_taken_for_the_one_that_was_asked_for(monkeypatch) -> None:
    monkeypatch.setenv("STAND_IN_VERSION", "2")
    with pytest.raises(ClipError, match="is another extractor than stand-in"):
        Extractor(PROGRAM)


@pytest.mark.parametrize("line", ["", "hello", "[]", '{"protocol": 1}'])
def test_a_program_of_another_protocol_is_refused(tmp_path: Path, line: str) -> None:
    script = tmp_path / "other.py"
    script.write_text(f"print({line!r})")
    with pytest.raises(ClipError):
        Extractor(Program(script, "other", "1", python=sys.executable))


@pytest.mark.skipif(sys.platform == "win32", reason="no such signals there")
def test_it_ends_when_whoever_started_it_is_killed(tmp_path: Path) -> None:
    log = tmp_path / "log"
    owner = (
        "import sys, time; from pathlib import Path; from data_engineering.pose.extractor import Extractor, Program; "
        f"e = Extractor(Program(Path({str(STAND_IN)!r}), 'stand-in', '1', {{'depth': 2}}, python=sys.executable)); "
        "print('ready', flush=True); time.sleep(600)"
    )
    paths = {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path), "STAND_IN_LOG": str(log)}
    with subprocess.Popen([sys.executable, "-c", owner], stdout=subprocess.PIPE, env=os.environ | paths) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.kill()
    (number,) = map(int, log.read_text().split())
    assert gone(number)


class TestMediaPipe:
    """What MediaPipe's numbers become, without MediaPipe."""

    def landmarks(self, count: int, first: float = 0.0) -> list[SimpleNamespace]:
        """Points at x = number / 1000, y = twice that, and as visible."""
        told = [(first + number) / 1000 for number in range(count)]
        return [SimpleNamespace(x=x, y=2 * x, visibility=x) for x in told]

    def test_its_names_are_ours(self) -> None:
        assert extractor_protocol.KEYPOINTS == KEYPOINTS

    def test_each_point_comes_from_its_number(self) -> None:
        """MediaPipe's body: 11 left shoulder, 16 right wrist, 28 right ankle; its face: 4 nose, 33, 133 right eye."""
        hands = self.landmarks(21, 100), self.landmarks(21, 200)
        found = Landmarks(self.landmarks(33), *hands, self.landmarks(468))
        points = key_points(found, 1000, 500)
        x = dict(zip(KEYPOINTS, points[:, 0].round(3).tolist(), strict=True))
        told = {
            "nose": 0, "left_shoulder": 11, "right_shoulder": 12, "right_wrist": 16, "right_ankle": 28,
            "left_hand_wrist": 100, "left_hand_little_tip": 120, "right_hand_wrist": 200, "right_hand_index_tip": 208,
            "face_nose": 4, "face_right_eye": (33 + 133) / 2, "face_left_eye": (263 + 362) / 2, "face_left_ear": 454,
        }  # fmt: skip
        assert {name: x[name] for name in told} == told
        assert points[:, 1] == pytest.approx(points[:, 0])  # twice the share of half the pixels
        assert points[KEYPOINTS.index("right_ankle"), 2] == pytest.approx(0.028)
        assert (points[LEFT_HAND, 2] == 1).all()

    @pytest.mark.parametrize("nothing", [None, []])
    def test_what_it_does_not_give_is_not_found(self, nothing: list | None) -> None:
        points = key_points(Landmarks(self.landmarks(33, 1), nothing, nothing, nothing), 100, 100)
        assert (points[:17, 2] > 0).all()
        assert not points[17:].any()
        assert not key_points(Landmarks(nothing, nothing, nothing, nothing), 100, 100).any()

    def test_what_is_no_number_is_not_found(self) -> None:
        face = self.landmarks(468)
        face[4].x = float("nan")
        points = key_points(Landmarks(None, None, None, face), 100, 100)
        assert not points[FACE.start].any()
        assert points[FACE.start + 1, 2] == 1
