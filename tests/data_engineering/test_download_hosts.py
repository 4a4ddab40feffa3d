"""The download's hosts: which are asked, how many at once, which are found dead, and which are never asked."""

import threading
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from loopback import Loopback, loopback, write_clip
from roots import Root, hosts

from data_engineering.download import HOSTS_AT_ONCE
from data_engineering.errors import ConfigError
from data_engineering.hosts import belongs, request_headers


def test_a_dead_host_is_found_out_cleared_and_left_alone(tmp_path: Path, server: Loopback, clip: bytes) -> None:
    """It answers everything with one body, here even a video."""
    root = Root(tmp_path, {f"{n:05}": server.serve(f"/{n}", clip) for n in range(9)})
    report = root.download()
    assert len(server.asked) == 4
    assert root.files() == []
    assert root.rows() == []
    row = hosts(report)[server.host]
    assert (row["failed"], row["not asked"]) == ("4", "5")
    assert any("Dead: one body" in note for note in report.notes)
    assert report.counts["new"] == 0
    assert {line["reason"].partition(":")[0] for line in root.lines()[3:]} == {"placeholder"}
    server.asked.clear()
    root.download()
    assert server.asked == []


def test_a_dead_host_of_pages_is_left_alone_too(tmp_path: Path, server: Loopback) -> None:
    root = Root(tmp_path, {f"{n:05}": server.serve(f"/{n}", b"<html>moved</html>") for n in range(9)})
    root.download()
    assert len(server.asked) == 4


def test_a_dead_host_s_clips_do_not_use_up_the_limit(tmp_path: Path, server: Loopback, clip: bytes) -> None:
    with loopback() as alive:
        urls = {f"{n:05}": server.serve(f"/{n}", b"<html>moved</html>") for n in range(9)}
        root = Root(tmp_path, urls | {"a": alive.serve("/a", clip), "b": alive.serve("/b", clip + b"\0\0\0\x08free")})
        root.download(limit=4)
        assert (len(server.asked), alive.asked) == (4, [])
        report = root.download(limit=1)
        assert (len(server.asked), alive.asked) == (4, ["/a"])
        row = hosts(report)[server.host]
        assert (row["before"], row["not asked"]) == ("4", "5")
        assert any(note.startswith(f"{server.host}: Dead: one body") for note in report.notes)
        root.download(limit=1)
        assert (len(server.asked), alive.asked) == (4, ["/a", "/b"])


def test_a_placeholder_among_clips_is_removed_and_the_host_asked_on(
    tmp_path: Path, server: Loopback, clip: bytes
) -> None:
    def body(n: int) -> bytes:
        return clip if n % 2 else clip + b"\0\0\0\x10free" + bytes([n] * 8)

    root = Root(tmp_path, {f"{n}": server.serve(f"/{n}", body(n)) for n in range(10)})
    root.download()
    assert len(server.asked) == 10
    assert root.files() == ["0.mp4", "2.mp4", "4.mp4", "6.mp4", "8.mp4"]


def test_a_host_that_is_not_there_is_given_up_for_this_run(tmp_path: Path) -> None:
    with loopback() as gone:
        base = gone.base
    root = Root(tmp_path, {f"{n}": f"{base}/{n}" for n in range(9)})
    report = root.download()
    assert next(iter(hosts(report).values()))["not asked"] == "6"
    assert len(root.lines()) == 3
    assert all(line["retriable"] for line in root.lines())


def test_an_address_inside_the_network_is_refused(tmp_path: Path, server: Loopback, clip: bytes) -> None:
    url = server.serve("/a", clip)
    root = Root(tmp_path, {"a": url, "b": server.redirect("/b", "http://169.254.169.254/latest")})
    report = root.download(allow_hosts=())
    assert server.asked == []
    assert hosts(report)[server.host]["refused"] == "2"
    assert hosts(report)[server.host]["why"] == "not public x2"
    root.download()
    assert server.asked == ["/a", "/b"]
    assert root.lines()[-1]["status"] == "refused"
    assert root.files() == ["a.mp4"]


