"""The download: every absent clip asked for, judged by what came, remembered, and resumed."""

import hashlib
import json
import os
import socket
import zlib
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from clips import write_clip as faststart
from loopback import Loopback, greys, write_clip
from roots import PROMPT, Root, hosts

from data_engineering.attempts import trimmed
from data_engineering.clip import Clip
from data_engineering.container import inspect
from data_engineering.download import download
from data_engineering.errors import ConfigError, RunError
from data_engineering.settings import DataSettings, DownloadSettings
from data_engineering.shelf import Shelf


def test_a_clip_is_saved_noted_and_listed(tmp_path: Path, server: Loopback, clip: bytes) -> None:
    root = Root(tmp_path, {"00042": server.serve("/a.mp4", clip)})
    report = root.download()
    assert (root.path / "raw_videos" / "00042.mp4").read_bytes() == clip
    (line,) = root.lines()
    assert line["id"] == "00042"
    assert (line["status"], line["reason"], line["bytes"], line["trimmed"]) == ("ok", "", len(clip), False)
    assert line["host"] == server.host
    assert len(line["sha256"]) == 64
    (row,) = root.rows()
    assert (row["gloss"], row["prompt"], row["instance_id"]) == ("book", PROMPT, 5)
    assert row["video_path"] == str(root.path / "raw_videos" / "00042.mp4")
    assert report.counts == {"clips expected": 1, "there": 1, "new": 1, "missing": 0}
    assert hosts(report) == {server.host: {"host": server.host, "there": "1", "new": "1"}}


def test_an_address_of_several_clips_is_asked_once(tmp_path: Path, server: Loopback, clip: bytes) -> None:
    url = server.serve("/a.mp4", clip)
    root = Root(tmp_path, dict.fromkeys(["a", "b", "c", "d", "e"], url))
    root.download()
    assert server.asked == ["/a.mp4"]
    assert root.files() == ["a.mp4", "b.mp4", "c.mp4", "d.mp4", "e.mp4"]


