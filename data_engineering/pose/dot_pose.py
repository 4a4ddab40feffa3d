"""`.pose` files, versions 0.1 and 0.2: a header that names components of points, and two arrays.

The format is sign-language-processing/pose's (docs/specs/v0.1.md and v0.2.md there; where they leave it open, its own
reader: text has a uint16 length, version 0.1 counts frames by the bytes that are left). Numbers are little-endian.
Components of three kinds are known, as its own converters write them: MediaPipe Holistic's, COCO-WholeBody's 133 and
OpenPose's 137 points.
"""

import struct
from typing import Any, NamedTuple

import numpy as np

from data_engineering.keypoints import HAND_JOINTS, KEYPOINTS
from data_engineering.pose.foreign import Foreign, cleaned, middle, require
from data_engineering.reasons import ClipError

_MOST_COMPONENTS, _MOST_POINTS, _MOST_PEOPLE = 64, 10_000, 100
_BODY = KEYPOINTS[:17]
_SIDES = ("left", "right")

Source = tuple[str, str]
"""A component and the name of a point in it."""


def _holistic() -> dict[str, tuple[Source, ...]]:
    sources: dict[str, tuple[Source, ...]] = {name: (("POSE_LANDMARKS", name.upper()),) for name in _BODY}
    for side in _SIDES:
        for joint in HAND_JOINTS:
            # MediaPipe: INDEX_FINGER_MCP, but THUMB_CMC, and PINKY without FINGER.
            finger, _, part = joint.partition("_")
            theirs = {"wrist": "WRIST", "thumb": f"THUMB_{part}", "little": f"PINKY_{part}"}
            name = theirs.get(finger, f"{finger}_FINGER_{part}").upper()
            sources[f"{side}_hand_{joint}"] = ((f"{side.upper()}_HAND_LANDMARKS", name),)
    mesh = {"nose": (4,), "left_eye": (263, 362), "right_eye": (33, 133), "left_ear": (454,), "right_ear": (234,)}
    for part, numbers in mesh.items():
        sources[f"face_{part}"] = tuple(("FACE_LANDMARKS", str(number)) for number in numbers)
    return sources


# The face of 300-W, 68 points: eyes by their corners, ears by the ends of the jaw line; left is the person's.
FACE_68 = {"nose": (30,), "left_eye": (42, 45), "right_eye": (36, 39), "left_ear": (16,), "right_ear": (0,)}


def _whole_body(sided: bool) -> dict[str, tuple[Source, ...]]:
    """A hand's points are called left_hand_0 or, as pose-format 0.15 writes them, hand_0 on either side."""
    sources: dict[str, tuple[Source, ...]] = {name: (("BODY", name),) for name in _BODY}
    for side in _SIDES:
        for number, joint in enumerate(HAND_JOINTS):
            sources[f"{side}_hand_{joint}"] = ((f"{side.upper()}_HAND", f"{side}_" * sided + f"hand_{number}"),)
    for part, numbers in FACE_68.items():
        sources[f"face_{part}"] = tuple(("FACE", f"face-{number}") for number in numbers)
    return sources


def _openpose() -> dict[str, tuple[Source, ...]]:
    body = {"nose": "Nose"}
    for side in _SIDES:
        for part in ("eye", "ear", "shoulder", "elbow", "wrist", "hip", "knee", "ankle"):
            body[f"{side}_{part}"] = side[0].upper() + part.title()
    sources: dict[str, tuple[Source, ...]] = {name: (("pose_keypoints_2d", theirs),) for name, theirs in body.items()}
    # In the order of ours; their names are of bones.
    bones = ("STT", "BCMC", "MCP", "IP"), ("CMC", "MCP", "PIP", "DIP")
    hand = [
        "BASE",
        *(f"T_{bone}" for bone in bones[0]),
        *(f"{finger}_{bone}" for finger in "IMRP" for bone in bones[1]),
    ]
    for side in _SIDES:
        for joint, theirs in zip(HAND_JOINTS, hand, strict=True):
            sources[f"{side}_hand_{joint}"] = ((f"hand_{side}_keypoints_2d", theirs),)
    kinds = {"nose": "FN", "left_eye": "FE", "right_eye": "FE", "left_ear": "FB", "right_ear": "FB"}
    for part, numbers in FACE_68.items():
        sources[f"face_{part}"] = tuple(("face_keypoints_2d", f"{kinds[part]}_{number}") for number in numbers)
    return sources


_KINDS = (_holistic(), _whole_body(sided=True), _whole_body(sided=False), _openpose())


