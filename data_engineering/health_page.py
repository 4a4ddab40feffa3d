"""The health report written: health.json for programs, health.html, one page with pictures, for people."""

from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, StrictUndefined

from data_engineering.clip import SPLITS, Manifests, read_json, write_json, write_text
from data_engineering.errors import RunError
from data_engineering.evidence import WITH_A_FRAME, last_frame, thumbnails
from data_engineering.health_figures import FEW
from data_engineering.reasons import REMEDIES, ClipError
from data_engineering.sandbox import cores, run_many
from data_engineering.settings import PreprocessSettings, ValidateSettings
from data_engineering.splits import KINDS_OF_COPY

_SHOWN_CLIPS, _THUMBNAIL = 12, 112
# Broken clips whose last frame is shown, its height in pixels, and the packets that are tried for it.
_SHOWN_BROKEN, _SMALL, _PACKETS = 60, 64, 500


def write(
    manifests: Manifests,
    report: dict[str, Any],
    rows: Sequence[dict[str, Any]],
    settings: ValidateSettings,
    preprocess: PreprocessSettings,
    *,
    changed: bool,
) -> None:
    """Writes health.json and health.html; leaves both alone if nothing has changed.

    Raises:
        RunError: The disk is full.
    """
    if not changed and manifests.health_page.is_file() and _same(manifests.health, report):
        return
    write_json(manifests.health, report)
    write_text(
        manifests.health_page,
        page(report, _pictures(rows, settings, preprocess), _frames(report["corrupted"], settings)),
    )


def page(report: Mapping[str, Any], pictures: Sequence[Mapping[str, Any]], frames: Mapping[str, str]) -> str:
    """Returns the HTML page; everything in it is escaped, and it loads nothing.

    Args:
        report: As `summary` returns it.
        pictures: {video_id, gloss, split, frames: [data: URI, ...]} a clip.
        frames: {video_id: data: URI} of the broken clips of which a frame is left.
    """
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template = files("data_engineering").joinpath("health.html.j2").read_text(encoding="utf-8")
    return environment.from_string(template).render(
        health=report, pictures=pictures, frames=frames, remedies=REMEDIES, splits=SPLITS, few=FEW, kinds=KINDS_OF_COPY
    )


def _same(path: Path, report: dict[str, Any]) -> bool:
    try:
        return bool(read_json(path, "") == report)
    except RunError:
        return False


def _pictures(
    rows: Sequence[dict[str, Any]], settings: ValidateSettings, preprocess: PreprocessSettings
) -> list[dict[str, Any]]:
    """Thumbnails of a few clips, evenly from the whole list."""
    if not rows:
        return []
    chosen = [rows[i] for i in sorted({round(i) for i in np.linspace(0, len(rows) - 1, _SHOWN_CLIPS)})]
    small = preprocess.model_copy(update={"size": _THUMBNAIL})
    outcomes = run_many(
        thumbnails,
        [(row, small) for row in chosen],
        workers=min(settings.workers or cores(), len(chosen)),
        timeout=settings.timeout,
        max_memory=settings.max_memory,
    )
    return [
        {"video_id": row["video_id"], "gloss": row["gloss"], "split": row["split"], "frames": frames}
        for (row, _), frames in outcomes
        if not isinstance(frames, ClipError)
    ]


def _frames(corrupted: Sequence[Mapping[str, Any]], settings: ValidateSettings) -> dict[str, str]:
    """The last frame of broken clips that have one."""
    chosen = [row for row in corrupted if row["reason"] in WITH_A_FRAME][:_SHOWN_BROKEN]
    if not chosen:
        return {}
    outcomes = run_many(
        last_frame,
        [(Path(row["video_path"]), _SMALL, _PACKETS) for row in chosen],
        workers=min(settings.workers or cores(), len(chosen)),
        timeout=settings.timeout,
        max_memory=settings.max_memory,
    )
    return {
        row["video_id"]: shown[0]
        for row, (_, shown) in zip(chosen, outcomes, strict=True)
        if not isinstance(shown, ClipError)
    }
