"""`--dry-run` says what a download would do, and asks nobody."""

from pathlib import Path

from loopback import Loopback, loopback, write_clip
from roots import POLITE, Root, hosts

from data_engineering.dry_run import dry_run
from data_engineering.index_source import WLASL
from data_engineering.report import Report
from data_engineering.settings import DataSettings, DownloadSettings


def rehearse(root: Root, retry_failed: bool = False, **changes: object) -> Report:
    settings = DownloadSettings(**(POLITE | changes))  # type: ignore[arg-type]
    return dry_run(root.data, settings, retry_failed=retry_failed)


def test_it_counts_by_host_and_sends_and_writes_nothing(tmp_path: Path, server: Loopback) -> None:
    shared = server.base + "/shared"
    urls = {"a": shared, "b": shared, "c": server.base + "/c", "d": "", "e": "https://youtu.be/abcdefghijk"}
    root = Root(tmp_path, urls)
    report = rehearse(root, pause=2.0, youtube_pause=59.0)
    assert server.asked == []
    assert not root.path.exists()
    assert report.counts == {"clips expected": 5, "there": 0, "would be asked for": 4}
    table = hosts(report)
    row = table[server.host]
    assert (row["would fetch"], row["requests"], row["in about"]) == ("3", "2", "6 s")
    assert table["youtube"]["in about"] == "1 min"
    assert table["(no address)"]["skipped"] == "1"
    assert any("1 min in all" in note for note in report.notes)


def test_what_is_there_gone_or_dead_is_told_from_what_would_be_asked(tmp_path: Path, server: Loopback) -> None:
    clip = write_clip(tmp_path / "source.mp4").read_bytes()
    with loopback() as dead:
        urls = {"a": server.serve("/a", clip), "gone": server.base + "/gone", "new": server.base + "/new"}
        root = Root(tmp_path, urls | {f"{n}": dead.serve(f"/{n}", clip) for n in range(9)})
        root.download(only_hosts=(dead.host,))
        root.download(limit=2, only_hosts=(server.host,))
        server.asked.clear()
        table = hosts(rehearse(root))
        assert table[server.host] | {"about": "", "in about": ""} == {
            "host": server.host,
            "would fetch": "1",
            "requests": "1",
            "there": "1",
            "skipped": "1",
            "about": "",
            "in about": "",
            "why skipped": "HTTP 404 x1",
        }
        assert "would fetch" not in table[dead.host]
        assert table[dead.host]["skipped"] == "9"
        again = hosts(rehearse(root, retry_failed=True))
        assert (again[server.host]["would fetch"], again[dead.host]["would fetch"]) == ("2", "9")
        assert server.asked == []


def test_without_the_index_it_says_what_would_be_fetched_and_the_terms(tmp_path: Path) -> None:
    data = DataSettings(root=tmp_path / "root", index=tmp_path / "WLASL_v0.3.json")
    text = "\n".join(dry_run(data, DownloadSettings()).lines())
    assert WLASL.urls[0] in text
    assert "C-UDA" in text
    assert list(tmp_path.iterdir()) == []
