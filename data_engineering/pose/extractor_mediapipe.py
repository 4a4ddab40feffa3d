# /// script
# requires-python = ">=3.11,<3.13"
# dependencies = [
#   "mediapipe==0.10.21",
#   "absl-py==2.5.1",
#   "attrs==26.1.0",
#   "flatbuffers==25.12.19",
#   "matplotlib==3.11.2",
#   "numpy==1.26.4",
#   "opencv-contrib-python-headless==4.11.0.86",
#   "protobuf==4.25.9",
# ]
# [tool.uv]
# override-dependencies = [
#   "opencv-contrib-python; sys_platform == 'never'",
#   "jax; sys_platform == 'never'",
#   "jaxlib; sys_platform == 'never'",
#   "sentencepiece; sys_platform == 'never'",
#   "sounddevice; sys_platform == 'never'",
# ]
# ///
"""An extractor: MediaPipe Holistic of the last release that carries its models, so that no model is downloaded.

It runs in an environment that uv makes of the lines above, as MediaPipe 0.10.21 needs an old NumPy and an old protobuf.
Of what it asks for, Holistic never uses jax, sentencepiece and sounddevice, and the headless OpenCV needs no system
library; the overrides leave the others out. `extractor_protocol.py` tells how it is spoken to.
"""

import sys
from pathlib import Path

import numpy as np

sys.path.append(str(Path(__file__).parent))
from extractor_protocol import Landmarks, run  # it lies beside this script

SETTINGS = {"model_complexity": 1, "min_detection_confidence": 0.5, "min_tracking_confidence": 0.5}
"""Holistic's own names. Complexities 0 and 2 would download their models; the rest are its defaults."""


class Holistic:
    """`mediapipe.solutions.holistic`, which follows body and hands from frame to frame."""

    name = "mediapipe-holistic"
    settings = SETTINGS

    def __init__(self) -> None:
        import mediapipe
        from mediapipe.python.solutions.holistic import Holistic as Solution

        self.version = mediapipe.__version__
        self._holistic = Solution(static_image_mode=False, **SETTINGS)

    def find(self, frame: np.ndarray) -> Landmarks:
        """Finds the landmarks of the clip's next frame."""
        found = self._holistic.process(frame)
        parts = (found.pose_landmarks, found.left_hand_landmarks, found.right_hand_landmarks, found.face_landmarks)
        return Landmarks(*(part and part.landmark for part in parts))

    def reset(self) -> None:
        """Forgets the clip."""
        self._holistic.reset()


if __name__ == "__main__":
    run(Holistic)
