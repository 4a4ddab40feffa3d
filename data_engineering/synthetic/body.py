"""What hangs on the skeleton: outlines of trunk, head and hair, in shoulder widths, ready to be posed and projected."""

import numpy as np

from data_engineering.synthetic.hand import Array
from data_engineering.synthetic.motion import NECK, Performance
from data_engineering.synthetic.signer import Signer

# Right half of the trunk's outline, neck to hip, smoothed below.
_TRUNK = (
    (0.12, -0.35),
    (0.20, -0.235),
    (0.40, -0.135),
    (0.545, -0.02),
    (0.575, 0.16),
    (0.495, 0.40),
    (0.435, 0.80),
    (0.48, 1.20),
    (0.54, 1.75),
)
_FACE = (
    (0.0, -1.01),
    (0.13, -0.98),
    (0.212, -0.88),
    (0.232, -0.74),
    (0.215, -0.60),
    (0.155, -0.495),
    (0.07, -0.448),
    (0.0, -0.44),
)
_LANDMARKS = {
    "nose": (0.0, -0.665, 0.335),
    "eye+": (0.092, -0.755, 0.255),
    "eye-": (-0.092, -0.755, 0.255),
    "ear+": (0.235, -0.70, 0.05),
    "ear-": (-0.235, -0.70, 0.05),
    "mouth": (0.0, -0.565, 0.285),
    "brow+": (0.098, -0.82, 0.26),
    "brow-": (-0.098, -0.82, 0.26),
    "bridge": (0.0, -0.755, 0.285),
    "chin": (0.0, -0.45, 0.25),
    "crown": (0.0, -1.02, 0.05),
    "nape": (0.0, -0.62, -0.12),
}
LANDMARKS = tuple(_LANDMARKS)


def outlines(signer: Signer) -> tuple[dict[str, Array], dict[str, Array]]:
    """Returns the named outlines (K, 3) that move with the trunk, and those that move with the head."""
    look = np.random.default_rng(signer.look)
    half = _smooth(np.array(_TRUNK)) * [1, 1]
    # The shoulder joints stay where the arms are; width changes below them.
    half[:, 0] *= 1 + (signer.torso - 1) * np.clip((half[:, 1] + 0.05) / 0.3, 0.15, 1)
    girth = signer.girth
    neck = np.array([(0.112 * girth, -0.56), (0.112 * girth, -0.33), (0.16, -0.215)])
    depth = signer.neckline
    line = np.array([(0.145, -0.26), (0.105, -0.215 + 0.7 * depth + 0.03), (0.05, -0.19 + depth), (0.0, -0.18 + depth)])
    trunk = {
        "trunk": _both(half, 0.06),
        "neck": _both(np.vstack([neck, [(0.0, -0.12)]]), 0.05),
        "neckline": _both(_smooth(line), 0.12),
        "hips": np.array(
            [
                (0.34, 1.28, 0.06),
                (-0.34, 1.28, 0.06),
                (0.33, 2.45, 0.1),
                (-0.33, 2.45, 0.1),
                (0.32, 3.6, 0.0),
                (-0.32, 3.6, 0.0),
            ]
        ),
    }
    face = _smooth(np.array(_FACE))
    head = {
        "landmarks": np.array(list(_LANDMARKS.values())),
        "face": _both(face, 0.10),
        "jaw": _both(face[face[:, 1] > -0.66], 0.13),
    }
    head |= _hair(signer.hair_style, look)
    for name, points in head.items():
        head[name] = (points - NECK) * signer.head
    return trunk, head


