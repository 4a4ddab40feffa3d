"""Trunk, head and arms drawn from their projected outlines."""

import numpy as np

from data_engineering.synthetic.body import LANDMARKS
from data_engineering.synthetic.hand import Array
from data_engineering.synthetic.paint import Brush, Point, Tone, dim, mix
from data_engineering.synthetic.signer import Color, Signer, luminance

Parts = dict[str, Array]
"""Outlines of one frame by name, (K, 2) canvas pixels."""

_WHITE = (255, 252, 246)
# Nested outlines of the trunk from shadow to light: share of the width, tone.
_TRUNK_TONES = (
    (0.97, 0.74),
    (0.93, 0.80),
    (0.88, 0.85),
    (0.82, 0.89),
    (0.75, 0.925),
    (0.66, 0.955),
    (0.55, 0.98),
    (0.40, 1.01),
)


def paint_body(
    brush: Brush, parts: Parts, signer: Signer, unit: float, light: Point, mouth: float, eyes: float
) -> None:
    """Draws everything behind the arms.

    Args:
        brush: Where.
        parts: Outlines of this frame.
        signer: Colours and looks.
        unit: Canvas pixels a shoulder width.
        light: Unit vector towards the light, canvas directions.
        mouth: How far the mouth is open, 0..1.
        eyes: How far the eyes are open, 0..1.
    """
    line = max(0.012 * unit, 0.7)
    hair = signer.hair
    if "mane" in parts:
        brush.fill(parts["mane"], dim(hair, 0.72))
        brush.fill(_inset(parts["mane"], 0.86, light, 0.012 * unit), dim(hair, 0.86))
    skin, cloth = signer.skin, signer.cloth
    trunk = parts["trunk"]
    brush.fill(trunk, dim(cloth, 0.66))
    for scale, tone in _TRUNK_TONES if unit > 120 else _TRUNK_TONES[::2]:
        brush.fill(_narrow(trunk, scale, light, 0.05 * unit), _bright(cloth, tone))
    if signer.garment != "plain":
        _front(brush, trunk, signer, unit, line)
    brush.fill(parts["neckline"], dim(skin, 0.90))
    brush.trace(parts["neckline"], 2.2 * line, dim(cloth, 0.62))
    neck = parts["neck"]
    brush.fill(neck, dim(skin, 0.76))
    brush.fill(_narrow(neck, 0.78, light, 0.02 * unit), dim(skin, 0.86))
    _shadow_of_chin(brush, parts, skin, unit)
    _head(brush, parts, signer, unit, light, mouth, eyes, line)


def _front(brush: Brush, trunk: Array, signer: Signer, unit: float, line: float) -> None:
    """A row of buttons, or an open cardigan over something in another tone."""
    half = len(trunk) // 2
    top, low = (trunk[0] + trunk[-1]) / 2, (trunk[half - 1] + trunk[half]) / 2
    if signer.garment == "cardigan":
        under = mix(signer.cloth, _WHITE if luminance(signer.cloth) < 110 else (40, 40, 48), 0.55)
        edges = [top + (trunk[0] - top) * 1.15, low + (trunk[half - 1] - low) * 0.36]
        edges += [low + (trunk[half] - low) * 0.36, top + (trunk[-1] - top) * 1.15]
        brush.fill(np.array(edges), under)
        brush.trace(np.array(edges[:2]), 1.6 * line, dim(signer.cloth, 0.6))
        brush.trace(np.array(edges[2:]), 1.6 * line, dim(signer.cloth, 0.6))
        return
    brush.trace(np.stack([top, low]), 1.3 * line, dim(signer.cloth, 0.78))
    for share in (0.22, 0.36, 0.50, 0.64, 0.78):
        x, y = top + share * (low - top)
        brush.disc((float(x), float(y)), 0.017 * unit, mix(signer.cloth, _WHITE, 0.5))


def _bright(color: Color, factor: float) -> Tone:
    return dim(color, factor) if factor <= 1 else mix(color, _WHITE, factor - 1)


def _inset(points: Array, scale: float, light: Point, shift: float) -> Array:
    """An outline drawn in about its middle and moved towards the light."""
    middle = (points.min(axis=0) + points.max(axis=0)) / 2
    return middle + (points - middle) * scale + np.array(light) * shift


def _narrow(points: Array, scale: float, light: Point, shift: float) -> Array:
    """The same, sideways only."""
    middle = (points[:, 0].min() + points[:, 0].max()) / 2
    moved = points.copy()
    moved[:, 0] = middle + (points[:, 0] - middle) * scale + light[0] * shift * (1 - scale) * 4
    moved[:, 1] += (1 - scale) * 0.12 * (points[:, 1].max() - points[:, 1].min()) * (points[:, 1] < points[:, 1].mean())
    return moved


