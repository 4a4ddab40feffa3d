"""A sign performed: joints over time, from the sign's parameters, the signer's body and the clip's own variation.

Rest, preparation, stroke, retraction, rest. Every pose comes from the same three steps: where the contact is (location
plus movement), how the hand is turned, and two-link inverse kinematics for the arm, so that bones keep their lengths.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from data_engineering.synthetic.hand import HANDSHAPES, RELAXED, Array, contact_point, hand_points
from data_engineering.synthetic.phonology import DIRECTIONS, FREE, HEAD, LOCATIONS, ON_BASE, SIZES, Sign
from data_engineering.synthetic.rotation import about, frame, multiply, slerp, to_matrix
from data_engineering.synthetic.signer import Signer
from data_engineering.synthetic.timing import Timing, ease

HAND, UPPER_ARM, FOREARM = 0.46, 0.74, 0.66
NECK = np.array([0.0, -0.40, 0.04])
_REST_SHAPE = RELAXED
_PASSING = frame(DIRECTIONS["forward"] + [-0.3, 0, 0], DIRECTIONS["in"] + DIRECTIONS["down"])
_WHOLE_STROKE = np.linspace(0, 1, 33)
# How far a wrist bends, degrees: towards the palm and the back of the hand, towards the little finger and the thumb.
# Norms of active motion are 80, 70, 30, 20 (American Academy of Orthopaedic Surgeons 1965); supple hands exceed them.
_WRIST_FLEXION, _WRIST_DEVIATION = (85.0, 78.0), (42.0, 32.0)
# Movements in shoulder widths (nod, wave and twist: degrees) at size medium and amplitude 1.
_SPAN = {"tap": 0.24, "path": 0.48, "circle": 0.20, "shake": 0.20, "nod": 55.0, "wave": 34.0, "twist": 48.0}


@dataclass(frozen=True, slots=True)
class Performance:
    """Joints over time in the signer's space (see `phonology`), the dominant arm first.

    Attributes:
        arms: (2, T, 3, 3) shoulder, elbow, wrist.
        hands: (2, T, 21, 3) joints of `hand`.
        frames: (2, T, 3, 3) hand rotations, columns f, n, r.
        head: (T, 3, 3) rotation of the head about the neck.
        body: (T, 3) sway of the trunk.
        mouth: (T,) how far the mouth is open, 0..1.
        eyes: (T,) how far the eyes are open, 0..1.
    """

    arms: Array
    hands: Array
    frames: Array
    head: Array
    body: Array
    mouth: Array
    eyes: Array


def perform(sign: Sign, signer: Signer, times: Array, when: Timing, rng: np.random.Generator) -> Performance:
    """Performs a sign.

    Args:
        sign: What.
        signer: Who.
        times: (T,) seconds from the clip's start.
        when: The clip's timing.
        rng: Draws what differs from clip to clip: sway, small offsets, blinks.
    """
    u, w = when.progress(times)
    body, head, mouth, eyes = _sway(times, w, rng)
    place = _Places(signer, body, head, rng)
    tilt = about("r", rng.normal(0, 4)), about("n", rng.normal(0, 4)), about("f", rng.normal(0, 5))
    amplitude = signer.amplitude * rng.uniform(0.93, 1.07)
    length = HAND * signer.hand
    shoulders = body + np.array([0.5, 0.0, 0.0])

    base = None
    if sign.hands == "base":
        base = _base_hand(sign, place, length)
    strokes: list[_Held | None] = [_stroke(sign, u, amplitude, place, length, base, second=False)]
    if sign.hands in ("symmetric", "alternating"):
        strokes.append(_stroke(sign, u, amplitude, place, length, None, second=True))
    elif base is not None:
        shape, turn, wrist, middle = base
        moving = _offset(sign, u, amplitude, second=False) * [-1, 1, 1] if sign.base_moves == "yes" else 0.0
        strokes.append(_Held(np.broadcast_to(shape, (len(u), len(shape))), turn, wrist + moving, middle))
    else:
        strokes.append(None)

    arms, hands, frames = [], [], []
    for side, stroke in enumerate(strokes):
        rest_turn = frame(DIRECTIONS["down"] + [-0.12, 0, 0.1], DIRECTIONS["in"])
        rest_wrist = np.array(signer.rest) * [1, 1, 1] + rng.normal(0, 0.012, 3) + body
        weight = w if stroke else np.zeros_like(w)
        shape, turn, wrist = stroke[:3] if stroke else (_REST_SHAPE[None], rest_turn, rest_wrist)
        if stroke:
            turn = multiply(turn, multiply(tilt[0], multiply(tilt[1], tilt[2])))
        # Up and down past the body, a hand points forward on its way: the forearm leads it there.
        turn = slerp(slerp(rest_turn, _PASSING, weight), slerp(_PASSING, turn, weight), weight)
        turned = to_matrix(turn)
        # The hand takes its shape early in the preparation and keeps it well into the retraction.
        formed = np.clip(weight * 1.6, 0, 1)[:, None]
        shape = _REST_SHAPE + (shape - _REST_SHAPE) * formed
        bow = (weight * (1 - weight))[:, None] * np.array([0.3, 0, 1.1])
        target = rest_wrist + (wrist - rest_wrist) * weight[:, None] + bow
        grip = length * weight[:, None] * (stroke.grip if stroke else 0.0)
        arm, turned = _within_reach(shoulders, target, turned, grip, signer.arm)
        hand = hand_points(shape, turned, arm[:, 2], length)
        mirror = np.array([1.0 if side == 0 else -1.0, 1, 1])
        arms.append(arm * mirror)
        hands.append(hand * mirror)
        frames.append(turned * mirror[:, None])
    return Performance(np.stack(arms), np.stack(hands), np.stack(frames), head, body, mouth, eyes)


class _Held(NamedTuple):
    """How a hand is held, in its own side's space (+x outwards).

    Attributes:
        shape: (T, 25) or (25,) handshape.
        turn: (T, 4) or (4,) rotation.
        wrist: (T, 3).
        grip: (T, 3) or (3,) where the contact lies in the hand's own frame, hand lengths.
    """

    shape: Array
    turn: Array
    wrist: Array
    grip: Array


class _Places:
    """Locations in one clip: on this signer's head and trunk, moving with them, with this clip's own small offset."""

    def __init__(self, signer: Signer, body: Array, head: Array, rng: np.random.Generator) -> None:
        self.signer, self.body, self.head = signer, body, head
        self.on_head = rng.normal(0, 0.010, 3)
        self.free = rng.normal(0, 0.025, 3) + signer.habit

    def at(self, location: str) -> Array:
        """Returns where a location is over time, (T, 3)."""
        place = LOCATIONS[location]
        if location in HEAD:
            return NECK + self.body + self.head @ (self.signer.head * (place - NECK) + self.on_head)
        return self.body + place + (self.free if location in FREE else self.on_head)


def _stroke(
    sign: Sign, u: Array, amplitude: float, place: _Places, length: float, base: _Held | None, second: bool
) -> _Held:
    """One hand's stroke, in its own side's space."""
    progress = _end_progress(sign, u)[:, None]
    shape = HANDSHAPES[sign.shape] + np.zeros((len(u), 1))
    if sign.end_shape:
        shape = shape + progress * (HANDSHAPES[sign.end_shape] - shape)
    if sign.movement == "wiggle":
        play = np.sin(2 * np.pi * 2 * u[:, None] + np.array([0, 1.7, 3.4, 5.1])) * 34 + 32
        shape[:, 0:12:3] += play * np.sqrt(np.abs(np.sin(np.pi * u)))[:, None]
    turn = frame(DIRECTIONS[sign.fingers], DIRECTIONS[sign.palm])
    if sign.end_fingers or sign.end_palm:
        end = frame(DIRECTIONS[sign.end_fingers or sign.fingers], DIRECTIONS[sign.end_palm or sign.palm])
        turn = slerp(turn, end, progress[:, 0])
    span = _SPAN.get(sign.movement, 0.0) * SIZES[sign.size] * amplitude
    swing = np.sin(2 * np.pi * sign.repeats * u)
    if sign.movement == "nod":
        turn = multiply(turn, about("r", span * np.sin(np.pi * sign.repeats * u) ** 2))
    elif sign.movement == "wave":
        turn = multiply(turn, about("n", span * swing))
    elif sign.movement == "twist":
        turn = multiply(turn, about("f", span * swing))
    turned = to_matrix(turn)
    if base is not None and sign.location == ON_BASE:
        target = _on_base(sign, base, length)
    else:
        target = place.at(sign.location)
        if sign.movement == "line":
            target = target + (place.at(sign.to) - target) * ease(u)[:, None]
    if sign.hands in ("symmetric", "alternating"):
        # Two mirrored hands need room for each other, unless they tap each other.
        room = 0.045 if sign.movement == "tap" else 0.11
        inwards = _offset(sign, _WHOLE_STROKE, amplitude, second)[:, 0].min()
        target = np.maximum(target, [room - inwards, -9, -9])
    target = target + _offset(sign, u, amplitude, second)
    grip = contact_point(shape, sign.contact)
    wrist = target - length * np.einsum("tij,tj->ti", np.broadcast_to(turned, (len(u), 3, 3)), grip)
    return _Held(shape, turn, wrist, grip)


def _end_progress(sign: Sign, u: Array) -> Array:
    """How far the hand has turned into its `end_*` values."""
    return ease(u) if sign.repeats == 1 else np.sin(np.pi * sign.repeats * u) ** 2


def _offset(sign: Sign, u: Array, amplitude: float, second: bool) -> Array:
    """The contact's movement away from its location: (T, 3)."""
    span = _SPAN.get(sign.movement, 0.0) * SIZES[sign.size] * amplitude
    half = 0.5 if second and sign.hands == "alternating" else 0.0
    n = sign.repeats
    if sign.movement == "tap" and n == 1 and sign.hands != "alternating":
        # One touch stays; more than one go off in between and at the end.
        return -span * (1 - ease(u / 0.6))[:, None] * DIRECTIONS[sign.direction]
    if sign.movement == "tap":
        return -span * (np.cos(np.pi * (n * u + half)) ** 2)[:, None] * DIRECTIONS[sign.direction]
    if sign.movement == "path":
        middle = 0.5 if sign.location in FREE else 0.0
        go = _strokes(u, n) if not half else 1 - _strokes(u, n)
        return span * (go - middle)[:, None] * DIRECTIONS[sign.direction]
    if sign.movement == "shake":
        return span * np.sin(2 * np.pi * (n * u + half))[:, None] * DIRECTIONS[sign.direction]
    if sign.movement == "circle":
        # As a viewer of a right-handed signer sees it: +x is the picture's left.
        way = -1.0 if sign.direction == "clockwise" else 1.0
        angle = 2 * np.pi * (n * (0.35 * ease(u) + 0.65 * u) + half) * way
        across, along = np.sin(angle), np.cos(angle)
        zero = np.zeros_like(u)
        axes = {"frontal": (across, -along, zero), "floor": (across, zero, -along), "side": (zero, -along, across)}
        return span * np.stack(axes[sign.plane], axis=1)
    return np.zeros((len(u), 3))


