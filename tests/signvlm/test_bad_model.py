"""Bases, checkpoints and repositories that are none: one clear line, exit 1 or 2, nothing half-written."""

import json
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

import huggingface_hub
import pytest
import torch
from small_world import World, files

from signvlm.vlm.tiny import save_tiny

# The model


def test_a_base_that_is_none(world: World, untouched, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)  # as the environment sets it at the start
    (tmp_path / "notes").mkdir()
    for verb in (["train"], ["train", "--inspect", "1"]):
        for base, status, words in (
            (tmp_path / "notes", 2, "is not a model folder that can be loaded"),
            ("no where", 2, "is neither a folder here nor a Hub id (user/name)"),
            ("nobody/nothing", 1, "check the name, the network, or HF_TOKEN in .env"),
        ):
            line = untouched(
                status,
                *verb,
                *("--config", world.config, "--set", f"model.base={base}"),
                *("--set", f"training.output_dir={tmp_path / 'run'}"),
            )
            assert line.startswith(f"model.base: {base} ")
            assert words in line


def test_adapters_outside_the_language_model(world: World, untouched, tmp_path: Path) -> None:
    output = f"training.output_dir={tmp_path / 'run'}"
    options = ["--config", world.config, "--set", output, "--set"]
    line = untouched(2, "train", *options, "lora.target_modules=[q_proj]")
    assert "adapters landed outside the language model" in line
    assert "see lora.target_modules" in untouched(2, "train", *options, "lora.target_modules=nothing")


def test_nothing_to_resume(world: World, untouched, tmp_path: Path) -> None:
    output = f"training.output_dir={tmp_path / 'run'}"
    line = untouched(2, "train", "--resume", "--config", world.config, "--set", output)
    assert line.endswith("no checkpoint to resume from; run `signvlm train` without --resume")


# A checkpoint that is none


def truncate(folder: Path) -> None:
    weights = folder / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[: weights.stat().st_size // 2])


def retype(folder: Path) -> None:
    settings = json.loads((folder / "adapter_config.json").read_text())
    (folder / "adapter_config.json").write_text(json.dumps(settings | {"r": 16}))


BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "a folder that is not there": (shutil.rmtree, "not an adapter bundle (no config.yaml)"),
    "an empty folder": (
        lambda f: [p.unlink() for p in f.rglob("*") if p.is_file()],
        "not an adapter bundle (no config.yaml)",
    ),
    "no weights": (lambda f: (f / "adapter_model.safetensors").unlink(), "(no adapter_model.safetensors)"),
    "no adapter's settings": (lambda f: (f / "adapter_config.json").unlink(), "(no adapter_config.json)"),
    "no glossary": (lambda f: (f / "glossary.json").unlink(), "(no glossary.json)"),
    "a glossary cut short": (lambda f: (f / "glossary.json").write_text('["no",'), "glossary.json: not JSON"),
    "a glossary of another kind": (lambda f: (f / "glossary.json").write_text('{"no": 1}'), "not a list of glosses"),
    "an empty glossary": (lambda f: (f / "glossary.json").write_text("[]"), "not a list of glosses"),
    "a gloss twice": (lambda f: (f / "glossary.json").write_text('["no", "no"]'), "the same tokens"),
    "a malformed configuration": (lambda f: (f / "config.yaml").write_text("a: ["), "config.yaml:1: not valid YAML"),
    "weights cut short": (truncate, "the adapter does not fit"),
    "empty weights": (lambda f: (f / "adapter_model.safetensors").write_bytes(b""), "the adapter does not fit"),
    "weights of another rank": (retype, "the adapter does not fit"),
    "broken settings": (lambda f: (f / "adapter_config.json").write_text("{"), "the adapter does not fit"),
    "a broken tokenizer": (lambda f: (f / "tokenizer.json").write_text("{"), "the adapter does not fit"),
    "no tokenizer": (lambda f: (f / "tokenizer.json").unlink(), "the adapter does not fit"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_checkpoint_that_is_none(world: World, call, tmp_path: Path, kind: str) -> None:
    spoil, words = BROKEN[kind]
    bundle = tmp_path / "adapter"
    shutil.copytree(world.bundle, bundle)
    spoil(bundle)
    before = files(tmp_path)
    clip = world.root / "raw_videos" / "00007.mp4"
    for arguments in (["predict", clip], ["eval", "--limit", "1"]):
        called = call(*arguments, "--config", world.config, "--checkpoint", bundle)
        last = called.err.splitlines()[-1]
        assert called.status in (1, 2), called
        assert called.out == ""
        assert last.startswith("error: ")
        assert str(bundle) in last or "tokens" in last
        assert words in last
        assert "unexpected" not in last
        assert "Traceback" not in called.err
    assert files(tmp_path) == before


def test_an_adapter_of_another_base(world: World, untouched, tmp_path: Path) -> None:
    """Its shapes would fit; its tokens mean something else."""
    other = save_tiny(tmp_path / "other", ["quite other words, of which there are many"] * 4)
    bundle = tmp_path / "adapter"
    shutil.copytree(world.bundle, bundle, ignore=shutil.ignore_patterns("base"))
    settings = (bundle / "config.yaml").read_text()
    (bundle / "config.yaml").write_text(settings.replace(str(world.base), str(other)))
    clip = world.root / "raw_videos" / "00007.mp4"
    line = untouched(2, "predict", clip, "--config", world.config, "--checkpoint", bundle)
    assert f"the adapter does not fit {other}" in line


@pytest.mark.parametrize(
    "verb", [["predict", "x.mp4"], ["eval"], ["merge", "--out", "model"], ["push", "--repo", "me/mine"]]
)
def test_a_repository_that_is_none(world: World, untouched, monkeypatch: pytest.MonkeyPatch, verb: list[str]) -> None:
    """A mistyped folder may have the form of one."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        address = f"http://127.0.0.1:{closed.getsockname()[1]}"
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", address)
    line = untouched(1, *verb, "--config", world.config, "--checkpoint", "runs/adapterr")
    assert line == (
        "runs/adapterr: no such folder here, and the Hub cannot be reached; check the network and HF_ENDPOINT, "
        "or name a folder"
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--dry-run"], "--repo: missing; give --repo USER/NAME, or set hub.repo"),
        (["--repo", "no where", "--dry-run"], "'no where' is no repository name"),
        (["--repo", "me/mine", "--manifest", "--checkpoint", "."], "--manifest: goes by itself, without --checkpoint"),
        (["--repo", "me/mine", "--manifest", "--set", "data.root=absent"], "wlasl_validated.json: not there; run"),
    ],
)
def test_a_push_that_cannot_be(world: World, untouched, arguments: list[str], words: str) -> None:
    assert words in untouched(2, "push", "--config", world.config, *arguments)


def test_a_base_that_is_a_pickle_is_not_loaded(world: World, untouched, tmp_path: Path) -> None:
    base = tmp_path / "base"
    shutil.copytree(world.base, base, ignore=shutil.ignore_patterns("*.safetensors"))
    torch.save({}, base / "pytorch_model.bin")
    output = f"training.output_dir={tmp_path / 'run'}"
    line = untouched(2, "train", "--config", world.config, "--set", f"model.base={base}", "--set", output)
    assert line.startswith(f"model.base: {base} is not a model folder that can be loaded")
