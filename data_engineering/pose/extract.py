"""Clips decoded and handed to an extractor: what a worker does."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from data_engineering.container import Container, inspect
from data_engineering.decoders import AvReader, Timed
from data_engineering.pose.extractor import Extractor, Program
from data_engineering.pose.record import Pose
from data_engineering.reasons import ClipError
from data_engineering.settings import ValidateSettings

VERSION = 1
"""Raised when the same program begins to give other points of the same clip."""
# Seconds a frame beyond a decode's own: MediaPipe takes 0.05 on one core, a machine may be twenty times as busy.
_FRAME_SECONDS = 1.0
# Seconds for an extractor to start.
_START = 120.0


@dataclass(frozen=True)
class Job:
    """A range of a file, as a worker gets it.

    Attributes:
        path: The clip.
        start: Of the range, seconds since the file's first frame.
        end: Of the range, seconds.
        frames: About how many there are in it.
        program: The extractor, with its interpreter.
        limits: What a clip may cost.
    """

    path: Path
    start: float
    end: float
    frames: int
    program: Program
    limits: ValidateSettings

    @property
    def seconds(self) -> float:
        """How long it may take."""
        return _START + self.limits.timeout + _FRAME_SECONDS * self.frames


def extract(job: Job) -> Pose:
    """Finds the key points of a clip in every frame of its range; runs in a worker, whose extractor is kept.

    Raises:
        ClipError: The file does not decode, nobody is in it, or the extractor failed.
    """
    container = inspect(job.path, job.limits.max_pixels)
    size = shown_size(container)
    times: list[float] = []

    def frames() -> Iterator[np.ndarray]:
        for time, frame in shown_frames(container, job.start, job.end):
            if len(times) == job.limits.max_frames:
                raise ClipError("too_large", f"more frames than validate.max_frames, {job.limits.max_frames:,}")
            times.append(time)
            yield frame

    try:
        points = list(_kept.running(job.program).points(frames()))
    except BaseException:
        # It may have been given frames whose answers nobody has read.
        _kept.stop()
        raise
    if not points:
        raise ClipError("no_frames", f"no frame between {job.start:.2f} and {job.end:.2f} s")
    pose = Pose(np.stack(points), np.array(times, np.float32), size)
    if not pose.found.any():
        raise ClipError("no_person", f"nobody in any of {len(times)} frames")
    return pose


def shown_size(container: Container) -> tuple[int, int]:
    """Returns width and height of a file's frames as they are shown: turned upright, with square pixels."""
    if container.rotation % 180:
        return round(container.height / container.pixel_aspect), container.width
    return round(container.width * container.pixel_aspect), container.height


def shown_frames(container: Container, start: float, end: float) -> Iterator[Timed]:
    """Decodes every frame of a range, each as it is shown; proportions of a body are true in no other."""
    width, height = shown_size(container)
    for time, frame in AvReader(container).through(start, end):
        if frame.shape[:2] != (height, width):
            frame = cv2.resize(frame, (width, height), interpolation=cv2.INTER_LINEAR)
        yield time, frame


class _Kept:
    """The extractor of this process: started for its first clip, and ended with the process."""

    def __init__(self) -> None:
        self._program: Program | None = None
        self._extractor: Extractor | None = None

    def running(self, program: Program) -> Extractor:
        """Returns the extractor, started if need be."""
        if self._extractor is None or self._program != program:
            self.stop()
            self._extractor = Extractor(program)
            self._program = program
        return self._extractor

    def stop(self) -> None:
        """Ends it."""
        if self._extractor is not None:
            self._extractor.close()
            self._extractor = None


_kept = _Kept()
