"""Short gaps filled from the nearest frame that found the point, at half its score."""

import numpy as np

FILLED = 0.5
"""What the score of a point taken from another frame is multiplied by."""


def filled(points: np.ndarray, gap: int = 3) -> np.ndarray:
    """Fills points that were not found from the nearest frame that found them; of two as near, from the earlier.

    Extraction marks gaps and never invents; this is the step that does, for whoever wants it: a model that is shown a
    few frames of a clip sees the hand that was there a moment ago, and by its score that it is no detection.

    Args:
        points: float32 (T, 64, 3): x, y and score; not found is all zero.
        gap: Frames, at most, between a point and where it is taken from.

    Returns:
        A copy, filled.
    """
    result = points.copy()
    found = points[..., 2] > 0
    count = len(points)
    for distance in range(1, min(gap, count - 1) + 1):
        for step in (-distance, distance):
            here = slice(max(-step, 0), count - max(step, 0))
            there = slice(max(step, 0), count + min(step, 0))
            taken = found[there] & ~(result[here, :, 2] > 0)
            result[here][taken] = points[there][taken] * np.array([1, 1, FILLED], np.float32)
    return result
