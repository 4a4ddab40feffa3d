"""Which of a clip's stored frames a model is shown."""

import numpy as np
import torch


def choose_frames(stored: int, wanted: int, jitter: bool) -> np.ndarray:
    """Chooses which of a clip's stored frames are shown.

    Args:
        stored: Frames stored, at the centres of equal segments.
        wanted: Frames to show, at most `stored`.
        jitter: Draw one stored frame from each of `wanted` equal segments (torch's generator), instead of the one
            nearest to the segment's centre.

    Returns:
        int64 (wanted,), ascending indices.

    Examples:
        >>> choose_frames(16, 8, jitter=False).tolist()
        [1, 3, 5, 7, 9, 11, 13, 15]
    """
    # Whole edges: segments never share a frame, whatever the ratio.
    edges = np.arange(wanted + 1) * stored // wanted
    place = torch.rand(wanted).numpy() if jitter else np.full(wanted, 0.5)
    return (edges[:-1] + place * np.diff(edges)).astype(np.int64)
