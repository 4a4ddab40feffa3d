"""Two readers of one file with one interface: decord first, PyAV where decord is wrong or refuses.

decord (the decord2 build) reads MP4 files whose packets it indexes as they are shown. It is not used where it was
measured to be wrong: rotated files (it returns four channels in another order), frames hidden at the start by an edit
list, other containers (it takes no format, so FFmpeg would guess it), and time stamps that differ from the packets'.
Where an edit list hides frames at the END (13 of the 88 shared clips) it counts them and repeats the last frame
instead; there only the shown ones are asked for.

A reader belongs to the thread and the process that opened it: decord hangs across a fork and aborts across threads.

`decode` goes through a range frame by frame with PyAV and makes no pixels of them: validation looks at every frame, and
turning each into RGB would cost a quarter more than decoding it.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

import av
import numpy as np

from data_engineering.container import Container, open_container, video_stream
from data_engineering.cpu_decord import decord
from data_engineering.reasons import ClipError
from data_engineering.sniff import MP4

Timed = tuple[float, np.ndarray]
"""Seconds since the first frame, and the frame: uint8 (H, W, 3) RGB, upright."""


class Reader(Protocol):
    """Reads the frames of one file."""

    name: str

    def at(self, times: np.ndarray, start: float, end: float) -> list[Timed]:
        """Returns, for each of the ascending `times` (seconds), the frame of `start`..`end` that is shown then.

        Raises:
            ClipError: undecodable, no_frames.
        """


def open_reader(container: Container) -> Reader:
    """Opens decord where it is right for this file, else PyAV."""
    if container.format == MP4 and container.rotation == 0 and container.regular and container.tail_hidden:
        try:
            reader = DecordReader(container.path, container.timestamps)
        except ClipError:
            return AvReader(container)
        if reader.agrees(container.width):
            return reader
    return AvReader(container)


def indices_at(timestamps: np.ndarray, times: np.ndarray, start: float, end: float) -> np.ndarray:
    """Returns the index of the frame shown at each time, among those that begin in `start`..`end`.

    Args:
        timestamps: float64 (n,), ascending seconds.
        times: (T,) seconds.
        start: Frames before it are not used, seconds.
        end: Frames at or after it are not used, seconds.

    Raises:
        ClipError: no_frames, if no frame begins in the range.
    """
    first, behind = np.searchsorted(timestamps, [start - TOLERANCE, end - TOLERANCE])
    if behind <= first:
        raise ClipError("no_frames", f"no frame between {start:.2f} and {end:.2f} s")
    shown = np.searchsorted(timestamps, np.asarray(times) + TOLERANCE, side="right") - 1
    return np.clip(shown, first, behind - 1)


TOLERANCE = 5e-4
"""Seconds by which two time stamps of one frame may differ through rounding (a container may count milliseconds)."""


class DecordReader:
    """Reads with decord; see the module's text for when."""

    name = "decord"

    def __init__(self, path: Path, timestamps: np.ndarray | None = None) -> None:
        """Opens a file.

        Args:
            path: An MP4.
            timestamps: Of its shown frames, as `inspect` found them. None for decord's own, which is as good for a
                range that a survey has read with decord: hidden frames lie behind it.

        Raises:
            ClipError: undecodable.
        """
        try:
            # One thread: a worker is one of several processes, and the order of frames stays the same.
            self._reader = decord.VideoReader(str(path.absolute()), num_threads=1)
            stamps = self._reader.get_frame_timestamp(range(len(self._reader)))[:, 0].astype(np.float64)
        except _DECORD_ERRORS as error:
            raise ClipError("undecodable", _first_line(error)) from error
        self._stamps = stamps - stamps[0]
        self.timestamps = self._stamps if timestamps is None else timestamps

    def agrees(self, width: int) -> bool:
        """Tells whether decord's index holds the container's frames (perhaps with hidden ones behind them).

        And, of a narrow file, whether it hands one out: at some widths (8, 16, 24, 32, 48, 96 and 144 pixels were
        found) its batches fail on the padding of FFmpeg's rows.
        """
        shown = len(self.timestamps)
        if len(self._stamps) < shown:
            return False
        if width < _NARROW:
            try:
                self._reader.get_batch([0]).asnumpy()
            except _DECORD_ERRORS:
                return False
        # decord keeps seconds in float32.
        return bool(np.allclose(self._stamps[:shown], self.timestamps, rtol=1e-6, atol=4 * TOLERANCE))

    def at(self, times: np.ndarray, start: float, end: float) -> list[Timed]:
        """Decodes the frames shown at `times`; see `Reader`."""
        indices = indices_at(self.timestamps, times, start, end)
        try:
            frames = self._reader.get_batch(indices.tolist()).asnumpy()
        except _DECORD_ERRORS as error:
            raise ClipError("undecodable", _first_line(error)) from error
        return [(float(self.timestamps[index]), frame) for index, frame in zip(indices, frames, strict=True)]


