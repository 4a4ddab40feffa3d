"""The clips of a split, one at a time, as the model sees them: stored frames, or files decoded as they are needed."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from datasets import Dataset

from data_engineering.frames import row_frames
from data_engineering.rows import decode_row
from data_engineering.settings import PreprocessSettings
from signvlm.corpus import clip_ids
from signvlm.sampling import choose_frames


class SplitClips(Sequence[dict[str, Any]]):
    """What is known of each clip of a split: {clip_id, gloss, signer_id}; and its frames."""

    def __init__(self, rows: Dataset, preprocess: PreprocessSettings) -> None:
        """Takes preprocessed rows (with `frames`), or validated manifest rows, decoded as preprocessing does."""
        self._rows = rows
        self._preprocess = preprocess
        self._stored = "frames" in rows.column_names
        columns = zip(clip_ids(rows), rows["gloss"], rows["signer_id"], strict=True) if len(rows) else ()
        self._about = [{"clip_id": clip, "gloss": gloss, "signer_id": str(signer)} for clip, gloss, signer in columns]

    def __len__(self) -> int:
        return len(self._about)

    def __getitem__(self, index: Any) -> Any:
        return self._about[index]

    def frames(self, index: int) -> np.ndarray:
        """Returns a clip's frames, uint8 (T, S, S, 3) RGB, as many as the model sees.

        Raises:
            ClipError: The file cannot be read any more.
        """
        row: Mapping[str, Any] = self._rows[index]
        frames = row_frames(row if self._stored else decode_row(row, self._preprocess))
        return frames[choose_frames(len(frames), self._preprocess.shown_frames, jitter=False)]
