"""Files of key points as datasets bring them, made by code: `.pose`, COCO-WholeBody's JSON and MMPose's."""

import json
import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np


def words(*lines: str) -> list[str]:
    return [word for line in lines for word in line.split()]


HOLISTIC_BODY = words(
    "NOSE LEFT_EYE_INNER LEFT_EYE LEFT_EYE_OUTER RIGHT_EYE_INNER RIGHT_EYE RIGHT_EYE_OUTER LEFT_EAR RIGHT_EAR",
    "MOUTH_LEFT MOUTH_RIGHT LEFT_SHOULDER RIGHT_SHOULDER LEFT_ELBOW RIGHT_ELBOW LEFT_WRIST RIGHT_WRIST LEFT_PINKY",
    "RIGHT_PINKY LEFT_INDEX RIGHT_INDEX LEFT_THUMB RIGHT_THUMB LEFT_HIP RIGHT_HIP LEFT_KNEE RIGHT_KNEE LEFT_ANKLE",
    "RIGHT_ANKLE LEFT_HEEL RIGHT_HEEL LEFT_FOOT_INDEX RIGHT_FOOT_INDEX",
)
HOLISTIC_HAND = words(
    "WRIST THUMB_CMC THUMB_MCP THUMB_IP THUMB_TIP INDEX_FINGER_MCP INDEX_FINGER_PIP INDEX_FINGER_DIP INDEX_FINGER_TIP",
    "MIDDLE_FINGER_MCP MIDDLE_FINGER_PIP MIDDLE_FINGER_DIP MIDDLE_FINGER_TIP RING_FINGER_MCP RING_FINGER_PIP",
    "RING_FINGER_DIP RING_FINGER_TIP PINKY_MCP PINKY_PIP PINKY_DIP PINKY_TIP",
)
HOLISTIC = {
    "POSE_LANDMARKS": HOLISTIC_BODY,
    "FACE_LANDMARKS": [str(number) for number in range(468)],
    "LEFT_HAND_LANDMARKS": HOLISTIC_HAND,
    "RIGHT_HAND_LANDMARKS": HOLISTIC_HAND,
}
COCO_BODY = words(
    "nose left_eye right_eye left_ear right_ear left_shoulder right_shoulder left_elbow right_elbow left_wrist",
    "right_wrist left_hip right_hip left_knee right_knee left_ankle right_ankle left_big_toe left_small_toe left_heel",
    "right_big_toe right_small_toe right_heel",
)
WHOLE_BODY = {
    "BODY": COCO_BODY,
    "FACE": [f"face-{number}" for number in range(68)],
    "LEFT_HAND": [f"left_hand_{number}" for number in range(21)],
    "RIGHT_HAND": [f"right_hand_{number}" for number in range(21)],
}


def standing(names: Sequence[str], frames: int, size: tuple[int, int] = (64, 48)) -> np.ndarray:
    """Somebody in the middle: float32 (T, 1, N, 3); point n is n / 10 right of the middle, frame / 10 below."""
    points = np.ones((frames, 1, len(names), 3), np.float32)
    points[..., 0] = size[0] / 2 + np.arange(len(names)) / 10
    points[..., 1] = size[1] / 2 + np.arange(frames)[:, None, None] / 10
    return points


def dot_pose(
    components: dict[str, Sequence[str]],
    people: np.ndarray,
    *,
    version: float = 0.2,
    size: tuple[int, int] = (64, 48),
    fps: float = 10,
    layout: str = "XYZC",
) -> bytes:
    """Writes `.pose`, people being (T, P, N, 3) with N the points of all components in order."""

    def text(words: str) -> bytes:
        return struct.pack("<H", len(words)) + words.encode()

    parts = [struct.pack("<fHHHH", version, *size, 0, len(components))]
    for name, points in components.items():
        parts += [text(name), text(layout), struct.pack("<HHH", len(points), 1, 1), *map(text, points)]
        parts += [struct.pack("<HH", 0, 1), struct.pack("<HHH", 255, 0, 0)]
    frames, persons, count, _ = people.shape
    parts.append(
        struct.pack("<HHH" if version == 0.1 else "<fIH", int(fps) if version == 0.1 else fps, frames, persons)
    )
    places = np.zeros((frames, persons, count, len(layout) - 1), "<f4")
    places[..., :2] = people[..., :2]
    return b"".join([*parts, places.tobytes(), people[..., 2].astype("<f4").tobytes()])


def coco(people: np.ndarray, *, size: tuple[int, int] = (64, 48), visible: float = 2) -> dict:
    """COCO-WholeBody's form of (T, P, 133, 3), its ids in descending order and with gaps, as JSON would hold it."""
    cuts = {"keypoints": (0, 17), "foot_kpts": (17, 23), "face_kpts": (23, 91), "lefthand_kpts": (91, 112)}
    cuts["righthand_kpts"] = (112, 133)
    images, annotations = [], []
    for frame, persons in reversed(list(enumerate(people))):
        images.append({"id": 7 * frame, "width": size[0], "height": size[1], "file_name": f"{frame}.jpg"})
        for points in persons:
            flat = np.concatenate([points[:, :2], points[:, 2:] * visible], axis=1)
            parts = {part: flat[first:last].reshape(-1).tolist() for part, (first, last) in cuts.items()}
            annotations.append({"image_id": 7 * frame, **parts})
    return {"images": images, "annotations": annotations}


def mmpose(people: np.ndarray, first: int = 1) -> dict:
    """MMPose's form of (T, P, 133, 3); frames without anybody are left out."""
    frames = [
        {
            "frame_id": frame + first,
            "instances": [
                {"keypoints": person[:, :2].tolist(), "keypoint_scores": person[:, 2].tolist()} for person in persons
            ],
        }
        for frame, persons in enumerate(people)
        if persons.any()
    ]
    return {"meta_info": {"dataset_name": "coco_wholebody"}, "instance_info": frames}


def write_json(path: Path, content: object) -> None:
    path.write_text(json.dumps(content))
