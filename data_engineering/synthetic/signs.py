"""The signs of params/signs.yaml, read and checked; and signs composed at random from the same parameters."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from ruamel.yaml import YAML, YAMLError

from data_engineering.errors import ConfigError
from data_engineering.shipped import shipped
from data_engineering.synthetic.hand import HANDSHAPES
from data_engineering.synthetic.phonology import ALLOWED, DIRECTIONS, FREE, HEAD, ON_BASE, PLANES, TURNS, Sign

# Parameters without which the movement, or the hands, mean nothing.
_NEEDS = {
    "line": ("to",),
    "tap": ("direction",),
    "path": ("direction",),
    "shake": ("direction",),
    "circle": ("direction", "plane"),
}
_NEEDS_BASE = ("base_shape", "base_fingers", "base_palm")
# Parameters that mean something only beside certain values of another: a sign that sets them elsewhere would differ
# from another on paper and not in the picture.
_BESIDE: dict[str, tuple[str, tuple[str, ...]]] = {
    "to": ("movement", ("line",)),
    "plane": ("movement", ("circle",)),
    "direction": ("movement", ("tap", "path", "shake", "circle")),
    "base_moves": ("hands", ("base",)),
    **dict.fromkeys(_NEEDS_BASE, ("hands", ("base",))),
}


def load_signs(path: Path | None = None) -> dict[str, Sign]:
    """Reads signs.

    Args:
        path: A YAML mapping {gloss: {parameter: word}}; None for the shipped `signs.yaml`.

    Returns:
        The signs by gloss, in the file's order.

    Raises:
        ConfigError: The file cannot be read, or an entry is wrong; the message names the sign, the key and the allowed
            values.
    """
    path = shipped("signs.yaml") if path is None else path
    try:
        entries = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror or error}); name a YAML file of signs") from error
    except (YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not YAML ({' '.join(str(error).split())[:200]}); see params/signs.yaml") from error
    if not isinstance(entries, Mapping) or not entries:
        raise ConfigError(f"{path}: holds no signs; write `GLOSS: {{shape: ..., location: ..., ...}}`")
    return {str(gloss): make_sign(str(gloss), entry, where=str(path)) for gloss, entry in entries.items()}


def make_sign(gloss: str, entry: Any, where: str = "signs") -> Sign:
    """Checks one entry and returns its sign.

    Raises:
        ConfigError: A key or value is not one of the allowed, or the parameters do not go together.
    """
    where = f"{where}: sign {gloss}"
    if not isinstance(entry, Mapping):
        raise ConfigError(f"{where}: must be a mapping of parameters; known keys: {', '.join(ALLOWED)}")
    for key, value in entry.items():
        if key not in ALLOWED:
            raise ConfigError(f"{where}: unknown key {key!r}; known keys: {', '.join(ALLOWED)}")
        # YAML reads a bare 5 as a number and a bare yes as true; the words are meant.
        if _word(key, value) not in ALLOWED[key]:
            raise ConfigError(f"{where}: {key} is {value!r}; allowed: {', '.join(map(str, ALLOWED[key]))}")
    sign = Sign(gloss=gloss, **{key: _word(key, value) for key, value in entry.items()})
    needed = _NEEDS.get(sign.movement, ()) + (_NEEDS_BASE if sign.hands == "base" else ())
    for key in needed:
        if not getattr(sign, key):
            reason = f"movement {sign.movement}" if key in _NEEDS.get(sign.movement, ()) else "hands base"
            raise ConfigError(
                f"{where}: {key} is missing, {reason} needs it; allowed: {', '.join(map(str, ALLOWED[key]))}"
            )
    if sign.movement == "change" and not (sign.end_shape or sign.end_fingers or sign.end_palm):
        raise ConfigError(
            f"{where}: movement change needs end_shape, end_fingers or end_palm; allowed for end_shape: "
            f"{', '.join(map(str, ALLOWED['end_shape']))}"
        )
    for key, (other, allowed) in _BESIDE.items():
        if getattr(sign, key) not in ("", "no") and getattr(sign, other) not in allowed:
            raise ConfigError(
                f"{where}: {key} means nothing with {other} {getattr(sign, other)}; leave it out, or take "
                f"{other} {' or '.join(allowed)}"
            )
    if sign.location == ON_BASE and sign.hands != "base":
        raise ConfigError(f"{where}: location base needs hands base (allowed hands here: base)")
    if sign.direction and (sign.direction in TURNS) != (sign.movement == "circle"):
        allowed = TURNS if sign.movement == "circle" else tuple(DIRECTIONS)
        raise ConfigError(
            f"{where}: direction is {sign.direction!r}; allowed with {sign.movement}: {', '.join(allowed)}"
        )
    for fingers, palm in (
        ("fingers", "palm"),
        ("end_fingers", "end_palm"),
        ("base_fingers", "base_palm"),
    ):
        ways = [getattr(sign, key) or getattr(sign, key.removeprefix("end_")) for key in (fingers, palm)]
        if all(ways) and abs(DIRECTIONS[ways[0]] @ DIRECTIONS[ways[1]]) > 0.8:
            fits = [name for name, way in DIRECTIONS.items() if abs(way @ DIRECTIONS[ways[0]]) < 0.8]
            raise ConfigError(
                f"{where}: {palm} is {ways[1]!r}, along the fingers; allowed with {ways[0]}: {', '.join(fits)}"
            )
    return sign


def _word(key: str, value: Any) -> Any:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value if key == "repeats" else str(value)


# Orientations (fingers, palm) that an arm reaches in comfort.
_AT_HEAD = (
    ("up", "in"),
    ("up", "back"),
    ("up-in", "back"),
    ("up-in", "forward"),
    ("in", "back"),
    ("in", "down"),
)
_IN_FRONT = (
    ("up", "in"), ("up", "forward"), ("up", "back"), ("forward", "down"), ("forward", "in"), ("forward", "up"),
    ("in", "back"), ("in", "down"), ("up-in", "forward"), ("forward-in", "down"), ("forward-in", "up"),
)  # fmt: skip
_AT_CHEST = (("in", "back"), ("up-in", "back"), ("in", "down"), ("up-in", "in"))
_BASES = (
    ("open-B", "forward-in", "up"),
    ("open-B", "up", "in"),
    ("open-B", "in", "down"),
    ("S", "forward-in", "down"),
    ("H", "forward-in", "down"),
)
_ON_BASE = (("forward-in", "down"), ("in", "down"), ("in", "back"), ("forward", "in"), ("down", "back"))
_SHAPES = tuple(HANDSHAPES)
_CHANGES = {
    "flat-O": ("5", "open-B"), "5": ("flat-O", "S", "claw-5"), "S": ("5", "1"), "A": ("5",), "1": ("X",),
    "X": ("1",), "O": ("5",), "V": ("H",), "open-B": ("bent-B", "flat-O"), "bent-B": ("open-B",), "claw-5": ("S", "5"),
    "C": ("O", "S"), "3": ("A",), "L": ("G",), "G": ("L",),
}  # fmt: skip
_SYLLABLES = tuple(a + b for a in "bdfgklmnprstvz" for b in "aeiou")


def random_sign(rng: np.random.Generator) -> Sign:
    """Composes a sign from phonology at random; its gloss is a made-up word of two or three syllables.

    Shape, location, contact, orientation, movement and hands are drawn independently but for what an arm cannot do.
    """

    def pick(options: Any) -> Any:
        return options[int(rng.integers(len(options)))]

    hands = pick(("one", "one", "one", "symmetric", "alternating", "base"))
    if hands == "base":
        location = ON_BASE
    elif hands == "one":
        location = pick((*HEAD, *HEAD, "chest", "shoulder", *FREE, *FREE))
    else:
        location = pick(("chest", "high", "neutral", "mid", "neutral", "high", "temple", "chin"))
    on_head, on_chest, on_base = location in HEAD, location in ("chest", "shoulder"), location == ON_BASE
    orientations = _AT_HEAD if on_head else _AT_CHEST if on_chest else _ON_BASE if on_base else _IN_FRONT
    fingers, palm = pick(orientations)
    shape = pick(_SHAPES)
    contact = "palm"
    if on_head or on_chest or on_base:
        contact = pick(_touching(shape))
    values: dict[str, Any] = {"hands": hands, "shape": shape, "location": location, "contact": contact}
    values |= {"fingers": fingers, "palm": palm}
    if on_base:
        base_shape, base_fingers, base_palm = pick(_BASES)
        values |= {"base_shape": base_shape, "base_fingers": base_fingers, "base_palm": base_palm}
    kinds = ["tap", "path", "circle", "shake", "nod", "wave", "twist", "change", "wiggle", "hold", "path", "circle"]
    kinds += ["line"] if on_head and hands == "one" else []
    values |= _random_movement(pick(kinds), location, orientations, (fingers, palm), shape, pick)
    if values["movement"] in ("path", "circle", "line") and shape in _CHANGES and rng.random() < 0.2:
        values["end_shape"] = pick(_CHANGES[shape])
    gloss = "".join(pick(_SYLLABLES) for _ in range(pick((2, 2, 3))))
    return make_sign(gloss, values, where="random sign")


def _random_movement(
    kind: str, location: str, orientations: Any, now: tuple[str, str], shape: str, pick: Any
) -> dict[str, Any]:
    """Draws a movement's parameters; `pick` draws one of a sequence."""
    touching = location in HEAD or location in ("chest", "shoulder")
    if kind == "tap":
        way = "back" if touching else pick(("down", "in")) if location == ON_BASE else pick(("down", "in", "forward"))
        return {"movement": kind, "direction": way, "repeats": pick((1, 2))}
    if kind == "path":
        away = ("forward", "up", "out", "down", "forward-out", "up-out", "down-forward")
        ways = away if touching or location == ON_BASE else (*away, "back", "in")
        return {
            "movement": kind,
            "direction": pick(ways),
            "repeats": pick((1, 1, 2)),
            "size": pick(("medium", "large")),
        }
    if kind == "line":
        return {
            "movement": kind,
            "to": pick([place for place in (*HEAD, "chest", "high", "neutral") if place != location]),
        }
    if kind == "circle":
        return {"movement": kind, "direction": pick(TURNS), "plane": pick(PLANES), "repeats": pick((1, 2))}
    if kind == "shake":
        return {"movement": kind, "direction": pick(("out", "up", "forward")), "repeats": pick((1, 2))}
    if kind == "change":
        if shape in _CHANGES:
            return {"movement": kind, "end_shape": pick(_CHANGES[shape]), "repeats": pick((1, 2))}
        fingers, palm = pick([way for way in orientations if way != now])
        return {"movement": kind, "end_fingers": fingers, "end_palm": palm}
    return {"movement": kind, "repeats": 1 if kind in ("hold", "wiggle") else pick((1, 2))}


def _touching(shape: str) -> tuple[str, ...]:
    """The contacts that stand out of a handshape."""
    if shape in ("1", "3", "H", "I", "K", "L", "V", "W", "G", "X", "F"):
        return ("little_tip",) if shape == "I" else ("index_tip",) if shape != "F" else ("index_tip", "thumb_side")
    if shape in ("A", "S", "thumb-up"):
        return ("knuckles", "thumb_side", "thumb_tip") if shape != "S" else ("knuckles", "thumb_side")
    if shape in ("flat-O", "O", "C", "bent-B", "claw-5"):
        return ("fingertips",)
    return ("thumb_tip",) if shape == "Y" else ("thumb_tip", "index_tip", "palm", "fingertips")
