"""Index files read as hostile input: their text, their JSON, and what becomes of their entries."""

import gzip
import json
import math
import re
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from data_engineering.clip import Clip
from data_engineering.errors import ConfigError

_MAX_INDEX_BYTES = 512 * 1024**2  # WLASL v0.3 has 12 MB; a gzip bomb stops here
# Deeper than any index; half of what the JSON parser can take.
_MAX_DEPTH = 400
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*+"|[\[\]{}]', re.DOTALL)


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
        adjusted: Entries kept with a correction, such as without a `bbox` that encloses nothing.
    """

    clips: list[Clip]
    refused: list[Refusal]
    adjusted: list[Refusal]


def usable(path: Path, index: Index) -> Index:
    """Returns an index that holds a clip.

    Raises:
        ConfigError: It holds none; the first reason is told.
    """
    if not index.clips:
        first = f"; the first: {index.refused[0].where} {index.refused[0].reason}" if index.refused else ""
        raise ConfigError(f"data.index: {path} holds no usable clip ({len(index.refused)} entries refused{first})")
    return index


def load_text(path: Path) -> str:
    """Reads a text file, plain or compressed with gzip, in UTF-8 or, as Windows likes to write it, UTF-16.

    Raises:
        ConfigError: The file is missing, unreadable, empty, too large, or in another encoding.
    """
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
        raise ConfigError(f"data.index: {path} cannot be read ({first_line(error)}); fetch it again") from error
    if len(body) > _MAX_INDEX_BYTES:
        raise ConfigError(f"data.index: {path} is larger than {_MAX_INDEX_BYTES >> 20} MiB; that is no index of clips")
    if not body.strip():
        raise ConfigError(f"data.index: {path} is empty; fetch it again")
    utf16 = body[:2] in (b"\xff\xfe", b"\xfe\xff")
    try:
        return body.decode("utf-16" if utf16 else "utf-8-sig")
    except ValueError as error:
        raise ConfigError(f"data.index: {path} is not text ({first_line(error)}); save it as UTF-8") from error


def load_json(path: Path) -> Any:
    """Reads a JSON file by `parse_json`.

    Raises:
        ConfigError: As `load_text`, or the file is not JSON.
    """
    text = load_text(path)
    try:
        return parse_json(text)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"data.index: {path} is not JSON ({first_line(error)}); fetch it again") from error


def parse_json(text: str) -> Any:
    """Parses JSON; a number or a nesting that is out of all reason becomes NaN, so that only its entry is refused.

    Raises:
        ValueError: It is not JSON.
        RecursionError: It is not JSON, and nested beyond reason.
    """
    try:
        return json.loads(text, parse_int=_parse_int)
    except RecursionError:
        return json.loads(_shallow(text), parse_int=_parse_int)


def first_line(error: BaseException) -> str:
    """Returns an error's first line, shortened, or its kind where it says nothing."""
    return (str(error).splitlines() or [type(error).__name__])[0][:100]


def _parse_int(digits: str) -> int | float:
    """Python refuses to parse integers of 4,301 digits, with the whole file: here only their entry is."""
    return int(digits) if len(digits) < 20 else math.nan


def _shallow(text: str) -> str:
    """Replaces what is nested too deeply for the parser by NaN, which no field may be."""
    kept, depth, copied = [], 0, 0
    for token in _TOKEN.finditer(text):
        if token[0] in "[{":
            depth += 1
            if depth == _MAX_DEPTH:
                kept += [text[copied : token.start()], "NaN"]
        elif token[0] in "]}":
            if depth == _MAX_DEPTH:
                copied = token.end()
            depth -= 1
    return "".join([*kept, text[copied:]])
