"""Which part of a file is the sign, whether it decodes, and which frames a model is given."""

import math
import struct
from pathlib import Path

import av
import numpy as np
import pytest
from clips import number, patched, write_clip

from data_engineering.ranges import plan_range
from data_engineering.reasons import ClipError
from data_engineering.settings import PreprocessSettings, ValidateSettings
from data_engineering.survey import Media, survey
from data_engineering.video import clip_frames

SMALL = PreprocessSettings(size=32)


def look(path: Path, start: int = 1, end: int = -1, *, trimmed: bool = False, **limits: int) -> Media:
    return survey(
        path,
        frame_start=start,
        frame_end=end,
        fps=25,
        trimmed=trimmed,
        validate=ValidateSettings(**limits),
        preprocess=SMALL,
    )


@pytest.mark.parametrize(
    ("length", "first", "last", "trimmed", "expected", "note"),
    [
        (60, 1, -1, False, (0, math.inf), None),
        (4232, 2055, 2111, False, (2054 / 25, 2111 / 25), "cut to"),
        (57, 2055, 2111, True, (0, math.inf), None),
        (100, 2150, 2249, False, (0, math.inf), "already cut"),
        (103, 2150, 2249, False, (0, math.inf), "already cut"),
        (900, 2150, 2249, False, (0, math.inf), "whole file used"),
        # A frame or two short of the range's end is still the compilation.
        (2110, 2055, 2111, False, (2054 / 25, 2111 / 25), "cut to"),
        (60, 1, 60, False, (0, math.inf), None),
        (90, 1, 60, False, (0, 60 / 25), "cut to"),
        (90, 31, -1, False, (30 / 25, math.inf), "cut to"),
        (20, 31, -1, False, (0, math.inf), "whole file used"),
    ],
)
def test_the_range_follows_from_the_index_and_the_length(length, first, last, trimmed, expected, note) -> None:
    start, end, said = plan_range(length / 25, first, last, 25, trimmed)
    assert (start, end) == expected
    assert said is None if note is None else said.startswith(note)


@pytest.mark.parametrize("rate", [23.976, 25, 29.97, 30.35, 60])
def test_the_index_counts_in_25ths_of_a_second_whatever_the_rate_of_the_file(rate: float, tmp_path: Path) -> None:
    media = look(write_clip(tmp_path / "a.mp4", frames=round(4 * rate), rate=rate), 26, 75)
    assert media.start == pytest.approx(1.0, abs=1.1 / rate)
    assert media.end == pytest.approx(3.0, abs=1.1 / rate)
    assert media.frames == pytest.approx(2 * rate, abs=1)