def _strokes(u: Array, n: int) -> Array:
    """N strokes from 0 to 1, with quicker ways back between them."""
    if n == 1:
        return ease(u)
    cycle = 1 / (n - 0.35)
    part = (u / cycle) % 1
    return np.where(part < 0.65, ease(part / 0.65), 1 - ease((part - 0.65) / 0.35))


def _base_hand(sign: Sign, place: _Places, length: float) -> _Held:
    """The base hand: its middle is at `mid`."""
    shape = HANDSHAPES[sign.base_shape]
    turn = frame(DIRECTIONS[sign.base_fingers], DIRECTIONS[sign.base_palm])
    middle = contact_point(shape[None], _middle(sign.base_shape))[0]
    target = place.at("mid") * [0, 1, 1] + [-0.02, 0.08, 0]
    return _Held(shape, turn, target - length * (to_matrix(turn) @ middle), middle)


def _on_base(sign: Sign, base: _Held, length: float) -> Array:
    """Where the dominant hand meets the base hand, in the dominant side's space: (T, 3)."""
    _, turn, wrist, middle = base
    touch = (wrist + length * (to_matrix(turn) @ middle)) * [-1, 1, 1]
    room = DIRECTIONS[sign.direction] if sign.movement == "tap" else DIRECTIONS["down"]
    return touch - 0.07 * room + [0, 0, 0.03]


