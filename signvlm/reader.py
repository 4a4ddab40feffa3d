"""What a family is shown of a clip, wherever the clip is from; `FrameReader` for those that see frames."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from datasets import Dataset

from data_engineering.clip import by_split
from data_engineering.frames import fingerprint, row_frames
from data_engineering.pose.normalize import normalized
from data_engineering.pose.of_clip import is_extracted
from data_engineering.pose.record import Pose
from data_engineering.pose.skeleton import drawn, shown
from data_engineering.rows import decode_row
from signvlm.config import Config
from signvlm.corpus import Corpus
from signvlm.evaluation.clips import SplitClips
from signvlm.extraction import Extraction
from signvlm.media import check_frames, frames_of, read_clip


class Read(NamedTuple):
    """A clip as a recogniser is shown it.

    Attributes:
        clip: What `Recognizer.rank` takes.
        seconds: What finding its key points took; None where none had to be found.
    """

    clip: np.ndarray
    seconds: float | None = None


class Reader(Protocol):
    """Makes clips into what a family's recognisers are shown."""

    def file(self, path: Path) -> Read:
        """Reads a file of the user's own; raises ClipError where it is no clip."""
        ...

    def row(self, row: Mapping[str, Any]) -> Read:
        """Reads a clip that the data root's manifest knows; raises ClipError where it cannot be read any more."""
        ...

    def array(self, array: np.ndarray) -> Read:
        """Takes uint8 (T, H, W, 3) RGB frames, evenly spaced in time; raises ValueError for anything else."""
        ...

    def split(self, rows: Dataset) -> SplitClips:
        """Returns the clips of a split, to be evaluated."""
        ...

    def fingerprint(self, corpus: Corpus, split: str) -> str:
        """Identifies, to the last digit, what is shown of a split's clips."""
        ...

    def close(self) -> None:
        """Ends whatever was started to read clips."""
        ...


class FrameReader:
    """Shows frames: film, sampled, cropped to the signer and resized as preprocessing does, or drawings, or both."""

    def __init__(self, config: Config, extraction: Extraction) -> None:
        """Takes how clips are framed and how large they may be, and what finds the key points that are drawn."""
        self._config = config
        self._extraction = extraction

    def file(self, path: Path) -> Read:
        """See `Reader`; a folder of images is a clip, too."""
        settings = self._config.preprocess
        film = [read_clip(path, settings, self._config.validate_)] if settings.films else []
        return self._with_drawings(film, lambda: self._extraction.file(path))

    def row(self, row: Mapping[str, Any]) -> Read:
        """See `Reader`; key points that nobody has looked for yet are found now."""
        if self._config.preprocess.draws and not is_extracted(self._config.data.root, row):
            return self.file(Path(row["video_path"]))
        return Read(row_frames(decode_row(row, self._config.preprocess)))

    def array(self, array: np.ndarray) -> Read:
        """See `Reader`."""
        settings = self._config.preprocess
        check_frames(array)
        film = [frames_of(array, settings)] if settings.films else []
        return self._with_drawings(film, lambda: self._extraction.frames(iter(array)))

    def _with_drawings(self, film: list[np.ndarray], find: Callable[[], tuple[Pose, float]]) -> Read:
        """Adds drawings to film, as `data_engineering.rows.decode_row` does, where the view has any."""
        settings = self._config.preprocess
        if not settings.draws:
            return Read(film[0])
        pose, seconds = find()
        what = shown(normalized(pose.points, pose.size), settings.num_frames)
        return Read(np.concatenate([*film, drawn(what, settings.size)]), seconds)

    def split(self, rows: Dataset) -> SplitClips:
        """See `Reader`."""
        return SplitClips(rows, self._config.preprocess)

    def fingerprint(self, corpus: Corpus, split: str) -> str:
        """See `Reader`."""
        return fingerprint(by_split([row for row in corpus.manifest if "media" in row], split), self._config.preprocess)

    def close(self) -> None:
        """See `Reader`."""
        self._extraction.close()
