"""A sign as parameters: handshape, location, contact, orientation, movement, hands. The words that a sign may use.

Space is the signer's own: shoulder width = 1, origin between the shoulders, +x to the dominant side, y down, z towards
the viewer. A left-handed signer is the mirror image.
"""

from dataclasses import dataclass, fields

import numpy as np

from data_engineering.synthetic.hand import CONTACTS, HANDSHAPES, Array

HANDS = ("one", "symmetric", "alternating", "base")

LOCATIONS: dict[str, Array] = {
    name: np.array(place)
    for name, place in {
        "forehead": (0.05, -0.87, 0.29),
        "temple": (0.21, -0.80, 0.17),
        "nose": (0.02, -0.69, 0.33),
        "cheek": (0.17, -0.62, 0.23),
        "mouth": (0.02, -0.57, 0.30),
        "chin": (0.02, -0.46, 0.29),
        "ear": (0.25, -0.68, 0.09),
        "chest": (0.05, 0.28, 0.26),
        "high": (0.42, -0.14, 0.50),
        "neutral": (0.28, 0.30, 0.60),
        "mid": (0.06, 0.36, 0.55),
        "shoulder": (-0.36, 0.10, 0.24),
    }.items()
}
HEAD = ("forehead", "temple", "nose", "cheek", "mouth", "chin", "ear")
FREE = ("high", "neutral", "mid")
ON_BASE = "base"

_AXES = {
    "up": (0, -1, 0),
    "down": (0, 1, 0),
    "forward": (0, 0, 1),
    "back": (0, 0, -1),
    "in": (-1, 0, 0),
    "out": (1, 0, 0),
}
DIRECTIONS: dict[str, Array] = {name: np.array(axis, dtype=float) for name, axis in _AXES.items()}
for _one, _other in (
    ("up", "in"), ("up", "out"), ("up", "forward"), ("up", "back"), ("down", "in"), ("down", "out"),
    ("down", "forward"), ("down", "back"), ("forward", "in"), ("forward", "out"), ("back", "in"), ("back", "out"),
):  # fmt: skip
    DIRECTIONS[f"{_one}-{_other}"] = (DIRECTIONS[_one] + DIRECTIONS[_other]) / np.sqrt(2)

MOVEMENTS: dict[str, str] = {
    "hold": "stays",
    "tap": "touches the location, coming along `direction`, `repeats` times; a single touch stays",
    "path": "goes along `direction` from (in free space: through) the location",
    "line": "goes from the location to the location `to`",
    "circle": "circles in `plane`; `direction` is the turn that the viewer of a right-handed signer sees",
    "shake": "swings to and fro along `direction`",
    "nod": "bends at the wrist",
    "wave": "swings at the wrist, sideways in the plane of the palm",
    "twist": "turns to and fro about the fingers' direction",
    "change": "only turns into its `end_*` values",
    "wiggle": "stays while the fingers play",
}
PLANES = ("frontal", "floor", "side")
TURNS = ("clockwise", "anticlockwise")
SIZES = {"small": 0.6, "medium": 1.0, "large": 1.5}

CHANNELS: dict[str, tuple[str, ...]] = {
    "hands": ("hands", "base_moves"),
    "handshape": ("shape", "base_shape"),
    "location": ("location", "contact"),
    "orientation": ("fingers", "palm", "base_fingers", "base_palm"),
    "movement": ("movement", "direction", "plane", "repeats", "size", "to", "end_shape", "end_fingers", "end_palm"),
}


