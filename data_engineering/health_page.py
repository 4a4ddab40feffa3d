"""The health report written: health.json for programs, health.html, one page with pictures, for people."""

from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, StrictUndefined

from data_engineering.clip import SPLITS, Manifests, read_json, write_json, write_text
from data_engineering.errors import RunError
from data_engineering.evidence import WITH_A_FRAME, Draw, last_frame, show, thumbnails
from data_engineering.health_figures import FEW
from data_engineering.pose import overlay
from data_engineering.pose.rates import PARTS
from data_engineering.pose.record import pose_path
from data_engineering.reasons import REMEDIES, ClipError
from data_engineering.sandbox import cores, run_many
from data_engineering.settings import PreprocessSettings, ValidateSettings
from data_engineering.splits import KINDS_OF_COPY

_SHOWN_CLIPS, _THUMBNAIL = 12, 112
# Broken clips whose last frame is shown, its height in pixels, and the packets that are tried for it.
_SHOWN_BROKEN, _SMALL, _PACKETS = 60, 64, 500
# Clips whose key points are drawn, frames of each, and their height in pixels.
_SHOWN_POSES, _POSE_FRAMES, _POSE_HEIGHT = 8, 5, 200


def write(
    root: Path,
    report: dict[str, Any],
    rows: Sequence[dict[str, Any]],
    settings: ValidateSettings,
    preprocess: PreprocessSettings,
    *,
    changed: bool,
) -> None:
    """Writes health.json and health.html; leaves both alone if nothing has changed.

    Args:
        root: The data root.
        report: The content of health.json.
        rows: Validated rows.
        settings: What drawing a sample clip may cost.
        preprocess: How sample clips are framed.
        changed: Whether a file may look different though the report says the same.

    Raises:
        RunError: The disk is full.
    """
    manifests = Manifests(root)
    if not changed and manifests.health_page.is_file() and _same(manifests.health, report):
        return
    write_json(manifests.health, report)
    jobs = {
        "pictures": _pictures(rows, preprocess),
        "frames": _frames(report["corrupted"]),
        "skeletons": _skeletons(root, rows, report["poses"]),
    }
    shown = _shown([job for kind in jobs.values() for _, job in kind], settings)
    drawn = {
        name: [(row, pixels) for row, _ in kind if (pixels := next(shown)) is not None] for name, kind in jobs.items()
    }
    frames = {row["video_id"]: last for row, (last,) in drawn["frames"]}
    pictures, skeletons = ([_picture(*each) for each in drawn[name]] for name in ("pictures", "skeletons"))
    write_text(manifests.health_page, page(report, pictures, frames, skeletons))


def page(
    report: Mapping[str, Any],
    pictures: Sequence[Mapping[str, Any]],
    frames: Mapping[str, str],
    skeletons: Sequence[Mapping[str, Any]],
) -> str:
    """Returns the HTML page; everything in it is escaped, and it loads nothing.

    Args:
        report: As `summary` returns it.
        pictures: {video_id, gloss, split, frames: [data: URI, ...]} a clip.
        frames: {video_id: data: URI} of the broken clips of which a frame is left.
        skeletons: Of clips with key points, these drawn over the frames; as `pictures`.
    """
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template = files("data_engineering").joinpath("health.html.j2").read_text(encoding="utf-8")
    return environment.from_string(template).render(
        health=report,
        pictures=pictures,
        frames=frames,
        skeletons=skeletons,
        parts=PARTS,
        remedies=REMEDIES,
        splits=SPLITS,
        few=FEW,
        kinds=KINDS_OF_COPY,
    )


def _same(path: Path, report: dict[str, Any]) -> bool:
    try:
        return bool(read_json(path, "") == report)
    except RunError:
        return False


_Jobs = list[tuple[Mapping[str, Any], tuple[Draw, Any]]]
"""What is to be drawn, each with the row that it belongs to."""


def _pictures(rows: Sequence[dict[str, Any]], preprocess: PreprocessSettings) -> _Jobs:
    """Thumbnails of a few clips, evenly from the whole list."""
    small = preprocess.model_copy(update={"size": _THUMBNAIL})
    return [(row, (thumbnails, (row, small))) for row in _evenly(rows, _SHOWN_CLIPS)]


def _frames(corrupted: Sequence[Mapping[str, Any]]) -> _Jobs:
    """The last frame of broken clips that have one."""
    chosen = [row for row in corrupted if row["reason"] in WITH_A_FRAME][:_SHOWN_BROKEN]
    return [(row, (last_frame, (Path(row["video_path"]), _SMALL, _PACKETS))) for row in chosen]


def _skeletons(root: Path, rows: Sequence[dict[str, Any]], poses: Mapping[str, Any] | None) -> _Jobs:
    """A few clips with key points, evenly from the whole list, these drawn over their frames."""
    found = [row for row in rows if poses and pose_path(root, row["video_id"]).is_file()]
    chosen = _evenly(found, _SHOWN_POSES)
    return [
        (row, (overlay.pictures, (row, pose_path(root, row["video_id"]), _POSE_FRAMES, _POSE_HEIGHT))) for row in chosen
    ]


def _shown(jobs: Sequence[tuple[Draw, Any]], settings: ValidateSettings) -> Iterator[list[str] | None]:
    """Draws, in workers; None for what cannot be drawn."""
    if not jobs:
        return
    workers = min(settings.workers or cores(), len(jobs))
    outcomes = run_many(show, jobs, workers=workers, timeout=settings.timeout, max_memory=settings.max_memory)
    for _, frames in outcomes:
        yield None if isinstance(frames, ClipError) else frames


def _evenly(rows: Sequence[dict[str, Any]], most: int) -> list[dict[str, Any]]:
    return [rows[i] for i in sorted({round(i) for i in np.linspace(0, len(rows) - 1, most)})] if rows else []


def _picture(row: Mapping[str, Any], frames: Sequence[str]) -> dict[str, Any]:
    return {"video_id": row["video_id"], "gloss": row["gloss"], "split": row["split"], "frames": frames}
