"""A hand drawn from its joints: a silhouette in a contrasting outline, then palm and fingers from back to front."""

from dataclasses import dataclass

import cv2
import numpy as np

from data_engineering.synthetic.hand import Array
from data_engineering.synthetic.paint import Brush, Point, Tone, dim, fixed, mix
from data_engineering.synthetic.signer import Color, luminance

# Radii in hand lengths: thumb, index, middle, ring, little; the tip is narrower.
_RADII = (0.064, 0.055, 0.057, 0.054, 0.047)
_TAPER = (1.0, 0.93, 0.84)
_ANGLES = np.linspace(0, 2 * np.pi, 13)[:-1]
_RING = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], axis=1)
# Below this hand length in canvas pixels, nails, creases and lights would be noise.
_FINE = 34.0


Bone = tuple[Point, Point, float]
"""Two joints and a width."""


@dataclass(frozen=True, slots=True)
class HandColors:
    """Skin of the hand's back and palm, and the lines around and between."""

    back: Tone
    palm: Tone
    outline: Tone
    nail: Tone

    @classmethod
    def of(cls, skin: Color) -> "HandColors":
        """Palms are lighter and pinker than backs, the more so the darker the skin."""
        dark = 1 - min(luminance(skin) / 210, 1)
        palm = mix(mix(skin, (236, 178, 152), 0.18 + 0.42 * dark), (255, 240, 230), 0.06)
        return cls(
            mix(skin, (255, 226, 200), 0.05 + 0.10 * dark),
            palm,
            dim(skin, 0.34 - 0.12 * dark),
            mix(skin, (255, 225, 215), 0.50),
        )


def palm_outlines(points: Array, length: float) -> Array:
    """Points whose convex hull is the palm: (T, 21, 2) joints to (T, 84, 2). `length` is the hand's, in pixels."""
    across = (points[:, 5] - points[:, 17]) / 0.29
    wrist = points[:, 0]
    toward = points[:, 9] - wrist
    centres = np.stack(
        [
            wrist + 0.055 * across,
            wrist - 0.055 * across,
            wrist + 0.3 * toward - 0.12 * across,
            points[:, 2] * 0.35 + points[:, 1] * 0.65,
            points[:, 5],
            points[:, 9] + 0.01 * toward,
            points[:, 17],
        ],
        axis=1,
    )
    radii = length * np.array([0.075, 0.075, 0.06, 0.085, 0.062, 0.06, 0.056])
    return (centres[:, :, None] + radii[:, None, None] * _RING).reshape(len(points), -1, 2)


def paint_hand(
    brush: Brush,
    points: Array,
    depth: Array,
    palm: Array,
    facing: float,
    length: float,
    colors: HandColors,
    light: Point,
) -> None:
    """Draws one hand.

    Args:
        brush: Where.
        points: (21, 2) joints in canvas pixels.
        depth: (21,) towards the viewer, in hand lengths.
        palm: (84, 2) of `palm_outlines`.
        facing: How far the palm faces the viewer, -1..1.
        length: Hand length in canvas pixels.
        colors: The skin.
        light: Unit vector towards the light, canvas directions.
    """
    fine = length > _FINE
    hull = cv2.convexHull(fixed(palm))
    joints: list[Point] = [(x, y) for x, y in points.tolist()]
    line = max(0.034 * length, 1.0)
    widths = [[2 * radius * taper * length for taper in _TAPER] for radius in _RADII]

    cv2.polylines(brush.canvas, [hull], True, colors.outline, max(round(2 * line), 2), cv2.LINE_8, 4)
    for finger in range(5):
        first = 1 + 4 * finger
        for bone in range(3):
            brush.stroke(
                joints[first + bone], joints[first + bone + 1], widths[finger][bone] + 2 * line, colors.outline
            )

    share = min(max(0.5 + 1.1 * facing, 0.0), 1.0)
    skin = mix(colors.back, colors.palm, share)
    edge = dim(skin, 0.60)
    order = sorted(
        [(float(depth[0] + depth[5] + depth[17]) / 3, 5)]
        + [(float(depth[f * 4 + 2 : f * 4 + 5].mean()) + (0.01 if f == 0 else 0), f) for f in range(5)]
    )
    for _, unit in order:
        if unit == 5:
            cv2.fillConvexPoly(brush.canvas, hull, dim(skin, 0.97), cv2.LINE_8, 4)
            if fine:
                _palm_details(brush, points, facing, length, skin, light)
        else:
            _finger(
                brush,
                joints[1 + 4 * unit : 5 + 4 * unit],
                depth[1 + 4 * unit : 5 + 4 * unit],
                widths[unit],
                skin,
                edge,
                colors,
                facing,
                light,
                fine,
            )


