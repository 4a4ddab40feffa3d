"""Key points of clips that no index describes: the extractor is started at the first of them, and kept."""

import itertools
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from data_engineering.pose.one_file import FileExtractor
from data_engineering.pose.record import Pose
from data_engineering.reasons import ClipError
from data_engineering.synthetic.mp4 import write_mp4
from signvlm.config import Config
from signvlm.console import note
from signvlm.media import is_pictures, pictures

Extract = Callable[[Path], tuple[Pose, float]]
"""A video's key points, and the seconds that finding them took; ClipError where it does not decode."""

_FPS, _CRF = 25, 12  # of pictures: a common rate, and a compression that nobody sees


class Extraction:
    """Finds the key points of one clip after the other."""

    def __init__(self, config: Config, extract: Extract | None = None) -> None:
        """Args: config: says what a file may cost, and whether black ends are cut. extract: None for MediaPipe."""
        self._config = config
        self._extract = extract
        self._extractor: FileExtractor | None = None

    def file(self, path: Path) -> tuple[Pose, float]:
        """Finds the key points of a video, an image or a folder of images.

        Args:
            path: The file.

        Returns:
            Its key points, and the seconds that finding them took.

        Raises:
            ClipError: It does not decode, nobody is in it, or the extractor failed.
            RunError: The extractor's environment cannot be made.
        """
        if is_pictures(path):
            return self.frames(pictures(path, self._config.validate_))
        if self._extract is not None:
            return self._extract(path)
        if self._extractor is None:
            self._extractor = FileExtractor(self._config.validate_, self._config.preprocess, note)
        found = self._extractor.extract(path)
        return found.pose, found.seconds

    def frames(self, frames: Iterator[np.ndarray]) -> tuple[Pose, float]:
        """Finds the key points of pictures, uint8 (H, W, 3) RGB, taken as 25 a second; raises as `file` does.

        By way of a video: extractors follow a person from frame to frame.
        """
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
            return self.file(path)

    def close(self) -> None:
        """Ends the extractor's process, where one was started; another call starts a new one."""
        if self._extractor is not None:
            self._extractor.close()
            self._extractor = None


def _alike(frame: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    if frame.shape != shape:
        raise ClipError("undecodable", "pictures of several sizes are no clip of one camera")
    return frame
