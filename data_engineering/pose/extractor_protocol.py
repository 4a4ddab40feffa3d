"""The far end of an extractor's pipe: what each of the scripts beside it, run in an environment of its own, shares.

Only the standard library and NumPy are imported here, and nothing of this package, which those environments lack.

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
from collections.abc import Callable, Sequence
from typing import Any, BinaryIO, NamedTuple, Protocol

import numpy as np

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


class Landmarks(NamedTuple):
    """What MediaPipe found in a frame: x, y as shares of it, and the body's `visibility`; None for what it did not."""

    body: Sequence[Any] | None
    left_hand: Sequence[Any] | None
    right_hand: Sequence[Any] | None
    face: Sequence[Any] | None


class Finder(Protocol):
    """Finds landmarks in the frames of one clip after the other."""

    name: str
    version: str
    settings: dict[str, Any]

    def find(self, frame: np.ndarray) -> Landmarks:
        """Returns what is in the clip's next frame, uint8 (H, W, 3) RGB."""

    def reset(self) -> None:
        """Begins another clip, of which the last one must tell nothing."""


def key_points(found: Landmarks, width: int, height: int) -> np.ndarray:
    """Picks the 64 key points from what was found in a frame of so many pixels.

    Returns:
        float32 (64, 3): x, y in pixels, score. The body's score is its visibility; a hand or a face is found or not.
    """
    points = np.zeros((len(KEYPOINTS), 3), np.float32)
    if found.body:
        points[:17] = [(found.body[i].x, found.body[i].y, found.body[i].visibility) for i in _BODY.values()]
    for first, hand in ((17, found.left_hand), (38, found.right_hand)):
        if hand:
            points[first : first + 21] = [(each.x, each.y, 1.0) for each in hand]
    if found.face:
        points[59:] = [_middle(found.face, numbers) for numbers in _FACE.values()]
    points[:, :2] *= width, height
    # Nothing that is no number leaves here.
    points[~np.isfinite(points).all(axis=1)] = 0
    return points


def _middle(landmarks: Sequence[Any], numbers: tuple[int, ...]) -> tuple[float, float, float]:
    count = len(numbers)
    return sum(landmarks[i].x for i in numbers) / count, sum(landmarks[i].y for i in numbers) / count, 1.0


def serve(finder: Finder, source: BinaryIO, sink: BinaryIO) -> None:
    """Answers requests until `source` ends."""
    # The first frame is slow; what comes now does not count as the time of a clip.
    finder.find(np.zeros((64, 64, 3), np.uint8))
    told = {"protocol": 1, "name": finder.name, "version": finder.version, "settings": finder.settings}
    sink.write(json.dumps({**told, "keypoints": KEYPOINTS}).encode() + b"\n")
    sink.flush()
    while len(request := source.read(_REQUEST.size)) == _REQUEST.size:
        kind, width, height = _REQUEST.unpack(request)
        if kind != _FRAME:
            finder.reset()
            continue
        pixels = source.read(width * height * 3)
        if len(pixels) < width * height * 3:
            break
        frame = np.frombuffer(pixels, np.uint8).reshape(height, width, 3)
        sink.write(key_points(finder.find(frame), width, height).astype("<f4").tobytes())
        sink.flush()


def _end_with_stdin() -> None:
    """Ends the process when whoever writes to stdin is gone, in the middle of a frame too."""
    import select

    hung_up = select.poll()
    hung_up.register(sys.stdin.fileno(), 0)
    hung_up.poll()
    os._exit(0)


def run(make: Callable[[], Finder]) -> None:
    """Serves stdin and stdout; what libraries print goes to stderr."""
    with os.fdopen(os.dup(sys.stdout.fileno()), "wb") as sink:
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
        if sys.platform == "linux":
            threading.Thread(target=_end_with_stdin, daemon=True).start()
        with contextlib.suppress(BrokenPipeError, KeyboardInterrupt):
            serve(make(), sys.stdin.buffer, sink)
