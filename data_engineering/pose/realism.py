"""What an extractor's key points have and the avatar's exact ones lack: jitter, drift, drop-outs, wrong hands.

Where the numbers are from:

- Drop-outs by speed: real clips of seated signers, 15 frames a second, 960 pixels wide, mediapipe 0.10.21's holistic:
  a hand is found in 97, 93, 88, 74, 36 and 16 % of the frames in which its wrist moves by 0-3, 3-8, 8-16, 16-30, 30-60
  and more pixels a frame. A hand is 59 pixels from wrist to knuckle there, 0.28 shoulder widths below, so a shoulder
  width is 210 pixels and 3 pixels a frame are 0.21 shoulder widths a second.
- All else: 39 clips of WLASL, of 12 frames at least (2,362 found hands), the same extractor. Shoulder
  widths are of its shoulder points. A hand is never found where its wrist is outside the frame (0.2 % of 1,998), and
  less often below the belt: in 93 % of the frames with the wrist at most 0.75 shoulder widths below the shoulders, 79 %
  down to 1.0, 37 % below. A gap lasts 67 ms on average. Second differences in slow moments, over the square root of 6,
  which is what is independent from frame to frame, have a standard deviation of 0.001 for the trunk, 0.002 for wrists,
  0.007 for hands. The body's wrist and the hand's lie 0.063 apart in the median, 0.17 at 95 %. 1.2 % of the hands found
  lie at the other arm's wrist; of the frames with two hands, 4.3 % show one and the same hand twice. Wrists that are
  seen have a score of 0.7, 0.96 and 1.0 (10, 50, 90 %), those guessed outside the frame 0.13, 0.45 and 0.85.
"""

import numpy as np
from scipy.special import ndtr

from data_engineering.keypoints import BODY, FACE, KEYPOINTS, LEFT_HAND, RIGHT_HAND

SPEEDS = (0.21, 0.57, 1.14, 2.14, 4.29)
"""Bounds of the table of drop-outs, in shoulder widths a second."""
FOUND = (0.97, 0.93, 0.88, 0.74, 0.36, 0.16)
"""The share of hands found between those bounds."""
_LOW, _FOUND_LOW = (0.75, 1.0), (1.0, 0.85, 0.4)
WRONG = 0.02
"""The share of a hand's detections that are the other hand's; half of the frames that show one hand twice."""
_MEMORY = 0.1  # seconds: with this, gaps of hands that are found in nine frames of ten last 68 ms on average
_BODY_JITTER, _HAND_JITTER = 0.002, 0.007  # shoulder widths, standard deviation
# Of a body's wrist and elbow about where they are: a Rayleigh distribution with the median 0.063 has this spread. It
# drifts so slowly, from one of these moments to the next, that second differences do not show it.
_DRIFT, _DRIFT_SECONDS = 0.05, 0.5
_SEEN_SCORE, _GUESSED_SCORE = (0.7, 1.0), (0.13, 0.85)

_ARMS = (
    (KEYPOINTS.index("left_elbow"), KEYPOINTS.index("left_wrist"), LEFT_HAND),
    (KEYPOINTS.index("right_elbow"), KEYPOINTS.index("right_wrist"), RIGHT_HAND),
)
# Of a hand's points that must be in the frame and in front for an extractor to see a hand at all.
_ENOUGH = 0.3


def realistic(points: np.ndarray, times: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Makes exact key points what an extractor would have found.

    Args:
        points: float32 (T, 64, 3) as `normalize.normalized` returns them, of `synthetic.exact.exact_pose`: score 1
            where a point is seen, less where it is hidden.
        times: float (T,), seconds.
        rng: Draws it; the same state gives the same points.

    Returns:
        float32 (T, 64, 3). A hand is found as a whole, with score 1, or not at all.
    """
    result = points.copy()
    count = len(points)
    # One frame tells no pace; a fortieth of a second is none that matters.
    step = float(np.median(np.diff(times))) if count > 1 else 0.025
    result[..., :2] += rng.normal(0, _BODY_JITTER, (count, len(KEYPOINTS), 2))
    for elbow, wrist, hand in _ARMS:
        for joint in (elbow, wrist):
            result[:, joint, :2] += _DRIFT * _drift(count, step / _DRIFT_SECONDS, rng)
        result[:, hand, :2] += rng.normal(0, _HAND_JITTER, (count, 21, 2))
        result[:, hand, 2] = (points[:, hand, 2] > 0) & _detected(points[:, hand], step, rng)[:, None]
    _mistake(result, step, rng)
    for part in (BODY, FACE):
        seen, guessed = points[:, part, 2] >= 1, rng.uniform(*_GUESSED_SCORE)
        result[:, part, 2] = np.where(seen, rng.uniform(*_SEEN_SCORE), guessed) * (points[:, part, 2] > 0)
    result[~(result[..., 2] > 0)] = 0
    return result


def detection_rates(hand: np.ndarray, step: float) -> np.ndarray:
    """Returns how likely an extractor is to find a hand in each frame, (T,).

    Args:
        hand: (T, 21, 3) normalised points; score 1 where one is seen.
        step: Seconds from frame to frame.
    """
    wrist = hand[:, 0, :2]
    speed = np.linalg.norm(np.gradient(wrist, axis=0), axis=1) / step if len(hand) > 1 else np.zeros(len(hand))
    rates = np.array(FOUND)[np.searchsorted(SPEEDS, speed)]
    rates = rates * np.array(_FOUND_LOW)[np.searchsorted(_LOW, wrist[:, 1])]
    return rates * ((hand[..., 2] >= 1).mean(axis=1) > _ENOUGH)


def _detected(hand: np.ndarray, step: float, rng: np.random.Generator) -> np.ndarray:
    # A smooth normal process through its own distribution function is uniform: rates are kept, and gaps come in runs.
    return ndtr(_slow((len(hand),), step / _MEMORY, rng)) < detection_rates(hand, step)


def _mistake(points: np.ndarray, step: float, rng: np.random.Generator) -> None:
    """Puts, in place, one hand's points where the other's should be, now and then."""
    both = [points[:, hand].copy() for hand in (LEFT_HAND, RIGHT_HAND)]
    for hand, other in zip((LEFT_HAND, RIGHT_HAND), reversed(both), strict=True):
        wrong = (ndtr(_slow((len(points),), step / _MEMORY, rng)) < WRONG) & (other[:, 0, 2] > 0)
        points[wrong, hand] = other[wrong]


def _drift(count: int, pace: float, rng: np.random.Generator) -> np.ndarray:
    """Draws places (count, 2) of variance 1 that go straight from one to the next, `1 / pace` frames apart."""
    at = np.arange(count) * pace
    knots = rng.normal(0, np.sqrt(1.5), (int(at[-1]) + 2 if count else 0, 2))  # between two, the variance is less
    return np.stack([np.interp(at, np.arange(len(knots)), axis) for axis in knots.T], axis=1)


def _slow(shape: tuple[int, ...], pace: float, rng: np.random.Generator) -> np.ndarray:
    """Draws standard normal processes along the first axis, correlated by exp(-pace) from frame to frame."""
    draws = rng.normal(0, 1, shape)
    keep = float(np.exp(-pace))
    for frame in range(1, len(draws)):
        draws[frame] = keep * draws[frame - 1] + np.sqrt(1 - keep * keep) * draws[frame]
    return draws
