"""What a recogniser over key points is shown of a clip: the data root's key points, or those found in a file now."""

import itertools
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from datasets import Dataset

from data_engineering.clip import by_split
from data_engineering.pose.record import Pose
from data_engineering.reasons import ClipError
from data_engineering.synthetic.mp4 import write_mp4
from signvlm.config import Config
from signvlm.corpus import Corpus
from signvlm.evaluation.clips import SplitClips
from signvlm.media import check_frames, is_pictures, pictures
from signvlm.pose.clips import PoseClips, check_poses, clip_points, fingerprint, is_extracted
from signvlm.pose.prepare import prepared
from signvlm.reader import Read

Extract = Callable[[Path], tuple[Pose, float]]
"""A video's key points, and the seconds that finding them took; ClipError where it does not decode."""

_FPS, _CRF = 25, 12  # of pictures: a common rate, and a compression that nobody sees


class PoseReader:
    """Shows key points."""

    def __init__(self, config: Config, extract: Extract) -> None:
        """Takes the configuration in force (its data root, and the rate of the `pose` section), and the extractor."""
        self._config = config
        self._extract = extract

    def file(self, path: Path) -> Read:
        """Finds the key points of a file; a folder of images is a clip, too. See `Reader`."""
        if is_pictures(path):
            return self._filmed(pictures(path, self._config.validate_))
        pose, seconds = self._extract(path)
        return Read(prepared(pose, self._config.pose.rate), seconds)

    def row(self, row: Mapping[str, Any]) -> Read:
        """Reads the key points that `signvlm pose` left of a clip, or finds them where it has not run. See `Reader`."""
        root = self._config.data.root
        if not is_extracted(root, row):
            return self.file(Path(row["video_path"]))
        return Read(clip_points(root, row, self._config.pose.rate))

    def array(self, array: np.ndarray) -> Read:
        """Finds the key points of frames in memory; they are taken as 25 a second. See `Reader`."""
        check_frames(array)
        return self._filmed(iter(array))

    def split(self, rows: Dataset) -> SplitClips:
        """See `Reader`.

        Raises:
            RunError: Clips of it have no key points.
        """
        check_poses(self._config.data.root, list(rows))
        return PoseClips(rows, self._config.preprocess, self._config.data.root, self._config.pose.rate)

    def fingerprint(self, corpus: Corpus, split: str) -> str:
        """See `Reader`."""
        rows = by_split([row for row in corpus.manifest if "media" in row], split)
        return fingerprint(self._config.data.root, rows, self._config.pose.rate)

    def _filmed(self, frames: Iterator[np.ndarray]) -> Read:
        """Finds the key points of pictures by way of a video: extractors follow a person from frame to frame."""
        first = next(frames)
        # An odd last row or column goes: a video's sides are even.
        height, width = (side - side % 2 for side in first.shape[:2])
        if not (height and width):
            raise ClipError("no_person", f"pictures of {first.shape[1]} x {first.shape[0]} pixels show nobody")
        alike = (_alike(frame, first.shape) for frame in itertools.chain([first], frames))
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "frames.mp4"
            even = (np.ascontiguousarray(frame[:height, :width]) for frame in alike)
            write_mp4(path, even, fps=_FPS, crf=_CRF, width=width, height=height)
            pose, seconds = self._extract(path)
        return Read(prepared(pose, self._config.pose.rate), seconds)


def _alike(frame: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    if frame.shape != shape:
        raise ClipError("undecodable", "pictures of several sizes are no clip of one camera")
    return frame