def _shadow_of_chin(brush: Brush, parts: Parts, skin: Color, unit: float) -> None:
    jaw = parts["jaw"]
    low = jaw[:, 1].max()
    shadow = np.stack([jaw[:, 0], low - 0.75 * (low - jaw[:, 1]) + 0.045 * unit], axis=1)
    middle = jaw[:, 0].mean()
    shadow[:, 0] = middle + (shadow[:, 0] - middle) * 0.62
    brush.fill(shadow, dim(skin, 0.70))


def _head(
    brush: Brush, parts: Parts, signer: Signer, unit: float, light: Point, mouth: float, eyes: float, line: float
) -> None:
    at: dict[str, Point] = {name: (x, y) for name, (x, y) in zip(LANDMARKS, parts["landmarks"].tolist(), strict=True)}
    skin, size = signer.skin, unit * signer.head
    for ear in ("ear+", "ear-"):
        brush.oval(at[ear], (0.036 * size, 0.062 * size), 0, dim(skin, 0.70))
        brush.oval(at[ear], (0.020 * size, 0.042 * size), 0, dim(skin, 0.86))
    face = parts["face"]
    brush.convex(face, dim(skin, 0.78))
    brush.convex(_inset(face, 0.94, light, 0.018 * size), dim(skin, 0.90))
    brush.convex(_inset(face, 0.84, light, 0.028 * size), skin)
    glow = _inset(face, 0.50, light, 0.035 * size)
    brush.convex(glow, mix(skin, _WHITE, 0.07))
    fine = size > 90
    across = np.subtract(at["eye+"], at["eye-"])
    tilt = float(np.degrees(np.arctan2(across[1], across[0])))
    tilt = (tilt + 90) % 180 - 90
    if signer.beard:
        jaw = parts["jaw"]
        beard = mix(signer.hair, skin, 0.25)
        upper = jaw[:, 1].min()
        ring = jaw[jaw[:, 1] > upper + 0.02 * size]
        brush.convex(ring, beard)
        brush.oval((at["mouth"][0], at["mouth"][1] - 0.012 * size), (0.085 * size, 0.052 * size), tilt, dim(skin, 0.95))
        brush.oval((at["mouth"][0], at["mouth"][1] - 0.045 * size), (0.082 * size, 0.018 * size), tilt, beard)
    if fine:
        blush = mix(skin, (222, 96, 84), 0.10)
        for eye in ("eye+", "eye-"):
            x = at[eye][0] + 0.35 * (at[eye][0] - at["bridge"][0])
            brush.oval((x, at[eye][1] + 0.115 * size), (0.042 * size, 0.028 * size), tilt, blush)
    _eyes(brush, at, signer, size, tilt, eyes, fine)
    _nose_and_mouth(brush, at, signer, size, tilt, light, mouth)
    if "fringe" in parts:
        brush.fill(parts["fringe"], dim(signer.hair, 0.80))
        middle = parts["fringe"][:23]
        shine = middle + (np.array(at["bridge"]) - middle) * 0.14
        brush.trace(shine[6:17], 0.030 * size, mix(signer.hair, _WHITE, 0.13))
        if fine:
            shine = middle + (np.array(at["bridge"]) - middle) * 0.20
            brush.trace(shine[8:15], 0.016 * size, mix(signer.hair, _WHITE, 0.22))
    if signer.glasses:
        rim = (38, 36, 40)
        for eye in ("eye+", "eye-"):
            brush.oval(at[eye], (0.068 * size, 0.058 * size), tilt, rim, max(round(1.3 * line), 1))
        brush.stroke(_toward(at["eye+"], at["eye-"], 0.36), _toward(at["eye-"], at["eye+"], 0.36), 1.3 * line, rim)


def _toward(a: Point, b: Point, share: float) -> Point:
    return a[0] + share * (b[0] - a[0]), a[1] + share * (b[1] - a[1])


def _eyes(
    brush: Brush, at: dict[str, Point], signer: Signer, size: float, tilt: float, eyes: float, fine: bool
) -> None:
    dark = mix((46, 32, 26), signer.skin, 0.06)
    for eye, brow in (("eye+", "brow+"), ("eye-", "brow-")):
        x, y = at[eye]
        if eyes > 0.3:
            brush.oval((x, y), (0.044 * size, 0.025 * size * eyes), tilt, (244, 240, 236))
            brush.oval((x, y), (0.021 * size, 0.024 * size * eyes), tilt, dark)
            if fine:
                brush.disc((x - 0.007 * size, y - 0.008 * size), 0.0065 * size, (250, 250, 250))
        brush.arc(
            (x, y + 0.004 * size), (0.047 * size, 0.031 * size * max(eyes, 0.15)), tilt, 190, 350, dark, 0.014 * size
        )
        bx, by = at[brow]
        brush.arc(
            (bx, by + 0.028 * size),
            (0.062 * size, 0.032 * size),
            tilt,
            205,
            335,
            mix(dim(signer.hair, 0.8), signer.skin, 0.15),
            0.020 * size,
        )


