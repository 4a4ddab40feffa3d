"""The extractor's environment: made once, by uv; where it cannot be made, one line says why and what else there is."""

import re
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from zipfile import ZipFile

import pytest
from pose_clips import PROGRAM

from data_engineering.errors import RunError
from data_engineering.pose.environment import prepared
from data_engineering.pose.extractor import HOLISTIC, HOLISTIC_TASK, Model, Program

NEEDS_UV = pytest.mark.skipif(shutil.which("uv") is None, reason="uv is not installed")


@pytest.fixture
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without a network, where uv holds nothing yet."""
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))


def needing(folder: Path, *packages: str) -> Program:
    """A program whose script asks for these packages, and this Python."""
    version = f"=={sys.version_info.major}.{sys.version_info.minor}.*"
    lines = ["/// script", f'requires-python = "{version}"', f"dependencies = {list(packages)}", "///"]
    script = folder / "program.py"
    script.write_text("".join(f"# {line}\n" for line in lines))
    return replace(PROGRAM, script=script, python=None)


def test_a_program_with_an_interpreter_needs_none() -> None:
    assert prepared(PROGRAM, pytest.fail) is PROGRAM


def test_without_uv_there_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(RunError, match=r"^uv: not found, .* `signvlm pose --from FOLDER` takes key points"):
        prepared(HOLISTIC, pytest.fail)


def wheel(folder: Path) -> Path:
    """A package without anything in it."""
    path = folder / "nothing-1.0-py3-none-any.whl"
    with ZipFile(path, "w") as archive:
        archive.writestr("nothing-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: nothing\nVersion: 1.0\n")
        archive.writestr(
            "nothing-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr("nothing-1.0.dist-info/RECORD", "")
    return path


@NEEDS_UV
def test_it_is_made_once(tmp_path: Path, offline: None) -> None:
    told: list[str] = []
    program = needing(tmp_path, f"nothing @ {wheel(tmp_path).as_uri()}")
    python = prepared(program, told.append).python
    assert python is not None
    assert Path(python).is_relative_to(tmp_path / "cache")
    assert told == ["pose: making the environment of stand-in 1 (once; some 100 MB to download)"]
    assert prepared(program, told.append).python == python
    assert len(told) == 1


@NEEDS_UV
def test_one_that_cannot_be_made_is_one_line_that_says_why(tmp_path: Path, offline: None) -> None:
    with pytest.raises(
        RunError, match=r"^program\.py: uv cannot make its environment \(.*; see that the network"
    ) as error:
        prepared(needing(tmp_path, "attrs==26.1.0"), lambda _: None)
    assert "attrs was not found in the cache" in str(error.value)
    assert "\n" not in str(error.value)
    assert "http" not in str(error.value)


@NEEDS_UV
def test_a_model_is_fetched_once_and_only_the_right_one(tmp_path: Path, offline: None) -> None:
    """It lies beside the environment; an address that is not public is not asked."""
    told: list[str] = []
    model = Model("http://127.0.0.1:9/models/some.task", "0123456789ab" + 52 * "c")
    program = replace(needing(tmp_path, f"nothing @ {wheel(tmp_path).as_uri()}"), model=model)
    with pytest.raises(
        RunError, match=r"^some\.task: cannot be fetched \(.*127\.0\.0\.1.*`signvlm pose --from FOLDER`"
    ):
        prepared(program, told.append)
    assert told[-1] == "pose: fetching some.task (once)"
    python = prepared(replace(program, model=None), told.append).python
    assert python is not None
    (Path(python).parent.parent / "0123456789ab.task").write_bytes(b"model")
    assert prepared(program, pytest.fail).arguments == (
        str(Path(python).parents[1] / "0123456789ab.task"),
        "0123456789ab",
    )


@pytest.mark.parametrize("program", [HOLISTIC, HOLISTIC_TASK], ids=lambda program: program.name)
def test_what_ships_is_pinned(program: Program) -> None:
    text = program.script.read_text()
    needed = re.search(r"# dependencies = \[\n(.*?)# \]", text, re.DOTALL)
    assert needed is not None
    assert all("==" in line for line in needed[1].splitlines())
    assert f'"mediapipe=={program.version}"' in text
    assert f'name = "{program.name}"' in text
    assert (program.script.parent / "extractor_protocol.py").is_file()
