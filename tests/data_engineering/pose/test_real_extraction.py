"""MediaPipe itself, in the environment that uv makes, on real people: slow to start, and skipped where neither is."""

from pathlib import Path

import numpy as np
import pytest
from pose_clips import LIMITS, SMALL

from data_engineering.errors import RunError
from data_engineering.keypoints import KEYPOINTS, LEFT_HAND, RIGHT_HAND, SHOULDERS
from data_engineering.pose.environment import prepared
from data_engineering.pose.extractor import HOLISTIC, Program
from data_engineering.pose.normalize import normalized
from data_engineering.pose.one_file import FileExtractor

pytestmark = pytest.mark.real_clips


@pytest.fixture(scope="module")
def holistic() -> Program:
    try:
        return prepared(HOLISTIC, print)
    except RunError as error:
        pytest.skip(f"no environment for the extractor: {error}")


def test_body_face_and_hands_are_where_they_should_be(real_clips: Path, holistic: Program) -> None:
    """afraid, 22 frames: both hands are seen in nearly all of them."""
    with FileExtractor(LIMITS, SMALL, print, holistic) as extractor:
        pose = extractor.extract(real_clips / "clips" / "01377.mp4").pose
        again = extractor.extract(real_clips / "clips" / "01377.mp4").pose
    assert (again.points == pose.points).all()  # the extractor remembers nothing of a clip
    points, found = normalized(pose.points, pose.size), pose.found
    assert pose.size == (288, 192)
    assert found[:, SHOULDERS].all()
    assert found[:, KEYPOINTS.index("face_nose")].mean() > 0.9
    # A person who faces the camera has the right shoulder on the picture's left.
    assert (points[:, SHOULDERS[1], 0] < points[:, SHOULDERS[0], 0]).all()
    for hand, name in ((LEFT_HAND, "left_wrist"), (RIGHT_HAND, "right_wrist")):
        seen = found[:, hand.start]
        assert seen.mean() > 0.9
        apart = points[seen, hand.start, :2] - points[seen, KEYPOINTS.index(name), :2]
        assert np.median(np.linalg.norm(apart, axis=1)) < 0.3
