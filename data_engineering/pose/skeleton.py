"""Key points drawn as the frames a model sees: one renderer for the avatar's exact points and for extracted ones.

A frame's upper half is the body; its lower quadrants are the hands, each enlarged to a box of its own. In a picture of
64 pixels a hand that was filmed has seven, and what tells handshapes apart is gone: drawn so, it has thirty. A model
that turns a frame into 2 x 2 tokens has one for either side of the body and one for each hand.

Left and right in the picture are the camera's, as in the film: the right hand of whoever faces it is on the left.
"""

from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np

from data_engineering.keypoints import BODY, FACE, KEYPOINTS, LEFT_HAND, RIGHT_HAND, SHOULDERS
from data_engineering.pose.fill import filled
from data_engineering.pose.normalize import active

SIDE = 64
"""Pixels of a frame's side, unless told otherwise; line widths grow with it."""

_SUPERSAMPLING = 2
# cv2 takes places in fractions of a pixel as integers.
_SHIFT = 4
# What of the body its half shows, in shoulder widths from between the shoulders: x from -1.4 to 1.4, y from -1.2
# (above the head) to 1.0 (a little below the belt, where hands that rest leave the picture).
_BODY_LEFT, _BODY_TOP, _BODY_WIDTH, _BODY_HEIGHT = -1.4, -1.2, 2.8, 2.2
# A hand's box: never smaller than this share of its usual box in the clip, so that a hand seen along its fingers is not
# blown up; nor than this many shoulder widths. And the part of its panel that it fills.
_SMALLEST_SHARE, _SMALLEST, _FILLS = 0.7, 0.15, 0.84
# The trail of a wrist reaches back over this many samples.
_TRAIL = 2
_TRAIL_SHARE = 0.45
# From the middle of the eyes to the nose, and as far again: about where the mouth is. No key point is there.
_MOUTH = 0.9

_LEFT_EYE, _RIGHT_EYE, _LEFT_EAR, _RIGHT_EAR = 1, 2, 3, 4
_ARMS = tuple(
    tuple(KEYPOINTS.index(f"{side}_{joint}") for joint in ("shoulder", "elbow", "wrist")) for side in ("left", "right")
)
_HANDS = (LEFT_HAND, RIGHT_HAND)
# Of a hand's 21 points, with colour and width: the palm, round wrist and knuckles; then each finger.
_BONES: tuple[tuple[tuple[int, ...], tuple[int, int, int], int], ...] = (
    ((0, 5, 9, 13, 17, 0), (150, 150, 150), 1),
    ((0, 1, 2, 3, 4), (255, 255, 0), 2),
    ((5, 6, 7, 8), (255, 60, 60), 2),
    ((9, 10, 11, 12), (60, 255, 60), 2),
    ((13, 14, 15, 16), (90, 90, 255), 2),
    ((17, 18, 19, 20), (255, 60, 255), 2),
)
# From wrist to the tips of thumb, index and little finger: where a hand beside the body points.
_POINTING = [4, 0, 8, 0, 20]
_ANGLES = np.linspace(0, 2 * np.pi, 17)
_OVAL = np.stack([np.cos(_ANGLES), np.sin(_ANGLES), 0 * _ANGLES], axis=1)


@dataclass(frozen=True, slots=True)
class Shown:
    """What of a clip is drawn.

    Attributes:
        at: Which N frames of the clip.
        points: float32 (N, 64, 3), short gaps filled.
        trails: N arrays (K, 64, 3): every frame of the clip from `_TRAIL` samples before.
        boxes: The usual side of the left and of the right hand's box, in shoulder widths.
    """

    at: np.ndarray
    points: np.ndarray
    trails: list[np.ndarray]
    boxes: tuple[float, float]


