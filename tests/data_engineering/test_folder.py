"""A folder of the user's own clips is an index: a gloss a folder, and what is no clip is refused by name."""

import os
import re
import sys
import unicodedata
from pathlib import Path

import pytest

from data_engineering.clip import Clip
from data_engineering.errors import ConfigError
from data_engineering.folder import own_folder, read_clips
from data_engineering.settings import DataSettings
from data_engineering.stage import expected, fetchable

needs_links = pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")


def lay(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return root


def refusals(root: Path) -> dict[str, str]:
    return {refusal.where: refusal.reason for refusal in read_clips(root).refused}


def test_a_folder_is_a_gloss_and_a_folder_in_it_a_signer(tmp_path: Path) -> None:
    lay(tmp_path, "thank you/1.mp4", "book/anna/1.MOV", "book/ben/1.webm")
    clips = read_clips(tmp_path).clips
    assert [(clip.gloss, clip.signer_id) for clip in clips] == [("book", "anna"), ("book", "ben"), ("thank you", "")]
    assert [clip.path(Path("elsewhere")) for clip in clips] == [
        tmp_path / "book/anna/1.MOV",
        tmp_path / "book/ben/1.webm",
        tmp_path / "thank you/1.mp4",
    ]
    assert {(clip.split, clip.url, clip.bbox, clip.frame_start, clip.frame_end) for clip in clips} == {
        ("", "", None, 1, -1)
    }


def test_ids_are_safe_told_apart_and_stay_when_clips_are_added_or_the_folder_moves(tmp_path: Path) -> None:
    names = [
        "book/1.mp4",
        "book/1.mov",
        "Book/1.mp4",
        "café/übung №7.mp4",
        "手話/一.mp4",
        "book/-rf.mp4",
        f"a/{'x' * 90}.avi",
    ]
    before = {clip.own_file: clip.video_id for clip in read_clips(lay(tmp_path / "one", *names)).clips}
    assert len(set(before.values())) == len(names)
    assert all(re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,31}", video_id) for video_id in before.values())
    after = {clip.own_file: clip.video_id for clip in read_clips(lay(tmp_path / "two", *names, "book/0.mp4")).clips}
    assert set(before.values()) < set(after.values())


def test_an_accent_is_one_letter_however_the_file_system_writes_it(tmp_path: Path) -> None:
    lay(tmp_path / "linux", unicodedata.normalize("NFC", "café/é.mp4"))
    lay(tmp_path / "mac", unicodedata.normalize("NFD", "café/é.mp4"))
    (one,), (other,) = (read_clips(tmp_path / name).clips for name in ("linux", "mac"))
    assert one.gloss == other.gloss == "café"
    assert one.video_id == other.video_id


def test_what_is_no_clip_is_refused_by_name_and_the_rest_is_read(tmp_path: Path) -> None:
    lay(
        tmp_path,
        "book/1.mp4",
        "book/notes.txt",
        "book/noext",
        "book/anna/deep/1.mp4",
        "stray.mp4",
        "labels.csv",
        f"{'g' * 201}/1.mp4",
        ".DS_Store",
        "book/.hidden.mp4",
        ".git/book/1.mp4",
    )
    (tmp_path / "empty").mkdir()
    (tmp_path / "book" / "nobody").mkdir()
    assert [clip.own_file for clip in read_clips(tmp_path).clips] == [str(tmp_path / "book/1.mp4")]
    told = refusals(tmp_path)
    assert "not a video by its name" in told["book/notes.txt"]
    assert "not a video by its name" in told["book/noext"]
    assert "deeper" in told["book/anna/deep"]
    assert "beside the glosses' folders" in told["stray.mp4"]
    assert "beside the glosses' folders" in told["labels.csv"]
    assert "without a clip" in told["empty"]
    assert "200 printable characters" in told[f"{'g' * 201}/1.mp4"]
    assert not any("hidden" in where or ".git" in where for where in told)


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="no such names there")
def test_a_name_that_cannot_be_printed_is_refused_and_can_be_told(tmp_path: Path) -> None:
    lay(tmp_path, "book/1.mp4", "book/\x1b[2J.mp4", "bo\nok/1.mp4")
    os.close(os.open(os.fsencode(tmp_path) + b"/book/\xff.mp4", os.O_CREAT))
    index = read_clips(tmp_path)
    assert len(index.clips) == 1
    assert len(index.refused) == 3
    for where, reason in index.refused:
        assert where.isprintable()
        assert "printable" in reason


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="one name there")
def test_two_writings_of_one_name_are_one_clip_and_the_other_is_refused(tmp_path: Path) -> None:
    one, other = (unicodedata.normalize(form, "café/é.mp4") for form in ("NFC", "NFD"))
    lay(tmp_path, one, other, "café/2.mp4")
    index = read_clips(tmp_path)
    assert len({clip.video_id for clip in index.clips}) == len(index.clips) == 2
    ((where, reason),) = index.refused
    assert {where} | {reason.removeprefix("this clip is already taken by ")} == {one, other}


