"""`download --dry-run`: what a download would ask of whom, and how long that would take. It sends nothing."""

import shutil
from collections import defaultdict
from collections.abc import Sequence

from data_engineering.attempts import Attempt, AttemptLog
from data_engineering.download import unmatched
from data_engineering.hosts import YOUTUBE
from data_engineering.index_source import INDEX_NAME, TERMS, WLASL
from data_engineering.progress import duration
from data_engineering.report import Report
from data_engineering.settings import DataSettings, DownloadSettings
from data_engineering.shelf import present
from data_engineering.stage import fetchable
from data_engineering.tally import grid
from data_engineering.todo import NO_ADDRESS, Source, todo

_BYTES = 670_000
"""A clip's usual size: the mean of 88 clips of WLASL from 13 sources."""

_SECONDS = 1.0
"""What a request usually takes, where no earlier one of that host tells."""


def dry_run(data: DataSettings, settings: DownloadSettings, *, retry_failed: bool = False) -> Report:
    """Returns what `download` would do with the same arguments.

    Raises:
        ConfigError: The index, the glossary, the split or a host is wrong.
        RunError: downloads.jsonl cannot be read.
    """
    if data.index.name == INDEX_NAME and not data.index.exists():
        notes = [
            f"{data.index} is absent and would be fetched first, its hash checked, from {WLASL.urls[0]}",
            TERMS,
            "which hosts would then be asked for which clips is known once the index is there",
        ]
        return Report(
            stage="download --dry-run", counts={"index to fetch": 1}, notes=notes, next_step="signvlm download"
        )
    wanted = fetchable(data)
    log = AttemptLog(data.root)
    there = present(wanted.clips, data.root / "raw_videos")
    plan = todo(wanted.clips, there, log, settings, retry_failed)
    rows: list[tuple[str, ...]] = [
        ("host", "would fetch", "requests", "there", "skipped", "about", "in about", "why skipped")
    ]
    asked, size, longest = 0, 0.0, 0.0
    had = defaultdict(list)
    for attempt in log.attempts:
        if attempt.status == "ok":
            had[attempt.host].append(attempt)
    clips_of = {host: sum(len(source.clips) for source in sources) for host, sources in plan.sources.items()}
    for host in sorted(plan.tallies, key=lambda host: -clips_of.get(host, 0)):
        tally, sources, clips = plan.tallies[host], plan.sources.get(host, []), clips_of.get(host, 0)
        dead = tally.outcomes["not asked"]
        skipped = tally.outcomes["before"] + tally.outcomes["no address"] + dead
        if dead:
            tally.blame("dead host", dead)
        host_bytes, seconds = _estimate(host, sources, had[host], settings)
        asked, size, longest = asked + clips, size + host_bytes, max(longest, seconds)
        figures = [clips, len(sources), tally.outcomes["there"], skipped]
        about = (f"{host_bytes / 1e6:,.0f} MB", duration(seconds)) if clips else ("-", "-")
        why = NO_ADDRESS if host == NO_ADDRESS else tally.why()
        rows.append((host, *(f"{figure:,}" if figure else "-" for figure in figures), *about, why))
    free = shutil.disk_usage(
        next(folder for folder in (data.root, *data.root.absolute().parents) if folder.exists())
    ).free
    return Report(
        stage="download --dry-run",
        counts={"clips expected": len(wanted.clips), "there": len(there), "would be asked for": asked},
        refused=[f"{refusal.where}: {refusal.reason}" for refusal in wanted.refused],
        details=grid(rows),
        notes=[
            *wanted.notes,
            *unmatched(wanted),
            f"about {size / 1e9:.2f} GB ({free / 1e9:.0f} GB are free) and, as hosts are asked side by side, about "
            f"{duration(longest)} in all; from what a host has given so far, or what WLASL's clips usually take",
            "nothing was sent",
        ],
        next_step="signvlm download" if asked else "signvlm validate",
    )


def _estimate(
    host: str, sources: Sequence[Source], had: Sequence[Attempt], settings: DownloadSettings
) -> tuple[float, float]:
    """Returns the bytes and seconds that a host's sources would take, from what it gave before."""
    size = sum(attempt.bytes for attempt in had) / len(had) if had else _BYTES
    seconds = sum(attempt.seconds for attempt in had) / len(had) if had else _SECONDS
    pause = settings.youtube_pause if host == YOUTUBE else settings.pause
    return size * len(sources), (pause + seconds) * len(sources)