def skeleton_frames(points: np.ndarray, num_frames: int, side: int = SIDE) -> np.ndarray:
    """Draws a clip: N frames at the centres of equal parts of the segment in which somebody signs.

    Args:
        points: float32 (T, 64, 3) as `normalize.normalized` returns them, varied or not. Scores are intensities. A
            hand that was not found is drawn from the nearest frame within three that found it, at half its score, or
            its panel is empty.
        num_frames: N.
        side: S, pixels of a frame's side.

    Returns:
        uint8 (N, S, S, 3).
    """
    return drawn(shown(points, num_frames), side)


def shown(points: np.ndarray, num_frames: int) -> Shown:
    """Chooses what of a clip is drawn; arguments as `skeleton_frames` takes them."""
    points = filled(points)
    start, end = active(points)
    at = start + ((np.arange(num_frames) + 0.5) * (end - start) / num_frames).astype(int)
    trails = [points[at[max(number - _TRAIL, 0)] : frame + 1] for number, frame in enumerate(at)]
    left, right = (_usual_box(points[start:end, hand]) for hand in _HANDS)
    return Shown(at, points[at], trails, (left, right))


def drawn(shown: Shown, side: int = SIDE) -> np.ndarray:
    """Draws the frames, uint8 (N, S, S, 3), S being `side` pixels."""
    large = side * _SUPERSAMPLING
    half = large // 2
    frames = np.empty((len(shown.points), side, side, 3), np.uint8)
    canvas = np.zeros((large, large, 3), np.uint8)
    for frame, points, trail in zip(frames, shown.points, shown.trails, strict=True):
        canvas[:half] = _draw_body(points, trail, large, half)
        for hand, box, left in zip(_HANDS, shown.boxes, (half, 0), strict=True):
            canvas[half : 2 * half, left : left + half] = _draw_hand(points[hand], box, half)
        frame[:] = cv2.resize(canvas, (side, side), interpolation=cv2.INTER_AREA)
    return frames


def panel_places(shown: Shown) -> np.ndarray:
    """Returns where each point is drawn, in 0..1 of its own panel, and its score: float32 (N, 64, 3).

    The panel of body and face is the frame's upper half, that of a hand its quadrant.
    """
    result = shown.points.copy()
    result[..., :2] = (result[..., :2] - (_BODY_LEFT, _BODY_TOP)) / (_BODY_WIDTH, _BODY_HEIGHT)
    for hand, usual in zip(_HANDS, shown.boxes, strict=True):
        for places, points in zip(result[:, hand], shown.points[:, hand], strict=True):
            if (points[:, 2] > 0).any():
                middle, box = _box(points, usual)
                places[:, :2] = (points[:, :2] - middle) * (_FILLS / box) + 0.5
    result[~(result[..., 2] > 0)] = 0
    return result


def _draw_body(points: np.ndarray, trail: np.ndarray, width: int, height: int) -> np.ndarray:
    """Draws left arm, right arm, and head and shoulders, each in a channel: uint8 (height, width, 3)."""
    scale = np.array([width / _BODY_WIDTH, height / _BODY_HEIGHT], np.float32)
    thick = max(1, round(width / 64))
    channels = [np.zeros((height, width), np.uint8) for _ in range(3)]
    head = channels[2]

    def strokes(canvases: list[np.ndarray], chain: np.ndarray, share: float, thick: int) -> None:
        places, scores = _fixed((chain[:, :2] - (_BODY_LEFT, _BODY_TOP)) * scale), chain[:, 2].tolist()
        for canvas in canvases:
            for one in range(len(places) - 1):
                _line(canvas, places[one], places[one + 1], share * _level(scores[one : one + 2]), thick)

    for arm, channel in zip(_ARMS, channels, strict=False):
        strokes([channel, head], trail[:, arm[2]], _TRAIL_SHARE, thick)
    strokes([head], points[list(SHOULDERS)], 1.0, thick)
    for chain in _face(points):
        strokes([head], chain, 1.0, thick)
    for arm, hand, channel in zip(_ARMS, _HANDS, channels, strict=False):
        strokes([channel], points[list(arm)], 1.0, 2 * thick)
        strokes([channel], points[hand][_POINTING], 1.0, thick)
    return np.stack(channels, axis=-1)


