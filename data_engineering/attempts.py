"""downloads.jsonl: every attempt to fetch a clip, one JSON line each, appended as it happens.

`stage.trimmed` reads there which files are already cut.
"""

import json
import os
import threading
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Literal

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


class AttemptLog:
    """The attempts of a data root, oldest first; safe to append to from several threads."""

    def __init__(self, root: Path) -> None:
        self.path = root / "downloads.jsonl"
        self.attempts = _read(self.path)
        self._lock = threading.Lock()

    def last(self) -> dict[str, Attempt]:
        """Returns each clip's latest attempt by its id."""
        return {attempt.id: attempt for attempt in self.attempts}

    def append(self, attempt: Attempt) -> None:
        """Writes one line; a half line left by a killed run is closed first.

        Raises:
            RunError: The disk is full or the folder cannot be written.
        """
        line = json.dumps(asdict(attempt), ensure_ascii=False).encode() + b"\n"
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


def _read(path: Path) -> list[Attempt]:
    """Reads the lines that are whole; a killed run may leave half of one."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise RunError(f"{path}: cannot be read ({error.strerror}); check its permissions") from error
    names = [field.name for field in fields(Attempt)]
    attempts = []
    for line in lines:
        try:
            record = json.loads(line)
            attempts.append(Attempt(**{name: record[name] for name in names}))
        except (ValueError, TypeError, KeyError, RecursionError):
            continue
    return attempts
