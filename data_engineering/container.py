"""What a file says about itself before a frame is decoded: its container by magic bytes, its packets by demuxing.

FFmpeg guesses a format from content and some formats (HLS, concat, DASH) open further files or addresses. So the bytes
are judged here first, and FFmpeg is only ever handed a file together with the one format it may be read as.
"""

import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np

from data_engineering.reasons import ClipError

MP4 = "mov"
"""FFmpeg's name of the MP4 / QuickTime demuxer."""

_BOXES = {b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot", b"styp", b"uuid"}
_MAGIC = (
    (b"\x1a\x45\xdf\xa3", "matroska"),
    (b"FLV\x01", "flv"),
    (b"FWS", "swf"),
    (b"CWS", "swf"),
    (b"\x00\x00\x01\xba", "mpeg"),
    (b"OggS", "ogg"),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "asf"),
)
_PLAYLISTS = (
    b"#extm3u",
    b"ffconcat",
    b"<mpd",
    b"[playlist]",
    b"[reference]",
    b"v=0\r\no=",
    b"v=0\no=",
    b"<smil",
    b"<asx",
)
_SOUND = ((b"ID3", "an MP3"), (b"fLaC", "a FLAC"), (b"\xff\xfb", "an MP3"))
_TS_PACKET = 188
# A page may open with comments and blank lines, so its tag is looked for in this many bytes.
_HEAD = 4096


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
        last_duration: Seconds that the last frame is shown.
        promised: Frames that the header promises, those that are not shown left out.
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


def check_file(path: Path, max_bytes: int) -> None:
    """Refuses what is no ordinary, readable, non-empty file of at most `max_bytes`, without blocking on a pipe.

    Raises:
        ClipError: not_a_file, unreadable, empty, too_large.
    """
    try:
        status = path.stat()
    except OSError as error:
        raise ClipError("not_a_file" if path.is_symlink() else "unreadable", error.strerror or str(error)) from error
    if not stat.S_ISREG(status.st_mode):
        raise ClipError("not_a_file", "a folder" if stat.S_ISDIR(status.st_mode) else "not an ordinary file")
    if status.st_size == 0:
        raise ClipError("empty", "0 bytes")
    if status.st_size > max_bytes:
        raise ClipError("too_large", f"{status.st_size:,} bytes; validate.max_bytes is {max_bytes:,}")


def sniff(path: Path) -> str:
    """Returns the FFmpeg demuxer that a file's first bytes call for.

    Raises:
        ClipError: html, playlist, no_video_stream, moov_missing, not_video, unreadable.
    """
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
    except OSError as error:
        raise ClipError("unreadable", error.strerror or str(error)) from error
    if head[4:8] in _BOXES:
        _check_boxes(path)
        return MP4
    for magic, name in _MAGIC:
        if head.startswith(magic):
            return name
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return "avi"
    if len(head) > _TS_PACKET and head[0] == head[_TS_PACKET] == 0x47:
        return "mpegts"
    if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
        raise ClipError("no_video_stream", "a WAV sound file")
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if any(mark in text.lower() for mark in _PLAYLISTS[:3]) or text.lower().startswith(_PLAYLISTS):
        raise ClipError("playlist", f"a playlist: {_printable(text)}")
    if re.search(rb"<(!doctype html|html|head|body|script|title)\b", text, re.IGNORECASE):
        raise ClipError("html", f"a web page: {_printable(_title(text))}")
    for magic, name in _SOUND:
        if head.startswith(magic):
            raise ClipError("no_video_stream", f"{name} sound file")
    if not head.strip(b"\0"):
        raise ClipError("not_video", "the file begins with zero bytes")
    raise ClipError("not_video", f"no known container: {_printable(head)}")


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
    """Demuxes a file's video stream without decoding it.

    Args:
        path: The clip.
        max_pixels: Largest frame, width x height.

    Raises:
        ClipError: As `sniff` and `video_stream` do; no_frames, too_large, undecodable.
    """
    demuxer = sniff(path)
    with open_container(path, demuxer) as container:
        stream = video_stream(container)
        codec = stream.codec_context
        if codec is None:
            raise ClipError("undecodable", "no decoder for its codec")
        width, height = codec.width, codec.height
        if max_pixels is not None and width * height > max_pixels:
            raise ClipError("too_large", f"{width} x {height} pixels; validate.max_pixels is {max_pixels:,}")
        packets = _demux(container, stream)
        shown = [seconds for seconds, _, hidden in packets.timed if not hidden]
        hidden = [seconds for seconds, _, hidden in packets.timed if hidden]
        if not shown:
            raise ClipError("no_frames", f"a {codec.name} stream without a packet")
        rate = float(stream.average_rate or stream.guessed_rate or 25)
        sound = len(container.streams.audio) > 0
        seconds = float(stream.duration * stream.time_base) if stream.duration and stream.time_base else 0.0
        if not seconds and container.duration and not sound:
            seconds = container.duration / av.time_base
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
        last_duration=last_duration,
        # Elsewhere the header counts ticks (AVI) or nothing (Matroska).
        promised=frames - len(hidden) if frames and demuxer == MP4 else round(seconds / step),
        hidden=len(hidden),
        tail_hidden=not hidden or min(hidden) > times[-1],
        regular=regular,
    )