def _face(points: np.ndarray) -> list[np.ndarray]:
    """Returns the lines of a head, (K, 3) each: nose and mouth, and an oval about the ears; what of them is known."""
    # The face's own points are the finer ones.
    head = np.where(points[FACE, 2:] > 0, points[FACE], points[BODY][:5])
    nose, eyes, ears = head[0], head[[_LEFT_EYE, _RIGHT_EYE]], head[[_LEFT_EAR, _RIGHT_EAR]]
    lines: list[np.ndarray] = []
    if nose[2] > 0 and (eyes[:, 2] > 0).all():
        between = eyes.mean(axis=0)
        mouth = nose + _MOUTH * (nose - between) * (1, 1, 0)
        aside = (eyes[0] - eyes[1]) * (0.3, 0.3, 0)
        lines += [np.stack([between, nose]), np.stack([mouth - aside, mouth + aside])]
    if (ears[:, 2] > 0).all():
        across = max(float(np.linalg.norm(ears[0, :2] - ears[1, :2])), 0.1)
        # A head is about half as high again as it is wide.
        lines.append(ears.mean(axis=0) + _OVAL * (across / 2, across * 0.75, 0))
    return lines


def _draw_hand(hand: np.ndarray, usual: float, size: int) -> np.ndarray:
    """Draws a hand (21, 3) enlarged to its own box: uint8 (size, size, 3), black where it was not found."""
    panel = np.zeros((size, size, 3), np.uint8)
    if not (hand[:, 2] > 0).any():
        return panel
    middle, box = _box(hand, usual)
    places = _fixed((hand[:, :2] - middle) * (size * _FILLS / box) + size / 2)
    scores = hand[:, 2].tolist()
    thick = max(1, round(size / 32))
    for joints, color, wide in _BONES:
        for one, other in pairwise(joints):
            _line(panel, places[one], places[other], _level([scores[one], scores[other]]), wide * thick, color)
    return panel


def _box(hand: np.ndarray, usual: float) -> tuple[np.ndarray, float]:
    """Returns the middle (2,) and the side of the square that a hand (21, 3) is enlarged from, in shoulder widths."""
    places = hand[hand[:, 2] > 0, :2]
    low, high = places.min(axis=0), places.max(axis=0)
    return (low + high) / 2, max(float((high - low).max()), _SMALLEST_SHARE * usual, _SMALLEST)


def _usual_box(hand: np.ndarray) -> float:
    """Returns the median side of a hand's box over a clip (T, 21, 3), in shoulder widths; 0 where it is never found."""
    hand = hand[(hand[..., 2] > 0).all(axis=1), :, :2]
    if not len(hand):
        return 0.0
    return float(np.median(np.ptp(hand, axis=1).max(axis=1)))


def _level(scores: list[float]) -> float:
    """Returns the intensity of what is drawn between points: their mean score, or 0 where one was not found."""
    return min(sum(scores) / len(scores), 1.0) if min(scores) > 0 else 0.0


def _line(
    canvas: np.ndarray,
    one: tuple[int, int],
    other: tuple[int, int],
    level: float,
    thick: int,
    color: tuple[int, int, int] = (255, 255, 255),
) -> None:
    if level > 0:
        shade = (level * color[0], level * color[1], level * color[2])
        cv2.line(canvas, one, other, shade, thick, cv2.LINE_AA, _SHIFT)


def _fixed(places: np.ndarray) -> list[tuple[int, int]]:
    """Returns places (K, 2) in cv2's fixed point, kept where its integers end: a point may lie anywhere outside."""
    fixed = np.round(np.clip(places, -4000, 4000) * (1 << _SHIFT)).astype(int)
    return [(x, y) for x, y in fixed.tolist()]
