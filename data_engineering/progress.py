"""A download's progress on stderr: a bar on a terminal, a line every few seconds in a file or a pipe."""

import sys
import time
from collections import Counter
from collections.abc import Mapping
from typing import Self, TextIO

from tqdm import tqdm

EVERY = 10.0
"""Seconds between two lines where there is no terminal."""


class Progress:
    """Counts clips by host, and says at what rate they come and when the slowest host will be done.

    Args:
        clips: How many clips each host has to deal with.
        shown: Print anything at all.
        stream: Where; None for stderr.
        every: Seconds between two lines where `stream` is no terminal.
    """

    def __init__(
        self, clips: Mapping[str, int], shown: bool, stream: TextIO | None = None, every: float = EVERY
    ) -> None:
        self._clips = clips
        self._done: Counter[str] = Counter()
        self._shown = shown
        self._stream = stream or sys.stderr
        self._every = every
        self._start = self._said = time.monotonic()
        self._bar: tqdm | None = None
        if shown and self._stream.isatty():
            # The bar's own estimate would take the mean of all hosts; they end one by one, the slowest last.
            layout = "{desc}: {percentage:3.0f}%|{bar:20}| {n_fmt}/{total_fmt} [{elapsed}, {rate_fmt}{postfix}]"
            self._bar = tqdm(
                total=sum(clips.values()), unit="clip", desc="download", bar_format=layout, file=self._stream
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()
        elif self._shown and self._done:
            self._say()

    def add(self, host: str, clips: int) -> None:
        """Notes that a host has dealt with so many more clips."""
        self._done[host] += clips
        if self._bar is not None:
            self._bar.set_postfix_str(f"{self._left()}; {self._hosts(2)}", refresh=False)
            self._bar.update(clips)
        elif self._shown and time.monotonic() - self._said >= self._every:
            self._say()

    def note(self, text: str) -> None:
        """Prints a line above the bar."""
        if self._bar is not None:
            self._bar.write(text, file=self._stream)
        elif self._shown:
            print(text, file=self._stream, flush=True)

    def _say(self) -> None:
        self._said = time.monotonic()
        done, total = self._done.total(), sum(self._clips.values())
        elapsed = self._said - self._start
        rest = self._left() if done < total else f"in {duration(elapsed)}"
        figures = f"{done:,} of {total:,} clips, {done / max(elapsed, 1e-3):.1f} a second, {rest}"
        print(f"download: {figures}; {self._hosts(len(self._clips))}", file=self._stream, flush=True)

    def _left(self) -> str:
        elapsed = time.monotonic() - self._start
        behind = [
            elapsed / self._done[host] * (total - self._done[host])
            for host, total in self._clips.items()
            if self._done[host]
        ]
        waiting = any(not self._done[host] for host in self._clips)
        return f"{'more than ' if waiting else ''}{duration(max(behind, default=0))} left"

    def _hosts(self, most: int) -> str:
        """The hosts with most to do, and how far they are."""
        left = {host: total - self._done[host] for host, total in self._clips.items()}
        busy = sorted((host for host in left if left[host]), key=lambda host: -left[host])
        words = [f"{host} {self._done[host]:,}/{self._clips[host]:,}" for host in busy[:most]]
        ready = len(left) - len(busy)
        return ", ".join(words + ([f"{ready} {'host' if ready == 1 else 'hosts'} done"] if ready else []))


def duration(seconds: float) -> str:
    """Returns a time as one reads it: `8 s`, `12 min`, `3 h 20 min`."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"