def read_dot_pose(data: bytes, max_frames: int) -> Foreign:
    """Reads a `.pose` file.

    Args:
        data: Its bytes.
        max_frames: More are refused.

    Raises:
        ClipError: bad_pose.
    """
    cursor = _Cursor(data)
    header = _header(cursor)
    if header.version == 0.1:
        fps, _, people = cursor.numbers("<HHH")
        frames = None
    else:
        fps, frames, people = cursor.numbers("<fIH")
    if people > _MOST_PEOPLE:
        raise ClipError("bad_pose", f"claims {people:,} people")
    if people == 0:
        raise ClipError("no_person", "a file of key points without a person")
    each = people * len(header.points) * 4
    if frames is None:
        frames = cursor.left // (each * (header.dims + 1))
    if not 0 < frames <= max_frames:
        raise ClipError("bad_pose", f"claims {frames:,} frames; validate.max_frames is {max_frames:,}")
    shape = (frames, people, len(header.points))
    places = np.frombuffer(cursor.take(frames * each * header.dims), "<f4").reshape(*shape, header.dims)
    scores = np.frombuffer(cursor.take(frames * each), "<f4").reshape(shape)
    found = cleaned(np.concatenate([places[..., :2], scores[..., None]], axis=-1))
    sources = _sources(header.points)
    require(sources)
    result = np.zeros((frames, people, len(KEYPOINTS), 3), np.float32)
    for at, name in enumerate(KEYPOINTS):
        if name in sources:
            result[:, :, at] = middle(found[:, :, sources[name]])
    return Foreign(result, header.size, float(fps) if np.isfinite(fps) and fps > 0 else None)


class _Header(NamedTuple):
    version: float
    size: tuple[int, int]
    dims: int
    points: list[Source]


def _header(cursor: "_Cursor") -> _Header:
    version = round(cursor.numbers("<f")[0], 3)
    if version not in (0.1, 0.2):
        raise ClipError("bad_pose", f"no .pose file of version 0.1 or 0.2 (it says {version:g})")
    width, height, _, components = cursor.numbers("<HHHH")
    if not width or not height or components > _MOST_COMPONENTS:
        raise ClipError("bad_pose", f"claims {components} components and a picture of {width} x {height}")
    names: list[Source] = []
    formats = []
    for _ in range(components):
        component, layout = cursor.text(), cursor.text()
        points, limbs, colours = cursor.numbers("<HHH")
        if len(names) + points > _MOST_POINTS:
            raise ClipError("bad_pose", f"claims more than {_MOST_POINTS:,} points")
        if not layout.startswith("XY") or not layout.endswith("C"):
            raise ClipError("bad_pose", f"component {component[:40]!r} has the format {layout[:10]!r}, not XY...C")
        names += [(component, cursor.text()) for _ in range(points)]
        cursor.take(4 * limbs + 6 * colours)
        formats.append(layout)
    if not names:
        raise ClipError("bad_pose", "names no points")
    return _Header(version, (width, height), max(map(len, formats)) - 1, names)


def _sources(names: list[Source]) -> dict[str, list[int]]:
    """Returns, of each key point that a file can give, where the points stand that it is the middle of."""
    # Of two points of one name, the first.
    places = {name: at for at, name in reversed(list(enumerate(names)))}
    best: dict[str, list[int]] = {}
    for known in _KINDS:
        given = {
            ours: [places[each] for each in theirs]
            for ours, theirs in known.items()
            if all(each in places for each in theirs)
        }
        best = max(best, given, key=len)
    if not best:
        told = ", ".join(dict.fromkeys(component[:40] for component, _ in names))
        raise ClipError("bad_pose", f"has points of {told}; known are those of MediaPipe, COCO-WholeBody, OpenPose")
    return best


class _Cursor:
    """Reads a buffer from its start, and never beyond its end."""

    def __init__(self, data: bytes) -> None:
        self._data = memoryview(data)
        self._at = 0

    @property
    def left(self) -> int:
        """Bytes that are left."""
        return len(self._data) - self._at

    def take(self, size: int) -> memoryview:
        """Returns the next bytes.

        Raises:
            ClipError: bad_pose, if there are fewer.
        """
        if size > self.left:
            raise ClipError("bad_pose", f"ends early: {size:,} bytes should follow, {self.left:,} do")
        self._at += size
        return self._data[self._at - size : self._at]

    def numbers(self, layout: str) -> tuple[Any, ...]:
        """Returns the next numbers, by struct's letters."""
        return struct.unpack(layout, self.take(struct.calcsize(layout)))

    def text(self) -> str:
        """Returns the next text."""
        (size,) = self.numbers("<H")
        return bytes(self.take(size)).decode(errors="replace")
