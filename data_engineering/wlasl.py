"""The WLASL index read as hostile input: every entry becomes a `Clip` or a `Refusal` that says where and why.

The index is a list of {gloss, instances: [{video_id, split, signer_id, url, bbox, frame_start, ...}]} (WLASL v0.3, Li
et al., WACV 2020). Ids become file names and addresses are fetched, so both are checked here, once, before anything
else sees them. One bad entry never stops the others.
"""

import gzip
import ipaddress
import json
import math
import re
import reprlib
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from data_engineering.clip import Clip
from data_engineering.errors import ConfigError

SPLIT_NAMES = {"train": "train", "val": "validation", "validation": "validation", "test": "test"}

_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,31}")
_FIELDS = {"video_id", "gloss", "split", "signer_id", "source", "url", "bbox", "frame_start", "frame_end", "fps"}
# Written into manifest rows by the stages: an index that brought its own could point them at a file outside the root.
_RESERVED = {"prompt", "video_path", "media", "notes", "reason", "detail"}
_MAX_INDEX_BYTES = 512 * 1024**2  # WLASL v0.3 has 12 MB; a gzip bomb stops here
_MAX_TEXT = 200  # the longest gloss of WLASL has 16 characters
_MAX_URL = 2048
_MAX_EXTRA = 10_000
_MAX_FRAME = 10_000_000  # 111 hours at 25 frames a second
_MAX_PIXEL = 100_000

_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 60


class Refusal(NamedTuple):
    """An index entry that was not taken as it stands: where in the file (`[12].instances[3]`) and why."""

    where: str
    reason: str


@dataclass(frozen=True, slots=True)
class Index:
    """A read index.

    Attributes:
        clips: The usable clips in the order of the file.
        refused: Entries left out.
        adjusted: Entries kept without their `bbox`, because it encloses nothing.
    """

    clips: list[Clip]
    refused: list[Refusal]
    adjusted: list[Refusal]


def read_index(path: Path) -> Index:
    """Reads a WLASL-shaped index.

    `val` becomes `validation`; fields that `Clip` does not name are kept in `Clip.extra`. A missing or null `bbox`, and
    a well-formed one without area (listed in `Index.adjusted`), becomes None: the clip is still a clip. A bbox that is
    not four finite numbers is a broken entry and refused.

    Args:
        path: A JSON file, or the same compressed with gzip.

    Raises:
        ConfigError: The file is missing, not JSON, not WLASL-shaped, or holds no usable entry.
    """
    entries = _load(path)
    if not isinstance(entries, list):
        raise ConfigError(_not_wlasl(path, f"a JSON {_kind(entries)}"))
    if not entries:
        raise ConfigError(f"data.index: {path} holds no entry; give a WLASL index such as WLASL_v0.3.json")
    if not any(isinstance(entry, dict) and "gloss" in entry and "instances" in entry for entry in entries):
        raise ConfigError(_not_wlasl(path, f"a list of {len(entries)} other things"))

    index = Index([], [], [])
    seen: dict[str, str] = {}
    for number, entry in enumerate(entries):
        where = f"[{number}]"
        try:
            gloss, instances = _entry(entry)
        except ValueError as error:
            index.refused.append(Refusal(where, str(error)))
            continue
        for position, instance in enumerate(instances):
            _read_instance(gloss, instance, f"{where}.instances[{position}]", seen, index)
    if not index.clips:
        first = f"; the first: {index.refused[0].where} {index.refused[0].reason}" if index.refused else ""
        raise ConfigError(f"data.index: {path} holds no usable clip ({len(index.refused)} entries refused{first})")
    return index


