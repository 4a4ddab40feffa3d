"""Images read from files, and fitted into a square."""

import struct
import warnings
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

# 50 million pixels are a camera's largest; a PNG of a few bytes can claim more than any memory.
MAX_PIXELS = 50_000_000
_FORMATS = ("JPEG", "PNG")
# What Pillow raises on broken files.
_BROKEN = (OSError, ValueError, TypeError, SyntaxError, IndexError, KeyError, EOFError, MemoryError, struct.error)
_TURNED = 0x0112  # EXIF's orientation; 5 to 8 stand on their side


@dataclass(frozen=True)
class Fit:
    """Where an image lies in a square: a point (x, y) of the image goes to (x, y) * scale + offset.

    Attributes:
        scale: Across and down; they differ by rounding alone.
        offset: Pixels from the left and from the top.
        size: The image's width and height there.
    """

    scale: tuple[float, float]
    offset: tuple[int, int]
    size: tuple[int, int]

    def forward(self, points: np.ndarray) -> np.ndarray:
        """Returns points (..., >= 2) of the image in the square; what stands behind x and y stays."""
        placed = points.astype(np.float32)
        placed[..., :2] = placed[..., :2] * np.asarray(self.scale, np.float32) + np.asarray(self.offset, np.float32)
        return placed

    def back(self, points: np.ndarray) -> np.ndarray:
        """Returns points (..., >= 2) of the square in the image."""
        placed = points.astype(np.float32)
        placed[..., :2] = (placed[..., :2] - np.asarray(self.offset, np.float32)) / np.asarray(self.scale, np.float32)
        return placed


def check_image(path: Path, size: tuple[int, int] | None = None) -> tuple[int, int]:
    """Returns the width and height of an image as it is shown, after reading all of it at an eighth of its size.

    Args:
        path: The file.
        size: What a label says of it.

    Raises:
        ValueError: It is no whole JPEG or PNG image, is too large, or not of this size; a few words, without the path.
    """
    with _opened(path) as image:
        found = _shown(image)
        if size is not None and found != size:
            raise ValueError(f"has {found[0]} x {found[1]} pixels, where its label says {size[0]} x {size[1]}")
        image.draft("RGB", (image.width // 8 + 1, image.height // 8 + 1))  # of a JPEG: every byte is read
        _load(image)
    return found


def read_image(path: Path) -> np.ndarray:
    """Returns an image as it is shown, uint8 (height, width, 3) RGB.

    Raises:
        ValueError: As `check_image`.
    """
    with _opened(path) as image:
        return _pixels(image)


def read_square(path: Path, size: int) -> tuple[np.ndarray, Fit]:
    """Reads an image into a square, as `letterbox`; a JPEG that is much larger is never made in its full size.

    Raises:
        ValueError: As `check_image`.
    """
    with _opened(path) as image:
        width, height = _shown(image)
        factor = size / max(width, height)
        if factor <= 0.5:
            image.draft("RGB", (max(1, int(image.width * factor)), max(1, int(image.height * factor))))
        pixels = _pixels(image)
    return letterbox(pixels, size, (width, height))


def letterbox(image: np.ndarray, size: int, whole: tuple[int, int] | None = None) -> tuple[np.ndarray, Fit]:
    """Fits an image into a square without distorting it; the rest is black.

    Args:
        image: uint8 (height, width, 3).
        size: Side of the square, pixels.
        whole: Width and height that points refer to, where the image has been reduced; None for its own.

    Returns:
        uint8 (size, size, 3), and where the image lies in it.
    """
    fit = fitted(whole or (image.shape[1], image.shape[0]), size)
    wide, high = fit.size
    if image.shape[:2] == (high, wide):
        shrunk = image
    else:
        smooth = cv2.INTER_AREA if wide < image.shape[1] else cv2.INTER_LINEAR
        shrunk = cv2.resize(image, (wide, high), interpolation=smooth)
    left, top = fit.offset
    canvas = np.zeros((size, size, 3), np.uint8)
    canvas[top : top + high, left : left + wide] = shrunk
    return canvas, fit


def fitted(whole: tuple[int, int], size: int) -> Fit:
    """Returns where an image of this width and height lies in a square."""
    factor = size / max(whole)
    wide, high = (max(1, round(side * factor)) for side in whole)
    return Fit((wide / whole[0], high / whole[1]), ((size - wide) // 2, (size - high) // 2), (wide, high))


def _opened(path: Path) -> Image.Image:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # the limit below is ours
            image = Image.open(path, formats=_FORMATS)
    except UnidentifiedImageError as error:
        raise ValueError("is no JPEG or PNG image") from error
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f"cannot be read ({_why(error)})") from error
    if image.width * image.height > MAX_PIXELS:
        image.close()
        raise ValueError(f"has {image.width} x {image.height} pixels, more than {MAX_PIXELS:,}")
    return image


def _shown(image: Image.Image) -> tuple[int, int]:
    """Returns width and height after the turn that its EXIF asks for."""
    try:
        turned = image.getexif().get(_TURNED, 1)  # of a PNG this reads the whole file
    except _BROKEN as error:
        raise ValueError(f"is damaged ({_why(error)})") from error
    on_its_side = isinstance(turned, int) and 5 <= turned <= 8
    return (image.height, image.width) if on_its_side else (image.width, image.height)


def _load(image: Image.Image) -> None:
    try:
        image.load()
    except _BROKEN as error:
        raise ValueError(f"is damaged ({_why(error)})") from error


def _pixels(image: Image.Image) -> np.ndarray:
    _load(image)
    try:
        return np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    except _BROKEN as error:  # an EXIF block that says nonsense, or a kind of pixels that Pillow cannot convert
        raise ValueError(f"is damaged ({_why(error)})") from error


def _why(error: BaseException) -> str:
    told = (error.strerror if isinstance(error, OSError) else "") or str(error) or type(error).__name__
    return " ".join(told.split())[:100]
