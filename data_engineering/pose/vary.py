"""What training varies in a clip's key points: what no camera and no two signers do alike, and what extractors drop.

Points move, pixels do not: a turned arm is still an arm, where a turned picture has corners. One draw serves all of a
clip's frames, but for the hands that are dropped, in runs, and for time, which is warped.

The ranges are those under which a tiny model that was shown drawings of key points told ten real signs of people it
had never seen apart, at 97.5 % (with pixels: 39.5 %).
"""

import numpy as np

from data_engineering.keypoints import KEYPOINTS, LEFT_HAND, RIGHT_HAND, SWAPPED

_TURN = 0.12  # radians, either way
_SCALE = (0.87, 1.15)  # of width and of height, each by itself, about the middle of the shoulders
_SHIFT = 0.1  # shoulder widths, either way
_ARM = 0.05  # shoulder widths, standard deviation: where an elbow and a wrist are, the hand going with its wrist
_HAND_TURN, _HAND_SCALE, _HAND_SHIFT = 0.15, (0.9, 1.1), 0.02
_WARP = 0.3  # how much faster than on average, at most, a moment may pass
DROPPED = 0.08
"""The share of frames in which a hand is dropped."""
_RUN = 3.0  # frames: how long a hand is gone, on average

_ARMS = (
    (KEYPOINTS.index("left_elbow"), KEYPOINTS.index("left_wrist"), LEFT_HAND),
    (KEYPOINTS.index("right_elbow"), KEYPOINTS.index("right_wrist"), RIGHT_HAND),
)


def varied(points: np.ndarray, rng: np.random.Generator, *, strength: float = 1.0, mirror: bool = False) -> np.ndarray:
    """Draws a variation of a clip.

    Args:
        points: float32 (T, 64, 3) as `normalize.normalized` returns them.
        rng: Draws it; the same state gives the same variation.
        strength: What the ranges are multiplied by; 0 changes nothing.
        mirror: Exchange left and right, as a left-handed signer would: the same sign where each may be signed with
            either hand.

    Returns:
        float32 (T, 64, 3): scores as they were, but of dropped hands, which are all zero.
    """
    found = points[..., 2:] > 0
    places = points[..., :2].astype(np.float64)
    for elbow, wrist, hand in _ARMS:
        places[:, elbow] += strength * rng.normal(0, _ARM, 2)
        moved = strength * rng.normal(0, _ARM, 2)
        places[:, wrist] += moved
        root = places[:, hand.start, None]
        own = _turned(places[:, hand] - root, strength * rng.uniform(-_HAND_TURN, _HAND_TURN))
        own *= rng.uniform(*_HAND_SCALE, 2) ** strength
        places[:, hand] = root + own + moved + strength * rng.normal(0, _HAND_SHIFT, 2)
    places = _turned(places, strength * rng.uniform(-_TURN, _TURN))
    places = places * rng.uniform(*_SCALE, 2) ** strength + strength * rng.uniform(-_SHIFT, _SHIFT, 2)
    result = np.concatenate([places, points[..., 2:]], axis=-1) * found
    for *_, hand in _ARMS:
        result[_dropped(len(points), strength * DROPPED, rng), hand] = 0
    if mirror:
        result = result[:, SWAPPED] * [-1, 1, 1]
    return result[_warped(len(points), strength * rng.uniform(-_WARP, _WARP))].astype(np.float32)


def _turned(places: np.ndarray, angle: float) -> np.ndarray:
    cos, sin = np.cos(angle), np.sin(angle)
    return places @ np.array([[cos, sin], [-sin, cos]])


def _dropped(count: int, share: float, rng: np.random.Generator) -> np.ndarray:
    """Draws in which frames a hand is gone, (count,) bool: a share of them, in runs of `_RUN` on average.

    A chain of two states: it leaves with 1 / _RUN, and enters as often as keeps the share.
    """
    enters = share / (1 - share) / _RUN
    draws = rng.random(count)
    gone = np.zeros(count, bool)
    state = rng.random() < share
    for frame, draw in enumerate(draws):
        gone[frame] = state
        state = draw < (1 - 1 / _RUN if state else enters)
    return gone


def _warped(count: int, amount: float) -> np.ndarray:
    """Returns which frame is shown when, (count,) int, ascending: faster, then slower than on average, or the reverse.

    u + a sin(2 pi u) / (2 pi) rises wherever |a| < 1. Frames are repeated and left out, none is invented.
    """
    u = np.linspace(0, 1, count)
    return np.round((u + amount * np.sin(2 * np.pi * u) / (2 * np.pi)) * (count - 1)).astype(int)
