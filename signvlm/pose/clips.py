"""The key points of a data root's clips, as the network is shown them."""

import hashlib
import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from datasets import Dataset

from data_engineering.clip import read_json
from data_engineering.errors import RunError
from data_engineering.pose.record import pose_path, read_about, read_pose
from data_engineering.reasons import REMEDIES, ClipError
from data_engineering.settings import PreprocessSettings
from signvlm.evaluation.clips import SplitClips
from signvlm.pose.prepare import prepared

_SOURCE = ("sha256", "start", "end")  # what of a clip its key points were extracted from


def check_poses(root: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Checks that extraction has looked at every clip, as the clips are now.

    Args:
        root: The data root.
        rows: Of wlasl_validated.json.

    Raises:
        RunError: A clip has no key points, and nobody says why, or those it has are of an earlier file or range.
    """
    lacking = [row["video_id"] for row in rows if not _looked_at(root, row)]
    if lacking:
        raise RunError(
            f"{root / 'poses'}: {len(lacking)} of {len(rows)} validated clips have no key points, or older ones, e.g. "
            f"{lacking[0]}; run `signvlm pose`"
        )


def clip_points(root: Path, video_id: str, rate: float) -> np.ndarray:
    """Reads a clip's key points and prepares them: float32 (T, 64, 3), see `prepare.prepared`.

    Args:
        root: The data root.
        video_id: The clip.
        rate: Frames a second wanted.

    Raises:
        ClipError: They were refused when they were extracted, or are too few.
        RunError: The file is missing, damaged, or not of this form.
    """
    if (refusal := _refusal(root, video_id)) is not None:
        raise refusal
    return prepared(read_pose(pose_path(root, video_id)), rate)


def fingerprint(root: Path, rows: Sequence[Mapping[str, Any]], rate: float) -> str:
    """Identifies what the network is shown of clips: the bytes of their files, and the rate."""
    told = hashlib.sha256(repr(rate).encode())
    for row in rows:
        for path in (pose_path(root, row["video_id"]), _refusal_path(root, row["video_id"])):
            told.update(f"{row['video_id']}\0".encode() + (path.read_bytes() if path.is_file() else b""))
    return told.hexdigest()


class PoseClips(SplitClips):
    """The clips of a split: key points for the recogniser, and for the report frames, where the file shows any."""

    def __init__(self, rows: Dataset, preprocess: PreprocessSettings, root: Path, rate: float) -> None:
        """Takes validated manifest rows, how frames are made, the data root and the frames a second of the points."""
        super().__init__(rows, preprocess)
        self._root = root
        self._rate = rate

    def shown(self, index: int) -> np.ndarray:
        """Returns a clip's key points, float32 (T, 64, 3); raises as `clip_points` does."""
        return clip_points(self._root, self[index]["clip_id"], self._rate)

    def blanked(self, shown: np.ndarray) -> list[np.ndarray]:
        """Returns a clip for each frame of a filmstrip, without the points of the time that it stands for."""
        edges = np.linspace(0, len(shown), min(self._preprocess.num_frames, len(shown)) + 1).round().astype(int)
        clips = []
        for start, end in itertools.pairwise(edges):
            clip = shown.copy()
            clip[start:end] = 0
            clips.append(clip)
        return clips


def _looked_at(root: Path, row: Mapping[str, Any]) -> bool:
    """Whether there is a file of key points, or a refusal, of the clip as it is."""
    refusal = _read_refusal(root, row["video_id"])
    told = read_about(pose_path(root, row["video_id"])) if refusal is None else refusal
    # Key points that were not extracted here say nothing of the clip that they are of.
    return told is not None and told.get("clip", _source(row)) == _source(row)


def _source(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: row["media"][name] for name in _SOURCE}


def _refusal(root: Path, video_id: str) -> ClipError | None:
    told = _read_refusal(root, video_id)
    reason = str((told or {}).get("reason"))
    return ClipError(reason, str(told.get("detail", ""))) if told and reason in REMEDIES else None


def _read_refusal(root: Path, video_id: str) -> dict[str, Any] | None:
    path = _refusal_path(root, video_id)
    try:
        told = read_json(path, "run `signvlm pose`") if path.is_file() else None
    except RunError:
        return None
    return told if isinstance(told, dict) else None


def _refusal_path(root: Path, video_id: str) -> Path:
    return pose_path(root, video_id).with_name(f"{video_id}.refused.json")
