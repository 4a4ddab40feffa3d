"""YouTube's clips through yt-dlp, driven for real: its generic extractor against a loopback server stands in."""

import importlib.util
import os
import shutil
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from clips import write_clip as faststart
from loopback import Loopback, greys, loopback, write_clip
from roots import POLITE, Root, hosts

from data_engineering import youtube
from data_engineering.attempts import trimmed
from data_engineering.errors import ConfigError
from data_engineering.net import FetchError, WallError
from data_engineering.settings import DownloadSettings
from data_engineering.shelf import Shelf

RUNTIME = bool(shutil.which("deno") and importlib.util.find_spec("yt_dlp_ejs"))
COOKIE = ".youtube.com\tTRUE\t/\tTRUE\t4102444800\tSID\tsecret-value"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Loopback]:
    """Serves what stands for YouTube: /watch/<video id>."""
    with loopback() as served:
        monkeypatch.setattr(youtube, "WATCH", f"{served.base}/watch/")
        yield served


def video(server: Loopback, name: str, body: bytes, status: int = 200) -> str:
    """Serves a video; returns the address that the index has for it."""
    server.serve(f"/watch/{name}", body, status, Content_Type="video/mp4")
    return f"https://www.youtube.com/watch?v={name}"


def fetch(folder: Path, url: str, **changes: Any) -> Path:
    target = folder / "100%(title)s.part"
    youtube.fetch(url, target, DownloadSettings(**(POLITE | changes)))
    return target


# A compilation


def compilation(folder: Path, server: Loopback) -> Root:
    """Two clips of one video of 2.4 s at 50 frames a second, under two spellings of its address."""
    body = write_clip(folder / "all.mp4", frames=120, fps=50).read_bytes()
    url = video(server, "abcdefghijk", body)
    return Root(
        folder,
        instances=[
            {"video_id": "a", "url": url, "frame_start": 11, "frame_end": 20},
            {"video_id": "b", "url": "https://youtu.be/abcdefghijk", "frame_start": 31, "frame_end": 50},
        ],
    )


def test_a_compilation_is_fetched_once_and_cut_by_time(tmp_path: Path, server: Loopback) -> None:
    """It runs at 50 frames a second; the index counts in 25ths of a second all the same."""
    root = compilation(tmp_path, server)
    report = root.download()
    assert report.counts["new"] == 2
    assert set(server.asked) == {"/watch/abcdefghijk"}
    first, second = greys(root.videos / "a.mp4"), greys(root.videos / "b.mp4")
    # Frame 11 of 25 a second begins at 0.4 s: the file's 20th frame, a grey of 40.
    assert len(first) == 20
    assert first == pytest.approx(range(40, 80, 2), abs=3)
    assert len(second) == 40
    assert second[0] == pytest.approx(120, abs=3)
    assert set(trimmed(root.path)) == {"a", "b"}
    assert hosts(report)["youtube"]["there"] == "2"


def test_a_compilation_is_kept_so_that_it_is_never_asked_for_again(tmp_path: Path, server: Loopback) -> None:
    root = compilation(tmp_path, server)
    report = root.download()
    assert root.files() == ["a.mp4", "b.mp4", "compilations"]
    assert "keeps 1 videos" in "\n".join(report.notes)
    (root.videos / "b.mp4").unlink()
    server.asked.clear()
    root.download()
    assert root.files() == ["a.mp4", "b.mp4", "compilations"]
    assert server.asked == []


def test_a_start_without_an_end_is_cut_too(tmp_path: Path, server: Loopback) -> None:
    body = write_clip(tmp_path / "all.mp4", frames=50).read_bytes()
    url = video(server, "abcdefghijk", body)
    root = Root(tmp_path, instances=[{"video_id": "a", "url": url, "frame_start": 31, "frame_end": -1}])
    root.download()
    assert len(greys(root.videos / "a.mp4")) == 20
    assert set(trimmed(root.path)) == {"a"}


def test_a_video_of_one_clip_is_stored_as_it_came(tmp_path: Path, server: Loopback, clip: bytes) -> None:
    root = Root(tmp_path, {"a": video(server, "abcdefghijk", clip)})
    root.download()
    assert (root.videos / "a.mp4").read_bytes() == clip
    assert root.files() == ["a.mp4"]


