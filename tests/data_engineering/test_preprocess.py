"""Validated clips become frames on disk: the right ones, once, whole or not at all."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from clips import number, write_clip, write_index
from datasets import load_from_disk

from data_engineering import preprocess as module
from data_engineering.clip import Manifests
from data_engineering.errors import ConfigError, RunError
from data_engineering.frames import load_frames, row_frames
from data_engineering.preprocess import preprocess
from data_engineering.rows import decode_row
from data_engineering.settings import DataSettings, DownloadSettings, PreprocessSettings, ValidateSettings
from data_engineering.validate import validate
from data_engineering.video import clip_frames

SMALL = PreprocessSettings(size=32, num_frames=4, workers=2)


def prepare(root: Path, *ids: str, **fields: object) -> DataSettings:
    """A validated data root with one clip an id, of 8 + its position frames; the splits go round."""
    (root / "raw_videos").mkdir(parents=True, exist_ok=True)
    entries = []
    for position, video_id in enumerate(ids):
        path = root / "raw_videos" / f"{video_id}.mp4"
        if not path.exists():
            write_clip(path, frames=8 + position, rate=10)
        entries.append({"video_id": video_id, "gloss": f"sign {position}", **fields})
    data = DataSettings(root=root, index=write_index(root / "index.json", entries))
    validate(data, DownloadSettings(), ValidateSettings(workers=1), SMALL, "Which sign?", progress=False)
    return data


def run(data: DataSettings, settings: PreprocessSettings = SMALL) -> "module.Report":
    return preprocess(data, settings, progress=False)


def test_a_row_holds_the_frames_at_the_centres_and_their_times(tmp_path: Path) -> None:
    data = prepare(tmp_path / "data", "a", "b", "c")
    report = run(data)
    assert report.counts["clips"] == 3
    frames = load_frames(data.root, SMALL)
    assert {split: rows["clip_id"][:] for split, rows in frames.items()} == {
        "train": ["a"],
        "validation": ["b"],
        "test": ["c"],
    }
    row = frames["train"][0]
    assert (row["gloss"], row["signer_id"], row["split"], row["source"]) == ("sign 0", "0", "train", "lab")
    pixels = row_frames(row)
    assert pixels.shape == (4, 32, 32, 3)
    assert pixels.dtype == np.uint8
    assert [number(frame) for frame in pixels] == [1, 3, 5, 7]
    np.testing.assert_allclose(row["timestamps"], [0.1, 0.3, 0.5, 0.7], atol=1e-4)


def test_stored_frames_decoding_ahead_and_predicting_give_identical_tensors(tmp_path: Path) -> None:
    data = prepare(tmp_path / "data", "a")
    run(data)
    (manifest_row,) = json.loads(Manifests(data.root).validated.read_text())
    stored = load_frames(data.root, SMALL)["train"][0]
    assert decode_row(manifest_row, SMALL) == stored
    media = manifest_row["media"]
    alone, _ = clip_frames(
        Path(manifest_row["video_path"]),
        bbox=manifest_row["bbox"],
        motion=media["motion"],
        start=media["start"],
        end=media["end"],
        num_frames=4,
        preprocess=SMALL,
    )
    np.testing.assert_array_equal(alone, row_frames(stored))


def test_more_frames_may_be_stored_than_the_model_sees(tmp_path: Path) -> None:
    data = prepare(tmp_path / "data", "a")
    more = SMALL.model_copy(update={"stored_frames": 6})
    run(data, more)
    assert load_frames(data.root, more)["train"][0]["shape"] == [6, 32, 32, 3]
    fewer = SMALL.model_copy(update={"stored_frames": 2})
    with pytest.raises(ConfigError, match=r"preprocess\.stored_frames"):
        run(data, fewer)


def test_one_gloss_and_one_clip_leave_empty_splits_with_the_same_columns(tmp_path: Path) -> None:
    data = prepare(tmp_path / "data", "a", split="train")
    run(data)
    frames = load_frames(data.root, SMALL)
    assert {split: len(rows) for split, rows in frames.items()} == {"train": 1, "validation": 0, "test": 0}
    assert frames["train"].features == frames["validation"].features == frames["test"].features


def test_a_second_run_does_nothing_and_a_later_one_only_what_is_new(tmp_path: Path) -> None:
    data = prepare(tmp_path / "data", "a", "b", "c")
    run(data)
    before = load_frames(data.root, SMALL)["validation"][0]
    again = run(data)
    assert again.reused == 3
    assert not again.written
    assert "3 up to date" in again.lines()[0]
    data = prepare(tmp_path / "data", "a", "b", "c", "d")
    with pytest.raises(RunError, match="signvlm preprocess"):
        load_frames(data.root, SMALL)
    assert run(data).reused == 3
    frames = load_frames(data.root, SMALL)
    assert frames["train"]["clip_id"][:] == ["a", "d"]
    assert frames["validation"][0] == before
    larger = SMALL.model_copy(update={"size": 48})
    with pytest.raises(RunError, match="other `preprocess` settings"):
        load_frames(data.root, larger)
    assert run(data, larger).reused == 0


def test_a_file_that_changed_since_validation_is_not_decoded(tmp_path: Path) -> None:
    data = prepare(tmp_path / "data", "a", "b")
    write_clip(data.root / "raw_videos" / "b.mp4", frames=20)
    with pytest.raises(RunError, match=r"1 of 2 clips are gone or changed since validation \(b\)"):
        run(data)
    assert not (data.root / "frames").exists()


def test_a_file_replaced_after_preprocessing_makes_the_frames_stale_a_deleted_one_does_not(tmp_path: Path) -> None:
    data = prepare(tmp_path / "data", "a", "b")
    run(data)
    (data.root / "raw_videos" / "a.mp4").unlink()
    assert run(data).reused == 2
    write_clip(data.root / "raw_videos" / "b.mp4", frames=20)
    with pytest.raises(RunError, match=r"changed since validation \(b\); run `signvlm validate`"):
        run(data)


def test_a_data_root_may_be_validated_from_within_and_moved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The manifest's paths are those of the working directory it was written from; the files are found all the same."""
    prepare(tmp_path / "first", "a", "b")
    monkeypatch.chdir(tmp_path / "first")
    validate(
        DataSettings(root=Path(), index=Path("index.json")),
        DownloadSettings(),
        ValidateSettings(workers=1),
        SMALL,
        "Which sign?",
        progress=False,
    )
    monkeypatch.chdir(tmp_path)
    moved = (tmp_path / "first").rename(tmp_path / "second")
    assert run(DataSettings(root=moved, index=moved / "index.json")).counts["clips"] == 2


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("split", "gloss", "data.split official, the configuration says gloss"),
        ("glossary", "first-1", "data.glossary null, the configuration says first-1"),
        ("index", Path("other.json"), "data.index index.json, the configuration says other.json"),
    ],
)
def test_manifests_of_another_selection_are_refused(tmp_path: Path, key: str, value: object, told: str) -> None:
    """A split or a glossary that was changed after validation is never silently the earlier one."""
    data = prepare(tmp_path / "data", "a", "b", "c")
    with pytest.raises(RunError, match=rf"was made with {told}; run `signvlm validate` with it"):
        run(data.model_copy(update={key: value}))
    assert run(data.model_copy(update={"seed": 7})).counts["clips"] == 3  # seeds nothing where the split is given


