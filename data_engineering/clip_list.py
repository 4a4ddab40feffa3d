"""A list of your own clips: CSV, JSON or JSON lines, with a record a clip.

A record names its file by `path` (or `video`), relative to the list's own folder, and its `gloss`. It may give `id`,
`signer`, `split`, `bbox` (four pixels), and a range: `start` and `end` in seconds, or `frame_start`, `frame_end` and
`fps` as WLASL does. Anything else is kept. One bad record never stops the others, and none reaches outside the folder.
"""

import csv
import io
import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path, PureWindowsPath
from typing import Any

from data_engineering import fields
from data_engineering.clip import Clip
from data_engineering.errors import ConfigError
from data_engineering.index_file import Index, first_line, load_text, parse_json, usable
from data_engineering.intake import take

_MAX_PATH = 1024
# Seconds are kept as frames of this clock: at 100 a second a container's rounding is well within a range's slack.
_CLOCK = 100
_NAMES = {"path": "path", "video": "path", "id": "video_id", "signer": "signer_id"}
_NUMBERS = {"frame_start": int, "frame_end": int, "fps": float, "start": float, "end": float}
_MAX_SECONDS = 100_000


def is_list(entries: Any) -> bool:
    """Returns whether JSON is a list of clips, and no WLASL index."""
    return isinstance(entries, list) and any(isinstance(e, dict) and ("path" in e or "video" in e) for e in entries)


def read_csv(path: Path) -> Index:
    """Reads a CSV with a header, separated by commas, semicolons or tabs.

    Raises:
        ConfigError: It is missing, has no column `path` or `gloss`, or holds no usable clip.
    """
    return _read(path, _csv_records(path))


def read_json_lines(path: Path) -> Index:
    """Reads a file with a JSON object a line.

    Raises:
        ConfigError: It is missing or holds no usable clip.
    """
    lines = enumerate(load_text(path).split("\n"), 1)  # no others: U+2028 may stand in a string
    return _read(path, ((f"line {number}", _json_line(line)) for number, line in lines if line.strip()))


def read_records(path: Path, entries: list[Any]) -> Index:
    """Reads the content of a JSON list.

    Raises:
        ConfigError: It holds no usable clip.
    """
    return _read(path, ((f"[{number}]", entry) for number, entry in enumerate(entries)))


def _read(path: Path, records: Iterable[tuple[str, Any]]) -> Index:
    folder = path.parent.absolute()
    index = Index([], [], [])
    seen: dict[str, str] = {}
    for where, record in records:
        take(index, seen, where, record, partial(_clip, record, folder))
    return usable(path, index)


def _clip(record: Any, folder: Path) -> Clip:
    if isinstance(record, ValueError):  # its line could not be read
        raise record
    if not isinstance(record, dict):
        raise ValueError(f"a {fields.kind(record)} where a clip belongs")
    entry: dict[str, Any] = {}
    for key, value in record.items():
        name = _NAMES.get(str(key), str(key))
        if name in entry:
            raise ValueError(f"names its {name} twice")
        entry[name] = value
    below = _below(entry.pop("path", None))
    gloss = fields.text(entry, "gloss")
    entry |= _seconds(entry.pop("start", None), entry.pop("end", None), entry)
    if entry.get("video_id") is not None:
        return fields.clip_of(gloss, entry, fields.video_id(entry), str(folder / below))
    clip = fields.clip_of(gloss, entry, "", str(folder / below))
    told = (gloss, str(clip.frame_start), str(clip.frame_end), str(clip.fps))
    return replace(clip, video_id=fields.own_id(below, *told))


def _below(value: Any) -> str:
    """Returns a file's path below the list's folder, with slashes."""
    if not isinstance(value, str):
        raise ValueError(f"path is a {fields.kind(value)}, not a string")
    if not value.strip() or len(value) > _MAX_PATH or not value.isprintable():
        raise ValueError(f"path {fields.short(value)} is not 1-{_MAX_PATH} printable characters")
    if "://" in value:
        raise ValueError(f"path {fields.short(value)} is an address; fetch the clip and name its file")
    # Read as Windows does, which knows both slashes and drives.
    path = PureWindowsPath(value)
    if path.anchor:
        raise ValueError(f"path {fields.short(value)} is absolute; write it relative to the list's folder")
    if ".." in path.parts:
        raise ValueError(f"path {fields.short(value)} climbs out of the list's folder; move the list or the clip")
    return path.as_posix()


def _seconds(start: Any, end: Any, entry: dict[str, Any]) -> dict[str, Any]:
    """Returns the range that `start` and `end` give, as frames of a clock."""
    if start is None and end is None:
        return {}
    if both := [key for key in ("frame_start", "frame_end", "fps") if entry.get(key) is not None]:
        raise ValueError(f"start and end are seconds, so {both[0]} says nothing; give one or the other")
    for key, value in (("start", start), ("end", end)):
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if value is not None and not (number and 0 <= value <= _MAX_SECONDS):
            raise ValueError(f"{key} {fields.short(value)} is not seconds in 0..{_MAX_SECONDS}")
    if end is not None and end <= (start or 0):
        raise ValueError(f"end {end:g} is not behind start {start or 0:g}")
    last = -1 if end is None else max(math.floor((start or 0) * _CLOCK) + 1, round(end * _CLOCK))
    return {"frame_start": math.floor((start or 0) * _CLOCK) + 1, "frame_end": last, "fps": _CLOCK}


def _csv_records(path: Path) -> Iterator[tuple[str, Any]]:
    """Yields the records of a CSV by their line; a value that is not there is left out of its record."""
    text = load_text(path)
    separator = max(",;\t", key=text.partition("\n")[0].count)
    # The library's own limit on a value, 128 KiB, would end the file; what is too long is refused by its field.
    limit = csv.field_size_limit(len(text) + 1)
    try:
        rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
        header = [name.strip().lower() for name in next(rows, [])]
        known = {_NAMES.get(name, name) for name in header}
        if missing := {"path", "gloss"} - known:
            raise ConfigError(
                f"data.index: {path} has no column {min(missing)!r} in its first line ({', '.join(header)[:100]}); "
                "name the columns there: path, gloss, and what else there is"
            )
        while True:
            where = f"line {rows.line_num + 1}"
            try:
                values = next(rows)
            except StopIteration:
                return
            except csv.Error as error:
                yield where, ValueError(first_line(error))
                continue
            if any(value.strip() for value in values):
                yield where, _csv_record(header, values)
    finally:
        csv.field_size_limit(limit)


def _csv_record(header: list[str], values: list[str]) -> dict[str, Any] | ValueError:
    if len(values) > len(header):
        return ValueError(f"{len(values)} values under {len(header)} columns")
    given = zip(header, values, strict=False)
    record: dict[str, Any] = {name: value.strip() for name, value in given if name and value.strip()}
    try:
        for name, number in _NUMBERS.items():
            if name in record:
                record[name] = number(record[name])
        if "bbox" in record:
            record["bbox"] = [float(part) for part in re.split(r"[\s,;]+", record["bbox"].strip("[]() "))]
    except ValueError:
        return ValueError(f"{name} {fields.short(record.get(name))} is no number")
    return record


def _json_line(line: str) -> Any:
    try:
        return parse_json(line)
    except (ValueError, RecursionError) as error:
        return ValueError(f"not JSON ({first_line(error)})")
