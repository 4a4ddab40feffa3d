"""What a camera and a codec do to a picture: light, motion blur, noise, compression."""

import cv2
import numpy as np

from data_engineering.synthetic.hand import Array
from data_engineering.synthetic.signer import Signer


def gain(frame: np.ndarray, signer: Signer) -> np.ndarray:
    """Applies the light's colour."""
    red, green, blue = signer.light
    lit: np.ndarray = cv2.multiply(frame, np.array([red, green, blue, 1.0]))
    return lit


def motion_blur(frame: np.ndarray, centre: Array, motion: Array, radius: float) -> None:
    """Smears the surroundings of a moving hand, in place.

    Args:
        frame: uint8 (H, W, 3).
        centre: (2,) pixels.
        motion: (2,) pixels moved while the shutter is open.
        radius: Of the hand, pixels.
    """
    length = float(np.hypot(*motion))
    if length < 1.2:
        return
    height, width = frame.shape[:2]
    reach = radius + length
    left, top = (max(int(value), 0) for value in centre - reach)
    right, bottom = min(int(centre[0] + reach), width), min(int(centre[1] + reach), height)
    if right - left < 4 or bottom - top < 4:
        return
    part = frame[top:bottom, left:right]
    span = int(length) | 1
    kernel = np.zeros((span + 2, span + 2), np.float32)
    middle = (span + 1) / 2
    half = motion / length * (span / 2)
    one, other = (tuple(round(16 * (middle + way * float(value))) for value in half) for way in (-1, 1))
    cv2.line(kernel, one, other, 1.0, 1, cv2.LINE_AA, 4)
    smeared = cv2.filter2D(part, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REPLICATE)
    mask = np.zeros(part.shape[:2], np.uint8)
    cv2.circle(mask, (int(centre[0]) - left, int(centre[1]) - top), int(radius + length / 2), 255, -1)
    soft = max(int(radius * 0.4), 1) | 1
    weight = cv2.merge([cv2.blur(mask, (soft, soft))] * 3)
    part[:] = cv2.add(
        cv2.multiply(smeared, weight, scale=1 / 255), cv2.multiply(part, cv2.bitwise_not(weight), scale=1 / 255)
    )


def noise(frame: np.ndarray, sigma: float, tile: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Adds sensor noise: a patch of `tile` (int8, standard deviation 32) at a random place."""
    if sigma < 0.25:
        return frame
    height, width = frame.shape[:2]
    top = int(rng.integers(tile.shape[0] - height + 1))
    left = int(rng.integers(tile.shape[1] - width + 1))
    return cv2.addWeighted(frame, 1.0, tile[top : top + height, left : left + width], sigma / 32, -128 * sigma / 32)


def noise_tile(height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """Noise to cut patches from: uint8 (height + 61, width + 61, 3) around 128, luma and a little chroma."""
    shape = (height + 61, width + 61)
    luma = rng.standard_normal(shape, dtype=np.float32)[..., None] * 29
    coarse = rng.standard_normal((shape[0] // 2 + 1, shape[1] // 2 + 1, 3), dtype=np.float32) * 14
    chroma = cv2.resize(coarse, (shape[1], shape[0]))
    return np.clip(luma + chroma + 128, 0, 255).astype(np.uint8)


def recompress(frame: np.ndarray, quality: int) -> np.ndarray:
    """A cheap stand-in for a video codec: JPEG there and back."""
    _, data = cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, quality])
    decoded: np.ndarray = cv2.imdecode(data, cv2.IMREAD_COLOR)  # type: ignore[assignment]
    return decoded
