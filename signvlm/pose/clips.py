"""The key points of a data root's clips, as the network is shown them."""

import hashlib
import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from datasets import Dataset

from data_engineering.pose import kept
from data_engineering.pose.of_clip import pose_of
from data_engineering.pose.record import pose_path
from data_engineering.settings import PreprocessSettings
from signvlm.evaluation.clips import SplitClips
from signvlm.pose.prepare import prepared


def clip_points(root: Path, row: Mapping[str, Any], rate: float) -> np.ndarray:
    """Reads a clip's key points and prepares them: float32 (T, 64, 3), see `prepare.prepared`.

    Args:
        root: The data root.
        row: Of wlasl_validated.json.
        rate: Frames a second wanted.

    Raises:
        ClipError: They were refused when they were extracted, or are too few.
        RunError: The file is missing, damaged, or not of this form.
    """
    return prepared(pose_of(root, row), rate)


def fingerprint(root: Path, rows: Sequence[Mapping[str, Any]], rate: float) -> str:
    """Identifies what the network is shown of clips: the bytes of their files, and the rate."""
    told = hashlib.sha256(repr(rate).encode())
    for row in rows:
        path = pose_path(root, row["video_id"])
        told.update(f"\0{row['video_id']}\0".encode())
        told.update(path.read_bytes() if path.is_file() else repr(kept.refused(root, row)).encode())
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
        return clip_points(self._root, self._rows[index], self._rate)

    def blanked(self, shown: np.ndarray) -> list[np.ndarray]:
        """Returns a clip for each frame of a filmstrip, without the points of the time that it stands for."""
        parts = min(self._preprocess.num_frames, len(shown))
        clips = []
        for start, end in itertools.pairwise(np.linspace(0, len(shown), parts + 1).round().astype(int)):
            clip = shown.copy()
            clip[start:end] = 0
            clips.append(clip)
        return clips
