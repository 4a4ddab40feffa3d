"""A glossary names signs; what it names and the index lacks is said, not guessed."""

import os
from pathlib import Path

import pytest

from data_engineering.clip import Clip
from data_engineering.errors import ConfigError
from data_engineering.glossary import match_key, read_words, select
from data_engineering.shipped import shipped
from data_engineering.wlasl import read_index


def clips_of(*glosses: str) -> list[Clip]:
    return [Clip(video_id=f"{n:05}", gloss=gloss, split="train", signer_id=n) for n, gloss in enumerate(glosses)]


def test_without_a_glossary_every_gloss_is_taken_in_the_order_of_the_index() -> None:
    selection = select(clips_of("tv", "book", "tv"), None)
    assert selection.glosses == ("tv", "book")
    assert len(selection.clips) == 3


def test_first_k_takes_the_first_glosses_of_the_index() -> None:
    selection = select(clips_of("tv", "book", "tv", "cat"), "first-2")
    assert selection.glosses == ("tv", "book")
    assert [clip.gloss for clip in selection.clips] == ["tv", "book", "tv"]


@pytest.mark.parametrize("glossary", ["first-0", "first-4"])
def test_first_k_beyond_the_index_is_refused(glossary: str) -> None:
    with pytest.raises(ConfigError, match="3 glosses"):
        select(clips_of("a", "b", "c"), glossary)


@pytest.mark.parametrize(
    ("word", "gloss"),
    [("BOOK", "book"), ("DON'T-WANT", "don't want"), ("DON’T_WANT", "don't want"), ("post-office", "PostOffice")],  # noqa: RUF001
)
def test_case_space_hyphen_and_apostrophe_do_not_count(tmp_path: Path, word: str, gloss: str) -> None:
    path = tmp_path / "words.txt"
    path.write_text(word, encoding="utf-8")
    assert select(clips_of("other", gloss), str(path)).glosses == (gloss,)


@pytest.mark.parametrize(("word", "gloss"), [("look", "look at"), ("she", "he"), ("un", "une"), ("cafe", "café")])
def test_nothing_else_matches(tmp_path: Path, word: str, gloss: str) -> None:
    assert match_key(word) != match_key(gloss)


def test_unmatched_words_come_with_the_nearest_glosses(tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_text("book\nsurprised\nqqqq\n", encoding="utf-8")
    selection = select(clips_of("book", "surprise", "sunrise"), str(path))
    assert selection.glosses == ("book",)
    assert selection.unmatched == [("surprised", ("surprise", "sunrise")), ("qqqq", ())]


def test_no_match_at_all_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_text("boko", encoding="utf-8")
    with pytest.raises(ConfigError, match="nearest is book") as caught:
        select(clips_of("book"), str(path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("g.yaml", "[no, yes, on, off, true, null, 1, 2.50]"),
        ("g.yaml", "Answers: [no, yes]\nSwitches: [on, off]\nOthers:\n  - true\n  - null\n  - 1\n  - 2.50\n"),
        ("g.json", '["no", "yes", "on", "off", "true", "null", "1", "2.50"]'),
        ("g.txt", "# signs\nno\nyes  # nodding\n\non\noff\ntrue\nnull\n1\n2.50\n"),
    ],
)
def test_words_stay_as_they_are_written(tmp_path: Path, name: str, text: str) -> None:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    assert read_words(path) == ["no", "yes", "on", "off", "true", "null", "1", "2.50"]


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("g.yaml", b"[book, [tv]]"),
        ("g.yaml", b"a: book"),
        ("g.yaml", b"a: {b: [book]}"),
        ("g.yaml", b"book"),
        ("g.yaml", b"[book"),
        ("g.yaml", b""),
        ("g.yaml", b"[" * 5000),
        ("g.txt", b""),
        ("g.txt", b"# nothing\n"),
        ("g.txt", b"\xff\xfe"),
        ("g.txt", b"bo\x1bok"),
        ("g.txt", b"---"),
    ],
)
def test_a_file_that_is_no_glossary_is_one_line(tmp_path: Path, name: str, body: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(body)
    with pytest.raises(ConfigError, match=r"data\.glossary") as caught:
        read_words(path)
    assert "\n" not in str(caught.value)


def test_yaml_tags_are_never_obeyed(tmp_path: Path) -> None:
    path = tmp_path / "g.yaml"
    path.write_text(f"!!python/object/apply:os.mkdir ['{tmp_path}/made']", encoding="utf-8")
    read_words(path)
    assert not (tmp_path / "made").exists()


def test_a_missing_glossary_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        select(clips_of("book"), str(tmp_path / "absent.txt"))


def test_the_shipped_core_glossary_is_the_nominal_list() -> None:
    words = read_words(shipped("core_glossary.yaml"))
    assert len(words) == len({match_key(word) for word in words}) == 319
    assert {"TRUE", "FALSE", "CAN'T", "YOU-PLURAL"} <= set(words)


@pytest.mark.real_clips
def test_282_of_its_words_are_glosses_of_wlasl() -> None:
    folder = os.environ.get("SIGNVLM_WLASL_CLIPS")
    if not folder or not (path := Path(folder, "WLASL_v0.3.json.gz")).exists():
        pytest.skip("SIGNVLM_WLASL_CLIPS names no folder with WLASL_v0.3.json.gz")
    selection = select(read_index(path).clips, "core")
    assert (len(selection.glosses), len(selection.clips), len(selection.unmatched)) == (282, 3990, 37)
    assert ("SURPRISED", ("surprise", "sunrise", "surrender")) in selection.unmatched


def test_a_class_list_names_its_glosses_without_their_numbers(tmp_path: Path) -> None:
    path = tmp_path / "wlasl_class_list.txt"
    path.write_text("0\tbook\n1\tthank you\n2\t1\n3 d\n", encoding="utf-8")
    assert read_words(path) == ["book", "thank you", "1", "3 d"]
