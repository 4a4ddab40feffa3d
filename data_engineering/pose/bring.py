"""`signvlm pose --from FOLDER`: key points that a dataset brings along, taken for its clips.

A file a clip, named by its id: `<video_id>.pose`, or `<video_id>.json` with COCO-WholeBody's 133 points. Each is read
in a process that can be killed; what is no such file, or of another clip, is refused with its reason, and the clip
keeps the key points it had.
"""

from pathlib import Path
from typing import Any, NamedTuple

from tqdm import tqdm

from data_engineering.errors import ConfigError, RunError
from data_engineering.pose import kept
from data_engineering.pose.dot_pose import read_dot_pose
from data_engineering.pose.foreign import fitted
from data_engineering.pose.record import Pose
from data_engineering.pose.stage import finished, validated
from data_engineering.pose.wholebody import read_wholebody
from data_engineering.reasons import ClipError
from data_engineering.report import Report
from data_engineering.sandbox import cores, run_many
from data_engineering.settings import DataSettings, PreprocessSettings, ValidateSettings
from data_engineering.sniff import check_file
from data_engineering.state import sha256

_SUFFIXES = (".pose", ".json")
# A minute of 543 points by one person at 60 frames a second is 31 MB as .pose; JSON takes ten times as much.
_MAX_BYTES = 512 * 1024**2


class _Brought(NamedTuple):
    """A file to read, as a worker gets it."""

    root: Path
    row: dict[str, Any]
    path: Path
    limits: ValidateSettings


def bring(
    folder: Path,
    data: DataSettings,
    limits: ValidateSettings,
    preprocess: PreprocessSettings,
    *,
    progress: bool = True,
) -> Report:
    """Takes key points from a folder of files.

    Args:
        folder: The files.
        data: Gives the data root.
        limits: What a file may cost, and how many workers there are.
        preprocess: How the health report frames its sample clips.
        progress: Show a bar on stderr.

    Raises:
        ConfigError: The data root or the folder is none, or holds no file of a validated clip.
        RunError: There is no manifest, no file could be taken and no clip had key points, or the disk is full.
    """
    rows = validated(data)
    files = _files(folder)
    ids = {row["video_id"] for row in rows}
    jobs = [_Brought(data.root, row, files[row["video_id"]], limits) for row in rows if row["video_id"] in files]
    if not jobs:
        raise ConfigError(
            f"{folder}: holds no <video_id>.pose or <video_id>.json of any of {len(rows)} validated clips; name the "
            "files by the clips' ids"
        )
    failed: dict[str, ClipError] = {}
    reused = 0
    outcomes = run_many(
        _take,
        jobs,
        workers=min(limits.workers or cores(), len(jobs)),
        timeout=limits.timeout,
        max_memory=limits.max_memory,
    )
    for job, outcome in tqdm(outcomes, total=len(jobs), desc="pose", unit="file", disable=not progress):
        if isinstance(outcome, RunError):
            raise outcome
        if isinstance(outcome, ClipError):
            failed[job.row["video_id"]] = outcome
        else:
            reused += not outcome
    report = finished(data, rows, limits, preprocess, failed, changed=reused < len(jobs))
    report.reused = reused
    if lacking := len(rows) - len(jobs):
        report.notes.append(
            f"{lacking} of {len(rows)} validated clips have no file in {folder}; `signvlm pose` does them"
        )
    if strays := len(files.keys() - ids):
        report.notes.append(f"{strays} files in {folder} are of no validated clip")
    return report


def _files(folder: Path) -> dict[str, Path]:
    """The files of key points in a folder, by name without suffix; a .pose before a .json of one name."""
    try:
        paths = sorted(folder.iterdir())
    except OSError as error:
        raise ConfigError(f"--from {folder}: cannot be read ({error.strerror}); name a folder of key points") from error
    return {path.stem: path for suffix in reversed(_SUFFIXES) for path in paths if path.suffix == suffix}


def _take(job: _Brought) -> bool | RunError:
    """Reads a file and keeps what it holds; runs in a worker.

    Returns:
        Whether it was new; an error that ends the whole run.

    Raises:
        ClipError: bad_pose, no_person, or what `sniff.check_file` raises.
    """
    check_file(job.path, _MAX_BYTES)
    try:
        by = {"brought": job.path.name, "sha256": sha256(job.path)}
        told = kept.about(job.root, job.row)
        if told is not None and told["by"] == by:
            return False
        kept.keep(job.root, job.row, _read(job), by)
    except RunError as error:
        return error
    return True


def _read(job: _Brought) -> Pose:
    data = job.path.read_bytes()
    if job.path.suffix == ".pose":
        return fitted(read_dot_pose(data, job.limits.max_frames), job.row)
    try:
        text = data.decode("utf-8-sig")
    except ValueError as error:
        raise ClipError("bad_pose", "not text") from error
    return fitted(read_wholebody(text, job.limits.max_frames), job.row)
