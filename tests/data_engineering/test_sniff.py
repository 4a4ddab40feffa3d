"""A file's boxes are counted, not collected: a hostile one has millions, an honest one of an hour has many."""

import struct
import tracemalloc
from pathlib import Path

import pytest

from data_engineering import sniff
from data_engineering.reasons import ClipError
from data_engineering.sniff import MP4
from data_engineering.whole import check_whole


def box(kind: bytes, content: bytes = b"") -> bytes:
    return struct.pack(">I", 8 + len(content)) + kind + content


def test_a_flood_of_boxes_is_refused_without_keeping_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sniff, "MOST_BOXES", 10_000)
    flood = tmp_path / "flood.mp4"
    flood.write_bytes(box(b"free") * 10_001)
    tracemalloc.start()
    try:
        with pytest.raises(ClipError, match=r"not_video: .*10,000 boxes"):
            sniff.sniff(flood)
        assert tracemalloc.get_traced_memory()[1] < 200_000
    finally:
        tracemalloc.stop()


def test_a_flood_behind_the_index_is_refused_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sniff, "MOST_BOXES", 10_000)
    flood = tmp_path / "flood.mp4"
    flood.write_bytes(box(b"ftyp") + box(b"moov") + box(b"free") * 10_000)
    with pytest.raises(ClipError, match="not_video"):
        check_whole(flood, sniff.sniff(flood))


def test_an_hour_in_fragments_of_a_frame_passes(tmp_path: Path) -> None:
    hour = tmp_path / "hour.mp4"
    hour.write_bytes(box(b"ftyp", b"isom") + box(b"moov") + (box(b"moof") + box(b"mdat")) * (60 * 3600))
    assert sniff.sniff(hour) == MP4
    check_whole(hour, MP4)


def test_the_reason_names_the_first_boxes(tmp_path: Path) -> None:
    headless = tmp_path / "headless.mp4"
    headless.write_bytes(
        b"".join(box(kind) for kind in (b"ftyp", b"free", b"skip", b"wide", b"pnot", b"styp", b"uuid"))
    )
    with pytest.raises(ClipError, match=r"ftyp, free, skip, wide, pnot, styp\)"):
        sniff.sniff(headless)
