"""One raw file, and another: the same points as the stage finds, from one extractor that stays."""

from pathlib import Path

import numpy as np
import pytest
from pose_clips import LIMITS, PERSON, PROGRAM, SMALL, write_kinds
from stand_in import ANKLE

from data_engineering.pose.one_file import FileExtractor, extract_file
from data_engineering.reasons import ClipError


def test_several_files_share_one_extractor_and_a_bad_one_costs_itself(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("STAND_IN_LOG", str(tmp_path / "log"))
    good = write_kinds(tmp_path / "good.mp4", *PERSON, *PERSON, black_head=3, black_tail=2)
    other = write_kinds(tmp_path / "other.mov", *PERSON)
    empty = write_kinds(tmp_path / "empty.mp4", "nobody", "nobody", "nobody")
    (tmp_path / "text.mp4").write_text("no clip")
    with FileExtractor(LIMITS, SMALL, pytest.fail, PROGRAM) as extractor:
        first = extractor.extract(good)
        for path, reason in ((empty, "no_person"), (tmp_path / "text.mp4", "not_video"), (tmp_path / "none", "absent")):
            with pytest.raises(ClipError, match=reason):
                extractor.extract(path)
        second = extractor.extract(other)
    # All of a file but its black ends.
    assert first.pose.times == pytest.approx(np.arange(3, 8) / 10, abs=1e-6)
    assert second.pose.points[:, ANKLE, 0].tolist() == [0, 1, 2, 3, 4]
    assert second.seconds > 0
    assert len((tmp_path / "log").read_text().split()) == 1


def test_one_file_by_itself(tmp_path: Path) -> None:
    clip = write_kinds(tmp_path / "clip.mp4", *PERSON)
    assert extract_file(clip, LIMITS, SMALL, pytest.fail, PROGRAM).pose.size == (64, 48)
