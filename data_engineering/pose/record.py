"""A clip's key points, and the file that keeps them: `<data.root>/poses/<video_id>.safetensors`."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from data_engineering.clip import write_bytes
from data_engineering.errors import RunError
from data_engineering.keypoints import KEYPOINTS

FOLDER = "poses"
# The entry of the file's metadata, and what it says of its form.
_TOLD, _FORMAT = "pose", 1


@dataclass(frozen=True, eq=False)
class Pose:
    """The key points of a clip's kept range, at the clip's own frame rate.

    Attributes:
        points: float32 (T, 64, 3): x, y in pixels of the frame as it is shown (turned upright), continuous: the first
            pixel covers 0..1; and a score, 0 to 1. A point that was not found has score 0, and x = y = 0: gaps are
            marked, never invented. A point may lie outside the frame. In the order of `keypoints.KEYPOINTS`.
        times: float32 (T,), seconds of the file.
        size: Width and height of the frame in pixels.
    """

    points: np.ndarray
    times: np.ndarray
    size: tuple[int, int]

    @property
    def found(self) -> np.ndarray:
        """Bool (T, 64): where a point was found."""
        return self.points[..., 2] > 0


def pose_path(root: Path, video_id: str) -> Path:
    """Returns where a clip's key points lie in a data root."""
    return root / FOLDER / f"{video_id}.safetensors"


def write_pose(path: Path, pose: Pose, about: Mapping[str, Any]) -> None:
    """Writes key points as float16, whole or not at all.

    Args:
        path: The file.
        pose: What to write.
        about: What it was made from and by; JSON. Kept in the file's metadata, for `read_about`.

    Raises:
        RunError: The disk is full or the folder cannot be written; the earlier file stays as it was.
    """
    # One entry: safetensors writes several in any order, and the same points are to be the same bytes.
    told = {_TOLD: json.dumps({"format": _FORMAT, "size": pose.size, "about": about}, sort_keys=True, default=str)}
    # In memory as they are indexed: safetensors writes an array's bytes as they lie, whatever its strides say.
    arrays: dict[str, np.ndarray] = {
        "points": np.ascontiguousarray(pose.points, np.float16),
        "times": np.ascontiguousarray(pose.times, np.float32),
    }
    write_bytes(path, save(arrays, metadata=told))


def read_pose(path: Path) -> Pose:
    """Reads key points.

    Raises:
        RunError: The file is missing, damaged, or not of this form.
    """
    told, arrays = _read(path, ("points", "times"))
    points, times = arrays["points"].astype(np.float32), arrays["times"].astype(np.float32)
    if points.shape[1:] != (len(KEYPOINTS), 3) or times.shape != points.shape[:1] or not np.isfinite(points).all():
        raise RunError(f"{path}: holds no key points of this form; delete it and run `signvlm pose`")
    width, height = told["size"]
    return Pose(points, times, (int(width), int(height)))


def read_about(path: Path) -> dict[str, Any] | None:
    """Returns what a file of key points was made from and by; None where there is no file that can be read."""
    try:
        told, _ = _read(path, ())
    except RunError:
        return None
    about: dict[str, Any] = told["about"]
    return about


def _read(path: Path, names: tuple[str, ...]) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    try:
        with safe_open(os.fspath(path), framework="numpy") as file:
            told = json.loads((file.metadata() or {}).get(_TOLD, "null"))
            if not isinstance(told, dict) or told.get("format") != _FORMAT or not {"size", "about"} <= told.keys():
                raise RunError(f"{path}: holds no key points of this version; delete it and run `signvlm pose`")
            return told, {name: file.get_tensor(name) for name in names}
    except FileNotFoundError as error:
        raise RunError(f"{path}: does not exist; run `signvlm pose`") from error
    except (OSError, SafetensorError, ValueError) as error:
        raise RunError(f"{path}: cannot be read ({error}); delete it and run `signvlm pose`") from error
