"""Work on hostile files in processes that can be killed: by time, by memory, or by their own crash.

Decoders hang with the interpreter's lock held, abort, and ask for gigabytes; none of that may end a run or be silent.
Workers are spawned, never forked (a decord reader hangs across a fork), and import what the function's module imports.
"""

import importlib
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from multiprocessing import get_context
from typing import Generic, TypeVar

import cv2
from pebble import ProcessExpired, ProcessPool

from data_engineering.reasons import ClipError

Item = TypeVar("Item")
Result = TypeVar("Result")

# Items in flight a worker: enough that none waits, few enough that results (5 MB each) do not pile up.
_AHEAD = 3


def cores() -> int:
    """Returns how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if "sched_getaffinity" in dir(os) else os.cpu_count() or 1


def run_many(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    workers: int | None,
    timeout: float | Callable[[Item], float],
    max_memory: int,
) -> Iterator[tuple[Item, Result | ClipError]]:
    """Applies a function to items in worker processes, in order.

    Args:
        function: A module-level function; it, an item and a result must be picklable.
        items: What to work on; taken as workers get free.
        workers: Processes; None for one a core.
        timeout: Seconds that one item may take before its process is killed, or what tells them of an item.
        max_memory: Address space of a process in bytes, where the platform can limit it.

    Yields:
        Each item with its result, or with the ClipError that ended it: the function's own, timeout, memory, crashed,
        or undecodable for any other exception.
    """
    todo = iter(items)
    count = workers or cores()
    waiting: deque = deque()
    pool = _pool(function, count, max_memory)
    try:
        while True:
            while len(waiting) < _AHEAD * count:
                try:
                    item = next(todo)
                except StopIteration:
                    break
                seconds = _seconds(timeout, item)
                waiting.append((item, seconds, pool.schedule(function, args=(item,), timeout=seconds)))
            if not waiting:
                pool.close()
                break
            item, seconds, future = waiting.popleft()
            yield item, _outcome(future, seconds, max_memory)
    finally:
        # After a close this is the ordinary end; on an error or an abandoned loop it kills what still runs.
        pool.stop()
        pool.join()


class Sandbox(Generic[Item, Result]):
    """One worker process, started at the first item and kept for those that come now and then.

    Args:
        function: As for `run_many`, like the rest.
        timeout: Seconds that one item may take, or what tells them of an item.
        max_memory: Address space of the process in bytes.
    """

    def __init__(
        self, function: Callable[[Item], Result], *, timeout: float | Callable[[Item], float], max_memory: int
    ) -> None:
        self._function = function
        self._timeout = timeout
        self._max_memory = max_memory
        self._pool: ProcessPool | None = None

    def run(self, item: Item) -> Result | ClipError:
        """Returns the function's result, or the ClipError that ended it, as `run_many` does."""
        if self._pool is None:
            self._pool = _pool(self._function, 1, self._max_memory)
        seconds = _seconds(self._timeout, item)
        future = self._pool.schedule(self._function, args=(item,), timeout=seconds)
        return _outcome(future, seconds, self._max_memory)

    def close(self) -> None:
        """Ends the process."""
        if self._pool is not None:
            self._pool.stop()
            self._pool.join()
            self._pool = None


def _pool(function: Callable[[Item], Result], workers: int, max_memory: int) -> ProcessPool:
    return ProcessPool(
        max_workers=workers,
        initializer=_start,
        initargs=(function.__module__, max_memory),
        context=get_context("spawn"),
    )


def _start(module: str, max_memory: int) -> None:
    """Prepares a worker: the imports before any item's time runs, one thread, the memory limit."""
    importlib.import_module(module)
    cv2.setNumThreads(1)
    # Decoders write to stderr on their own; what matters comes back as a reason, and the progress bar stays whole.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    try:
        import resource
    except ImportError:  # Windows: time limits only
        return
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    limit = max_memory if hard == resource.RLIM_INFINITY else min(max_memory, hard)
    resource.setrlimit(resource.RLIMIT_AS, (limit, hard))
    # A crash is reported by name; a core file a clip would fill the disk.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _seconds(timeout: float | Callable[[Item], float], item: Item) -> float:
    return timeout(item) if callable(timeout) else timeout


def _outcome(future: "Future[Result]", timeout: float, max_memory: int) -> Result | ClipError:
    try:
        return future.result()
    except ClipError as error:
        return error
    except FutureTimeout:
        return ClipError("timeout", f"not done after {timeout:g} s; its process was killed")
    except MemoryError:
        return ClipError("memory", f"more than {max_memory / 1024**3:.1f} GiB of address space")
    except ProcessExpired as error:
        return ClipError("crashed", f"its process ended with status {error.exitcode}")
    except Exception as error:  # whatever a decoder raises on hostile input belongs to that one clip
        return ClipError("undecodable", f"{type(error).__name__}: {str(error)[:200]}")
