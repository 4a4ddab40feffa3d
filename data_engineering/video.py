"""A clip from its file: which part of it is the sign, whether that part decodes, and the frames a model sees.

`survey` decodes the kept range to its end, once, in validation. `clip_frames` gives the frames; preprocessing, training
without stored frames and prediction all call it, so their tensors are identical.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from data_engineering.container import Container, inspect
from data_engineering.crop import fit_box, square, window
from data_engineering.decoders import AvReader, DecordReader, Reader, Timed, open_reader
from data_engineering.reasons import ClipError
from data_engineering.settings import PreprocessSettings, ValidateSettings
from data_engineering.sniff import MP4, check_file

__all__ = ["ClipError", "Media", "clip_frames", "survey"]

# A frame is black if 99 of 100 pixels are darker than this (0..255): measured black tails are 0, and video black that
# was read as full range is 16; the darkest real frame of the 88 shared clips has 99.
_BLACK_PERCENTILE, _BLACK_LEVEL = 99, 32
# A title card is text on black among bright frames: this much of it is dark, and less than half of an ordinary frame.
_CARD_DARK, _ORDINARY_DARK = 0.9, 0.5
# Brightness is judged on about this many pixels across.
_BLACK_GRID = 64


@dataclass(frozen=True, slots=True)
class Media:
    """What a survey found.

    Attributes:
        width: Of the upright frame, pixels.
        height: Of the upright frame, pixels.
        fps: Mean frames a second of the file.
        frames: Frames decoded in the kept range.
        duration: Of the file, seconds.
        start: Of the kept range, seconds since the file's first frame.
        end: Of the kept range, seconds since the file's first frame.
        decoder: `decord` or `pyav`.
        pixel_aspect: Width over height of a pixel of the upright frame, as shown.
        notes: What was unusual and handled.
    """

    width: int
    height: int
    fps: float
    frames: int
    duration: float
    start: float
    end: float
    decoder: str
    pixel_aspect: float = 1.0
    notes: tuple[str, ...] = ()


def survey(
    path: Path,
    *,
    frame_start: int,
    frame_end: int,
    fps: float,
    trimmed: bool,
    validate: ValidateSettings,
    preprocess: PreprocessSettings,
) -> Media:
    """Decodes a clip's kept range to its end.

    Args:
        path: The clip.
        frame_start: First frame of the sign, 1-indexed at `fps`.
        frame_end: Last frame at `fps`, -1 for the end of the file.
        fps: The clock of the two, frames a second.
        trimmed: The file is already cut to them.
        validate: The limits.
        preprocess: Gives `cut_black`.

    Raises:
        ClipError: The clip cannot be used; any reason but timeout, memory, crashed and outside_root.
    """
    check_file(path, validate.max_bytes)
    container = inspect(path, validate.max_pixels)
    notes = _oddities(container)
    # A header that promises more than there is must not turn a compilation's range into "the whole file".
    promised = max(container.duration, container.promised / container.fps)
    start, end, note = plan_range(promised, frame_start, frame_end, fps, trimmed)
    notes += [note] if note else []
    if container.duration <= start:
        raise ClipError("truncated", f"ends at {container.duration:.2f} s, the sign begins at {start:.2f} s")
    within = int(((container.timestamps >= start) & (container.timestamps < end)).sum())
    if within > validate.max_frames:
        raise ClipError("too_large", f"{within:,} frames to decode; validate.max_frames is {validate.max_frames:,}")
    reader: Reader = open_reader(container)
    try:
        times, black = _brightness(reader, start, end)
    except ClipError:
        if isinstance(reader, AvReader):
            raise
        reader = AvReader(container)
        times, black = _brightness(reader, start, end)
    if not times:
        raise ClipError("no_frames", f"none of {container.promised} promised frames decodes")
    step = container.last_duration if len(times) < 2 else float(np.median(np.diff(times)))
    expected = container.promised if math.isinf(end) and start == 0 else round((min(end, promised) - start) / step)
    notes += _missing(len(times), expected)
    kept = _kept(black) if preprocess.cut_black else slice(0, len(times))
    cut = kept.start, len(times) - kept.stop
    if any(cut):
        notes.append(f"black frames cut: {cut[0]} at the start, {cut[1]} at the end")
    if inside := sum(black[kept]):
        notes.append(f"black or a title card inside: {inside} of {kept.stop - kept.start} frames")
    frames = kept.stop - kept.start
    if frames < validate.min_frames:
        raise ClipError(
            "too_short", f"{frames} frame{'s' * (frames != 1)}; validate.min_frames is {validate.min_frames}"
        )
    last_duration = container.last_duration if times[-1] >= container.timestamps[-1] - step / 2 else step
    stop = times[kept.stop] if kept.stop < len(times) else min(times[-1] + last_duration, end)
    sideways = container.rotation % 180 == 90
    aspect = 1 / container.pixel_aspect if sideways else container.pixel_aspect
    return Media(
        width=container.height if sideways else container.width,
        height=container.width if sideways else container.height,
        fps=round(container.fps, 3),
        frames=frames,
        duration=round(container.duration, 4),
        start=round(times[kept.start], 4),
        end=round(stop, 4),
        decoder=reader.name,
        pixel_aspect=round(aspect, 6),
        notes=tuple(notes),
    )


def clip_frames(
    path: Path,
    *,
    bbox: tuple[int, int, int, int] | None,
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
    area = window(fit_box(bbox, width, height)[0], width, height, aspect, preprocess)
    frames = np.stack([square(frame, area, preprocess.size) for _, frame in timed])
    return frames, np.array([time for time, _ in timed], np.float32)


def _read(
    path: Path, times: np.ndarray, start: float, end: float, surveyed: Mapping[str, Any] | None
) -> tuple[list[Timed], float]:
    """Returns the frames shown at `times`, and the upright frame's pixel aspect."""
    if surveyed is not None and surveyed["decoder"] == DecordReader.name:
        return DecordReader(path).at(times, start, end), surveyed["pixel_aspect"]
    container = inspect(path)
    aspect = container.pixel_aspect if container.rotation % 180 == 0 else 1 / container.pixel_aspect
    reader = open_reader(container)
    try:
        return reader.at(times, start, end), aspect
    except ClipError:
        if isinstance(reader, AvReader):
            raise
        return AvReader(container).at(times, start, end), aspect


