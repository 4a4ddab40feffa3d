"""A hand's skeleton: handshapes as joint angles, and the 21 joints that follow from them.

Lengths are in hand lengths. A hand's own frame has three unit vectors: f, where straight fingers point; n, out of the
palm; r = f x n, towards the thumb; (f, n, r) is the order of coordinates here. A handshape is 25 numbers (12
flexions and 4 spreads in degrees, 9 coordinates of three thumb bones), so that two shapes blend by blending numbers
while every bone keeps its length.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

WRIST, THUMB_TIP, INDEX_TIP, MIDDLE_TIP, RING_TIP, LITTLE_TIP = 0, 4, 8, 12, 16, 20
JOINTS = 21
SHAPE_SIZE = 25

# Knuckles (mcp) in (f, r), then the bone lengths of index, middle, ring and little finger.
KNUCKLES = np.array([(0.50, 0.14), (0.52, 0.045), (0.49, -0.055), (0.44, -0.15)])
BONES = np.array([(0.245, 0.155, 0.115), (0.27, 0.175, 0.12), (0.25, 0.16, 0.115), (0.195, 0.12, 0.10)])
THUMB_BASE = np.array([0.11, 0.05, 0.12])
THUMB_BONES = np.array([0.215, 0.175, 0.145])

_STRAIGHT, _FIST, _HOOK, _BENT = (2, 3, 2), (86, 100, 62), (12, 92, 55), (82, 6, 4)
_CURVE, _CLAW, _FLAT_O, _ROUND, _LOOSE = (32, 42, 28), (14, 58, 42), (60, 20, 8), (44, 55, 36), (22, 30, 18)
_CLOSED, _TOGETHER, _WIDE = (3, 0, -3, -6), (1, 0, -1, -4), (19, 5, -9, -24)

# Directions (f, r, n) of the thumb's three bones; `_shape` stores them as (f, n, r).
_OUT = ((0.42, 0.88, 0.22), (0.52, 0.85, 0.05), (0.60, 0.80, 0.0))
_BESIDE = ((0.72, 0.62, 0.30), (0.97, 0.22, 0.05), (0.98, 0.10, 0.0))
_ACROSS = ((0.66, 0.36, 0.66), (0.55, -0.80, 0.22), (0.28, -0.95, -0.10))
_OVER = ((0.58, 0.50, 0.70), (0.50, -0.42, 0.76), (0.18, -0.97, 0.05))
_ALONG_FIST = ((0.66, 0.62, 0.42), (0.80, 0.22, 0.55), (0.96, -0.05, 0.10))
_UP = ((0.34, 0.88, 0.34), (0.10, 0.99, 0.08), (-0.06, 0.99, 0.0))
_OPPOSED = ((0.55, 0.42, 0.72), (0.62, 0.10, 0.78), (0.72, -0.10, 0.68))
_PINCH = ((0.58, 0.46, 0.68), (0.80, 0.06, 0.60), (0.85, -0.12, 0.50))
_BETWEEN = ((0.70, 0.45, 0.55), (0.90, -0.12, 0.40), (0.95, -0.20, 0.20))
_PARALLEL = ((0.60, 0.60, 0.52), (0.86, 0.22, 0.45), (0.97, 0.05, 0.22))


def _shape(fingers: Sequence[Sequence[float]], spread: Sequence[float], thumb: Sequence[Sequence[float]]) -> Array:
    return np.concatenate([np.ravel(fingers), np.ravel(spread), np.ravel(np.array(thumb)[:, [0, 2, 1]])]).astype(float)


def _only(extended: str, pose: Sequence[float], spread: Sequence[float], thumb: Sequence[Sequence[float]]) -> Array:
    """A fist but for the fingers named by i(ndex), m(iddle), r(ing), l(ittle)."""
    return _shape([pose if finger in extended else _FIST for finger in "imrl"], spread, thumb)


HANDSHAPES: dict[str, Array] = {
    "1": _only("i", _STRAIGHT, _CLOSED, _OVER),
    "3": _only("im", _STRAIGHT, (15, -6, -3, -6), _OUT),
    "5": _only("imrl", _STRAIGHT, _WIDE, _OUT),
    "A": _only("", _STRAIGHT, _CLOSED, _ALONG_FIST),
    "B": _only("imrl", _STRAIGHT, _TOGETHER, _ACROSS),
    "C": _only("imrl", _CURVE, _CLOSED, _OPPOSED),
    "F": _shape([(52, 50, 30), _STRAIGHT, _STRAIGHT, _STRAIGHT], (6, 6, -8, -22), _PINCH),
    "G": _only("i", _STRAIGHT, _CLOSED, _PARALLEL),
    "H": _only("im", _STRAIGHT, (1, 2, -3, -6), _OVER),
    "I": _only("l", _STRAIGHT, _CLOSED, _OVER),
    "K": _shape([_STRAIGHT, (38, 4, 2), _FIST, _FIST], (10, -4, -3, -6), _BETWEEN),
    "L": _only("i", _STRAIGHT, _CLOSED, _OUT),
    "O": _only("imrl", _ROUND, _CLOSED, _PINCH),
    "S": _only("", _STRAIGHT, _CLOSED, _OVER),
    "V": _only("im", _STRAIGHT, (16, -8, -3, -6), _OVER),
    "W": _only("imr", _STRAIGHT, (17, 1, -14, -6), _OVER),
    "X": _only("i", _HOOK, _CLOSED, _OVER),
    "Y": _only("l", _STRAIGHT, (3, 0, -3, -24), _OUT),
    "bent-B": _only("imrl", _BENT, _TOGETHER, _BESIDE),
    "claw-5": _only("imrl", _CLAW, _WIDE, _OUT),
    "flat-O": _only("imrl", _FLAT_O, _TOGETHER, _PINCH),
    "open-B": _only("imrl", _STRAIGHT, _TOGETHER, _BESIDE),
    "thumb-up": _only("", _STRAIGHT, _CLOSED, _UP),
}
RELAXED = _only("imrl", _LOOSE, _CLOSED, _BESIDE)


def hand_points(shape: Array, frame: Array, wrist: Array, length: float) -> Array:
    """Returns the joints of a hand over time.

    Args:
        shape: (T, 25) handshape numbers.
        frame: (T, 3, 3) rotation whose columns are f, n, r.
        wrist: (T, 3) position.
        length: Hand length in the units of `wrist`.

    Returns:
        (T, 21, 3): wrist, thumb (cmc, mcp, ip, tip), then mcp, pip, dip, tip of the index to the little finger.
    """
    return wrist[:, None] + length * np.einsum("tij,tkj->tki", frame, _local_points(shape))


def _local_points(shape: Array) -> Array:
    """The joints in the hand's own frame: (T, 25) to (T, 21, 3) in (f, n, r)."""
    steps = len(shape)
    flexion = np.deg2rad(shape[:, :12].reshape(steps, 4, 3)).cumsum(axis=2)
    spread = np.deg2rad(shape[:, 12:16])[:, :, None]
    thumb = shape[:, 16:].reshape(steps, 3, 3)
    thumb = thumb / np.sqrt((thumb * thumb).sum(axis=2, keepdims=True))
    reach = np.cos(flexion)
    bones = np.stack([reach * np.cos(spread), np.sin(flexion), reach * np.sin(spread)], axis=3) * BONES[:, :, None]
    points = np.zeros((steps, JOINTS, 3))
    points[:, 1] = THUMB_BASE
    points[:, 2:5] = THUMB_BASE + (thumb * THUMB_BONES[:, None]).cumsum(axis=1)
    fingers = points[:, 5:].reshape(steps, 4, 4, 3)
    fingers[:, :, 0, ::2] = KNUCKLES
    fingers[:, :, 1:] = fingers[:, :, :1] + bones.cumsum(axis=2)
    return points


