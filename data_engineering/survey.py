"""A clip decoded to its end, once: which part of a file is the sign, whether all of it decodes, where the signer is."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from data_engineering.container import Container, examine, open_container, rotation_of, too_large
from data_engineering.decoders import TOLERANCE, decode, open_reader
from data_engineering.motion_crop import motion_box
from data_engineering.perceptual import clip_looks
from data_engineering.ranges import missing, plan_range, slack
from data_engineering.reasons import ClipError
from data_engineering.settings import PreprocessSettings, ValidateSettings
from data_engineering.sketch import Sketch
from data_engineering.sniff import MP4, check_file, sniff

# Less change than this between any two pictures of a clip, in grey levels of an averaged cell, is no motion at all.
_FROZEN = 3
# No sign is over sooner, in seconds: a sign takes a quarter of a second at least, and this is a broken clock.
_SHORTEST = 0.05


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
        decoder: `decord` or `pyav`: who reads the frames that a model sees.
        motion: left, top, right, bottom in pixels of the upright frame of what moves, head and hands; or None.
        looks: `perceptual.clip_looks` of the kept range, the same for copies whose bytes differ.
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
    motion: tuple[int, int, int, int] | None
    looks: str
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
    demuxer = sniff(path)
    with open_container(path, demuxer) as opened:
        container = examine(opened, path, demuxer, validate.max_pixels, look=False)
        # A header that promises more than there is must not turn a compilation's range into "the whole file".
        promised = max(container.duration, container.promised / container.fps)
        start, end, note = plan_range(promised, frame_start, frame_end, fps, trimmed)
        if container.duration <= start:
            raise ClipError("truncated", f"ends at {container.duration:.2f} s, the sign begins at {start:.2f} s")
        first, behind = np.searchsorted(container.timestamps, [start - TOLERANCE, end - TOLERANCE])
        within = int(behind - first)
        if within > validate.max_frames:
            raise ClipError("too_large", f"{within:,} frames to decode; validate.max_frames is {validate.max_frames:,}")
        sketch, corrupt, broken = Sketch(within), 0, 0
        for time, frame, failed in decode(container, start, end, opened):
            if not sketch.times:
                container = replace(container, rotation=rotation_of(frame))
                too_large(frame.width, frame.height, validate.max_pixels)
            sketch.add(time, frame)
            corrupt, broken = corrupt + frame.is_corrupt, failed
    times = sketch.times
    if not times:
        raise ClipError("no_frames", f"none of {container.promised} promised frames decodes")
    # Frames may be held or left out, so only those behind the last one that is there are told by their time.
    expected = within + max(0, round((min(end, promised) - container.duration) * container.fps))
    notes = _oddities(container) + ([note] if note else [])
    notes += _damaged(corrupt + broken, max(len(times), expected))
    notes += missing(len(times), expected)
    black = sketch.black()
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
    pictures = sketch.pictures(kept, black, container.rotation)
    if len(pictures) > 1 and int(np.ptp(pictures, axis=0).max()) < _FROZEN:
        raise ClipError("frozen", f"all {frames} frames show one picture")
    later = container.timestamps[np.searchsorted(container.timestamps, times[-1] + TOLERANCE) :]
    shown = min(later[0] if len(later) else container.duration, end)
    stop = times[kept.stop] if kept.stop < len(times) else float(shown)
    if stop - times[kept.start] < _SHORTEST:
        raise ClipError("too_short", f"{frames} frames in {stop - times[kept.start]:.3f} s")
    sideways = container.rotation % 180 == 90
    width, height = (container.height, container.width) if sideways else (container.width, container.height)
    moving = motion_box(pictures)
    return Media(
        width=width,
        height=height,
        fps=round(container.fps, 3),
        frames=frames,
        duration=round(container.duration, 4),
        start=round(times[kept.start], 4),
        end=round(stop, 4),
        decoder=open_reader(container).name,
        motion=moving and _pixels(moving, width, height),
        looks=clip_looks(pictures),
        pixel_aspect=round(1 / container.pixel_aspect if sideways else container.pixel_aspect, 6),
        notes=tuple(notes),
    )


def _damaged(damaged: int, frames: int) -> list[str]:
    """Returns a note where a few frames are damaged; a decoder shows those with parts of their neighbours."""
    if damaged > slack(frames):
        raise ClipError("undecodable", f"{damaged} of {frames} frames are damaged")
    return [f"damaged frames: {damaged} of {frames}"] if damaged else []


def _kept(black: list[bool]) -> slice:
    """The frames without the black ones at both ends."""
    light = np.flatnonzero(~np.array(black))
    if not len(light):
        raise ClipError("black", f"all {len(black)} frames are black")
    return slice(int(light[0]), int(light[-1]) + 1)


def _pixels(box: tuple[float, float, float, float], width: int, height: int) -> tuple[int, int, int, int]:
    return round(box[0] * width), round(box[1] * height), round(box[2] * width), round(box[3] * height)


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
