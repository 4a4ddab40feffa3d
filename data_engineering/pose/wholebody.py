"""COCO-WholeBody's 133 points in JSON, a file a clip: the data set's own form, or what MMPose writes of a video.

The data set's form (its data_format.md): {images: [{id, width, height}], annotations: [{image_id, keypoints, foot_kpts,
face_kpts, lefthand_kpts, righthand_kpts}]}, x, y, v of each point in a flat list; images in the order of their ids are
the clip's frames, `fps` may stand beside them. MMPose's form: {instance_info: [{frame_id, instances: [{keypoints:
[[x, y]], keypoint_scores}]}]}, or that list alone; frames where nobody was found may be left out.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from data_engineering.index_file import first_line, parse_json
from data_engineering.keypoints import FACE, KEYPOINTS, LEFT_HAND, RIGHT_HAND
from data_engineering.pose.dot_pose import FACE_68
from data_engineering.pose.foreign import Foreign, cleaned, middle
from data_engineering.reasons import ClipError

# The 133 in order: 17 of the body, 6 of the feet, 68 of the face, 21 of each hand.
_PARTS = {"keypoints": 17, "foot_kpts": 6, "face_kpts": 68, "lefthand_kpts": 21, "righthand_kpts": 21}
_POINTS, _FACE, _LEFT, _RIGHT = 133, 23, slice(91, 112), slice(112, 133)
_OPTIONAL = {"foot_kpts", "face_kpts"}
_MOST_PEOPLE = 100


def read_wholebody(text: str, max_frames: int) -> Foreign:
    """Reads a JSON file of 133 points.

    Args:
        text: Its content.
        max_frames: More are refused.

    Raises:
        ClipError: bad_pose.
    """
    try:
        content = parse_json(text)
    except (ValueError, RecursionError) as error:
        raise ClipError("bad_pose", f"not JSON ({first_line(error)})") from error
    size, fps = None, None
    if isinstance(content, dict) and "annotations" in content:
        frames, size, fps = _annotated(content, max_frames)
    else:
        frames = _predicted(content, max_frames)
    most = max(map(len, frames), default=0)
    if most > _MOST_PEOPLE:
        raise ClipError("bad_pose", f"holds {most:,} people in one frame")
    if not frames or not most:
        raise ClipError("no_person", f"nobody in any of {len(frames)} frames")
    people = np.zeros((len(frames), most, _POINTS, 3), np.float32)
    for frame, persons in enumerate(frames):
        for number, points in enumerate(persons):
            people[frame, number] = points
    return Foreign(picked(cleaned(people)), size, fps)


def _annotated(
    content: Mapping[str, Any], max_frames: int
) -> tuple[list[list[np.ndarray]], tuple[int, int] | None, float | None]:
    """Reads the data set's form: the people of each frame, the frame's size, frames a second."""
    images = _rows(content.get("images"), "images")
    _limit(len(images), max_frames)
    ids = [number for image in images if isinstance(number := image.get("id"), int)]
    if len(set(ids)) < len(images):
        raise ClipError("bad_pose", "its images have no ids of their own")
    place = {each: at for at, each in enumerate(sorted(ids))}
    sizes = {(image.get("width"), image.get("height")) for image in images}
    if len(sizes) > 1:
        raise ClipError("bad_pose", "its images have several sizes")
    frames: list[list[np.ndarray]] = [[] for _ in images]
    for annotation in _rows(content["annotations"], "annotations"):
        image = annotation.get("image_id")
        if not isinstance(image, int) or image not in place:
            raise ClipError("bad_pose", f"an annotation is of image {str(image)[:40]!r}, which it does not list")
        points = np.concatenate([_flat(annotation, part, count) for part, count in _PARTS.items()])
        # Pixels are counted from the middle of the first, here from its edge; 1 marks a point that is there and hidden.
        points[:, :2] += 0.5
        if np.isin(points[:, 2], (0, 1, 2)).all():
            points[:, 2] /= 2
        frames[place[image]].append(points)
    width, height = next(iter(sizes), (None, None))
    info = content.get("info")
    fps = content.get("fps", info.get("fps") if isinstance(info, dict) else None)
    usable = isinstance(fps, int | float) and 0 < fps < 1000
    size = (width, height) if isinstance(width, int) and isinstance(height, int) and min(width, height) > 0 else None
    return frames, size, float(fps) if usable else None


def _predicted(content: Any, max_frames: int) -> list[list[np.ndarray]]:
    """Reads MMPose's form: the people of each frame."""
    told = content.get("instance_info") if isinstance(content, dict) else content
    rows = _rows(told, "instance_info")
    numbers = [number for row in rows if isinstance(number := row.get("frame_id"), int) and number >= 0]
    if len(set(numbers)) < len(rows):
        raise ClipError("bad_pose", "its frames have no frame_id of their own")
    first = 0 if 0 in numbers else 1  # its video demo counts from one, its inferencer from nought
    count = max(numbers, default=first - 1) + 1 - first
    _limit(count, max_frames)
    frames: list[list[np.ndarray]] = [[] for _ in range(count)]
    for row in rows:
        for person in _rows(row.get("instances"), "instances"):
            places = _array(person.get("keypoints"), "keypoints").reshape(-1)
            scores = _array(person.get("keypoint_scores"), "keypoint_scores").reshape(-1)
            if len(places) != 2 * _POINTS or len(scores) != _POINTS:
                raise ClipError("bad_pose", f"holds {len(scores)} points a person, not COCO-WholeBody's {_POINTS}")
            points = np.concatenate([places.reshape(-1, 2) + 0.5, scores[:, None]], axis=1)
            frames[row["frame_id"] - first].append(points)
    return frames


def picked(people: np.ndarray) -> np.ndarray:
    """Picks the 64 of the 133: float32 (T, P, 64, 3)."""
    result = np.zeros((*people.shape[:2], len(KEYPOINTS), 3), np.float32)
    result[:, :, :17] = people[:, :, :17]
    result[:, :, LEFT_HAND], result[:, :, RIGHT_HAND] = people[:, :, _LEFT], people[:, :, _RIGHT]
    for at, name in enumerate(KEYPOINTS[FACE], start=FACE.start):
        parts = people[:, :, [_FACE + number for number in FACE_68[name.removeprefix("face_")]]]
        result[:, :, at] = middle(parts)
    return result


def _flat(annotation: Mapping[str, Any], part: str, count: int) -> np.ndarray:
    """One part of a person, (count, 3); all zero where it may be left out and is."""
    given = annotation.get(part)
    if not given and (part in _OPTIONAL):
        return np.zeros((count, 3))
    numbers = _array(given, part).reshape(-1)
    if len(numbers) != 3 * count:
        raise ClipError("bad_pose", f"{part} holds {len(numbers)} numbers, not {3 * count}")
    return numbers.reshape(count, 3)


def _array(given: Any, name: str) -> np.ndarray:
    try:
        return np.array(given, np.float64)
    except (ValueError, TypeError, OverflowError) as error:
        raise ClipError("bad_pose", f"{name}: holds what is no list of numbers") from error


def _rows(given: Any, name: str) -> Sequence[dict[str, Any]]:
    if not isinstance(given, list) or not all(isinstance(each, dict) for each in given):
        raise ClipError("bad_pose", f"has no list of {name}; it should be COCO-WholeBody's JSON or MMPose's")
    return given


def _limit(frames: int, most: int) -> None:
    if frames > most:
        raise ClipError("bad_pose", f"claims {frames:,} frames; validate.max_frames is {most:,}")