def plan_range(
    duration: float, frame_start: int, frame_end: int, fps: float, trimmed: bool
) -> tuple[float, float, str | None]:
    """Decides which part of a file is the sign, from the index and the file's length.

    Args:
        duration: Of the file, seconds.
        frame_start: First frame of the sign, 1-indexed at `fps`.
        frame_end: Last frame at `fps`, -1 for the end of the file.
        fps: The clock of the two (WLASL: 25, whatever the file's rate), frames a second.
        trimmed: The file is already cut.

    Returns:
        Start and end in seconds (infinity: to the end of the file), and a note where something was decided.
    """
    whole = (0.0, math.inf)
    length = duration * fps
    first = max(frame_start, 1)
    if trimmed or (first == 1 and frame_end < 0):
        return *whole, None
    if frame_end < 0:
        if length > first:
            return (
                (first - 1) / fps,
                math.inf,
                f"cut to the index's range: from frame {first} of {length:.0f} to the end",
            )
        return *whole, f"whole file used: the index begins at frame {first}, the file has {length:.0f}"
    wanted = frame_end - first + 1
    slack = max(_SLACK_FRAMES, _SLACK_SHARE * wanted)
    if wanted > 0 and length >= frame_end - slack and length > first:
        if first == 1 and length <= frame_end + slack:
            return *whole, None
        return (
            (first - 1) / fps,
            frame_end / fps,
            f"cut to the index's range: frames {first}-{frame_end} of {length:.0f}",
        )
    if abs(length - wanted) <= 2 * slack:
        return *whole, f"already cut: {length:.0f} frames, the index's range has {wanted}"
    return *whole, f"whole file used: the index says frames {first}-{frame_end}, the file has {length:.0f}"


# So much may be missing at a clip's end: containers promise up to 3 frames more than decode.
_SLACK_FRAMES, _SLACK_SHARE = 3, 0.05


def _missing(decoded: int, expected: int) -> list[str]:
    missing = expected - decoded
    if missing > max(_SLACK_FRAMES, _SLACK_SHARE * expected):
        raise ClipError("truncated", f"{decoded} of {expected} frames decode")
    return [f"frames missing at the end: {missing} of {expected}"] if missing > 0 else []


def _oddities(container: Container) -> list[str]:
    notes = []
    if container.rotation:
        notes.append(f"turned: by {container.rotation} degrees, as its metadata say")
    if abs(container.pixel_aspect - 1) > 0.01:
        notes.append(f"pixels not square: aspect {container.pixel_aspect:.3f}, shown as they should be")
    steps = np.diff(container.timestamps)
    if len(steps) and steps.max() > 1.5 * np.median(steps):
        notes.append("variable frame rate: sampled by time")
    if container.hidden:
        notes.append(f"frames hidden by the edit list: {container.hidden}")
    if not container.regular:
        notes.append("time stamps are unusable: frames taken as evenly spaced")
    if container.format != MP4:
        notes.append(f"not an MP4: {container.format}")
    return notes


def _brightness(reader: Reader, start: float, end: float) -> tuple[list[float], list[bool]]:
    """Decodes a range; returns each frame's time in seconds and whether it is black or a title card."""
    times, black, dark = [], [], []
    for time, frame in reader.scan(start, end):
        step = max(1, min(frame.shape[:2]) // _BLACK_GRID)
        # The brightest channel, so that no colour counts as black.
        grid = frame[::step, ::step].max(axis=2)
        times.append(time)
        black.append(bool(np.percentile(grid, _BLACK_PERCENTILE) < _BLACK_LEVEL))
        dark.append(float((grid < _BLACK_LEVEL).mean()))
    # The lower quartile, as a card may fill half of a clip (70212).
    if dark and np.percentile(dark, 25) < _ORDINARY_DARK:
        black = [is_black or share > _CARD_DARK for is_black, share in zip(black, dark, strict=True)]
    return times, black


def _kept(black: list[bool]) -> slice:
    """The frames without the black ones at both ends."""
    light = np.flatnonzero(~np.array(black))
    if not len(light):
        raise ClipError("black", f"all {len(black)} frames are black")
    return slice(int(light[0]), int(light[-1]) + 1)
