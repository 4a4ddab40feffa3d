"""raw_videos: the files of a data root, each put in its place whole or not at all."""

import os
import platform
import re
import shutil
import time
from collections.abc import Iterable
from pathlib import Path

import psutil

from data_engineering.clip import Clip
from data_engineering.errors import RunError
from data_engineering.state import file_state, sha256

_STALE = 3600.0  # seconds; what another machine's run left is only taken for left behind when it is that old
_NODE = re.sub(r"[^A-Za-z0-9]", "", platform.node())[:20] or "here"


class Shelf:
    """The folder of a data root's clips.

    A file is written under a name that begins with a dot and carries machine and process, and is renamed when it is
    whole. A killed run's parts are swept by the next one.

    Args:
        root: The data root.

    Raises:
        RunError: The folder cannot be made or swept.
    """

    def __init__(self, root: Path) -> None:
        self.folder = root / "raw_videos"
        self.compilations = self.folder / "compilations"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            for part in (*self.folder.glob(".*.part*"), *(root / "datasets").glob(".*.part")):
                if left_behind(part):
                    part.unlink(missing_ok=True)
        except OSError as error:
            raise RunError(
                f"{self.folder}: cannot be written ({error.strerror or error}); choose another data.root"
            ) from error

    def file(self, video_id: str) -> Path:
        """Returns where a clip's file lies."""
        return self.folder / f"{video_id}.mp4"

    def kept(self, video: str) -> Path:
        """Returns where the YouTube video lies that clips are cut from; every glossary finds it there again."""
        return self.compilations / f"{video}.mp4"

    def part(self, clip: Clip, what: str = "") -> Path:
        """Returns a name for something unfinished."""
        return self.folder / f".{clip.video_id}.{mark()}{what}.part"

    def keep(self, body: Path, video: str) -> Path:
        """Puts a video that clips are cut from in its place; returns that."""
        self.compilations.mkdir(exist_ok=True)
        _flush(body)
        return body.replace(self.kept(video))

    def copy(self, source: Path, clip: Clip) -> Path:
        """Copies what will be a clip's file beside its place, safe on the disk; `put` then takes no time."""
        whole = self.part(clip, ".whole")
        shutil.copyfile(source, whole)
        _flush(whole)
        return whole

    def put(self, whole: Path, clip: Clip) -> None:
        """Gives a clip its file; one that its owner has put there since the run began stays."""
        place = self.file(clip.video_id)
        if place.exists():
            whole.unlink()
        else:
            whole.replace(place)

    def drop(self, video_id: str, size: int, digest: str) -> bool:
        """Removes a clip's file if it has that size and hash; any other is its owner's. Returns whether it did."""
        path = self.file(video_id)
        found = file_state(path)
        if found is None or found[0] != size or sha256(path) != digest:
            return False
        path.unlink()
        return True

    def kept_bytes(self) -> tuple[int, int]:
        """Returns how many videos are kept to cut from, and their bytes."""
        sizes = [path.stat().st_size for path in self.compilations.glob("*.mp4")]
        return len(sizes), sum(sizes)


def present(clips: Iterable[Clip], folder: Path) -> set[str]:
    """Returns the ids of the clips whose files are there: in raw_videos, or the user's own."""
    names = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    return {
        clip.video_id
        for clip in clips
        if (Path(clip.own_file).is_file() if clip.own_file else f"{clip.video_id}.mp4" in names)
    }


def mark() -> str:
    """Returns what the name of an unfinished file carries, so that `left_behind` knows whose it was."""
    return f"{_NODE}-{os.getpid()}"


def left_behind(part: Path) -> bool:
    """Returns whether nobody is writing an unfinished file any more."""
    found = re.search(rf"\.{_NODE}-(\d+)\.", part.name)
    # A container's processes have the same few numbers at every start, so our own may be a killed run's.
    if found and (int(found[1]) == os.getpid() or not psutil.pid_exists(int(found[1]))):
        return True
    try:
        return time.time() - part.stat().st_mtime > _STALE
    except FileNotFoundError:  # finished in this instant
        return False


def _flush(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())