def _middle(shape: str) -> str:
    return "knuckles" if shape in ("S", "A", "thumb-up") else "index_tip" if shape in ("1", "X") else "palm"


def _within_reach(shoulder: Array, wrist: Array, turned: Array, grip: Array, scale: float) -> tuple[Array, Array]:
    """The arm (T, 3, 3), and the hand's rotation (T, 3, 3) where the wrist bends no further than a wrist does.

    Each round turns the hand back into the limits about its contact (`grip` (T, 3), in the hand's own frame), which
    stays where it is; the arm follows. The last round turns the hand about the wrist.
    """
    contact = wrist + np.einsum("tij,tj->ti", turned, grip)
    wanted = turned
    for _ in range(3):
        arm = _arm(shoulder, wrist, wanted[:, :, 0], scale)
        turned = _bent_back(arm, wanted)
        wrist = contact - np.einsum("tij,tj->ti", turned, grip)
    arm = _arm(shoulder, wrist, wanted[:, :, 0], scale)
    return arm, _bent_back(arm, wanted)


def _bent_back(arm: Array, turned: Array) -> Array:
    """Hand rotations (T, 3, 3) turned about the wrist, the shortest way, until it bends within its limits."""
    forearm = arm[:, 2] - arm[:, 1]
    forearm = forearm / np.linalg.norm(forearm, axis=1, keepdims=True)
    along, across, beside = np.einsum("tij,ti->jt", turned, forearm)
    bend = np.arctan2(np.hypot(across, beside), along)
    # Bending towards the palm shows the forearm behind it, and so on.
    flexion = np.where(across < 0, *np.deg2rad(_WRIST_FLEXION))
    deviation = np.where(beside > 0, *np.deg2rad(_WRIST_DEVIATION))
    size = np.maximum(np.hypot(across, beside), 1e-9)
    limit = 1 / np.hypot(across / size / flexion, beside / size / deviation)
    # Gently into the limit: a hand that stops dead would look it.
    free = 0.75 * limit
    bent = np.where(bend > free, free + (limit - free) * np.tanh((bend - free) / (limit - free)), bend)
    axis = np.stack([np.zeros_like(size), -beside / size, across / size], axis=1)
    half = (bend - bent)[:, None] / 2
    back = to_matrix(np.concatenate([np.cos(half), np.sin(half) * axis], axis=1))
    return turned @ back


