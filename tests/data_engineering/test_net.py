"""The guarded fetch: only the open internet is asked, and only a whole body is taken."""

import hashlib
import io
import socket
import ssl
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from loopback import Loopback

from data_engineering.addresses import AddressRefusedError, is_public
from data_engineering.errors import RunError
from data_engineering.net import Fetcher, FetchError, WallError, retry_after


def fetcher(**changes: object) -> Fetcher:
    return Fetcher(**({"timeout": 5.0, "max_bytes": 10_000, "allow_hosts": ("127.0.0.1",)} | changes))  # type: ignore[arg-type]


def failure(url: str, **changes: object) -> FetchError:
    with pytest.raises(FetchError) as caught:
        fetcher(**changes).fetch(url, io.BytesIO())
    return caught.value


def test_a_body_arrives_with_its_hash(server: Loopback) -> None:
    sink = io.BytesIO()
    fetched = fetcher().fetch(server.serve("/a", b"clip"), sink)
    assert sink.getvalue() == b"clip"
    assert (fetched.bytes, fetched.sha256) == (4, hashlib.sha256(b"clip").hexdigest())


def test_odd_addresses_are_quoted_once(server: Loopback) -> None:
    server.serve("/a%20b/%C3%A9(1).mp4", b"clip")
    for path in ("/a b/é(1).mp4", "/a%20b/%C3%A9(1).mp4"):
        assert fetcher().fetch(server.base + path + "?q=1 2", io.BytesIO()).bytes == 4
    assert set(server.asked) == {"/a%20b/%C3%A9(1).mp4?q=1%202"}


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "ftp://clips.example/a",
        "gopher://clips.example/a",
        "//clips.example/a",
        "http:///a",
        "http://user:secret@clips.example/a",
        "http://clips.example:notaport/a",
        "http://127.0.0.1/a",
        "http://127.1/a",
        "http://2130706433/a",
        "http://0x7f.1/a",
        "http://0.0.0.0/a",
        "http://10.0.0.1/a",
        "http://192.168.1.1/a",
        "http://172.16.0.1/a",
        "http://100.64.0.1/a",
        "http://169.254.169.254/latest/meta-data",
        "http://224.0.0.1/a",
        "http://255.255.255.255/a",
        "http://[::1]/a",
        "http://[::]/a",
        "http://[fe80::1]/a",
        "http://[fc00::1]/a",
        "http://[::ffff:127.0.0.1]/a",
        "http://localhost/a",
    ],
)
def test_an_address_that_is_not_public_http_is_never_asked(url: str) -> None:
    with pytest.raises(AddressRefusedError):
        fetcher(allow_hosts=()).fetch(url, io.BytesIO())


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.215.14", True),
        ("2606:4700::1111", True),
        ("64:ff9b::5db8:d70e", True),
        ("64:ff9b::7f00:1", False),
        ("2002:7f00:1::", False),
        ("::ffff:10.0.0.1", False),
        ("198.18.0.1", False),
        ("240.0.0.1", False),
        ("ff02::1", False),
    ],
)
def test_public_addresses(address: str, public: bool) -> None:
    assert is_public(address) is public