def test_what_a_killed_run_left_is_removed_and_what_another_writes_is_not(tmp_path: Path) -> None:
    data = prepare(tmp_path / "data", "a", "b")
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    left, other = (data.root / f".frames.part-{pid}" for pid in (ended.pid, os.getppid()))
    for folder in (left, other):
        folder.mkdir()
    run(data)
    assert not left.exists()
    assert other.exists()


def test_a_clip_that_fails_after_all_is_quarantined_and_named(tmp_path: Path) -> None:
    data = prepare(tmp_path / "data", "a", "b")
    path = data.root / "raw_videos" / "b.mp4"
    status = path.stat()
    path.write_bytes(bytes(status.st_size))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    report = run(data)
    assert report.counts["clips"] == 1
    assert report.refused[0].startswith("b not_video")
    manifests = Manifests(data.root)
    assert [row["video_id"] for row in json.loads(manifests.validated.read_text())] == ["a"]
    (row,) = json.loads(manifests.corrupted.read_text())
    assert (row["video_id"], row["reason"]) == ("b", "not_video")
    assert load_frames(data.root, SMALL)["train"]["clip_id"][:] == ["a"]


def test_without_a_manifest_the_next_step_is_named(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="run `signvlm validate`"):
        run(DataSettings(root=tmp_path))
    with pytest.raises(RunError, match="run `signvlm preprocess`"):
        load_frames(tmp_path, SMALL)


