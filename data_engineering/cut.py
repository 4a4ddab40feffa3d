"""A range of a video written as a clip of its own (h264 in MP4, by PyAV: no program is started)."""

import math
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import av
import numpy as np

from data_engineering.container import Container, inspect
from data_engineering.decoders import TOLERANCE, decode
from data_engineering.ranges import plan_range, slack
from data_engineering.reasons import ClipError
from data_engineering.sandbox import Sandbox

_TICK = Fraction(1, 90_000)  # the usual clock of a video in MP4; keeps variable frame rates as they are
_SLIVER = 0.005  # seconds; a frame shown for less than that of the range is a rounding error, not part of it
# x264: 18 is close to what an eye can tell. Without B-frames the packets' order is the frames' own, and an MP4 can say
# exactly how long each is on show.
_QUALITY = {"crf": "18", "preset": "veryfast", "bf": "0"}
_SECONDS = 300.0  # for one clip out of an hour of video on a busy machine
_MEMORY = 8 * 1024**3

Timed = tuple[float, float, "av.VideoFrame"]
"""Seconds since the range's start at which a frame appears and disappears, and the frame."""


class Carving(NamedTuple):
    """A clip to carve out of a file: the index's range, in frames of `fps`; `convert` writes even a whole file anew."""

    source: Path
    target: Path
    frame_start: int
    frame_end: int
    fps: float
    convert: bool


def carver() -> Sandbox[Carving, bool]:
    """Returns a process that carves and can be killed; see `carve`."""
    return Sandbox(carve, timeout=_SECONDS, max_memory=_MEMORY)


def carve(carving: Carving) -> bool:
    """Carves one clip.

    Returns:
        True if `target` holds the range, False if `source` as a whole is the clip (then `target` is written only to
        convert).

    Raises:
        ClipError: As `cut` does.
    """
    duration = inspect(carving.source).duration
    start, end, _ = plan_range(duration, carving.frame_start, carving.frame_end, carving.fps, trimmed=False)
    trimmed = (start, end) != (0.0, math.inf)
    if trimmed or carving.convert:
        cut(carving.source, carving.target, start, end)
    return trimmed


def cut(source: Path, target: Path, start: float = 0.0, end: float = math.inf) -> int:
    """Writes what `source` shows from `start` to `end` to `target`, each frame for as long as the range shows it.

    The range is one of time, whatever the file's rate: the frame on show at `start` is the clip's first, and the last
    one ends at `end`.

    Args:
        source: Any video that `container.inspect` reads, an .swf as well.
        target: The MP4 to write, upright; odd widths and heights lose one pixel, as h264 in 4:2:0 needs.
        start: Seconds from the first frame.
        end: Seconds, exclusive.

    Returns:
        The number of frames written.

    Raises:
        ClipError: The source does not decode, or has no frame in the range.
    """
    video = inspect(source)
    try:
        written = _transcode(video, target, start, end)
    except (av.FFmpegError, ValueError) as error:
        raise ClipError("undecodable", f"{video.codec}: {error}") from error
    if not written:
        raise ClipError("no_frames", f"no frame between {start:.2f} and {end:.2f} of {video.duration:.2f} s")
    return written


def _transcode(video: Container, target: Path, start: float, end: float) -> int:
    width, height, aspect = video.width, video.height, Fraction(video.pixel_aspect).limit_denominator(100)
    if video.rotation % 180:
        width, height, aspect = height, width, 1 / aspect
    with av.open(str(target), "w", format="mp4") as clip:
        output = clip.add_stream("libx264", rate=Fraction(video.fps).limit_denominator(1001), options=_QUALITY)
        output.width, output.height, output.pix_fmt = width & ~1, height & ~1, "yuv420p"
        output.codec_context.time_base = _TICK
        output.codec_context.sample_aspect_ratio = aspect
        durations: dict[int | None, int] = {}

        def write(picture: "av.VideoFrame | None") -> None:
            for packet in output.encode(picture):
                # The file ends when its last packet does.
                packet.duration = durations[packet.pts]
                clip.mux(packet)

        for begins, ends, frame in _shown(video, start, end):
            upright = _turned(frame, video.rotation)
            picture = upright.reformat(width=output.width, height=output.height, format="yuv420p")
            picture.pts, picture.time_base = round(begins / _TICK), _TICK
            picture.pict_type = av.video.frame.PictureType.NONE  # the encoder's choice, not the source's
            durations[picture.pts] = round(ends / _TICK) - picture.pts
            write(picture)
        if durations:
            write(None)
    return len(durations)


def _shown(video: Container, start: float, end: float) -> Iterator[Timed]:
    """Yields the frames on show between `start` and `end`, each with the part of its time that lies in between."""
    held: tuple[float, av.VideoFrame] | None = None
    for begins, frame in _decoded(video, start, end):
        if held is not None and begins > start + _SLIVER:
            yield _since(start, held[0]), min(begins, end) - start, held[1]
        held = (begins, frame) if begins < end - _SLIVER else None
    if held is not None:
        last = max(video.duration, held[0] + _SLIVER)
        if last > start + _SLIVER:
            yield _since(start, held[0]), min(last, end) - start, held[1]


def _since(start: float, begins: float) -> float:
    return begins - start if begins > start + _SLIVER else 0.0


def _decoded(video: Container, start: float, end: float) -> Iterator[tuple[float, "av.VideoFrame"]]:
    """Yields frames and their seconds, ascending, from the one on show at `start`.

    Raises:
        ClipError: undecodable, where more of them are damaged than a clip may have.
    """
    first = max(int(np.searchsorted(video.timestamps, start + _SLIVER, side="right")) - 1, 0)
    behind = int(np.searchsorted(video.timestamps, end - TOLERANCE))
    count = corrupt = 0
    for seconds, frame, _ in decode(video, float(video.timestamps[first]), end):
        count, corrupt = count + 1, corrupt + frame.is_corrupt
        yield seconds, frame
    damaged = max(behind - first - count, 0) + corrupt
    if damaged > slack(behind - first):
        raise ClipError("undecodable", f"{damaged} of the range's {behind - first} frames are damaged or missing")


def _turned(frame: "av.VideoFrame", degrees: int) -> "av.VideoFrame":
    if not degrees:
        return frame
    pixels: np.ndarray[Any, np.dtype[np.uint8]] = np.rot90(frame.to_ndarray(format="rgb24"), -degrees // 90)
    return av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
