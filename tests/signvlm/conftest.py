"""The small world that these tests share, built once a process; and the command line, called in it."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from click.testing import CliRunner
from small_world import GLOSSES, World, files, write_config, write_data


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny InternVL with random weights, in a checkpoint folder."""
    from signvlm.vlm.tiny import save_tiny

    return save_tiny(tmp_path_factory.mktemp("base") / "tiny", [*GLOSSES, "Which sign is this?"] * 4)


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory, base: Path) -> World:
    """The shared data root and bundle. Tests read it and leave it as it was."""
    from data_engineering.preprocess import preprocess
    from data_engineering.validate import validate
    from signvlm.config import load
    from signvlm.train import train

    folder = tmp_path_factory.mktemp("world")
    root = folder / "data"
    write_data(root)
    file = write_config(folder / "small.yaml", root, base)
    config = load(file)
    validate(config.data, config.download, config.validate_, config.preprocess, config.model.prompt, progress=False)
    preprocess(config.data, config.preprocess, progress=False)
    done = train(config)
    return World(root, file, base, done.folder, done.bundle)


class Called(NamedTuple):
    """How a call of the command line ended: exit status, stdout, stderr."""

    status: int
    out: str
    err: str


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Called]:
    """Calls the command line in this process, from an empty directory of the test's own."""
    from signvlm.cli import cli

    monkeypatch.chdir(tmp_path)
    # The command line quiets the libraries where nobody chose otherwise; other tests want to hear their warnings.
    monkeypatch.setenv("TRANSFORMERS_VERBOSITY", "warning")
    for name, value in {"TQDM_DELAY": "0", "TQDM_MININTERVAL": "0.1", "TQDM_BAR_FORMAT": ""}.items():
        monkeypatch.setenv(name, value)  # and the bars as they are

    def call(*arguments: object, stdin: str | None = None) -> Called:
        result = CliRunner().invoke(cli, [str(argument) for argument in arguments], input=stdin)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Called(result.exit_code, result.stdout, result.stderr)

    return call


@pytest.fixture
def refused(call: Callable[..., Called]) -> Callable[..., str]:
    """Calls the command line, which must refuse: the given exit status, one line of error. Returns that line."""

    def refused(status: int, *arguments: object) -> str:
        called = call(*arguments)
        lines = called.err.splitlines()
        assert called.status == status, called
        assert [line.startswith("error: ") for line in lines].count(True) == 1, called.err
        assert lines[-1].startswith("error: "), called.err
        assert "Traceback" not in called.err
        assert not lines[-1].startswith("error: unexpected")
        return lines[-1].removeprefix("error: ")

    return refused


@pytest.fixture
def untouched(refused: Callable[..., str], tmp_path: Path) -> Callable[..., str]:
    """Like `refused`, and nothing below the test's directory has changed afterwards."""

    def untouched(status: int, *arguments: object) -> str:
        before = files(tmp_path)
        line = refused(status, *arguments)
        assert files(tmp_path) == before
        return line

    return untouched
