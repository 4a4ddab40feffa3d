"""How long a host is let be, and when it is left alone."""

import threading
import time

import pytest

from data_engineering.net import FetchError, WallError
from data_engineering.patience import LONGEST_WAIT, TROUBLES, UNREACHABLE, WALLS, Patience, backoff


def patience(pause: float = 0.0, first: float = 0.0) -> Patience:
    return Patience(pause, first, threading.Event())


def waited(host: Patience) -> float:
    start = time.monotonic()
    host.wait()
    return time.monotonic() - start


def test_the_wait_doubles_and_chance_takes_up_to_half_of_it() -> None:
    assert [backoff(2.0, tries, 1.0) for tries in range(4)] == [2, 4, 8, 16]
    assert [backoff(2.0, tries, 0.0) for tries in range(4)] == [1, 2, 4, 8]
    assert backoff(2.0, 10_000, 1.0) == LONGEST_WAIT


def test_two_requests_keep_the_pause_and_the_first_does_not_wait() -> None:
    host = patience(pause=0.05)
    assert waited(host) < 0.05
    host.asked()
    assert waited(host) >= 0.04


def test_what_a_host_asks_for_it_gets() -> None:
    host = patience()
    host.failed(FetchError("HTTP 503", retriable=True, retry_after=0.1), tries=0, final=False)
    host.asked()
    assert waited(host) >= 0.09
    assert host.verdict == ""


def test_a_host_that_asks_for_hours_is_left_alone() -> None:
    host = patience()
    host.failed(WallError("HTTP 429", retriable=True, retry_after=7200.0), tries=0, final=False)
    assert "120 minutes" in host.verdict
    assert waited(host) < 1


def test_a_wait_ends_when_the_run_does() -> None:
    stop = threading.Event()
    host = Patience(pause=60.0, backoff=0.0, stop=stop)
    host.asked()
    threading.Timer(0.05, stop.set).start()
    assert waited(host) < 30


@pytest.mark.parametrize(
    ("error", "times"),
    [
        (FetchError("no connection", retriable=True, answered=False), UNREACHABLE),
        (WallError("HTTP 429", retriable=True), WALLS),
        (FetchError("too slow: not done after 600 s", retriable=True), TROUBLES),
    ],
)
def test_some_failures_in_a_row_end_it_and_an_answer_begins_anew(error: FetchError, times: int) -> None:
    host = patience()
    for _ in range(times - 1):
        host.failed(error, tries=0, final=True)
    host.answered()
    for _ in range(times - 1):
        host.failed(error, tries=0, final=True)
    assert host.verdict == ""
    host.failed(error, tries=0, final=True)
    assert "run again" in host.verdict


def test_ordinary_failures_never_end_it() -> None:
    host = patience()
    for _ in range(50):
        host.failed(FetchError("HTTP 404", retriable=False), tries=0, final=True)
    assert host.verdict == ""
