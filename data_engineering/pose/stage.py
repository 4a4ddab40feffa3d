"""`signvlm pose`: key points beside the validated clips, a file a clip.

Each clip is decoded and extracted in a worker that can be killed, and its file is written there and then: whatever ends
a run, all but the clips in flight are kept. A second run does only clips without a file, clips that have changed, and
those whose file another extractor made. Key points that were brought along (`signvlm pose --from`) stay.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from data_engineering import health_page
from data_engineering.clip import Manifests, read_json
from data_engineering.errors import ConfigError, RunError
from data_engineering.pose import kept
from data_engineering.pose.environment import prepared
from data_engineering.pose.extract import Job, box_as_shown
from data_engineering.pose.extractor import Program
from data_engineering.pose.rates import PARTS
from data_engineering.pose.record import FOLDER
from data_engineering.pose.work import Todo, work
from data_engineering.reasons import PASSING, ClipError
from data_engineering.report import Report
from data_engineering.rows import check_sources, validated_rows
from data_engineering.sandbox import cores, run_many
from data_engineering.settings import DataSettings, PreprocessSettings, ValidateSettings
from data_engineering.shelf import left_behind
from data_engineering.stage import check_selection

# So many clips whose extractor dies, and none before them that went well, are the extractor's fault.
_HOPELESS = 4
_NEXT = "signvlm train"


def pose(
    data: DataSettings,
    limits: ValidateSettings,
    preprocess: PreprocessSettings,
    *,
    program: Program,
    tell: Callable[[str], None],
    progress: bool = True,
) -> Report:
    """Extracts the key points of all validated clips.

    Args:
        data: Gives the data root.
        limits: What a clip may cost, and how many workers there are; a second a frame is added to the time of a decode.
        preprocess: How the health report frames its sample clips.
        program: The extractor.
        tell: Takes a line to show before something long begins.
        progress: Show a bar on stderr.

    Raises:
        ConfigError: The data root is no folder.
        RunError: There is no manifest, clips have changed since, the extractor's environment cannot be made, the
            extractor dies on every clip, or the disk is full.
    """
    rows = validated(data)
    by = kept.extracted_by(program)
    todo = [row for row in rows if not _done(data.root, row, by)]
    failed: dict[str, ClipError] = {}
    for part in (data.root / FOLDER).glob(".*.part"):
        if left_behind(part):
            part.unlink(missing_ok=True)
    if todo:
        check_sources(todo)
        program = prepared(program, tell)
        jobs = [Todo(data.root, row, _job(row, program, limits)) for row in todo]
        failed = _extract_all(jobs, limits, progress)
    report = finished(data, rows, limits, preprocess, failed, changed=bool(todo))
    report.reused = len(rows) - len(todo)
    return report


def validated(data: DataSettings) -> list[dict[str, Any]]:
    """Reads the validated clips of a configuration.

    Raises:
        ConfigError: The data root is no folder.
        RunError: There is no manifest, it holds no clip, or it was made of another selection.
    """
    if not data.root.is_dir():
        raise ConfigError(f"data.root: {data.root} is no folder; set it to one that `signvlm validate` has filled")
    rows = validated_rows(data.root)
    check_selection(data)
    if not rows:
        manifests = Manifests(data.root)
        raise RunError(f"{manifests.validated}: holds no clip; see {manifests.health_page}")
    return rows


def finished(
    data: DataSettings,
    rows: Sequence[dict[str, Any]],
    limits: ValidateSettings,
    preprocess: PreprocessSettings,
    failed: Mapping[str, ClipError],
    *,
    changed: bool,
) -> Report:
    """Brings the health report up to date, and returns what to print of the key points that there are now.

    Args:
        data: Gives the data root.
        rows: The validated clips.
        limits: What drawing a sample clip may cost.
        preprocess: How the health report frames its sample clips.
        failed: Why clips got no key points in this run, by video_id, where that is not written down.
        changed: Whether this run wrote any.

    Raises:
        RunError: The disk is full, no clip has key points, or health.json cannot be read.
    """
    manifests = Manifests(data.root)
    found = kept.summary(data.root, rows)
    health = {**read_json(manifests.health, "run `signvlm validate`"), "poses": found}
    health_page.write(data.root, health, rows, limits, preprocess, changed=changed)
    refused = [f"{row['video_id']} ({row['gloss']}) {row['reason']}: {row['detail']}" for row in found["refused"]]
    refused += [f"{video_id} {error.reason}: {error.detail}" for video_id, error in failed.items()]
    if not found["clips"]:
        raise RunError(f"{data.root / FOLDER}: none of {len(rows)} clips has key points; {refused[0]}")
    report = Report(
        "pose",
        {"clips with key points": found["clips"], "without": len(rows) - found["clips"], "frames": found["frames"]},
        written=[data.root / FOLDER, manifests.health, manifests.health_page],
        details=rates_table(found),
        refused=refused,
        next_step=_NEXT,
    )
    passing = sum(error.reason in PASSING for error in failed.values())
    if passing:
        report.notes.append(f"{passing} of the refused clips may go well next time: run it again")
    report.notes += [f"{count} by {name}" for name, count in found["by"].items() if len(found["by"]) > 1]
    for clips, words in (
        (found["few_hands"], "a hand in less than a third of the active frames"),
        (found["jumps"], "the points go from one person to another"),
    ):
        if clips:
            named = ", ".join(list(clips)[:5]) + (", ..." if len(clips) > 5 else "")
            report.notes.append(f"{words}: {len(clips)} clip{'s' * (len(clips) > 1)} ({named})")
    return report


def rates_table(found: Mapping[str, Any]) -> list[str]:
    """The shares of frames in which each part was found, a line each."""
    words = {part: part.replace("_", " ") for part in PARTS}
    lines = [f"{words[part]:12}{found[part]:7.1%} of the frames" for part in PARTS]
    lines[-1] += f", {found['active_any_hand']:.1%} of the active ones"
    return [*lines, f"{'active':12}{found['active']:7.1%} of the frames"]


def _done(root: Path, row: Mapping[str, Any], by: Mapping[str, Any]) -> bool:
    told = kept.about(root, row)
    if told is not None and ("brought" in told["by"] or told["by"] == by):
        return True
    error = kept.refused(root, row)
    return error is not None and error["by"] == by


def _job(row: Mapping[str, Any], program: Program, limits: ValidateSettings) -> Job:
    media = row["media"]
    where = Path(row["video_path"]), media["start"], media["end"], media["frames"]
    return Job(*where, program, limits, box_as_shown(row))


def _extract_all(jobs: Sequence[Todo], limits: ValidateSettings, progress: bool) -> dict[str, ClipError]:
    """Extracts all clips; returns those that failed for a reason that may pass, or that a decoder gave.

    Raises:
        RunError: The disk is full, or the extractor dies on one clip after the other.
    """
    outcomes = run_many(
        work,
        jobs,
        workers=min(limits.workers or cores(), len(jobs)),
        timeout=lambda todo: todo.job.seconds,
        max_memory=limits.max_memory,
    )
    failed: dict[str, ClipError] = {}
    for number, (todo, outcome) in enumerate(
        tqdm(outcomes, total=len(jobs), desc="pose", unit="clip", disable=not progress), start=1
    ):
        if isinstance(outcome, RunError):
            raise outcome
        if isinstance(outcome, ClipError):
            failed[todo.row["video_id"]] = outcome
            died = sum(error.reason == "crashed" for error in failed.values())
            if died == number == min(_HOPELESS, len(jobs)):
                raise RunError(
                    f"{todo.job.program.script.name}: dies on every clip ({outcome.detail}); nothing is kept"
                )
    return failed
