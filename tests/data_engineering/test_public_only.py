"""A thread that connects to nothing but the open internet."""

import socket
import threading
from collections.abc import Iterator
from contextlib import closing

import pytest

from data_engineering.addresses import AddressRefusedError
from data_engineering.public_only import public_only


@pytest.fixture
def port() -> Iterator[int]:
    """A port of this machine that listens."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        yield listening.getsockname()[1]


def connect(host: str, port: int) -> None:
    socket.create_connection((host, port), timeout=5).close()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_an_address_inside_is_refused_by_name_and_by_number(host: str, port: int) -> None:
    with public_only(()), pytest.raises(AddressRefusedError, match=f"not public: {host} leads to"):
        connect(host, port)


def test_a_socket_that_asks_no_name_is_refused_too(port: int) -> None:
    with public_only(()), closing(socket.socket()) as bare, pytest.raises(AddressRefusedError, match=r"127\.0\.0\.1"):
        bare.connect(("127.0.0.1", port))


def test_what_is_allowed_by_name_or_number_may_lead_anywhere(port: int) -> None:
    with public_only(("LOCALHOST",)):
        connect("localhost", port)
        with pytest.raises(AddressRefusedError):
            connect("127.0.0.1", port)
    with public_only(("127.0.0.1",)):
        connect("127.0.0.1", port)


def test_a_proxy_of_the_user_s_may_be_asked(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", f"http://localhost:{port}")
    with public_only(()):
        connect("localhost", port)


def test_it_ends_with_its_block_and_holds_no_other_thread(port: int) -> None:
    done = []
    with public_only(()):
        other = threading.Thread(target=lambda: done.append(connect("127.0.0.1", port)))
        other.start()
        other.join()
    connect("127.0.0.1", port)
    assert len(done) == 1
