"""decord first, PyAV where decord is wrong, and the same pixels from both."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from clips import number, write_clip

from data_engineering.container import Container, inspect, open_container
from data_engineering.decoders import AvReader, DecordReader, decode, indices_at, open_reader
from data_engineering.reasons import ClipError

VARIABLE = [0.0, 0.04, 0.08, 0.5, 0.54, 1.2, 1.24, 1.28, 1.32, 2.0]


def test_an_ordinary_mp4_is_read_by_decord(tmp_path: Path) -> None:
    assert open_reader(inspect(write_clip(tmp_path / "a.mp4"))).name == "decord"


def test_what_decord_gets_wrong_is_read_by_pyav(tmp_path: Path) -> None:
    turned = write_clip(tmp_path / "turned.mp4", rotation=90)
    other = write_clip(tmp_path / "other.mkv")
    assert open_reader(inspect(turned)).name == "pyav"
    assert open_reader(inspect(other)).name == "pyav"


@pytest.mark.parametrize("width", [16, 48, 96, 144])
def test_a_width_at_which_decords_batches_fail_is_read_by_pyav(width: int, tmp_path: Path) -> None:
    container = inspect(write_clip(tmp_path / "a.mp4", size=(width, 64)))
    with pytest.raises(ClipError, match="undecodable"):
        by_decord(container).at(np.array([0.5]), 0.0, np.inf)
    _, frame = open_reader(container).at(np.array([0.5]), 0.0, np.inf)[0]
    assert frame.shape == (64, width, 3)


@pytest.mark.parametrize("times", [None, VARIABLE], ids=["constant", "variable"])
def test_both_readers_give_the_same_frames_at_the_same_times(times: list[float] | None, tmp_path: Path) -> None:
    container = inspect(write_clip(tmp_path / "a.mp4", times=times))
    wanted = np.linspace(0.1, container.duration - 0.05, 9)
    one = DecordReader(container.path).at(wanted, 0.0, np.inf)
    other = AvReader(container).at(wanted, 0.0, np.inf)
    np.testing.assert_allclose([t for t, _ in one], [t for t, _ in other], atol=1e-3)
    np.testing.assert_array_equal([f for _, f in one], [f for _, f in other])


def by_decord(container: Container) -> DecordReader:
    return DecordReader(container.path, container.timestamps)


def test_a_range_in_the_middle_is_decoded_to_its_end_from_a_file_already_open(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", frames=30, rate=10)
    container = inspect(path)
    with open_container(path, "mov") as opened:
        for _ in opened.demux():  # as a survey has by then
            pass
        found = list(decode(container, 1.5, 2.5, opened))
    assert [number(frame.to_ndarray(format="rgb24")) for _, frame, _ in found] == list(range(15, 25))
    np.testing.assert_allclose([time for time, _, _ in found], np.arange(15, 25) / 10, atol=1e-3)


@pytest.mark.parametrize("reader", [by_decord, AvReader])
def test_the_frame_shown_at_a_time_is_the_last_that_has_begun(reader: Callable, tmp_path: Path) -> None:
    container = inspect(write_clip(tmp_path / "a.mp4", times=VARIABLE))
    found = reader(container).at(np.array([0.3, 0.51, 1.19, 1.2, 5.0]), 0.0, np.inf)
    assert [number(frame) for _, frame in found] == [2, 3, 4, 5, 9]


def test_frames_before_the_range_are_not_shown() -> None:
    stamps = np.arange(10) / 10
    assert indices_at(stamps, np.array([0.0, 0.45, 2.0]), 0.3, 0.6).tolist() == [3, 4, 5]
    with pytest.raises(ClipError, match="no_frames"):
        indices_at(stamps, np.array([3.0]), 2.0, 3.0)


@pytest.mark.parametrize(("degrees", "corner"), [(0, (0, 0)), (90, (0, -1)), (180, (-1, -1)), (270, (-1, 0))])
def test_frames_come_upright(degrees: int, corner: tuple[int, int], tmp_path: Path) -> None:
    """A white upper left corner, turned clockwise, ends where the metadata say."""

    def paint(_: int) -> np.ndarray:
        picture = np.full((48, 64, 3), 80, np.uint8)
        picture[:16, :16] = 250
        return picture

    container = inspect(write_clip(tmp_path / "a.mp4", rotation=degrees, paint=paint))
    _, frame = open_reader(container).at(np.array([0.5]), 0.0, np.inf)[0]
    assert frame.shape == ((48, 64, 3) if degrees % 180 == 0 else (64, 48, 3))
    inset = [slice(2, 10) if c == 0 else slice(-10, -2) for c in corner]
    assert frame[inset[0], inset[1]].mean() > 200
    assert frame.mean() < 130


def test_pixel_aspect_is_read(tmp_path: Path) -> None:
    container = inspect(write_clip(tmp_path / "a.mp4", pixel_aspect=Fraction(4, 3)))
    assert container.pixel_aspect == pytest.approx(4 / 3)
