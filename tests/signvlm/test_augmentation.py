"""What training varies: alike over a clip, of the same shape, and nothing that was not asked for."""

import numpy as np
import pytest
import torch

from signvlm.augmentation import augmenter
from signvlm.config import AugmentationSettings

SIZE = 64


@pytest.fixture
def still():
    """A clip whose eight frames are the same picture, asymmetric and full of edges."""
    picture = np.random.default_rng(0).integers(0, 256, (SIZE // 8, SIZE // 8, 3), dtype=np.uint8)
    return np.repeat(np.kron(picture, np.ones((8, 8, 1), np.uint8))[None], 8, axis=0)


@pytest.mark.parametrize(
    "settings",
    [
        {"brightness": 0.4},
        {"contrast": 0.4},
        {"saturation": 0.4},
        {"hue": 0.2},
        {"crop": 0.3},
        {"blur": 0.03},
        {"compression": 0.9},
        {"mirror": 1.0},
    ],
    ids=lambda settings: next(iter(settings)),
)
def test_each_change_is_one_draw_a_clip(still, settings):
    torch.manual_seed(0)
    augment = augmenter(AugmentationSettings(**settings), SIZE)
    one, other = augment(still), augment(still)
    assert one.shape == still.shape
    assert one.dtype == np.uint8
    assert (one == one[0]).all()
    assert (one != still).any()
    assert "mirror" in settings or (one != other).any()


def test_a_mirrored_clip_is_the_clip_from_right_to_left(still):
    mirrored = augmenter(AugmentationSettings(mirror=1.0), SIZE)(still)
    assert (mirrored == still[:, :, ::-1]).all()


def test_a_crop_shows_a_part_of_the_frame_enlarged(still):
    """Every picture of a crop lies within the range of its source, and no border is made up."""
    bright = np.maximum(still, 100)
    torch.manual_seed(0)
    augment = augmenter(AugmentationSettings(crop=0.4), SIZE)
    assert all(augment(bright).min() >= 99 for _ in range(10))


def test_without_settings_nothing_changes():
    assert augmenter(AugmentationSettings(), SIZE) is None
