"""A shot drawn frame by frame, on a canvas of any size over any part of the frame."""

from collections.abc import Iterator

import cv2
import numpy as np

from data_engineering.crop import Box
from data_engineering.synthetic.backdrop import backdrop
from data_engineering.synthetic.camera import Shot, drawn_later
from data_engineering.synthetic.degrade import gain, motion_blur
from data_engineering.synthetic.hand import Array
from data_engineering.synthetic.motion import HAND, Performance
from data_engineering.synthetic.paint import Brush
from data_engineering.synthetic.paint_body import paint_arm, paint_body
from data_engineering.synthetic.paint_hand import HandColors, paint_hand, palm_outlines
from data_engineering.synthetic.signer import Signer

_SUPERSAMPLING = 2


def draw(
    shot: Shot, performance: Performance, signer: Signer, area: Box, size: tuple[int, int], velocity: Array
) -> Iterator[np.ndarray]:
    """Draws a shot.

    Args:
        shot: Points in frame pixels.
        performance: Gives mouth and eyes.
        signer: Colours and looks.
        area: The part of the frame that fills the picture, in frame pixels.
        size: Picture (width, height) in pixels.
        velocity: (2, T, 2) of the hands, frame pixels a second.

    Yields:
        uint8 (height, width, 3) RGB, without noise.
    """
    origin = np.array(area[:2])
    zoom = size[0] / (area[2] - area[0])
    scale = zoom * _SUPERSAMPLING
    points = (shot.points - origin) * scale
    unit = shot.scale * scale
    length = HAND * signer.hand * unit
    canvas_size = (size[0] * _SUPERSAMPLING, size[1] * _SUPERSAMPLING)
    wall = backdrop(signer, canvas_size, origin, scale)
    angle = np.deg2rad(signer.light_angle)
    light = (float(np.sin(angle)), float(-np.cos(angle)))
    colors = HandColors.of(signer.skin)
    hands = [points[:, shot.slices[f"hand{side}"]] for side in (0, 1)]
    depths = [shot.near(f"hand{side}") / (HAND * signer.hand) for side in (0, 1)]
    palms = [palm_outlines(hand, length) for hand in hands]
    names = [name for name in shot.slices if not name.startswith(("arm", "hand", "hips"))]
    last = drawn_later(shot, HAND * signer.hand)
    canvas = np.empty_like(wall)
    for t in range(len(points)):
        np.copyto(canvas, wall)
        brush = Brush(canvas)
        parts = {name: points[t, shot.slices[name]] for name in names}
        paint_body(brush, parts, signer, unit, light, float(performance.mouth[t]), float(performance.eyes[t]))
        arms = [points[t, shot.slices[f"arm{side}"]] for side in (0, 1)]
        chest = parts["trunk"].mean(axis=0)
        for side in (1, 0):
            paint_arm(brush, arms[side], signer, unit, light, chest, "upper")
        # A hand pointing away lies behind its forearm.
        for side in (1 - last[t], last[t]):
            behind = depths[side][t].mean() < depths[side][t, 0] - 0.12
            layers = ("hand", "fore") if behind else ("fore", "hand")
            for layer in layers:
                if layer == "fore":
                    paint_arm(brush, arms[side], signer, unit, light, chest, "fore")
                else:
                    facing = float(shot.facing[side, t])
                    paint_hand(brush, hands[side][t], depths[side][t], palms[side][t], facing, length, colors, light)
        picture = cv2.resize(canvas, size, interpolation=cv2.INTER_AREA)
        for side in (0, 1):
            middle = hands[side][t, 9] / _SUPERSAMPLING
            motion_blur(picture, middle, velocity[side, t] * zoom * signer.exposure, 0.7 * length / _SUPERSAMPLING)
        yield gain(picture, signer)
