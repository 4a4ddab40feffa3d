"""One image's label: a JSON file with the image's name and size, its 64 key points, and the person's box.

    {"image": "0001.jpg", "width": 512, "height": 512,
     "keypoints": [{"name": "nose", "x": 250.5, "y": 101.0, "visible": 1}, ...],
     "bbox": [100, 20, 420, 512], "signer": "anna"}

Coordinates are pixels of the image as it is shown, continuous: the first pixel covers 0..1. All 64 names must be there;
`visible` defaults to 1. `bbox` is [xmin, ymin, xmax, ymax]. `signer` may be left out; images of one signer are never on
both sides of a split.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from data_engineering.clip import write_text
from data_engineering.fields import kind, short
from data_engineering.keypoints import KEYPOINTS

SUFFIXES = (".jpg", ".jpeg", ".png")
_MAX_BYTES = 1_000_000
_MAX_SIDE = 30_000
_NUMBER = {name: number for number, name in enumerate(KEYPOINTS)}


@dataclass(frozen=True, eq=False)
class Label:
    """What is known of an image.

    Attributes:
        image: The file's name, without a folder.
        size: Width and height in pixels.
        points: float32 (64, 3): x, y in pixels, and 1 where the point is visible, else 0.
        bbox: xmin, ymin, xmax, ymax in pixels.
        signer: Who is seen, or "".
    """

    image: str
    size: tuple[int, int]
    points: np.ndarray
    bbox: tuple[float, float, float, float]
    signer: str = ""


def read_label(path: Path) -> Label:
    """Reads a label.

    Raises:
        ValueError: The file cannot be read or says something wrong; the reason in a few words, without the path.
    """
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise ValueError(f"has more than {_MAX_BYTES:,} bytes")
        value = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"cannot be read ({error.strerror or error})") from error
    except UnicodeDecodeError as error:
        raise ValueError("is no UTF-8 text") from error
    except (json.JSONDecodeError, RecursionError) as error:
        raise ValueError(f"is no JSON ({error})") from error
    return parse_label(value)


def parse_label(value: Any) -> Label:
    """Returns the label that a JSON value describes.

    Raises:
        ValueError: What is wrong with it, in a few words.
    """
    if not isinstance(value, dict):
        raise ValueError(f"holds a {kind(value)}, not an object")
    size = _integer(value, "width"), _integer(value, "height")
    return Label(_image(value), size, _points(value, size), _bbox(value, size), _signer(value))


def write_label(path: Path, label: Label) -> None:
    """Writes a label, whole or not at all; raises RunError where it cannot."""
    points = [
        {"name": name, "x": round(float(x), 2), "y": round(float(y), 2), "visible": int(visible)}
        for name, (x, y, visible) in zip(KEYPOINTS, label.points, strict=True)
    ]
    width, height = label.size
    told: dict[str, Any] = {"image": label.image, "width": width, "height": height}
    told |= {"bbox": [round(float(edge), 2) for edge in label.bbox]} | (
        {"signer": label.signer} if label.signer else {}
    )
    write_text(path, json.dumps(told | {"keypoints": points}))


def _image(value: Mapping[str, Any]) -> str:
    name = value.get("image")
    if not isinstance(name, str) or not name or len(name) > 255 or not name.isprintable() or {*name} & {*"/\\:"}:
        raise ValueError(f"image {short(name)} is not the name of a file in images/")
    if not name.lower().endswith(SUFFIXES):
        raise ValueError(f"image {short(name)} is not a {', '.join(SUFFIXES)}")
    return name


def _integer(value: Mapping[str, Any], key: str) -> int:
    number = value.get(key)
    if not isinstance(number, int) or isinstance(number, bool) or not 1 <= number <= _MAX_SIDE:
        raise ValueError(f"{key} {short(number)} is not a whole number of pixels, 1 to {_MAX_SIDE}")
    return number


def _number(value: Any, what: str) -> float:
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not math.isfinite(value):
        raise ValueError(f"{what} {short(value)} is not a number of pixels")
    if abs(value) > 10 * _MAX_SIDE:
        raise ValueError(f"{what} {short(value)} is far outside of any image")
    return float(value)


def _points(value: Mapping[str, Any], size: tuple[int, int]) -> np.ndarray:
    listed = value.get("keypoints")
    if not isinstance(listed, list):
        raise ValueError(f"keypoints is a {kind(listed)}, not a list")
    points = np.zeros((len(KEYPOINTS), 3), np.float32)
    missing = dict(_NUMBER)
    for point in listed:
        name = point.get("name") if isinstance(point, dict) else None
        if not isinstance(name, str) or name not in _NUMBER:
            raise ValueError(f"keypoints holds {short(name if name else point)}, which is none of the 64 names")
        if missing.pop(name, None) is None:
            raise ValueError(f"keypoints holds {name} twice")
        x, y = (_number(point.get(axis), f"{name}: {axis}") for axis in "xy")
        visible = point.get("visible", 1)
        if visible not in (0, 1):  # True and False are 1 and 0
            raise ValueError(f"{name}: visible {short(visible)} is neither 0 nor 1")
        if visible and not (0 <= x <= size[0] and 0 <= y <= size[1]):
            raise ValueError(f"{name} ({x:g}, {y:g}) is visible and lies outside of the image of {size[0]} x {size[1]}")
        points[_NUMBER[name]] = x, y, float(visible)
    if missing:
        names = ", ".join(list(missing)[:3])
        raise ValueError(
            f"keypoints lacks {len(missing)} of the 64 names: {names}{', ...' if len(missing) > 3 else ''}"
        )
    return points


def _bbox(value: Mapping[str, Any], size: tuple[int, int]) -> tuple[float, float, float, float]:
    box = value.get("bbox")
    if not isinstance(box, list) or len(box) != 4:
        raise ValueError(f"bbox {short(box)} is not [xmin, ymin, xmax, ymax]")
    left, top, right, bottom = (_number(edge, "bbox") for edge in box)
    if not (left < right and top < bottom and left < size[0] and top < size[1] and right > 0 and bottom > 0):
        raise ValueError(f"bbox {short(box)} is no box [xmin, ymin, xmax, ymax] in the image of {size[0]} x {size[1]}")
    return left, top, right, bottom


def _signer(value: Mapping[str, Any]) -> str:
    signer = value.get("signer", "")
    if not isinstance(signer, (str, int)) or isinstance(signer, bool) or len(str(signer)) > 200:
        raise ValueError(f"signer {short(signer)} is no name")
    return str(signer)