# Where a hand can touch: weights over its joints, and how far its surface lies out of the palm there (hand lengths).
CONTACTS: dict[str, tuple[dict[int, float], float]] = {
    "wrist": ({0: 1.0}, 0.0),
    "thumb_tip": ({4: 1.0}, 0.0),
    "index_tip": ({8: 1.0}, 0.0),
    "middle_tip": ({12: 1.0}, 0.0),
    "little_tip": ({20: 1.0}, 0.0),
    "fingertips": ({8: 0.34, 12: 0.33, 16: 0.33}, 0.0),
    "palm": ({0: 0.30, 9: 0.45, 13: 0.25}, 0.11),
    "knuckles": ({6: 0.4, 10: 0.4, 14: 0.2}, 0.0),
    "thumb_side": ({5: 0.7, 6: 0.3}, 0.0),
    "little_side": ({17: 0.6, 0: 0.4}, 0.0),
}


def contact_point(shape: Array, contact: str) -> Array:
    """Where a named contact lies in the hand's own frame: (T, 25) to (T, 3) in hand lengths."""
    joints, surface = CONTACTS[contact]
    points = _local_points(shape)
    place = np.zeros((len(shape), 3))
    for joint, weight in joints.items():
        place += weight * points[:, joint]
    place[:, 1] += surface
    return place