class AvReader:
    """Reads with PyAV, any container that `sniff` knows."""

    name = "pyav"

    def __init__(self, container: Container) -> None:
        self._container = container

    def at(self, times: np.ndarray, start: float, end: float) -> list[Timed]:
        """Decodes the frames shown at `times`; see `Reader`."""
        chosen: list[Timed] = []
        shown: Timed | None = None
        before: tuple[float, av.VideoFrame] | None = None
        for time, frame, _ in decode(self._container, start, end):
            entry = time, frame
            while before is not None and len(chosen) < len(times) and times[len(chosen)] + TOLERANCE < entry[0]:
                shown = shown or (before[0], self._pixels(before[1]))
                chosen.append(shown)
            before, shown = entry, None
        if before is None:
            raise ClipError("no_frames", f"no frame between {start:.2f} and {end:.2f} s")
        shown = before[0], self._pixels(before[1])
        return chosen + [shown] * (len(times) - len(chosen))

    def through(self, start: float, end: float) -> Iterator[Timed]:
        """Decodes every frame of a range, one after the other.

        Raises:
            ClipError: undecodable, if nothing decodes because of an error.
        """
        for time, frame, _ in decode(self._container, start, end):
            yield time, self._pixels(frame)

    def _pixels(self, frame: "av.VideoFrame") -> np.ndarray:
        # Some streams change their size on the way.
        pixels = frame.to_ndarray(format="rgb24", width=self._container.width, height=self._container.height)
        return np.ascontiguousarray(np.rot90(pixels, -self._container.rotation // 90))


def decode(
    container: Container, start: float, end: float, opened: "av.container.InputContainer | None" = None
) -> Iterator[tuple[float, "av.VideoFrame", int]]:
    """Decodes, in order, every frame shown at or after `start` and before `end`.

    A packet that does not decode is passed over, as FFmpeg's own programs do; whoever asks may count what is damaged.

    Args:
        container: The file.
        start: Seconds since the first frame.
        end: Seconds since the first frame, perhaps infinite.
        opened: The file as it was opened to be inspected, which spares opening it again where it can be rewound.

    Yields:
        Seconds since the first frame, the frame as it is stored, and how many packets have failed so far.

    Raises:
        ClipError: undecodable, if nothing decodes because of an error.
    """
    count, failed, last = 0, 0, -np.inf
    seekable = container.regular and container.format in _SEEKABLE
    with ExitStack() as stack:
        if opened is None or not seekable:
            opened = stack.enter_context(open_container(container.path, container.format))
        stream = video_stream(opened)
        tick = float(stream.time_base or 0)
        error: Exception | None = None
        try:
            if seekable:
                lead = max(start - _LEAD, 0.0) + container.origin if start > _LEAD else container.first
                opened.seek(int(np.floor(lead / tick)), stream=stream)
            for packet in opened.demux(stream):
                try:
                    frames = packet.decode()
                except (av.FFmpegError, ValueError) as raised:
                    error, failed = error or raised, failed + 1
                    continue
                for frame in frames:
                    if container.regular and frame.pts is not None:
                        time = frame.pts * tick - container.origin
                    else:
                        # Made-up times count frames, as `inspect` made them up.
                        time = float(container.timestamps[min(count, len(container.timestamps) - 1)])
                    count += 1
                    if time >= end - TOLERANCE:
                        return
                    if time > last and time >= start - TOLERANCE:
                        last = time
                        yield time, frame, failed
        except (av.FFmpegError, ValueError) as raised:
            # What comes before a broken end is still the clip; a survey counts what is missing.
            error = error or raised
        if count == 0 and error is not None:
            raise ClipError("undecodable", _first_line(error)) from error


# Seeking may land a few frames late where a group of pictures is open; this many seconds earlier is safe.
_LEAD = 1.0
_SEEKABLE = (MP4, "matroska")
_NARROW = 256

# decord raises plain RuntimeError for most broken files, its own error for others, and asserts on a count of zero.
_DECORD_ERRORS = (RuntimeError, decord.base.DECORDError, AssertionError, IndexError, StopIteration, ValueError)


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0][:200] if lines else type(error).__name__