@needs_links
def test_links_to_folders_are_not_followed(tmp_path: Path) -> None:
    lay(tmp_path / "elsewhere", "secret/1.mp4")
    own = lay(tmp_path / "own", "book/1.mp4")
    (own / "linked").symlink_to(tmp_path / "elsewhere" / "secret")
    (own / "book" / "anna").symlink_to(tmp_path / "elsewhere" / "secret")
    (own / "book" / "self.mp4").symlink_to(own)
    assert [clip.gloss for clip in read_clips(own).clips] == ["book"]
    assert {where for where, reason in read_clips(own).refused if "link" in reason} == {
        "linked",
        "book/anna",
        "book/self.mp4",
    }


def test_a_folder_without_clips_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "book").mkdir()
    with pytest.raises(ConfigError, match=r"no usable clip .*book a gloss's folder without a clip") as caught:
        read_clips(tmp_path)
    assert "\n" not in str(caught.value)


def settings(tmp_path: Path, **changes: object) -> DataSettings:
    own = lay(tmp_path / "own", *(f"{gloss}/{who}/{n}.mp4" for gloss in "ab" for who in "xyz" for n in range(3)))
    return DataSettings(root=tmp_path / "data", index=own).model_copy(update=changes)


@pytest.mark.parametrize("split", ["gloss", "signer"])
def test_a_split_is_drawn(tmp_path: Path, split: str) -> None:
    clips = expected(settings(tmp_path, split=split)).clips
    assert {clip.split for clip in clips} == {"train", "validation", "test"}


def test_without_a_split_of_its_own_the_way_out_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"data\.split: official, .* take data\.split=gloss or signer"):
        expected(settings(tmp_path))


def test_clips_without_a_signer_are_refused_one_by_one_where_signers_are_split(tmp_path: Path) -> None:
    data = settings(tmp_path, split="signer")
    lay(data.index, "a/unknown.mp4")
    wanted = expected(data)
    assert len(wanted.clips) == 18
    (refusal,) = wanted.refused
    assert refusal.where.startswith("a_unknown-")
    assert "names no signer" in refusal.reason
    nobody = data.model_copy(update={"index": lay(tmp_path / "nobody", "a/1.mp4", "b/1.mp4")})
    with pytest.raises(ConfigError, match=r"names no clip's signer; .* take data\.split=gloss"):
        expected(nobody)


def test_a_data_root_among_the_clips_is_refused(tmp_path: Path) -> None:
    data = settings(tmp_path, split="gloss")
    for root in (data.index, data.index / "out"):
        with pytest.raises(ConfigError, match=r"data\.root: .* lies in the folder of clips"):
            expected(data.model_copy(update={"root": root}))
    expected(data.model_copy(update={"root": tmp_path}))


def test_there_is_nothing_to_download(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="your own clips, which are read where they lie"):
        fetchable(settings(tmp_path, split="gloss"))


def test_the_folder_that_links_must_not_leave(tmp_path: Path) -> None:
    lay(tmp_path, "own/a/1.mp4", "clips.csv")
    assert own_folder(tmp_path / "own") == (tmp_path / "own").resolve()
    assert own_folder(tmp_path / "clips.csv") == tmp_path.resolve()


def test_a_clip_says_where_it_lies_and_a_row_keeps_it() -> None:
    own = Clip("x", "book", "train", "anna", own_file="/clips/book/1.mp4")
    assert own.row(Path("data"), "?")["video_path"] == own.row(Path("data"), "?")["own_file"] == "/clips/book/1.mp4"
    assert "own_file" not in Clip("x", "book", "train", 1).row(Path("data"), "?")
