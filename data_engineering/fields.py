"""The fields of an index entry, checked: ids become file names and addresses are fetched, so nothing passes unseen.

Each function takes the entry and returns the value, or raises ValueError with the reason in a few words.
"""

import hashlib
import ipaddress
import json
import re
import reprlib
import unicodedata
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from data_engineering.clip import Clip
from data_engineering.index_file import first_line

SPLIT_NAMES = {"train": "train", "val": "validation", "validation": "validation", "test": "test"}

_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,31}")
_FIELDS = {"video_id", "gloss", "split", "signer_id", "source", "url", "bbox", "frame_start", "frame_end", "fps"}
# Written into manifest rows by the stages: an index that brought its own could point them at a file outside the root.
_RESERVED = {"prompt", "video_path", "own_file", "media", "notes", "reason", "detail"}
_ID_WORDS = 21  # with 10 letters of a hash and a hyphen an id has 32
_MAX_TEXT = 200  # the longest gloss of WLASL has 16 characters
_MAX_URL = 2048
_MAX_EXTRA = 10_000
_MAX_DEPTH = 20
_MAX_FRAME = 10_000_000  # 111 hours at 25 frames a second
_MAX_PIXEL = 100_000

_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 60


def clip_of(gloss: str, entry: Mapping[str, Any], video_id: str, own_file: str = "") -> Clip:
    """Returns the clip that an entry describes.

    Args:
        gloss: Its gloss, checked.
        entry: The entry; optional in it are split, signer_id, source, url, bbox, frame_start, frame_end and fps.
        video_id: Its id, checked.
        own_file: Its file, where that is not in raw_videos.

    Raises:
        ValueError: A field is wrong.
    """
    frame_start = integer(entry, "frame_start", 1)
    frame_end = integer(entry, "frame_end", -1)
    if not 1 <= frame_start <= _MAX_FRAME:
        raise ValueError(f"frame_start {frame_start} is outside 1..{_MAX_FRAME}")
    if frame_end != -1 and not frame_start <= frame_end <= _MAX_FRAME:
        raise ValueError(f"frame_end {frame_end} is neither -1 nor within frame_start..{_MAX_FRAME}")
    return Clip(
        video_id=video_id,
        gloss=gloss,
        split=_split(entry),
        signer_id=_signer(entry),
        source=text(entry, "source") if entry.get("source") else "",
        url=_url(entry),
        bbox=_bbox(entry),
        frame_start=frame_start,
        frame_end=frame_end,
        fps=_fps(entry),
        extra=_extra(entry),
        own_file=own_file,
    )


def video_id(entry: Mapping[str, Any]) -> str:
    """Returns the id; a number is none, for it has lost its leading zeros."""
    value = entry.get("video_id")
    if isinstance(value, (int, float)):
        raise ValueError(f"video_id {short(value)} is a number; write it as a string, or leading zeros are lost")
    if not isinstance(value, str) or not _ID.fullmatch(value):
        raise ValueError(f"video_id {short(value)} is not 1-32 of A-Z a-z 0-9 _ - (no leading -)")
    return value


def own_id(below: str, *further: str) -> str:
    """Returns the id of a user's own clip: its path in letters that an id may have, and a hash that tells it apart.

    Args:
        below: Its path below the folder of clips; the id stays when clips are added or the folder is moved.
        further: What else tells clips apart that share a file, such as the range.
    """
    plain = unicodedata.normalize("NFKD", below).encode("ascii", "ignore").decode()
    words = re.sub(r"[^A-Za-z0-9]+", "_", plain.rpartition(".")[0] or plain).strip("_")[:_ID_WORDS]
    told = "\0".join([unicodedata.normalize("NFC", below), *further])
    return f"{words}-{hashlib.sha256(told.encode()).hexdigest()[:10]}".lstrip("-")


def text(entry: Mapping[str, Any], key: str) -> str:
    """A short printable string: no control characters, lone surrogates or direction marks reach a file or terminal."""
    value = entry.get(key)
    if not isinstance(value, str):
        raise ValueError(f"{key} is a {kind(value)}, not a string")
    if not value.strip() or len(value) > _MAX_TEXT or not value.isprintable():
        raise ValueError(f"{key} {short(value)} is not 1-{_MAX_TEXT} printable characters")
    return value


