"""Compressed .swf files: how long they are, and unpacked, as FFmpeg gives up on the small ones (SWF 19, chapter 2).

An .swf opens with FWS or CWS, a version and the length of it all; behind these eight bytes a CWS is a zlib stream.
"""

import zlib
from collections.abc import Iterator
from pathlib import Path

from data_engineering.reasons import ClipError

LARGEST = 500_000_000
"""Bytes. No .swf is unpacked further than that; aslpro's clips have a few hundred thousand."""

_HEAD = 8
_CHUNK = 1 << 16


def lengths(path: Path) -> tuple[int, int]:
    """Returns the length an .swf states and the one it has, both unpacked, in bytes.

    Raises:
        ClipError: truncated, too_large.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD)
    promised = int.from_bytes(head[4:], "little")
    if head[:1] == b"F":
        return promised, path.stat().st_size
    return promised, _HEAD + sum(map(len, _inflated(path, promised)))


def unpack(path: Path) -> None:
    """Writes a compressed .swf anew as an uncompressed one; leaves any other as it is.

    Raises:
        ClipError: truncated, too_large.
        OSError: The disk is full.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if head[:1] != b"C":
        return
    unpacked = path.with_name(f"{path.name}.fws.part")
    try:
        with unpacked.open("wb") as file:
            file.write(b"F" + head[1:])
            file.writelines(_inflated(path, int.from_bytes(head[4:], "little")))
        unpacked.replace(path)
    finally:
        unpacked.unlink(missing_ok=True)


def _inflated(path: Path, promised: int) -> Iterator[bytes]:
    """Yields what is behind the head, in small steps: a few kilobytes may unpack to gigabytes."""
    if promised > LARGEST:
        raise ClipError("too_large", f"promises to unpack to {promised:,} bytes")
    left, inflater = promised - _HEAD, zlib.decompressobj()
    with path.open("rb") as file:
        file.seek(_HEAD)
        try:
            while left > 0 and not inflater.eof and (chunk := file.read(_CHUNK)):
                while chunk and left > 0:
                    step = inflater.decompress(chunk, min(_CHUNK, left))
                    left -= len(step)
                    yield step
                    chunk = inflater.unconsumed_tail
        except zlib.error as error:
            raise ClipError("truncated", f"its compressed part is broken: {error}") from error
