"""The avatar's exact key points in the form that extracted ones have."""

import numpy as np

from data_engineering.keypoints import LEFT_HAND, RIGHT_HAND
from data_engineering.pose.record import Pose
from data_engineering.synthetic.body import Figure, outlines
from data_engineering.synthetic.camera import film, keypoint_order
from data_engineering.synthetic.clips import Recording
from data_engineering.synthetic.motion import perform
from data_engineering.synthetic.phonology import Sign
from data_engineering.synthetic.signer import Signer
from data_engineering.synthetic.timing import timing

HIDDEN = 0.5
"""The score of a point that something hides: its place is known, but whoever sees the picture can only guess it."""


def exact_pose(recording: Recording) -> Pose:
    """Returns a clip's key points as an extractor would leave them, were it never wrong.

    A point that is seen has score 1; one that is hidden, or belongs to the body and lies outside the frame, which
    extractors guess, `HIDDEN`. Of a hand, points outside the frame are not found.
    """
    places, seen = recording.keypoints[..., :2], recording.keypoints[..., 3] > 0
    return _pose(places, seen, recording.fps, (recording.width, recording.height))


def perform_pose(sign: Sign, signer: Signer, rng: np.random.Generator) -> Pose:
    """Returns the key points of a performance that nobody films: a tenth of the work, and no point hides another.

    Args:
        sign: What is signed.
        signer: By whom; their camera gives rate, size, place and angle.
        rng: Draws timing and sway.
    """
    when = timing(sign, signer, rng)
    times = np.arange(int(when.duration * signer.fps)) / signer.fps
    performance = perform(sign, signer, times, when, rng)
    trunk, head = outlines(signer)
    figure = Figure(signer, performance, {"hips": trunk["hips"]}, {"landmarks": head["landmarks"]})
    shot = film(figure, performance.frames, signer, rng)
    places = shot.points[:, keypoint_order(shot, signer)]
    size = (signer.width, signer.height)
    return _pose(places, _inside(places, size), signer.fps, size)


def _pose(places: np.ndarray, seen: np.ndarray, fps: float, size: tuple[int, int]) -> Pose:
    scores = np.where(seen, 1.0, HIDDEN)
    inside = _inside(places, size)
    for hand in (LEFT_HAND, RIGHT_HAND):
        scores[:, hand] *= inside[:, hand]
    points = np.concatenate([places, scores[..., None]], axis=-1) * (scores > 0)[..., None]
    return Pose(points.astype(np.float32), (np.arange(len(points)) / fps).astype(np.float32), size)


def _inside(places: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return np.all((places > 0) & (places < size), axis=-1)