# The wall


def test_three_walls_in_a_row_end_the_asking_and_name_the_way_out(tmp_path: Path, server: Loopback) -> None:
    root = Root(tmp_path, {f"{n}": video(server, f"abcdefghij{n}", b"", 429) for n in range(6)})
    report = root.download(retries=3)
    assert len(root.lines()) == 3
    assert all(line["retriable"] for line in root.lines())
    row = hosts(report)["youtube"]
    assert (row["failed"], row["not asked"]) == ("3", "3")
    assert any("--only-host youtube --cookies" in note for note in report.notes)
    assert any("yt-dlp[default,deno]" in note for note in report.notes) is not RUNTIME
    root.download()
    assert len(root.lines()) == 6


def test_a_video_in_between_shows_that_there_is_no_wall(tmp_path: Path, server: Loopback, clip: bytes) -> None:
    root = Root(
        tmp_path,
        {f"{n}": video(server, f"abcdefghij{n}", clip if n == 2 else b"", 200 if n == 2 else 429) for n in range(5)},
    )
    report = root.download()
    assert len(root.lines()) == 5
    assert "not asked" not in hosts(report)["youtube"]


def test_a_video_that_is_kept_says_nothing_of_the_wall(tmp_path: Path, server: Loopback) -> None:
    body = write_clip(tmp_path / "all.mp4", frames=50).read_bytes()
    kept = {"video_id": "a", "url": video(server, "abcdefghijk", body), "frame_start": 11, "frame_end": 20}
    root = Root(tmp_path, instances=[kept])
    root.download()
    (root.videos / "a.mp4").unlink()
    walls = [{"video_id": f"{n}", "url": video(server, f"abcdefghij{n}", b"", 429)} for n in range(4)]
    report = Root(tmp_path, instances=[*walls[:2], kept, *walls[2:]]).download()
    assert (hosts(report)["youtube"]["there"], hosts(report)["youtube"]["not asked"]) == ("1", "1")


def test_a_kept_video_that_broke_on_the_disk_is_asked_for_again(tmp_path: Path, server: Loopback) -> None:
    body = faststart(tmp_path / "faststart.mp4", faststart=True).read_bytes()
    clip = {"video_id": "a", "url": video(server, "abcdefghijk", body), "frame_start": 3, "frame_end": 9}
    root = Root(tmp_path, instances=[clip])
    root.download()
    (root.videos / "a.mp4").unlink()
    kept = Shelf(root.path).kept("abcdefghijk")
    kept.write_bytes(body[:-200])
    assert root.download().counts["new"] == 1
    assert kept.read_bytes() == body


@pytest.mark.parametrize(
    ("words", "wall", "retriable"),
    [
        ("[youtube] x: Sign in to confirm you're not a bot. Use --cookies for it", True, True),
        (
            "[youtube] x: Video unavailable. This content isn't available, try again later. The session has been "
            "rate-limited by YouTube for up to an hour.",
            True,
            True,
        ),
        ("unable to download video data: HTTP Error 403: Forbidden", True, True),
        ("[youtube] x: Video unavailable. This video has been removed by the uploader", False, False),
        ("[youtube] x: Private video. Sign in if you've been granted access to this video", False, False),
        ("[youtube] x: Unable to download webpage: The read operation timed out", False, True),
    ],
)
def test_a_wall_is_told_from_a_video_that_is_gone(words: str, wall: bool, retriable: bool) -> None:
    error = youtube.failure(f"ERROR: {words}")
    assert isinstance(error, WallError) is wall
    assert error.retriable is retriable


