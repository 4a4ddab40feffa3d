"""From a frame to the square a model sees: the signer's box made to fit the file, a square window, one resize."""

from collections.abc import Sequence

import cv2
import numpy as np

from data_engineering.settings import PreprocessSettings

Box = tuple[float, float, float, float]
"""xmin, ymin, xmax, ymax in pixels of the stored frame."""

# Heights that video hosts serve: a box that ends at one of them was drawn on a file of that height.
_HEIGHTS = (144, 180, 192, 240, 270, 288, 320, 360, 400, 480, 540, 576, 720, 1080, 1440, 2160)
# A box this much beyond the frame is rounding, not another file.
_SLACK = 0.05
# A box that covers so much of the frame tells nothing of where the signer is.
_MOST = 0.9


def signer_box(
    bbox: Sequence[int] | None, motion: Sequence[int] | None, width: int, height: int, settings: PreprocessSettings
) -> tuple[Box | None, list[str]]:
    """Chooses what of a frame the signer is: the index's box, or what moves where that box tells nothing.

    Args:
        bbox: xmin, ymin, xmax, ymax in pixels of the indexed file, or None.
        motion: left, top, right, bottom in pixels of the served file, as `motion_crop` finds them, or None.
        width: Of the served file, pixels.
        height: Of the served file, pixels.
        settings: Gives `crop`: `bbox` takes the motion where there is no box or one over nine tenths of the frame,
            `motion` takes it always, `full` takes neither.

    Returns:
        The box in pixels of the served file (None for the whole frame), and notes on how it was found.
    """
    if settings.crop == "full":
        return None, []
    box, note = fit_box(bbox, width, height) if settings.crop == "bbox" else (None, None)
    notes = [note] if note else []
    if box is not None and (box[2] - box[0]) * (box[3] - box[1]) < _MOST * width * height:
        return box, notes
    if motion is None:
        return box, [*notes, "nothing to crop to: no useful box, and nothing moves apart from the rest"]
    left, top, right, bottom = (float(value) for value in motion)
    told = f"x {motion[0]}, y {motion[1]}, {motion[2] - motion[0]} x {motion[3] - motion[1]}"
    return (left, top, right, bottom), [*notes, f"cropped by motion: {told}"]


def fit_box(bbox: Sequence[int] | None, width: int, height: int) -> tuple[Box | None, str | None]:
    """Makes a box of the index fit the file that was served.

    Hosts serve one clip in several sizes, and the index holds pixels of the authors' file. A signer is nearly always
    cut by the lower edge, so a box that ends exactly at a usual height other than the file's is scaled by the ratio
    of the two (68011: 480 to 360; 70212: 240 to 360); any other box that leaves the frame is clamped.

    Args:
        bbox: xmin, ymin, xmax, ymax in pixels of the indexed file, or None.
        width: Of the served file, pixels.
        height: Of the served file, pixels.

    Returns:
        The box in pixels of the served file (None if there is none), and a note if it was changed.
    """
    if bbox is None:
        return None, None
    left, top, right, bottom = (float(value) for value in bbox)
    for indexed in _HEIGHTS:
        ratio = height / indexed
        if abs(bottom - indexed) < 1.5 and abs(ratio - 1) > _SLACK and right * ratio <= width * (1 + _SLACK):
            scaled = _clamp((left * ratio, top * ratio, right * ratio, bottom * ratio), width, height)
            return (
                scaled,
                f"bbox scaled: by {ratio:.3g}, as drawn on a file of height {indexed}, this one has {height}",
            )
    clamped = _clamp((left, top, right, bottom), width, height)
    if clamped is None:
        return None, f"bbox outside the frame: {list(bbox)} in {width} x {height}, not used"
    if max(right - width, bottom - height, -left, -top) >= 1:
        return clamped, f"bbox clamped: {list(bbox)} leaves the {width} x {height} frame"
    return clamped, None


def window(box: Box | None, width: int, height: int, pixel_aspect: float, settings: PreprocessSettings) -> Box:
    """Chooses the part of a frame that becomes the square.

    The window is square as shown, so it is narrower in stored pixels where a pixel is wide. It is moved inside the
    frame where it fits and leaves it, evenly on both sides, only where it is longer than the frame.

    Args:
        box: The signer's box in stored pixels, or None for the whole frame.
        width: Of the frame, stored pixels.
        height: Of the frame, stored pixels.
        pixel_aspect: Width of a pixel over its height.
        settings: Gives `crop` and `margin`.

    Returns:
        The window in stored pixels; it may reach beyond the frame.
    """
    shown = width * pixel_aspect
    if box is None or settings.crop == "full":
        left, top, right, bottom = 0.0, 0.0, shown, float(height)
    else:
        left, top, right, bottom = box[0] * pixel_aspect, box[1], box[2] * pixel_aspect, box[3]
    tight = max(right - left, bottom - top)
    # The margin is room for the hands and never worth black bars: at most the frame's shorter side, unless the box
    # itself is longer. On 87 of the shared clips this keeps 99.5 % of all motion (bars allowed: 99.6 %), and the box
    # fills 92 % of the square's height instead of 77 %.
    side = max(tight, min(tight * (1 + 2 * settings.margin), shown, float(height)))
    x = _place((left + right) / 2, side, shown)
    y = _place((top + bottom) / 2, side, float(height))
    return x / pixel_aspect, y, (x + side) / pixel_aspect, y + side


def square(frame: np.ndarray, area: Box, size: int) -> np.ndarray:
    """Cuts a window out of a frame and resizes it once; what lies beyond the frame is black.

    Args:
        frame: uint8 (H, W, 3).
        area: The window in pixels of the frame.
        size: Side of the result, pixels.

    Returns:
        uint8 (size, size, 3).
    """
    height, width = frame.shape[:2]
    across, down = size / (area[2] - area[0]), size / (area[3] - area[1])
    left, right = (round(min(max(x, 0.0), width)) for x in (area[0], area[2]))
    top, bottom = (round(min(max(y, 0.0), height)) for y in (area[1], area[3]))
    right, bottom = max(right, min(left + 1, width)), max(bottom, min(top + 1, height))
    part = frame[top:bottom, left:right]
    to = [round((left - area[0]) * across), round((top - area[1]) * down)]
    to += [round((right - area[0]) * across), round((bottom - area[1]) * down)]
    x0, y0, x1, y1 = (min(max(value, 0), size) for value in to)
    x1, y1 = max(x1, x0 + 1), max(y1, y0 + 1)
    # INTER_AREA averages what shrinks; it would give blocks where something grows.
    method = cv2.INTER_AREA if across < 1 and down < 1 else cv2.INTER_CUBIC
    resized = cv2.resize(np.ascontiguousarray(part), (x1 - x0, y1 - y0), interpolation=method)
    if resized.shape[:2] == (size, size):
        return resized
    canvas = np.zeros((size, size, 3), np.uint8)
    canvas[y0:y1, x0:x1] = resized
    return canvas


def _place(centre: float, side: float, length: float) -> float:
    """Start of an interval of `side` around `centre`, moved into 0..length, or centred on it where it does not fit."""
    if side >= length:
        return (length - side) / 2
    return min(max(centre - side / 2, 0.0), length - side)


def _clamp(box: Box, width: int, height: int) -> Box | None:
    left, right = max(box[0], 0.0), min(box[2], float(width))
    top, bottom = max(box[1], 0.0), min(box[3], float(height))
    # Less than two pixels either way shows nothing.
    return (left, top, right, bottom) if right - left >= 2 and bottom - top >= 2 else None
