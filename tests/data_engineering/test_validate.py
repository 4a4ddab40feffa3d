"""A data root judged whole: what is used, what is not and why, what is missing, and what a second run does again."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from clips import BROKEN, write_clip, write_index

from data_engineering.clip import Manifests
from data_engineering.errors import ConfigError, RunError
from data_engineering.reasons import PASSING, REMEDIES, ClipError
from data_engineering.report import Report
from data_engineering.settings import DataSettings, DownloadSettings, PreprocessSettings, ValidateSettings
from data_engineering.state import sha256
from data_engineering.validate import report_files, validate, validate_files

SMALL = PreprocessSettings(size=32, num_frames=4)


class Root:
    """A data root and its index."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.videos = path / "raw_videos"
        self.videos.mkdir(parents=True)
        self.entries: list[dict] = []
        self.manifests = Manifests(path)

    def clip(self, video_id: str, gloss: str = "book", **fields: object) -> Path:
        """Adds an index entry; returns where its file belongs."""
        self.entries.append({"video_id": video_id, "gloss": gloss, **fields})
        return self.videos / f"{video_id}.mp4"

    def validate(self, *, preprocess: PreprocessSettings = SMALL, **limits: float) -> Report:
        index = write_index(self.path / "index.json", self.entries)
        settings = ValidateSettings(workers=2, timeout=limits.pop("timeout", 30), **limits)
        data = DataSettings(root=self.path, index=index)
        return validate(data, DownloadSettings(), settings, preprocess, "Which sign?", progress=False)

    def rows(self, manifest: str) -> dict[str, dict]:
        return {row["video_id"]: row for row in json.loads(getattr(self.manifests, manifest).read_text())}

    def health(self) -> dict:
        return json.loads(self.manifests.health.read_text())


@pytest.fixture
def root(tmp_path: Path) -> Root:
    return Root(tmp_path / "data")


@pytest.mark.skipif(sys.platform == "win32", reason="no pipes and links there")
def test_every_kind_of_broken_file_ends_with_a_reason(root: Root) -> None:
    for kind, (make, _) in BROKEN.items():
        make(root.clip(kind))
    write_clip(root.clip("good"))
    root.clip("gone")
    report = root.validate()
    corrupted = root.rows("corrupted")
    assert {kind: row["reason"] for kind, row in corrupted.items()} == {kind: why for kind, (_, why) in BROKEN.items()}
    assert len(BROKEN) >= 25
    assert {row["reason"] for row in corrupted.values()} <= set(REMEDIES)
    assert all(row["detail"] for row in corrupted.values())
    assert "good" in root.rows("validated")
    assert [row["video_id"] for row in root.health()["missing"]] == ["gone"]
    assert "gone" not in corrupted
    assert sum(report.counts[name] for name in ("clips validated", "corrupted", "missing")) == len(root.entries)


def test_a_validated_row_is_the_cleaned_one_with_what_was_found(root: Root) -> None:
    path = write_clip(root.clip("00001", frame_start=6, frame_end=20, rare="kept"), frames=30)
    root.validate()
    row, cleaned = root.rows("validated")["00001"], root.rows("cleaned")["00001"]
    assert cleaned["prompt"] == "Which sign?"
    assert cleaned["video_path"] == str(path)
    assert cleaned["rare"] == "kept"
    assert cleaned.items() <= row.items()
    media = row["media"]
    assert (media["width"], media["height"], media["frames"], media["decoder"]) == (64, 48, 15, "decord")
    assert (media["start"], media["end"]) == (0.2, 0.8)
    assert media["bytes"] == path.stat().st_size
    assert len(media["sha256"]) == 64


def test_what_the_downloader_cut_is_not_cut_again(root: Root) -> None:
    for video_id in ("cut", "retried", "whole"):
        write_clip(root.clip(video_id, frame_start=6, frame_end=20), frames=30)
    lines = [
        {"id": "cut", "status": "ok", "trimmed": True},
        {"id": "retried", "status": "ok", "trimmed": True},
        {"id": "retried", "status": "ok", "trimmed": False},
    ]
    text = "\n".join(json.dumps(line) for line in lines) + '\n{"id": "who'
    (root.path / "downloads.jsonl").write_text(text)
    root.validate()
    frames = {video_id: row["media"]["frames"] for video_id, row in root.rows("validated").items()}
    assert frames == {"cut": 30, "retried": 15, "whole": 15}


