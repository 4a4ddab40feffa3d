"""One training a folder; a process that died holds nothing."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from data_engineering.errors import RunError
from signvlm.run_lock import FILE, RunLock

HOLD = """
import sys
from pathlib import Path
from signvlm.run_lock import RunLock
with RunLock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the folder until its stdin is closed."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path / "run")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_folder_that_is_written_is_refused_in_one_line_that_names_the_process(
    tmp_path: Path, holder: subprocess.Popen[str]
) -> None:
    with pytest.raises(RunError) as error, RunLock(tmp_path / "run"):
        pass
    assert str(error.value) == (
        f"{tmp_path / 'run'}: another training writes here (process {holder.pid}); "
        "wait for it, end it, or set training.output_dir"
    )


@pytest.mark.skipif(sys.platform == "win32", reason="no such signal there")
def test_a_killed_process_holds_nothing(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    assert (tmp_path / "run" / FILE).read_text() == str(holder.pid)
    with RunLock(tmp_path / "run"):
        assert (tmp_path / "run" / FILE).read_text() == str(os.getpid())


def test_a_process_that_ended_gives_the_folder_back(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    assert holder.stdin is not None
    holder.stdin.close()
    assert holder.wait() == 0
    with RunLock(tmp_path / "run"):
        pass


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="file/run: cannot be written"), RunLock(tmp_path / "file" / "run"):
        pass
