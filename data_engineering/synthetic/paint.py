"""Brushes: tapered limbs and filled outlines, with sub-pixel coordinates."""

import cv2
import numpy as np

from data_engineering.synthetic.hand import Array
from data_engineering.synthetic.signer import Color

Tone = tuple[float, float, float]
Point = tuple[float, float]
_BITS = 4
_ONE = 1 << _BITS


def mix(one: Tone | Color, other: Tone | Color, share: float) -> Tone:
    """Blends `share` of the second colour into the first."""
    keep = 1 - share
    return one[0] * keep + other[0] * share, one[1] * keep + other[1] * share, one[2] * keep + other[2] * share


def dim(color: Tone | Color, factor: float) -> Tone:
    """Darkens a colour; shadows lose a little less red than blue."""
    return color[0] * factor, color[1] * factor * 0.985, color[2] * factor * 0.98


class Brush:
    """Draws on one canvas in its continuous coordinates (the first pixel covers 0..1)."""

    def __init__(self, canvas: np.ndarray) -> None:
        self.canvas = canvas

    def disc(self, centre: Point, radius: float, color: Tone | Color) -> None:
        """A filled circle."""
        place = (round((centre[0] - 0.5) * _ONE), round((centre[1] - 0.5) * _ONE))
        cv2.circle(self.canvas, place, max(round(radius * _ONE), 8), color, -1, cv2.LINE_8, _BITS)

    def oval(self, centre: Point, axes: Point, angle: float, color: Tone | Color, thickness: int = -1) -> None:
        """An ellipse; angle in degrees."""
        place = (round((centre[0] - 0.5) * _ONE), round((centre[1] - 0.5) * _ONE))
        size = (max(round(axes[0] * _ONE), 4), max(round(axes[1] * _ONE), 4))
        cv2.ellipse(self.canvas, place, size, angle, 0, 360, color, thickness, cv2.LINE_8, _BITS)

    def arc(
        self, centre: Point, axes: Point, angle: float, start: float, end: float, color: Tone | Color, width: float
    ) -> None:
        """Part of an ellipse's edge; angles in degrees."""
        place = (round((centre[0] - 0.5) * _ONE), round((centre[1] - 0.5) * _ONE))
        size = (max(round(axes[0] * _ONE), 4), max(round(axes[1] * _ONE), 4))
        cv2.ellipse(self.canvas, place, size, angle, start, end, color, max(round(width), 1), cv2.LINE_8, _BITS)

    def stroke(self, a: Point, b: Point, width: float, color: Tone | Color) -> None:
        """A line with round ends."""
        one = (round((a[0] - 0.5) * _ONE), round((a[1] - 0.5) * _ONE))
        other = (round((b[0] - 0.5) * _ONE), round((b[1] - 0.5) * _ONE))
        cv2.line(self.canvas, one, other, color, max(round(width), 1), cv2.LINE_8, _BITS)

    def limb(self, a: Point, ra: float, b: Point, rb: float, color: Tone | Color) -> None:
        """A capsule whose radius goes from ra to rb."""
        self.disc(a, ra, color)
        self.disc(b, rb, color)
        dx, dy = b[0] - a[0], b[1] - a[1]
        length = (dx * dx + dy * dy) ** 0.5
        if length > 0.5:
            nx, ny = -dy / length, dx / length
            corners = (
                (a[0] + nx * ra, a[1] + ny * ra), (b[0] + nx * rb, b[1] + ny * rb),
                (b[0] - nx * rb, b[1] - ny * rb), (a[0] - nx * ra, a[1] - ny * ra),
            )  # fmt: skip
            shape = np.array([(round((x - 0.5) * _ONE), round((y - 0.5) * _ONE)) for x, y in corners], np.int32)
            cv2.fillConvexPoly(self.canvas, shape, color, cv2.LINE_8, _BITS)

    def fill(self, points: Array, color: Tone | Color) -> None:
        """A filled outline: (K, 2)."""
        cv2.fillPoly(self.canvas, [fixed(points)], color, cv2.LINE_8, _BITS)

    def convex(self, points: Array, color: Tone | Color) -> None:
        """A filled convex outline: (K, 2)."""
        cv2.fillConvexPoly(self.canvas, fixed(points), color, cv2.LINE_8, _BITS)

    def trace(self, points: Array, width: float, color: Tone | Color, closed: bool = False) -> None:
        """A polyline: (K, 2)."""
        cv2.polylines(self.canvas, [fixed(points)], closed, color, max(round(width), 1), cv2.LINE_8, _BITS)


def fixed(points: Array) -> np.ndarray:
    """Canvas coordinates as OpenCV's fixed point."""
    return np.rint((points - 0.5) * _ONE).astype(np.int32)
