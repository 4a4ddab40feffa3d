"""What a file's first bytes say, before FFmpeg sees any of it.

FFmpeg guesses a format from content, and some formats (HLS, concat, DASH) open further files or addresses. So the bytes
are judged here, and FFmpeg is only ever handed a file together with the one format it may be read as.
"""

import re
import stat
from collections.abc import Iterator
from pathlib import Path

from data_engineering.reasons import ClipError

MP4 = "mov"
"""FFmpeg's name of the MP4 / QuickTime demuxer."""

MOST_BOXES = 500_000
"""No MP4 has more top-level boxes: an hour in fragments of one frame, 60 a second, has two for each, 432,000."""

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
_NAMED = 6  # boxes, in the reason against a file


def check_file(path: Path, max_bytes: int) -> None:
    """Refuses what is no ordinary, readable, non-empty file of at most `max_bytes`, without blocking on a pipe.

    Raises:
        ClipError: absent, not_a_file, unreadable, empty, too_large.
    """
    try:
        status = path.stat()
    except OSError as error:
        if isinstance(error, FileNotFoundError) and not path.is_symlink():
            raise ClipError("absent", "no such file") from error
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


def boxes(path: Path) -> Iterator[tuple[bytes, int, int]]:
    """Yields (type, offset, size in bytes) of an MP4's top-level boxes, as their headers state them.

    Raises:
        ClipError: not_video, for one with more than `MOST_BOXES`: a few megabytes of nothing would take minutes.
    """
    length = path.stat().st_size
    with path.open("rb") as file:
        offset = count = 0
        while offset + 8 <= length:
            count += 1
            if count > MOST_BOXES:
                raise ClipError("not_video", f"an MP4 of more than {MOST_BOXES:,} boxes")
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


def _check_boxes(path: Path) -> None:
    """Refuses an MP4 without its index, telling a download that broke off from a file that never had one."""
    length = path.stat().st_size
    first: list[bytes] = []
    for kind, offset, size in boxes(path):
        if len(first) < _NAMED:
            first.append(kind)
        if kind == b"moov" and offset + size <= length:
            return
        if kind in (b"moov", b"mdat") and offset + size > length:
            detail = f"its {kind.decode()} box needs {offset + size:,} bytes, the file has {length:,}"
            raise ClipError("moov_missing", f"moov atom not found: {detail}")
    names = ", ".join(_printable(kind) for kind in first) or "none whole"
    raise ClipError("moov_missing", f"moov atom not found among the file's boxes ({names})")


def _title(text: bytes) -> bytes:
    found = re.search(rb"<title[^>]*>(.*?)<", text, re.DOTALL | re.IGNORECASE)
    return found.group(1) if found else text


def _printable(raw: bytes) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in raw[:120].decode("latin-1")).split())[:60]
