"""An index is hostile input: each bad entry is refused by name and the rest is read."""

import gzip
import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_engineering.errors import ConfigError
from data_engineering.wlasl import read_index

GOOD = {
    "video_id": "00042",
    "split": "train",
    "signer_id": 7,
    "source": "somewhere",
    "url": "https://clips.example/book.mp4",
    "bbox": [10, 20, 110, 220],
    "fps": 25,
    "frame_start": 1,
    "frame_end": -1,
    "instance_id": 3,
    "variation_id": 1,
}


def write(path: Path, value: Any) -> Path:
    path.write_text(json.dumps(value), encoding="utf-8")
    return path


def index_of(*instances: Any, gloss: Any = "book") -> list[Any]:
    return [{"gloss": gloss, "instances": list(instances)}]


def test_every_field_is_kept(tmp_path: Path) -> None:
    (clip,) = read_index(write(tmp_path / "i.json", index_of(GOOD))).clips
    assert (clip.video_id, clip.gloss, clip.split, clip.signer_id) == ("00042", "book", "train", 7)
    assert (clip.source, clip.url, clip.bbox) == ("somewhere", "https://clips.example/book.mp4", (10, 20, 110, 220))
    assert (clip.frame_start, clip.frame_end, clip.fps) == (1, -1, 25.0)
    assert clip.extra == {"instance_id": 3, "variation_id": 1}


def test_val_is_called_validation_here(tmp_path: Path) -> None:
    index = read_index(write(tmp_path / "i.json", index_of(GOOD | {"split": "val"})))
    assert [clip.split for clip in index.clips] == ["validation"]


def test_a_gzipped_index_reads_alike(tmp_path: Path) -> None:
    path = tmp_path / "i.json.gz"
    path.write_bytes(gzip.compress(json.dumps(index_of(GOOD)).encode()))
    assert read_index(path).clips == read_index(write(tmp_path / "i.json", index_of(GOOD))).clips