def test_two_hosts_are_asked_at_the_same_time(tmp_path: Path, clip: bytes) -> None:
    """Each answers only once the other has been asked."""
    with loopback() as one, loopback() as two:
        urls = {"a": one.serve("/a", clip), "b": two.serve("/b", clip)}
        for mine, other in ((one, two), (two, one)):
            path, send = next(iter(mine.answers.items()))

            def answer(request: BaseHTTPRequestHandler, other: Loopback = other, send: Any = send) -> None:
                while not other.asked and not other.closing.wait(0.01):
                    pass
                send(request)

            mine.on(path, answer)
        root = Root(tmp_path, urls)
        root.download()
        assert root.files() == ["a.mp4", "b.mp4"]


def test_the_referer_goes_to_aslpro_alone() -> None:
    assert request_headers("http://aslpro.com/main/b/book.swf") != {}
    for other in ("http://notaslpro.com/a.swf", "http://aslpro.com.example/a.swf", "http://a.example/aslpro.com"):
        assert request_headers(other) == {}


def test_only_the_hosts_named_are_asked(tmp_path: Path, server: Loopback, clip: bytes) -> None:
    with loopback() as other:
        root = Root(tmp_path, {"a": server.serve("/a", clip), "b": other.serve("/b", clip)})
        report = root.download(only_hosts=(other.host,))
        assert (server.asked, other.asked) == ([], ["/b"])
        assert set(hosts(report)) == {other.host}
        assert report.counts["missing"] == 1


def test_a_host_that_no_clip_comes_from_is_named_with_the_nearest(tmp_path: Path) -> None:
    root = Root(tmp_path, {"a": "https://www.handspeak.com/word/b/book.mp4"})
    with pytest.raises(ConfigError, match=r"only_hosts.*'handspeek\.com'.*www\.handspeak\.com"):
        root.download(only_hosts=("handspeek.com",))


@pytest.mark.parametrize(
    ("name", "meant"), [("handspeak.com", True), ("WWW.handspeak.com", True), ("speak.com", False)]
)
def test_a_host_is_named_in_full_or_by_its_domain(name: str, meant: bool) -> None:
    assert belongs("www.handspeak.com", name) is meant


def test_a_host_that_has_had_enough_is_let_be(tmp_path: Path, server: Loopback) -> None:
    root = Root(tmp_path, {f"{n}": server.serve(f"/{n}", b"", 429) for n in range(9)})
    report = root.download()
    assert len(server.asked) == 3
    row = hosts(report)[server.host]
    assert (row["failed"], row["not asked"]) == ("3", "6")
    assert any("download.pause" in note for note in report.notes)


def test_a_host_whose_troubles_do_not_pass_is_let_be_and_goes_on_elsewhere_next_time(
    tmp_path: Path, server: Loopback, clip: bytes
) -> None:
    urls = {f"{n}": server.serve(f"/{n}", b"", 503) for n in range(10)}
    root = Root(tmp_path, urls | {"good": server.serve("/good", clip)})
    report = root.download()
    assert hosts(report)[server.host]["not asked"] == "1"
    assert any("10 addresses in a row, the last: HTTP 503" in note for note in report.notes)
    server.asked.clear()
    root.download(limit=2)
    assert server.asked == ["/good", "/0"]


def test_a_host_that_asks_for_an_hour_is_not_asked_twice(tmp_path: Path, server: Loopback) -> None:
    root = Root(tmp_path, {f"{n}": server.serve(f"/{n}", b"", 503, Retry_After="3600") for n in range(4)})
    report = root.download(retries=3)
    assert len(server.asked) == 1
    assert any("60 minutes" in note for note in report.notes)
    assert root.lines()[0]["retriable"]


