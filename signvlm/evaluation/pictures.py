"""Clips as filmstrips inside a page: small WebP frames in data: URIs, within a budget of bytes."""

import base64
from collections.abc import Callable
from io import BytesIO

import numpy as np
from PIL import Image

FRAMES = 8
SIDE = 128  # pixels: a hand shape is still readable, and eight frames weigh about 30 kB
BUDGET = 3_600_000  # characters of all the frames of a page, so that the whole stays below 5 MB


class Filmstrips:
    """Makes a page's filmstrips until its budget is spent.

    Attributes:
        left_out: Strips that no longer fitted.
    """

    def __init__(self, frames: Callable[[str], np.ndarray | None], budget: int = BUDGET) -> None:
        """Takes how to get a clip's frames: uint8 (T, H, W, 3) RGB, or None where there are none."""
        self._frames = frames
        self._budget = budget
        self._made: dict[tuple[str, int], list[str]] = {}
        self.left_out = 0

    def strip(self, clip_id: str, most: int = FRAMES) -> list[str]:
        """Returns at most `most` of a clip's frames as data: URIs, in time order; empty without frames or budget."""
        if (clip_id, most) not in self._made:
            frames = self._frames(clip_id)
            self._made[clip_id, most] = [] if frames is None else [data_uri(frame) for frame in spread(frames, most)]
        uris = self._made[clip_id, most]
        cost = sum(map(len, uris))
        if cost > self._budget:
            self.left_out += 1
            return []
        self._budget -= cost  # each time: a clip shown twice is in the page twice
        return uris


def spread(frames: np.ndarray, most: int = FRAMES) -> np.ndarray:
    """Returns at most `most` frames of (T, H, W, 3), the centres of equal segments of time."""
    count = min(most, len(frames))
    return frames[((np.arange(count) + 0.5) * len(frames) / count).astype(int)]


def data_uri(frame: np.ndarray, side: int = SIDE) -> str:
    """Returns a uint8 (H, W, 3) RGB frame as a WebP image in a data: URI, no side longer than `side` pixels."""
    image = Image.fromarray(frame)
    image.thumbnail((side, side), Image.Resampling.LANCZOS)
    buffer = BytesIO()
    image.save(buffer, format="WEBP", quality=72, method=4)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
