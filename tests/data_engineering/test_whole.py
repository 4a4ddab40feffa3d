"""A body whose end the protocol does not mark is whole only if its own container says so."""

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from clips import write_clip
from loopback import write_clip as plain

from data_engineering.flash import unpack
from data_engineering.reasons import ClipError
from data_engineering.sniff import sniff
from data_engineering.whole import check_whole


def compressed(path: Path) -> Path:
    """An .swf with all behind its first eight bytes compressed, as most are."""
    plain(path, codec="flv")
    body = path.read_bytes()
    path.write_bytes(b"CWS" + body[3:8] + zlib.compress(body[8:]))
    return path


MADE: dict[str, Callable[[Path], Path]] = {
    "a.mp4": lambda path: write_clip(path, faststart=True),
    "a.mov": lambda path: write_clip(path, faststart=True),
    "a.avi": lambda path: plain(path, codec="mpeg4"),
    "a.mkv": lambda path: plain(path),
    "a.swf": lambda path: plain(path, codec="flv"),
    "compressed.swf": compressed,
}


@pytest.mark.parametrize("name", MADE)
def test_a_whole_file_passes_and_a_shorter_one_does_not(tmp_path: Path, name: str) -> None:
    path = MADE[name](tmp_path / name)
    demuxer = sniff(path)
    check_whole(path, demuxer)
    body = path.read_bytes()
    # What is compressed ends in a few bytes that nobody needs: a mark and a checksum.
    for missing in (8, 100, len(body) // 3):
        path.write_bytes(body[:-missing])
        with pytest.raises(ClipError, match="truncated"):
            check_whole(path, demuxer)


def test_a_container_that_cannot_tell_is_not_trusted(tmp_path: Path) -> None:
    path = plain(tmp_path / "a.flv", codec="flv")
    with pytest.raises(ClipError, match="does not tell its own"):
        check_whole(path, sniff(path))


def test_a_flash_bomb_is_unpacked_no_further_than_it_promises_and_no_lie_is_believed(tmp_path: Path) -> None:
    path = tmp_path / "bomb.swf"
    path.write_bytes(b"CWS\x0a" + struct.pack("<I", 5000) + zlib.compress(bytes(50_000_000)))
    check_whole(path, "swf")
    unpack(path)
    assert path.stat().st_size == 5000
    path.write_bytes(b"CWS\x0a\xff\xff\xff\xff" + zlib.compress(bytes(5000)))
    with pytest.raises(ClipError, match="too_large"):
        unpack(path)


@pytest.mark.parametrize("body", [b"CWS\x0a\xff\xff\x00\x00not zlib", b"\x1a\x45\xdf\xa3", b"\x1a\x45\xdf\xa3\x00\x00"])
def test_nonsense_is_truncated(tmp_path: Path, body: bytes) -> None:
    path = tmp_path / "a"
    path.write_bytes(body)
    with pytest.raises(ClipError, match="truncated"):
        check_whole(path, "swf" if body.startswith(b"C") else "matroska")
