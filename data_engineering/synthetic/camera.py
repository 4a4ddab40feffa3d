"""From the signer's space to pixels: projection, the signer's box, the 64 key points and what hides them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data_engineering.keypoints import HAND_JOINTS, KEYPOINTS
from data_engineering.synthetic.body import LANDMARKS, Figure
from data_engineering.synthetic.hand import Array
from data_engineering.synthetic.motion import HAND
from data_engineering.synthetic.signer import Signer

Flags = NDArray[np.bool_]

# Distance of the camera and height of the frame, in shoulder widths.
_DISTANCE, _HEIGHT = 7.0, 2.6
_ORIGIN_DOWN = 0.556


@dataclass(frozen=True, slots=True)
class Shot:
    """A performance as a camera sees it.

    Attributes:
        points: (T, N, 2) pixels of the frame, continuous: the first pixel covers 0..1.
        depth: (T, N) towards the camera, shoulder widths.
        slices: Names of parts of N, as in `Figure`.
        scale: Pixels a shoulder width.
        facing: (2, T) how far each palm faces the camera, -1..1.
    """

    points: Array
    depth: Array
    slices: dict[str, slice]
    scale: float
    facing: Array

    def part(self, name: str) -> Array:
        """Returns the positions of a part, (T, K, 2)."""
        return self.points[:, self.slices[name]]

    def near(self, name: str) -> Array:
        """Returns the depths of a part, (T, K)."""
        return self.depth[:, self.slices[name]]


def film(figure: Figure, frames: Array, signer: Signer, rng: np.random.Generator) -> Shot:
    """Projects a figure through the signer's camera.

    Args:
        figure: The points.
        frames: (2, T, 3, 3) hand rotations.
        signer: Gives the camera.
        rng: Draws its jitter.
    """
    side = -1.0 if signer.right_handed else 1.0
    yaw, roll = np.deg2rad(signer.yaw), np.deg2rad(signer.roll)
    turn = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]]) @ np.diag([side, 1, 1])
    seen = figure.points @ turn.T
    scale = signer.zoom * signer.height / _HEIGHT
    lens = np.array([[np.cos(roll), np.sin(roll)], [-np.sin(roll), np.cos(roll)]]) * scale
    flat = (seen[..., :2] * (_DISTANCE / (_DISTANCE - seen[..., 2:]))) @ lens
    middle = np.array([signer.width / 2, signer.height * _ORIGIN_DOWN]) + np.multiply(signer.shift, signer.height)
    jitter = rng.normal(0, 1, (len(seen), 1, 2)) * (signer.shake * signer.height)
    facing = (frames[..., 1] @ turn.T)[..., 2]
    return Shot(flat + middle + jitter, seen[..., 2], figure.slices, scale, facing)


def signer_box(shot: Shot, signer: Signer, rng: np.random.Generator) -> tuple[int, int, int, int]:
    """Returns the signer's box (xmin, ymin, xmax, ymax) in pixels, clamped to the frame as a detector's would be."""
    names = ("arm0", "arm1", "hand0", "hand1", "landmarks")
    points = np.concatenate([shot.part(name).reshape(-1, 2) for name in names])
    pad = 0.05 * shot.scale
    points = points[points[:, 1] < signer.height]
    low, high = points.min(axis=0) - pad, points.max(axis=0) + pad
    high[1] = signer.height
    edges = np.concatenate([low, high]) + rng.normal(0, 0.01, 4) * signer.height
    size = np.array([signer.width, signer.height, signer.width, signer.height])
    left, top, right, bottom = (int(value) for value in np.clip(np.round(edges), 0, size))
    return left, top, right, bottom


def keypoints(shot: Shot, signer: Signer) -> tuple[Array, Array, Flags]:
    """Returns the key points (T, 64, 2) in pixels of the frame, their depth (T, 64), and what is unhidden (T, 64) bool.

    Whether a point lies inside the frame is for whoever crops it.
    """
    order = keypoint_order(shot, signer)
    return shot.points[:, order], shot.depth[:, order], np.logical_not(_hidden(shot, order, HAND * signer.hand))


def keypoint_order(shot: Shot, signer: Signer) -> list[int]:
    """Returns which of a shot's points each of the 64 key points is."""
    right, left = (0, 1) if signer.right_handed else (1, 0)
    # Figures are mirrored for left-handers, so +x is the dominant side whatever hand that is.
    plus, minus = ("right", "left") if signer.right_handed else ("left", "right")
    at = {name: shot.slices["landmarks"].start + index for index, name in enumerate(LANDMARKS)}
    places: dict[str, int] = {"nose": at["nose"]}
    for word, sign in ((plus, "+"), (minus, "-")):
        places[f"{word}_eye"], places[f"{word}_ear"] = at[f"eye{sign}"], at[f"ear{sign}"]
    for word, side in (("left", left), ("right", right)):
        arm, hand = shot.slices[f"arm{side}"].start, shot.slices[f"hand{side}"].start
        places |= {f"{word}_shoulder": arm, f"{word}_elbow": arm + 1, f"{word}_wrist": arm + 2}
        places |= {f"{word}_hand_{name}": hand + index for index, name in enumerate(HAND_JOINTS)}
        hip = shot.slices["hips"].start + side
        places |= {f"{word}_hip": hip, f"{word}_knee": hip + 2, f"{word}_ankle": hip + 4}
    places |= {f"face_{name}": places[name] for name in ("nose", "left_eye", "right_eye", "left_ear", "right_ear")}
    return [places[name] for name in KEYPOINTS]


