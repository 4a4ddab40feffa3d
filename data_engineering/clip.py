"""A clip's record, and the JSON manifests of a data root read and written."""

import json
import os
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from data_engineering.errors import RunError

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True, slots=True)
class Clip:
    """One indexed clip, as its index describes it.

    Attributes:
        video_id: `[A-Za-z0-9_-]{1,32}`; the file is `<root>/raw_videos/<video_id>.mp4`.
        gloss: The sign's name as in the index.
        split: `train`, `validation` or `test`; "" where the index gives none and none has been drawn yet.
        signer_id: Whoever signs, as in the index; "" where nobody says.
        source: Where the clip comes from (a site's short name).
        url: Its address at that site, or "".
        bbox: The signer's box (xmin, ymin, xmax, ymax) in pixels of the indexed file, or None.
        frame_start: First frame of the sign, 1-indexed at `fps`.
        frame_end: Last frame at `fps`, or -1 for the end of the file.
        fps: The clock of frame_start and frame_end in frames a second (WLASL: always 25, NOT the file's rate).
        extra: The entry's further fields, kept as they are.
        own_file: The absolute path of a clip of the user's own, read where it lies; "" for one in raw_videos.
    """

    video_id: str
    gloss: str
    split: str
    signer_id: int | str
    source: str = ""
    url: str = ""
    bbox: tuple[int, int, int, int] | None = None
    frame_start: int = 1
    frame_end: int = -1
    fps: float = 25.0
    extra: Mapping[str, Any] = field(default_factory=dict)
    own_file: str = ""

    def path(self, root: Path) -> Path:
        """Returns where the clip's file lies."""
        return Path(self.own_file) if self.own_file else video_path(root, self.video_id)

    def row(self, root: Path, prompt: str) -> dict[str, Any]:
        """Returns the manifest row: {prompt, video_path, gloss, + the record's own fields}."""
        kept = {name: getattr(self, name) for name in _KEPT if name != "own_file" or self.own_file}
        return {"prompt": prompt, "video_path": str(self.path(root)), **self.extra, **kept}


# Not by dataclasses.asdict, which copies every value deeply: a second over 20,000 clips.
_KEPT = [each.name for each in fields(Clip) if each.name != "extra"]


def video_path(root: Path, video_id: str) -> Path:
    """Returns where a clip's file lies in a data root."""
    return root / "raw_videos" / f"{video_id}.mp4"


class Manifests:
    """Paths of the manifests below a data root."""

    def __init__(self, root: Path) -> None:
        folder = root / "datasets"
        self.cleaned = folder / "wlasl_cleaned.json"
        self.validated = folder / "wlasl_validated.json"
        self.corrupted = folder / "corrupted_videos.json"
        self.health = folder / "health.json"
        self.health_page = folder / "health.html"
        self.split = folder / "split.json"


def read_json(path: Path, next_step: str) -> Any:
    """Reads a JSON file.

    Args:
        path: The file.
        next_step: What to do when it is missing or broken, for the error's last words.

    Raises:
        RunError: The file is missing, unreadable or not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RunError(f"{path}: cannot be read ({error.strerror or error}); {next_step}") from error
    except ValueError as error:
        raise RunError(f"{path}: not JSON ({error}); {next_step}") from error


# A path that is no UTF-8 is written as JSON writes it, \udcff for a byte, and read back from JSON as it was.
_ESCAPED = "backslashreplace"


def write_text(path: Path, text: str) -> None:
    """Writes a file whole or not at all: to a temporary name beside it, flushed to disk, then renamed.

    A file that says the same already is left alone.

    Raises:
        RunError: The disk is full or the folder cannot be written; the earlier file stays as it was.
    """
    try:
        if path.is_file() and path.read_bytes() == text.encode(errors=_ESCAPED):
            return
    except OSError as error:
        raise _cannot_be_written(path, error) from error
    write_parts(path, (text,))


def write_parts(path: Path, parts: Iterable[str]) -> None:
    """Writes a text that is too long to hold at once, part by part, whole or not at all; raises as `write_text` does.

    The earlier file stays as it was, too, where making a part fails.
    """
    _write(path, (part.encode(errors=_ESCAPED) for part in parts))


def write_bytes(path: Path, data: bytes) -> None:
    """Writes bytes whole or not at all; raises as `write_text` does."""
    _write(path, (data,))


def _write(path: Path, parts: Iterable[bytes]) -> None:
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
        temporary = Path(name)
        with os.fdopen(handle, "wb") as file:
            file.writelines(parts)
            file.flush()
            os.fsync(file.fileno())
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(path)
    except OSError as error:
        raise _cannot_be_written(path, error) from error
    finally:
        if temporary is not None:  # gone by now, where all went well
            temporary.unlink(missing_ok=True)


def _cannot_be_written(path: Path, error: OSError) -> RunError:
    reason = error.strerror or error
    return RunError(f"{path}: cannot be written ({reason}); free space or choose another folder")


def write_json(path: Path, value: Any) -> None:
    """Writes JSON (UTF-8, a row or a key a line) whole or not at all; raises as `write_text` does."""
    write_text(path, _lines(value, depth=2) + "\n")


# Python's own indentation is written in Python: seconds over 20,000 rows, where this takes a tenth.
_encode = json.JSONEncoder(ensure_ascii=False, default=str).encode


def _lines(value: Any, depth: int) -> str:
    """JSON with the items of a list or an object, and of those in it down to `depth`, on lines of their own."""
    if not depth or not value or not isinstance(value, (list, dict)):
        return _encode(value)
    if isinstance(value, list):
        return "[\n" + ",\n".join(map(_encode, value)) + "\n]"
    return "{\n" + ",\n".join(f"{_encode(str(key))}: {_lines(each, depth - 1)}" for key, each in value.items()) + "\n}"


def by_split(rows: Iterable[Mapping[str, Any]], split: str) -> list[Mapping[str, Any]]:
    """Returns the manifest rows of one split."""
    return [row for row in rows if row["split"] == split]
