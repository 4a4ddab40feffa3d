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
"""A program of its own: frames on stdin, MediaPipe Holistic's key points on stdout; `extractor.py` is its other end.

It runs in an environment that uv makes of the lines above, as MediaPipe 0.10.21, the last release that carries its
models, needs an old NumPy and an old protobuf. Of what it asks for, Holistic never uses jax, sentencepiece and
sounddevice, and the headless OpenCV needs no system library; the overrides leave the others out.

The protocol, numbers little-endian: first a line of JSON on stdout, {protocol, name, version, settings, keypoints}.
Then requests on stdin, each of three uint32: kind, width, height. Kind 1 is a frame, followed by uint8 (height, width,
3) RGB; the answer is float32 (64, 3), x, y in pixels and a score, all zero for a point that was not found. Kind 0
begins another clip and has no answer. The program ends with its stdin, which is when its other end is gone.
"""

import contextlib
import json
import os
import struct
import sys
import threading
from collections.abc import Sequence
from typing import Any, BinaryIO

import numpy as np

SETTINGS = {"model_complexity": 1, "min_detection_confidence": 0.5, "min_tracking_confidence": 0.5}
"""Holistic's own names. Complexities 0 and 2 would download their models; the rest are its defaults."""

_FINGERS = ("index", "middle", "ring", "little")
_HAND = (
    "wrist",
    *(f"thumb_{joint}" for joint in ("cmc", "mcp", "ip", "tip")),
    *(f"{finger}_{joint}" for finger in _FINGERS for joint in ("mcp", "pip", "dip", "tip")),
)
# MediaPipe's numbers: its 33 points of a body, and those of its face mesh of 468 that stand for the five of a face.
# Left and right are the person's own; an eye is the middle of its corners, an ear the mesh's last point before it.
_BODY = {
    "nose": 0, "left_eye": 2, "right_eye": 5, "left_ear": 7, "right_ear": 8, "left_shoulder": 11, "right_shoulder": 12,
    "left_elbow": 13, "right_elbow": 14, "left_wrist": 15, "right_wrist": 16, "left_hip": 23, "right_hip": 24,
    "left_knee": 25, "right_knee": 26, "left_ankle": 27, "right_ankle": 28,
}  # fmt: skip
_FACE = {
    "face_nose": (4,),
    "face_left_eye": (263, 362),
    "face_right_eye": (33, 133),
    "face_left_ear": (454,),
    "face_right_ear": (234,),
}
KEYPOINTS = (*_BODY, *(f"{side}_hand_{joint}" for side in ("left", "right") for joint in _HAND), *_FACE)
"""What an answer holds, in order."""

_REQUEST = struct.Struct("<III")
_FRAME = 1


def key_points(results: Any, width: int, height: int) -> np.ndarray:
    """Picks the 64 key points from what Holistic found in a frame.

    Args:
        results: `pose_landmarks`, `left_hand_landmarks`, `right_hand_landmarks` and `face_landmarks`, each None or with
            the list `landmark` of x, y as shares of the frame, and `visibility`, which only the body's have.
        width: Of the frame, pixels.
        height: Of the frame, pixels.

    Returns:
        float32 (64, 3): x, y in pixels, score. The body's score is its visibility; a hand or a face is found or not.
    """
    points = np.zeros((len(KEYPOINTS), 3), np.float32)
    if results.pose_landmarks is not None:
        landmarks = results.pose_landmarks.landmark
        points[:17] = [(landmarks[i].x, landmarks[i].y, landmarks[i].visibility) for i in _BODY.values()]
    for first, found in ((17, results.left_hand_landmarks), (38, results.right_hand_landmarks)):
        if found is not None:
            points[first : first + 21] = [(each.x, each.y, 1.0) for each in found.landmark]
    if results.face_landmarks is not None:
        points[59:] = [_middle(results.face_landmarks.landmark, numbers) for numbers in _FACE.values()]
    points[:, :2] *= width, height
    # Nothing that is no number leaves here.
    points[~np.isfinite(points).all(axis=1)] = 0
    return points


def _middle(landmarks: Sequence[Any], numbers: tuple[int, ...]) -> tuple[float, float, float]:
    count = len(numbers)
    return sum(landmarks[i].x for i in numbers) / count, sum(landmarks[i].y for i in numbers) / count, 1.0


def serve(source: BinaryIO, sink: BinaryIO) -> None:
    """Answers requests until `source` ends."""
    # Here, so that the mapping above can be looked at where there is no MediaPipe.
    import mediapipe
    from mediapipe.python.solutions.holistic import Holistic

    holistic = Holistic(static_image_mode=False, **SETTINGS)
    # The first frame is slow; what comes now does not count as the time of a clip.
    holistic.process(np.zeros((64, 64, 3), np.uint8))
    told = {"protocol": 1, "name": "mediapipe-holistic", "version": mediapipe.__version__}
    sink.write(json.dumps({**told, "settings": SETTINGS, "keypoints": KEYPOINTS}).encode() + b"\n")
    sink.flush()
    while len(request := source.read(_REQUEST.size)) == _REQUEST.size:
        kind, width, height = _REQUEST.unpack(request)
        if kind != _FRAME:
            # Tracks hands from frame to frame, so what it knows of one clip must not reach the next.
            holistic.reset()
            continue
        pixels = source.read(width * height * 3)
        if len(pixels) < width * height * 3:
            break
        frame = np.frombuffer(pixels, np.uint8).reshape(height, width, 3)
        sink.write(key_points(holistic.process(frame), width, height).astype("<f4").tobytes())
        sink.flush()


def _end_with_stdin() -> None:
    """Ends the process when whoever writes to stdin is gone, in the middle of a frame too."""
    import select

    hung_up = select.poll()
    hung_up.register(sys.stdin.fileno(), 0)
    hung_up.poll()
    os._exit(0)


def main() -> None:
    """Serves stdin and stdout; what libraries print goes to stderr."""
    with os.fdopen(os.dup(sys.stdout.fileno()), "wb") as sink:
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
        if sys.platform == "linux":
            threading.Thread(target=_end_with_stdin, daemon=True).start()
        with contextlib.suppress(BrokenPipeError, KeyboardInterrupt):
            serve(sys.stdin.buffer, sink)


if __name__ == "__main__":
    main()
