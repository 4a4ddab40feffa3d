"""Dataset rows → examples: frames chosen and, in training, augmented; an unreadable clip is marked, never hidden."""

from pathlib import Path
from typing import Any

from datasets import Dataset

from data_engineering.clip import Manifests
from data_engineering.errors import RunError
from data_engineering.frames import row_frames
from data_engineering.quarantine import quarantine
from data_engineering.reasons import ClipError
from data_engineering.rows import decode_row
from data_engineering.settings import PreprocessSettings
from signvlm.augmentation import clip_varier
from signvlm.config import AugmentationSettings
from signvlm.sampling import choose_frames


class UnreadableClipsError(RunError):
    """Clips that could not be read in training: [(clip_id, reason code, detail)]."""

    def __init__(self, clips: list[tuple[str, str, str]]) -> None:
        self.clips = clips
        super().__init__("; ".join(f"{clip}: {reason} ({detail})" for clip, reason, detail in clips))

    def __reduce__(self) -> tuple[type["UnreadableClipsError"], tuple[list[tuple[str, str, str]]]]:
        """Pickles the clips, as processes tell each other of it: by default __init__ would be given the text."""
        return type(self), (self.clips,)


def readable(batch: dict[str, Any]) -> dict[str, Any]:
    """Returns a batch of `VideoCollator` as it is.

    Raises:
        UnreadableClipsError: It names clips that could not be read, and holds nothing else.
    """
    if "unreadable" in batch:
        raise UnreadableClipsError([tuple(clip) for clip in batch["unreadable"]])
    return batch


def quarantined(root: Path, error: UnreadableClipsError, then: str) -> RunError:
    """Quarantines the clips of a data root that could not be read.

    Returns:
        What ends the run with one line; `then` says how the user goes on.
    """
    quarantine(root, {clip: ClipError(reason, detail) for clip, reason, detail in error.clips})
    return RunError(f"{error}; quarantined in {Manifests(root).corrupted}; {then}, without it")


def as_examples(
    rows: Dataset, preprocess: PreprocessSettings, augmentation: AugmentationSettings | None = None
) -> Dataset:
    """Views rows as examples {clip_id, gloss, frames, error}, made when they are read (in the loader's workers).

    Args:
        rows: Preprocessed rows (with `frames`), or validated manifest rows, which are decoded as preprocessing does.
        preprocess: How clips are sampled and framed.
        augmentation: In training, what is varied; None shows every clip as it is.
    """
    stored = "frames" in rows.column_names
    vary = None if augmentation is None else clip_varier(augmentation, preprocess)
    jitter = augmentation is not None and augmentation.temporal_jitter

    def example(row: dict[str, Any]) -> dict[str, Any]:
        result: dict[str, Any] = {"clip_id": row["clip_id" if stored else "video_id"], "gloss": row["gloss"]}
        try:
            row = row if stored else decode_row(row, preprocess)
            frames = row_frames(row)
        except ClipError as error:
            return {**result, "frames": None, "error": (error.reason, error.detail)}
        frames = frames[choose_frames(len(frames), preprocess.shown_frames, jitter)]
        if vary is not None:
            frames = vary(row, frames)
        return {**result, "frames": frames, "error": None}

    def transform(columns: dict[str, list[Any]]) -> dict[str, list[Any]]:
        names = list(columns)
        examples = [example(dict(zip(names, values, strict=True))) for values in zip(*columns.values(), strict=True)]
        return {key: [e[key] for e in examples] for key in ("clip_id", "gloss", "frames", "error")}

    return rows.with_transform(transform)
