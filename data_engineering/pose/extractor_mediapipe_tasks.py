# /// script
# requires-python = ">=3.11"
# dependencies = [
#   "mediapipe==1.2.2",
#   "absl-py==2.5.1",
#   "certifi==2026.10.18",
#   "flatbuffers==25.12.19",
#   "matplotlib==3.11.2",
#   "numpy==2.4.6",
#   "opencv-python-headless==5.0.0.93",
# ]
# [tool.uv]
# override-dependencies = [
#   "opencv-contrib-python; sys_platform == 'never'",
#   "opencv-python; sys_platform == 'never'",
#   "sounddevice; sys_platform == 'never'",
# ]
# ///
"""An extractor: the Holistic Landmarker of newer MediaPipe, whose models are one file, fetched before it is started.

It runs in an environment that uv makes of the lines above. `extractor_protocol.py` tells how it is spoken to.

    extractor_mediapipe_tasks.py MODEL HASH
"""

import sys
from pathlib import Path

import numpy as np

sys.path.append(str(Path(__file__).parent))
from extractor_protocol import Landmarks, run  # it lies beside this script

# Milliseconds that its clock moves a frame: it smooths by time, and 30 frames a second are what it is made for.
_STEP = 33


class HolisticTask:
    """`mediapipe.tasks.vision.HolisticLandmarker` in its mode for videos, with its defaults.

    Args:
        model: holistic_landmarker.task.
        digest: What the file's hash begins with.
    """

    name = "mediapipe-tasks-holistic"

    def __init__(self, model: str, digest: str) -> None:
        import mediapipe
        from mediapipe.tasks.python import BaseOptions, vision

        self.version = mediapipe.__version__
        self.settings = {"model": digest}
        self._mediapipe = mediapipe
        self._options = vision.HolisticLandmarkerOptions(
            base_options=BaseOptions(model_asset_path=model), running_mode=vision.RunningMode.VIDEO
        )
        self._make = vision.HolisticLandmarker.create_from_options
        self._landmarker = self._make(self._options)
        self._time = 0

    def find(self, frame: np.ndarray) -> Landmarks:
        """Finds the landmarks of the clip's next frame."""
        image = self._mediapipe.Image(image_format=self._mediapipe.ImageFormat.SRGB, data=frame)
        found = self._landmarker.detect_for_video(image, self._time)
        self._time += _STEP
        return Landmarks(
            found.pose_landmarks, found.left_hand_landmarks, found.right_hand_landmarks, found.face_landmarks
        )

    def reset(self) -> None:
        """Forgets the clip, which it can do only by beginning anew."""
        self._landmarker.close()
        self._landmarker, self._time = self._make(self._options), 0


if __name__ == "__main__":
    run(lambda: HolisticTask(*sys.argv[1:]))
