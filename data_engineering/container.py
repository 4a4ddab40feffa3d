"""What a file says about itself before a frame is decoded: its video stream's shape and its packets' times."""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np

from data_engineering.reasons import ClipError
from data_engineering.sniff import MP4, sniff


@dataclass(frozen=True, slots=True, eq=False)
class Container:
    """What demuxing tells of a file's video stream.

    Attributes:
        path: The file, absolute.
        format: FFmpeg's name of the demuxer to read it with.
        codec: FFmpeg's name of the codec.
        width: Pixels a stored row.
        height: Stored rows.
        pixel_aspect: Width of a pixel over its height, as shown (4 of the 88 shared clips: 4/3).
        rotation: Degrees clockwise, 0 | 90 | 180 | 270, that the frame must be turned by to be shown.
        timestamps: float64 (n,), seconds at which the stream's frames are shown, ascending, the first one 0.
        origin: Stream time of the first shown frame, in seconds.
        first: Stream time of the first packet, hidden or not, in seconds.
        last_duration: Seconds that the last frame is shown.
        promised: Frames that the header promises, those that are not shown left out; where it promises seconds alone,
            those that are there and as many more as the time behind them would hold at their mean rate.
        hidden: Frames that an edit list hides; decord counts them, PyAV does not show them.
        tail_hidden: True if all packets hidden by an edit list lie behind the last shown one.
        regular: False if the timestamps were unusable and are made up from the frame rate.
    """

    path: Path
    format: str
    codec: str
    width: int
    height: int
    pixel_aspect: float
    rotation: int
    timestamps: np.ndarray
    origin: float
    first: float
    last_duration: float
    promised: int
    hidden: int
    tail_hidden: bool
    regular: bool

    @property
    def duration(self) -> float:
        """Seconds from the first frame to the end of the last."""
        return float(self.timestamps[-1]) + self.last_duration

    @property
    def fps(self) -> float:
        """Mean frames a second."""
        return len(self.timestamps) / self.duration


def open_container(path: Path, demuxer: str) -> "av.container.InputContainer":
    """Opens a file with PyAV as `demuxer` and nothing else; no other protocol than a local file is allowed.

    Raises:
        ClipError: undecodable.
    """
    try:
        return av.open(
            f"file:{path.absolute()}",
            format=demuxer,
            options={"protocol_whitelist": "file", "enable_drefs": "0"},
            # Real clips carry metadata that is not UTF-8 (01586).
            metadata_errors="ignore",
        )
    except (av.FFmpegError, ValueError, OSError) as error:
        raise ClipError("undecodable", f"does not open as {demuxer}: {_words(error)}") from error


def video_stream(container: "av.container.InputContainer") -> "av.video.stream.VideoStream":
    """Returns the first video stream that is no cover picture, set to one thread.

    Raises:
        ClipError: no_video_stream.
    """
    for stream in container.streams.video:
        if not stream.disposition & av.stream.Disposition.attached_pic:
            stream.thread_type = "NONE"
            return stream
    kinds = ", ".join(sorted({stream.type for stream in container.streams})) or "no stream at all"
    raise ClipError("no_video_stream", f"no video in it, only: {kinds}")


def inspect(path: Path, max_pixels: int | None = None) -> Container:
    """Demuxes a file's video stream, and decodes no more of it than the first frame.

    Args:
        path: The clip.
        max_pixels: Largest frame, width x height.

    Raises:
        ClipError: As `sniff` and `video_stream` do; no_frames, too_large, undecodable.
    """
    demuxer = sniff(path)
    with open_container(path, demuxer) as opened:
        return examine(opened, path, demuxer, max_pixels, look=True)


