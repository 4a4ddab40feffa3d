"""The examples in docstrings are true: each runs, in a folder that holds an adapter and a clip."""

import doctest
import importlib
import shutil
from pathlib import Path

import pytest
from small_world import World

import signvlm

ROOT = Path(signvlm.__file__).parent.parent
MODULES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for package in ("signvlm", "data_engineering")
    for path in (ROOT / package).rglob("*.py")
    if "\n        >>> " in path.read_text(encoding="utf-8")
)


def test_there_are_some() -> None:
    assert "signvlm.api" in MODULES


@pytest.mark.parametrize("name", MODULES)
def test_examples_are_true(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    shutil.copytree(world.bundle, tmp_path / "my-adapter")
    shutil.copy(world.root / "raw_videos" / "00007.mp4", tmp_path / "hello.mp4")
    (tmp_path / "notes.txt").write_text("of the meeting")
    monkeypatch.chdir(tmp_path)
    with signvlm.SignRecognizer.from_pretrained("my-adapter", device="cpu") as recognizer:
        options = doctest.ELLIPSIS | doctest.IGNORE_EXCEPTION_DETAIL
        ran = doctest.testmod(importlib.import_module(name), extraglobs={"recognizer": recognizer}, optionflags=options)
    assert ran.attempted > 0
    assert ran.failed == 0
