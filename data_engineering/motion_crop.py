"""Where a clip's signer is, seen from what moves: for clips whose index gives no box, or the whole frame as one.

Hands and arms move most, the head a little, the wall not at all. What moves strongly is found first, then whatever
moves at all and hangs together with it. Noise, compression and a flickering lamp are measured and taken off; a shaking
camera is held still. Where nothing moves, or everything does, there is no box.
"""

from typing import NamedTuple

import cv2
import numpy as np

# A cell that moves differs from its median by at least this many grey levels, and by so many times the clip's noise.
_WEAK, _WEAK_NOISE = 5.0, 4.0
_STRONG, _STRONG_NOISE = 10.0, 8.0
# It does so in at least this share of the pictures, and twice.
_SHARE = 0.06
# More of the frame than this moving at all is a cut, or a camera that is carried.
_EVERYWHERE = 0.6
# How the camera shakes is seen at the frame's rim, this part of it left, right and above, where no signer is; it takes
# edges to see it, so many grey levels a cell on average.
_RIM, _EDGES = 0.15, 1.0
# A shift of the frame explains this part of all change at the rim, or it was something else.
_EXPLAINED = 0.5
# A camera that shakes by less than this many cells stands still; by more than this part of the frame, it is carried.
_STILL, _SHAKE = 0.05, 0.06
# The median picture, the wall without hands, is taken of so many.
_MEDIAN_OF = 9
# Less than this many cells is no hand: as strong motion, then whatever moves is taken; as any, nothing moves.
_HAND = 16
# A piece of a head's edge that moves has so many.
_EDGE = 6
# A second region that moves as strongly, the other arm or the head, has at least this part of the first one's cells,
# and is no further from it than this part of its longer side; a small one is nearer.
_SECOND, _FAR = 0.15, 2.0
_PART, _NEAR = 0.02, 0.35
# What moves weakly above the strong region is the head, if it lies within this part of the region's longer side of it
# across and up. Beside and below it are shadows.
_BESIDE, _ABOVE = 0.15, 1.0
# A head is about a quarter as high as head and hands together; so much is added above, where it may have kept still.
_HEAD = 0.12
# Head and hands together are at least about as high as wide; what is missing is above the hands.
_UPRIGHT = 1.1
# A smaller box holds a finger rather than a signer: this part of the frame's shorter side.
_SMALLEST = 0.25


def motion_box(pictures: np.ndarray) -> tuple[float, float, float, float] | None:
    """Finds the signer's head and hands by their motion.

    Args:
        pictures: uint8 (T, h, w), small grey pictures of the clip in order, as `sketch` makes them.

    Returns:
        left, top, right, bottom as fractions of the frame, or None if nothing moves, or nearly everything.
    """
    differences, slack = _held_still(pictures)
    weak, strong = _moving(differences, slack)
    if weak.sum() < _HAND or weak.mean() > _EVERYWHERE:
        return None
    left, top, right, bottom = _signer(weak, strong)
    height, width = weak.shape
    top = min(top - _HEAD * (bottom - top), bottom - _UPRIGHT * (right - left))
    least = _SMALLEST * min(height, width)
    left, right = _at_least(left, right, least)
    top, bottom = _at_least(top, bottom, least)
    low, high = max(left / width, 0.0), max(top / height, 0.0)
    return float(low), float(high), float(min(right / width, 1.0)), float(min(bottom / height, 1.0))