def _load(path: Path) -> Any:
    try:
        with path.open("rb") as file:
            compressed = file.read(2) == b"\x1f\x8b"
            file.seek(0)
            source = gzip.GzipFile(fileobj=file) if compressed else file
            body = source.read(_MAX_INDEX_BYTES + 1)
    except FileNotFoundError:
        raise ConfigError(
            f"data.index: {path} does not exist; `signvlm download` fetches WLASL_v0.3.json; or name your own"
        ) from None
    except (OSError, EOFError, zlib.error) as error:
        raise ConfigError(f"data.index: {path} cannot be read ({_first_line(error)}); fetch it again") from error
    if len(body) > _MAX_INDEX_BYTES:
        raise ConfigError(f"data.index: {path} is larger than {_MAX_INDEX_BYTES >> 20} MiB; that is no WLASL index")
    if not body.strip():
        raise ConfigError(f"data.index: {path} is empty; fetch it again")
    try:
        return json.loads(body.decode("utf-8-sig"), parse_int=_parse_int)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"data.index: {path} is not JSON ({_first_line(error)}); fetch it again") from error


def _parse_int(digits: str) -> int | float:
    """Python refuses to parse integers of 4,301 digits, with the whole file: here only their entry is."""
    return int(digits) if len(digits) < 20 else math.nan


def _entry(entry: Any) -> tuple[str, list[Any]]:
    if not isinstance(entry, dict):
        raise ValueError(f"a {_kind(entry)} where {{gloss, instances}} belongs")
    instances = entry.get("instances")
    if not isinstance(instances, list):
        raise ValueError(f"instances is a {_kind(instances)}, not a list")
    try:
        return _text(entry, "gloss"), instances
    except ValueError as error:
        raise ValueError(f"{error}; its {len(instances)} instances are left out") from None


def _read_instance(gloss: str, instance: Any, where: str, seen: dict[str, str], index: Index) -> None:
    """Appends one instance to the index's clips or to its refused."""
    try:
        clip = _clip(gloss, instance)
        # Without case: some file systems would give "a1" and "A1" one file.
        key = clip.video_id.casefold()
        if key in seen:
            raise ValueError(f"video_id {clip.video_id!r} is already taken by {seen[key]}")
    except ValueError as error:
        index.refused.append(Refusal(where, str(error)))
        return
    seen[key] = where
    index.clips.append(clip)
    if clip.bbox is None and instance.get("bbox") is not None:
        reason = f"bbox {instance['bbox']} of {clip.video_id} encloses nothing; kept without it"
        index.adjusted.append(Refusal(where, reason))


def _clip(gloss: str, instance: Any) -> Clip:
    if not isinstance(instance, dict):
        raise ValueError(f"a {_kind(instance)} where an instance belongs")
    frame_start = _integer(instance, "frame_start", 1)
    frame_end = _integer(instance, "frame_end", -1)
    if not 1 <= frame_start <= _MAX_FRAME:
        raise ValueError(f"frame_start {frame_start} is outside 1..{_MAX_FRAME}")
    if frame_end != -1 and not frame_start <= frame_end <= _MAX_FRAME:
        raise ValueError(f"frame_end {frame_end} is neither -1 nor within frame_start..{_MAX_FRAME}")
    return Clip(
        video_id=_video_id(instance),
        gloss=gloss,
        split=_split(instance),
        signer_id=_signer(instance),
        source=_text(instance, "source") if instance.get("source") else "",
        url=_url(instance),
        bbox=_bbox(instance),
        frame_start=frame_start,
        frame_end=frame_end,
        fps=_fps(instance),
        extra=_extra(instance),
    )


def _video_id(instance: Mapping[str, Any]) -> str:
    value = instance.get("video_id")
    if isinstance(value, (int, float)):
        raise ValueError(f"video_id {_short(value)} is a number; write it as a string, or leading zeros are lost")
    if not isinstance(value, str) or not _ID.fullmatch(value):
        raise ValueError(f"video_id {_short(value)} is not 1-32 of A-Z a-z 0-9 _ - (no leading -)")
    return value


def _split(instance: Mapping[str, Any]) -> str:
    value = instance.get("split")
    if not isinstance(value, str) or value not in SPLIT_NAMES:
        raise ValueError(f"split {_short(value)} is not train, val or test")
    return SPLIT_NAMES[value]


def _signer(instance: Mapping[str, Any]) -> int | str:
    if isinstance(instance.get("signer_id"), str):
        return _text(instance, "signer_id")
    return _integer(instance, "signer_id", None)


