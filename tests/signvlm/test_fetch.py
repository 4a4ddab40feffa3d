"""A checkpoint that lies on the Hub: what is fetched, what is refused, and what is said where there is none."""

import json
import socket
from pathlib import Path

import huggingface_hub
import pytest
import torch
from loopback_hub import TOKEN, LoopbackHub, loopback_hub
from safetensors.torch import save

from data_engineering.errors import ConfigError, RunError
from signvlm.config import load
from signvlm.eval import folder_of
from signvlm.fetch import find_checkpoint

REPO = "somebody/signs"
BUNDLE = {
    "adapter_config.json": b"{}",
    "adapter_model.safetensors": save({"lora": torch.arange(3.0)}),
    "glossary.json": b'["book"]',
    "config.yaml": b"model: {base: user/base}\n",
}


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    with loopback_hub() as server:
        server.repos[REPO] = False
        server.files[REPO] = dict(BUNDLE)
        yield server


def test_a_folder_is_taken_as_it_is_without_asking_anybody(hub: LoopbackHub, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "somebody" / "signs").mkdir(parents=True)
    for checkpoint in (REPO, Path(REPO), str(tmp_path / "absent"), "absent", "a/b/c", "../signs"):
        found = find_checkpoint(checkpoint, endpoint=hub.address)
        assert (found.folder, found.overrides) == (Path(checkpoint), ())
    assert hub.requests == []


def test_a_repository_is_fetched_byte_for_byte_and_once(hub: LoopbackHub) -> None:
    found = find_checkpoint(REPO, endpoint=hub.address)
    assert {path.name: path.read_bytes() for path in found.folder.iterdir()} == BUNDLE
    hub.requests.clear()
    assert find_checkpoint(REPO, endpoint=hub.address).folder == found.folder
    assert not [path for _, path in hub.requests if "/resolve/" in path]


def test_no_pickle_is_fetched(hub: LoopbackHub) -> None:
    hub.files[REPO] |= {"optimizer.pt": b"\x80\x04.", "model.pkl": b"\x80\x04.", "code.py": b"import os"}
    found = find_checkpoint(REPO, endpoint=hub.address)
    assert {path.name for path in found.folder.iterdir()} == set(BUNDLE)
    assert not [path for _, path in hub.requests if path.endswith((".pt", ".pkl", ".py"))]


def test_weights_that_are_a_pickle_are_refused(hub: LoopbackHub) -> None:
    hub.files[REPO]["adapter_model.bin"] = hub.files[REPO].pop("adapter_model.safetensors")
    with pytest.raises(ConfigError, match=r"^somebody/signs: holds no weights as safetensors, and pickled ones"):
        find_checkpoint(REPO, endpoint=hub.address)
    assert not [path for _, path in hub.requests if path.endswith(".bin")]


def test_what_is_no_bundle_is_refused(hub: LoopbackHub) -> None:
    del hub.files[REPO]["config.yaml"]
    with pytest.raises(ConfigError, match=r"not a bundle of signvlm \(no config\.yaml\)"):
        find_checkpoint(REPO, endpoint=hub.address)


@pytest.mark.parametrize("base", ["/etc", "../../secrets", "\\\\server\\share", "mine"])
def test_a_strangers_bundle_may_not_name_a_folder_of_this_machine(hub: LoopbackHub, base: str) -> None:
    hub.files[REPO]["config.yaml"] = f"model: {{base: {json.dumps(base)}}}\n".encode()
    with pytest.raises(ConfigError, match="is a folder that only its author has; ask for a merged model"):
        find_checkpoint(REPO, endpoint=hub.address)


def test_a_strangers_data_root_and_device_are_not_taken_over(hub: LoopbackHub) -> None:
    hub.files[REPO]["config.yaml"] = (
        b"data: {root: /srv/secret}\nmodel: {base: user/base, device: cuda}\ntraining: {output_dir: /srv/elsewhere}\n"
    )
    found = find_checkpoint(REPO, endpoint=hub.address)
    config = load(found.folder / "config.yaml", found.overrides)
    assert (config.data.root, config.data.index) == (load().data.root, load().data.index)
    assert config.model.device == "auto"
    # Results of a bundle in the Hub's cache go to a folder of its own, among no runs of one's own.
    assert folder_of(found.folder, config) == config.data.root / "runs" / "somebody--signs"


def test_a_branch_is_named_behind_an_at_or_as_the_revision(hub: LoopbackHub) -> None:
    hub.files[f"{REPO}@trial"] = {**BUNDLE, "glossary.json": b'["other"]'}
    for found in (
        find_checkpoint(f"{REPO}@trial", endpoint=hub.address),
        find_checkpoint(REPO, revision="trial", endpoint=hub.address),
    ):
        assert (found.folder / "glossary.json").read_bytes() == b'["other"]'
    with pytest.raises(RunError, match="has no revision 'other'; name one of its branches"):
        find_checkpoint(f"{REPO}@other", endpoint=hub.address)


def test_a_wrong_name_is_one_line(hub: LoopbackHub) -> None:
    with pytest.raises(RunError) as refused:
        find_checkpoint("somebody/sings", endpoint=hub.address)
    assert str(refused.value) == (
        "somebody/sings: no such folder here, and the Hub shows none of that name; correct it, or, if it is private "
        "or gated, set HF_TOKEN in .env"
    )


def test_a_private_repository_needs_its_token(hub: LoopbackHub, tmp_path: Path, monkeypatch) -> None:
    hub.repos[REPO] = True
    assert find_checkpoint(REPO, endpoint=hub.address).folder.is_dir()
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "another"))
    monkeypatch.setattr(huggingface_hub.constants, "HF_TOKEN_PATH", str(tmp_path / "none"))
    monkeypatch.delenv("HF_TOKEN")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RunError, match="if it is private or gated, set HF_TOKEN"):
        find_checkpoint(REPO, endpoint=hub.address)
    assert find_checkpoint(REPO, endpoint=hub.address, token=TOKEN).folder.is_dir()


def test_a_hub_that_is_ill_is_said_to_be(hub: LoopbackHub) -> None:
    hub.refuse = ("/api/models", 403)
    with pytest.raises(RunError, match="the Hub answered 403; try again later"):
        find_checkpoint(REPO, endpoint=hub.address)


def test_without_a_network_the_cache_serves_and_else_it_is_one_line(hub: LoopbackHub, tmp_path, monkeypatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        nowhere = f"http://127.0.0.1:{closed.getsockname()[1]}"
    with pytest.raises(RunError) as refused:
        find_checkpoint(REPO, endpoint=nowhere)
    said = "the Hub cannot be reached; check the network and HF_ENDPOINT, or name a folder"
    assert str(refused.value) == f"{REPO}: no such folder here, and {said}"
    fetched = find_checkpoint(REPO, endpoint=hub.address)
    assert find_checkpoint(REPO, endpoint=nowhere).folder == fetched.folder
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(RunError, match="switched off by HF_HUB_OFFLINE and the cache lacks it"):
        find_checkpoint("somebody/else", endpoint=nowhere)
