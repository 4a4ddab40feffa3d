"""What is behind the signer, drawn once a clip, in frame heights so that any crop and size shows the same room."""

import cv2
import numpy as np

from data_engineering.synthetic.hand import Array
from data_engineering.synthetic.paint import Brush, Tone, dim, mix
from data_engineering.synthetic.signer import Signer


def backdrop(signer: Signer, size: tuple[int, int], origin: Array, scale: float) -> np.ndarray:
    """Draws the wall behind a signer.

    Args:
        signer: Gives background, wall and the seed of its details.
        size: Canvas (width, height) in pixels.
        origin: Frame pixel at the canvas's corner, (2,).
        scale: Canvas pixels a frame pixel.

    Returns:
        uint8 (height, width, 3).
    """
    look = np.random.default_rng(signer.look + 1)
    width, height = size
    canvas: np.ndarray = np.empty((height, width, 3), np.uint8)
    canvas[:] = signer.wall
    brush = Brush(canvas)
    unit = signer.height * scale

    def rect(x: float, y: float, w: float, h: float, color: Tone) -> None:
        corner = (np.array([x, y]) * signer.height - origin) * scale
        brush.convex(corner + np.array([(0, 0), (w, 0), (w, h), (0, h)]) * unit, color)

    wide = signer.width / signer.height
    if signer.background == "curtain":
        fold = look.uniform(0.06, 0.12)
        for x in np.arange(-0.1, wide + 0.1, fold):
            rect(x, -0.5, fold * 0.55, 2, dim(signer.wall, look.uniform(0.86, 0.94)))
            rect(x + fold * 0.1, -0.5, fold * 0.12, 2, mix(signer.wall, (255, 255, 255), 0.12))
    elif signer.background == "room":
        rect(-1, 0.72, 5, 2, dim(signer.wall, 0.80))
        rect(-1, 0.70, 5, 0.025, mix(signer.wall, (255, 255, 255), 0.35))
        x, y = look.uniform(0, 0.16), look.uniform(0.05, 0.2)
        rect(x, y, 0.26, 0.34, dim(signer.wall, 0.45))
        rect(x + 0.02, y + 0.02, 0.22, 0.30, mix(signer.wall, tuple(look.integers(60, 230, 3).tolist()), 0.6))
        if look.random() < 0.6:
            x = wide - look.uniform(0.22, 0.34)
            rect(x, -0.1, 0.5, 0.75, mix(signer.wall, (250, 252, 255), 0.75))
            rect(x, 0.25, 0.5, 0.02, dim(signer.wall, 0.7))
    elif signer.background == "shelf":
        for y in (0.12, 0.42, 0.72, 1.02):
            x = -0.1
            while x < wide + 0.1:
                thick, tall = look.uniform(0.02, 0.05), look.uniform(0.14, 0.24)
                rect(x, y - tall, thick * 0.92, tall, mix(signer.wall, tuple(look.integers(30, 220, 3).tolist()), 0.45))
                x += thick
            rect(-1, y, 5, 0.022, dim(signer.wall, 0.62))
    elif signer.background == "bokeh":
        for _ in range(9):
            place = (np.array([look.uniform(0, wide), look.uniform(0, 0.9)]) * signer.height - origin) * scale
            brush.disc(
                (float(place[0]), float(place[1])),
                look.uniform(0.06, 0.2) * unit,
                mix(signer.wall, tuple(look.integers(40, 255, 3).tolist()), 0.25),
            )
    if signer.background in ("shelf", "bokeh", "room"):
        # Rooms behind a signer are out of focus; blurring a reduced copy is as good and far cheaper.
        small = cv2.resize(canvas, (max(width // 4, 8), max(height // 4, 8)), interpolation=cv2.INTER_AREA)
        small = cv2.blur(small, (max(int(unit * 0.006), 1) | 1,) * 2)
        canvas = cv2.resize(small, size, interpolation=cv2.INTER_LINEAR)
    return _shade(canvas, signer, look)


def _shade(canvas: np.ndarray, signer: Signer, look: np.random.Generator) -> np.ndarray:
    """Light falls off across the wall."""
    height, width = canvas.shape[:2]
    ramp = np.linspace(-1, 1, 9)
    side = np.sin(np.deg2rad(signer.light_angle))
    depth = 0.16 if signer.background == "gradient" else 0.08
    light = 1 + depth * (side * ramp[None] - 0.7 * ramp[:, None]) - 0.05 * (ramp[None] ** 2 + ramp[:, None] ** 2)
    light = light + look.normal(0, 0.006, light.shape)
    scale = cv2.resize((light * 160).clip(0, 255).astype(np.uint8), (width, height), interpolation=cv2.INTER_CUBIC)
    return cv2.multiply(canvas, cv2.merge([scale] * 3), scale=1 / 160)
