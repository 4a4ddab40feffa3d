"""Key points of files that no index describes: the extractor is started at the first of them, and kept."""

from pathlib import Path

from data_engineering.pose.one_file import FileExtractor
from data_engineering.pose.record import Pose
from signvlm.config import Config
from signvlm.console import note


class Extraction:
    """Finds the key points of one video after the other."""

    def __init__(self, config: Config) -> None:
        """Args: config: says what a file may cost, and whether black ends are cut."""
        self._config = config
        self._extractor: FileExtractor | None = None

    def __call__(self, path: Path) -> tuple[Pose, float]:
        """Finds the key points of a video.

        Args:
            path: The file.

        Returns:
            Its key points, and the seconds that finding them took.

        Raises:
            ClipError: It does not decode, nobody is in it, or the extractor failed.
            RunError: The extractor's environment cannot be made.
        """
        if self._extractor is None:
            self._extractor = FileExtractor(self._config.validate_, self._config.preprocess, note)
        found = self._extractor.extract(path)
        return found.pose, found.seconds

    def close(self) -> None:
        """Ends the extractor's process."""
        if self._extractor is not None:
            self._extractor.close()
            self._extractor = None
