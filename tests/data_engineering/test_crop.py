"""The signer's box made to fit the file, the square window, and the pixels in it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_engineering.crop import fit_box, square, window
from data_engineering.settings import PreprocessSettings

BBOX = PreprocessSettings(crop="bbox", margin=0.2)
FULL = PreprocessSettings(crop="full")


@pytest.mark.parametrize(
    ("bbox", "size", "expected", "note"),
    [
        ((59, 15, 232, 192), (288, 192), (59, 15, 232, 192), None),
        # 68011: drawn on 848 x 480, served as 636 x 360.
        ((262, 1, 652, 480), (636, 360), (196.5, 0.75, 489, 360), "bbox scaled"),
        # 70212 and 63185: drawn on a smaller file than the one served.
        ((110, 25, 274, 240), (626, 360), (165, 37.5, 411, 360), "bbox scaled"),
        ((0, 0, 360, 240), (480, 320), (0, 0, 480, 320), "bbox scaled"),
        ((100, 20, 330, 245), (320, 240), (100, 20, 320, 240), "bbox clamped"),
        ((-5, -5, 50, 50), (320, 240), (0, 0, 50, 50), "bbox clamped"),
        ((400, 300, 500, 377), (320, 240), None, "bbox outside"),
        (None, (320, 240), None, None),
    ],
)
def test_a_box_fits_the_served_file(bbox, size, expected, note) -> None:
    box, said = fit_box(bbox, *size)
    assert box == (pytest.approx(expected) if expected else None)
    assert said is None if note is None else said.startswith(note)


def test_the_window_holds_the_box_with_its_margin() -> None:
    assert window((200, 100, 300, 200), 640, 480, 1.0, BBOX) == (180, 80, 320, 220)


def test_the_window_moves_inside_the_frame_where_it_fits() -> None:
    assert window((0, 380, 100, 480), 640, 480, 1.0, BBOX) == (0, 340, 140, 480)


def test_the_margin_alone_never_brings_black_bars() -> None:
    assert window((120, 20, 500, 480), 640, 480, 1.0, BBOX) == (70, 0, 550, 480)


def test_a_box_wider_than_the_frame_is_high_is_padded_and_not_cut() -> None:
    left, top, right, bottom = window((155, 34, 1067, 720), 1280, 720, 1.0, BBOX)
    assert (left, right) == (155, 1067)
    assert top < 0 < 720 < bottom


def test_without_a_box_or_with_full_the_whole_frame_is_padded() -> None:
    assert window(None, 640, 480, 1.0, BBOX) == (0, -80, 640, 560)
    assert window((10, 10, 20, 20), 640, 480, 1.0, FULL) == (0, -80, 640, 560)


def test_wide_pixels_make_a_narrower_window() -> None:
    left, top, right, bottom = window((149, 18, 499, 480), 640, 480, 4 / 3, BBOX)
    assert (right - left) * 4 / 3 == pytest.approx(bottom - top)


def test_the_square_is_the_window_and_black_beyond_the_frame() -> None:
    frame = np.full((48, 64, 3), 200, np.uint8)
    whole = square(frame, (0, -8, 64, 56), 32)
    assert whole.shape == (32, 32, 3)
    assert whole[:4].max() == whole[-4:].max() == 0
    assert whole[5:-5].min() == 200


def test_growing_and_shrinking_keep_the_picture_in_place() -> None:
    frame = np.zeros((64, 64, 3), np.uint8)
    frame[:, 32:] = 255
    for size in (16, 64, 200):
        picture = square(frame, (0, 0, 64, 64), size)
        assert picture[:, : size // 2 - 2].max() < 20
        assert picture[:, size // 2 + 2 :].min() > 235


@given(
    width=st.integers(2, 400),
    height=st.integers(2, 400),
    bbox=st.none() | st.tuples(*[st.integers(-500, 1500)] * 4),
    size=st.integers(16, 64),
    aspect=st.sampled_from([1.0, 4 / 3, 0.5]),
)
def test_any_box_on_any_frame_gives_a_square(width, height, bbox, size, aspect) -> None:
    frame = np.full((height, width, 3), 90, np.uint8)
    area = window(fit_box(bbox, width, height)[0], width, height, aspect, BBOX)
    picture = square(frame, area, size)
    assert picture.shape == (size, size, 3)
    assert picture.max() > 0
