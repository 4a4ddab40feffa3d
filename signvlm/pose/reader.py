"""What a recogniser over key points is shown of a clip: the data root's key points, or those found in a file now."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from datasets import Dataset

from data_engineering.clip import by_split
from data_engineering.pose.of_clip import check_poses, is_extracted
from signvlm.config import Config
from signvlm.corpus import Corpus
from signvlm.evaluation.clips import SplitClips
from signvlm.extraction import Extraction
from signvlm.media import check_frames
from signvlm.pose.clips import PoseClips, clip_points, fingerprint
from signvlm.pose.prepare import prepared
from signvlm.reader import Read


class PoseReader:
    """Shows key points."""

    def __init__(self, config: Config, extraction: Extraction) -> None:
        """Takes the configuration in force (its data root, and the rate of the `pose` section), and the extractor."""
        self._config = config
        self._extraction = extraction

    def file(self, path: Path) -> Read:
        """Finds the key points of a file; see `Reader`."""
        pose, seconds = self._extraction.file(path)
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
        pose, seconds = self._extraction.frames(iter(array))
        return Read(prepared(pose, self._config.pose.rate), seconds)

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

    def close(self) -> None:
        """See `Reader`."""
        self._extraction.close()