@dataclass(frozen=True, slots=True)
class Sign:
    """A sign of the avatar; every value but the gloss is a word of `ALLOWED`.

    Attributes:
        gloss: Its name.
        hands: `one`; `symmetric` (both, mirrored); `alternating` (mirrored, half a cycle apart); `base` (the other hand
            is held in front as a base).
        shape: Handshape.
        location: Where the stroke happens; `base` is on the base hand.
        contact: What part of the hand is there.
        fingers: Where straight fingers would point.
        palm: Where the palm faces.
        movement: What the stroke does.
        direction: Of the movement (a direction, or a turn for circles).
        plane: Of a circle.
        repeats: How often the movement happens.
        size: Of the movement.
        to: A line's end.
        end_shape: Handshape at the stroke's end; "" for the same. `end_fingers` and `end_palm` likewise.
        end_fingers: See `end_shape`.
        end_palm: See `end_shape`.
        base_shape: The base hand's handshape; `base_fingers` and `base_palm` are its orientation.
        base_fingers: See `base_shape`.
        base_palm: See `base_shape`.
        base_moves: `yes` when the base hand shares the movement.
    """

    gloss: str
    hands: str = "one"
    shape: str = "open-B"
    location: str = "neutral"
    contact: str = "palm"
    fingers: str = "up"
    palm: str = "forward"
    movement: str = "hold"
    direction: str = ""
    plane: str = ""
    repeats: int = 1
    size: str = "medium"
    to: str = ""
    end_shape: str = ""
    end_fingers: str = ""
    end_palm: str = ""
    base_shape: str = ""
    base_fingers: str = ""
    base_palm: str = ""
    base_moves: str = "no"


_SHAPES, _WAYS = tuple(HANDSHAPES), tuple(DIRECTIONS)
ALLOWED: dict[str, tuple[object, ...]] = {
    "hands": HANDS,
    "shape": _SHAPES,
    "location": (*LOCATIONS, ON_BASE),
    "contact": tuple(CONTACTS),
    "fingers": _WAYS,
    "palm": _WAYS,
    "movement": tuple(MOVEMENTS),
    "direction": (*_WAYS, *TURNS),
    "plane": PLANES,
    "repeats": (1, 2, 3),
    "size": tuple(SIZES),
    "to": tuple(LOCATIONS),
    "end_shape": _SHAPES,
    "end_fingers": _WAYS,
    "end_palm": _WAYS,
    "base_shape": _SHAPES,
    "base_fingers": _WAYS,
    "base_palm": _WAYS,
    "base_moves": ("yes", "no"),
}
PARAMETERS = tuple(field.name for field in fields(Sign) if field.name != "gloss")


def parameters(sign: Sign) -> tuple[object, ...]:
    """Returns the sign's full tuple of parameters (all but the gloss), in the order of `PARAMETERS`."""
    return tuple(getattr(sign, name) for name in PARAMETERS)


def differing_channels(one: Sign, other: Sign) -> tuple[str, ...]:
    """Returns the channels (of `CHANNELS`) in which two signs differ.

    A base hand that only one of them has counts as `hands` alone, and a change run backwards (opening, closing) as
    `movement` alone.
    """
    differing = {name for name in PARAMETERS if getattr(one, name) != getattr(other, name)}
    if "hands" in differing:
        differing -= {"base_shape", "base_fingers", "base_palm", "base_moves"}
    if differing >= {"shape", "end_shape"} and (one.shape, one.end_shape) == (other.end_shape, other.shape):
        differing -= {"shape"}
    return tuple(channel for channel, names in CHANNELS.items() if differing & set(names))


def minimal_pairs(signs: dict[str, Sign]) -> list[tuple[str, str, str]]:
    """Returns every (gloss, gloss, channel) that differs in exactly one channel."""
    glosses = list(signs)
    pairs = []
    for place, one in enumerate(glosses):
        for other in glosses[place + 1 :]:
            channels = differing_channels(signs[one], signs[other])
            if len(channels) == 1:
                pairs.append((one, other, channels[0]))
    return pairs


def describe(sign: Sign) -> dict[str, str]:
    """Returns the sign's phonology as short words: handshape, location, contact, orientation, movement, hands."""
    hands = {"one": "one hand", "symmetric": "both hands", "alternating": "both hands in turn", "base": "on a base"}
    repeats = {1: "once", 2: "twice", 3: "three times"}
    movement = " ".join(filter(None, (sign.movement, sign.direction, sign.plane, sign.to and f"to {sign.to}")))
    for name in ("shape", "fingers", "palm"):
        end = getattr(sign, f"end_{name}")
        movement += f" into {name} {end}" if end else ""
    return {
        "hands": hands[sign.hands],
        "handshape": sign.shape,
        "location": sign.location,
        "contact": sign.contact.replace("_", " "),
        "fingers": sign.fingers,
        "palm": sign.palm,
        "movement": movement,
        "repeats": repeats[sign.repeats],
    }
