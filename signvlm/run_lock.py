"""One training a folder: a lock that the operating system takes back when its holder ends, however it ends."""

import contextlib
import os
import sys
from pathlib import Path
from types import TracebackType

from data_engineering.errors import RunError
from signvlm.console import note
from signvlm.runs import fresh_run

FILE = ".lock"
_PLACE = 1 << 20  # the byte that is locked on Windows, where what is locked cannot be read


class InUseError(RunError):
    """Another process holds the folder."""


class RunLock:
    """Holds a run's folder for this process; the folder is made where it is not there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._handle: int | None = None

    def __enter__(self) -> "RunLock":
        """Takes the lock.

        Raises:
            InUseError: Another process holds it.
            RunError: The folder cannot be written.
        """
        path = self.folder / FILE
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise RunError(f"{self.folder}: cannot be written ({error.strerror}); choose another folder") from error
        try:
            _lock(handle)
        except (BlockingIOError, PermissionError):
            holder = os.read(handle, 32).decode("ascii", "replace").strip()
            os.close(handle)
            raise InUseError(
                f"{self.folder}: another training writes here{f' (process {holder})' if holder else ''}; "
                "wait for it, end it, or set training.output_dir"
            ) from None
        except OSError as error:  # some network file systems have no locks
            note(f"{self.folder}: cannot be locked here ({error.strerror}); do not start a second training on it")
        os.ftruncate(handle, 0)
        os.write(handle, str(os.getpid()).encode())
        self._handle = handle
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Gives the lock back; its file stays, or a third process could hold one of the same name."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


def claim(output_dir: Path, held: contextlib.ExitStack) -> Path:
    """Takes a fresh run's folder; where another training was faster, the next one.

    Args:
        output_dir: Where runs go.
        held: Keeps the folder until it is closed.
    """
    for _ in range(100):
        folder = fresh_run(output_dir)
        with contextlib.suppress(InUseError):
            held.enter_context(RunLock(folder))
            return folder
    raise RunError(f"{output_dir}: trainings start there all the time; set training.output_dir")


def _lock(handle: int) -> None:
    """Locks an open file for this process alone, or raises at once; a forked worker inherits nothing of it."""
    if sys.platform == "win32":
        import msvcrt

        os.lseek(handle, _PLACE, os.SEEK_SET)
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        os.lseek(handle, 0, os.SEEK_SET)
    else:
        import fcntl

        fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
