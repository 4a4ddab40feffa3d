"""One host's turn in a download: its addresses one after the other, politely, each body judged and put in place."""

import hashlib
import os
import shutil
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, NamedTuple

from data_engineering import youtube
from data_engineering.attempts import Attempt, AttemptLog
from data_engineering.clip import Clip
from data_engineering.container import sniff
from data_engineering.cut import Carving, carve
from data_engineering.errors import RunError
from data_engineering.hosts import SAME_BODIES, BodyWatch, media_key, request_headers, youtube_id
from data_engineering.net import AddressRefusedError, Fetcher, FetchError
from data_engineering.reasons import ClipError
from data_engineering.settings import DownloadSettings

UNREACHABLE = 3
"""After so many addresses in a row that got no answer at all, a host is left alone for this run."""

_LONGEST_WAIT = 300.0  # seconds; a host that asks for more is asked again after these


class Source(NamedTuple):
    """One address and the clips it serves."""

    url: str
    clips: tuple[Clip, ...]


class Event(NamedTuple):
    """What a worker tells the run: clips dealt with, something to say, its end, its error."""

    host: str
    clips: int = 0
    note: str = ""
    last: bool = False
    error: BaseException | None = None


class Body(NamedTuple):
    """A body that came: its file, size and hash, and how long it took."""

    path: Path
    bytes: int
    sha256: str
    seconds: float


@dataclass(slots=True)
class Tally:
    """What one host gave: clips by outcome, reasons of failure, and why it is no longer asked."""

    outcomes: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    verdict: str = ""

    def blame(self, reason: str, clips: int) -> None:
        """Counts a reason by its code, the part before the colon."""
        if reason:
            self.reasons[reason.partition(":")[0][:60]] += clips

    def line(self, host: str) -> str:
        """Returns the host's line of the summary."""
        counts = ", ".join(f"{count:,} {outcome}" for outcome, count in self.outcomes.items() if count)
        why = "; ".join(f"{reason} x{count}" for reason, count in self.reasons.most_common(3))
        return f"{host}: {counts}" + (f" ({why})" if why else "") + (f". {self.verdict}" if self.verdict else "")


