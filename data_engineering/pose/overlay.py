"""Key points drawn over the frames they were found in, for people to look at."""

from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from data_engineering.container import inspect
from data_engineering.evidence import jpeg_uri
from data_engineering.keypoints import BODY, FACE, KEYPOINTS, LEFT_HAND, RIGHT_HAND
from data_engineering.pose.extract import shown_frames
from data_engineering.pose.normalize import active, normalized
from data_engineering.pose.record import Pose, read_pose

_BODY_LINES = (
    ("left_shoulder", "right_shoulder"), ("left_shoulder", "left_elbow"), ("left_elbow", "left_wrist"),
    ("right_shoulder", "right_elbow"), ("right_elbow", "right_wrist"), ("left_shoulder", "left_hip"),
    ("right_shoulder", "right_hip"), ("left_hip", "right_hip"), ("left_hip", "left_knee"), ("right_hip", "right_knee"),
    ("left_knee", "left_ankle"), ("right_knee", "right_ankle"), ("left_ear", "left_eye"), ("left_eye", "nose"),
    ("nose", "right_eye"), ("right_eye", "right_ear"),
)  # fmt: skip
# A wrist's number within a hand, then along each finger.
_FINGERS = tuple((0, *range(first, first + 4)) for first in (1, 5, 9, 13, 17))
# RGB: light lines on a dark seam are seen on every background.
_SEAM = (16, 16, 16)
_BODY_INK, _LEFT_INK, _RIGHT_INK, _FACE_INK = (240, 240, 240), (255, 160, 60), (70, 190, 255), (130, 235, 120)
# What is less sure than this is drawn no more: MediaPipe places legs far below the picture, with such a score.
_SURE = 0.3
# Of the drawn person's height and width, added on each side.
_MARGIN = 0.1


def drawn(frame: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Draws one frame's key points over it.

    Args:
        frame: uint8 (H, W, 3) RGB.
        points: float32 (64, 3): x, y in its pixels, score.

    Returns:
        uint8 (H, W, 3): a copy; the left hand orange, the right one blue, each the person's own.
    """
    canvas = np.ascontiguousarray(frame).copy()
    height, width = frame.shape[:2]
    thick = max(1, round(max(height, width) / 300))
    sure = points[:, 2] >= _SURE
    number = {name: at for at, name in enumerate(KEYPOINTS)}
    lines = [(number[one], number[other], _BODY_INK) for one, other in _BODY_LINES]
    for hand, ink in ((LEFT_HAND, _LEFT_INK), (RIGHT_HAND, _RIGHT_INK)):
        for finger in _FINGERS:
            lines += [(hand.start + one, hand.start + other, ink) for one, other in pairwise(finger)]
    places = [_place(x, y, width, height) for x, y, _ in points]
    for under in (True, False):
        for one, other, ink in lines:
            if sure[one] and sure[other]:
                extra = 2 * thick if under else 0
                cv2.line(canvas, places[one], places[other], _SEAM if under else ink, thick + extra, cv2.LINE_AA)
        for at in (*range(*BODY.indices(64))[:5], *range(*FACE.indices(64))):
            if sure[at]:
                ink = _SEAM if under else _FACE_INK
                cv2.circle(canvas, places[at], thick + under * thick, ink, cv2.FILLED, cv2.LINE_AA)
    return canvas


def pictures(job: tuple[Mapping[str, Any], Path, int, int]) -> list[str]:
    """Draws the key points of a clip over a few of its frames; runs in a worker.

    Args:
        job: A row of wlasl_validated.json, the file of its key points, how many frames evenly over those in which
            somebody signs, and their height in pixels.

    Returns:
        `data:` URIs.

    Raises:
        ClipError: The clip cannot be read any more.
        RunError: The key points cannot.
    """
    row, path, count, height = job
    return [jpeg_uri(picture) for picture in overlays(Path(row["video_path"]), read_pose(path), count, height)]


def overlays(clip: Path, pose: Pose, count: int, height: int) -> list[np.ndarray]:
    """Draws the key points of a clip over a few of its frames, cut to the person.

    Args:
        clip: Its file.
        pose: Its key points.
        count: Frames, evenly over those in which somebody signs.
        height: Of the pictures, pixels.

    Returns:
        uint8 (height, w, 3) RGB each, all of one size.
    """
    start, end = active(normalized(pose.points, pose.size))
    chosen = sorted({start + int((part + 0.5) * (end - start) / count) for part in range(count)})
    left, top, right, bottom = _person(pose)
    width = max(1, round((right - left) * height / (bottom - top)))
    shown: list[np.ndarray] = []
    times = pose.times[chosen]
    for time, frame in shown_frames(inspect(clip), float(times[0]), float(pose.times[-1]) + 1):
        if len(shown) == len(chosen):
            break
        # Times are kept in float32.
        if time >= times[len(shown)] - 1e-3:
            picture = drawn(frame, pose.points[chosen[len(shown)]])[top:bottom, left:right]
            shown.append(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA))
    return shown


def _person(pose: Pose) -> tuple[int, int, int, int]:
    """left, top, right, bottom of whatever is drawn of a clip, with a margin, inside the frame."""
    width, height = pose.size
    x, y = pose.points[pose.points[..., 2] >= _SURE][:, :2].T
    if not len(x):
        return 0, 0, width, height
    across, down = _MARGIN * np.ptp(x), _MARGIN * np.ptp(y)
    left, top = max(0, int(x.min() - across)), max(0, int(y.min() - down))
    right, bottom = min(width, int(x.max() + across) + 1), min(height, int(y.max() + down) + 1)
    return (left, top, right, bottom) if right - left > 1 and bottom - top > 1 else (0, 0, width, height)


def _place(x: float, y: float, width: int, height: int) -> tuple[int, int]:
    """A point for OpenCV, which takes no number that is far outside."""
    return round(float(np.clip(x, -width, 2 * width))), round(float(np.clip(y, -height, 2 * height)))
