"""The key points of files that no index describes: extraction for whoever has just one, or one now and then."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, Self, cast

from data_engineering.pose.environment import prepared
from data_engineering.pose.extract import Job, extract
from data_engineering.pose.extractor import HOLISTIC, Program
from data_engineering.pose.record import Pose
from data_engineering.reasons import ClipError
from data_engineering.sandbox import Sandbox
from data_engineering.settings import PreprocessSettings, ValidateSettings
from data_engineering.survey import survey


class Extracted(NamedTuple):
    """What came of one file.

    Attributes:
        pose: Its key points.
        seconds: What finding them took, decoding included.
    """

    pose: Pose
    seconds: float


class _Unseen(NamedTuple):
    """A file whose range is not known yet."""

    path: Path
    program: Program
    limits: ValidateSettings
    preprocess: PreprocessSettings


class FileExtractor:
    """Finds the key points of one file after the other, in one worker process with one extractor, which is kept.

    Args:
        limits: What a file may cost.
        preprocess: Gives `cut_black`.
        tell: Takes a line to show where the extractor's environment has to be made first.
        program: The extractor.

    Raises:
        RunError: The extractor's environment cannot be made.
    """

    def __init__(
        self,
        limits: ValidateSettings,
        preprocess: PreprocessSettings,
        tell: Callable[[str], None],
        program: Program = HOLISTIC,
    ) -> None:
        self._limits = limits
        self._preprocess = preprocess
        self._program = prepared(program, tell)
        self._sandbox: Sandbox[_Unseen | Job, Job | Pose] = Sandbox(
            _work,
            timeout=lambda item: item.seconds if isinstance(item, Job) else limits.timeout,
            max_memory=limits.max_memory,
        )

    def extract(self, path: Path) -> Extracted:
        """Finds the key points of a file: of all of it but black ends.

        Args:
            path: A video.

        Raises:
            ClipError: It does not decode, nobody is in it, or the extractor failed.
        """
        began = time.monotonic()
        found = self._sandbox.run(_Unseen(path, self._program, self._limits, self._preprocess))
        if isinstance(found, Job):
            found = self._sandbox.run(found)
        if isinstance(found, ClipError):
            raise found
        return Extracted(cast(Pose, found), time.monotonic() - began)

    def close(self) -> None:
        """Ends worker and extractor."""
        self._sandbox.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def extract_file(
    path: Path,
    limits: ValidateSettings,
    preprocess: PreprocessSettings,
    tell: Callable[[str], None],
    program: Program = HOLISTIC,
) -> Extracted:
    """Finds the key points of one file; `FileExtractor` spares starting an extractor for each of several.

    Raises:
        ClipError: As `FileExtractor.extract` does.
        RunError: As `FileExtractor` does.
    """
    with FileExtractor(limits, preprocess, tell, program) as extractor:
        return extractor.extract(path)


def _work(item: _Unseen | Job) -> Job | Pose:
    """Looks at a file, so that its frames are counted before the time that they may take is; or finds its points."""
    if isinstance(item, Job):
        return extract(item)
    media = survey(
        item.path,
        frame_start=1,
        frame_end=-1,
        fps=25.0,
        trimmed=True,
        validate=item.limits,
        preprocess=item.preprocess,
    )
    return Job(item.path, media.start, media.end, media.frames, item.program, item.limits)
