"""What training varies in a clip: drawn once a clip, so that all of its frames change alike."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import cv2
import numpy as np
import torch
from torchvision.transforms import InterpolationMode, v2

from data_engineering.frames import row_points
from data_engineering.pose.skeleton import skeleton_frames
from data_engineering.pose.vary import varied
from data_engineering.settings import PreprocessSettings
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


def clip_varier(
    settings: AugmentationSettings, preprocess: PreprocessSettings
) -> Callable[[Mapping[str, Any], np.ndarray], np.ndarray]:
    """Returns a function that draws a change and applies it to a whole clip, film and drawings alike.

    Drawings are made anew from key points that were varied: a turned arm is still an arm, where a turned picture has
    corners. Where there are both, both are mirrored or neither.

    Args:
        settings: What is varied, and how much.
        preprocess: What is shown, and how large.

    Returns:
        (row, uint8 (T, size, size, 3)) to the same shape and dtype; the draws are of torch's generator. The row has
        `points` where the view has drawings.
    """
    pixels = augmenter(settings.model_copy(update={"mirror": 0.0}) if preprocess.draws else settings, preprocess.size)

    def vary(row: Mapping[str, Any], frames: np.ndarray) -> np.ndarray:
        if not preprocess.draws:
            return frames if pixels is None else pixels(frames)
        mirror = bool(torch.rand(()) < settings.mirror)
        rng = np.random.default_rng(int(torch.randint(2**62, ())))
        points = varied(row_points(row), rng, strength=settings.points, mirror=mirror)
        drawings = skeleton_frames(points, preprocess.num_frames, preprocess.size)
        if not preprocess.films:
            return drawings
        film = frames[: preprocess.num_frames]
        film = film if pixels is None else pixels(film)
        return np.concatenate([film[:, :, ::-1] if mirror else film, drawings])

    return vary


def _compressed(frames: np.ndarray, quality: int) -> np.ndarray:
    options = [cv2.IMWRITE_JPEG_QUALITY, quality]
    # Red and blue change places on the way in and on the way out alike.
    packed = [cv2.imencode(".jpg", frame, options)[1] for frame in frames]
    return np.stack([np.asarray(cv2.imdecode(picture, cv2.IMREAD_COLOR)) for picture in packed])
