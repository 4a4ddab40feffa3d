"""What a family is shown of a clip, wherever the clip is from; `FrameReader` for those that see pixels."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from datasets import Dataset

from data_engineering.clip import by_split
from data_engineering.frames import fingerprint, row_frames
from data_engineering.rows import decode_row
from signvlm.config import Config
from signvlm.corpus import Corpus
from signvlm.evaluation.clips import SplitClips
from signvlm.media import frames_of, read_clip


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


class FrameReader:
    """Shows frames: sampled, cropped to the signer and resized as preprocessing does."""

    def __init__(self, config: Config) -> None:
        """Args: config: says how clips are framed, and how large they may be."""
        self._config = config

    def file(self, path: Path) -> Read:
        """See `Reader`; a folder of images is a clip, too."""
        return Read(read_clip(path, self._config.preprocess, self._config.validate_))

    def row(self, row: Mapping[str, Any]) -> Read:
        """See `Reader`."""
        return Read(row_frames(decode_row(row, self._config.preprocess)))

    def array(self, array: np.ndarray) -> Read:
        """See `Reader`."""
        return Read(frames_of(array, self._config.preprocess))

    def split(self, rows: Dataset) -> SplitClips:
        """See `Reader`."""
        return SplitClips(rows, self._config.preprocess)

    def fingerprint(self, corpus: Corpus, split: str) -> str:
        """See `Reader`."""
        return fingerprint(by_split([row for row in corpus.manifest if "media" in row], split), self._config.preprocess)
