"""A body that came: made into the files of its clips, and each attempt noted."""

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Literal, NamedTuple

from data_engineering.attempts import Attempt, AttemptLog
from data_engineering.clip import Clip
from data_engineering.cut import Carving, carver
from data_engineering.flash import unpack
from data_engineering.hosts import SAME_BODIES, youtube_id
from data_engineering.reasons import ClipError
from data_engineering.shelf import Shelf
from data_engineering.tally import Tally
from data_engineering.todo import Source

_PASSING = {"timeout", "memory", "crashed"}
"""Reasons that may lie in a busy machine, not in the file."""


class Body(NamedTuple):
    """A body that came: its file, size and hash, how long it took, and whether the protocol says that it is whole."""

    path: Path
    bytes: int
    sha256: str
    seconds: float
    whole: bool

    @classmethod
    def of(cls, path: Path, seconds: float, whole: bool) -> "Body":
        """Measures a file that is there."""
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        return cls(path, path.stat().st_size, digest, seconds, whole)


class Keeper:
    """Turns one host's bodies into clips.

    Args:
        host: Whose they are.
        log: Where attempts go.
        shelf: Where files go.
        tally: Counts what becomes of the clips.
    """

    def __init__(self, host: str, log: AttemptLog, shelf: Shelf, tally: Tally) -> None:
        self._host = host
        self._log = log
        self._shelf = shelf
        self._tally = tally
        self._carver = carver()
        self._new: set[str] = set()

    def close(self) -> None:
        """Ends the process that cuts, if one was needed."""
        self._carver.close()

    def keep(self, source: Source, body: Body, demuxer: str) -> None:
        """Puts a source's clips in place: those with a range cut out of the body, the others as it came."""
        ranged = [clip for clip in source.clips if clip.frame_start > 1 or clip.frame_end > 0]
        video = youtube_id(source.url)
        if video and ranged and body.path != self._shelf.kept(video):
            # Other clips, of other glossaries too, are cut from the same video: it is asked for once.
            body = body._replace(path=self._shelf.keep(body.path, video))
        convert = demuxer == "swf"
        if convert:
            try:
                unpack(body.path)
            except ClipError as error:
                self.note(source.clips, "failed", f"unconvertible: {error}", body)
                return
        for clip in source.clips:
            if convert or clip in ranged:
                self._carve(clip, body, convert)
            else:
                self._place(clip, body, body.path, trimmed=False)

    def _carve(self, clip: Clip, body: Body, convert: bool) -> None:
        target = self._shelf.part(clip, ".cut")
        try:
            outcome = self._carver.run(Carving(body.path, target, clip.frame_start, clip.frame_end, clip.fps, convert))
            if isinstance(outcome, ClipError):
                word = "unconvertible" if convert else "not cut"
                self.note((clip,), "failed", f"{word}: {outcome}", body, retriable=outcome.reason in _PASSING)
            else:
                written = outcome or convert
                self._place(clip, body, target if written else body.path, trimmed=outcome)
        finally:
            target.unlink(missing_ok=True)

    def _place(self, clip: Clip, body: Body, source: Path, trimmed: bool) -> None:
        """Gives a clip its file; noted just before, as a kill in between then costs no more than asking again."""
        whole = self._shelf.copy(source, clip)
        self.note((clip,), "ok", "", body, trimmed=trimmed)
        self._shelf.put(whole, clip)

    def drop(self, body: Body, source: Source) -> None:
        """Notes that a body is the host's placeholder, and removes the files it was taken for a clip in."""
        for video_id, attempt in self._log.last().items():
            if attempt.status == "ok" and attempt.host == self._host and attempt.sha256 == body.sha256:
                self._shelf.file(video_id).unlink(missing_ok=True)
                self._log.append(replace(attempt, status="failed", reason=_placeholder(attempt.bytes)))
                self._tally.outcomes["removed"] += 1
                counted = "new" if video_id in self._new else "there"
                if self._tally.outcomes[counted]:  # not so for a clip of another glossary
                    self._tally.outcomes[counted] -= 1
                    self._tally.outcomes["failed"] += 1
                    self._tally.blame("placeholder", 1)
        self.note(source.clips, "failed", _placeholder(body.bytes), body)

    def note(
        self,
        clips: tuple[Clip, ...],
        status: Literal["ok", "refused", "failed"],
        reason: str,
        body: Body | None = None,
        *,
        seconds: float = 0.0,
        trimmed: bool = False,
        retriable: bool = False,
        final: bool = True,
    ) -> None:
        """Writes an attempt for each clip; the last one of this run is counted as well."""
        size, sha256, seconds = (body.bytes, body.sha256, body.seconds) if body else (0, "", seconds)
        for clip in clips:
            attempt = Attempt(
                clip.video_id, clip.url, self._host, status, reason, size, sha256, round(seconds, 3), trimmed, retriable
            )
            self._log.append(attempt)
            if status == "ok":
                self._new.add(clip.video_id)
        if final:
            self._tally.outcomes["new" if status == "ok" else status] += len(clips)
            self._tally.blame(reason, len(clips))


def _placeholder(size: int) -> str:
    return f"placeholder: the same {size} bytes under more than {SAME_BODIES} addresses"
