"""Variations of a training image: size, turn, place, colours, and its mirror image with left and right exchanged."""

import cv2
import numpy as np

from data_engineering.keypoints import SWAPPED
from signvlm.keypoints.settings import KeypointSettings

_MIRRORED = list(SWAPPED)


def vary(
    image: np.ndarray, points: np.ndarray, settings: KeypointSettings, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Draws a variation.

    Args:
        image: uint8 (S, S, 3) RGB.
        points: float32 (64, 3): x, y in pixels of it, visible.
        settings: How far it may go.
        rng: Draws it.

    Returns:
        The same of the variation; points that left the square are no longer visible.
    """
    size = image.shape[0]
    matrix = placement(size, settings, rng)
    # OpenCV counts from the first pixel's middle, our coordinates from its corner.
    corner = matrix.copy()
    corner[:, 2] += matrix[:, :2] @ (0.5, 0.5) - 0.5
    image = cv2.warpAffine(image, corner, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    moved = points.copy()
    moved[:, :2] = points[:, :2] @ matrix[:, :2].T + matrix[:, 2]
    if rng.random() < settings.mirror:
        image, moved = mirror(image, moved)
    inside = ((moved[:, :2] >= 0) & (moved[:, :2] <= size)).all(axis=1)
    moved[:, 2] *= inside
    return recolor(image, settings.color, rng), moved


def mirror(image: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the mirror image, in which every left point is a right one."""
    mirrored = points[_MIRRORED].copy()
    mirrored[:, 0] = image.shape[1] - mirrored[:, 0]
    return np.ascontiguousarray(image[:, ::-1]), mirrored


def placement(size: int, settings: KeypointSettings, rng: np.random.Generator) -> np.ndarray:
    """Draws size, turn and place: float32 (2, 3), which takes a point (x, y, 1) of the image to its new place."""
    scale = rng.uniform(1 - settings.scale, 1 + settings.scale)
    angle = np.deg2rad(rng.uniform(-settings.rotation, settings.rotation))
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    middle = np.array([size / 2, size / 2])
    shift = rng.uniform(-settings.shift, settings.shift, 2) * size
    return np.column_stack([turn, middle + shift - turn @ middle]).astype(np.float32)


def recolor(image: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """Draws other light: brightness, balance, contrast and saturation, each within 1 ± strength."""
    light, contrast, saturation = rng.uniform(1 - strength, 1 + strength, 3)
    gains = light * rng.uniform(1 - strength / 2, 1 + strength / 2, 3)
    levels = np.arange(256, dtype=np.float32)[:, None]
    table = np.clip((levels - 128) * contrast * gains + 128 * gains, 0, 255).astype(np.uint8)
    colored = cv2.LUT(image, table[:, None])
    grey = cv2.cvtColor(cv2.cvtColor(colored, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    return cv2.addWeighted(colored, saturation, grey, 1 - saturation, 0)