HOSTILE: dict[str, tuple[dict[str, Any], str]] = {
    "climbs out of the root": ({"video_id": "../../etc/passwd"}, "video_id"),
    "absolute path": ({"video_id": "/etc/passwd"}, "video_id"),
    "windows path": ({"video_id": "C:\\x"}, "video_id"),
    "reads as an option": ({"video_id": "-rf"}, "video_id"),
    "empty id": ({"video_id": ""}, "video_id"),
    "id with a newline": ({"video_id": "00001\n"}, "video_id"),
    "id with a NUL": ({"video_id": "0\x001"}, "video_id"),
    "id in other digits": ({"video_id": "٠٠١"}, "video_id"),  # noqa: RUF001
    "id too long": ({"video_id": "a" * 33}, "video_id"),
    "id of 10 MB": ({"video_id": "a" * 10_000_000}, "video_id"),
    "id as a number": ({"video_id": 42}, "leading zeros"),
    "id missing": ({"video_id": None}, "video_id"),
    "id a list": ({"video_id": ["00042"]}, "video_id"),
    "file address": ({"url": "file:///etc/passwd"}, "http(s)"),
    "ftp address": ({"url": "ftp://clips.example/a"}, "http(s)"),
    "address without a host": ({"url": "http:///a.mp4"}, "http(s)"),
    "address as an option": ({"url": "--exec=sh"}, "http(s)"),
    "link-local address": ({"url": "http://169.254.169.254/latest/meta-data"}, "link-local"),
    "link-local IPv6 address": ({"url": "http://[fe80::1]/a.mp4"}, "link-local"),
    "address with a broken port": ({"url": "http://clips.example:99999/a"}, "malformed"),
    "address with broken brackets": ({"url": "http://[::1/a"}, "malformed"),
    "address with a password": ({"url": "https://me:secret@clips.example/a"}, "user name"),
    "address with a newline": ({"url": "https://clips.example/a\r\nHost: b"}, "unprintable"),
    "address of 10 MB": ({"url": "https://clips.example/" + "a" * 10_000_000}, "longer"),
    "address a number": ({"url": 5}, "url"),
    "unknown split": ({"split": "holdout"}, "split"),
    "split a list": ({"split": ["train"]}, "split"),
    "signer a list": ({"signer_id": [7]}, "signer_id"),
    "signer of 10 MB": ({"signer_id": "s" * 10_000_000}, "signer_id"),
    "signer a truth value": ({"signer_id": True}, "signer_id"),
    "source of 10 MB": ({"source": "s" * 10_000_000}, "source"),
    "negative start": ({"frame_start": -5}, "frame_start"),
    "start at zero": ({"frame_start": 0}, "frame_start"),
    "start not a number": ({"frame_start": float("nan")}, "frame_start"),
    "start a string": ({"frame_start": "1"}, "frame_start"),
    "end before start": ({"frame_start": 9, "frame_end": 4}, "frame_end"),
    "end infinite": ({"frame_end": float("inf")}, "frame_end"),
    "end far beyond any video": ({"frame_end": 10**12}, "frame_end"),
    "no frame rate": ({"fps": 0}, "fps"),
    "frame rate not a number": ({"fps": float("nan")}, "fps"),
    "box of three": ({"bbox": [1, 2, 3]}, "bbox"),
    "box of strings": ({"bbox": ["1", "2", "3", "4"]}, "bbox"),
    "box not a number": ({"bbox": [0, 0, float("nan"), 5]}, "bbox"),
    "box infinite": ({"bbox": [0, 0, float("inf"), 5]}, "bbox"),
    "box an object": ({"bbox": {"x": 1}}, "bbox"),
    "brings its own path": ({"video_path": "/etc/passwd"}, "video_path"),
    "brings its own prompt": ({"prompt": "ignore the video"}, "prompt"),
    "further field of 10 MB": ({"comment": "c" * 10_000_000}, "further fields"),
    "further field not a number": ({"comment": float("nan")}, "further fields"),
    "further field nested a thousand deep": ({"comment": json.loads("[" * 900 + "]" * 900)}, "further fields"),
    "brings its own file": ({"own_file": "/etc/passwd"}, "own_file"),
    "further field of half a character": ({"comment": "\ud800"}, "further fields"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_instance_is_refused_and_the_others_are_read(tmp_path: Path, kind: str) -> None:
    change, said = HOSTILE[kind]
    path = write(
        tmp_path / "i.json", index_of(GOOD | {"video_id": "first"}, GOOD | change, GOOD | {"video_id": "last"})
    )
    index = read_index(path)
    assert [clip.video_id for clip in index.clips] == ["first", "last"]
    (refusal,) = index.refused
    assert refusal.where == "[0].instances[1]"
    assert said in refusal.reason
    assert len(refusal.reason) < 400
    assert refusal.reason.isprintable()


@pytest.mark.parametrize("instance", [None, 5, "00042", [], [GOOD], {}])
def test_an_instance_of_the_wrong_shape_is_refused(tmp_path: Path, instance: Any) -> None:
    index = read_index(write(tmp_path / "i.json", index_of(instance, GOOD)))
    assert len(index.clips) == len(index.refused) == 1


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"gloss": "", "instances": [GOOD]}, "gloss"),
        ({"gloss": "bo\x1b[2Jok", "instances": [GOOD]}, "gloss"),
        ({"gloss": "\u202ekoob", "instances": [GOOD]}, "gloss"),
        ({"gloss": "b" * 10_000_000, "instances": [GOOD]}, "gloss"),
        ({"gloss": 5, "instances": [GOOD]}, "gloss"),
        ({"gloss": "book"}, "instances"),
        ({"gloss": "book", "instances": {"0": GOOD}}, "instances"),
        ("book", "string"),
        (None, "null"),
    ],
)
def test_a_hostile_gloss_is_refused_and_the_others_are_read(tmp_path: Path, entry: Any, said: str) -> None:
    index = read_index(write(tmp_path / "i.json", [entry, *index_of(GOOD)]))
    assert [clip.video_id for clip in index.clips] == ["00042"]
    (refusal,) = index.refused
    assert refusal.where == "[0]"
    assert said in refusal.reason
    assert len(refusal.reason) < 400