def _text(record: Mapping[str, Any], key: str) -> str:
    """A short printable string: no control characters, lone surrogates or direction marks reach a file or terminal."""
    value = record.get(key)
    if not isinstance(value, str):
        raise ValueError(f"{key} is a {_kind(value)}, not a string")
    if not value.strip() or len(value) > _MAX_TEXT or not value.isprintable():
        raise ValueError(f"{key} {_short(value)} is not 1-{_MAX_TEXT} printable characters")
    return value


def _integer(record: Mapping[str, Any], key: str, default: int | None) -> int:
    value = record.get(key, default)
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"{key} {_short(value)} is not an integer")
    return value


def _fps(instance: Mapping[str, Any]) -> float:
    value = instance.get("fps", 25)
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 < value <= 1000:
        raise ValueError(f"fps {_short(value)} is not a number in 0..1000")
    return float(value)


def _url(instance: Mapping[str, Any]) -> str:
    value = instance.get("url")
    if value is None or value == "":
        return ""
    if not isinstance(value, str):
        raise ValueError(f"url is a {_kind(value)}, not a string")
    if len(value) > _MAX_URL or not value.isprintable() or " " in value:
        raise ValueError(f"url {_short(value)} is longer than {_MAX_URL} characters or holds unprintable ones")
    try:
        parts = urlsplit(value)
        host = parts.hostname
        _ = parts.port  # parsed, and refused, only when asked for
    except ValueError as error:
        raise ValueError(f"url {_short(value)} is malformed ({error})") from None
    if parts.scheme not in ("http", "https") or not host:
        raise ValueError(f"url {_short(value)} is not an http(s) address")
    if parts.username or parts.password:
        raise ValueError(f"url {_short(value)} carries a user name")
    try:
        link_local = ipaddress.ip_address(host).is_link_local
    except ValueError:
        link_local = False  # a name; what it resolves to is checked when it is fetched
    if link_local:
        raise ValueError(f"url {_short(value)} is a link-local address")
    return value


def _bbox(instance: Mapping[str, Any]) -> tuple[int, int, int, int] | None:
    value = instance.get("bbox")
    if value is None:
        return None
    if not isinstance(value, list) or len(value) != 4:
        raise ValueError(f"bbox {_short(value)} is not [xmin, ymin, xmax, ymax]")
    for number in value:
        if not isinstance(number, (int, float)) or isinstance(number, bool) or not abs(number) <= _MAX_PIXEL:
            raise ValueError(f"bbox {_short(value)} holds something else than pixels within {_MAX_PIXEL}")
    left, top, right, bottom = (round(number) for number in value)
    if max(left, 0) >= right or max(top, 0) >= bottom:
        return None
    return left, top, right, bottom


def _extra(instance: Mapping[str, Any]) -> dict[str, Any]:
    extra = {key: value for key, value in instance.items() if key not in _FIELDS}
    if not extra:
        return extra
    if reserved := _RESERVED.intersection(extra):
        raise ValueError(f"field {min(reserved)!r} belongs to the manifests, not to an index")
    try:
        size = len(json.dumps(extra, allow_nan=False, ensure_ascii=False).encode())
    except (ValueError, RecursionError) as error:  # NaN, lone surrogates, nesting
        raise ValueError(f"further fields cannot be written as JSON ({_first_line(error)})") from None
    if size > _MAX_EXTRA:
        raise ValueError(f"further fields have {size} bytes, more than {_MAX_EXTRA}")
    return extra


def _not_wlasl(path: Path, found: str) -> str:
    return f"data.index: {path} is not WLASL-shaped: a list of {{gloss, instances}} is expected, not {found}"


def _kind(value: Any) -> str:
    names = {dict: "object", list: "list", str: "string", bool: "boolean", type(None): "null"}
    return names.get(type(value), "number")


def _short(value: Any) -> str:
    """A value as it may be printed in a line, however long or deep it is."""
    return _SHORT.repr(value)


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:100]
