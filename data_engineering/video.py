"""The frames a model sees of a clip.

Preprocessing, training without stored frames, and prediction all call `clip_frames`, so their tensors are identical.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from data_engineering.container import inspect
from data_engineering.crop import signer_box, square, window
from data_engineering.decoders import AvReader, DecordReader, Timed, open_reader
from data_engineering.reasons import ClipError
from data_engineering.settings import PreprocessSettings


def clip_frames(
    path: Path,
    *,
    bbox: Sequence[int] | None,
    motion: Sequence[int] | None,
    start: float,
    end: float,
    num_frames: int,
    preprocess: PreprocessSettings,
    surveyed: Mapping[str, Any] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Reads the frames a model sees: the ones shown at the centres of equal segments of the kept range.

    Args:
        path: The clip.
        bbox: The signer's box in pixels of the indexed file, or None.
        motion: What moves, in pixels of the upright frame, as a survey of the clip found it, or None.
        start: Of the kept range, seconds since the file's first frame.
        end: Of the kept range, seconds since the file's first frame.
        num_frames: T.
        preprocess: Gives size S, crop and margin.
        surveyed: The clip's `media`, if a survey of this very file gave start and end: spares looking at the file
            before decord opens it (8 % of the time), and changes no pixel.

    Returns:
        Frames uint8 (T, S, S, 3) RGB, and float32 (T,): when each is first shown, seconds since the file's first.

    Raises:
        ClipError: The file cannot be read any more, or holds no frame in the range.
    """
    centres = start + (np.arange(num_frames) + 0.5) * (end - start) / num_frames
    timed, aspect = _read(path, centres, start, end, surveyed)
    height, width = timed[0][1].shape[:2]
    box, _ = signer_box(bbox, motion, width, height, preprocess)
    area = window(box, width, height, aspect, preprocess)
    frames = np.stack([square(frame, area, preprocess.size) for _, frame in timed])
    return frames, np.array([time for time, _ in timed], np.float32)


def _read(
    path: Path, times: np.ndarray, start: float, end: float, surveyed: Mapping[str, Any] | None
) -> tuple[list[Timed], float]:
    """Returns the frames shown at `times`, and the upright frame's pixel aspect."""
    if surveyed is not None and surveyed["decoder"] == DecordReader.name:
        try:
            return DecordReader(path).at(times, start, end), surveyed["pixel_aspect"]
        except ClipError:
            pass  # PyAV has decoded all of it once
    container = inspect(path)
    aspect = container.pixel_aspect if container.rotation % 180 == 0 else 1 / container.pixel_aspect
    reader = open_reader(container)
    try:
        return reader.at(times, start, end), aspect
    except ClipError:
        if isinstance(reader, AvReader):
            raise
        return AvReader(container).at(times, start, end), aspect
