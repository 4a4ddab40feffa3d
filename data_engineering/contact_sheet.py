"""Contact sheets: a row of frames a clip, to look at exactly what a model sees."""

import io
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from data_engineering.errors import RunError

_CAPTION = 18
_GAP = 2
_PAPER, _INK = (250, 250, 248), (40, 40, 40)


def contact_sheet(rows: Sequence[tuple[str, np.ndarray]], path: Path, *, tile: int = 128) -> None:
    """Writes a PNG with one captioned row of frames a clip.

    Args:
        rows: (caption, frames uint8 (T, H, W, 3) RGB) a clip; T may differ.
        path: The PNG.
        tile: Height of a frame on the sheet, pixels.

    Raises:
        RunError: The file cannot be written.
    """
    buffer = io.BytesIO()
    draw_sheet(rows, tile=tile).save(buffer, format="PNG", optimize=True)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.part")
        temporary.write_bytes(buffer.getvalue())
        temporary.replace(path)
    except OSError as error:
        raise RunError(f"{path}: cannot be written ({error.strerror}); free space or choose another folder") from error


def draw_sheet(rows: Sequence[tuple[str, np.ndarray]], *, tile: int) -> Image.Image:
    """Draws what `contact_sheet` writes."""
    strips = [np.concatenate([_tile(frame, tile) for frame in frames], axis=1) for _, frames in rows]
    width = max((strip.shape[1] for strip in strips), default=tile)
    sheet = Image.new("RGB", (width + _GAP, len(rows) * (tile + _CAPTION + _GAP) + _GAP), _PAPER)
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(size=12)
    for index, ((caption, _), strip) in enumerate(zip(rows, strips, strict=True)):
        top = index * (tile + _CAPTION + _GAP) + _GAP
        draw.text((_GAP, top), caption, fill=_INK, font=font)
        sheet.paste(Image.fromarray(strip), (_GAP, top + _CAPTION))
    return sheet


def _tile(frame: np.ndarray, height: int) -> np.ndarray:
    width = max(1, round(frame.shape[1] * height / frame.shape[0]))
    small = cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA)
    return cv2.copyMakeBorder(small, 0, 0, 0, _GAP, cv2.BORDER_CONSTANT, value=_PAPER)
