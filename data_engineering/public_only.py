"""A thread that connects to nothing but the open internet, whatever library opens its sockets.

For libraries that follow addresses by themselves: redirects, playlists, names that answer differently the second time.
Python tells an audit hook of every connection right before it is made (PEP 578), with the numeric address.
"""

import sys
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies

from data_engineering.addresses import AddressRefusedError, is_public


class _Guard(threading.local):
    """What holds for this thread.

    Attributes:
        allowed: The hosts that may lead anywhere; None where nothing is guarded.
        name: The last one that was looked up, to which the connections that follow belong.
        refused: What was refused.
    """

    def __init__(self) -> None:
        self.allowed: frozenset[str] | None = None
        self.name = ""
        self.refused: list[AddressRefusedError] = []


_guard = _Guard()
_installed = threading.Lock()


@contextmanager
def public_only(allow_hosts: Collection[str]) -> Iterator[list[AddressRefusedError]]:
    """Refuses this thread's connections to addresses that are not public; programs that it starts are not held.

    Args:
        allow_hosts: Names or literal addresses that may lead anywhere. The user's own proxies may, too: it is they that
            connect further.

    Yields:
        What was refused so far, which the library may have kept to itself.

    Raises:
        AddressRefusedError: From within, in the place of a connection.
    """
    if _installed.acquire(blocking=False):  # once a process, for good: a hook cannot be taken off
        sys.addaudithook(_watch)
    proxies = (urlsplit(proxy).hostname for proxy in getproxies().values())
    _guard.name, _guard.refused = "", []
    _guard.allowed = frozenset(host.lower() for host in (*allow_hosts, *proxies) if host)
    try:
        yield _guard.refused
    finally:
        _guard.allowed = None


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    if _guard.allowed is None or not event.startswith("socket."):
        return
    if event == "socket.getaddrinfo":
        host = arguments[0]
        _guard.name = (host.decode(errors="replace") if isinstance(host, bytes) else str(host)).lower()
    elif event in ("socket.connect", "socket.sendto") and isinstance(arguments[1], tuple):
        address = str(arguments[1][0])
        # %eth0 is a link-local address's scope.
        if _guard.name not in _guard.allowed and not is_public(address.partition("%")[0]):
            where = f"{_guard.name or address} leads to {address}"
            _guard.refused.append(AddressRefusedError(f"not public: {where}; see download.allow_hosts"))
            raise _guard.refused[-1]
