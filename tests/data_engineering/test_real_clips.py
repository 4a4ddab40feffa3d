"""The 88 real clips from their hosts to frames on disk, with the ones that break naive code by name."""

import json
import shutil
import time
from pathlib import Path

import pytest

from data_engineering.clip import Manifests
from data_engineering.frames import load_frames, row_frames
from data_engineering.preprocess import preprocess
from data_engineering.settings import DataSettings, DownloadSettings, PreprocessSettings, ValidateSettings
from data_engineering.validate import validate

pytestmark = pytest.mark.real_clips
SMALL = PreprocessSettings(size=64)


@pytest.fixture(scope="module")
def data(real_clips: Path, tmp_path_factory: pytest.TempPathFactory) -> DataSettings:
    root = tmp_path_factory.mktemp("wlasl")
    shutil.copytree(real_clips / "clips", root / "raw_videos", copy_function=shutil.copyfile)
    settings = DataSettings(root=root, index=real_clips / "clips_index.json")
    validate(settings, DownloadSettings(), ValidateSettings(), SMALL, "Which sign?", progress=False)
    return settings


@pytest.fixture(scope="module")
def rows(data: DataSettings) -> dict[str, dict]:
    return {row["video_id"]: row for row in json.loads(Manifests(data.root).validated.read_text())}


def kinds(row: dict) -> set[str]:
    return {note.partition(":")[0] for note in row["notes"]}


def test_nearly_all_validate_and_the_rest_have_a_reason(data: DataSettings, rows: dict[str, dict]) -> None:
    corrupted = json.loads(Manifests(data.root).corrupted.read_text())
    assert len(rows) >= 86
    assert len(rows) + len(corrupted) == 88
    assert all(row["reason"] and row["detail"] for row in corrupted)


def test_a_sign_is_cut_out_of_its_compilation(rows: dict[str, dict]) -> None:
    media = rows["63185"]["media"]
    assert (media["start"], media["end"], media["frames"]) == (2054 / 25, 2111 / 25, 57)


@pytest.mark.parametrize("video_id", ["70212", "70266"])
def test_what_is_already_cut_stays_whole(video_id: str, rows: dict[str, dict]) -> None:
    assert rows[video_id]["media"]["start"] == 0
    assert "already cut" in kinds(rows[video_id])


def test_metadata_that_are_not_text_do_no_harm(rows: dict[str, dict]) -> None:
    assert rows["01586"]["media"]["frames"] == 43


@pytest.mark.parametrize("video_id", ["68011", "70212", "63185"])
def test_boxes_drawn_on_another_size_are_scaled(video_id: str, rows: dict[str, dict]) -> None:
    assert "bbox scaled" in kinds(rows[video_id])


def test_black_tails_hidden_frames_and_wide_pixels_are_handled(rows: dict[str, dict]) -> None:
    told = {video_id: kinds(row) for video_id, row in rows.items()}
    assert "black frames cut" in told["05732"] & told["02238"]
    assert sum("frames hidden by the edit list" in kind for kind in told.values()) == 13
    assert "pixels not square" in told["69274"]
    assert {row["media"]["decoder"] for row in rows.values()} == {"decord"}


def test_title_cards_are_cut_at_an_end_and_named_inside(rows: dict[str, dict]) -> None:
    assert "black frames cut" in kinds(rows["70266"])
    assert "black or a title card inside" in kinds(rows["70212"])


def test_rows_are_complete_bright_and_quick_to_read(data: DataSettings, rows: dict[str, dict]) -> None:
    preprocess(data, SMALL, progress=False)
    frames = load_frames(data.root, SMALL)
    assert sum(len(split) for split in frames.values()) == len(rows)
    began = time.perf_counter()
    for split in frames.values():
        for row in split:
            pixels = row_frames(row)
            assert pixels.shape == (8, 64, 64, 3)
            # No black frame is left.
            assert pixels.max(axis=(1, 2, 3)).min() > 60
            assert row["timestamps"] == sorted(row["timestamps"])
    assert (time.perf_counter() - began) / len(rows) < 0.1
