"""Exact key points of the avatar's clips, and what of them each channel of a sign is seen in."""

import dataclasses

import numpy as np

from data_engineering.keypoints import KEYPOINTS
from data_engineering.synthetic.body import Figure, outlines
from data_engineering.synthetic.camera import film, keypoints
from data_engineering.synthetic.motion import perform
from data_engineering.synthetic.signer import Signer
from data_engineering.synthetic.timing import timing

WRISTS = [KEYPOINTS.index(name) for name in ("right_wrist", "left_wrist")]
SHOULDERS = [KEYPOINTS.index(name) for name in ("left_shoulder", "right_shoulder")]
HANDS = [KEYPOINTS.index(f"{side}_hand_wrist") for side in ("right", "left")]
NOSE = KEYPOINTS.index("nose")
# Face points twice would count twice; what is below the hips is not seen.
USED = [
    index
    for index, name in enumerate(KEYPOINTS)
    if not name.startswith("face_") and not name.endswith(("hip", "knee", "ankle"))
]
_INDEX, _MIDDLE, _LITTLE, _TIPS = 5, 9, 17, (4, 8, 12, 16, 20)


def people(seed, count):
    """Signers; a left-hander stands for the mirror image, which is a right-hander."""
    drawn = [Signer.sample(np.random.default_rng([seed, number])) for number in range(count)]
    return [dataclasses.replace(signer, right_handed=True) for signer in drawn]


def clip_points(sign, signer, seed, frames):
    """Key points (1 + frames, 64, 2) in shoulder widths about the shoulders' middle.

    The first are those of mid-stroke; then follows the clip, at the times at which the pipeline samples it.
    """
    rng = np.random.default_rng(seed)
    when = timing(sign, signer, rng)
    centres = (np.arange(frames) + 0.5) * (when.duration / frames)
    times = np.concatenate([[(when.stroke + when.retraction) / 2], np.floor(centres * signer.fps) / signer.fps])
    performance = perform(sign, signer, times, when, rng)
    shot = film(Figure(signer, performance, *outlines(signer)), performance.frames, signer, rng)
    points = keypoints(shot, signer)[0]
    middle = points[:, SHOULDERS].mean(axis=1, keepdims=True)
    width = np.linalg.norm(points[:, SHOULDERS[0]] - points[:, SHOULDERS[1]], axis=-1).mean()
    return (points - middle) / width


def hand(points, side):
    """A hand's 21 joints about its wrist: (..., 21, 2); side 0 is the dominant one."""
    start = HANDS[side]
    return points[..., start : start + 21, :] - points[..., start : start + 1, :]


def everything(points):
    """All that is seen, (..., D): the body's points, and each hand about its wrist, small but telling as much."""
    hands = [2.0 * hand(points, side) for side in (0, 1)]
    return _flat(np.concatenate([points[..., USED, :], *hands], axis=-2))


def wrists(points):
    """The wrists alone, (..., 4)."""
    return _flat(points[..., WRISTS, :])


def channel(points, name):
    """What a channel alone shows of clips (..., T, 64, 2): (..., T, D).

    handshape: the joints about the wrist, turned upright and to one size. location: wrist, palm and fingertips of the
    dominant hand as seen from nose and shoulders. orientation: where the palm and its breadth point, in hand lengths.
    hands: the other hand. movement: wrists and hands, less what they are on average over the clip.
    """
    if name == "handshape":
        return np.concatenate([_upright(hand(points, side)) for side in (0, 1)], axis=-1)
    if name == "location":
        start = HANDS[0]
        places = points[..., [start, start + _MIDDLE, *(start + tip for tip in _TIPS)], :]
        return np.concatenate([_flat(places), _flat(places - points[..., NOSE : NOSE + 1, :])], axis=-1)
    if name == "orientation":
        return np.concatenate([_pointing(hand(points, side)) for side in (0, 1)], axis=-1)
    if name == "hands":
        return np.concatenate([_flat(points[..., WRISTS[1:], :]), _flat(2.0 * hand(points, 1))], axis=-1)
    moving = np.concatenate([points[..., WRISTS, :], *(2.0 * hand(points, side) for side in (0, 1))], axis=-2)
    return _flat(moving - moving.mean(axis=-3, keepdims=True))


def _flat(points):
    return points.reshape(*points.shape[:-2], -1)


def _upright(joints):
    """Joints turned so that the middle knuckle lies above the wrist, as large as the hand is on average."""
    along = joints[..., _MIDDLE, :]
    along = along / np.maximum(np.linalg.norm(along, axis=-1, keepdims=True), 1e-6)
    across = np.stack([-along[..., 1], along[..., 0]], axis=-1)
    turned = np.stack([(joints * along[..., None, :]).sum(-1), (joints * across[..., None, :]).sum(-1)], axis=-1)
    return _flat(turned / np.abs(turned).mean(axis=(-1, -2), keepdims=True))


def _pointing(joints):
    """Wrist to middle knuckle, little to index knuckle, and the palm's signed area: how far it faces the viewer."""
    along, across = joints[..., _MIDDLE, :], joints[..., _INDEX, :] - joints[..., _LITTLE, :]
    area = along[..., 0] * across[..., 1] - along[..., 1] * across[..., 0]
    return np.concatenate([along, across, 8.0 * area[..., None]], axis=-1)
