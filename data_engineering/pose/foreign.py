"""Key points that a dataset brings along, made fit for a clip: which person, which of its frames, in which pixels.

The readers are this project's own. `.pose` is a header and two arrays, and COCO-WholeBody is JSON; a library for the
one would bring code for drawing and for four frameworks, and neither it nor a JSON parser would refuse a hostile file
with its reason.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from data_engineering.keypoints import BODY
from data_engineering.pose.extract import box_as_shown
from data_engineering.pose.record import Pose
from data_engineering.reasons import ClipError

NEEDED = ("left_shoulder", "right_shoulder", "left_wrist", "right_wrist")
"""Without these there is no measure, and no sign."""
# So many frames more or less than the clip has are the readers' different ways to count.
_FRAMES = 2
# Widths over heights that differ by this share are of another picture.
_ASPECT = 0.03
# Coordinates that are all smaller are shares of a frame, in pixels of no real one.
_SHARES = 2.0
# Of all found points, so many must lie in a frame's own size around it.
_INSIDE = 0.8


@dataclass(frozen=True, eq=False)
class Foreign:
    """What a file of key points holds.

    Attributes:
        people: float32 (T, P, 64, 3): x, y in pixels, continuous, and a score from 0 to 1; not found is all zero.
        size: Width and height of the frame they were found in, pixels; None where the file does not say.
        fps: Frames a second; None where the file does not say.
    """

    people: np.ndarray
    size: tuple[int, int] | None
    fps: float | None


def cleaned(points: np.ndarray) -> np.ndarray:
    """Marks what is no number, or has no score, as not found; float32 (..., 3), a copy."""
    points = np.array(points, np.float32)
    points[~np.isfinite(points).all(axis=-1) | (points[..., 2] <= 0)] = 0
    np.minimum(points[..., 2], 1, out=points[..., 2])
    return points


def middle(points: np.ndarray) -> np.ndarray:
    """Returns the middle of points, (..., n, 3) → (..., 3); not found where one of them was not."""
    found = np.expand_dims((points[..., 2] > 0).all(axis=-1), -1)
    result: np.ndarray = points.mean(axis=-2) * found
    return result


def require(given: Mapping[str, Any] | set[str]) -> None:
    """Refuses a file that does not name the points that every pose needs.

    Raises:
        ClipError: bad_pose.
    """
    lacking = [name for name in NEEDED if name not in given]
    if lacking:
        raise ClipError("bad_pose", f"names no {', '.join(lacking)}")


def fitted(foreign: Foreign, row: Mapping[str, Any]) -> Pose:
    """Makes a file's key points those of a clip's kept range.

    Args:
        foreign: What the file holds: as many frames as the clip's file has, or as its kept range has.
        row: Of wlasl_validated.json.

    Raises:
        ClipError: bad_pose, if they are of another clip by their length or size; no_person.
    """
    media = row["media"]
    size = round(media["width"] * media["pixel_aspect"]), media["height"]
    people = _in_pixels(foreign, media, size)
    first, fps = _timing(len(people), foreign.fps, media)
    times = first + np.arange(len(people)) / fps
    # As a survey counts frames: from start to end, but for rounding.
    kept = (times >= media["start"] - 0.5 / fps) & (times < media["end"] - 0.5 / fps)
    points = one_person(people[kept], box_as_shown(row))
    if not (points[..., 2] > 0).any():
        raise ClipError("no_person", f"nobody in any of {len(points)} frames")
    return Pose(points, times[kept].astype(np.float32), size)


def one_person(people: np.ndarray, box: tuple[float, float, float, float] | None) -> np.ndarray:
    """Follows one person through a clip: the largest and surest, of those in the signer's box if there are any.

    Args:
        people: float32 (T, P, 64, 3); who is who may change from frame to frame.
        box: left, top, right, bottom in pixels, or None.

    Returns:
        float32 (T, 64, 3); all zero where the person is nowhere near where they were last.
    """
    count = len(people)
    points = np.zeros((count, *people.shape[2:]), np.float32)
    found = people[..., 2] > 0
    seen = found[..., BODY].any(axis=-1)
    if not seen.any():
        return points
    with np.errstate(invalid="ignore"):
        body = np.where(found[..., BODY, None], people[..., BODY, :2], np.nan)
    centre, extent = np.full((*seen.shape, 2), np.inf), np.zeros(seen.shape)
    centre[seen] = np.nanmean(body[seen], axis=1)
    extent[seen] = np.nanmax(np.nanmax(body[seen], axis=1) - np.nanmin(body[seen], axis=1), axis=-1)
    weight = seen * (1e-6 + extent) * people[..., 2].mean(axis=-1)
    if box is not None:
        left, top, right, bottom = box
        x, y = centre[..., 0], centre[..., 1]
        inside = (x >= left) & (x <= right) & (y >= top) & (y <= bottom)
        weight = weight * inside if (weight * inside).any() else weight
    start, who = np.unravel_index(int(weight.argmax()), weight.shape)
    reach = max(float(extent[start, who]), 1.0)
    for frames in (range(start, count), range(start - 1, -1, -1)):
        last = centre[start, who]
        for frame in frames:
            distance = np.linalg.norm(centre[frame] - last, axis=-1)
            nearest = int(distance.argmin())
            if distance[nearest] <= reach:
                points[frame], last = people[frame, nearest], centre[frame, nearest]
    return points


def _in_pixels(foreign: Foreign, media: Mapping[str, Any], size: tuple[int, int]) -> np.ndarray:
    """Scales to the pixels of the clip as it is shown, (T, P, 64, 3)."""
    width, height = foreign.size or (media["width"], media["height"])
    stored = (width, height) == (media["width"], media["height"])
    if not stored and not abs(width * size[1] / max(height * size[0], 1) - 1) <= _ASPECT:
        raise ClipError(
            "bad_pose", f"made of a picture of {width} x {height}, the clip has {size[0]} x {size[1]} pixels"
        )
    people = foreign.people * np.array([size[0] / width, size[1] / height, 1], np.float32)
    found = foreign.people[..., 2] > 0
    places = foreign.people[found][:, :2]
    if len(places):
        if max(width, height) > 4 * _SHARES and np.abs(places).max() <= _SHARES:
            raise ClipError("bad_pose", "its coordinates are shares of the picture, not pixels")
        inside = (np.abs(places / (width, height) - 0.5) <= 1.5).all(axis=1).mean()
        if inside < _INSIDE:
            raise ClipError("bad_pose", f"{1 - inside:.0%} of its points lie far outside {width} x {height} pixels")
    return people


def _timing(count: int, fps: float | None, media: Mapping[str, Any]) -> tuple[float, float]:
    """Returns the time of a file's first frame, in seconds of the clip's file, and its frames a second."""
    rate, kept = media["fps"], media["end"] - media["start"]
    # By their number first: old .pose files have whole frames a second, 29 for 29.97.
    if abs(count - media["duration"] * rate) <= _FRAMES:
        return 0.0, rate
    if abs(count - media["frames"]) <= _FRAMES:
        return media["start"], media["frames"] / kept
    if fps:
        slack = _FRAMES / min(fps, rate)
        if abs(count / fps - media["duration"]) <= slack:
            return 0.0, fps
        if abs(count / fps - kept) <= slack:
            return media["start"], fps
    told = f"{count} frames" + (f" at {fps:g} a second" if fps else "")
    whole = f"{media['duration'] * rate:.0f} at {rate:g}"
    raise ClipError("bad_pose", f"{told}; the clip's file has {whole}, its kept range {media['frames']}")