def test_a_video_that_drips_is_a_wall(tmp_path: Path, server: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(youtube, "PATIENCE", 0.1)

    def drip(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Type", "video/mp4")
        request.send_header("Content-Length", "1000000")
        request.end_headers()
        while not server.closing.wait(0.02):
            request.wfile.write(bytes(100))

    with pytest.raises(WallError, match="throttled"):
        fetch(tmp_path, server.on("/watch/slow", drip))


# What yt-dlp is held to


def test_it_writes_where_it_is_told(tmp_path: Path, server: Loopback, clip: bytes) -> None:
    target = fetch(tmp_path, server.serve("/watch.mp4", clip, Content_Type="video/mp4"))
    assert target.read_bytes() == clip
    assert {path.name for path in tmp_path.iterdir()} == {"source.mp4", target.name}


def test_its_failures_are_told_apart(tmp_path: Path, server: Loopback, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(FetchError, match="gone") as caught:
        fetch(tmp_path, server.base + "/missing.mp4")
    assert not caught.value.retriable
    with pytest.raises(WallError):
        fetch(tmp_path, server.serve("/busy.mp4", b"", 429))
    with pytest.raises(FetchError) as caught:
        fetch(tmp_path, server.serve("/broken.mp4", b"", 500))
    assert caught.value.retriable
    assert "\x1b" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


ODD = {
    "AssertionError": (
        b'<script type="application/ld+json">{"@context": "http://schema.org", "@type": "VideoObject", '
        b'"contentUrl": 5, "name": 5}</script>',
        {"Content_Type": "text/html"},
    ),
    "ValueError: Invalid": (b"#EXTM3U\n#EXTINF:5\nhttp://[\n", {"Content_Type": "application/vnd.apple.mpegurl"}),
    "ValueError: invalid": (b"", {"Content_Type": "video/mp4", "Content_Length": "x"}),
}


@pytest.mark.parametrize("what", ODD)
def test_a_page_that_breaks_yt_dlp_is_a_failure_of_its_video_alone(
    tmp_path: Path, server: Loopback, clip: bytes, what: str
) -> None:
    body, headers = ODD[what]
    server.serve("/watch/abcdefghijk", body, **headers)
    good = video(server, "ABCDEFGHIJK", clip)
    root = Root(tmp_path, {"odd": "https://www.youtube.com/watch?v=abcdefghijk", "good": good})
    root.download()
    assert root.files() == ["good.mp4"]
    line = next(line for line in root.lines() if line["id"] == "odd")
    assert line["reason"].startswith(f"yt-dlp: {what}")
    assert line["retriable"]


def test_a_full_disk_is_not_the_video_s_fault(tmp_path: Path, server: Loopback, clip: bytes) -> None:
    """A limit on the size of a file stands in for the disk's end."""
    resource = pytest.importorskip("resource")
    url = server.serve("/a.mp4", clip, Content_Type="video/mp4")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with pytest.raises(OSError, match="large"):
            fetch(tmp_path, url)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_host_that_is_not_there_is_known(tmp_path: Path) -> None:
    with loopback() as gone:
        base = gone.base
    with pytest.raises(FetchError) as caught:
        fetch(tmp_path, f"{base}/a.mp4")
    assert caught.value.retriable
    assert not caught.value.answered


def test_a_redirect_into_the_network_is_refused_before_anything_is_sent(
    tmp_path: Path, server: Loopback, clip: bytes
) -> None:
    inside = server.serve("/inside.mp4", clip, Content_Type="video/mp4").replace("127.0.0.1", "localhost")
    with pytest.raises(FetchError, match="not public: localhost leads to") as caught:
        fetch(tmp_path, server.redirect("/a", inside))
    assert not caught.value.retriable
    page = f'<html><video src="{inside}"></video></html>'.encode()
    with pytest.raises(FetchError, match="not public: localhost leads to"):
        fetch(tmp_path, server.serve("/page", page, Content_Type="text/html"))
    assert "/inside.mp4" not in server.asked
    fetch(tmp_path, server.redirect("/b", inside), allow_hosts=("127.0.0.1", "localhost"))
    assert "/inside.mp4" in server.asked


@pytest.mark.skipif(os.name == "nt", reason="stands in for ffmpeg by a shell script")
def test_no_other_program_connects(tmp_path: Path, server: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    """A live stream is what yt-dlp hands to ffmpeg, which would connect wherever the playlist says, unwatched."""
    programs, called = tmp_path / "bin", tmp_path / "called"
    programs.mkdir()
    (programs / "ffmpeg").write_text(f"#!/bin/sh\necho $@ >> {called}\n")
    (programs / "ffmpeg").chmod(0o755)
    monkeypatch.setenv("PATH", str(programs), prepend=os.pathsep)
    lines = ["#EXTM3U", "#EXT-X-TARGETDURATION:1", "#EXTINF:1,", "piece.ts", ""]
    url = server.serve("/a.m3u8", "\n".join(lines).encode(), Content_Type="application/vnd.apple.mpegurl")
    with pytest.raises(FetchError):
        fetch(tmp_path, url)
    assert not called.exists()


def test_it_is_held_to_the_byte_limit(tmp_path: Path, server: Loopback, clip: bytes) -> None:
    with pytest.raises(FetchError, match="max_bytes"):
        fetch(tmp_path, server.serve("/a.mp4", clip, Content_Type="video/mp4"), max_bytes=100)


def test_a_body_that_breaks_off_is_fetched_from_its_start(tmp_path: Path, server: Loopback, clip: bytes) -> None:
    """Nothing goes on in the middle: a host that answers a Range with another part would make one clip of two files."""

    def broken(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Type", "video/mp4")
        request.send_header("Content-Length", str(len(clip)))
        request.end_headers()
        request.wfile.write(clip[: len(clip) // 2] if len(server.asked) < 4 else clip)

    server.on("/watch/abcdefghijk", broken)
    root = Root(tmp_path, {"a": "https://www.youtube.com/watch?v=abcdefghijk"})
    root.download(retries=3)
    assert (root.videos / "a.mp4").read_bytes() == clip
    assert {line["status"] for line in root.lines()[:-1]} == {"failed"}
    assert {headers.get("Range") for headers in server.headers} <= {None, "bytes=0-"}


@pytest.mark.parametrize("status", [200, 206])
def test_a_part_sent_unasked_is_not_taken_for_the_file(tmp_path: Path, server: Loopback, status: int) -> None:
    """Its length is the one promised, and yt-dlp is content; the index stands first, so it even plays."""
    clip = faststart(tmp_path / "faststart.mp4", faststart=True).read_bytes()
    half = 2 * len(clip) // 3
    headers = {"Content_Range": f"bytes 0-{half - 1}/{len(clip)}", "Content_Type": "video/mp4"}
    server.serve("/watch/abcdefghijk", clip[:half], status, **headers)
    root = Root(tmp_path, {"a": "https://www.youtube.com/watch?v=abcdefghijk"})
    root.download()
    assert root.files() == []
    assert root.lines()[-1]["reason"].startswith("broke off: truncated")


# Cookies


def test_cookies_reach_the_host_and_their_file_stays_as_it_was(tmp_path: Path, server: Loopback, clip: bytes) -> None:
    cookies = tmp_path / "cookies.txt"
    text = f"# Netscape HTTP Cookie File\n{COOKIE.replace('.youtube.com', '127.0.0.1').replace('TRUE', 'FALSE')}\n"
    cookies.write_text(text, encoding="utf-8")
    root = Root(tmp_path, {"a": video(server, "abcdefghijk", clip)})
    root.download(cookies=cookies)
    assert "SID=secret-value" in server.headers[-1]["Cookie"]
    assert cookies.read_text(encoding="utf-8") == text
    assert "secret" not in (root.path / "downloads.jsonl").read_text(encoding="utf-8")


@pytest.mark.parametrize("text", [None, "", '[{"domain": ".youtube.com"}]', "SID=secret-value; path=/", "\0\xff"])
def test_what_is_no_cookies_txt_is_refused_before_anything_is_asked(
    tmp_path: Path, server: Loopback, text: str | None, capfd: pytest.CaptureFixture[str]
) -> None:
    cookies = tmp_path / "cookies.txt"
    if text is not None:
        cookies.write_text(text, encoding="latin-1")
    root = Root(tmp_path, {"a": video(server, "abcdefghijk", b"")})
    with pytest.raises(ConfigError, match=r"download\.cookies") as caught:
        root.download(cookies=cookies)
    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value)
    assert server.asked == []
    assert "secret" not in "".join(capfd.readouterr())


def test_a_broken_line_among_cookies_is_left_out_and_never_printed(
    tmp_path: Path, server: Loopback, clip: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    cookies = tmp_path / "cookies.txt"
    cookies.write_text(f"{COOKIE}\n.youtube.com TRUE secret without tabs\n#HttpOnly_{COOKIE}\n", encoding="utf-8")
    fetch(tmp_path, server.serve("/a.mp4", clip, Content_Type="video/mp4"), cookies=cookies)
    assert "secret" not in "".join(capfd.readouterr())