def test_files_of_an_earlier_run_turn_out_to_be_a_placeholder(tmp_path: Path, server: Loopback, clip: bytes) -> None:
    root = Root(tmp_path, {f"{n}": server.serve(f"/{n}", clip) for n in range(6)})
    assert root.download(limit=3).counts["there"] == 3
    report = root.download()
    assert root.files() == []
    row = hosts(report)[server.host]
    assert (row["failed"], row["not asked"]) == ("4", "2")
    assert "placeholder x4; 3 removed" in row["why"]
    last = {line["id"]: line for line in root.lines()}
    assert {last[f"{n}"]["reason"].partition(":")[0] for n in range(4)} == {"placeholder"}


@pytest.mark.parametrize("same_size", [False, True])
def test_a_file_that_took_the_place_of_a_placeholder_is_the_user_s(
    tmp_path: Path, server: Loopback, clip: bytes, same_size: bool
) -> None:
    """The host answered three ids with one video; the user found two of them elsewhere before a fourth came."""
    own = clip[:-1] + b"!" if same_size else write_clip(tmp_path / "own.mp4", shade=100).read_bytes()
    root = Root(tmp_path, {f"{n}": server.serve(f"/{n}", clip) for n in range(6)})
    root.download(limit=3)
    for name in ("0.mp4", "1.mp4"):
        (root.videos / name).write_bytes(own)
    row = hosts(root.download())[server.host]
    assert root.files() == ["0.mp4", "1.mp4"]
    assert {(root.videos / name).read_bytes() for name in root.files()} == {own}
    assert (row["there"], row["failed"], row["not asked"]) == ("2", "2", "2")
    assert "1 removed" in row["why"]
    assert [line["id"] for line in root.lines() if line["reason"].startswith("placeholder")] == ["2", "3"]


def test_what_was_cut_out_of_a_placeholder_is_removed_too(tmp_path: Path, server: Loopback, clip: bytes) -> None:
    root = Root(
        tmp_path, {f"{n}": server.serve(f"/{n}", clip) for n in range(4)}, frame_start=6, frame_end=15, split="train"
    )
    root.download()
    assert root.files() == []


def test_hostile_addresses_are_refused_one_by_one_and_the_rest_is_fetched(
    tmp_path: Path, server: Loopback, clip: bytes
) -> None:
    """The index's reader refuses what no clip's address can look like; the fetch, what leads where it must not."""
    unreadable = {
        "file": "file:///etc/passwd",
        "metadata": "http://169.254.169.254/latest/meta-data",
        "ftp": "ftp://clips.example/a.mp4",
        "script": "javascript:alert(1)",
        "secret": "http://user:secret@clips.example/a.mp4",
        "long": "http://clips.example/" + "a" * 10_000_000,
        "newline": "http://clips.example/a\r\nX-Injected: 1",
        "port": "http://clips.example:99999/a.mp4",
        "list": ["http://clips.example/a.mp4"],
        "number": 5,
    }
    refused = {
        "private": "http://10.0.0.1/a.mp4",
        "decimal": "http://2852039166/latest",
        "mapped": "http://[::ffff:169.254.169.254]/latest",
        "inward": server.redirect("/inward", "http://169.254.169.254/latest"),
        "away": server.redirect("/away", "file:///etc/passwd"),
    }
    good = server.serve("/a.mp4", clip)
    instances = [{"video_id": name, "url": url} for name, url in (unreadable | refused).items()]
    root = Root(tmp_path, {"good": good}, instances)
    report = root.download()
    assert len(report.refused) == len(unreadable)
    assert {line["id"] for line in root.lines() if line["status"] == "refused"} == set(refused)
    assert root.files() == ["good.mp4"]
    assert set(server.asked) == {"/a.mp4", "/inward", "/away"}
    assert max(map(len, report.lines())) < 400
    assert "secret" not in "\n".join(report.lines())


def test_an_index_of_many_hosts_is_asked_by_few_threads(tmp_path: Path) -> None:
    root = Root(tmp_path, {f"{n}": f"http://10.0.{n // 250}.{n % 250 + 1}/a" for n in range(300)})
    seen = []

    class Watched(threading.Thread):
        def start(self) -> None:
            seen.append(self)
            super().start()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(threading, "Thread", Watched)
        root.download()
    assert len(root.lines()) == 300
    assert len(seen) <= HOSTS_AT_ONCE
