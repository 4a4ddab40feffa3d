"""`data.phonology`: anybody's parameters or the avatar's, read or refused by name, and the minimal pairs in them."""

import json
from pathlib import Path

import pytest

from data_engineering.errors import ConfigError
from data_engineering.phonology_file import channels, differing, load_phonology, minimal_pairs, rows_of
from data_engineering.settings import DataSettings
from data_engineering.synthetic import phonology
from data_engineering.synthetic.signs import load_signs

OWN = """\
mother: {Handshape: "5", Location: chin, Movement: 2x tap}
father: {Handshape: 5, Location: forehead, Movement: 2x tap}
water: {Handshape: W, Location: chin, Movement: 2x tap}
no: {Handshape: 3, Location: null, Movement: }
"""


def written(tmp_path: Path, text: str, name: str = "phonology.yaml") -> Path:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_configuration_has_none_unless_it_names_one() -> None:
    assert DataSettings().phonology is None
    assert DataSettings(phonology=Path("mine.yaml")).phonology == Path("mine.yaml")


def test_anybodys_parameters_are_kept_as_words(tmp_path: Path) -> None:
    table = load_phonology(written(tmp_path, OWN))
    assert list(table) == ["mother", "father", "water", "no"]
    assert table["father"] == {"Handshape": "5", "Location": "forehead", "Movement": "2x tap"}
    assert table["no"] == {"Handshape": "3"}


def test_json_is_read_alike(tmp_path: Path) -> None:
    rows = {"book": {"Handshape": 5, "Major.Location": "Neutral", "Flexion": 1.0, "Two": True, "Contact": None}}
    table = load_phonology(written(tmp_path, json.dumps(rows), "asl_lex.json"))
    assert table == {"book": {"Handshape": "5", "Major.Location": "Neutral", "Flexion": "1.0", "Two": "true"}}


def test_pairs_differ_in_exactly_one_parameter(tmp_path: Path) -> None:
    table = load_phonology(written(tmp_path, OWN))
    assert minimal_pairs(table) == [("mother", "father", "Location"), ("mother", "water", "Handshape")]
    assert differing(table["father"], table["water"]) == ("Handshape", "Location")


def test_a_parameter_that_only_one_gloss_has_tells_them_apart() -> None:
    table = {"sit": {"Handshape": "H", "Base": "H"}, "name": {"Handshape": "H"}, "egg": {"Handshape": "H"}}
    assert minimal_pairs(table) == [("sit", "name", "Base"), ("sit", "egg", "Base")]


@pytest.mark.parametrize("path", [None, Path("params/signs.yaml")])
def test_the_avatars_signs_are_taken_directly_and_by_channel(
    path: Path | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if path is None:
        path = written(tmp_path, "A: {shape: S, movement: hold}\nB: {shape: W}\nC: {movement: wiggle}\n")
        table = load_phonology(path)
        assert table["A"]["location"] == "neutral", "what an entry leaves out is as usual"
        assert minimal_pairs(table) == [("A", "B", "handshape")]
    else:
        monkeypatch.chdir(tmp_path)  # the shipped file is found from anywhere
        table = load_phonology(path)
        assert minimal_pairs(table) == phonology.minimal_pairs(load_signs())
        assert ("mother", "father") not in [pair[:2] for pair in minimal_pairs(table)]
        assert ("MOTHER", "FATHER", "location") in minimal_pairs(table)


def test_the_avatars_rows_read_by_channel() -> None:
    table = load_phonology(Path("params/signs.yaml"))
    assert list(channels(table["MOTHER"])) == list(phonology.CHANNELS)
    assert channels(table["MOTHER"])["handshape"] == "5"
    assert channels(table["MOTHER"])["location"] == "chin contact=thumb_tip"
    assert channels(table["MOTHER"])["movement"].startswith("tap direction=back")
    assert channels({"Handshape": "5"}) == {"Handshape": "5"}


def test_rows_are_found_for_a_datasets_own_spelling() -> None:
    table = load_phonology(Path("params/signs.yaml"))
    rows = rows_of(table, ["thank you", "Mother", "zebra"])
    assert rows == {"thank you": table["THANK-YOU"], "Mother": table["MOTHER"]}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ("no gloss", "gloss: {parameter: value")),
        ("[a, b]", ("list", "not glosses")),
        ("just words", ("str", "not glosses")),
        ("{}", ("no gloss",)),
        ("book: 5", ("'book'", "no parameters")),
        ("book: {}", ("'book'", "no parameters")),
        ("book: [5, chin]", ("'book'", "no parameters")),
        ("book: {Handshape: null}", ("'book'", "no parameters")),
        ("book: {Handshape: [5, S]}", ("'book'", "'Handshape'", "list")),
        ("book: {Handshape: {left: 5}}", ("'book'", "'Handshape'", "dict")),
        ("thank you: {a: 1}\nTHANK-YOU: {a: 2}", ("'thank you'", "'THANK-YOU'", "same word")),
        ("book: {a: 1}\nbook: {a: 2}", ("not YAML", "book")),
        ("'  ': {a: 1}", ("no word",)),
        ("book: {a: [", ("not YAML",)),
        ("BOOK: {shape: Q}", ("sign BOOK", "shape", "open-B")),
    ],
)
def test_another_file_is_refused_in_one_line_that_names_the_gloss(
    tmp_path: Path, text: str, words: tuple[str, ...]
) -> None:
    path = written(tmp_path, text)
    with pytest.raises(ConfigError) as refusal:
        load_phonology(path)
    message = str(refusal.value)
    assert message.startswith("data.phonology: ")
    assert str(path) in message
    assert "\n" not in message
    assert all(word in message for word in words), message


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"book": {"a": 1}, "book": {"a": 2}}', ("'book' stands there twice",)),
        (b"[" * 100_000, ("not JSON",)),
        (b"\xff\xfe\x00", ("not JSON",)),
        (b'{"book": {"a": ' + b"9" * 5000 + b"}}", ()),
    ],
)
def test_hostile_json_ends_in_one_line(tmp_path: Path, body: bytes, words: tuple[str, ...]) -> None:
    path = tmp_path / "table.json"
    path.write_bytes(body)
    if not words:
        assert len(load_phonology(path)["book"]["a"]) == 5000
        return
    with pytest.raises(ConfigError) as refusal:
        load_phonology(path)
    assert all(word in str(refusal.value) for word in words)


def test_a_missing_file_names_the_key(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"data\.phonology: .*none\.yaml cannot be read .*null to do without"):
        load_phonology(tmp_path / "none.yaml")
