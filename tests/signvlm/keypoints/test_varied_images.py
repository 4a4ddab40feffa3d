"""A variation moves points with their pixels; a mirror image exchanges left and right."""

import numpy as np
import pytest

from data_engineering.keypoints import KEYPOINTS
from signvlm.keypoints.settings import KeypointSettings
from signvlm.keypoints.vary import mirror, recolor, vary

STILL = {"scale": 0.0, "rotation": 0.0, "shift": 0.0, "color": 0.0, "mirror": 0.0}
LEFT, RIGHT = KEYPOINTS.index("left_hand_index_tip"), KEYPOINTS.index("right_hand_index_tip")


def marked(x: float, y: float) -> tuple[np.ndarray, np.ndarray]:
    """An image of 128 px, bright around (x, y), and points that are all there."""
    rows, columns = np.indices((128, 128))
    bright = 250 * np.exp(-((columns + 0.5 - x) ** 2 + (rows + 0.5 - y) ** 2) / 60)
    points = np.ones((64, 3), np.float32)
    points[:, :2] = x, y
    return np.repeat(bright.astype(np.uint8)[..., None], 3, axis=2), points


def brightest(image: np.ndarray) -> np.ndarray:
    weight = image[..., 0].astype(float) ** 2
    rows, columns = np.indices(weight.shape)
    return np.array([((columns + 0.5) * weight).sum(), ((rows + 0.5) * weight).sum()]) / weight.sum()


@pytest.mark.parametrize("change", [{"scale": 0.3}, {"rotation": 40}, {"shift": 0.1}, {"mirror": 1.0}])
@pytest.mark.parametrize("seed", range(3))
def test_points_go_where_the_pixels_go(change: dict[str, float], seed: int) -> None:
    image, points = marked(52, 70)
    moved, placed = vary(image, points, KeypointSettings(**STILL | change), np.random.default_rng(seed))
    np.testing.assert_allclose(placed[0, :2], brightest(moved), atol=0.4)
    assert not np.array_equal(placed[:, :2], points[:, :2])


def test_nothing_changes_where_nothing_may() -> None:
    image, points = marked(52, 70)
    same, placed = vary(image, points, KeypointSettings(**STILL), np.random.default_rng(0))
    np.testing.assert_array_equal(same, image)
    np.testing.assert_array_equal(placed, points)


def test_in_a_mirror_image_the_left_hand_is_the_right_one() -> None:
    image, points = marked(52, 70)
    points[LEFT], points[RIGHT] = (20, 30, 1), (90, 40, 0)
    _, mirrored = mirror(image, points)
    assert mirrored[RIGHT].tolist() == [108, 30, 1]
    assert mirrored[LEFT].tolist() == [38, 40, 0]


def test_what_leaves_the_image_is_no_longer_visible() -> None:
    image, points = marked(127, 64)
    moved = [
        vary(image, points, KeypointSettings(**STILL | {"shift": 0.2}), np.random.default_rng(seed))[1]
        for seed in range(20)
    ]
    assert {bool(each[0, 2]) for each in moved} == {True, False}
    assert all(bool(each[0, 2]) == (0 <= each[0, 0] <= 128 and 0 <= each[0, 1] <= 128) for each in moved)


def test_the_same_draw_gives_the_same_picture() -> None:
    image, points = marked(52, 70)
    one, other = (vary(image, points, KeypointSettings(), np.random.default_rng(5)) for _ in range(2))
    np.testing.assert_array_equal(one[0], other[0])
    np.testing.assert_array_equal(one[1], other[1])


def test_colours_change_and_stay_an_image() -> None:
    image, _ = marked(52, 70)
    changed = recolor(image, 0.4, np.random.default_rng(0))
    assert changed.dtype == np.uint8
    assert changed.shape == image.shape
    assert (changed != image).any()
