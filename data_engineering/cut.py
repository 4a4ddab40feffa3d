"""A range of a video written as a clip of its own (h264 in MP4, by PyAV: no program is started)."""

import math
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import av

from data_engineering.container import Container, inspect, open_container, video_stream
from data_engineering.reasons import ClipError
from data_engineering.sandbox import run_many
from data_engineering.video import plan_range

_TICK = Fraction(1, 90_000)  # the usual clock of a video in MP4; keeps variable frame rates as they are
_HALF_FRAME = 0.005  # seconds: half a frame at 100 frames a second
_QUALITY = {"crf": "18", "preset": "veryfast"}  # x264: 18 is close to what an eye can tell
_SECONDS = 300.0  # for one clip out of an hour of video on a busy machine
_MEMORY = 8 * 1024**3


class Carving(NamedTuple):
    """A clip to carve out of a file: the index's range, in frames of `fps`; `convert` writes even a whole file anew."""

    source: Path
    target: Path
    frame_start: int
    frame_end: int
    fps: float
    convert: bool


def carve(carvings: Sequence[Carving]) -> list[bool | ClipError]:
    """Carves clips in a process that can be killed.

    Returns:
        Per carving: True if `target` holds the range, False if `source` as a whole is the clip (then `target` is
        written only to convert), or the error.
    """
    return [outcome for _, outcome in run_many(_carve, carvings, workers=1, timeout=_SECONDS, max_memory=_MEMORY)]


def _carve(carving: Carving) -> bool:
    duration = inspect(carving.source).duration
    start, end, _ = plan_range(duration, carving.frame_start, carving.frame_end, carving.fps, trimmed=False)
    trimmed = (start, end) != (0.0, math.inf)
    if trimmed or carving.convert:
        cut(carving.source, carving.target, start, end)
    return trimmed


def cut(source: Path, target: Path, start: float = 0.0, end: float = math.inf) -> int:
    """Writes the frames of `source` shown from `start` to `end` to `target`, each for as long as it was shown.

    Args:
        source: Any video that `container.inspect` reads, an .swf as well.
        target: The MP4 to write; odd widths and heights lose one pixel, as h264 in 4:2:0 needs.
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
    with open_container(video.path, video.format) as source, av.open(str(target), "w", format="mp4") as clip:
        stream = video_stream(source)
        tick = stream.time_base or _TICK
        if start > 0:
            source.seek(math.floor((start + video.origin) / tick), stream=stream, backward=True)
        output = clip.add_stream("libx264", rate=Fraction(video.fps).limit_denominator(1001), options=_QUALITY)
        output.width, output.height = video.width & ~1, video.height & ~1
        output.pix_fmt = "yuv420p"
        output.codec_context.time_base = _TICK
        first, written = None, 0
        for frame in source.decode(stream):
            seconds = float(frame.pts * tick) - video.origin if frame.pts is not None else written / video.fps
            if seconds < start - _HALF_FRAME:
                continue
            if seconds >= end - _HALF_FRAME:
                break
            first = seconds if first is None else first
            picture = frame.reformat(width=output.width, height=output.height, format="yuv420p")
            picture.pts = round((seconds - first) / _TICK)
            picture.time_base = _TICK
            picture.pict_type = av.video.frame.PictureType.NONE  # the encoder's choice, not the source's
            clip.mux(output.encode(picture))
            written += 1
        if written:
            clip.mux(output.encode(None))
    return written
