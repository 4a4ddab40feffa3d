"""How good detected key points are: PCK, the error in pixels and OKS, for the body, each hand and the face."""

from typing import Any

import numpy as np

from data_engineering.keypoints import BODY, FACE, KEYPOINTS, LEFT_HAND, RIGHT_HAND

PARTS = {"body": BODY, "left hand": LEFT_HAND, "right hand": RIGHT_HAND, "face": FACE, "all": slice(0, len(KEYPOINTS))}
SHARES = (0.05, 0.1)
"""Of a person's length, within which a point counts as found."""

_BODY = (
    0.026, 0.025, 0.025, 0.035, 0.035, 0.079, 0.079, 0.072, 0.072, 0.062, 0.062, 0.107, 0.107, 0.087, 0.087, 0.089,
    0.089,
)  # fmt: skip
_HAND = (
    0.029, 0.022, 0.035, 0.037, 0.047, 0.026, 0.025, 0.024, 0.035, 0.018, 0.024, 0.022, 0.026, 0.017, 0.021, 0.021,
    0.032, 0.02, 0.019, 0.022, 0.031,
)  # fmt: skip
SPREADS = np.array([*_BODY, *_HAND, *_HAND, *_BODY[:5]])
"""How far annotators disagree on each point, in shares of the root of a person's area: COCO's for the body (and the
face, which has its names), COCO-WholeBody's for hands (Jin et al. 2020; both as in its evaluation code)."""

_AREA = 0.53
"""A person's area as a share of their box, where no outline is known: that of xtcocotools' cocoeval.py."""


def errors(found: np.ndarray, true: np.ndarray) -> np.ndarray:
    """Returns the distance of each point from its place, float64 (N, 64) pixels; NaN where it is not visible.

    Args:
        found: (N, 64, >= 2) pixels.
        true: (N, 64, 3) pixels and visible.
    """
    away = np.linalg.norm(found[..., :2].astype(np.float64) - true[..., :2], axis=-1)
    return np.where(true[..., 2] > 0, away, np.nan)


def lengths(boxes: np.ndarray) -> np.ndarray:
    """Returns each person's length for PCK: the longer side of their box (N, 4: xmin, ymin, xmax, ymax).

    PCK as Yang and Ramanan define it (2013, "Articulated Human Detection with Flexible Mixtures of Parts", PAMI,
    section 6.1): within alpha * max(h, w) of the person's box. MMPose's PCKAccuracy takes the same by default.
    """
    longer: np.ndarray = (boxes[:, 2:] - boxes[:, :2]).max(axis=1)
    return longer


def pck(away: np.ndarray, length: np.ndarray, share: float) -> float:
    """Returns the share of visible points that lie within `share` of the person's length; NaN where there is none."""
    visible = np.isfinite(away)
    near = away <= share * length[:, None]
    return float(near[visible].mean()) if visible.any() else float("nan")


def oks(away: np.ndarray, boxes: np.ndarray, spreads: np.ndarray) -> float:
    """Returns the mean object key-point similarity of the images that show a point; NaN where none does.

    COCO's: the mean over visible points of exp(-d^2 / (2 s^2 k^2)), where s^2 is the person's area and k twice the
    point's spread (https://cocodataset.org/#keypoints-eval).

    Args:
        away: (N, K) pixels.
        boxes: (N, 4).
        spreads: (K,).
    """
    area = _AREA * (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    alike = np.exp(-(away**2) / (2 * area[:, None] * (2 * spreads) ** 2))
    seen = np.isfinite(away).any(axis=1)
    return float(np.nanmean(alike[seen], axis=1).mean()) if seen.any() else float("nan")


def measure(found: np.ndarray, true: np.ndarray, boxes: np.ndarray) -> dict[str, Any]:
    """Returns all figures.

    Args:
        found: Detected points, (N, 64, >= 2) pixels of each image.
        true: Labelled ones, (N, 64, 3) pixels and visible.
        boxes: The persons', (N, 4).

    Returns:
        `parts` {part: {points, pck@0.05, pck@0.1, error, median_error, oks}} and `keypoints` {name: {points, error,
        pck@0.05}}; errors in pixels of the images; None where no such point is visible.
    """
    away, length = errors(found, true), lengths(boxes)
    parts = {}
    for part, place in PARTS.items():
        own = away[:, place]
        parts[part] = {
            "points": int(np.isfinite(own).sum()),
            **{f"pck@{share:g}": _known(pck(own, length, share)) for share in SHARES},
            "error": _mean(own),
            "median_error": _known(float(np.nanmedian(own))) if np.isfinite(own).any() else None,
            "oks": _known(oks(own, boxes, SPREADS[place])),
        }
    names = {}
    for number, name in enumerate(KEYPOINTS):
        own = away[:, number : number + 1]
        points = int(np.isfinite(own).sum())
        names[name] = {"points": points, "error": _mean(own), "pck@0.05": _known(pck(own, length, 0.05))}
    return {"images": len(found), "parts": parts, "keypoints": names}


def table(figures: dict[str, Any], *, names: bool = True) -> list[str]:
    """Returns the figures of the parts as a table, a line each; with `names` those of each key point below."""
    lines = [f"{'':12} {'points':>7} {'PCK@0.05':>9} {'PCK@0.1':>8} {'error px':>9} {'median':>7} {'OKS':>6}"]
    for part, row in figures["parts"].items():
        values = (
            *(_told(row["pck@0.05"], 9, 4), _told(row["pck@0.1"], 8, 4), _told(row["error"], 9, 2)),
            *(_told(row["median_error"], 7, 2), _told(row["oks"], 6, 3)),
        )
        lines.append(f"{part:12} {row['points']:7,} {' '.join(values)}")
    if not names:
        return lines
    lines += ["", f"{'key point':24} {'points':>7} {'error px':>9} {'PCK@0.05':>9}"]
    for name, row in figures["keypoints"].items():
        lines.append(f"{name:24} {row['points']:7,} {_told(row['error'], 9, 2)} {_told(row['pck@0.05'], 9, 4)}")
    return lines


def _mean(away: np.ndarray) -> float | None:
    return float(np.nanmean(away)) if np.isfinite(away).any() else None


def _known(value: float) -> float | None:
    return None if np.isnan(value) else value


def _told(value: float | None, width: int, digits: int) -> str:
    return f"{'-':>{width}}" if value is None else f"{value:{width}.{digits}f}"