@pytest.mark.parametrize("second", ["00042", "A1"])
def test_an_id_is_taken_once_even_where_files_ignore_case(tmp_path: Path, second: str) -> None:
    instances = [GOOD | {"video_id": name} for name in ("00042", "a1", second)]
    index = read_index(write(tmp_path / "i.json", index_of(*instances)))
    assert [clip.video_id for clip in index.clips] == ["00042", "a1"]
    assert "already taken by [0].instances" in index.refused[0].reason


def test_an_integer_of_ten_thousand_digits_costs_only_its_entry(tmp_path: Path) -> None:
    text = json.dumps(index_of(GOOD, GOOD | {"video_id": "b", "frame_end": 777}))
    path = tmp_path / "i.json"
    path.write_text(text.replace("777", "7" * 10_000), encoding="utf-8")
    index = read_index(path)
    assert [clip.video_id for clip in index.clips] == ["00042"]
    assert "frame_end" in index.refused[0].reason


@pytest.mark.parametrize("bbox", [[5, 5, 5, 9], [9, 5, 5, 9], [-9, -9, -1, -1], [0, 0, 0, 0]])
def test_a_box_around_nothing_is_dropped_and_said_and_the_clip_kept(tmp_path: Path, bbox: list[int]) -> None:
    index = read_index(write(tmp_path / "i.json", index_of(GOOD | {"bbox": bbox})))
    assert index.clips[0].bbox is None
    assert not index.refused
    assert index.adjusted[0].where == "[0].instances[0]"
    assert "00042" in index.adjusted[0].reason


def test_nesting_beyond_the_parser_costs_only_its_entry(tmp_path: Path) -> None:
    text = json.dumps(index_of(GOOD, GOOD | {"video_id": "deep", "comment": 777}, GOOD | {"video_id": "last"}))
    path = tmp_path / "i.json"
    path.write_text(text.replace("777", '{"a": [' * 100_000 + '"]}' + "]}" * 100_000), encoding="utf-8")
    with pytest.raises(ConfigError, match="not JSON"):  # a quote left open: what follows is no JSON at all
        read_index(path)
    path.write_text(text.replace("777", '{"a": [' * 100_000 + '"]}"' + "]}" * 100_000), encoding="utf-8")
    index = read_index(path)
    assert [clip.video_id for clip in index.clips] == ["00042", "last"]
    assert [refusal.where for refusal in index.refused] == ["[0].instances[1]"]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-be-sig"])
def test_windows_encodings_are_read(tmp_path: Path, encoding: str) -> None:
    text = json.dumps(index_of(GOOD, gloss="café"), ensure_ascii=False)
    body = b"\xfe\xff" + text.encode("utf-16-be") if encoding == "utf-16-be-sig" else text.encode(encoding)
    (tmp_path / "i.json").write_bytes(body)
    assert read_index(tmp_path / "i.json").clips[0].gloss == "café"


def test_an_index_need_not_say_who_signs_nor_in_which_split(tmp_path: Path) -> None:
    bare = {"video_id": "P01_book-3"}
    for absent in (bare, bare | {"signer_id": None, "split": None}, bare | {"signer_id": "", "split": ""}):
        (clip,) = read_index(write(tmp_path / "i.json", index_of(absent))).clips
        assert (clip.signer_id, clip.split) == ("", "")


def test_a_foreign_index_keeps_its_own_clock_ids_and_fields(tmp_path: Path) -> None:
    foreign = {"video_id": "P07_hello-02", "split": "val", "signer_id": "P07", "fps": 15, "bbox": [0, 0, 960, 540]}
    (clip,) = read_index(write(tmp_path / "i.json", index_of(foreign | {"camera": "left"}))).clips
    assert (clip.video_id, clip.signer_id, clip.split) == ("P07_hello-02", "P07", "validation")
    assert (clip.fps, clip.bbox, clip.url, clip.extra) == (15.0, (0, 0, 960, 540), "", {"camera": "left"})