def test_the_body_decides_not_its_name_nor_its_status(tmp_path: Path, server: Loopback, clip: bytes) -> None:
    bodies = {
        "html": b"<!DOCTYPE html><title>404</title> not here",
        "text": b"file not found",
        "zeros": bytes(500),
        "moov": clip[: len(clip) // 2],
        "playlist": b"#EXTM3U\nhttp://127.0.0.1/secret",
        "good": clip,
    }
    root = Root(tmp_path, {name: server.serve(f"/{name}.mp4", body) for name, body in bodies.items()})
    report = root.download()
    assert root.files() == ["good.mp4"]
    reasons = {line["id"]: line["reason"].partition(":")[0] for line in root.lines()}
    assert reasons == {
        "html": "html",
        "text": "not_video",
        "zeros": "not_video",
        "moov": "moov_missing",
        "playlist": "playlist",
        "good": "",
    }
    assert [row["video_id"] for row in root.rows()] == ["good"]
    assert "not_video x2" in "\n".join(report.lines())


def test_a_second_run_asks_only_for_what_may_still_come(tmp_path: Path, server: Loopback, clip: bytes) -> None:
    urls = {name: server.base + f"/{name}" for name in ("good", "busy", "gone")}
    server.serve("/good", clip)
    server.serve("/busy", b"", 503)
    root = Root(tmp_path, urls)
    root.download()
    assert {line["id"]: (line["status"], line["reason"], line["retriable"]) for line in root.lines()} == {
        "good": ("ok", "", False),
        "busy": ("failed", "HTTP 503", True),
        "gone": ("failed", "HTTP 404", False),
    }
    server.asked.clear()
    server.serve("/busy", clip + b"\0\0\0\x08free")
    report = root.download()
    assert server.asked == ["/busy"]
    assert root.files() == ["busy.mp4", "good.mp4"]
    assert report.reused == 1
    assert hosts(report)[server.host]["before"] == "1"
    assert hosts(report)[server.host]["why"] == "HTTP 404 x1"
    assert any("--retry-failed" in note for note in report.notes)


def test_a_lost_file_is_fetched_again(tmp_path: Path, server: Loopback, clip: bytes) -> None:
    root = Root(tmp_path, {"a": server.serve("/a", clip)})
    root.download()
    (root.path / "raw_videos" / "a.mp4").unlink()
    root.download()
    assert root.files() == ["a.mp4"]


def test_a_file_that_is_there_is_never_asked_for(tmp_path: Path, server: Loopback) -> None:
    root = Root(tmp_path, {"a": server.base + "/a"})
    (root.path / "raw_videos").mkdir(parents=True)
    write_clip(root.path / "raw_videos" / "a.mp4")
    root.download()
    assert server.asked == []
    assert len(root.rows()) == 1


def test_a_file_that_arrives_while_it_is_asked_for_stays(tmp_path: Path, server: Loopback, clip: bytes) -> None:
    """A download takes hours, and says itself that clips may be put into raw_videos by hand."""
    root = Root(tmp_path, {"a": server.base + "/a"})
    own = write_clip(tmp_path / "own.mp4", shade=100).read_bytes()
    server.serve("/a", clip)
    send = server.answers["/a"]

    def answer(request: BaseHTTPRequestHandler) -> None:
        (root.videos / "a.mp4").write_bytes(own)
        send(request)

    server.on("/a", answer)
    root.download()
    assert root.files() == ["a.mp4"]
    assert (root.videos / "a.mp4").read_bytes() == own


def test_what_a_killed_run_left_does_not_count(tmp_path: Path, server: Loopback, clip: bytes) -> None:
    root = Root(tmp_path, {"a": server.serve("/a", clip)})
    (root.path / "raw_videos").mkdir(parents=True)
    (root.path / "raw_videos" / ".a.1.part").write_bytes(clip[:100])
    (root.path / "downloads.jsonl").write_text('{"id": "a", "status": "o', encoding="utf-8")
    root.download()
    assert (root.path / "raw_videos" / "a.mp4").read_bytes() == clip
    text = (root.path / "downloads.jsonl").read_text(encoding="utf-8")
    assert json.loads(text.splitlines()[-1])["status"] == "ok"


def test_a_passing_failure_is_tried_again_and_each_attempt_noted(tmp_path: Path, server: Loopback, clip: bytes) -> None:
    answers = iter([(503, b""), (200, clip[:50]), (200, clip)])

    def answer(request: BaseHTTPRequestHandler) -> None:
        status, body = next(answers)
        request.send_response(status)
        request.send_header("Content-Length", str(len(clip) if status == 200 else 0))
        request.end_headers()
        request.wfile.write(body)

    root = Root(tmp_path, {"a": server.on("/a", answer)})
    report = root.download(retries=2)
    assert [line["status"] for line in root.lines()] == ["failed", "failed", "ok"]
    assert report.counts["new"] == 1
    assert root.files() == ["a.mp4"]


def test_limit_counts_attempts(tmp_path: Path, server: Loopback, clip: bytes) -> None:
    root = Root(tmp_path, {f"{n}": server.serve(f"/{n}", clip + b"\0\0\0\x09free" + bytes([n])) for n in range(5)})
    assert root.download(limit=2).counts["there"] == 2
    assert root.download(limit=2).counts["there"] == 4


def test_a_clip_without_an_address_is_said(tmp_path: Path) -> None:
    report = Root(tmp_path, {"a": ""}).download()
    assert hosts(report)["(no address)"]["why"] == "1 no address"


def test_a_flash_file_is_converted_or_named_unconvertible(
    tmp_path: Path, server: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    """aslpro serves .swf, and only to those who come from its own pages."""
    real = socket.getaddrinfo

    def here(host: str, *rest: object, **options: object) -> object:
        return real("127.0.0.1" if host.endswith("aslpro.com") else host, *rest, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", here)
    flash = write_clip(tmp_path / "a.swf", codec="flv").read_bytes()
    packed = b"CWS" + flash[3:8] + zlib.compress(flash[8:])
    bodies = {"plain": flash, "packed": packed, "script": b"FWS\x06" + bytes(60), "broken": packed[:40] + bytes(60)}
    urls = {
        name: server.serve(f"/{name}.swf", body).replace("127.0.0.1", "www.aslpro.com") for name, body in bodies.items()
    }
    root = Root(tmp_path, urls)
    root.download(allow_hosts=("www.aslpro.com",))
    assert {headers["Referer"] for headers in server.headers} == {"http://www.aslpro.com/cgi-bin/aslpro/aslpro.cgi"}
    assert root.files() == ["packed.mp4", "plain.mp4"]
    for name in root.files():
        assert len(greys(root.videos / name)) == 25
        assert inspect(root.videos / name).format == "mov"
    for line in root.lines()[-2:]:
        assert line["reason"].startswith("unconvertible")
        assert not line["retriable"]


def test_a_mov_is_kept_as_it_came(tmp_path: Path, server: Loopback) -> None:
    body = write_clip(tmp_path / "a.mov").read_bytes()
    root = Root(tmp_path, {"a": server.serve("/uploads/a.mov", body)})
    root.download()
    assert (root.videos / "a.mp4").read_bytes() == body


def test_a_range_is_cut_out_of_a_direct_host_s_file_too(tmp_path: Path, server: Loopback, clip: bytes) -> None:
    url = server.serve("/a", clip)
    root = Root(
        tmp_path,
        instances=[{"video_id": "a", "url": url, "frame_start": 6, "frame_end": 15}, {"video_id": "b", "url": url}],
    )
    root.download()
    assert greys(root.videos / "a.mp4") == pytest.approx(range(10, 30, 2), abs=3)
    assert (root.videos / "b.mp4").read_bytes() == clip
    assert {line["id"]: line["trimmed"] for line in root.lines()} == {"a": True, "b": False}
    assert server.asked == ["/a"]
    for line in root.lines():
        saved = (root.videos / f"{line['id']}.mp4").read_bytes()
        assert (line["saved_bytes"], line["saved_sha256"]) == (len(saved), hashlib.sha256(saved).hexdigest())
        assert (line["bytes"], line["sha256"]) == (len(clip), hashlib.sha256(clip).hexdigest())
    assert {name: saved.bytes for name, saved in trimmed(root.path).items()} == {
        "a": (root.videos / "a.mp4").stat().st_size
    }


# Bodies that are not all of it


def test_an_open_ended_body_that_breaks_off_is_asked_for_again(tmp_path: Path, server: Loopback) -> None:
    """Without a promised length the end of the connection looks like the end of the clip."""
    clip = faststart(tmp_path / "source.mp4", faststart=True).read_bytes()

    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.end_headers()
        request.wfile.write(clip[:-200] if len(server.asked) == 1 else clip)

    root = Root(tmp_path, {"a": server.on("/a", answer)})
    root.download(retries=1)
    assert [line["status"] for line in root.lines()] == ["failed", "ok"]
    assert root.lines()[0]["reason"].startswith("broke off")
    assert (root.videos / "a.mp4").read_bytes() == clip


@pytest.mark.parametrize("lie", ["longer", "shorter", "part", "chunk"])
def test_a_host_that_lies_about_length_gives_no_clip(tmp_path: Path, server: Loopback, lie: str) -> None:
    """The file's index stands first, so that even a part of it would play."""
    clip = faststart(tmp_path / "source.mp4", faststart=True).read_bytes()

    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(206 if lie == "part" else 200)
        if lie == "chunk":
            request.send_header("Transfer-Encoding", "chunked")
        else:
            promised = {"longer": len(clip) + 10, "shorter": len(clip) - 100, "part": len(clip) - 100}[lie]
            request.send_header("Content-Length", str(promised))
        request.end_headers()
        request.wfile.write(b"%x\r\n%b" % (len(clip), clip[:-100]) if lie == "chunk" else clip)

    root = Root(tmp_path, {"a": server.on("/a", answer)})
    root.download()
    assert root.files() == []
    assert root.lines()[-1]["status"] == "failed"
    assert root.lines()[-1]["retriable"] is (lie != "part")  # a 206 that nobody asked for is no accident


# What again


def test_what_failed_for_good_is_asked_again_on_demand(tmp_path: Path, server: Loopback, clip: bytes) -> None:
    urls = {f"{n}": server.serve(f"/{n}", b"<html>moved</html>") for n in range(6)} | {"gone": server.base + "/gone"}
    root = Root(tmp_path, urls)
    root.download()
    server.asked.clear()
    for n in range(6):
        server.serve(f"/{n}", clip + b"\0\0\0\x09free" + bytes([n]))
    server.serve("/gone", clip)
    assert root.download().counts["new"] == 0
    assert server.asked == []
    report = root.download(retry_failed=True)
    assert report.counts == {"clips expected": 7, "there": 7, "new": 7, "missing": 0}


# What lies there already, and what cannot be


def test_old_parts_are_swept_and_those_of_a_living_run_are_not(tmp_path: Path) -> None:
    root = Root(tmp_path, {"a": ""})
    root.videos.mkdir(parents=True)
    (root.path / "datasets").mkdir()
    ours = Shelf(root.path).part(Clip("a", "book", "train", 1)).name
    living = ours.replace(f"-{os.getpid()}", f"-{os.getppid()}")
    dead = ours.replace(f"-{os.getpid()}", "-4194305")  # beyond the largest process number of Linux
    elsewhere = [".a.othermachine-1.part", ".b.othermachine-1.part"]
    for name in (living, dead, *elsewhere):
        (root.videos / name).write_bytes(b"half")
    gone = root.videos / ".c.othermachine-1.part"
    gone.symlink_to("nowhere")  # what is renamed just before it is looked at is as little there
    manifest = root.path / "datasets" / ".wlasl_cleaned.json.abc.part"
    manifest.write_bytes(b"half")
    for old in (root.videos / elsewhere[0], manifest):
        os.utime(old, (0, 0))
    root.download()
    assert root.files() == sorted([living, elsewhere[1], gone.name])
    assert not manifest.exists()


def test_words_that_the_index_lacks_are_said(tmp_path: Path) -> None:
    root = Root(tmp_path, {"a": ""})
    (tmp_path / "words.txt").write_text("BOOK\nboook\n", encoding="utf-8")
    data = root.data.model_copy(update={"glossary": str(tmp_path / "words.txt")})
    report = download(data, DownloadSettings(), PROMPT, progress=False)
    assert "boook (book)" in "\n".join(report.lines())


def test_a_missing_index_is_one_line(tmp_path: Path) -> None:
    data = DataSettings(root=tmp_path, index=tmp_path / "absent.json")
    with pytest.raises(ConfigError, match=r"data\.index") as caught:
        download(data, DownloadSettings(), PROMPT, progress=False)
    assert "\n" not in str(caught.value)


def test_a_root_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    root = Root(tmp_path, {"a": "http://127.0.0.1/a"})
    root.path.write_text("a file where the folder belongs", encoding="utf-8")
    with pytest.raises(RunError, match=r"data\.root"):
        root.download()
