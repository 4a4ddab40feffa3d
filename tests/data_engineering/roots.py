"""A data root with a small index, its downloads, and what they printed."""

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from data_engineering.clip import Manifests
from data_engineering.download import download
from data_engineering.report import Report
from data_engineering.settings import DataSettings, DownloadSettings

PROMPT = "Which sign is this?"
POLITE = {
    "pause": 0.0,
    "youtube_pause": 0.0,
    "backoff": 0.0,
    "timeout": 5.0,
    "retries": 0,
    "allow_hosts": ("127.0.0.1",),
}
"""Polite settings without the waiting."""


class Root:
    """A data root; its index holds (video_id, url) pairs, or whole instances.

    Args:
        folder: Where root and index go.
        urls: The addresses by id.
        instances: Further index entries, each with what is not as usual.
        fields: What is not as usual in the entries of `urls`.
    """

    def __init__(
        self,
        folder: Path,
        urls: Mapping[str, str] = {},
        instances: Iterable[Mapping[str, Any]] = (),
        **fields: Any,
    ) -> None:
        self.path = folder / "root"
        self.videos = self.path / "raw_videos"
        usual = {"split": "train", "signer_id": 1, "instance_id": 5}
        entries = [usual | {"video_id": name, "url": url} | fields for name, url in urls.items()]
        entries += [usual | dict(instance) for instance in instances]
        index = folder / "index.json"
        index.write_text(json.dumps([{"gloss": "book", "instances": entries}]), encoding="utf-8")
        self.data = DataSettings(root=self.path, index=index)

    def download(self, retry_failed: bool = False, **changes: Any) -> Report:
        settings = DownloadSettings(**(POLITE | changes))
        return download(self.data, settings, PROMPT, retry_failed=retry_failed, progress=False)

    def files(self) -> list[str]:
        return sorted(path.name for path in self.videos.iterdir())

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.path / "downloads.jsonl").read_text(encoding="utf-8").splitlines()]

    def rows(self) -> list[dict[str, Any]]:
        return json.loads(Manifests(self.path).cleaned.read_text(encoding="utf-8"))


def hosts(report: Report) -> dict[str, dict[str, str]]:
    """Reads the table of a report back: by host, its cells by their headings; a dash is none."""
    headings, *rows = [line for line in report.details if not line.startswith("before:")]
    names = re.split(r" {2,}", headings)
    cells = [re.split(r" {2,}", row, maxsplit=len(names) - 1) for row in rows]
    return {row[0]: {name: cell for name, cell in zip(names, row, strict=False) if cell != "-"} for row in cells}