def test_the_connection_goes_to_the_address_that_was_checked(server: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that changes its answer between check and connection (DNS rebinding) gains nothing: it is asked once."""
    asked = []
    real = socket.getaddrinfo

    def rebinding(host: str, *rest: object, **options: object) -> object:
        if host == "rebinding.example":
            asked.append(host)
            host = "127.0.0.1" if len(asked) == 1 else "169.254.169.254"
        return real(host, *rest, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    url = server.serve("/a", b"clip").replace("127.0.0.1", "rebinding.example")
    fetched = fetcher(allow_hosts=("rebinding.example",)).fetch(url, io.BytesIO())
    assert fetched.bytes == 4
    assert len(asked) == 1


def test_redirects_are_followed_and_the_headers_stay_with_their_host(server: Loopback) -> None:
    server.serve("/b", b"clip")
    url = server.redirect("/a", "/b")
    fetched = fetcher().fetch(url, io.BytesIO(), {"Referer": "http://page.example/"})
    assert fetched.url == server.base + "/b"
    assert [headers.get("Referer") for headers in server.headers] == ["http://page.example/"] * 2
    url = server.redirect("/c", server.base.replace("127.0.0.1", "localhost") + "/b")
    fetcher(allow_hosts=("127.0.0.1", "localhost")).fetch(url, io.BytesIO(), {"Referer": "http://page.example/"})
    assert "Referer" not in server.headers[-1]


@pytest.mark.parametrize(
    "target", ["http://169.254.169.254/latest", "http://[::1]/a", "file:///etc/passwd", "http://localhost/a"]
)
def test_a_redirect_is_checked_like_the_first_address(server: Loopback, target: str) -> None:
    with pytest.raises(AddressRefusedError):
        fetcher().fetch(server.redirect("/a", target), io.BytesIO())
    assert server.asked == ["/a"]


@pytest.mark.parametrize(
    "target",
    ["http://[", "http://[x]/a", "//[::1", "http://127.0.0.1:notaport/", "http://127.0.0.1\x7f/a", "http://a..b/"],
)
def test_a_redirect_to_no_address_at_all_is_a_failure_of_that_address_alone(
    server: Loopback, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = socket.getaddrinfo

    def lenient(host: str, *rest: object, **options: object) -> object:
        """Some systems' resolvers take a name with control characters in it."""
        return real(host.rstrip("\x7f"), *rest, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", lenient)
    with pytest.raises((AddressRefusedError, FetchError)) as caught:
        fetcher(allow_hosts=("127.0.0.1", "127.0.0.1\x7f")).fetch(server.redirect("/a", target), io.BytesIO())
    assert len(str(caught.value)) < 300
    assert server.asked == ["/a"]


def test_redirects_in_a_circle_end(server: Loopback) -> None:
    assert not failure(server.redirect("/a", "/a")).retriable
    assert len(server.asked) == 6


@pytest.mark.parametrize(
    ("status", "retriable"),
    [(404, False), (403, False), (410, False), (429, True), (500, True), (503, True), (204, False)],
)
def test_an_http_error_is_named_and_told_apart(server: Loopback, status: int, retriable: bool) -> None:
    error = failure(server.serve("/a", b"", status))
    assert str(error) == f"HTTP {status}"
    assert error.retriable is retriable


def test_a_host_may_ask_for_patience(server: Loopback) -> None:
    assert failure(server.serve("/a", b"", 429, Retry_After="7")).retry_after == 7.0
    assert failure(server.serve("/a", b"", 429, Retry_After="soon")).retry_after is None
    assert isinstance(failure(server.serve("/a", b"", 429)), WallError)


def test_patience_may_be_asked_for_by_date() -> None:
    soon = datetime.now(UTC) + timedelta(seconds=90)
    assert retry_after(format_datetime(soon, usegmt=True)) == pytest.approx(90, abs=5)
    assert retry_after("Wed, 21 Oct 2015 07:28:00 GMT") == 0.0
    for nonsense in ("", "-5", "1e9", "\u0665", "Wed, 99 Oct 2015 07:28:00 GMT", "Wed, 21 Oct 2015 07:28:00"):
        assert retry_after(nonsense) is None
    assert retry_after("9" * 5000) == float("9" * 9)


def test_a_body_that_breaks_off_is_no_body(server: Loopback) -> None:
    error = failure(server.serve("/a", b"half", Content_Length="100"))
    assert "4 of 100" in str(error)
    assert error.retriable


def test_a_part_of_a_body_sent_unasked_is_no_body(server: Loopback) -> None:
    error = failure(server.serve("/a", b"half", 206, Content_Range="bytes 0-3/8"))
    assert str(error) == "HTTP 206"
    assert "Range" not in server.headers[-1]


def test_whether_the_protocol_marks_the_end_is_told(server: Loopback) -> None:
    def open_ended(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.end_headers()
        request.wfile.write(b"clip")

    def chunked(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Transfer-Encoding", "chunked")
        request.end_headers()
        request.wfile.write(b"4\r\nclip\r\n0\r\n\r\n")

    fetched = [
        fetcher().fetch(url, io.BytesIO())
        for url in (server.serve("/a", b"clip"), server.on("/b", chunked), server.on("/c", open_ended))
    ]
    assert [body.whole for body in fetched] == [True, True, False]
    assert {body.bytes for body in fetched} == {4}


def test_a_chunked_body_that_breaks_off_is_no_body(server: Loopback) -> None:
    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Transfer-Encoding", "chunked")
        request.end_headers()
        request.wfile.write(b"4\r\nclip\r\n64\r\nhalf")

    assert failure(server.on("/a", answer)).retriable


def test_a_large_body_is_refused_by_its_promise_and_by_its_bytes(server: Loopback) -> None:
    def endless(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.end_headers()
        while not server.closing.is_set():
            request.wfile.write(bytes(4096))

    for url in (server.serve("/a", bytes(20_000)), server.on("/b", endless)):
        error = failure(url)
        assert "max_bytes" in str(error)
        assert not error.retriable


def test_an_empty_or_encoded_body_is_no_clip(server: Loopback) -> None:
    assert str(failure(server.serve("/a", b""))).startswith("empty")
    assert "gzip" in str(failure(server.serve("/b", b"clip", Content_Encoding="gzip")))


def test_silence_ends_at_the_timeout(server: Loopback) -> None:
    error = failure(server.on("/a", lambda _: server.closing.wait(20)), timeout=0.2)
    assert error.retriable
    assert "0.2 s" in str(error)


def test_whether_the_host_answered_is_told(server: Loopback) -> None:
    """A host that begins and then stalls is there, unlike one that says nothing."""

    def stall(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Length", "100")
        request.end_headers()
        request.wfile.write(b"half")
        server.closing.wait(20)

    stalled, silent = server.on("/a", stall), server.on("/b", lambda _: server.closing.wait(20))
    assert failure(stalled, timeout=0.2).answered
    assert not failure(silent, timeout=0.2).answered


def test_connecting_is_part_of_the_whole_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name with a hundred addresses, none of which answers: each may take `timeout`, all of them not more."""
    real = socket.getaddrinfo

    def many(host: str, *rest: object, **options: object) -> list[object]:
        asked = [f"127.0.0.{last}" for last in range(1, 101)] if host == "many.example" else [host]
        return [real(address, *rest, **options)[0] for address in asked]  # type: ignore[arg-type]

    with socket.socket() as full, socket.socket() as one, socket.socket() as two:
        full.bind(("", 0))
        full.listen(0)
        for filler in (one, two):
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", full.getsockname()[1]))
        monkeypatch.setattr(socket, "getaddrinfo", many)
        slow = fetcher(timeout=0.2, allow_hosts=("many.example",))
        slow.whole_timeout = 0.5
        start = time.monotonic()
        with pytest.raises(FetchError, match="slow") as caught:
            slow.fetch(f"http://many.example:{full.getsockname()[1]}/a", io.BytesIO())
    assert time.monotonic() - start < 5
    assert not caught.value.answered


@pytest.mark.parametrize("where", ["head", "body"])
def test_a_trickle_ends_too(server: Loopback, where: str) -> None:
    """Each byte comes in time, the whole never does."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        if where == "body":
            request.send_response(200)
            request.end_headers()
        else:
            request.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        while not server.closing.wait(0.02):
            request.wfile.write(b"x")
            request.wfile.flush()

    patient = fetcher(timeout=10.0)
    patient.whole_timeout = 0.3
    start = time.monotonic()
    with pytest.raises(FetchError, match="slow") as caught:
        patient.fetch(server.on("/a", answer), io.BytesIO())
    assert caught.value.retriable
    assert time.monotonic() - start < 9


def test_a_host_that_is_not_there_is_worth_another_try() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        error = failure(f"http://127.0.0.1:{unused.getsockname()[1]}/a")
    assert error.retriable
    assert not error.answered
    assert not failure("http://no-such-name.invalid/a").answered


def test_what_speaks_no_http_is_a_failure(server: Loopback) -> None:
    assert failure(server.on("/a", lambda request: request.wfile.write(b"SSH-2.0-x\r\n\r\n"))).retriable


def test_https_verifies_and_fails_where_no_tls_is_spoken(server: Loopback) -> None:
    tls = fetcher().tls
    assert tls.verify_mode is ssl.CERT_REQUIRED
    assert tls.check_hostname
    error = failure(server.serve("/a", b"clip").replace("http:", "https:"))
    assert "connection failed" in str(error)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_is_not_the_host_s_fault(server: Loopback) -> None:
    with open("/dev/full", "wb", buffering=0) as sink, pytest.raises(RunError, match="free space"):  # noqa: PTH123
        fetcher().fetch(server.serve("/a", b"clip"), sink)
