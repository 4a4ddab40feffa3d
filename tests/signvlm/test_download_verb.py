"""`signvlm download`: its options reach the download, and what it prints is where it belongs."""

import json
from pathlib import Path

import pytest
from clips import write_clip, write_index


@pytest.fixture
def options(tmp_path: Path) -> list[object]:
    """The options of a data root with one clip there, two at an address that is never asked, one at YouTube."""
    urls = {
        "here": "http://10.0.0.1/a",
        "b": "http://10.0.0.1/b",
        "c": "http://10.0.0.1/c",
        "d": "https://youtu.be/abcdefghijk",
    }
    index = write_index(tmp_path / "index.json", [{"gloss": "book", "video_id": k, "url": u} for k, u in urls.items()])
    (tmp_path / "root" / "raw_videos").mkdir(parents=True)
    write_clip(tmp_path / "root" / "raw_videos" / "here.mp4")
    keys = {"data.root": tmp_path / "root", "data.index": index, "data.glossary": "null", "data.split": "official"}
    return [word for key, value in keys.items() for word in ("--set", f"{key}={value}")]


def test_a_rehearsal_prints_the_hosts_and_the_command_that_would_do_it(
    call, options: list[object], tmp_path: Path
) -> None:
    called = call("download", "--dry-run", *options)
    assert called.status == 0
    assert called.err == ""
    first, headings, *rows = called.out.splitlines()
    assert first == "download --dry-run: 4 clips expected, 1 there, 3 would be asked for"
    assert headings.split()[:3] == ["host", "would", "fetch"]
    assert {row.split()[0] for row in rows[:2]} == {"10.0.0.1", "youtube"}
    assert rows[-1].strip().startswith("next     signvlm download --set data.root=")
    assert not (tmp_path / "root" / "downloads.jsonl").exists()


def test_one_host_is_asked_and_how_far_it_is_goes_to_stderr(call, options: list[object], tmp_path: Path) -> None:
    called = call("download", "--only-host", "10.0.0.1", "--limit", "1", *options)
    assert called.status == 0
    assert called.err.startswith("download: 1 of 1 clips")
    assert "10.0.0.1      1        1  not public x1" in called.out
    (line,) = (tmp_path / "root" / "downloads.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(line) | {"seconds": 0.0} == {
        "id": "b",
        "url": "http://10.0.0.1/b",
        "host": "10.0.0.1",
        "status": "refused",
        "reason": "not public: 10.0.0.1 leads to 10.0.0.1; see download.allow_hosts",
        "bytes": 0,
        "sha256": "",
        "seconds": 0.0,
        "trimmed": False,
        "retriable": False,
        "saved_bytes": 0,
        "saved_sha256": "",
    }


def test_a_host_or_cookies_that_are_not_there_are_one_line(refused, options: list[object]) -> None:
    assert "the index has 10.0.0.1, youtube" in refused(2, "download", "--only-host", "handspeak.com", *options)
    assert "download.cookies: none.txt cannot be read" in refused(2, "download", "--cookies", "none.txt", *options)
