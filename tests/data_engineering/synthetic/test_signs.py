"""params/signs.yaml: pure data, refused by name when wrong; and signs composed at random."""

import numpy as np
import pytest

from data_engineering.errors import ConfigError
from data_engineering.synthetic.phonology import ALLOWED, Sign, describe, parameters
from data_engineering.synthetic.signs import load_signs, make_sign, random_sign


def signs_file(tmp_path, text):
    path = tmp_path / "signs.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_new_sign_is_an_entry(tmp_path):
    path = signs_file(tmp_path, "TREE: {shape: 5, location: high, palm: in, movement: twist, repeats: 2}\n")
    assert load_signs(path) == {
        "TREE": Sign("TREE", shape="5", location="high", palm="in", movement="twist", repeats=2)
    }


@pytest.mark.parametrize(
    ("entry", "key", "allowed"),
    [
        ("{shape: Q}", "shape", "open-B"),
        ("{location: knee}", "location", "forehead"),
        ("{movement: jump}", "movement", "circle"),
        ("{repeats: 9}", "repeats", "1, 2, 3"),
        ("{hands: three}", "hands", "symmetric"),
        ("{colour: red}", "colour", "location"),
        ("{movement: circle, plane: frontal, direction: up}", "direction", "anticlockwise"),
        ("{movement: path}", "direction", "forward"),
        ("{movement: line}", "to", "temple"),
        ("{hands: base}", "base_shape", "claw-5"),
        ("{fingers: up, palm: down}", "palm", "forward"),
        ("{location: base}", "location", "base"),
        ("{movement: change}", "movement", "end_shape"),
        ("just words", "mapping", "shape"),
    ],
)
def test_a_bad_entry_is_refused_naming_sign_key_and_allowed_values(tmp_path, entry, key, allowed):
    path = signs_file(tmp_path, f"GOOD: {{shape: A}}\nODD: {entry}\n")
    with pytest.raises(ConfigError) as refusal:
        load_signs(path)
    message = str(refusal.value)
    assert "sign ODD" in message
    assert key in message
    assert allowed in message
    assert "\n" not in message


@pytest.mark.parametrize("value", ["melted", "", "null", "[1, 2]", "{a: 1}", "-1", "1.5"])
@pytest.mark.parametrize("key", ALLOWED)
def test_every_key_is_refused_with_a_value_that_it_cannot_have(tmp_path, key, value):
    with pytest.raises(ConfigError) as refusal:
        load_signs(signs_file(tmp_path, f"GOOD: {{shape: A}}\nODD: {{{key}: {value}}}\n"))
    message = str(refusal.value)
    assert f"sign ODD: {key} is " in message
    assert f"allowed: {', '.join(map(str, ALLOWED[key]))}" in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("needed", "entry"),
    [
        ("to", "movement: line"),
        *(("direction", f"movement: {movement}") for movement in ("tap", "path", "shake")),
        ("direction", "movement: circle, plane: frontal"),
        ("plane", "movement: circle, direction: clockwise"),
        ("base_shape", "hands: base, base_fingers: up, base_palm: in"),
        ("base_fingers", "hands: base, base_shape: S, base_palm: in"),
        ("base_palm", "hands: base, base_shape: S, base_fingers: up"),
    ],
)
def test_what_a_movement_or_a_base_needs_is_asked_for(tmp_path, needed, entry):
    with pytest.raises(ConfigError) as refusal:
        load_signs(signs_file(tmp_path, f"ODD: {{{entry}}}\n"))
    message = str(refusal.value)
    assert f"sign ODD: {needed} is missing" in message
    assert f"allowed: {', '.join(map(str, ALLOWED[needed]))}" in message


@pytest.mark.parametrize(
    ("key", "entry", "remedy"),
    [
        ("to", "to: nose, movement: hold", "movement line"),
        ("plane", "plane: floor, movement: tap, direction: back", "movement circle"),
        ("direction", "direction: up, movement: nod", "movement tap or path or shake or circle"),
        ("base_shape", "base_shape: S", "hands base"),
        ("base_moves", "base_moves: 'yes'", "hands base"),
    ],
)
def test_a_key_that_would_change_nothing_in_the_picture_is_refused(tmp_path, key, entry, remedy):
    with pytest.raises(ConfigError) as refusal:
        load_signs(signs_file(tmp_path, f"ODD: {{{entry}}}\n"))
    assert f"sign ODD: {key} means nothing with" in str(refusal.value)
    assert remedy in str(refusal.value)


@pytest.mark.parametrize("text", ["", "[1, 2]", "A: {shape: [", "\x00"])
def test_a_file_that_holds_no_signs_is_refused_in_one_line(tmp_path, text):
    with pytest.raises(ConfigError) as refusal:
        load_signs(signs_file(tmp_path, text))
    assert "signs.yaml" in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"none\.yaml: cannot be read"):
        load_signs(tmp_path / "none.yaml")


def test_random_signs_are_valid_varied_and_reproducible():
    signs = [random_sign(np.random.default_rng(seed)) for seed in range(400)]
    assert signs == [random_sign(np.random.default_rng(seed)) for seed in range(400)]
    assert len({parameters(sign) for sign in signs}) > 395
    for sign in signs:
        entry = {key: getattr(sign, key) for key in ALLOWED if getattr(sign, key) != ""}
        assert make_sign(sign.gloss, entry) == sign
    for key in ("hands", "shape", "movement", "plane", "repeats"):
        assert {getattr(sign, key) for sign in signs} >= set(ALLOWED[key]) - {3}, key


def test_a_description_is_words():
    words = describe(load_signs()["HOME"])
    assert words["handshape"] == "flat-O"
    assert words["location"] == "mouth"
    assert words["movement"] == "line to ear"
    assert words["hands"] == "one hand"
    assert all(isinstance(value, str) and value for value in words.values())
