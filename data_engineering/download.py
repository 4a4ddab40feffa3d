"""`download`: every expected clip whose file is absent, asked for politely, judged by content, and remembered.

One thread a host, one request at a time in it, `download.pause` seconds between two. An address that serves several
clips is asked once. Every attempt is a line of downloads.jsonl, from which the next run resumes: what failed for good
is not asked again, and neither is a host that answers everything with one body.
"""

import queue
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

from tqdm import tqdm

from data_engineering.attempts import AttemptLog
from data_engineering.clip import Clip, Manifests, video_path, write_json
from data_engineering.errors import RunError
from data_engineering.host_worker import Event, HostWorker, Source, Tally
from data_engineering.hosts import host_of, media_key
from data_engineering.index_source import INDEX_NAME, TERMS, fetch_index
from data_engineering.report import Report
from data_engineering.settings import DataSettings, DownloadSettings
from data_engineering.stage import expected

_STALE = 3600.0  # seconds; parts untouched for so long belong to a run that was killed


def download(data: DataSettings, settings: DownloadSettings, prompt: str, *, progress: bool = True) -> Report:
    """Fetches the absent clips and rewrites wlasl_cleaned.json to the files that are there.

    An absent index of the name WLASL_v0.3.json is fetched first.

    Args:
        data: Which clips.
        settings: How politely, and how many.
        prompt: What the manifest's rows ask a model.
        progress: Show a bar on stderr.

    Raises:
        ConfigError: The index, the glossary or the split is wrong.
        RunError: The index could not be fetched, the disk is full or the data root cannot be written.
    """
    notes = []
    if data.index.name == INDEX_NAME and not data.index.exists():
        fetch_index(data.index, settings)
        notes.append(f"{data.index} fetched. {TERMS}")
    wanted = expected(data)
    if wanted.unmatched:
        words = ", ".join(f"{word} ({', '.join(near) or 'nothing near'})" for word, near in wanted.unmatched)
        notes.append(f"{len(wanted.unmatched)} words of the glossary are no gloss of the index (the nearest): {words}")
    folder = _folder(data.root)
    log = AttemptLog(data.root)
    present = {path.name for path in folder.iterdir()}
    absent = [clip for clip in wanted.clips if f"{clip.video_id}.mp4" not in present]
    tallies: dict[str, Tally] = defaultdict(Tally)
    todo = _worth_asking(absent, log, tallies)[: settings.limit]
    workers = [
        HostWorker(name, sources, log, folder, settings, tallies[name]) for name, sources in _by_host(todo).items()
    ]
    try:
        _run(workers, progress)
    finally:
        rows = [c.row(data.root, prompt) for c in wanted.clips if video_path(data.root, c.video_id).is_file()]
        write_json(Manifests(data.root).cleaned, rows)
    return Report(
        stage="download",
        counts={
            "clips expected": len(wanted.clips),
            "there": len(rows),
            "new": sum(tally.outcomes["new"] for tally in tallies.values()),
            "missing": len(wanted.clips) - len(rows),
        },
        written=[Manifests(data.root).cleaned, log.path],
        refused=[f"{refusal.where}: {refusal.reason}" for refusal in wanted.refused],
        notes=notes + [tally.line(host) for host, tally in sorted(tallies.items())],
        reused=len(wanted.clips) - len(absent),
        next_step="signvlm validate" if rows else "signvlm download, later, or put clips into raw_videos yourself",
    )


def _folder(root: Path) -> Path:
    """Makes raw_videos and sweeps what a killed run left half-written."""
    folder = root / "raw_videos"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for part in folder.glob(".*.part*"):
            if time.time() - part.stat().st_mtime > _STALE:
                part.unlink()
    except OSError as error:
        raise RunError(f"{folder}: cannot be written ({error.strerror or error}); choose another data.root") from error
    return folder


def _worth_asking(absent: Iterable[Clip], log: AttemptLog, tallies: Mapping[str, Tally]) -> list[Clip]:
    """Leaves out, and counts, the clips without an address and those that an earlier run found to be gone."""
    last = log.last()
    todo = []
    for clip in absent:
        attempt = last.get(clip.video_id)
        if not clip.url:
            tallies["no address"].outcomes["absent"] += 1
        elif attempt and attempt.url == clip.url and attempt.status == "failed" and not attempt.retriable:
            tallies[attempt.host].outcomes["failed before"] += 1
            tallies[attempt.host].blame(attempt.reason, 1)
        else:
            todo.append(clip)
    return todo


def _by_host(clips: Iterable[Clip]) -> dict[str, list[Source]]:
    hosts: dict[str, dict[str, list[Clip]]] = defaultdict(lambda: defaultdict(list))
    for clip in clips:
        hosts[host_of(clip.url)][media_key(clip.url)].append(clip)
    return {host: [Source(group[0].url, tuple(group)) for group in sources.values()] for host, sources in hosts.items()}


def _run(workers: list[HostWorker], progress: bool) -> None:
    """Lets the hosts' threads work until all are done; an error in one stops them all and is raised here."""
    events: queue.SimpleQueue[Event] = queue.SimpleQueue()
    for worker in workers:
        # Daemons: an interrupted run must not wait for the slowest host.
        threading.Thread(target=worker.work, args=(events.put,), daemon=True).start()
    total = sum(len(source.clips) for worker in workers for source in worker.sources)
    done: Counter[str] = Counter()
    working = len(workers)
    with tqdm(total=total, unit="clip", desc="download", disable=not progress, dynamic_ncols=True) as bar:
        try:
            while working:
                event = events.get()
                if event.error:
                    raise event.error
                if event.last:
                    working -= 1
                if event.note and progress:
                    bar.write(f"{event.host}: {event.note}", file=sys.stderr)
                done[event.host] += event.clips
                bar.set_postfix_str(", ".join(f"{name} {count}" for name, count in done.most_common(4)), refresh=False)
                bar.update(event.clips)
        finally:
            for worker in workers:
                worker.stop.set()