def _arm(shoulder: Array, wrist: Array, fingers: Array, scale: float) -> Array:
    """Two-link inverse kinematics: (T, 3, 3) shoulder, elbow, wrist; a wrist out of reach is drawn in.

    The elbow hangs down and out, and gives way to the hand: a forearm in line with the fingers spares the wrist.
    """
    upper, fore = UPPER_ARM * scale, FOREARM * scale
    reach = wrist - shoulder
    distance = np.linalg.norm(reach, axis=1, keepdims=True)
    axis = reach / distance
    distance = np.clip(distance, 0.5 * upper, 0.995 * (upper + fore))
    # A low hand lets the elbow hang behind it; a raised one takes it out to the side, clear of the trunk.
    low = ease((wrist[:, 1:2] - 0.45) / 0.6)
    pole = np.array([1.3, 0.75, -0.15]) - 0.4 * fingers + low * [-0.55, 0.0, -1.2]
    pole[:, 0] = np.maximum(pole[:, 0], 0.5)
    pole -= (pole * axis).sum(axis=1, keepdims=True) * axis
    pole /= np.linalg.norm(pole, axis=1, keepdims=True)
    along = (upper**2 - fore**2 + distance**2) / (2 * distance)
    elbow = shoulder + axis * along + pole * np.sqrt(np.maximum(upper**2 - along**2, 0))
    return np.stack([shoulder, elbow, shoulder + axis * distance], axis=1)


def _sway(times: Array, w: Array, rng: np.random.Generator) -> tuple[Array, Array, Array, Array]:
    """Breathing and balance: body (T, 3), head rotation (T, 3, 3), mouth (T,), eyes (T,)."""
    rate, start = rng.uniform(0.25, 0.7, 6), rng.uniform(0, 2 * np.pi, 6)
    wave = np.sin(2 * np.pi * rate * times[:, None] + start)
    body = wave[:, :3] * [0.012, 0.006, 0.010]
    angles = np.deg2rad(wave[:, 3:] * [2.5, 2.5, 4.0] + rng.normal(0, 1.5, 3) + w[:, None] * rng.normal(0, [2, 2, 3]))
    roll, nod, turn = angles.T
    zero, one = np.zeros_like(roll), np.ones_like(roll)
    # Small angles: the first-order rotation, made orthonormal to well below a pixel by its quaternion.
    quaternion = np.stack([one, nod / 2, turn / 2, roll / 2], axis=1)
    quaternion /= np.linalg.norm(quaternion, axis=1, keepdims=True)
    mouth = w * np.clip(np.sin(2 * np.pi * rng.uniform(1.0, 2.2) * times + start[0]), 0, 1) * rng.uniform(0, 0.8)
    blink = rng.uniform(0, times[-1] + 1.5)
    eyes = 1 - np.exp(-(((times - blink) / 0.06) ** 2)) * (one + zero)
    return body, to_matrix(quaternion), mouth, eyes