def examine(
    opened: "av.container.InputContainer", path: Path, demuxer: str, max_pixels: int | None, *, look: bool
) -> Container:
    """Demuxes the video stream of an open file; see `inspect`.

    Args:
        opened: The file.
        path: Its path.
        demuxer: What it is read as.
        max_pixels: Largest frame, width x height.
        look: Decode the first frame, which alone tells the rotation. Without it `rotation` is 0; whoever decodes the
            file anyway asks the first frame with `rotation_of`.

    Raises:
        ClipError: As `inspect` does.
    """
    stream = video_stream(opened)
    codec = stream.codec_context
    if codec is None:
        raise ClipError("undecodable", "no decoder for its codec")
    width, height = codec.width, codec.height
    too_large(width, height, max_pixels)
    packets = _demux(opened, stream, look)
    shown = [seconds for seconds, _, hidden in packets.timed if not hidden]
    hidden = [seconds for seconds, _, hidden in packets.timed if hidden]
    if not shown:
        raise ClipError("no_frames", f"a {codec.name} stream without a packet")
    rate = float(stream.average_rate or stream.guessed_rate or 25)
    sound = len(opened.streams.audio) > 0
    seconds = float(stream.duration * stream.time_base) if stream.duration and stream.time_base else 0.0
    if not seconds and opened.duration and not sound:
        seconds = opened.duration / av.time_base
    frames, aspect = stream.frames, float(stream.sample_aspect_ratio or 1)
    times = np.sort(np.array(shown, np.float64))
    steps = np.diff(times)
    regular = not packets.undated and bool((steps > 0).all())
    if not regular:
        times = np.arange(len(shown)) / min(max(rate, 1.0), 240.0)
        steps = np.diff(times)
    step = float(np.median(steps)) if len(steps) else 1 / min(max(rate, 1.0), 240.0)
    last = max((entry for entry in packets.timed if not entry[2]), key=lambda entry: entry[0])
    last_duration = last[1] if regular and 0 < last[1] < 10 * step else step
    length = float(times[-1] - times[0])
    # Matroska counts its length from zero, whenever the first frame is shown. A frame may be held: only time behind the
    # last one is promised and not there.
    lacking = seconds - (times[0] if demuxer == "matroska" and regular else 0.0) - length - max(last[1], last_duration)
    rate = len(shown) / (length + last_duration)
    return Container(
        path=path,
        format=demuxer,
        codec=codec.name,
        width=width,
        height=height,
        pixel_aspect=aspect if 0.1 < aspect < 10 else 1.0,
        rotation=packets.rotation,
        timestamps=times - times[0],
        origin=float(times[0]),
        first=min(seconds for seconds, _, _ in packets.timed),
        last_duration=last_duration,
        # Elsewhere the header counts ticks (AVI) or nothing (Matroska).
        promised=frames - len(hidden) if frames and demuxer == MP4 else len(shown) + max(0, int(lacking * rate)),
        hidden=len(hidden),
        tail_hidden=not hidden or min(hidden) > times[-1],
        regular=regular,
    )


# RFC 6386, 9.1: VP8 has packets that only help to decode others, which this bit of their first byte tells.
_VP8_SHOWN = 0x10


class _Packets(NamedTuple):
    timed: list[tuple[float, float, bool]]
    """(seconds of the stream, seconds of display, hidden by an edit list) a packet."""
    undated: bool
    rotation: int


def too_large(width: int, height: int, max_pixels: int | None) -> None:
    """Refuses a frame of more than so many pixels.

    Raises:
        ClipError: too_large.
    """
    if max_pixels is not None and width * height > max_pixels:
        raise ClipError("too_large", f"{width} x {height} pixels; validate.max_pixels is {max_pixels:,}")


def rotation_of(frame: "av.VideoFrame") -> int:
    """Returns how many degrees clockwise, 0 | 90 | 180 | 270, a frame must be turned by to be shown upright."""
    # PyAV: degrees counter-clockwise that the matrix turns; shown upright after the inverse.
    return round(-frame.rotation / 90) * 90 % 360


def _demux(container: "av.container.InputContainer", stream: "av.video.stream.VideoStream", look: bool) -> _Packets:
    """Reads all packets; decodes only until the first frame, and only where asked to `look`."""
    timed, undated, rotation = [], False, None
    tick = float(stream.time_base or 0)
    vp8 = stream.codec_context.name == "vp8"
    try:
        for packet in container.demux(stream):
            if packet.size and not (vp8 and not memoryview(packet)[0] & _VP8_SHOWN):
                time = packet.pts if packet.pts is not None else packet.dts
                undated |= time is None
                timed.append(((time or 0) * tick, (packet.duration or 0) * tick, packet.is_discard))
            if look and rotation is None:
                for frame in packet.decode():
                    rotation = rotation_of(frame)
    except (av.FFmpegError, ValueError) as error:
        if not timed or (look and rotation is None):
            raise ClipError("undecodable", f"{stream.codec_context.name}: {_words(error)}") from error
    if timed and look and rotation is None:
        raise ClipError("no_frames", f"{len(timed)} {stream.codec_context.name} packets, none of which decodes")
    return _Packets(timed, undated, rotation or 0)


def _words(error: Exception) -> str:
    """FFmpeg's words without the errno and the path that Python adds."""
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
