"""The environment that an extractor runs in: made by uv of the lines at the head of its script, once; and its model."""

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from data_engineering.addresses import AddressRefusedError
from data_engineering.errors import RunError
from data_engineering.net import Fetcher, FetchError
from data_engineering.pose.extractor import Model, Program
from data_engineering.shelf import mark

_INSTEAD = "`signvlm pose --from FOLDER` takes key points that were made elsewhere"
# Seconds to look, and to make: some 100 MB are downloaded.
_LOOK, _MAKE = 60.0, 1800.0
# Seconds without a byte; the largest model, bytes.
_PATIENCE, _MAX_MODEL = 30.0, 200_000_000


def prepared(program: Program, tell: Callable[[str], None]) -> Program:
    """Makes the environment of a program, and fetches its model, unless they are there.

    It is the one that `uv run --script` would use, kept in uv's cache under the script's path. The interpreter is then
    started as it is, without uv in between, so that nothing stands between an extractor and whoever started it.

    Args:
        program: The extractor.
        tell: Takes a line to show, before the environment is made.

    Returns:
        The program with its interpreter and arguments.

    Raises:
        RunError: uv is not there, the environment cannot be made, or the model cannot be fetched.
    """
    if program.python is not None:
        return program
    uv = shutil.which("uv")
    if uv is None:
        raise RunError(
            f"uv: not found, and the extractor's environment is made by it; install uv and run it again; {_INSTEAD}"
        )
    if _uv(uv, program, "sync", "--check", "--offline", seconds=_LOOK).returncode:
        tell(f"pose: making the environment of {program.name} {program.version} (once; some 100 MB to download)")
        made = _uv(uv, program, "sync", seconds=_MAKE)
        if made.returncode:
            raise RunError(
                f"{program.script.name}: uv cannot make its environment ({_reason(made.stderr)}); see that the network "
                f"is there and run it again; {_INSTEAD}"
            )
    found = _uv(uv, program, "python", "find", seconds=_LOOK)
    if found.returncode or not found.stdout.strip():
        raise RunError(f"{program.script.name}: uv cannot find its environment ({_reason(found.stderr)}); {_INSTEAD}")
    program = replace(program, python=found.stdout.strip())
    if program.model is None:
        return program
    # Beside the environment: where the one is made anew, so is the other.
    model = _fetched(program.model, Path(found.stdout.strip()).parent.parent, tell)
    return replace(program, arguments=(str(model), program.model.sha256[:12]))


def _fetched(model: Model, folder: Path, tell: Callable[[str], None]) -> Path:
    """Returns where a model's file lies, fetched and checked if it is not there.

    Raises:
        RunError: It cannot be fetched, or is not what it should be.
    """
    path = folder / f"{model.sha256[:12]}.task"
    if path.is_file():
        return path
    name = model.url.rpartition("/")[2]
    tell(f"pose: fetching {name} (once)")
    part = path.with_name(f".{path.name}.{mark()}.part")
    try:
        with part.open("wb") as sink:
            fetched = Fetcher(_PATIENCE, _MAX_MODEL).fetch(model.url, sink)
        if fetched.sha256 != model.sha256:
            raise RunError(f"{name}: its hash is {fetched.sha256[:12]}, not {model.sha256[:12]}; {_INSTEAD}")
        part.replace(path)
    except (FetchError, AddressRefusedError, OSError) as error:
        raise RunError(f"{name}: cannot be fetched ({error}); see that the network is there; {_INSTEAD}") from error
    finally:
        part.unlink(missing_ok=True)
    return path


def _uv(uv: str, program: Program, *arguments: str, seconds: float) -> "subprocess.CompletedProcess[str]":
    """Runs uv about a program's script; what takes too long has failed."""
    command = [uv, *arguments, "--quiet", "--no-progress", "--script", str(program.script)]
    if arguments[:2] == ("python", "find"):
        command.remove("--quiet")  # it would not print what was found either
    # An environment that is active here is not the script's.
    environ = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    try:
        return subprocess.run(  # noqa: S603  no shell
            command, capture_output=True, text=True, errors="replace", check=False, timeout=seconds, env=environ
        )
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, 1, "", f"error: not done within {seconds:g} s")
    except OSError as error:
        return subprocess.CompletedProcess(command, 1, "", f"error: {error.strerror or error}")


def _reason(words: str) -> str:
    """What uv says went wrong, without addresses, which may hold a password."""
    found = re.findall(r"^\s*(?:error|cause): (.*)$", words, re.MULTILINE)
    return re.sub(r"\(?https?://\S+", "(address)", "; ".join(found[:3]))[:300] or "no reason given"
