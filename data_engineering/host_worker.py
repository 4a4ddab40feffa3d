"""One host's turn in a download: its addresses one after the other, politely, each body judged and put in place."""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from data_engineering import youtube
from data_engineering.addresses import AddressRefusedError
from data_engineering.attempts import AttemptLog
from data_engineering.errors import RunError
from data_engineering.hosts import DEAD, YOUTUBE, BodyWatch, media_key, request_headers, youtube_id
from data_engineering.keeper import Body, Keeper
from data_engineering.net import Fetcher, FetchError, WallError
from data_engineering.patience import COOKIES, Patience
from data_engineering.reasons import ClipError
from data_engineering.settings import DownloadSettings
from data_engineering.shelf import Shelf
from data_engineering.sniff import MP4, sniff
from data_engineering.tally import Tally
from data_engineering.todo import Source
from data_engineering.whole import check_whole


class Event(NamedTuple):
    """What a worker tells the run: clips dealt with, something to say, its end, its error."""

    host: str
    clips: int = 0
    note: str = ""
    last: bool = False
    error: BaseException | None = None


class HostWorker:
    """One host's sources.

    Args:
        name: `hosts.host_of` of all of them.
        sources: What to ask for.
        log: Where attempts go.
        shelf: Where files go.
        fetcher: Asks; one for all hosts, as each loads every certificate there is.
        settings: Pauses and retries.
        tally: Counts what becomes of the clips.
        watch: What earlier runs saw of the host's bodies.
    """

    def __init__(
        self,
        name: str,
        sources: list[Source],
        log: AttemptLog,
        shelf: Shelf,
        fetcher: Fetcher,
        settings: DownloadSettings,
        tally: Tally,
        watch: BodyWatch,
    ) -> None:
        self.name = name
        self.sources = sources
        self.tally = tally
        self.stop = threading.Event()
        self._shelf = shelf
        self._keeper = Keeper(name, log, shelf, tally)
        self._settings = settings
        self._fetcher = fetcher
        pause, remedy = (settings.youtube_pause, COOKIES) if name == YOUTUBE else (settings.pause, "")
        self._patience = Patience(pause, settings.backoff, self.stop, remedy)
        self._watch = watch

    def work(self, tell: Callable[[Event], None]) -> None:
        """Asks for every source, until stopped or until the host is better left alone."""
        try:
            for source in self.sources:
                if self.stop.is_set():
                    break
                before = self._verdict()
                if before:
                    self.tally.outcomes["not asked"] += len(source.clips)
                else:
                    self._ask(source)
                tell(Event(self.name, clips=len(source.clips), note="" if before else self._verdict()))
            tell(Event(self.name, last=True))
        except OSError as error:
            reason = error.strerror or error
            where = self._shelf.folder
            tell(Event(self.name, error=RunError(f"{where}: cannot be written ({reason}); free space, run again")))
        except BaseException as error:  # raised again by the main thread
            tell(Event(self.name, error=error))
        finally:
            self._keeper.close()

    def _verdict(self) -> str:
        """Why the host is no longer asked."""
        if self._watch.dead:
            self.tally.verdict = DEAD
        elif self._patience.verdict:
            self.tally.verdict = self._patience.verdict[0].upper() + self._patience.verdict[1:]
        return self.tally.verdict

    def _ask(self, source: Source) -> None:
        part = self._shelf.part(source.clips[0])
        try:
            for tries in range(self._settings.retries + 1):
                if self._try(source, part, tries):
                    return
        finally:
            part.unlink(missing_ok=True)

    def _try(self, source: Source, part: Path, tries: int) -> bool:
        """One attempt at a source; returns whether it was the last one, as nothing more is to be had."""
        start = time.monotonic()
        kept = self._kept(source.url)
        try:
            body = kept or self._fetch(source.url, part)
            demuxer = self._judge(source, body)
        except AddressRefusedError as error:
            self._keeper.note(source.clips, "refused", str(error), seconds=time.monotonic() - start)
            return True
        except FetchError as error:
            if kept:  # a broken file on this disk says nothing of the host, which is asked instead
                kept.path.unlink(missing_ok=True)
                return self._try(source, part, tries)
            # YouTube's wall does not fall within seconds; each further request makes it higher.
            hopeless = not error.retriable or (isinstance(error, WallError) and self.name == YOUTUBE)
            over = hopeless or tries == self._settings.retries or self.stop.is_set()
            self._patience.failed(error, tries, over)
            over = over or bool(self._patience.verdict)
            seconds = time.monotonic() - start
            self._keeper.note(
                source.clips, "failed", str(error), seconds=seconds, retriable=error.retriable, final=over
            )
            return over
        if not kept:
            self._patience.answered()
        if demuxer:
            self._keeper.keep(source, body, demuxer)
        return True

    def _kept(self, url: str) -> Body | None:
        """Returns the video of YouTube at an address if an earlier clip was cut from it: it is not asked for again."""
        video = youtube_id(url)
        if video and self._shelf.kept(video).is_file():
            return Body.of(self._shelf.kept(video), 0.0, whole=True)
        return None

    def _fetch(self, url: str, part: Path) -> Body:
        """Asks for the body of an address, and returns it in `part`."""
        video = youtube_id(url)
        self._patience.wait()
        start = time.monotonic()
        try:
            if video:
                whole = youtube.fetch(youtube.WATCH + video, part, self._settings)
                return Body.of(part, time.monotonic() - start, whole)
            with part.open("wb") as sink:
                fetched = self._fetcher.fetch(url, sink, request_headers(url))
            return Body(part, fetched.bytes, fetched.sha256, time.monotonic() - start, fetched.whole)
        finally:
            self._patience.asked()

    def _judge(self, source: Source, body: Body) -> str:
        """Returns the demuxer that a body calls for, or "" for one that is no clip.

        Raises:
            FetchError: The body broke off.
        """
        try:
            demuxer = sniff(body.path)
            if demuxer == MP4 or not body.whole:
                check_whole(body.path, demuxer)
        except ClipError as error:
            if error.reason == "truncated" or (error.reason == "moov_missing" and not body.whole):
                raise FetchError(f"broke off: {error}", retriable=True) from error
            self._watch.saw(body.sha256, media_key(source.url))
            self._keeper.note(source.clips, "failed", str(error), body)
            return ""
        self._watch.saw(body.sha256, media_key(source.url))
        if not self._watch.placeholder(body.sha256):
            return demuxer
        self._keeper.drop(body, source)
        return ""