def _nose_and_mouth(
    brush: Brush,
    at: dict[str, Point],
    signer: Signer,
    size: float,
    tilt: float,
    light: Point,
    mouth: float,
) -> None:
    skin = signer.skin
    x, y = at["nose"]
    bridge = at["bridge"]
    shade = dim(skin, 0.76)
    away = -1.0 if light[0] > 0 else 1.0
    brush.stroke(
        (bridge[0] + away * 0.022 * size, bridge[1] + 0.02 * size),
        (x + away * 0.034 * size, y),
        0.016 * size,
        dim(skin, 0.87),
    )
    brush.arc((x, y + 0.002 * size), (0.036 * size, 0.020 * size), tilt, 15, 165, shade, 0.014 * size)
    brush.stroke(
        (bridge[0], bridge[1] + 0.03 * size),
        (x - away * 0.004 * size, y - 0.012 * size),
        0.022 * size,
        mix(skin, _WHITE, 0.16),
    )
    lips = mix(dim(skin, 0.80), (176, 62, 66), signer.lips * (0.75 if luminance(skin) > 110 else 0.45))
    mx, my = at["mouth"]
    tall = 0.020 + 0.030 * mouth
    brush.oval((mx, my), (0.064 * size, tall * size), tilt, lips)
    if mouth > 0.15:
        brush.oval((mx, my), (0.046 * size, (tall - 0.012) * size), tilt, (86, 30, 32))
    else:
        brush.arc((mx, my - 0.012 * size), (0.064 * size, 0.018 * size), tilt, 20, 160, dim(lips, 0.62), 0.009 * size)


def paint_arm(brush: Brush, joints: Array, signer: Signer, unit: float, light: Point, chest: Array, which: str) -> None:
    """Draws the `upper` or `fore` arm and its sleeve; `joints` (3, 2): shoulder, elbow, wrist; `chest` (2,)."""
    girth = signer.girth * unit
    shoulder, elbow, wrist = ((x, y) for x, y in joints.tolist())
    line = max(0.012 * unit, 0.8)
    # The joint lies inside the shoulder; drawn there, the arm grows out of the trunk instead of sitting on it.
    shoulder = (shoulder[0] + 0.075 * (chest[0] - shoulder[0]), shoulder[1] + 0.15 * (chest[1] - shoulder[1]))
    if which == "upper":
        a, b, ra, rb, covered = shoulder, elbow, 0.108 * girth, 0.088 * girth, min(signer.sleeve, 1.0)
    else:
        a, b, ra, rb, covered = elbow, wrist, 0.088 * girth, 0.054 * unit, min(max(signer.sleeve - 1.0, 0.0), 1.0)
    # No outline where a limb goes on into the next one.
    bare = 0.45 if which == "upper" else 0.12
    if covered < 1:
        _limb(brush, a, ra * 0.92, b, rb * (0.94 if which == "upper" else 1.0), signer.skin, light, line, bare)
    if covered > 0:
        end = (a[0] + covered * (b[0] - a[0]), a[1] + covered * (b[1] - a[1]))
        loose = 0.010 * unit
        _limb(brush, a, ra + loose, end, ra + covered * (rb - ra) + loose, signer.cloth, light, line, bare)


# Nested limbs from shadow to light: share of the radius, shift towards the light in radii, tone.
_TONES = (
    (1.0, 0.0, 0.72),
    (0.90, 0.06, 0.80),
    (0.78, 0.13, 0.87),
    (0.64, 0.20, 0.93),
    (0.48, 0.28, 0.98),
    (0.28, 0.36, 1.04),
)


def _limb(
    brush: Brush, a: Point, ra: float, b: Point, rb: float, color: Color, light: Point, line: float, bare: float
) -> None:
    """A limb, shaded, in an outline that leaves out the first `bare` of its length."""
    start = (a[0] + bare * (b[0] - a[0]), a[1] + bare * (b[1] - a[1]))
    brush.limb(start, ra + bare * (rb - ra) + line, b, rb + line, dim(color, 0.45))
    # The light comes across the limb, not along it.
    dx, dy = b[0] - a[0], b[1] - a[1]
    length = max((dx * dx + dy * dy) ** 0.5, 1e-6)
    across = (light[0] * -dy + light[1] * dx) / length
    for share, shift, tone in _TONES if ra > 8 else _TONES[::2]:
        x, y = -dy / length * across * shift, dx / length * across * shift
        one, other = (a[0] + x * ra, a[1] + y * ra), (b[0] + x * rb, b[1] + y * rb)
        brush.limb(one, ra * share, other, rb * share, _bright(color, tone))
