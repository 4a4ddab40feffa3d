"""A guarded fetch: one address from a hostile list, streamed into an open file.

The connection goes to the very address that `addresses` has checked, and redirects run through the same door. Proxies
from the environment are not used: behind one, nobody here could check where a request goes. A part of a file is never
asked for (no Range), so nothing that a host says about ranges can make two halves of different files one clip.
"""

import contextlib
import hashlib
import http.client
import socket
import ssl
import threading
import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import BinaryIO, Self
from urllib.parse import SplitResult, quote, urlsplit

import certifi

from data_engineering.addresses import follow, malformed, parse, resolve
from data_engineering.errors import RunError

USER_AGENT = "Mozilla/5.0 (compatible; signvlm; sign language research)"
MAX_REDIRECTS = 5
WHOLE_FETCH = 20
"""A fetch may take this many times `timeout` in all, so that a byte a minute does not hold a worker for ever."""

_CHUNK = 1 << 16
_RETRIABLE_STATUS = {408, 425, 429, 500, 502, 503, 504}


class FetchError(Exception):
    """The host did not deliver.

    Attributes:
        retriable: Another attempt may succeed.
        answered: The host was reached and spoke HTTP.
        retry_after: Seconds that the host asked to wait, if it did.
    """

    def __init__(
        self, reason: str, *, retriable: bool, answered: bool = True, retry_after: float | None = None
    ) -> None:
        super().__init__(reason)
        self.retriable = retriable
        self.answered = answered
        self.retry_after = retry_after


