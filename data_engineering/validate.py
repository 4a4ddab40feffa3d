"""Every clip decoded, ahead of time: what training will use, what it will not and why, and the health of the whole.

Each file is judged in a process that can be killed. A second run judges only files that are new or changed (by size and
time of change, by hash where the time alone differs) or whose limits or range are others; a file that ran out of time
or memory is always tried again.
"""

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from tqdm import tqdm

from data_engineering import health, health_page, stage
from data_engineering.attempts import Saved, trimmed
from data_engineering.clip import SPLITS, Clip, Manifests, read_json, write_json
from data_engineering.crop import signer_box
from data_engineering.errors import ConfigError, RunError
from data_engineering.folder import own_folder
from data_engineering.judge import Job, judge, settings_stamp
from data_engineering.names import shown
from data_engineering.perceptual import look_alikes
from data_engineering.pose import kept
from data_engineering.pose.record import FOLDER
from data_engineering.reasons import PASSING, REMEDIES, ClipError
from data_engineering.report import Report
from data_engineering.sandbox import cores, run_many
from data_engineering.settings import DataSettings, DownloadSettings, PreprocessSettings, ValidateSettings
from data_engineering.splits import leakage_lines
from data_engineering.state import file_state, unchanged
from data_engineering.survey import Media

# These may pass on a less busy machine.
_TRANSIENT = PASSING | {"unreadable"}
# What a judgement that holds must tell of a file.
_TOLD = {"sha256", "bytes", "mtime_ns"} | {each.name for each in fields(Media)}


def validate(
    data: DataSettings,
    download: DownloadSettings,
    settings: ValidateSettings,
    preprocess: PreprocessSettings,
    prompt: str,
    *,
    progress: bool = True,
) -> Report:
    """Judges every clip of the configuration and writes the manifests and the health report.

    Args:
        data: Which clips, and where.
        download: Not used for judging; its allowed hosts are no matter of a file on disk.
        settings: The limits.
        preprocess: What training will read.
        prompt: Written into every manifest row.
        progress: Show a bar on stderr.

    Raises:
        ConfigError: The root, the index, the glossary or the split is wrong.
        RunError: No clip is left, or the disk is full. The reasons are in the manifests then.
    """
    no_root = ConfigError(f"data.root: {data.root} is no folder; set it to the folder that holds raw_videos")
    if not data.root.is_dir() and not data.index.exists():
        raise no_root
    wanted = stage.expected(data)
    own = any(clip.own_file for clip in wanted.clips)
    if not own and not data.root.is_dir():
        raise no_root
    manifests = Manifests(data.root)
    cut = trimmed(data.root)
    inside = own_folder(data.index) if own else (data.root / "raw_videos").resolve()
    paths = {clip.video_id: clip.path(data.root) for clip in wanted.clips}
    jobs = {
        clip.video_id: _job(clip, paths[clip.video_id], inside, cut.get(clip.video_id), settings, preprocess)
        for clip in wanted.clips
        if os.path.lexists(paths[clip.video_id])
    }
    shared = settings_stamp(settings, preprocess)
    stamps = {video_id: job.stamp(shared) for video_id, job in jobs.items()}
    verdicts = _known(manifests, jobs, stamps)
    reused = len(verdicts)
    fresh = {video_id: job for video_id, job in jobs.items() if video_id not in verdicts}
    judged = _judged(list(fresh.values()), settings, progress)
    verdicts |= {video_id: verdict for video_id, (_, verdict) in zip(fresh, judged, strict=True)}

    # Only now do the files tell which clips are copies of each other.
    found = {clip.video_id: verdicts.get(clip.video_id) for clip in wanted.clips}
    usable = {video_id: media for video_id, media in found.items() if isinstance(media, dict)}
    alike = look_alikes({video_id: media["looks"] for video_id, media in usable.items()})
    undrawn = None
    try:
        wanted = stage.redrawn(wanted, data, usable, alike)
    except ConfigError as error:
        undrawn = error
    present = [clip for clip in wanted.clips if clip.video_id in jobs]
    rows, corrupted = [], []
    for clip in present:
        verdict = verdicts[clip.video_id]
        if isinstance(verdict, ClipError):
            corrupted.append(corrupted_row(clip, data.root, verdict, stamps[clip.video_id]))
        else:
            rows.append(_validated_row(clip, data.root, prompt, verdict, stamps[clip.video_id], preprocess))
    missing = [clip for clip in wanted.clips if clip.video_id not in jobs]
    strays = [] if own else _strays(data, wanted.clips)

    write_json(manifests.cleaned, [clip.row(data.root, prompt) for clip in present])
    write_json(manifests.corrupted, corrupted)
    write_json(manifests.validated, rows)
    if undrawn:
        # The judgements are kept for a run with another split; without the report no later stage takes them.
        manifests.health.unlink(missing_ok=True)
        raise undrawn
    write_json(manifests.split, {clip.video_id: clip.split for clip in wanted.clips})
    summary = {
        "selection": stage.selection(data),
        "shown": preprocess.model_dump(mode="json", exclude={"workers"}),
        **health.summary(wanted, rows, corrupted, missing, strays, alike),
        "poses": kept.summary(data.root, rows) if (data.root / FOLDER).is_dir() else None,
    }
    health_page.write(data.root, summary, rows, settings, preprocess, changed=bool(fresh))
    if not rows:
        raise RunError(_nothing_left(data.index if own else data.root / "raw_videos", present, corrupted, manifests))
    return Report(
        stage="validate",
        counts={
            "clips validated": len(rows),
            "corrupted": len(corrupted),
            "missing": len(missing),
            "expected": len(wanted.clips),
            **{split: sum(row["split"] == split for row in rows) for split in SPLITS},
            **({"index entries refused": len(wanted.refused)} if wanted.refused else {}),
        },
        written=[
            manifests.validated,
            manifests.corrupted,
            manifests.cleaned,
            manifests.split,
            manifests.health,
            manifests.health_page,
        ],
        refused=[f"{row['video_id']} ({row['gloss']}) {row['reason']}: {row['detail']}" for row in corrupted]
        + [f"index entry {entry.where}: {entry.reason}" for entry in wanted.refused],
        notes=summary["notes"] + leakage_lines(summary["leakage"]),
        reused=reused,
        next_step="signvlm pose" if preprocess.draws else "signvlm preprocess",
    )