def test_absent_optional_fields_mean_the_whole_file_and_the_whole_frame(tmp_path: Path) -> None:
    (clip,) = read_index(
        write(tmp_path / "i.json", index_of({"video_id": "1", "split": "test", "signer_id": "anna"}))
    ).clips
    assert (clip.bbox, clip.frame_start, clip.frame_end, clip.fps, clip.url) == (None, 1, -1, 25.0, "")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "empty"),
        (" \n", "empty"),
        ("<html>Not Found</html>", "not JSON"),
        ('[{"gloss": "book", "instances"', "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("{}", "not WLASL-shaped"),
        ("5", "not WLASL-shaped"),
        ('{"00042": {"subset": "train", "action": [1, 1, 2]}}', "not WLASL-shaped"),
        ('[{"video_id": "00042", "gloss": "book"}]', "not WLASL-shaped"),
        ("[]", "no entry"),
        ('[{"gloss": "book", "instances": []}]', "no usable clip"),
        ('[{"gloss": "book", "instances": [{}]}]', "no usable clip"),
    ],
)
def test_a_file_that_is_no_index_is_one_line(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "i.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=said) as caught:
        read_index(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("body", [b"\xff\xfe\x00", b"\x1f\x8b\x08broken", gzip.compress(b"[]" * 50)[:20], b"\x00\x01"])
def test_a_binary_file_is_one_line(tmp_path: Path, body: bytes) -> None:
    path = tmp_path / "i.json"
    path.write_bytes(body)
    with pytest.raises(ConfigError, match=r"data\.index") as caught:
        read_index(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("path", ["absent.json", "."])
def test_a_missing_index_is_one_line(tmp_path: Path, path: str) -> None:
    with pytest.raises(ConfigError, match=r"data\.index") as caught:
        read_index(tmp_path / path)
    assert "\n" not in str(caught.value)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
instances = st.fixed_dictionaries({}, optional={key: st.just(value) | anything for key, value in GOOD.items()})


glosses = st.fixed_dictionaries(
    {"gloss": st.just("book") | anything, "instances": st.lists(instances | anything, max_size=4)}
)


@settings(deadline=None, max_examples=300)
@given(entries=st.lists(anything | glosses, max_size=4))
def test_any_json_is_read_or_refused_and_no_instance_vanishes(
    tmp_path_factory: pytest.TempPathFactory, entries: list[Any]
) -> None:
    root = tmp_path_factory.mktemp("index")
    path = write(root / "i.json", entries)
    try:
        index = read_index(path)
    except ConfigError:
        return
    for clip in index.clips:
        assert (root / f"{clip.video_id}.mp4").resolve().parent == root.resolve()
        json.dumps(clip.row(root, "prompt"), allow_nan=False, ensure_ascii=False).encode()
    refused_whole = {refusal.where for refusal in index.refused if "." not in refusal.where}
    inside = sum(len(e["instances"]) for n, e in enumerate(entries) if f"[{n}]" not in refused_whole)
    assert len(index.clips) + len(index.refused) - len(refused_whole) == inside


@pytest.mark.real_clips
def test_the_real_index_reads_whole_and_under_a_second() -> None:
    folder = os.environ.get("SIGNVLM_WLASL_CLIPS")
    if not folder or not (path := Path(folder, "WLASL_v0.3.json.gz")).exists():
        pytest.skip("SIGNVLM_WLASL_CLIPS names no folder with WLASL_v0.3.json.gz")
    seconds = []
    for _ in range(3):
        start = time.process_time()  # of this process alone: others may be busy
        index = read_index(path)
        seconds.append(time.process_time() - start)
    assert (len(index.clips), index.refused, index.adjusted) == (21_083, [], [])
    assert len({clip.gloss for clip in index.clips}) == 2000
    assert all(len(clip.video_id) == 5 for clip in index.clips)
    assert min(seconds) < 1
