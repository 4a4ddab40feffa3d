"""A body that came: made into the files of its clips, and each attempt noted."""

from dataclasses import replace
from pathlib import Path
from typing import Literal, NamedTuple

from data_engineering.attempts import Attempt, AttemptLog, Saved
from data_engineering.clip import Clip
from data_engineering.cut import Carving, carver
from data_engineering.flash import unpack
from data_engineering.hosts import SAME_BODIES, youtube_id
from data_engineering.reasons import PASSING, ClipError
from data_engineering.shelf import Shelf
from data_engineering.state import sha256
from data_engineering.tally import Tally
from data_engineering.todo import Source

_NOTHING = Saved(0, "")


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
        return cls(path, path.stat().st_size, sha256(path), seconds, whole)


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
                self.note((clip,), "failed", f"{word}: {outcome}", body, retriable=outcome.reason in PASSING)
            else:
                written = outcome or convert
                self._place(clip, body, target if written else body.path, trimmed=outcome)
        finally:
            target.unlink(missing_ok=True)

    def _place(self, clip: Clip, body: Body, source: Path, trimmed: bool) -> None:
        """Gives a clip its file; noted just before, as a kill in between then costs no more than asking again."""
        whole = self._shelf.copy(source, clip)
        saved = Saved(whole.stat().st_size, sha256(whole))
        self.note((clip,), "ok", "", body, trimmed=trimmed, saved=saved)
        self._shelf.put(whole, clip)

    def drop(self, body: Body, source: Source) -> None:
        """Notes that a body is the host's placeholder, and removes the files it was taken for a clip in.

        A file that has been put in such a one's place since is its owner's, and stays.
        """
        for video_id, attempt in self._log.last().items():
            taken = attempt.status == "ok" and attempt.host == self._host and attempt.sha256 == body.sha256
            if taken and self._shelf.drop(video_id, attempt.saved_bytes, attempt.saved_sha256):
                reason = _placeholder(attempt.bytes)
                gone = replace(attempt, status="failed", reason=reason, trimmed=False, saved_bytes=0, saved_sha256="")
                self._log.append(gone)
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
        saved: Saved = _NOTHING,
        retriable: bool = False,
        final: bool = True,
    ) -> None:
        """Writes an attempt for each clip; the last one of this run is counted as well."""
        size, digest, seconds = (body.bytes, body.sha256, body.seconds) if body else (0, "", seconds)
        for clip in clips:
            attempt = Attempt(
                id=clip.video_id,
                url=clip.url,
                host=self._host,
                status=status,
                reason=reason,
                bytes=size,
                sha256=digest,
                seconds=round(seconds, 3),
                trimmed=trimmed,
                retriable=retriable,
                saved_bytes=saved.bytes,
                saved_sha256=saved.sha256,
            )
            self._log.append(attempt)
            if status == "ok":
                self._new.add(clip.video_id)
        if final:
            self._tally.outcomes["new" if status == "ok" else status] += len(clips)
            self._tally.blame(reason, len(clips))


def _placeholder(size: int) -> str:
    return f"placeholder: the same {size} bytes under more than {SAME_BODIES} addresses"