def _hidden(shot: Shot, order: list[int], length: float) -> Flags:
    """Which points lie behind a forearm, a palm or a finger that they are no part of: (T, len(order)) bool.

    In front is what is drawn later: arms before trunk and head, one arm before the other as `drawn_later` says. Within
    one arm depth decides. `length` is the hand's, in shoulder widths.
    """
    ends: list[tuple[int, int]] = []
    widths: list[float] = []
    owners: list[tuple[int, ...]] = []
    for side in (0, 1):
        arm, hand = shot.slices[f"arm{side}"].start, shot.slices[f"hand{side}"].start
        ends += [(arm + 1, arm + 2)]
        widths += [0.075]
        owners += [(arm + 1, arm + 2, hand)]
        for finger in range(5):
            first = hand + 1 + 4 * finger
            bones = [(first + j, first + j + 1) for j in range(3)]
            ends += bones
            widths += [0.045 if finger == 0 else 0.038] * 3
            owners += [(first, first + 1, first + 2, first + 3)] * 3
            if finger:
                ends += [(hand, first)]
                widths += [0.055]
                owners += [(hand, arm + 2, hand + 1, hand + 2, hand + 5, hand + 9, hand + 13, hand + 17)]
    one, other = np.array(ends).T
    a, b = shot.points[:, None, one], shot.points[:, None, other]
    point = shot.points[:, order, None]
    ab = b - a
    along = ((point - a) * ab).sum(-1) / np.maximum((ab * ab).sum(-1), 1e-9)
    along = np.clip(along, 0, 1)
    gap = point - a - along[..., None] * ab
    near = (gap * gap).sum(-1) < (np.array(widths) * shot.scale) ** 2
    za, zb = shot.depth[:, None, one], shot.depth[:, None, other]
    nearer = za + along * (zb - za) > shot.depth[:, order, None] + 0.03
    # 0 and 1: the arm that a point or a bone is of; -1: neither.
    mine, its = (np.full(count, -1) for count in (len(order), len(one)))
    for side in (0, 1):
        for part in (f"arm{side}", f"hand{side}"):
            inside = shot.slices[part]
            mine[[inside.start <= index < inside.stop for index in order]] = side
            its[(one >= inside.start) & (one < inside.stop)] = side
    later = drawn_later(shot, length)[:, None, None]
    front = np.where(mine[:, None] == its, nearer, (mine[:, None] == -1) | (its == later))
    own = np.array([[index in owner for owner in owners] for index in order])
    return (near & front & ~own).any(-1)


def drawn_later(shot: Shot, length: float) -> NDArray[np.intp]:
    """Which hand is drawn last, over the other: (T,) 0 or 1; the nearer one, a tie goes to the dominant hand (0)."""
    depth = [shot.near(f"hand{side}").mean(axis=1) for side in (0, 1)]
    return np.where(depth[0] + 0.08 * length >= depth[1], 0, 1)
