"""Small grey pictures of a clip, gathered while it is decoded: what black, frozen, moving and alike are judged by."""

import cv2
import numpy as np
from av import VideoFrame

# Longest side of a small picture, pixels: a hand on a frame of 960 x 540 is still 8 of them long.
SIDE = 128
# So many pictures of a clip are kept at most.
_KEPT = 24
# Frames are thinned to about this many pixels across before they are averaged down.
_THINNED = 512
# A frame is black if 99 of 100 pixels are darker than this (0..255): measured black tails are 0, and video black that
# was read as full range is 16; the darkest real frame of the 88 shared clips has 99.
_BLACK_SHARE, _BLACK_LEVEL = 0.99, 32
# A title card is text on black among bright frames: this much of it is dark, and less than half of an ordinary frame.
_CARD_DARK, _ORDINARY_DARK = 0.9, 0.5
# Brightness is judged on about this many pixels across.
_BLACK_GRID = 64
# FFmpeg's formats whose first plane is the brightness, a byte a pixel.
_PLANAR = {f"{kind}{layout}" for kind in ("yuv", "yuvj") for layout in ("420p", "422p", "444p")} | {"nv12", "gray"}
# Those of video put black at 16 and white at 235, so that a black level of 32 is this.
_DIM = 16 + _BLACK_LEVEL * (235 - 16) / 255


class Sketch:
    """Collects what is kept of the frames of one clip.

    Attributes:
        times: Seconds of every frame.
    """

    def __init__(self, expected: int) -> None:
        """Prepares for about `expected` frames."""
        self._every = max(1, -(-expected // _KEPT))
        self._size: tuple[int, int] | None = None
        self._kept: dict[int, np.ndarray] = {}
        self._dark: list[float] = []
        self.times: list[float] = []

    def add(self, time: float, frame: VideoFrame) -> None:
        """Looks at the next frame, shown at `time` seconds."""
        layout = frame.format.name
        grey = luma(frame, layout)
        step = max(1, min(grey.shape) // _BLACK_GRID)
        grid = grey[::step, ::step]
        full = layout.startswith("yuvj") or layout not in _PLANAR
        dark = float(np.count_nonzero(grid < (_BLACK_LEVEL if full else _DIM)) / grid.size)
        if dark > _CARD_DARK:
            # The brightest channel, so that no colour counts as black.
            dark = float((frame.to_ndarray(format="rgb24")[::step, ::step].max(axis=2) < _BLACK_LEVEL).mean())
        self._dark.append(dark)
        if len(self.times) % self._every == 0:
            self._kept[len(self.times)] = self._reduce(grey)
        self.times.append(time)

    def black(self) -> list[bool]:
        """Tells of every frame whether it is black or a title card."""
        black = [share > _BLACK_SHARE for share in self._dark]
        # The lower quartile, as a card may fill half of a clip (70212).
        if self._dark and np.percentile(self._dark, 25) < _ORDINARY_DARK:
            black = [share > _CARD_DARK for share in self._dark]
        return black

    def pictures(self, kept: slice, black: list[bool], rotation: int) -> np.ndarray:
        """Returns small pictures of the frames `kept` that are not black, evenly from first to last.

        Args:
            kept: Which frames count.
            black: As `black` returned it.
            rotation: Degrees clockwise, 0 | 90 | 180 | 270, that frames must be turned by.

        Returns:
            uint8 (T, h, w), T up to 24 and at least 1, the longer of h and w 128.
        """
        within = range(len(self.times))[kept]
        chosen = [index for index in self._kept if index in within and not black[index]] or [min(self._kept)]
        return np.rot90(np.stack([self._kept[index] for index in chosen]), -rotation // 90, axes=(1, 2))

    def _reduce(self, grey: np.ndarray) -> np.ndarray:
        height, width = grey.shape
        if self._size is None:
            scale = SIDE / max(width, height)
            self._size = max(2, round(width * scale)), max(2, round(height * scale))
        step = max(1, max(width, height) // _THINNED)
        return cv2.resize(np.ascontiguousarray(grey[::step, ::step]), self._size, interpolation=cv2.INTER_AREA)


def luma(frame: VideoFrame, layout: str) -> np.ndarray:
    """Returns a frame's brightness as it is stored, uint8 (H, W), without a copy where its `layout` allows it."""
    if layout not in _PLANAR:
        return frame.to_ndarray(format="gray")
    plane = frame.planes[0]
    rows: np.ndarray = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
    return rows[: frame.height, : frame.width]
