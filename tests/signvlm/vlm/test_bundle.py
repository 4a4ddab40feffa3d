"""A bundle names its base so that others find it: a small folder goes along, a model of the Hub is named by commit."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from small_world import SIZE, World

import signvlm.vlm.bundle
from data_engineering.errors import ConfigError
from signvlm.config import ModelSettings, load
from signvlm.loading import load_recognizer
from signvlm.vlm.bundle import base_settings


def adapter(folder: Path) -> dict:
    return json.loads((folder / "adapter_config.json").read_text())


def test_a_small_base_goes_along_byte_for_byte(world: World) -> None:
    assert {path.name for path in (world.bundle / "base").iterdir()} == {path.name for path in world.base.iterdir()}
    for path in world.base.iterdir():
        assert (world.bundle / "base" / path.name).read_bytes() == path.read_bytes()


def test_it_is_named_without_its_path(world: World) -> None:
    assert (adapter(world.bundle)["base_model_name_or_path"], adapter(world.bundle)["revision"]) == ("tiny", None)
    assert str(world.base.parent) not in (world.bundle / "README.md").read_text()


def test_it_answers_where_the_base_is_not_and_as_it_did(world: World, tmp_path: Path) -> None:
    away = tmp_path / "adapter"
    shutil.copytree(world.bundle, away)
    settings = (away / "config.yaml").read_text()
    (away / "config.yaml").write_text(settings.replace(str(world.base), str(tmp_path / "gone")))
    frames = [np.random.default_rng(0).integers(0, 256, (4, SIZE, SIZE, 3), np.uint8)]
    there = load_recognizer(load(away / "config.yaml"), away).recognizer.log_probs(frames)
    here = load_recognizer(load(world.config), world.bundle).recognizer.log_probs(frames)
    np.testing.assert_array_equal(there, here)


@pytest.fixture
def part(tmp_path: Path) -> Path:
    """A bundle that is being written, as PEFT leaves it."""
    (tmp_path / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": "/home/me/x", "r": 4}))
    return tmp_path


def test_a_large_base_is_named_and_stays(world: World, part: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signvlm.vlm.bundle, "_SMALL_BASE", 1000)
    signvlm.vlm.bundle._name_base(part, ModelSettings(base=str(world.base)), None)
    assert not (part / "base").exists()
    assert adapter(part) == {"base_model_name_or_path": world.base.name, "r": 4, "revision": None}


def test_a_model_of_the_hub_is_named_by_the_commit_that_was_trained_on(part: Path) -> None:
    settings = ModelSettings(base="user/base", revision="main")
    signvlm.vlm.bundle._name_base(part, settings, "0123abc")
    assert adapter(part) == {"base_model_name_or_path": "user/base", "r": 4, "revision": "0123abc"}
    assert base_settings(part, settings) == ModelSettings(base="user/base", revision="0123abc")


def test_broken_settings_of_the_adapter_are_named(part: Path) -> None:
    (part / "adapter_config.json").write_text("[]")
    with pytest.raises(ConfigError, match=r"the adapter does not fit user/base \(adapter_config\.json: "):
        base_settings(part, ModelSettings(base="user/base"))