def _finger(
    brush: Brush,
    joints: list[Point],
    depth: Array,
    widths: list[float],
    skin: Tone,
    edge: Tone,
    colors: HandColors,
    facing: float,
    light: Point,
    fine: bool,
) -> None:
    thin = max(0.22 * widths[0], 1.0)
    root, knuckle, second, tip = joints
    # The crease beside a finger starts a little above the knuckle, where fingers part.
    parting = (root[0] + 0.34 * (knuckle[0] - root[0]), root[1] + 0.34 * (knuckle[1] - root[1]))
    near_tip = bool(depth[3] > depth[0])
    bones = [(root, knuckle, widths[0]), (knuckle, second, widths[1]), (second, tip, widths[2])]
    brush.stroke(parting, knuckle, widths[0] + thin, edge)
    brush.stroke(knuckle, second, widths[1] + thin, edge)
    brush.stroke(second, tip, widths[2] + thin, edge)
    for place in (0, 1, 2) if near_tip else (2, 1, 0):
        a, b, width = bones[place]
        # A bone that points at the viewer catches the light; one that points away lies in shadow.
        rise = float(depth[place + 1] - depth[place])
        tone = dim(skin, min(1.0 + 0.55 * rise, 1.06)) if rise > 0 else dim(skin, 1.0 + 0.7 * rise)
        if place and near_tip and _bent(bones[place - 1], bones[place]):
            brush.stroke(a, b, width + thin, edge)
        brush.stroke(a, b, width, tone)
    if not fine:
        return
    lit = mix(skin, (255, 250, 240), 0.26)
    shift = 0.24 * widths[1]
    for a, b, width in bones:
        start = (a[0] + 0.25 * (b[0] - a[0]) + light[0] * shift, a[1] + 0.25 * (b[1] - a[1]) + light[1] * shift)
        end = (b[0] - 0.12 * (b[0] - a[0]) + light[0] * shift, b[1] - 0.12 * (b[1] - a[1]) + light[1] * shift)
        brush.stroke(start, end, 0.30 * width, lit)
    bend = float(np.hypot(tip[0] - second[0], tip[1] - second[1]))
    if facing < -0.35 and bend > 0.8 * widths[2]:
        a = (second[0] + 0.62 * (tip[0] - second[0]), second[1] + 0.62 * (tip[1] - second[1]))
        b = (second[0] + 1.05 * (tip[0] - second[0]), second[1] + 1.05 * (tip[1] - second[1]))
        brush.stroke(a, b, 0.58 * widths[2], colors.nail)


def _bent(before: Bone, after: Bone) -> bool:
    """Whether two bones, as seen, fold onto each other or shorten."""
    ux, uy = before[1][0] - before[0][0], before[1][1] - before[0][1]
    vx, vy = after[1][0] - after[0][0], after[1][1] - after[0][1]
    return ux * vx + uy * vy < 0.5 * ((ux * ux + uy * uy) * (vx * vx + vy * vy)) ** 0.5 + 1e-9


def _palm_details(brush: Brush, points: Array, facing: float, length: float, skin: Tone, light: Point) -> None:
    wrist, index, middle, little, thumb = points[0], points[5], points[9], points[17], points[2]
    if facing > 0.3:
        ball = 0.45 * wrist + 0.30 * points[1] + 0.25 * thumb + 0.06 * (middle - wrist)
        brush.disc((float(ball[0]), float(ball[1])), 0.085 * length, mix(skin, (255, 236, 224), 0.22))
        crease = dim(skin, 0.74)
        heart = np.stack([0.84 * little + 0.16 * wrist, 0.80 * points[13] + 0.20 * wrist, 0.86 * middle + 0.14 * wrist])
        life = np.stack(
            [0.75 * index + 0.25 * wrist, 0.40 * middle + 0.25 * index + 0.35 * wrist, 0.25 * middle + 0.75 * wrist]
        )
        brush.trace(heart, 0.022 * length, crease)
        brush.trace(life, 0.022 * length, crease)
    elif facing < -0.3:
        for joint in (5, 9, 13, 17):
            x, y = points[joint]
            brush.disc((float(x), float(y)), 0.040 * length, mix(skin, (255, 246, 236), 0.16))
            tendon = 0.55 * points[joint] + 0.45 * wrist
            brush.stroke(
                (float(x), float(y)),
                (float(tendon[0]), float(tendon[1])),
                0.022 * length,
                mix(skin, (255, 246, 236), 0.09),
            )