def test_a_file_put_where_the_cut_one_lay_is_not_taken_for_cut(root: Root) -> None:
    names = ("same", "longer", "other")
    paths = {name: write_clip(root.clip(name, frame_start=6, frame_end=20), frames=30) for name in names}
    saved = {
        "same": (paths["same"].stat().st_size, sha256(paths["same"])),
        "longer": (1000, sha256(paths["same"])),
        "other": (paths["other"].stat().st_size, "0" * 64),
    }
    lines = [
        {"id": name, "status": "ok", "trimmed": True, "saved_bytes": size, "saved_sha256": digest}
        for name, (size, digest) in saved.items()
    ]
    (root.path / "downloads.jsonl").write_text("\n".join(map(json.dumps, lines)))
    root.validate()
    frames = {video_id: row["media"]["frames"] for video_id, row in root.rows("validated").items()}
    assert frames == {"same": 30, "longer": 15, "other": 15}


@pytest.mark.parametrize("reason", sorted(PASSING))
def test_what_a_busy_machine_ended_is_tried_again(reason: str, root: Root) -> None:
    write_clip(root.clip("a"))
    root.clip("b").write_text("<html>")
    root.validate()
    (row,) = json.loads(root.manifests.corrupted.read_text())
    root.manifests.corrupted.write_text(json.dumps([row | {"reason": reason}]))
    assert root.validate().reused == 1
    assert root.rows("corrupted")["b"]["reason"] == "html"


def test_a_second_run_judges_only_what_is_new_or_changed(root: Root) -> None:
    write_clip(root.clip("same"))
    changed = write_clip(root.clip("changed"))
    broken = root.clip("broken")
    broken.write_text("<html>")
    root.clip("late")
    assert root.validate().reused == 0
    page = root.manifests.health_page.stat().st_mtime_ns
    again = root.validate()
    assert again.reused == 3
    assert "3 up to date" in again.lines()[0]
    assert root.manifests.health_page.stat().st_mtime_ns == page
    write_clip(changed, frames=20)
    write_clip(broken)
    write_clip(root.videos / "late.mp4")
    assert root.validate().reused == 1
    assert set(root.rows("validated")) == {"same", "changed", "broken", "late"}
    assert root.rows("validated")["changed"]["media"]["frames"] == 20
    assert root.validate(min_frames=3).reused == 0


def test_a_damaged_manifest_only_means_that_all_is_judged_again(root: Root) -> None:
    write_clip(root.clip("a"))
    root.validate()
    (row,) = json.loads(root.manifests.validated.read_text())
    foreign: list[object] = [
        '[{"video_id": "a", "me',
        "[null, 5, []]",
        json.dumps([{"prompt": "?", "video_path": "a.mp4", "gloss": "book"}]),
        json.dumps([row | {"media": None}]),
        json.dumps([row | {"video_id": ["a"]}]),
        json.dumps([row | {"media": {"stamp": row["media"]["stamp"]}}]),
        json.dumps([{"video_id": "a", "stamp": row["media"]["stamp"], "reason": "bad luck", "detail": "none"}]),
    ]
    for text in foreign:
        root.manifests.validated.write_text(text)
        assert root.validate().reused == 0, text
        assert set(root.rows("validated")) == {"a"}