def _hair(style: str, look: np.random.Generator) -> dict[str, Array]:
    """Outlines of the hair: what hangs behind the head and what covers the brow."""
    if style == "bald":
        return {}
    lift = look.uniform(0.0, 0.03)
    hairs: dict[str, Array] = {}
    volume = {"curly": 0.085, "short": 0.03, "parted": 0.04}.get(style, 0.045)
    angles = np.linspace(-1.72, 1.72, 23)
    outer = np.stack([(0.232 + volume) * np.sin(angles), -0.755 - (0.262 + volume) * np.cos(angles)], axis=1)
    if style == "curly":
        outer *= 1 + 0.035 * np.sin(np.arange(23) * 2.4)[:, None] * [1, 0.4]
    part = {"parted": 0.11, "bob": 0.07, "long": -0.08, "ponytail": 0.0}.get(style, look.uniform(-0.06, 0.06))
    high = -0.925 - lift
    brow = _smooth(
        np.array(
            [
                (0.228, -0.70),
                (0.205, -0.82),
                (0.15, high + 0.03),
                (part, high - 0.015),
                (-0.14, high + 0.035),
                (-0.205, -0.82),
                (-0.228, -0.70),
            ]
        )
    )
    hairs["fringe"] = _flat(np.vstack([outer, brow]), 0.16)
    if style in ("long", "bob"):
        low = {"long": 0.22, "bob": -0.40}[style] + look.uniform(-0.06, 0.06)
        side = np.array(
            [(0.20, -0.99), (0.30, -0.84), (0.325, -0.62), (0.33, (low - 0.5) / 2), (0.29, low), (0.12, low + 0.05)]
        )
        hairs["mane"] = _both(_smooth(side), -0.08)
    elif style == "curly":
        around = np.linspace(0, 2 * np.pi, 73)[:-1]
        bumps = 1 + 0.035 * np.sin(around * 10)
        hairs["mane"] = _flat(
            np.stack([0.36 * bumps * np.sin(around), -0.76 - 0.33 * bumps * np.cos(around)], axis=1), -0.08
        )
    elif style == "bun":
        around = np.linspace(0, 2 * np.pi, 21)[:-1]
        hairs["mane"] = _flat(np.stack([0.125 * np.sin(around), -1.10 - 0.11 * np.cos(around)], axis=1), -0.08)
    elif style == "ponytail":
        way = 1.0 if look.random() < 0.5 else -1.0
        tail = np.array(
            [(0.16, -0.94), (0.30, -0.88), (0.36, -0.70), (0.37, -0.45), (0.31, -0.22), (0.25, -0.40), (0.22, -0.66)]
        )
        hairs["mane"] = _flat(_smooth(tail) * [way, 1], -0.08)
    return hairs


def _smooth(points: Array) -> Array:
    """Chaikin's corner cutting, twice: (K, 2) to (about 4 K, 2)."""
    for _ in range(2):
        cut = np.empty((2 * len(points) - 2, 2))
        cut[::2] = 0.75 * points[:-1] + 0.25 * points[1:]
        cut[1::2] = 0.25 * points[:-1] + 0.75 * points[1:]
        points = np.vstack([points[:1], cut, points[-1:]])
    return points


def _flat(points: Array, z: float) -> Array:
    return np.concatenate([points, np.full((len(points), 1), z)], axis=1)


def _both(half: Array, z: float) -> Array:
    """The closed outline of which `half` is the +x side, top to bottom."""
    return _flat(np.vstack([half, half[::-1] * [-1, 1]]), z)


class Figure:
    """Every point of a performance in one array, by name.

    Attributes:
        points: (T, N, 3) in the signer's space.
        slices: Name to slice of N: arm0, arm1 (shoulder, elbow, wrist), hand0, hand1, the outlines of `outlines`.
    """

    def __init__(
        self, signer: Signer, performance: Performance, trunk: dict[str, Array], head: dict[str, Array]
    ) -> None:
        parts: dict[str, Array] = {}
        for side in (0, 1):
            parts[f"arm{side}"] = performance.arms[side]
            parts[f"hand{side}"] = performance.hands[side]
        body = performance.body[:, None]
        for name, points in trunk.items():
            parts[name] = points + body
        for name, points in head.items():
            parts[name] = np.einsum("tij,kj->tki", performance.head, points) + body + NECK
        self.points = np.concatenate(list(parts.values()), axis=1)
        ends = np.cumsum([points.shape[1] for points in parts.values()])
        self.slices = {
            name: slice(int(end - points.shape[1]), int(end))
            for (name, points), end in zip(parts.items(), ends, strict=True)
        }