class WallError(FetchError):
    """The host has had enough of us: asking on would make it worse."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """A body that arrived.

    Attributes:
        url: Where from, after redirects.
        bytes: Its size.
        sha256: Its hash.
        whole: The protocol says that this is all of it: the promised length came, or the last chunk. A body that ends
            when the connection does may have been cut off anywhere.
    """

    url: str
    bytes: int
    sha256: str
    whole: bool


class Fetcher:
    """Fetches http(s) addresses.

    Args:
        timeout: Seconds without a byte before a fetch is given up; a whole fetch may take `WHOLE_FETCH` times that.
        max_bytes: A larger body is given up.
        allow_hosts: Names or literal addresses that may lead to private, loopback or link-local addresses.
    """

    def __init__(self, timeout: float, max_bytes: int, allow_hosts: Collection[str] = ()) -> None:
        self.timeout = timeout
        self.whole_timeout = WHOLE_FETCH * timeout
        self.max_bytes = max_bytes
        self.allow_hosts = {host.lower() for host in allow_hosts}
        self.tls = ssl.create_default_context(cafile=certifi.where())

    def fetch(self, url: str, sink: BinaryIO, headers: Mapping[str, str] | None = None) -> Fetched:
        """Streams the body of `url` into `sink`.

        Args:
            url: An http or https address.
            sink: An open binary file; on an error it holds whatever had arrived.
            headers: Further request headers; not sent on to other hosts by a redirect.

        Raises:
            AddressRefusedError: The address, or one that it redirects to, is not http(s) or not public.
            FetchError: No connection, an HTTP error, a broken, late or too large body.
            RunError: The sink cannot be written.
        """
        deadline = time.monotonic() + self.whole_timeout
        try:
            fetched = self._follow(url, sink, headers or {}, deadline)
        except FetchError as error:
            if time.monotonic() < deadline:
                raise
            reason = f"too slow: not done after {self.whole_timeout:g} s"
            raise FetchError(reason, retriable=True, answered=error.answered) from error
        if time.monotonic() >= deadline:
            # Without a promised length, a connection cut at the deadline looks like a whole body.
            raise FetchError(f"too slow: not done after {self.whole_timeout:g} s", retriable=True)
        return fetched

    def _follow(self, url: str, sink: BinaryIO, headers: Mapping[str, str], deadline: float) -> Fetched:
        first_host = urlsplit(url).hostname
        for _ in range(MAX_REDIRECTS + 1):
            parts = parse(url)
            own = headers if parts.hostname == first_host else {}
            with self._request(parts, own, deadline) as response:
                if response.status in (301, 302, 303, 307, 308) and (location := response.getheader("Location")):
                    url = follow(url, location)
                    continue
                if response.status != 200:
                    raise _http_error(response)
                whole = response.chunked or response.length is not None
                count, digest = self._receive(response, sink)
                return Fetched(url, count, digest, whole)
        raise FetchError(f"too many redirects: more than {MAX_REDIRECTS}", retriable=False)

    @contextlib.contextmanager
    def _request(
        self, parts: SplitResult, headers: Mapping[str, str], deadline: float
    ) -> Iterator[http.client.HTTPResponse]:
        host = parts.hostname or ""
        port = parts.port or (443 if parts.scheme == "https" else 80)
        try:
            addresses = resolve(host, port, self.allow_hosts)
        except OSError as error:
            raise FetchError(f"does not resolve: {host[:100]}", retriable=True, answered=False) from error
        # Quoting leaves what is quoted already and keeps anything else out of the request line.
        target = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._")
        if parts.query:
            target += "?" + quote(parts.query, safe="/%:@!$&'()*+,;=~-._?")
        answered = False
        try:
            with _Pinned(host, port, addresses, self.timeout, deadline) as connection:
                connection.open(self.tls if parts.scheme == "https" else None)
                connection.request(
                    "GET",
                    target,
                    headers={"User-Agent": USER_AGENT, "Accept-Encoding": "identity", "Connection": "close", **headers},
                )
                with connection.getresponse() as response:
                    answered = True
                    yield response
        except ssl.SSLCertVerificationError as error:
            raise FetchError(f"certificate refused: {error.verify_message}", retriable=False, answered=False) from error
        except TimeoutError as error:
            raise FetchError(f"timeout: no byte for {self.timeout:g} s", retriable=True, answered=answered) from error
        except (http.client.InvalidURL, ValueError) as error:
            raise malformed(error) from None  # a redirect's: a name that resolves and can still not be asked for
        except (OSError, http.client.HTTPException) as error:
            raise FetchError(f"connection failed: {_words(error)}", retriable=True, answered=answered) from error

    def _receive(self, response: http.client.HTTPResponse, sink: BinaryIO) -> tuple[int, str]:
        encoding = response.getheader("Content-Encoding", "identity")
        if encoding.lower() != "identity":
            raise FetchError(f"encoded body: {encoding[:20]!r}, which was not asked for", retriable=False)
        promised = response.length
        if promised is not None and promised > self.max_bytes:
            raise FetchError(f"too large: {promised} bytes, download.max_bytes is {self.max_bytes}", retriable=False)
        digest, count = hashlib.sha256(), 0
        while chunk := response.read1(_CHUNK):
            count += len(chunk)
            if count > self.max_bytes:
                raise FetchError(f"too large: more than download.max_bytes, {self.max_bytes}", retriable=False)
            digest.update(chunk)
            try:
                sink.write(chunk)
            except OSError as error:
                raise RunError(
                    f"{sink.name}: cannot be written ({error.strerror}); free space and run again"
                ) from error
        if promised is not None and count < promised:
            raise FetchError(f"broke off: {count} of {promised} bytes came", retriable=True)
        if count == 0:
            raise FetchError("empty: a body of 0 bytes", retriable=False)
        return count, digest.hexdigest()


class _Pinned(http.client.HTTPConnection):
    """A connection to one of the given addresses, whatever the name would resolve to by now."""

    def __init__(self, host: str, port: int, addresses: list[str], timeout: float, deadline: float) -> None:
        super().__init__(host, port, timeout=timeout)
        self.addresses = addresses
        self._patience = timeout
        self._deadline = deadline
        self._watch = threading.Timer(max(0.0, deadline - time.monotonic()), self._expire)
        self._watch.daemon = True

    def open(self, tls: ssl.SSLContext | None) -> None:
        """Connects; with `tls`, verifies the certificate against the name."""
        self.sock = self._wire = self._first_that_answers()
        self._watch.start()
        if tls:
            self.default_port = http.client.HTTPS_PORT
            self.sock = tls.wrap_socket(self.sock, server_hostname=self.host, do_handshake_on_connect=False)
            self._wire = self.sock
            self.sock.do_handshake()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        # Not in `close`: http.client calls that itself once it has the head of the last response.
        self._watch.cancel()
        self.close()

    def _first_that_answers(self) -> socket.socket:
        failure: OSError = TimeoutError("no time left to connect")
        for address in self.addresses:
            left = self._deadline - time.monotonic()
            if left <= 0:
                break
            try:
                wire = socket.create_connection((address, self.port), min(self._patience, left))
            except OSError as error:
                failure = error
            else:
                wire.settimeout(self._patience)
                return wire
        raise failure

    def _expire(self) -> None:
        with contextlib.suppress(OSError):
            # The plain socket's method: SSLSocket's own would pull the TLS state out from under a reading thread.
            socket.socket.shutdown(self._wire, socket.SHUT_RDWR)


def _http_error(response: http.client.HTTPResponse) -> FetchError:
    waits = retry_after(response.getheader("Retry-After", ""))
    kind = WallError if response.status == 429 else FetchError
    return kind(f"HTTP {response.status}", retriable=response.status in _RETRIABLE_STATUS, retry_after=waits)


def retry_after(header: str) -> float | None:
    """Returns the seconds that a Retry-After header asks for, given as a number or a date (RFC 9110, 10.2.3)."""
    if header.isascii() and header.isdecimal():
        return float(header[:9])
    try:
        return max(0.0, (parsedate_to_datetime(header) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError, OverflowError):  # no date, or one without a time zone
        return None


def _words(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error) or type(error).__name__)[:100]