class HostWorker:
    """One host's sources.

    Args:
        name: `hosts.host_of` of all of them.
        sources: What to ask for.
        log: Where attempts go; its earlier ones tell whether the host is dead.
        folder: raw_videos.
        settings: Pause, retries, limits.
        tally: Counts what becomes of the clips.
    """

    def __init__(
        self, name: str, sources: list[Source], log: AttemptLog, folder: Path, settings: DownloadSettings, tally: Tally
    ) -> None:
        self.name = name
        self.sources = sources
        self.tally = tally
        self.stop = threading.Event()
        self._log = log
        self._folder = folder
        self._settings = settings
        self._fetcher = Fetcher(settings.timeout, settings.max_bytes, settings.allow_hosts)
        self._may_ask_at = 0.0
        self._unanswered = 0
        self._watch = BodyWatch()
        for attempt in log.attempts:
            if attempt.host == name and attempt.sha256:
                self._watch.saw(attempt.sha256, media_key(attempt.url))

    def work(self, tell: Callable[[Event], None]) -> None:
        """Asks for every source, until stopped or until the host is better left alone."""
        try:
            for source in self.sources:
                if self.stop.is_set():
                    break
                before = self.tally.verdict or self._judge_bodies()
                if before:
                    self.tally.outcomes["not asked"] += len(source.clips)
                else:
                    self._ask(source)
                tell(Event(self.name, clips=len(source.clips), note="" if before else self.tally.verdict))
            tell(Event(self.name, last=True))
        except OSError as error:
            reason = error.strerror or error
            tell(
                Event(self.name, error=RunError(f"{self._folder}: cannot be written ({reason}); free space, run again"))
            )
        except BaseException as error:  # raised again by the main thread
            tell(Event(self.name, error=error))

    def _ask(self, source: Source) -> None:
        part = self._part(source.clips[0])
        try:
            for tries in range(self._settings.retries + 1):
                if self._try(source, part, last=tries == self._settings.retries):
                    return
                self._may_ask_at = max(self._may_ask_at, time.monotonic() + self._settings.pause * 2**tries)
        finally:
            part.unlink(missing_ok=True)

    def _try(self, source: Source, part: Path, last: bool) -> bool:
        """One attempt at a source; returns whether it was the last one, as nothing more is to be had."""
        start = time.monotonic()
        try:
            body = self._fetch(source.url, part)
        except AddressRefusedError as error:
            self._note(source.clips, "refused", str(error), seconds=time.monotonic() - start)
            return True
        except FetchError as error:
            over = last or not error.retriable or isinstance(error, youtube.WallError) or self.stop.is_set()
            seconds = time.monotonic() - start
            self._note(source.clips, "failed", str(error), seconds=seconds, retriable=error.retriable, final=over)
            self._may_ask_at = time.monotonic() + min(error.retry_after or self._settings.pause, _LONGEST_WAIT)
            if over:
                self._judge_error(error)
            return over
        self._unanswered = 0
        self._keep(source, body)
        return True

    def _fetch(self, url: str, part: Path) -> Body:
        """Returns the body of an address: in `part`, or a video of YouTube that an earlier clip was cut from."""
        video = youtube_id(url)
        if video and self._kept(video).is_file():
            return _measure(self._kept(video), 0.0)
        self.stop.wait(max(0.0, self._may_ask_at - time.monotonic()))
        start = time.monotonic()
        try:
            if video:
                youtube.fetch(f"https://www.youtube.com/watch?v={video}", part, self._settings)
                return _measure(part, time.monotonic() - start)
            with part.open("wb") as sink:
                fetched = self._fetcher.fetch(url, sink, request_headers(url))
            return Body(part, fetched.bytes, fetched.sha256, time.monotonic() - start)
        finally:
            self._may_ask_at = time.monotonic() + self._settings.pause

    def _keep(self, source: Source, body: Body) -> None:
        """Judges a body by its content and puts its clips in place."""
        self._watch.saw(body.sha256, media_key(source.url))
        try:
            demuxer = sniff(body.path)
        except ClipError as error:
            self._note(source.clips, "failed", str(error), body)
            self._judge_bodies()
            return
        if self._watch.placeholder(body.sha256):
            self._drop(body)
            self._note(source.clips, "failed", _placeholder(body.bytes), body)
            self._judge_bodies()
            return
        video = youtube_id(source.url)
        ranged = {clip.video_id for clip in source.clips if clip.frame_end > 0} if video else set()
        if video and ranged and body.path != self._kept(video):
            # Other clips, of other glossaries too, are cut from the same video: it is asked for once.
            self._kept(video).parent.mkdir(exist_ok=True)
            body = body._replace(path=body.path.replace(self._kept(video)))
        carved = [clip for clip in source.clips if clip.video_id in ranged or demuxer == "swf"]
        self._carve(carved, body, demuxer == "swf")
        for clip in source.clips:
            if clip not in carved:
                self._place(clip, body, body.path, trimmed=False)

    def _carve(self, clips: list[Clip], body: Body, convert: bool) -> None:
        targets = [self._part(clip, ".cut") for clip in clips]
        carvings = [
            Carving(body.path, target, clip.frame_start, clip.frame_end, clip.fps, convert)
            for clip, target in zip(clips, targets, strict=True)
        ]
        try:
            for clip, target, outcome in zip(clips, targets, carve(carvings) if clips else [], strict=True):
                if isinstance(outcome, ClipError):
                    word = "unconvertible" if convert else "not cut"
                    self._note((clip,), "failed", f"{word}: {outcome}", body)
                else:
                    written = outcome or convert
                    self._place(clip, body, target if written else body.path, trimmed=outcome)
        finally:
            for target in targets:
                target.unlink(missing_ok=True)

    def _place(self, clip: Clip, body: Body, source: Path, trimmed: bool) -> None:
        """Gives a clip its file: copied beside, noted, then renamed; a kill in between costs no more than this clip."""
        whole = self._part(clip, ".whole")
        shutil.copyfile(source, whole)
        self._note((clip,), "ok", "", body, trimmed=trimmed)
        whole.replace(self._file(clip.video_id))

    def _drop(self, body: Body) -> None:
        """Removes the files that turned out to be the host's placeholder."""
        for video_id, attempt in self._log.last().items():
            if attempt.status == "ok" and attempt.host == self.name and attempt.sha256 == body.sha256:
                self._file(video_id).unlink(missing_ok=True)
                self._log.append(replace(attempt, status="failed", reason=_placeholder(attempt.bytes)))
                self.tally.outcomes["removed"] += 1

    def _judge_bodies(self) -> str:
        if self._watch.dead:
            self.tally.verdict = f"dead: one body under the last {SAME_BODIES + 1} addresses or more; no longer asked"
        return self.tally.verdict

    def _judge_error(self, error: FetchError) -> None:
        self._unanswered = 0 if error.answered else self._unanswered + 1
        if isinstance(error, youtube.WallError):
            self.tally.verdict = "asks for a login or for patience: set download.cookies, or run again later"
        elif self._unanswered >= UNREACHABLE:
            self.tally.verdict = f"no answer to {UNREACHABLE} addresses in a row; run again later"

    def _note(
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
                clip.video_id, clip.url, self.name, status, reason, size, sha256, round(seconds, 3), trimmed, retriable
            )
            self._log.append(attempt)
        if final:
            self.tally.outcomes["new" if status == "ok" else status] += len(clips)
            self.tally.blame(reason, len(clips))

    def _file(self, video_id: str) -> Path:
        return self._folder / f"{video_id}.mp4"

    def _kept(self, video: str) -> Path:
        return self._folder / "compilations" / f"{video}.mp4"

    def _part(self, clip: Clip, what: str = "") -> Path:
        # The process id keeps two runs over one root out of each other's files.
        return self._folder / f".{clip.video_id}.{os.getpid()}{what}.part"


def _measure(path: Path, seconds: float) -> Body:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Body(path, path.stat().st_size, digest, seconds)


def _placeholder(size: int) -> str:
    return f"placeholder: the same {size} bytes under more than {SAME_BODIES} addresses"
