"""What a recogniser over key points is shown of a clip: the data root's key points, or those found in a file now."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from datasets import Dataset

from data_engineering.clip import by_split
from data_engineering.pose.record import Pose
from signvlm.config import Config
from signvlm.corpus import Corpus
from signvlm.evaluation.clips import SplitClips
from signvlm.pose.clips import PoseClips, check_poses, clip_points, fingerprint
from signvlm.pose.prepare import prepared
from signvlm.reader import Read

Extract = Callable[[Path], tuple[Pose, float]]
"""A video's key points, and the seconds that finding them took; ClipError where it does not decode."""


class PoseReader:
    """Shows key points."""

    def __init__(self, config: Config, extract: Extract) -> None:
        """Takes the configuration in force (its data root, and the rate of the `pose` section), and the extractor."""
        self._config = config
        self._extract = extract

    def file(self, path: Path) -> Read:
        """Finds the key points of a file; see `Reader`."""
        pose, seconds = self._extract(path)
        return Read(prepared(pose, self._config.pose.rate), seconds)

    def row(self, row: Mapping[str, Any]) -> Read:
        """Reads the key points of a clip, where `signvlm pose` left some; see `Reader`."""
        root = self._config.data.root
        return Read(clip_points(root, row, self._config.pose.rate))

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
