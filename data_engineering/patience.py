"""How one host is treated: when it may be asked again, and when it is better left alone for this run."""

import random
import threading
import time

from data_engineering.net import FetchError, WallError

UNREACHABLE = 3
"""After so many addresses in a row that got no answer at all, a host is left alone for this run."""

WALLS = 3
"""After so many addresses in a row that met a wall (429, YouTube's bot check), a host is left alone for this run."""

TROUBLES = 10
"""After so many addresses in a row that failed in a way that may pass (5xx, time-outs, broken bodies), a host is left
alone for this run: each costs minutes, and a host may have thousands."""

LONGEST_WAIT = 300.0
"""Seconds. A host that asks for a longer wait is left alone for this run instead."""

COOKIES = (
    "asks for a login or for patience: wait an hour, then run again; or export cookies.txt from a browser that is "
    "logged in, and run with --only-host youtube --cookies cookies.txt"
)


class Patience:
    """The pauses before a host's requests, and the verdict on it.

    Args:
        pause: Seconds between two requests.
        backoff: Seconds before the first retry; each further one waits twice as long.
        stop: Set to end a wait at once.
        remedy: What to do about a wall, for the verdict.

    Attributes:
        verdict: Why the host is no longer asked, "" while it is.
    """

    def __init__(self, pause: float, backoff: float, stop: threading.Event, remedy: str = "") -> None:
        self.verdict = ""
        self._pause = pause
        self._backoff = backoff
        self._stop = stop
        self._remedy = remedy or "has had enough of requests: run again later, with a longer download.pause"
        self._may_ask_at = 0.0
        self._unanswered = 0
        self._walls = 0
        self._troubles = 0

    def wait(self) -> None:
        """Waits until the host may be asked."""
        self._stop.wait(max(0.0, self._may_ask_at - time.monotonic()))

    def asked(self) -> None:
        """Notes that a request has just ended."""
        self._may_ask_at = max(self._may_ask_at, time.monotonic() + self._pause)

    def answered(self) -> None:
        """Notes a body: whatever stood in the way is gone."""
        self._unanswered = self._walls = self._troubles = 0

    def failed(self, error: FetchError, tries: int, final: bool) -> None:
        """Notes a failure: the next request waits longer, or the host is left alone.

        Args:
            error: What went wrong.
            tries: Attempts at this address that had failed before.
            final: No further attempt at this address follows.
        """
        if error.retry_after is not None and error.retry_after > LONGEST_WAIT:
            self.verdict = f"asks to be left alone for {error.retry_after / 60:.0f} minutes: run again then"
            return
        if error.retriable:
            # What a host asks for, it gets in full; the jitter only ever adds to it.
            wait = backoff(self._backoff, tries + self._walls, random.random())  # noqa: S311
            self._may_ask_at = time.monotonic() + max(self._pause, wait, error.retry_after or 0.0)
        if not final:
            return
        self._unanswered = 0 if error.answered else self._unanswered + 1
        self._walls = self._walls + 1 if isinstance(error, WallError) else 0
        self._troubles = self._troubles + 1 if error.retriable else 0
        if self._walls >= WALLS:
            self.verdict = self._remedy
        elif self._unanswered >= UNREACHABLE:
            self.verdict = f"no answer to {UNREACHABLE} addresses in a row: run again later"
        elif self._troubles >= TROUBLES:
            code = str(error).partition(":")[0]
            self.verdict = f"nothing from {TROUBLES} addresses in a row, the last: {code}; run again later"


def backoff(first: float, tries: int, draw: float) -> float:
    """Returns the seconds to wait after a failure: doubled each time, less up to half of it by chance.

    The chance keeps clients that failed together from returning together ("equal jitter", Brooker 2015).

    Args:
        first: Seconds after the first failure, at most.
        tries: Failures before this one.
        draw: A random number in 0..1.
    """
    longest = min(LONGEST_WAIT, first * 2 ** min(tries, 30))
    return longest * (1 + draw) / 2