def integer(entry: Mapping[str, Any], key: str, default: int | None) -> int:
    """Returns a whole number."""
    value = entry.get(key, default)
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"{key} {short(value)} is not an integer")
    return value


def kind(value: Any) -> str:
    """Returns what JSON calls a value of this type."""
    names = {dict: "object", list: "list", str: "string", bool: "boolean", type(None): "null"}
    return names.get(type(value), "number")


def short(value: Any) -> str:
    """A value as it may be printed in a line, however long or deep it is."""
    return _SHORT.repr(value)


def _split(entry: Mapping[str, Any]) -> str:
    value = entry.get("split")
    if value is None or value == "":
        return ""
    if not isinstance(value, str) or value not in SPLIT_NAMES:
        raise ValueError(f"split {short(value)} is not train, val or test")
    return SPLIT_NAMES[value]


def _signer(entry: Mapping[str, Any]) -> int | str:
    value = entry.get("signer_id")
    if value is None or value == "":
        return ""
    return text(entry, "signer_id") if isinstance(value, str) else integer(entry, "signer_id", None)


def _fps(entry: Mapping[str, Any]) -> float:
    value = entry.get("fps", 25)
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 < value <= 1000:
        raise ValueError(f"fps {short(value)} is not a number in 0..1000")
    return float(value)


def _url(entry: Mapping[str, Any]) -> str:
    value = entry.get("url")
    if value is None or value == "":
        return ""
    if not isinstance(value, str):
        raise ValueError(f"url is a {kind(value)}, not a string")
    if len(value) > _MAX_URL or not value.isprintable() or " " in value:
        raise ValueError(f"url {short(value)} is longer than {_MAX_URL} characters or holds unprintable ones")
    try:
        parts = urlsplit(value)
        host = parts.hostname
        _ = parts.port  # parsed, and refused, only when asked for
    except ValueError as error:
        raise ValueError(f"url {short(value)} is malformed ({error})") from None
    if parts.scheme not in ("http", "https") or not host:
        raise ValueError(f"url {short(value)} is not an http(s) address")
    if parts.username or parts.password:
        raise ValueError(f"url of {short(host)} carries a user name")  # or a password, which nobody is to see
    try:
        link_local = ipaddress.ip_address(host).is_link_local
    except ValueError:
        link_local = False  # a name; what it resolves to is checked when it is fetched
    if link_local:
        raise ValueError(f"url {short(value)} is a link-local address")
    return value


def _bbox(entry: Mapping[str, Any]) -> tuple[int, int, int, int] | None:
    value = entry.get("bbox")
    if value is None:
        return None
    if not isinstance(value, list) or len(value) != 4:
        raise ValueError(f"bbox {short(value)} is not [xmin, ymin, xmax, ymax]")
    for number in value:
        if not isinstance(number, (int, float)) or isinstance(number, bool) or not abs(number) <= _MAX_PIXEL:
            raise ValueError(f"bbox {short(value)} holds something else than pixels within {_MAX_PIXEL}")
    left, top, right, bottom = (round(number) for number in value)
    if max(left, 0) >= right or max(top, 0) >= bottom:
        return None
    return left, top, right, bottom


def _extra(entry: Mapping[str, Any]) -> dict[str, Any]:
    extra = {key: value for key, value in entry.items() if key not in _FIELDS}
    if not extra:
        return extra
    if reserved := _RESERVED.intersection(extra):
        raise ValueError(f"field {min(reserved)!r} belongs to the manifests, not to an index")
    if _deeper(extra, _MAX_DEPTH):
        raise ValueError(f"further fields are nested more than {_MAX_DEPTH} deep")
    try:
        size = len(json.dumps(extra, allow_nan=False, ensure_ascii=False).encode())
    except ValueError as error:  # NaN, lone surrogates
        raise ValueError(f"further fields cannot be written as JSON ({first_line(error)})") from None
    if size > _MAX_EXTRA:
        raise ValueError(f"further fields have {size} bytes, more than {_MAX_EXTRA}")
    return extra


def _deeper(value: Any, levels: int) -> bool:
    if not isinstance(value, (dict, list)):
        return False
    inner = value.values() if isinstance(value, dict) else value
    return levels == 0 or any(_deeper(each, levels - 1) for each in inner)
