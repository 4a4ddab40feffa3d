"""What a worker does for validation: judge one file; it imports no more than that."""

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from data_engineering.reasons import ClipError
from data_engineering.settings import PreprocessSettings, ValidateSettings
from data_engineering.state import sha256
from data_engineering.survey import Media, survey

# Judgements of another version of this module are not reused.
_VERSION = 8


@dataclass(frozen=True, slots=True)
class Job:
    """One file to judge, as a worker gets it.

    Attributes:
        path: The file.
        inside: The folder that the file must not leave by a link; None if any file will do.
        frame_start: First frame of the sign, 1-indexed at `fps`.
        frame_end: Last frame at `fps`, or -1.
        fps: The clock of the two, frames a second.
        trimmed: The file is already cut to them.
        limits: What a file may cost.
        preprocess: What training will read.
        cut_sha256: The hash that the file had when it was cut; one with another hash is not cut. "" where nobody knows.
    """

    path: Path
    inside: Path | None
    frame_start: int
    frame_end: int
    fps: float
    trimmed: bool
    limits: ValidateSettings
    preprocess: PreprocessSettings
    cut_sha256: str = ""

    def stamp(self, settings: str) -> str:
        """Identifies all that the judgement depends on beside the file; `settings` is what `settings_stamp` returns."""
        told = [settings, self.frame_start, self.frame_end, self.fps, self.trimmed, self.cut_sha256]
        return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:16]


def settings_stamp(limits: ValidateSettings, preprocess: PreprocessSettings) -> str:
    """Identifies the settings that a judgement depends on, and the version of this module."""
    told = [
        _VERSION,
        limits.model_dump(exclude={"workers", "timeout", "max_memory"}),
        preprocess.model_dump(include={"cut_black"}),
    ]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def judge(job: Job) -> dict[str, Any]:
    """Decodes one file to the end of its range, and with it every frame training may ask for; runs in a worker.

    Returns:
        The `media` entry of a validated row, with its notes under "notes".

    Raises:
        ClipError: The file cannot be used.
    """
    if job.inside is not None and not _lies_in(job.path, job.inside):
        raise ClipError("outside_root", f"links to {os.path.realpath(job.path)}")
    media = _surveyed(job, job.trimmed)
    status, digest = job.path.stat(), sha256(job.path)
    if job.trimmed and job.cut_sha256 not in ("", digest):
        media = _surveyed(job, trimmed=False)
    return {**asdict(media), "sha256": digest, "bytes": status.st_size, "mtime_ns": status.st_mtime_ns}


def _surveyed(job: Job, trimmed: bool) -> Media:
    return survey(
        job.path,
        frame_start=job.frame_start,
        frame_end=job.frame_end,
        fps=job.fps,
        trimmed=trimmed,
        validate=job.limits,
        preprocess=job.preprocess,
    )


def _lies_in(path: Path, folder: Path) -> bool:
    try:
        return path.resolve().is_relative_to(folder)
    except (OSError, RuntimeError):  # a loop of links
        return False
