"""What a model of drawings is shown of a clip: key points, the data root's or those found in a file now, drawn."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from data_engineering.errors import RunError
from data_engineering.frames import row_frames
from data_engineering.keypoints import BODY
from data_engineering.pose.normalize import normalized
from data_engineering.pose.record import Pose
from data_engineering.pose.skeleton import skeleton_frames
from data_engineering.reasons import ClipError
from data_engineering.rows import decode_row
from signvlm.config import Config
from signvlm.media import read_clip
from signvlm.reader import FrameReader, Read

Extract = Callable[[Path], tuple[Pose, float]]
"""A video's key points, and the seconds that finding them took; ClipError where it does not decode."""


class DrawingReader(FrameReader):
    """Shows drawings of key points, after the film's frames where the view has both."""

    def __init__(self, config: Config, extract: Extract) -> None:
        """Takes the configuration in force, whose view has drawings, and the extractor."""
        super().__init__(config)
        self._extract = extract

    def file(self, path: Path) -> Read:
        """Finds the key points of a file; see `Reader`."""
        settings = self._config.preprocess
        pose, seconds = self._extract(path)
        if not pose.found[:, BODY].any():
            raise ClipError("no_person", f"no body was found in any of {len(pose.points)} frames")
        drawings = skeleton_frames(normalized(pose.points, pose.size), settings.num_frames, settings.size)
        film = [read_clip(path, settings, self._config.validate_)] if settings.films else []
        return Read(np.concatenate([*film, drawings]), seconds)

    def row(self, row: Mapping[str, Any]) -> Read:
        """Draws the key points that `signvlm pose` left; see `Reader`."""
        return Read(row_frames(decode_row(row, self._config.preprocess)))

    def array(self, array: np.ndarray) -> Read:
        """Refuses.

        Raises:
            RunError: Always: key points are found in files.
        """
        raise RunError(
            f"this model is shown {self._config.preprocess.view}, and key points are found in files: hand over a video"
        )
