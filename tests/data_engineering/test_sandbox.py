"""Whatever an item does to its process, the others are done and it is named."""

import os
import signal
import sys
import time

import pytest

from data_engineering.reasons import ClipError
from data_engineering.sandbox import run_many


def act(what: str) -> str:
    """One good or bad deed; runs in a worker."""
    if what == "hang":
        time.sleep(600)
    if what == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if what == "exit":
        os._exit(3)
    if what == "gluttony":
        return str(len(bytearray(64 * 1024**3)))
    if what == "refuse":
        raise ClipError("black", "all of it")
    if what == "bug":
        raise KeyError("surprise")
    if what == "modules":
        return " ".join(sys.modules)
    return what.upper()


def outcomes(*deeds: str, timeout: float = 60, workers: int = 2) -> list[str]:
    found = run_many(act, deeds, workers=workers, timeout=timeout, max_memory=4 * 1024**3)
    return [result.reason if isinstance(result, ClipError) else result for _, result in found]


def test_results_come_in_order() -> None:
    deeds = [f"item {index}" for index in range(30)]
    assert outcomes(*deeds) == [deed.upper() for deed in deeds]


@pytest.mark.skipif(sys.platform == "win32", reason="no memory limit and no such signals there")
def test_every_way_to_fail_ends_only_its_own_item() -> None:
    found = outcomes("a", "crash", "refuse", "gluttony", "b", "exit", "bug", "c")
    assert found == ["A", "crashed", "black", "memory", "B", "crashed", "undecodable", "C"]


def test_a_worker_that_hangs_is_killed() -> None:
    began = time.monotonic()
    assert outcomes("a", "hang", "b", timeout=3) == ["A", "timeout", "B"]
    assert time.monotonic() - began < 60


def test_a_loop_that_is_left_early_kills_what_still_runs() -> None:
    found = run_many(act, ["a", "hang", "hang"], workers=2, timeout=600, max_memory=4 * 1024**3)
    assert next(found) == ("a", "A")
    began = time.monotonic()
    found.close()
    assert time.monotonic() - began < 60


def test_workers_import_nothing_heavy() -> None:
    (loaded,) = outcomes("modules", workers=1)
    assert not {"torch", "datasets", "transformers", "pyarrow"} & set(loaded.split())
