"""The preprocessed frames on disk, read: rows, arrays, and whether they still fit the manifest and the settings."""

import json
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from datasets import DatasetDict, Features, Value, load_from_disk
from datasets import Sequence as List

from data_engineering.clip import Manifests
from data_engineering.errors import ConfigError, RunError
from data_engineering.keypoints import KEYPOINTS
from data_engineering.pose.record import pose_path
from data_engineering.rows import validated_rows
from data_engineering.settings import PreprocessSettings
from data_engineering.state import digest, sha256

FOLDER = "frames"
FEATURES = Features(
    {
        "clip_id": Value("string"),
        "gloss": Value("string"),
        "signer_id": Value("string"),
        "split": Value("string"),
        "source": Value("string"),
        # Raw bytes: a row of 8 frames at 448 is read in 0.7 ms, as Array4D in 14.
        "frames": Value("large_binary"),
        "shape": List(Value("int32")),
        "timestamps": List(Value("float32")),
    }
)
# Raised when the same settings begin to give other pixels, or other drawings.
_VERSION, _DRAWINGS = 2, 1


def features_of(settings: PreprocessSettings) -> Features:
    """Returns a row's columns; where the view has drawings, with the key points they are drawn from."""
    return Features({**FEATURES, "points": Value("large_binary")}) if settings.draws else FEATURES


def stored_count(settings: PreprocessSettings) -> int:
    """Returns how many frames of a clip are stored.

    Raises:
        ConfigError: Fewer than the model sees; or more, where there are drawings.
    """
    if settings.stored_frames is None:
        return settings.shown_frames
    if settings.draws:
        raise ConfigError(
            f"preprocess.stored_frames: {settings.stored_frames}, but with the view {settings.view} training varies "
            "the key points instead; set it to null"
        )
    if settings.stored_frames < settings.num_frames:
        raise ConfigError(
            f"preprocess.stored_frames: {settings.stored_frames} is less than num_frames {settings.num_frames}; "
            "raise it, or set it to null"
        )
    return settings.stored_frames


@cache
def settings_key(settings: PreprocessSettings) -> str:
    """Identifies what the settings make of a clip; workers and what is only used in training do not count."""
    told = settings.model_dump(include={"size", "crop", "margin", "cut_black"}) | {"frames": stored_count(settings)}
    if settings.draws:
        told |= {"view": settings.view, "drawings": _DRAWINGS}
    return digest([_VERSION, told])[:16]


def row_key(row: Mapping[str, Any], settings: PreprocessSettings) -> str:
    """Identifies a stored row: the settings, the file's bytes, its kept range and what the index says of it.

    Where the view has drawings, the file of key points too.
    """
    media = row["media"]
    shown = [media["sha256"], media["start"], media["end"], media["motion"], row["bbox"]]
    told = [*shown, row["gloss"], row["split"], row["signer_id"]]
    return digest([settings_key(settings), row["video_id"], *told, *pose_key(row, settings)])[:16]


def pose_key(row: Mapping[str, Any], settings: PreprocessSettings) -> list[str]:
    """Identifies what a clip's drawings are made from, by the bytes of its file; nothing where none are shown."""
    if not settings.draws:
        return []
    try:
        path = pose_path(Path(row["root"]), row["video_id"])
        stat = path.stat()
        return [_sha256(path, stat.st_mtime_ns, stat.st_size)]
    except OSError:
        return ["absent"]


@lru_cache(maxsize=100_000)
def _sha256(path: Path, _written: int, _size: int) -> str:
    return sha256(path)


def fingerprint(rows: Sequence[Mapping[str, Any]], settings: PreprocessSettings) -> str:
    """Identifies a whole preprocessed set: the settings and every source's hash and range."""
    return digest([row_key(row, settings) for row in rows])[:16]


def load_frames(root: Path, settings: PreprocessSettings) -> DatasetDict:
    """Opens the preprocessed frames, memory-mapped.

    Returns:
        train, validation and test; rows as `data_engineering.preprocess` describes them. A split may be empty.

    Raises:
        RunError: They are absent, damaged, made with other settings, or from other clips than the manifest's.
    """
    folder = root / FOLDER
    if not folder.is_dir():
        raise RunError(f"{folder}: does not exist; run `signvlm preprocess`")
    try:
        frames = load_from_disk(str(folder))
        about = about_frames(frames)
    except (OSError, ValueError, KeyError, StopIteration) as error:
        raise RunError(f"{folder}: cannot be read ({str(error)[:120]}); run `signvlm preprocess`") from error
    if about["settings"] != settings_key(settings):
        raise RunError(f"{folder}: was made with other `preprocess` settings; run `signvlm preprocess`")
    manifest = Manifests(root).validated
    if manifest.is_file():
        rows = validated_rows(root)
        if about["clips"] != {row["video_id"]: row_key(row, settings) for row in rows}:
            raise RunError(f"{folder}: the validated clips have changed since; run `signvlm preprocess`")
    return frames


def about_frames(frames: DatasetDict) -> dict[str, Any]:
    """Returns the datasets' metadata: {fingerprint, settings, clips: {clip_id: key}}."""
    about: dict[str, Any] = json.loads(next(iter(frames.values())).info.description)
    return about


def row_points(row: Mapping[str, Any]) -> np.ndarray:
    """Returns the key points a row's drawings were made from, normalised, float32 (K, 64, 3)."""
    return np.frombuffer(row["points"], np.float16).reshape(-1, len(KEYPOINTS), 3).astype(np.float32)


def row_frames(row: Mapping[str, Any]) -> np.ndarray:
    """Returns a row's frames, read-only uint8 (T, S, S, 3) RGB, without a copy."""
    return np.frombuffer(row["frames"], np.uint8).reshape(row["shape"])
