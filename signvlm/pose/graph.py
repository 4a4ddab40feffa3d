"""The skeleton as a graph: which of its points are joined, and how far each is from the body's middle.

Source of the points: Jiang et al., "Skeleton Aware Multi-modal Sign Language Recognition", CVPR Workshops 2021, section
3.2: of a hand the wrist, and of each finger its root and its tip; a graph of all 53 points that sign costs twice the
time. Of the partition: Yan, Xiong and Lin, "Spatial Temporal Graph Convolutional Networks for Skeleton-Based Action
Recognition", AAAI 2018, section 3.3, the spatial configuration.
"""

import numpy as np

from data_engineering.keypoints import KEYPOINTS

_SIDES = ("left", "right")
# Root and tip of each finger; the thumb's root is the joint nearest to the wrist.
_LONG = ("index", "middle", "ring", "little")
_FINGERS = (("thumb_cmc", "thumb_tip"), *((f"{name}_mcp", f"{name}_tip") for name in _LONG))
_HAND = ("wrist", *(joint for finger in _FINGERS for joint in finger))
_BODY = ("nose", *(f"{side}_{part}" for part in ("shoulder", "elbow", "wrist") for side in _SIDES))
_NAMES = (*_BODY, *(f"{side}_hand_{joint}" for side in _SIDES for joint in _HAND))
POINTS = tuple(KEYPOINTS.index(name) for name in _NAMES)
"""The graph's points, 29 of the 64: the body's, then each hand's."""

BODY, HAND = len(_BODY), len(_HAND)

_JOINED = [
    ("left_shoulder", "right_shoulder"),
    *(
        pair
        for side in _SIDES
        for pair in (
            ("nose", f"{side}_shoulder"),
            (f"{side}_shoulder", f"{side}_elbow"),
            (f"{side}_elbow", f"{side}_wrist"),
            (f"{side}_wrist", f"{side}_hand_wrist"),
            *((f"{side}_hand_wrist", f"{side}_hand_{root}") for root, _ in _FINGERS),
            *((f"{side}_hand_{root}", f"{side}_hand_{tip}") for root, tip in _FINGERS),
        )
    ),
]
_MIDDLE = ("left_shoulder", "right_shoulder")


def adjacency() -> np.ndarray:
    """Returns float32 (3, V, V), V the points: each point with itself, with what is nearer to the middle, and farther.

    Entry [k, i, j] is what point i takes from point j; a row of the sum of all three sums to 1.
    """
    place = {name: number for number, name in enumerate(_NAMES)}
    count = len(_NAMES)
    joined = np.zeros((count, count), bool)
    for one, other in _JOINED:
        joined[place[one], place[other]] = joined[place[other], place[one]] = True
    hops = _hops(joined, [place[name] for name in _MIDDLE])
    nearer = joined & (hops[None, :] < hops[:, None])
    # Points as far as each other stand with the point itself, as in the paper.
    itself = np.eye(count, dtype=bool) | (joined & (hops[None, :] == hops[:, None]))
    parts = np.stack([itself, nearer, joined & ~nearer & ~itself])
    return (parts / parts.sum(axis=(0, 2))[None, :, None]).astype(np.float32)


def _hops(joined: np.ndarray, start: list[int]) -> np.ndarray:
    """Returns int (V,): the fewest edges from any of `start` to each point."""
    hops = np.full(len(joined), len(joined))
    hops[start] = 0
    for distance in range(1, len(joined)):
        reached = joined[hops == distance - 1].any(axis=0)
        hops[reached & (hops > distance)] = distance
    return hops
