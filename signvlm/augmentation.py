"""What training varies in a clip: drawn once a clip, so that all of its frames change alike."""

import math
from collections.abc import Callable

import cv2
import numpy as np
import torch
from torchvision.transforms import InterpolationMode, v2

from signvlm.config import AugmentationSettings

Augment = Callable[[np.ndarray], np.ndarray]


def augmenter(settings: AugmentationSettings, size: int) -> Augment | None:
    """Returns a function that draws a change and applies it to a whole clip.

    Args:
        settings: What is varied, and how much.
        size: Side of the frames, in pixels.

    Returns:
        uint8 (T, size, size, 3) RGB to the same shape and dtype; None where nothing is to change. The draws are of
        torch's generator.
    """
    steps: list[v2.Transform] = []
    if settings.crop:
        # An area between (1 - crop)^2 and 1 of the frame, where it fits: nothing is invented beyond the border.
        steps.append(
            v2.RandomResizedCrop(
                size, ((1 - settings.crop) ** 2, 1.0), (1.0, 1.0), InterpolationMode.BILINEAR, antialias=True
            )
        )
    if settings.mirror:
        steps.append(v2.RandomHorizontalFlip(settings.mirror))
    strengths = (settings.brightness, settings.contrast, settings.saturation, settings.hue)
    if any(strengths):
        steps.append(v2.ColorJitter(*strengths))
    if settings.blur:
        sigma = settings.blur * size
        steps.append(v2.GaussianBlur(2 * math.ceil(2 * sigma) + 1, (0.05, max(0.05, sigma))))
    lowest = round(100 * (1 - settings.compression))
    if not steps and lowest == 100:
        return None
    change = v2.Compose(steps or [v2.Identity()])

    def augment(frames: np.ndarray) -> np.ndarray:
        # The transforms draw once for a stack of pictures.
        pictures = torch.from_numpy(frames).permute(0, 3, 1, 2)
        changed = np.ascontiguousarray(change(pictures).permute(0, 2, 3, 1).numpy())
        return changed if lowest == 100 else _compressed(changed, int(torch.randint(lowest, 101, ())))

    return augment


def _compressed(frames: np.ndarray, quality: int) -> np.ndarray:
    options = [cv2.IMWRITE_JPEG_QUALITY, quality]
    # Red and blue change places on the way in and on the way out alike.
    packed = [cv2.imencode(".jpg", frame, options)[1] for frame in frames]
    return np.stack([np.asarray(cv2.imdecode(picture, cv2.IMREAD_COLOR)) for picture in packed])
