"""`download`: every expected clip whose file is absent, asked for politely, judged by content, and remembered.

One thread a host, one request at a time in it, `download.pause` seconds between two. An address that serves several
clips is asked once. Every attempt is a line of downloads.jsonl, from which the next run resumes: what failed for good
is not asked again, and neither is a host that answers everything with one body.
"""

import importlib.util
import queue
import shutil
import threading
from collections import deque

from data_engineering.attempts import AttemptLog
from data_engineering.clip import Manifests, write_json
from data_engineering.host_worker import Event, HostWorker
from data_engineering.hosts import YOUTUBE
from data_engineering.index_source import INDEX_NAME, TERMS, fetch_index
from data_engineering.net import Fetcher
from data_engineering.progress import Progress
from data_engineering.report import Report
from data_engineering.settings import DataSettings, DownloadSettings
from data_engineering.shelf import Shelf, present
from data_engineering.stage import Expected, fetchable
from data_engineering.tally import table
from data_engineering.todo import Todo, todo
from data_engineering.youtube import cookie_text

HOSTS_AT_ONCE = 16
"""WLASL has 12 hosts; an index may name thousands."""


def download(
    data: DataSettings,
    settings: DownloadSettings,
    prompt: str,
    *,
    retry_failed: bool = False,
    progress: bool = True,
) -> Report:
    """Fetches the absent clips and rewrites wlasl_cleaned.json to the files that are there.

    An absent index of the name WLASL_v0.3.json is fetched first.

    Args:
        data: Which clips.
        settings: How politely, how many, of which hosts.
        prompt: What the manifest's rows ask a model.
        retry_failed: Ask also for what an earlier run found to be gone, and hosts that it found dead.
        progress: Show on stderr how far it is.

    Raises:
        ConfigError: The index, the glossary, the split, a host or the cookies are wrong.
        RunError: The index could not be fetched, the disk is full or the data root cannot be written.
    """
    notes = []
    if settings.cookies:
        cookie_text(settings.cookies)
    if data.index.name == INDEX_NAME and not data.index.exists():
        with Progress({}, progress) as said:
            said.note(f"{TERMS}\ndownload: {data.index} is absent and is fetched from the authors' repository")
        notes.append(f"{data.index} fetched from {fetch_index(data.index, settings)}, its hash checked. {TERMS}")
    wanted = fetchable(data)
    shelf, log = Shelf(data.root), AttemptLog(data.root)
    there = present(wanted.clips, shelf.folder)
    plan = todo(wanted.clips, there, log, settings, retry_failed)
    fetcher = Fetcher(settings.timeout, settings.max_bytes, settings.allow_hosts)
    workers = [
        HostWorker(name, sources, log, shelf, fetcher, settings, plan.tallies[name], plan.watches[name])
        for name, sources in plan.sources.items()
    ]
    try:
        _run(workers, Progress({w.name: sum(len(s.clips) for s in w.sources) for w in workers}, progress))
    finally:
        rows = [c.row(data.root, prompt) for c in wanted.clips if c.path(data.root).is_file()]
        write_json(Manifests(data.root).cleaned, rows)
    for tally in plan.tallies.values():
        tally.outcomes["there"] += tally.outcomes["new"]
    return Report(
        stage="download",
        counts={
            "clips expected": len(wanted.clips),
            "there": len(rows),
            "new": sum(tally.outcomes["new"] for tally in plan.tallies.values()),
            "missing": len(wanted.clips) - len(rows),
        },
        written=[Manifests(data.root).cleaned, log.path],
        refused=[f"{refusal.where}: {refusal.reason}" for refusal in wanted.refused],
        details=table(plan.tallies),
        notes=[*notes, *wanted.notes, *unmatched(wanted), *_advice(plan, shelf)],
        reused=len(there),
        next_step="signvlm validate" if rows else "signvlm download, later, or put clips into raw_videos yourself",
    )


def unmatched(wanted: Expected) -> list[str]:
    """Returns a note on the glossary's words that are no gloss of the index, if there are any."""
    if not wanted.unmatched:
        return []
    words = ", ".join(f"{word} ({', '.join(near) or 'nothing near'})" for word, near in wanted.unmatched)
    return [f"{len(wanted.unmatched)} words of the glossary are no gloss of the index (the nearest): {words}"]


def _advice(plan: Todo, shelf: Shelf) -> list[str]:
    """What else could be done, as sentences."""
    notes = [f"{host}: {tally.verdict}" for host, tally in plan.tallies.items() if tally.verdict]
    before = sum(tally.outcomes["before"] for tally in plan.tallies.values())
    if before:
        notes.append(f"--retry-failed asks again for the {before:,} clips that failed for good in an earlier run")
    youtube = plan.tallies.get(YOUTUBE)
    if youtube and youtube.outcomes["failed"] and not (shutil.which("deno") and importlib.util.find_spec("yt_dlp_ejs")):
        notes.append(
            "youtube: without a JavaScript runtime yt-dlp misses formats or whole videos "
            '(https://github.com/yt-dlp/yt-dlp/wiki/EJS): uv pip install "yt-dlp[default,deno]", then run again'
        )
    count, size = shelf.kept_bytes()
    if count:
        notes.append(
            f"{shelf.compilations} keeps {count:,} videos ({size / 1e9:.1f} GB) that clips are cut from, so that "
            "another glossary need not ask for them again; delete it when you have all you want"
        )
    return notes


def _run(workers: list[HostWorker], progress: Progress) -> None:
    """Lets the hosts' threads work until all are done; an error in one stops them all and is raised here."""
    events: queue.SimpleQueue[Event] = queue.SimpleQueue()
    waiting = deque(workers)

    def turns() -> None:
        while True:
            try:
                worker = waiting.popleft()
            except IndexError:
                return
            worker.work(events.put)

    for _ in range(min(HOSTS_AT_ONCE, len(workers))):
        # Daemons: an interrupted run must not wait for the slowest host.
        threading.Thread(target=turns, daemon=True).start()
    working = len(workers)
    with progress:
        try:
            while working:
                event = events.get()
                if event.error:
                    raise event.error
                if event.last:
                    working -= 1
                if event.note:
                    progress.note(f"{event.host}: {event.note}")
                if event.clips:
                    progress.add(event.host, event.clips)
        finally:
            for worker in workers:
                worker.stop.set()
