"""Does a file hold all that its own container promises?

Without a promised length a connection that breaks looks like one that is done, and a promised length may be that of a
part; so the container has to say where the file ends.
"""

from pathlib import Path

from data_engineering.flash import lengths
from data_engineering.reasons import ClipError
from data_engineering.sniff import MP4, boxes

_SEGMENT = b"\x18\x53\x80\x67"


def check_whole(path: Path, demuxer: str) -> None:
    """Refuses a file that ends before its container does.

    Args:
        path: A file that `sniff` knows.
        demuxer: What `sniff` said.

    Raises:
        ClipError: truncated; too_large for an .swf.
    """
    length = path.stat().st_size
    if demuxer == MP4:
        promised = max(offset + size for _, offset, size in boxes(path))
    elif demuxer == "swf":
        promised, length = lengths(path)
    elif demuxer == "avi":
        with path.open("rb") as file:
            promised = 8 + int.from_bytes(file.read(8)[4:], "little")
    elif demuxer == "matroska":
        promised = _matroska(path)
    else:
        raise ClipError("truncated", f"the host promised no length, and a {demuxer} file does not tell its own")
    if length < promised:
        raise ClipError("truncated", f"the file has {length:,} of the {promised:,} bytes that its container needs")


def _matroska(path: Path) -> int:
    """Returns where a Matroska or WebM file's segment ends (RFC 8794: ids and sizes of one to eight bytes)."""
    with path.open("rb") as file:
        head = file.read(4096)
    place = 0
    for _ in range(2):
        # The first byte's leading zeros tell the length: an id keeps its marker bit, a size does not.
        width = 9 - head[place].bit_length() if place < len(head) else 9
        name, place = head[place : place + width], place + width
        width = 9 - head[place].bit_length() if place < len(head) else 9
        size = int.from_bytes(head[place : place + width], "big") & ((1 << 7 * width) - 1)
        place += width + size
        if name == _SEGMENT and size != (1 << 7 * width) - 1:
            return place
    raise ClipError("truncated", "the host promised no length, and its first segment does not tell its own")
