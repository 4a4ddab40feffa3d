"""Clips decoded and handed to an extractor: what a worker does."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from data_engineering.container import Container, inspect
from data_engineering.crop import Box, fit_box
from data_engineering.decoders import AvReader, Timed
from data_engineering.keypoints import SHOULDERS
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
# Of the longer side of the signer's box, added on each side: hands leave it.
_MARGIN = 0.1


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
        box: left, top, right, bottom of the signer in pixels of the frame as it is shown, or None.
    """

    path: Path
    start: float
    end: float
    frames: int
    program: Program
    limits: ValidateSettings
    box: Box | None = None

    @property
    def seconds(self) -> float:
        """How long it may take."""
        passes = 1 if self.box is None else 2
        return _START + passes * (self.limits.timeout + _FRAME_SECONDS * self.frames)


def extract(job: Job) -> Pose:
    """Finds the key points of a clip in every frame of its range; runs in a worker, whose extractor is kept.

    An extractor of one person takes whom it likes of several. Where that is somebody outside the signer's box, the clip
    is gone through once more with all around the box made black; what is found then is taken, if anybody is.

    Raises:
        ClipError: The file does not decode, nobody is in it, or the extractor failed.
    """
    pose = _found(job, None)
    if job.box is not None and _outside(pose, job.box):
        other = _found(job, job.box)
        if other.found.any() and not _outside(other, job.box):
            pose = other
    if not pose.found.any():
        raise ClipError("no_person", f"nobody in any of {len(pose.points)} frames")
    return pose


def _found(job: Job, box: Box | None) -> Pose:
    """Goes through a clip, and shows the extractor no more of it than a box with a margin, where one is given."""
    container = inspect(job.path, job.limits.max_pixels)
    size = shown_size(container)
    times: list[float] = []

    def frames() -> Iterator[np.ndarray]:
        for time, frame in shown_frames(container, job.start, job.end):
            if len(times) == job.limits.max_frames:
                raise ClipError("too_large", f"more frames than validate.max_frames, {job.limits.max_frames:,}")
            times.append(time)
            yield frame if box is None else _only(frame, box)

    try:
        points = list(_kept.running(job.program).points(frames()))
    except BaseException:
        # It may have been given frames whose answers nobody has read.
        _kept.stop()
        raise
    if not points:
        raise ClipError("no_frames", f"no frame between {job.start:.2f} and {job.end:.2f} s")
    return Pose(np.stack(points), np.array(times, np.float32), size)


def _outside(pose: Pose, box: Box) -> bool:
    """Tells whether the middle of the body lies outside a box in most of the frames in which there is one."""
    both = pose.found[:, SHOULDERS].all(axis=1)
    x, y = pose.points[both][:, SHOULDERS, :2].mean(axis=1).T
    inside = (x >= box[0]) & (x <= box[2]) & (y >= box[1]) & (y <= box[3])
    return bool(both.any()) and float(inside.mean()) < 0.5


def _only(frame: np.ndarray, box: Box) -> np.ndarray:
    margin = _MARGIN * max(box[2] - box[0], box[3] - box[1])
    left, top, right, bottom = (
        round(box[0] - margin),
        round(box[1] - margin),
        round(box[2] + margin),
        round(box[3] + margin),
    )
    rows, columns = slice(max(top, 0), max(bottom, 0)), slice(max(left, 0), max(right, 0))
    shown = np.zeros_like(frame)
    shown[rows, columns] = frame[rows, columns]
    return shown


def box_as_shown(row: Mapping[str, Any]) -> Box | None:
    """Returns the signer's box of a validated row in pixels of the frame as it is shown; None where there is none."""
    media = row["media"]
    box, _ = fit_box(row["bbox"], media["width"], media["height"])
    return box and (box[0] * media["pixel_aspect"], box[1], box[2] * media["pixel_aspect"], box[3])


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