def test_a_missing_data_root_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"data\.root: .*nowhere is no folder"):
        run(DataSettings(root=tmp_path / "nowhere"))


def test_where_the_box_is_the_whole_frame_the_frames_are_cropped_by_motion_and_stale_when_that_changes(
    tmp_path: Path,
) -> None:
    """A small square that moves in the corner of a frame, and a box that says nothing."""

    def paint(index: int) -> np.ndarray:
        picture = np.full((120, 160, 3), 90, np.uint8)
        picture[70:90, 110 + index : 130 + index] = 250
        return picture

    root = tmp_path / "data"
    (root / "raw_videos").mkdir(parents=True)
    write_clip(root / "raw_videos" / "a.mp4", frames=16, size=(160, 120), paint=paint)
    data = prepare(root, "a", bbox=[0, 0, 160, 120])
    run(data)
    row = json.loads(Manifests(root).validated.read_text())[0]
    assert any(note.startswith("cropped by motion") for note in row["notes"])
    cropped = stored(root, SMALL)
    whole = SMALL.model_copy(update={"crop": "full"})
    with pytest.raises(RunError, match="other `preprocess` settings"):
        load_frames(root, whole)
    run(data, whole)
    bright = [float((frames > 200).mean()) for frames in (cropped, stored(root, whole))]
    assert bright[0] > 3 * bright[1]


def stored(root: Path, settings: PreprocessSettings) -> np.ndarray:
    return row_frames(load_frames(root, settings)["train"][0])


def test_frames_that_would_not_fit_on_the_disk_are_not_begun(tmp_path: Path) -> None:
    data = prepare(tmp_path / "data", "a")
    endless = PreprocessSettings(size=2048, num_frames=10_000_000)
    with pytest.raises(RunError, match=r"MB to spare, but only [0-9,]+ MB are free"):
        run(data, endless)
    assert not list(data.root.glob(".frames*"))


@pytest.mark.skipif(sys.platform == "win32", reason="no file size limit there")
def test_a_disk_that_fills_up_leaves_the_earlier_frames(tmp_path: Path) -> None:
    data = prepare(tmp_path / "data", "a", "b")
    run(data)
    script = tmp_path / "run.py"
    script.write_text(f"""
import resource
from pathlib import Path
from data_engineering.errors import RunError
from data_engineering.preprocess import preprocess
from data_engineering.settings import DataSettings, PreprocessSettings
if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))
    try:
        data = DataSettings(root=Path({str(data.root)!r}), index=Path("index.json"))
        preprocess(data, PreprocessSettings(size=64, workers=1), progress=False)
    except RunError as error:
        print(error)
""")
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, env=environment, check=False)
    assert "cannot be written" in done.stdout, done.stderr
    assert done.stdout.count("\n") == 1
    assert not list(data.root.glob(".frames*"))
    assert len(load_frames(data.root, SMALL)["train"]) == 1


def test_frames_of_a_run_killed_between_its_two_renames_are_found_again(tmp_path: Path) -> None:
    data = prepare(tmp_path / "data", "a")
    run(data)
    (data.root / "frames").rename(data.root / ".frames.old")
    assert run(data).reused == 1
    assert len(load_from_disk(str(data.root / "frames"))["train"]) == 1
