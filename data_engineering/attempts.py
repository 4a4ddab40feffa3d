"""downloads.jsonl: every attempt to fetch a clip, one JSON line each, appended as it happens."""

import json
import os
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal, NamedTuple

from data_engineering.errors import RunError


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt to fetch one clip.

    Attributes:
        id: The clip's video_id.
        url: The address asked for.
        host: Whom it was asked of (`hosts.host_of`).
        status: `ok` (the file is there), `refused` (never asked: the address is not public), `failed`.
        reason: Why not, "" if ok.
        bytes: Size of the body that came, 0 if none did.
        sha256: Its hash, "" if none did.
        seconds: How long the request took.
        trimmed: The saved file is already cut to the clip's frames.
        retriable: A later run may succeed.
        saved_bytes: Size of the file that was made of the body, 0 if none was.
        saved_sha256: Its hash, "" if none was; only a file that still has it is ours to remove or known to be cut.
    """

    id: str
    url: str
    host: str
    status: Literal["ok", "refused", "failed"]
    reason: str
    bytes: int
    sha256: str
    seconds: float
    trimmed: bool
    retriable: bool
    saved_bytes: int = 0
    saved_sha256: str = ""


class AttemptLog:
    """The attempts of a data root, oldest first; safe to append to from several threads."""

    def __init__(self, root: Path) -> None:
        self.path = root / "downloads.jsonl"
        self.attempts = _read(root)
        self._lock = threading.Lock()

    def last(self) -> dict[str, Attempt]:
        """Returns each clip's latest attempt by its id."""
        return {attempt.id: attempt for attempt in self.attempts}

    def append(self, attempt: Attempt) -> None:
        """Writes one line; a half line left by a killed run is closed first.

        Raises:
            RunError: The disk is full or the folder cannot be written.
        """
        # Half a surrogate pair, which a host's JSON may hold, becomes the escape that JSON has for it.
        line = json.dumps(asdict(attempt), ensure_ascii=False).encode(errors="backslashreplace") + b"\n"
        with self._lock:
            try:
                with self.path.open("a+b") as file:
                    if file.seek(0, os.SEEK_END):
                        file.seek(-1, os.SEEK_END)
                        line = line if file.read(1) == b"\n" else b"\n" + line
                    file.write(line)
            except OSError as error:
                raise RunError(
                    f"{self.path}: cannot be written ({error.strerror}); free space and run again"
                ) from error
            self.attempts.append(attempt)


def records(root: Path) -> Iterator[dict[str, Any]]:
    """Yields the lines of downloads.jsonl that are whole, oldest first; a killed run may leave half of one.

    Raises:
        RunError: The file is there and cannot be read.
    """
    path = root / "downloads.jsonl"
    try:
        # Not splitlines: to that, some characters that JSON leaves as they are end a line too.
        lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
    except FileNotFoundError:
        return
    except OSError as error:
        raise RunError(f"{path}: cannot be read ({error.strerror}); check its permissions") from error
    for line in lines:
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(record, dict) and isinstance(record.get("id"), str):
            yield record


class Saved(NamedTuple):
    """What a file was when it was put in its place; 0 and "" where an older log does not tell."""

    bytes: int
    sha256: str


def trimmed(root: Path) -> dict[str, Saved]:
    """Returns the files, by video_id, that the clips' latest attempts left already cut to their ranges.

    Whoever believes it has to see that the file is still that one: its owner may have put another in its place.
    """
    last = {record["id"]: record for record in records(root)}
    return {
        name: Saved(record.get("saved_bytes", 0), record.get("saved_sha256", ""))
        for name, record in last.items()
        if record.get("status") == "ok" and record.get("trimmed") is True
    }


def _read(root: Path) -> list[Attempt]:
    names = [field.name for field in fields(Attempt)]
    unsaid: dict[str, Any] = {"saved_bytes": 0, "saved_sha256": ""}  # by the lines of older logs
    lines = (unsaid | record for record in records(root))
    return [Attempt(**{name: line[name] for name in names}) for line in lines if all(name in line for name in names)]