def validate_files(
    paths: Sequence[Path], settings: ValidateSettings, preprocess: PreprocessSettings, *, progress: bool = False
) -> list[tuple[Path, dict[str, Any] | ClipError]]:
    """Judges single files that no index describes: the whole file is the clip.

    Returns:
        Each path with its `media` (and "notes" in it), or with the reason it cannot be used, in the given order.
    """
    jobs = [Job(path, None, 1, -1, 25.0, True, settings, preprocess) for path in paths]
    found = {id(job): verdict for job, verdict in _judged(jobs, settings, progress)}
    return [(job.path, found[id(job)]) for job in jobs]


def report_files(
    paths: Sequence[Path], settings: ValidateSettings, preprocess: PreprocessSettings
) -> tuple[list[str], int]:
    """Judges single files; returns a line a file to print, and how many cannot be used."""
    lines, failed = [], 0
    for path, verdict in validate_files(paths, settings, preprocess):
        name = shown(str(path))
        if isinstance(verdict, ClipError):
            failed += 1
            lines.append(f"{name}: {verdict.reason}: {verdict.detail}; {verdict.remedy}")
        else:
            size = f"{verdict['width']}x{verdict['height']}, {verdict['fps']} fps"
            kept = f"{verdict['frames']} frames from {verdict['start']:.2f} to {verdict['end']:.2f} s"
            lines.append("; ".join([f"{name}: ok: {size}, {kept}", *verdict["notes"]]))
    return lines, failed


def corrupted_row(clip: Clip, root: Path, error: ClipError, stamp: str) -> dict[str, Any]:
    """Returns the row of corrupted_videos.json."""
    state = file_state(clip.path(root))
    return {
        "video_path": str(clip.path(root)),
        "gloss": clip.gloss,
        "reason": error.reason,
        "detail": error.detail,
        "video_id": clip.video_id,
        "signer_id": clip.signer_id,
        "split": clip.split,
        "stamp": stamp,
        "bytes": state and state[0],
        "mtime_ns": state and state[1],
    }


