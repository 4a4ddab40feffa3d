"""Whether things are still what they were: files by size and time, by hash where the time differs; settings by hash."""

import hashlib
import json
import stat
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from data_engineering.sandbox import cores


def file_state(path: Path) -> tuple[int, int] | None:
    """Returns a file's size in bytes and its time of change in nanoseconds, or None where there is no plain file."""
    try:
        status = path.stat()
    except OSError:
        return None
    return (status.st_size, status.st_mtime_ns) if stat.S_ISREG(status.st_mode) else None


def sha256(path: Path) -> str:
    """Returns the hash of a file's bytes; raises OSError where it cannot be read."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest(told: Any) -> str:
    """Identifies anything that JSON can say, in whatever order its keys stand; the rest counts as its text."""
    return hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode()).hexdigest()


def unchanged(files: Iterable[tuple[str, Path, Mapping[str, Any]]]) -> dict[str, int]:
    """Returns which files are still the same.

    Args:
        files: Of each file its name, its path, and {bytes, mtime_ns, sha256} as they were.

    Returns:
        {name: mtime_ns as it is now} of those with the same size and time, or else the same size and hash.
    """
    same: dict[str, int] = {}
    touched = []
    for name, path, was in files:
        state = file_state(path)
        if state is None or state[0] != was.get("bytes"):
            continue
        if state[1] == was.get("mtime_ns"):
            same[name] = state[1]
        elif "sha256" in was:
            touched.append((name, path, was["sha256"], state[1]))
    with ThreadPoolExecutor(cores()) as pool:  # hashing lets other threads run
        for (name, _, was_hash, changed), now in zip(touched, pool.map(_hash, (t[1] for t in touched)), strict=True):
            if now == was_hash:
                same[name] = changed
    return same


def _hash(path: Path) -> str:
    try:
        return sha256(path)
    except OSError:
        return ""
