"""The examples in docstrings are true: each runs, in a folder that holds an adapter and a clip."""

import contextlib
import doctest
import importlib
import re
import shutil
from pathlib import Path

import pytest
from small_world import World

import signvlm

ROOT = Path(signvlm.__file__).parent.parent
MODULES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for package in ("signvlm", "data_engineering")
    for path in (ROOT / package).rglob("*.py")
    if re.search(r"^\s*>>> ", path.read_text(encoding="utf-8"), re.MULTILINE)
)


def test_there_are_some() -> None:
    assert {"signvlm.api", "signvlm.recognizer", "signvlm.sampling", "data_engineering.hosts"} <= set(MODULES)


@pytest.mark.parametrize("name", MODULES)
def test_examples_are_true(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Those of the interface have a recogniser to speak of."""
    shutil.copytree(world.bundle, tmp_path / "my-adapter")
    shutil.copy(world.root / "raw_videos" / "00007.mp4", tmp_path / "hello.mp4")
    (tmp_path / "notes.txt").write_text("of the meeting")
    monkeypatch.chdir(tmp_path)
    options = doctest.ELLIPSIS | doctest.IGNORE_EXCEPTION_DETAIL
    with contextlib.ExitStack() as held:
        names = {}
        if name == "signvlm.api":
            loaded = signvlm.SignRecognizer.from_pretrained("my-adapter", device="cpu")
            names["recognizer"] = held.enter_context(loaded)
        ran = doctest.testmod(importlib.import_module(name), extraglobs=names, optionflags=options)
    assert ran.attempted > 0
    assert ran.failed == 0
