"""The skeleton as a graph: which of the used points are joined, and how far each is from the body's middle.

Source: Yan, Xiong and Lin, "Spatial Temporal Graph Convolutional Networks for Skeleton-Based Action Recognition", AAAI
2018, section 3.3, the spatial configuration partitioning.
"""

import numpy as np

from data_engineering.keypoints import HAND_JOINTS, KEYPOINTS
from signvlm.pose.features import POINTS

_ARMS = [
    ("nose", "left_eye"), ("nose", "right_eye"), ("left_eye", "left_ear"), ("right_eye", "right_ear"),
    ("nose", "left_shoulder"), ("nose", "right_shoulder"), ("left_shoulder", "right_shoulder"),
    *((f"{side}_{one}", f"{side}_{other}") for side in ("left", "right")
      for one, other in (("shoulder", "elbow"), ("elbow", "wrist"), ("wrist", "hand_wrist"))),
]  # fmt: skip
# A finger's four joints in a row, the first of them joined to the wrist.
_FINGERS = [
    (f"{side}_hand_{HAND_JOINTS[0 if joint % 4 == 1 else joint - 1]}", f"{side}_hand_{HAND_JOINTS[joint]}")
    for side in ("left", "right")
    for joint in range(1, len(HAND_JOINTS))
]
_MIDDLE = ("left_shoulder", "right_shoulder")


def adjacency() -> np.ndarray:
    """Returns float32 (3, V, V), V the used points: each point with itself, from neighbours nearer to, farther from it.

    Entry [k, i, j] is what point i takes from point j; a row of the sum of all three sums to 1.
    """
    place = {KEYPOINTS[index]: number for number, index in enumerate(POINTS)}
    count = len(POINTS)
    joined = np.zeros((count, count), bool)
    for one, other in [*_ARMS, *_FINGERS]:
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
