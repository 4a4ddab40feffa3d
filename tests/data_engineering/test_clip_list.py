"""A CSV or JSON list of the user's own clips is an index; a bad record costs itself and nothing else."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_engineering.errors import ConfigError
from data_engineering.folder import read_clips
from data_engineering.index_file import Index
from data_engineering.splits import same_cut


def read(tmp_path: Path, text: str | bytes, name: str = "clips.csv") -> Index:
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_clips(path)


def test_a_csv_gives_what_its_columns_say(tmp_path: Path) -> None:
    index = read(
        tmp_path,
        "path,gloss,signer,split,start,end,bbox,camera\n"
        'a/1.mp4,thank you,anna,train,0.5,2,"[10, 20, 110, 220]",left\n'
        "a/2.mov,book,,val,,,10 20 110 220,\n",
    )
    one, two = index.clips
    assert (one.own_file, one.gloss, one.signer_id, one.split) == (
        str(tmp_path / "a/1.mp4"),
        "thank you",
        "anna",
        "train",
    )
    assert ((one.frame_start - 1) / one.fps, one.frame_end / one.fps, one.bbox) == (0.5, 2.0, (10, 20, 110, 220))
    assert one.extra == {"camera": "left"}
    assert (two.signer_id, two.split, two.frame_end, two.bbox, two.extra) == (
        "",
        "validation",
        -1,
        (10, 20, 110, 220),
        {},
    )


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("c.csv", "Video; Gloss; ID\n1.mp4;book;00042\n"),
        ("c.tsv", "video\tgloss\tvideo_id\r\n1.mp4\tbook\t00042\r\n"),
        ("c.json", '[{"video": "1.mp4", "gloss": "book", "id": "00042"}]'),
        ("c.jsonl", '{"path": "1.mp4", "gloss": "book", "id": "00042"}\n\n'),
        ("c.csv", "\ufeffpath,gloss,id\n1.mp4,book,00042\n"),
    ],
)
def test_every_form_reads_alike(tmp_path: Path, name: str, text: str) -> None:
    (clip,) = read(tmp_path, text, name).clips
    assert (clip.video_id, clip.gloss, clip.own_file) == ("00042", "book", str(tmp_path / "1.mp4"))
    (packed,) = read(tmp_path, gzip.compress(text.encode()), f"{name}.gz").clips
    (excel,) = read(tmp_path, text.removeprefix("\ufeff").encode("utf-16"), name).clips
    assert clip == packed == excel


def test_a_range_may_be_given_in_frames_as_wlasl_does(tmp_path: Path) -> None:
    (clip,) = read(tmp_path, "path,gloss,frame_start,frame_end,fps\n1.mp4,book,16,45,15\n").clips
    assert (clip.frame_start, clip.frame_end, clip.fps) == (16, 45, 15.0)


def test_several_signs_of_one_recording_are_several_clips(tmp_path: Path) -> None:
    text = "path,gloss,start,end\nlong.mp4,book,0,2\nlong.mp4,cat,2,4\nlong.mp4,dog,2,4\nlong.mp4,book,0,2\n"
    index = read(tmp_path, text)
    assert [clip.gloss for clip in index.clips] == ["book", "cat", "dog"]
    assert len({clip.video_id for clip in index.clips}) == 3
    assert [refusal.where for refusal in index.refused] == ["line 5"]
    assert "already taken by line 2" in index.refused[0].reason
    book, cat, dog = map(same_cut, index.clips)
    assert book != cat == dog


GOOD = {"path": "book/1.mp4", "gloss": "book"}
HOSTILE: dict[str, tuple[Any, str]] = {
    "climbs out": (GOOD | {"path": "../1.mp4"}, "climbs out"),
    "climbs out further in": (GOOD | {"path": "a/../../1.mp4"}, "climbs out"),
    "climbs out as on Windows": (GOOD | {"path": "a\\..\\..\\1.mp4"}, "climbs out"),
    "absolute": (GOOD | {"path": "/etc/passwd"}, "absolute"),
    "absolute on Windows": (GOOD | {"path": "C:\\x.mp4"}, "absolute"),
    "a share": (GOOD | {"path": "\\\\host\\share\\x.mp4"}, "absolute"),
    "an address": (GOOD | {"path": "https://h.example/1.mp4"}, "an address"),
    "a file address": (GOOD | {"path": "file:///etc/passwd"}, "an address"),
    "no path": ({"gloss": "book"}, "path is a null"),
    "path a number": (GOOD | {"path": 5}, "path is a number"),
    "path with a newline": (GOOD | {"path": "a\nb.mp4"}, "printable"),
    "path with a NUL": (GOOD | {"path": "a\0b.mp4"}, "printable"),
    "path of 10 MB": (GOOD | {"path": "a" * 10_000_000}, "1024 printable"),
    "two paths": (GOOD | {"video": "2.mp4"}, "twice"),
    "no gloss": ({"path": "1.mp4"}, "gloss is a null"),
    "gloss of 10 MB": (GOOD | {"gloss": "g" * 10_000_000}, "gloss"),
    "gloss a list": (GOOD | {"gloss": ["book"]}, "gloss"),
    "id an option": (GOOD | {"id": "-rf"}, "video_id"),
    "id a path": (GOOD | {"id": "../x"}, "video_id"),
    "id a number": (GOOD | {"id": 42}, "leading zeros"),
    "signer a list": (GOOD | {"signer": ["anna"]}, "signer_id"),
    "split unknown": (GOOD | {"split": "holdout"}, "split"),
    "box of three": (GOOD | {"bbox": [1, 2, 3]}, "bbox"),
    "box not a number": (GOOD | {"bbox": [1, 2, float("nan"), 4]}, "bbox"),
    "start before the file": (GOOD | {"start": -1}, "start"),
    "start not a number": (GOOD | {"start": float("nan")}, "start"),
    "start a string": (GOOD | {"start": "1"}, "start"),
    "end before the start": (GOOD | {"start": 3, "end": 2}, "end 2 is not behind start 3"),
    "end infinite": (GOOD | {"end": float("inf")}, "end"),
    "two clocks": (GOOD | {"start": 1, "end": 2, "fps": 25}, "seconds"),
    "brings its own file": (GOOD | {"own_file": "/etc/passwd"}, "own_file"),
    "brings its own row": (GOOD | {"video_path": "/etc/passwd"}, "video_path"),
    "further field nested deep": (GOOD | {"more": json.loads("[" * 99 + "]" * 99)}, "nested"),
    "no record": ("book/1.mp4", "a string where a clip belongs"),
    "nothing": (None, "a null where a clip belongs"),
}


@pytest.mark.parametrize("kind", HOSTILE)
@pytest.mark.parametrize("lines", [False, True], ids=["json", "lines"])
def test_a_hostile_record_is_refused_and_the_others_are_read(tmp_path: Path, kind: str, lines: bool) -> None:
    record, said = HOSTILE[kind]
    records = [GOOD | {"id": "first"}, record, GOOD | {"id": "last"}]
    text = "\n".join(map(json.dumps, records)) if lines else json.dumps(records)
    index = read(tmp_path, text, "c.jsonl" if lines else "c.json")
    assert [clip.video_id for clip in index.clips] == ["first", "last"]
    ((where, reason),) = index.refused
    assert where == ("line 2" if lines else "[1]")
    assert said in reason
    assert len(reason) < 400
    assert reason.isprintable()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("../1.mp4,book,", "climbs out"),
        (",book,", "path is a null"),
        ("1.mp4,,", "gloss is a null"),
        ("1.mp4,book,x", "start 'x' is no number"),
        ("1.mp4,book,nan", "not seconds"),
        ("1.mp4,book,1,extra", "4 values under 3 columns"),
        (f"{'a' * 300_000},book,", "printable"),
    ],
)
def test_a_hostile_line_is_refused_and_the_others_are_read(tmp_path: Path, line: str, said: str) -> None:
    index = read(tmp_path, f"path,gloss,start\n1.mp4,book,\n{line}\n2.mp4,book,\n")
    assert [Path(clip.own_file).name for clip in index.clips] == ["1.mp4", "2.mp4"]
    ((where, reason),) = index.refused
    assert where == "line 3"
    assert said in reason


def test_a_broken_line_of_json_is_refused_and_the_others_are_read(tmp_path: Path) -> None:
    good = json.dumps(GOOD)
    deep = "[" * 100_000 + "]" * 100_000
    index = read(tmp_path, f'{{"path": \n{deep}\n{good}\n', "c.jsonl")
    assert len(index.clips) == 1
    assert [where for where, _ in index.refused] == ["line 1", "line 2"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "empty"),
        ("gloss,signer\nbook,anna\n", "no column 'path'"),
        ("path\n1.mp4\n", "no column 'gloss'"),
        ("path,gloss\n", "no usable clip"),
        ("path,gloss\n/etc/passwd,book\n", "no usable clip .*absolute"),
        (b"path,gloss\ncaf\xe9.mp4,book\n", "save it as UTF-8"),
    ],
)
def test_a_file_that_is_no_list_is_one_line(tmp_path: Path, text: str | bytes, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        read(tmp_path, text)
    assert "\n" not in str(caught.value)


def test_the_library_s_own_limit_on_a_value_is_put_back(tmp_path: Path) -> None:
    import csv

    before = csv.field_size_limit()
    read(tmp_path, "path,gloss\n1.mp4,book\n")
    assert csv.field_size_limit() == before


scraps = st.text(st.sampled_from('ab01./\\,;"\n\t\0-:é '), max_size=60)


@settings(deadline=None, max_examples=200)
@given(text=scraps, name=st.sampled_from(["c.csv", "c.jsonl", "c.json"]))
def test_any_text_is_read_or_refused_and_no_clip_lies_outside(
    tmp_path_factory: pytest.TempPathFactory, text: str, name: str
) -> None:
    folder = tmp_path_factory.mktemp("list")
    try:
        clips = read(folder, f"path,gloss\n{text}\n" if name == "c.csv" else text, name).clips
    except ConfigError:
        return
    assert all(Path(clip.own_file).resolve().is_relative_to(folder.resolve()) for clip in clips)
