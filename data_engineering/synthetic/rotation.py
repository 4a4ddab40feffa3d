"""Rotations as unit quaternions (w, x, y, z), over time."""

import numpy as np

from data_engineering.synthetic.hand import Array

_LOCAL = {"f": 1, "n": 2, "r": 3}


def frame(fingers: Array, palm: Array) -> Array:
    """The rotation (4,) whose columns are f, n, r for fingers pointing along `fingers` and a palm facing `palm`."""
    f = fingers / np.linalg.norm(fingers)
    n = palm - (palm @ f) * f
    n = n / np.linalg.norm(n)
    return _from_matrix(np.stack([f, n, np.cross(f, n)], axis=1))


def _from_matrix(m: Array) -> Array:
    """The quaternion of a rotation matrix: the eigenvector of its largest eigenvalue (Bar-Itzhack 2000)."""
    k = np.array(
        [
            [m[0, 0] + m[1, 1] + m[2, 2], m[2, 1] - m[1, 2], m[0, 2] - m[2, 0], m[1, 0] - m[0, 1]],
            [m[2, 1] - m[1, 2], m[0, 0] - m[1, 1] - m[2, 2], m[0, 1] + m[1, 0], m[0, 2] + m[2, 0]],
            [m[0, 2] - m[2, 0], m[0, 1] + m[1, 0], m[1, 1] - m[0, 0] - m[2, 2], m[1, 2] + m[2, 1]],
            [m[1, 0] - m[0, 1], m[0, 2] + m[2, 0], m[1, 2] + m[2, 1], m[2, 2] - m[0, 0] - m[1, 1]],
        ]
    )
    vector = np.linalg.eigh(k)[1][:, -1]
    return vector * (1.0 if vector[0] >= 0 else -1.0)


def about(axis: str, degrees: Array | float) -> Array:
    """A turn about the hand's own f, r or n axis: (..., 4)."""
    half = np.deg2rad(np.asarray(degrees, dtype=float)) / 2
    turn = np.zeros((*half.shape, 4))
    turn[..., 0] = np.cos(half)
    turn[..., _LOCAL[axis]] = np.sin(half)
    return turn


def multiply(p: Array, q: Array) -> Array:
    """The rotation p after q (q in p's own frame), broadcast over (..., 4)."""
    a, b, c, d = np.moveaxis(p, -1, 0)
    e, f, g, h = np.moveaxis(q, -1, 0)
    return np.stack(
        [
            a * e - b * f - c * g - d * h,
            a * f + b * e + c * h - d * g,
            a * g - b * h + c * e + d * f,
            a * h + b * g - c * f + d * e,
        ],
        axis=-1,
    )


def slerp(p: Array, q: Array, t: Array) -> Array:
    """From p to q along the shorter great circle (Shoemake 1985): p, q (4,) or (T, 4), t (T,), to (T, 4)."""
    p, q = np.atleast_2d(p), np.atleast_2d(q)
    cosine = (p * q).sum(axis=1)
    q = np.where(cosine[:, None] < 0, -q, q)
    angle = np.arccos(np.clip(np.abs(cosine), 0, 1))
    sine = np.maximum(np.sin(angle), 1e-6)
    near = angle < 1e-5
    one = np.where(near, 1 - t, np.sin((1 - t) * angle) / sine)
    other = np.where(near, t, np.sin(t * angle) / sine)
    return one[:, None] * p + other[:, None] * q


def to_matrix(q: Array) -> Array:
    """(..., 4) to (..., 3, 3)."""
    w, x, y, z = np.moveaxis(q, -1, 0)
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)
