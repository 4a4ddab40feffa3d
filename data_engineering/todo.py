"""What a download still has to ask for, host by host: decided from the index, the files and the attempts before."""

import difflib
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from data_engineering.attempts import Attempt, AttemptLog
from data_engineering.clip import Clip
from data_engineering.errors import ConfigError
from data_engineering.hosts import DEAD, BodyWatch, belongs, host_of, media_key
from data_engineering.settings import DownloadSettings
from data_engineering.tally import Tally

NO_ADDRESS = "(no address)"
"""Stands where a host would, for clips that the index gives no address of."""


class Source(NamedTuple):
    """One address and the clips it serves."""

    url: str
    clips: tuple[Clip, ...]


@dataclass(frozen=True, slots=True)
class Todo:
    """What is to be asked for.

    Attributes:
        sources: By host, in the order of the index; those that failed before come last, so that a run which asks only
            some, or leaves a host alone after the first few, does not ask for the same ones every time.
        tallies: By host, what is decided already: clips that are there, that failed before, that have no address, that
            are not asked of a host which earlier runs found dead.
        watches: By host, what earlier runs saw of its bodies.
    """

    sources: Mapping[str, list[Source]]
    tallies: Mapping[str, Tally]
    watches: Mapping[str, BodyWatch]

    @property
    def clips(self) -> int:
        """How many clips are asked for."""
        return sum(len(source.clips) for sources in self.sources.values() for source in sources)


def todo(
    clips: Iterable[Clip], present: Collection[str], log: AttemptLog, settings: DownloadSettings, retry_failed: bool
) -> Todo:
    """Sorts the expected clips by host into what is there, what has failed for good, and what to ask for.

    Args:
        clips: All that are expected.
        present: The ids whose files are there.
        log: The attempts of earlier runs.
        settings: Gives `limit` and `only_hosts`.
        retry_failed: Ask also for what an earlier run found to be gone, and hosts that it found dead.

    Raises:
        ConfigError: A host of `only_hosts` has no clip.
    """
    clips = list(clips)
    _check_hosts(clips, settings.only_hosts)
    last = log.last()
    watches = defaultdict(BodyWatch) if retry_failed else watched(log)
    tallies: dict[str, Tally] = defaultdict(Tally)
    groups: dict[str, dict[str, list[Clip]]] = defaultdict(lambda: defaultdict(list))
    asked = 0
    for clip in sorted(clips, key=lambda clip: _failed(last.get(clip.video_id), clip)):
        host = host_of(clip.url) if clip.url else NO_ADDRESS
        if settings.only_hosts and not any(belongs(host, name) for name in settings.only_hosts):
            continue
        tally, attempt = tallies[host], last.get(clip.video_id)
        if clip.video_id in present:
            tally.outcomes["there"] += 1
        elif not clip.url:
            tally.outcomes["no address"] += 1
        elif attempt and not retry_failed and _failed(attempt, clip) and not attempt.retriable:
            tally.outcomes["before"] += 1
            tally.blame(attempt.reason, 1)
        elif watches[host].dead:
            tally.outcomes["not asked"] += 1
            tally.verdict = DEAD
        elif settings.limit is None or asked < settings.limit:
            groups[host][media_key(clip.url)].append(clip)
            asked += 1
    sources = {host: [Source(group[0].url, tuple(group)) for group in media.values()] for host, media in groups.items()}
    return Todo(sources, tallies, watches)


def watched(log: AttemptLog) -> defaultdict[str, BodyWatch]:
    """Returns what earlier runs saw of each host's bodies."""
    watches: defaultdict[str, BodyWatch] = defaultdict(BodyWatch)
    for attempt in log.attempts:
        if attempt.sha256:
            watches[attempt.host].saw(attempt.sha256, media_key(attempt.url))
    return watches


def _failed(attempt: Attempt | None, clip: Clip) -> bool:
    return attempt is not None and attempt.url == clip.url and attempt.status == "failed"


def _check_hosts(clips: Iterable[Clip], names: Iterable[str]) -> None:
    hosts = sorted({host_of(clip.url) for clip in clips if clip.url})
    for name in names:
        if not any(belongs(host, name) for host in hosts):
            near = difflib.get_close_matches(name.lower(), hosts, n=3, cutoff=0.4) or hosts[:12]
            raise ConfigError(f"download.only_hosts: no clip comes from {name[:60]!r}; the index has {', '.join(near)}")