def _differences(pictures: np.ndarray) -> np.ndarray:
    """Differences from the median picture, int16 (T, h, w), each picture's change of light taken off."""
    differences: np.ndarray = pictures.astype(np.int16) - _middle(pictures)
    # Most of a frame is not the signer's hands: its median change is the light's.
    flat = differences.reshape(len(pictures), -1)
    light = np.partition(flat, flat.shape[1] // 2, axis=1)[:, flat.shape[1] // 2]
    return differences - light[:, None, None]


def _middle(pictures: np.ndarray) -> np.ndarray:
    """The median picture, uint8 (h, w)."""
    few = pictures[:: -(-len(pictures) // _MEDIAN_OF)]
    median: np.ndarray = np.partition(few, len(few) // 2, axis=0)[len(few) // 2]
    return median


def _held_still(pictures: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Differences from the median picture as if the camera had stood still, and how far its shaking may explain them.

    A shift of (x, y) changes a cell by the gradient times it (Lucas and Kanade 1981); the least squares over the rim.

    Returns:
        As `_differences`, and float32 (h, w), grey levels.
    """
    differences = _differences(pictures)
    reference = _middle(pictures).astype(np.float32)
    height, width = reference.shape
    slopes: list[np.ndarray] = list(np.gradient(reference))
    down, across = slopes
    rim = np.ones((height, width), bool)
    rim[round(_RIM * height) :, round(_RIM * width) : round((1 - _RIM) * width)] = False
    edges = np.stack([across[rim], down[rim]])
    weakest: float = np.linalg.eigvalsh(edges @ edges.T).min()
    if weakest < _EDGES * rim.sum():
        return differences, np.zeros_like(reference)
    seen: np.ndarray = differences[:, rim].astype(np.float32)
    shifts: np.ndarray = -np.linalg.solve(edges @ edges.T, edges @ seen.T).T
    explained = 1 - float(((seen + shifts @ edges) ** 2).sum() / max((seen**2).sum(), 1))
    shifts[(np.abs(shifts) > [_SHAKE * width, _SHAKE * height]).any(axis=1)] = 0
    shaken = float(np.sqrt((shifts**2).mean()))
    if shaken < _STILL or explained < _EXPLAINED:
        return differences, np.zeros_like(reference)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    held = [
        cv2.warpAffine(
            picture,
            np.array([[1, 0, x], [0, 1, y]], np.float32),
            (width, height),
            flags=flags,
            borderMode=cv2.BORDER_REPLICATE,
        )
        for picture, (x, y) in zip(pictures, shifts, strict=True)
    ]
    return _differences(np.stack(held)), shaken * np.hypot(across, down)


def _moving(differences: np.ndarray, slack: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns which cells move at all and which move strongly, bool (h, w) each."""
    amounts = np.abs(differences)
    # The middle of all cells is wall: 1.48 times its median deviation is the noise's standard deviation.
    noise = 1.48 * float(np.median(amounts[:, ::2, ::2]))
    often = max(2, round(_SHARE * len(amounts)))
    weak = (amounts > max(_WEAK, _WEAK_NOISE * noise) + slack).sum(axis=0) >= often
    strong = (amounts > max(_STRONG, _STRONG_NOISE * noise) + slack).sum(axis=0) >= often
    return _filled(weak), _filled(strong) & _filled(weak)


def _filled(mask: np.ndarray) -> np.ndarray:
    """The cells of a mask with two neighbours in it: single ones are noise, a head's edge is a thin line."""
    cells: np.ndarray = mask.astype(np.uint8)
    near = cv2.boxFilter(cells, cv2.CV_8U, (3, 3), normalize=False, borderType=cv2.BORDER_CONSTANT)
    return mask & (near >= 3)


def _signer(weak: np.ndarray, strong: np.ndarray) -> tuple[float, float, float, float]:
    """The box, in cells, of what moves strongly, both arms perhaps, and of what moves with it."""
    # Widened by a cell, so that an arm and its hand are one.
    joined = cv2.dilate(strong.astype(np.uint8), np.ones((3, 3), np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(joined, connectivity=8)
    weights = np.bincount(labels[strong], minlength=count)
    weights[0] = 0
    boxes = [_Region(x + 1, y + 1, x + w - 1, y + h - 1) for x, y, w, h in stats[:, :4].tolist()]
    order = np.argsort(-weights, kind="stable")
    if weights[order[0]] < _HAND and strong is not weak:
        return _signer(weak, weak)
    found = boxes[order[0]]
    for label in order[1:]:
        share = weights[label] / weights[order[0]]
        reach = _FAR if share >= _SECOND else _NEAR if share >= _PART else -1.0
        if found.apart(boxes[label]) <= reach * found.longer:
            found = found.joined(boxes[label])
    return found._replace(top=min(found.top, _highest(weak, found)))


def _highest(weak: np.ndarray, core: "_Region") -> float:
    """The highest row over a region in which something moves, as far up as a head may be."""
    beside = _BESIDE * core.longer
    columns = slice(max(0, int(core.left - beside)), int(core.right + beside) + 1)
    highest = max(0, int(core.top - _ABOVE * core.longer))
    part = np.ascontiguousarray(weak[highest : int(core.top) + 1, columns], np.uint8)
    count, _, stats, _ = cv2.connectedComponentsWithStats(part, connectivity=8)
    tops = stats[1:count, cv2.CC_STAT_TOP][stats[1:count, cv2.CC_STAT_AREA] >= _EDGE]
    return float(highest + tops.min()) if len(tops) else core.top


class _Region(NamedTuple):
    left: float
    top: float
    right: float
    bottom: float

    @property
    def longer(self) -> float:
        return max(self.right - self.left, self.bottom - self.top)

    def gaps(self, other: "_Region") -> tuple[float, float]:
        """Cells between two regions, across and down; 0 where they overlap."""
        across = max(other.left - self.right, self.left - other.right, 0.0)
        return across, max(other.top - self.bottom, self.top - other.bottom, 0.0)

    def apart(self, other: "_Region") -> float:
        return max(self.gaps(other))

    def joined(self, other: "_Region") -> "_Region":
        low, high = np.minimum(self, other), np.maximum(self, other)
        return _Region(float(low[0]), float(low[1]), float(high[2]), float(high[3]))


def _at_least(low: float, high: float, least: float) -> tuple[float, float]:
    grow = max(0.0, least - (high - low)) / 2
    return low - grow, high + grow