def test_black_frames_are_cut_at_both_ends(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", frames=20, black_head=2, black_tail=5, rate=10)
    media = look(path)
    assert (media.start, media.end, media.frames) == (0.2, 1.5, 13)
    assert media.notes == ("black frames cut: 2 at the start, 5 at the end",)
    kept = survey(
        path,
        frame_start=1,
        frame_end=-1,
        fps=25,
        trimmed=False,
        validate=ValidateSettings(),
        preprocess=PreprocessSettings(cut_black=False),
    )
    assert kept.frames == 20


def test_a_title_card_is_cut_at_an_end_and_noted_inside(tmp_path: Path) -> None:
    """70266 ends in the next sign's card; 70212 holds one in the middle."""

    def paint(index: int) -> np.ndarray:
        card = np.zeros((48, 64, 3), np.uint8)
        card[22:26, 24:40] = 255
        return card if index in (8, 9, 18, 19) else np.full((48, 64, 3), 150 + index, np.uint8)

    media = look(write_clip(tmp_path / "a.mp4", frames=20, paint=paint))
    assert media.frames == 18
    assert media.notes == (
        "black frames cut: 0 at the start, 2 at the end",
        "black or a title card inside: 2 of 18 frames",
    )


def test_a_dark_picture_is_not_black(tmp_path: Path) -> None:
    """A face on black: 63185 and most of signschool."""

    def paint(index: int) -> np.ndarray:
        picture = np.zeros((48, 64, 3), np.uint8)
        picture[10:18, 28 + index : 36 + index] = (150, 110, 90)
        return picture

    assert look(write_clip(tmp_path / "a.mp4", frames=10, paint=paint)).frames == 10


def test_frames_are_the_centres_of_equal_segments(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", frames=32, rate=16)
    frames, times = clip_frames(path, bbox=None, motion=None, start=0.0, end=2.0, num_frames=8, preprocess=SMALL)
    assert frames.shape == (8, 32, 32, 3)
    assert frames.dtype == np.uint8
    assert times.dtype == np.float32
    assert [number(frame) for frame in frames] == [2, 6, 10, 14, 18, 22, 26, 30]
    np.testing.assert_allclose(times, np.arange(2, 32, 4) / 16, atol=1e-4)


def test_segments_are_equal_in_time_and_not_in_frames(tmp_path: Path) -> None:
    """Ten frames in the first second, one in the second: half of what is seen is that one."""
    path = write_clip(tmp_path / "a.mp4", times=[*np.arange(10) / 10, 1.0, 1.95])
    frames, _ = clip_frames(path, bbox=None, motion=None, start=0.0, end=2.0, num_frames=4, preprocess=SMALL)
    assert [number(frame) for frame in frames] == [2, 7, 10, 10]


def test_more_frames_than_there_are_repeat(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", frames=3, rate=25)
    media = look(path)
    frames, _ = clip_frames(
        path, bbox=None, motion=None, start=media.start, end=media.end, num_frames=8, preprocess=SMALL
    )
    shown = [number(frame) for frame in frames]
    assert shown == sorted(shown)
    assert set(shown) == {0, 1, 2}


def test_frames_of_the_range_only(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", frames=35, rate=10)
    media = look(path, 26, 50)
    frames, times = clip_frames(
        path, bbox=None, motion=None, start=media.start, end=media.end, num_frames=20, preprocess=SMALL
    )
    shown = [number(frame) for frame in frames]
    assert (min(shown), max(shown)) == (10, 19)
    assert times[0] == pytest.approx(1.0)


def test_a_header_that_lies_about_the_size_is_judged_by_the_stream(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4")
    patched(path, b"avc1", 24, struct.pack(">HH", 60_000, 60_000))
    media = look(path)
    assert (media.width, media.height) == (64, 48)


def test_a_few_damaged_frames_are_a_note(tmp_path: Path) -> None:
    def paint(index: int) -> np.ndarray:
        return np.random.default_rng(index).integers(60, 255, (48, 64, 3), np.uint8)

    path = write_clip(tmp_path / "a.mp4", frames=30, paint=paint)
    content = bytearray(path.read_bytes())
    content[content.index(b"moov") - 2000] ^= 0xFF
    path.write_bytes(content)
    assert [note.partition(":")[0] for note in look(path).notes] == ["damaged frames"]


@pytest.mark.parametrize("seconds", [0.5, 2.0])
def test_a_thousand_frames_a_second_are_sampled_by_time(seconds: float, tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", frames=int(1000 * seconds), rate=1000, size=(32, 32))
    media = look(path)
    assert media.frames == 1000 * seconds
    _, times = clip_frames(path, bbox=None, motion=None, start=0, end=seconds, num_frames=4, preprocess=SMALL)
    np.testing.assert_allclose(times, (np.arange(4) + 0.5) * seconds / 4, atol=0.002)


@pytest.mark.parametrize("size", [(66, 50), (1000, 34), (18, 400)])
def test_odd_shapes_decode_to_a_square(size: tuple[int, int], tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", frames=12, size=size)
    media = look(path)
    assert (media.width, media.height) == size
    frames, _ = clip_frames(
        path, bbox=None, motion=media.motion, start=0, end=media.end, num_frames=3, preprocess=SMALL
    )
    assert frames.shape == (3, 32, 32, 3)


def test_a_turned_clip_is_measured_upright(tmp_path: Path) -> None:
    media = look(write_clip(tmp_path / "a.mp4", rotation=90))
    assert (media.width, media.height, media.decoder) == (48, 64, "pyav")
    assert any(note.startswith("turned") for note in media.notes)


def test_a_header_that_promises_a_few_frames_more_is_only_noted(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", frames=35, faststart=True)
    path.write_bytes(path.read_bytes()[:-20])
    media = look(path)
    assert 32 <= media.frames < 35
    assert any(note.startswith("frames missing at the end") for note in media.notes)


HELD = [*np.arange(45) / 30, *(2.5 + np.arange(30) / 30)]
DROPPED = [index / 30 for index in range(90) if index % 10 != 5]
LATE = [3 + index / 30 for index in range(60)]
"""A frame on show for a second; a camera that loses every tenth; a stream whose time begins at three seconds."""


@pytest.mark.parametrize("times", [HELD, DROPPED, LATE], ids=["held", "dropped", "late"])
@pytest.mark.parametrize(
    ("name", "codec"), [("a.mp4", "libx264"), ("a.mkv", "libx264"), ("a.webm", "libvpx"), ("a.flv", "flv")]
)
def test_held_and_dropped_frames_are_no_missing_ones(name: str, codec: str, times: list[float], tmp_path: Path) -> None:
    shown = np.array(times) - times[0]
    path = write_clip(tmp_path / name, times=times, rate=30, codec=codec)
    media = look(path)
    assert media.frames == len(times)
    assert media.end == pytest.approx(shown[-1] + 1 / 30, abs=0.01)
    assert not [note for note in media.notes if "missing" in note]
    # From 0.4 to 1.6 s, as 25ths of a second: the frame on show at the end is on show until then.
    part = look(path, 11, 40)
    assert part.frames == ((shown > 0.4 - 0.002) & (shown < 1.6 - 0.002)).sum()
    assert part.end == pytest.approx(1.6, abs=0.002)
    assert not [note for note in part.notes if "missing" in note]


@pytest.mark.parametrize("times", [HELD, DROPPED], ids=["held", "dropped"])
@pytest.mark.parametrize(("name", "codec"), [("a.mp4", "libx264"), ("a.mkv", "libx264"), ("a.webm", "libvpx")])
def test_a_file_of_held_or_dropped_frames_that_breaks_off_is_found(
    name: str, codec: str, times: list[float], tmp_path: Path
) -> None:
    def paint(index: int) -> np.ndarray:
        return np.random.default_rng(index).integers(60, 255, (48, 64, 3), np.uint8)

    path = write_clip(tmp_path / name, times=times, rate=30, codec=codec, faststart=name == "a.mp4", paint=paint)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 3 // 4])
    for start, end in [(1, -1), (11, int(25 * times[-1]))]:
        with pytest.raises(ClipError) as caught:
            look(path, start, end)
        assert caught.value.reason == "truncated"


def test_a_packet_that_is_never_shown_is_no_missing_frame(tmp_path: Path) -> None:
    """VP8's reference frames: every encoder of two passes writes some."""
    path = write_clip(tmp_path / "a.webm", frames=40, codec="libvpx")
    with av.open(str(path)) as opened:
        packets = [bytes(packet) for packet in opened.demux(video=0) if packet.size]
    content = bytearray(path.read_bytes())
    place = 0
    for count, packet in enumerate(packets):
        place = content.index(packet, place)
        if count % 8 == 7:
            content[place] &= ~0x10
        place += len(packet)
    path.write_bytes(content)
    media = look(path)
    assert media.frames == 35
    assert not [note for note in media.notes if "missing" in note]


def test_a_range_behind_the_point_where_a_file_breaks_off_is_not_taken_from_elsewhere(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", frames=35, rate=5, faststart=True)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    with pytest.raises(ClipError) as caught:
        look(path, 151, 170)
    assert caught.value.reason == "truncated"


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        ({"max_bytes": 100}, "too_large"),
        ({"max_pixels": 100}, "too_large"),
        ({"max_frames": 10}, "too_large"),
        ({"min_frames": 31}, "too_short"),
    ],
)
def test_a_clip_beyond_a_limit_is_refused(limits: dict[str, int], reason: str, tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", frames=30)
    with pytest.raises(ClipError) as caught:
        look(path, **limits)
    assert caught.value.reason == reason
    assert next(iter(limits)) in caught.value.detail
