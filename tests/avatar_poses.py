"""Key points of the avatar as an extractor would leave them: float32 (T, 64, 3), hidden ones not found."""

import numpy as np

from data_engineering.pose.record import Pose
from data_engineering.synthetic.clips import record
from data_engineering.synthetic.signer import Signer
from data_engineering.synthetic.signs import load_signs

SIGNS = load_signs()


def avatar_pose(gloss="MOTHER", signer=0, seed=0):
    """The exact points of a clip, and in which phase each frame is."""
    recording, _ = record(SIGNS[gloss], Signer.sample(np.random.default_rng(signer)), seed)
    points = recording.keypoints[..., [0, 1, 3]]
    points = points * (points[..., 2:] > 0)
    times = np.arange(len(points), dtype=np.float32) / recording.fps
    return Pose(points.astype(np.float32), times, (recording.width, recording.height)), recording.phases
