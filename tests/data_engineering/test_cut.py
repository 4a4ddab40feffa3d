"""A range cut out of a video is one of time: whatever the file's rate, the clip shows what the file shows then."""

import math
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from clips import level, number, write_clip
from loopback import write_clip as flash

from data_engineering.container import inspect
from data_engineering.cut import Carving, carve, cut
from data_engineering.reasons import ClipError

NTSC_FILM, NTSC = 24_000 / 1001, 30_000 / 1001


def shown(path: Path) -> Callable[[float], int]:
    """Returns which frame a file shows at a time in seconds, by the number painted on it."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        frames = [
            (float(f.pts * stream.time_base), number(f.to_ndarray(format="rgb24"))) for f in container.decode(stream)
        ]
    times = [time - frames[0][0] for time, _ in frames]
    return lambda seconds: frames[int(np.searchsorted(times, seconds + 1e-4, side="right")) - 1][1]


def ends(path: Path) -> float:
    """Returns when a file's last frame leaves the screen, in seconds."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        packets = [packet for packet in container.demux(stream) if packet.size]
        return float(max(packet.pts + packet.duration for packet in packets) * stream.time_base)


def irregular(seconds: float) -> list[float]:
    """Times of frames that come in bursts and with gaps of up to 0.4 s."""
    steps = np.random.default_rng(3).choice([1 / 60, 1 / 30, 1 / 10, 0.4], 200)
    times = np.concatenate([[0.0], np.cumsum(steps)])
    return [float(time) for time in times if time < seconds]


@pytest.mark.parametrize(("first", "last"), [(11, 30), (26, 26), (37, 64)])
@pytest.mark.parametrize("rate", [15, NTSC_FILM, 25, NTSC, 60, "irregular"])
def test_the_index_s_frames_are_25ths_of_a_second(tmp_path: Path, rate: float | str, first: int, last: int) -> None:
    times = irregular(4.0) if rate == "irregular" else [index / float(rate) for index in range(round(4 * float(rate)))]
    source = write_clip(tmp_path / "source.mp4", times=times)
    target = tmp_path / "cut.mp4"
    # Frame n of 25 a second is on show from (n - 1) / 25 to n / 25 s.
    start, end = (first - 1) / 25, last / 25
    frames = cut(source, target, start, end)
    assert ends(target) == pytest.approx(end - start, abs=2e-4)
    assert frames == len(inspect(target).timestamps)
    before, after = shown(source), shown(target)
    # At every moment of the range, save within a rounding error of a change of frames.
    for moment in np.arange(0.002, end - start, 0.004):
        if before(start + moment - 0.001) == before(start + moment + 0.001):
            assert after(moment) == before(start + moment) % 36


def test_the_last_frame_may_end_with_the_file(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "source.mp4", frames=30, rate=15)
    cut(source, tmp_path / "cut.mp4", 1.0)
    assert ends(tmp_path / "cut.mp4") == pytest.approx(1.0, abs=2e-4)
    with pytest.raises(ClipError, match="no_frames"):
        cut(source, tmp_path / "late.mp4", 2.5, 3.0)


def test_a_turned_video_is_cut_upright_and_keeps_the_shape_of_its_pixels(tmp_path: Path) -> None:
    def paint(_: int) -> np.ndarray:
        picture = np.full((48, 64, 3), level(0), np.uint8)
        picture[:24, :32] = 255  # top left as stored: top right when turned clockwise
        return picture

    source = write_clip(tmp_path / "source.mp4", rotation=90, pixel_aspect=Fraction(4, 3), paint=paint)
    cut(source, tmp_path / "cut.mp4", 0.4, 0.8)
    container = inspect(tmp_path / "cut.mp4")
    assert (container.width, container.height, container.rotation) == (48, 64, 0)
    assert container.pixel_aspect == pytest.approx(3 / 4)
    with av.open(str(tmp_path / "cut.mp4")) as clip:
        picture = next(clip.decode(video=0)).to_ndarray(format="gray")
    assert picture[8, 40] > 200
    assert picture[8, 8] < 150


def test_ranges_that_a_file_cannot_hold_leave_it_whole(tmp_path: Path) -> None:
    """Hosts serve some clips already cut, though the index still gives their place in the whole video."""
    source = write_clip(tmp_path / "source.mp4", frames=30)
    assert not carve(Carving(source, tmp_path / "a.mp4", 1001, 1030, 25.0, convert=False))
    assert carve(Carving(source, tmp_path / "b.mp4", 11, 20, 25.0, convert=False))
    with pytest.raises(ClipError):
        carve(Carving(tmp_path / "absent.mp4", tmp_path / "c.mp4", 11, 20, 25.0, convert=False))
    assert not (tmp_path / "a.mp4").exists()
    assert ends(tmp_path / "b.mp4") == pytest.approx(0.4, abs=2e-4)


def test_to_convert_writes_the_whole_file_anew(tmp_path: Path) -> None:
    source = flash(tmp_path / "source.swf", frames=30, codec="flv")
    assert cut(source, tmp_path / "whole.mp4", 0.0, math.inf) == 30
    container = inspect(tmp_path / "whole.mp4")
    assert (container.codec, container.format) == ("h264", "mov")


def spoilt(path: Path, first: float, last: float) -> Path:
    """A clip of four seconds whose packets from `first` to `last` are zeros."""

    def paint(index: int) -> np.ndarray:
        return np.random.default_rng(index).integers(60, 255, (48, 64, 3), np.uint8)

    write_clip(path, frames=100, paint=paint)
    content = bytearray(path.read_bytes())
    with av.open(str(path)) as clip:
        for packet in clip.demux(video=0):
            if packet.size and first <= float(packet.pts * packet.time_base) < last:
                content[packet.pos : packet.pos + packet.size] = bytes(packet.size)
    path.write_bytes(content)
    return path


def test_a_packet_that_does_not_decode_before_the_range_costs_nothing(tmp_path: Path) -> None:
    source = spoilt(tmp_path / "source.mp4", 1.39, 1.41)
    assert cut(source, tmp_path / "cut.mp4", 2.0, 3.0) == 25
    assert ends(tmp_path / "cut.mp4") == pytest.approx(1.0, abs=2e-4)


def test_a_range_that_does_not_decode_is_not_cut(tmp_path: Path) -> None:
    source = spoilt(tmp_path / "source.mp4", 2.2, 2.9)
    with pytest.raises(ClipError, match="of the range's 25 frames"):
        cut(source, tmp_path / "cut.mp4", 2.0, 3.0)
