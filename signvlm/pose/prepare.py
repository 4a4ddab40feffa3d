"""A clip's key points as the recogniser's network is shown them: in shoulder widths, at one rate, rest left out."""

import numpy as np

from data_engineering.pose.fill import filled
from data_engineering.pose.normalize import active, normalized
from data_engineering.pose.record import Pose
from data_engineering.reasons import ClipError

GAP = 3  # frames over which a hand that was lost is taken from its neighbours
MOST = 256  # frames of a prepared clip: a longer one is sampled more thinly, as no single sign takes so long


def prepared(pose: Pose, rate: float) -> np.ndarray:
    """Prepares a clip.

    Args:
        pose: Its key points, at its own frame rate.
        rate: Frames a second wanted: velocities mean the same in clips of any frame rate.

    Returns:
        float32 (T, 64, 3): x, y in shoulder widths from between the shoulders, score; not found is all zero. T is at
        least 2 and at most `MOST`.

    Raises:
        ClipError: `too_short` for fewer than two frames, `no_person` where no point of anybody was found.
    """
    if len(pose.points) < 2:
        raise ClipError("too_short", f"key points of {len(pose.points)} frame; a sign takes two at least")
    if not pose.found.any():
        raise ClipError("no_person", f"nobody in any of {len(pose.points)} frames")
    return arranged(normalized(pose.points, pose.size), pose.times, rate)


def arranged(points: np.ndarray, times: np.ndarray, rate: float) -> np.ndarray:
    """Fills short gaps of normalised points, leaves out rest at both ends, and brings what is left to one rate.

    Args:
        points: float32 (T, 64, 3) as `normalized` returns them, T at least 2.
        times: float32 (T,), seconds.
        rate: Frames a second wanted.

    Returns:
        As `prepared` does.
    """
    start, end = active(points)
    if end - start < 2:  # a hand that is raised in one frame alone tells no segment
        start, end = 0, len(points)
    return resampled(filled(points, GAP)[start:end], times[start:end], rate)


def resampled(points: np.ndarray, times: np.ndarray, rate: float) -> np.ndarray:
    """Returns points at even times, between two frames that found a point on the line between them.

    Where only one of the two found it, that one is taken, and where neither did it stays not found.

    Args:
        points: float32 (T, 64, 3), T at least 2.
        times: float32 (T,), seconds.
        rate: Frames a second wanted.
    """
    seconds = max(float(times[-1] - times[0]), 1 / rate)  # a file may give all its frames one time
    count = int(np.clip(round(seconds * rate) + 1, 2, MOST))
    even = np.linspace(0, len(points) - 1, count)
    place = np.interp(np.linspace(times[0], times[-1], count), times, np.arange(len(points)))
    place = place if np.all(np.diff(times) > 0) else even
    before = np.minimum(place.astype(np.int64), len(points) - 2)
    share = (place - before).astype(np.float32)[:, None]
    one, other = points[before], points[before + 1]
    # A point that only one of the two found has all the weight there.
    weights = np.stack([(one[..., 2] > 0) * (1 - share), (other[..., 2] > 0) * share])
    total = np.maximum(weights.sum(axis=0), 1e-6)
    mixed: np.ndarray = (weights[0] / total)[..., None] * one + (weights[1] / total)[..., None] * other
    return mixed.astype(np.float32)
