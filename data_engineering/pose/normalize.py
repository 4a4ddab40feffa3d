"""Key points in the signer's own measure: centred between the shoulders, in shoulder widths; and when they sign.

What is left are the movements: where the camera stood and how large the picture was is gone.
"""

import numpy as np

from data_engineering.keypoints import KEYPOINTS, LEFT_HAND, RIGHT_HAND, SHOULDERS

# Shoulders nearer to each other than this share of the frame's width tell no scale: somebody seen from the side.
_NARROWEST = 0.02
# Somebody without shoulders is taken to be as wide as a signer filmed from head to waist.
_USUAL = 0.25
# In shoulder widths below the shoulders: hands that sign in front of the belt are above it, hands in a lap below.
_RAISED = 0.75
# A wrist moves when it is faster than this share of the clip's own fastest; a slower one drifts.
_MOVING = 0.25
# Shoulder widths a frame. What is slower than this at its fastest is the extractor's jitter, no movement.
_STILL = 0.02
_WRISTS = (
    (KEYPOINTS.index("left_wrist"), LEFT_HAND.start),
    (KEYPOINTS.index("right_wrist"), RIGHT_HAND.start),
)


def normalized(points: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Measures a clip from the middle of the shoulders, in shoulder widths; y points down.

    Both are the clip's median over the frames that show both shoulders, so that a clip is moved and scaled as a whole
    and the trunk's own movement stays. Where no frame shows both, the middle is the frame's and a shoulder width a
    quarter of its width.

    Args:
        points: float (T, 64, 3): x, y in pixels, score; not found is all zero. As in `record.Pose`.
        size: Width and height of the frame in pixels.

    Returns:
        float32 (T, 64, 3): x, y in shoulder widths, the score as it was; not found, or not finite, is all zero.
    """
    points = np.asarray(points, np.float32)
    found = np.isfinite(points).all(axis=-1) & (points[..., 2] > 0)
    origin, width = _measure(points, found, size)
    result = np.zeros_like(points)
    result[..., :2] = (points[..., :2] - origin) / width
    result[..., 2] = points[..., 2]
    result[~found] = 0
    return result


def active(points: np.ndarray) -> tuple[int, int]:
    """Finds the segment of a clip in which somebody signs: a wrist is raised, or moves.

    Clips begin and end at rest, a fifth of their frames, and a sampler that spreads few frames over all of a clip
    shows as many of lowered hands.

    Args:
        points: float32 (T, 64, 3) as `normalized` returns them.

    Returns:
        (start, end): frames start to end - 1, a frame of context on either side included. The whole clip where no
        wrist is ever raised or moves.
    """
    count = len(points)
    busy = np.zeros(count, bool)
    for body, hand in _WRISTS:
        wrist = np.where(points[:, body, 2:] > 0, points[:, body], points[:, hand])
        seen = np.flatnonzero(wrist[:, 2] > 0)
        busy[seen] |= wrist[seen, 1] < _RAISED
        if len(seen) > 1:
            # Over a gap the wrist is taken to have gone straight.
            every = np.arange(count)
            path = np.stack([np.interp(every, seen, wrist[seen, axis]) for axis in (0, 1)], axis=1)
            speed = np.linalg.norm(np.gradient(path, axis=0), axis=1)
            busy |= speed > max(_MOVING * np.percentile(speed, 95), _STILL)
    if not busy.any():
        return 0, count
    first, last = np.flatnonzero(busy)[[0, -1]]
    return max(int(first) - 1, 0), min(int(last) + 2, count)


def _measure(points: np.ndarray, found: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, float]:
    """Returns the clip's origin (2,) and its unit, in pixels."""
    both = found[:, SHOULDERS].all(axis=1)
    origin, width = np.array(size, np.float32) / 2, _USUAL * size[0]
    if both.any():
        left, right = (points[both, shoulder, :2] for shoulder in SHOULDERS)
        origin = np.median((left + right) / 2, axis=0)
        width = max(float(np.median(np.linalg.norm(left - right, axis=1))), _NARROWEST * size[0])
    return origin, max(width, 1.0)