def test_a_file_that_no_entry_names_is_a_note(root: Root) -> None:
    write_clip(root.clip("a"))
    write_clip(root.videos / "stray.mp4")
    report = root.validate()
    assert any("stray.mp4" in note for note in report.notes)
    assert root.health()["counts"]["not_in_index"] == 1


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="no such names there")
def test_no_name_of_a_file_stops_the_run_or_reaches_a_terminal(root: Root, tmp_path: Path) -> None:
    write_clip(root.clip("a"))
    outside = os.fsencode(tmp_path) + b"/\xff\x1b[2J.mp4"
    shutil.copyfile(root.videos / "a.mp4", outside)
    root.clip("b").symlink_to(os.fsdecode(outside))
    for name in (b"/\xfe.mp4", b"/\x1b[2J.mp4"):
        os.close(os.open(os.fsencode(root.videos) + name, os.O_CREAT))
    (root.videos / "compilations").mkdir()
    report = root.validate()
    assert root.health()["counts"]["not_in_index"] == 2
    assert root.rows("corrupted")["b"]["reason"] == "outside_root"
    lines, failed = report_files([Path(os.fsdecode(outside))], ValidateSettings(workers=1), SMALL)
    assert failed == 0
    for line in [*report.lines(), *lines]:
        assert line.isprintable()
        assert line.encode()


def test_with_no_clip_left_the_run_fails_in_one_line_and_the_reasons_are_written(root: Root) -> None:
    root.clip("a").write_text("<html>")
    with pytest.raises(RunError) as caught:
        root.validate()
    assert "\n" not in str(caught.value)
    assert "1 html" in str(caught.value)
    assert root.rows("corrupted")["a"]["reason"] == "html"


def test_with_no_file_at_all_the_run_says_where_they_belong(root: Root) -> None:
    root.clip("a")
    with pytest.raises(RunError, match="raw_videos"):
        root.validate()


def test_a_missing_data_root_is_named(tmp_path: Path) -> None:
    data = DataSettings(root=tmp_path / "nowhere", index=tmp_path / "index.json")
    with pytest.raises(ConfigError, match=r"data\.root"):
        validate(data, DownloadSettings(), ValidateSettings(), SMALL, "?", progress=False)


def test_the_page_escapes_what_others_wrote_and_loads_nothing(root: Root) -> None:
    hostile = '"><img src=http://127.0.0.1/ onerror="alert(1)"><a href="javascript:alert(2)">'
    write_clip(root.clip("a", gloss=f"<script>alert(1)</script>{hostile}", source=hostile, signer_id=hostile))
    root.clip("b", gloss=hostile).write_text(f"<html>{hostile}")
    root.clip("c", gloss=hostile, url='https://127.0.0.1/"><img/src="http://127.0.0.1/x')
    root.clip("d", gloss="x", url=f"ftp://{hostile}")
    root.validate()
    page = root.manifests.health_page.read_text()
    assert page.count("&lt;img") >= 6
    tags: list[tuple[str, dict]] = []
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, attributes: tags.append((tag, dict(attributes)))  # type: ignore[method-assign]
    parser.feed(page)
    assert not {"script", "iframe", "link", "object", "a"} & {tag for tag, _ in tags}
    images = [attributes["src"] for tag, attributes in tags if tag == "img"]
    assert images
    assert all(source.startswith("data:image/jpeg;base64,") for source in images)
    for _, attributes in tags:
        assert not [name for name in attributes if name.startswith("on")]
        told = [value or "" for name, value in attributes.items() if name != "src"]
        assert not [value for value in told if re.search(r"//|javascript:|url\(|@import", value)]
    style = page[page.index("<style>") : page.index("</style>")]
    assert not re.search(r"//|url\(|@import", style)


def test_a_list_that_is_too_long_for_the_page_says_so(root: Root) -> None:
    write_clip(root.clip("a"))
    for number in range(2001):
        root.clip(f"m{number}")
        root.entries.append({"video_id": "?", "gloss": "book"})
    root.validate()
    page = root.manifests.health_page.read_text()
    assert "fetches what is still there, the first 2,000 here, all in health.json" in page
    assert "2001 entries, the first 2,000 here, all in health.json" in page
    assert page.count("all in health.json") == 2


def test_pictures_are_made_again_when_clips_are_shown_in_another_way(root: Root) -> None:
    write_clip(root.clip("a", bbox=[0, 0, 20, 20]), paint=lambda n: np.full((48, 64, 3), (4 * n, 200, 90), np.uint8))
    root.validate(preprocess=SMALL)
    before = root.manifests.health_page.read_text()
    assert root.validate(preprocess=SMALL.model_copy(update={"crop": "full"})).reused == 1
    assert root.manifests.health_page.read_text() != before