def _job(
    clip: Clip,
    path: Path,
    inside: Path,
    cut: Saved | None,
    settings: ValidateSettings,
    preprocess: PreprocessSettings,
) -> Job:
    """What is to be judged of a clip; that its file is `cut` is believed while it is the file that was cut."""
    state = file_state(path) if cut else None
    trimmed = cut is not None and (not cut.bytes or (state is not None and state[0] == cut.bytes))
    digest = cut.sha256 if cut and trimmed else ""
    return Job(path, inside, clip.frame_start, clip.frame_end, clip.fps, trimmed, settings, preprocess, digest)


def _judged(
    jobs: Sequence[Job], settings: ValidateSettings, progress: bool
) -> Iterator[tuple[Job, dict[str, Any] | ClipError]]:
    if not jobs:
        return
    outcomes = run_many(
        judge,
        jobs,
        workers=min(settings.workers or cores(), len(jobs)),
        timeout=settings.timeout,
        max_memory=settings.max_memory,
    )
    yield from tqdm(outcomes, total=len(jobs), desc="validate", unit="clip", disable=not progress)


def _known(
    manifests: Manifests, jobs: Mapping[str, Job], stamps: Mapping[str, str]
) -> dict[str, dict[str, Any] | ClipError]:
    """The judgements of an earlier run that still hold; a damaged manifest only means that none does."""
    told: dict[str, dict[str, Any]] = {}
    for row in [*_rows(manifests.validated), *_rows(manifests.corrupted)]:
        name, about = row.get("video_id"), row.get("media", row)
        if not isinstance(name, str) or not isinstance(about, dict) or about.get("stamp") != stamps.get(name, ""):
            continue
        reason = row.get("reason")
        if about is not row:
            holds = about.keys() >= _TOLD
        else:
            holds = reason in REMEDIES and reason not in _TRANSIENT and isinstance(row.get("detail"), str)
        if holds:
            told[name] = row
    same = unchanged((name, jobs[name].path, row.get("media", row)) for name, row in told.items())
    known: dict[str, dict[str, Any] | ClipError] = {}
    for name, changed in same.items():
        row = told[name]
        if "media" in row:
            known[name] = {**row["media"], "mtime_ns": changed}
        else:
            known[name] = ClipError(row["reason"], row["detail"])
    return known


def _rows(path: Path) -> Iterable[dict[str, Any]]:
    if not path.is_file():
        return []
    try:
        rows = read_json(path, "")
    except RunError:
        return []
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def _validated_row(
    clip: Clip, root: Path, prompt: str, verdict: dict[str, Any], stamp: str, preprocess: PreprocessSettings
) -> dict[str, Any]:
    # Not part of the judgement: what frames are cut to changes with the settings, and takes no decoding.
    _, crop_notes = signer_box(clip.bbox, verdict["motion"], verdict["width"], verdict["height"], preprocess)
    notes = [*verdict["notes"], *crop_notes]
    return {**clip.row(root, prompt), "media": {**verdict, "stamp": stamp}, "notes": notes}


def _strays(data: DataSettings, clips: Sequence[Clip]) -> list[str]:
    """Files in raw_videos that the selected part of the index does not know."""
    folder = data.root / "raw_videos"
    if not folder.is_dir():
        return []
    known = {f"{clip.video_id}.mp4" for clip in clips}
    names = (entry.name for entry in folder.iterdir() if not entry.is_dir())
    return sorted(shown(name) for name in names if name not in known and not name.startswith("."))


def _nothing_left(
    place: Path, present: Sequence[Clip], corrupted: Sequence[dict[str, Any]], manifests: Manifests
) -> str:
    if not present:
        return f"{place}: holds none of the expected clips; run `signvlm download` or copy them there"
    counted = Counter(row["reason"] for row in corrupted).most_common(3)
    reasons = ", ".join(f"{count} {reason}" for reason, count in counted)
    return f"{manifests.corrupted}: none of {len(present)} clips can be used ({reasons}); see {manifests.health_page}"
