"""Key points drawn over the image that they were found in."""

import io
import itertools
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from data_engineering.clip import write_bytes
from data_engineering.keypoints import KEYPOINTS

_NUMBER = {name: number for number, name in enumerate(KEYPOINTS)}
Bone = tuple[int, int]


def _bones(chains: Sequence[Sequence[str]]) -> tuple[Bone, ...]:
    return tuple((_NUMBER[a], _NUMBER[b]) for chain in chains for a, b in itertools.pairwise(chain))


def _hand(side: str) -> tuple[Bone, ...]:
    fingers = ("thumb_cmc thumb_mcp thumb_ip thumb_tip", *(f"{f}_mcp {f}_pip {f}_dip {f}_tip" for f in _FINGERS))
    return _bones([[f"{side}_hand_{joint}" for joint in f"wrist {finger}".split()] for finger in fingers])


_FINGERS = ("index", "middle", "ring", "little")
BONES: dict[str, tuple[tuple[int, int, int], tuple[Bone, ...]]] = {
    "body": (
        (245, 245, 245),
        _bones(
            [
                ("left_ear", "left_eye", "nose", "right_eye", "right_ear"),
                ("left_wrist", "left_elbow", "left_shoulder", "right_shoulder", "right_elbow", "right_wrist"),
                ("left_shoulder", "left_hip", "left_knee", "left_ankle"),
                ("right_shoulder", "right_hip", "right_knee", "right_ankle"),
                ("left_hip", "right_hip"),
            ]
        ),
    ),
    "left": ((60, 170, 255), _hand("left")),
    "right": ((255, 150, 40), _hand("right")),
}
"""What is joined by lines, with the colour (RGB) of the part."""


def draw(image: np.ndarray, points: np.ndarray, threshold: float) -> np.ndarray:
    """Draws key points and the bones between them.

    Args:
        image: uint8 (height, width, 3) RGB.
        points: (64, 3): x, y in pixels of it, score.
        threshold: Points of a lower score are left out.

    Returns:
        A new image of the same size.
    """
    canvas = np.ascontiguousarray(image).copy()
    unit = max(canvas.shape[:2]) / 512
    places = np.rint(np.clip(points[:, :2], -1e4, 1e5) * 16 - 8).astype(
        int
    )  # OpenCV's sixteenths, from the first middle
    shown = points[:, 2] >= threshold
    for color, bones in BONES.values():
        width = max(1, round((2.4 if len(bones) < 20 else 1.6) * unit))
        for a, b in bones:
            if shown[a] and shown[b]:
                ends = tuple(map(int, places[a])), tuple(map(int, places[b]))
                cv2.line(canvas, *ends, (20, 20, 24), width + 2, cv2.LINE_AA, 4)
                cv2.line(canvas, *ends, color, width, cv2.LINE_AA, 4)
        for number in {end for bone in bones for end in bone}:
            if shown[number]:
                x, y = map(int, places[number])
                cv2.circle(canvas, (x, y), max(16, round(2.2 * unit * 16)), color, -1, cv2.LINE_AA, 4)
    return canvas


def save(image: np.ndarray, path: Path) -> None:
    """Writes an image (uint8 RGB) as a PNG or JPEG, by the file's name, whole or not at all; raises RunError."""
    data = io.BytesIO()
    Image.fromarray(image).save(data, format="PNG" if path.suffix.lower() == ".png" else "JPEG", quality=92)
    write_bytes(path, data.getvalue())


def show(image: np.ndarray, title: str) -> bool:
    """Opens an image in the desktop's viewer; returns whether there is one."""
    from PIL import ImageShow

    return ImageShow.show(Image.fromarray(image), title=title)