def boxes(path: Path) -> Iterator[tuple[bytes, int, int]]:
    """Yields (type, offset, size in bytes) of an MP4's top-level boxes, as their headers state them."""
    length = path.stat().st_size
    with path.open("rb") as file:
        offset = 0
        while offset + 8 <= length:
            file.seek(offset)
            header = file.read(16)
            size, kind = int.from_bytes(header[:4], "big"), header[4:8]
            if size == 1:
                size = int.from_bytes(header[8:16], "big")
            elif size == 0:
                size = length - offset
            if size < 8:
                return
            yield kind, offset, size
            offset += size


class _Packets(NamedTuple):
    timed: list[tuple[float, float, bool]]
    """(seconds of the stream, seconds of display, hidden by an edit list) a packet."""
    undated: bool
    rotation: int


def _demux(container: "av.container.InputContainer", stream: "av.video.stream.VideoStream") -> _Packets:
    """Reads all packets; decodes only until the first frame, which alone tells the rotation."""
    timed, undated, rotation = [], False, None
    tick = float(stream.time_base or 0)
    try:
        for packet in container.demux(stream):
            if packet.size:
                time = packet.pts if packet.pts is not None else packet.dts
                undated |= time is None
                timed.append(((time or 0) * tick, (packet.duration or 0) * tick, packet.is_discard))
            if rotation is None:
                for frame in packet.decode():
                    # PyAV: degrees counter-clockwise that the matrix turns; shown upright after the inverse.
                    rotation = round(-frame.rotation / 90) * 90 % 360
    except (av.FFmpegError, ValueError) as error:
        if not timed or rotation is None:
            raise ClipError("undecodable", f"{stream.codec_context.name}: {_words(error)}") from error
    if timed and rotation is None:
        raise ClipError("no_frames", f"{len(timed)} {stream.codec_context.name} packets, none of which decodes")
    return _Packets(timed, undated, rotation or 0)


def _check_boxes(path: Path) -> None:
    """Refuses an MP4 without its index, telling a download that broke off from a file that never had one."""
    length = path.stat().st_size
    kinds = []
    for kind, offset, size in boxes(path):
        kinds.append(kind)
        if kind == b"moov" and offset + size <= length:
            return
        if kind in (b"moov", b"mdat") and offset + size > length:
            detail = f"its {kind.decode()} box needs {offset + size:,} bytes, the file has {length:,}"
            raise ClipError("moov_missing", f"moov atom not found: {detail}")
    names = ", ".join(_printable(kind) for kind in kinds[:6]) or "none whole"
    raise ClipError("moov_missing", f"moov atom not found among the file's boxes ({names})")


def _title(text: bytes) -> bytes:
    found = re.search(rb"<title[^>]*>(.*?)<", text, re.DOTALL | re.IGNORECASE)
    return found.group(1) if found else text


def _printable(raw: bytes) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in raw[:120].decode("latin-1")).split())[:60]


def _words(error: Exception) -> str:
    """FFmpeg's words without the errno and the path that Python adds."""
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