def test_the_report_tells_of_copies_and_short_glosses_and_shows_what_is_broken(root: Root) -> None:
    def walk(scale: int, step: int) -> Callable[[int], np.ndarray]:
        def paint(index: int) -> np.ndarray:
            picture = np.full((96, 128, 3), 100, np.uint8)
            place = 10 + step * index % 90
            picture[20 + place // 3 : 44 + place // 3, place : place + 24] = 240
            return picture[::scale, ::scale]

        return paint

    write_clip(root.clip("a", "book", signer_id=1), size=(128, 96), paint=walk(1, 3))
    write_clip(root.clip("b", "read", signer_id=2, split="test"), size=(64, 48), paint=walk(2, 3))
    write_clip(root.clip("c", "book", signer_id=1), size=(128, 96), paint=walk(1, 11))
    BROKEN["truncated"][0](root.clip("d", "read"))
    BROKEN["html"][0](root.clip("e", "read"))
    BROKEN["outside"][0](root.clip("f", "read"))
    report = root.validate()
    health = root.health()
    assert [(group["how"], [clip["video_id"] for clip in group["clips"]]) for group in health["copies"]] == [
        ("looks", ["a", "b"])
    ]
    assert health["leakage"]["same_looks"]["test_in_train"] == 1
    assert any("what the frames show" in note for note in report.notes)
    assert [(signer["signer_id"], signer["clips"]) for signer in health["signers"]] == [("1", 2), ("2", 1)]
    assert {gloss: counts["expected"] for gloss, counts in health["few_clips"].items()} == {"book": 2, "read": 4}
    assert health["measures"]["sizes"] == {"128x96": 2, "64x48": 1}
    begun = {row["video_id"]: row["first_bytes"] for row in health["corrupted"]}
    assert begun["e"].startswith("<!DOCTYPE html>")
    assert begun["f"] is None  # what lies outside is not read
    page = root.manifests.health_page.read_text()
    assert 'alt="last frame of d that decodes"' in page
    assert "&lt;!DOCTYPE html&gt;" in page


def test_single_files_are_judged_without_an_index(tmp_path: Path) -> None:
    good = write_clip(tmp_path / "good.mkv", frames=12)
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(b"")
    found = validate_files([good, bad, tmp_path / "absent.mp4"], ValidateSettings(workers=1), SMALL)
    assert [path for path, _ in found] == [good, bad, tmp_path / "absent.mp4"]
    media, empty, absent = (verdict for _, verdict in found)
    assert isinstance(media, dict)
    assert (media["frames"], media["decoder"]) == (12, "pyav")
    assert isinstance(empty, ClipError)
    assert empty.reason == "empty"
    assert isinstance(absent, ClipError)
    assert absent.reason == "absent"


@pytest.mark.skipif(sys.platform == "win32", reason="no file size limit there")
def test_a_full_disk_is_one_line_and_nothing_half_written(root: Root) -> None:
    write_clip(root.clip("a"))
    root.validate()
    before = {path.name: path.read_bytes() for path in root.manifests.health.parent.iterdir()}
    write_clip(root.clip("b"))
    write_index(root.path / "index.json", root.entries)
    # A file may not grow beyond 100 bytes: what a full disk does to a write, for a process of its own.
    code = f"""
import resource
from pathlib import Path
from data_engineering.errors import RunError
from data_engineering.settings import *
from data_engineering.validate import validate
if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
    data = DataSettings(root=Path({str(root.path)!r}), index=Path({str(root.path / "index.json")!r}))
    try:
        validate(data, DownloadSettings(), ValidateSettings(workers=1), PreprocessSettings(size=32, num_frames=4), "?",
                 progress=False)
    except RunError as error:
        print(error)
"""
    script = root.path / "run.py"
    script.write_text(code)
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, env=environment, check=False)
    assert "cannot be written" in done.stdout, done.stderr
    assert done.stdout.count("\n") == 1
    after = {path.name: path.read_bytes() for path in root.manifests.health.parent.iterdir()}
    assert after == before
