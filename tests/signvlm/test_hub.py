"""Pushing a bundle, through huggingface_hub itself, to a Hub on the loopback address."""

import json
import os
import socket
import subprocess
import sys

import pytest
import torch
from loopback_hub import TOKEN, loopback_hub
from safetensors.torch import save_file

from data_engineering.errors import ConfigError, RunError
from signvlm.hub import push
from signvlm.token import find_token

REPO = "somebody/signs"
# Large files go through git-lfs here: the loopback Hub does not speak Xet.
CHILD = """
import sys
from pathlib import Path
from signvlm.hub import push
upload = push(Path(sys.argv[1]), sys.argv[2], include_tensorboard=True)
print(upload.url, *[name for name, _ in upload.files])
"""


@pytest.fixture
def hub():
    with loopback_hub() as server:
        yield server


@pytest.fixture
def token(monkeypatch):
    monkeypatch.setenv("HF_TOKEN", TOKEN)


@pytest.fixture
def bundle(tmp_path):
    """A bundle as `train` leaves it, with files among it that have no business on the Hub."""
    folder = tmp_path / "run" / "adapter"
    folder.mkdir(parents=True)
    save_file({"lora": torch.arange(6.0)}, folder / "adapter_model.safetensors")
    (folder / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": "user/base"}))
    (folder / "glossary.json").write_text(json.dumps(["book", "don't want"]))
    (folder / "config.yaml").write_text("data: {index: data/wlasl/WLASL_v0.3.json, split: official}\n")
    (folder / "chat_template.jinja").write_text("{{ messages }}")
    (folder / "training_args.bin").write_bytes(b"\x80\x04.")
    (folder / "optimizer.pt").write_bytes(b"\x80\x04.")
    (folder / ".env").write_text("HF_TOKEN=hf_never\n")
    (folder / "secret.txt").symlink_to(tmp_path / "secret.txt")
    (tmp_path / "secret.txt").write_text("outside the bundle")
    events = tmp_path / "run" / "tb_logs" / "now"
    events.mkdir(parents=True)
    (events / "events.out.tfevents.1.host").write_bytes(b"event")
    return folder


SENT = {"README.md", "adapter_config.json", "adapter_model.safetensors", "chat_template.jinja", "config.yaml"}
SENT |= {"glossary.json"}


def child(*arguments, **environment):
    keep = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HUGGING"))}
    return subprocess.run(
        [sys.executable, "-c", CHILD, *map(str, arguments)],
        env={**keep, "HF_HUB_DISABLE_XET": "1", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_what_arrives_is_the_bundle_byte_for_byte_and_nothing_else(hub, bundle):
    done = child(bundle, REPO, HF_ENDPOINT=hub.address, HF_TOKEN=TOKEN)
    assert done.returncode == 0, done.stderr
    arrived = hub.files[REPO]
    assert set(arrived) == SENT | {"tb_logs/now/events.out.tfevents.1.host"}
    for name in SENT:
        assert arrived[name] == (bundle / name).read_bytes(), name
    assert done.stdout.split() == [f"{hub.address}/{REPO}", *sorted(arrived)]
    assert TOKEN not in done.stdout + done.stderr
    assert not any(TOKEN.encode() in data for data in arrived.values())


def test_a_push_that_broke_off_is_completed_by_the_next(hub, bundle):
    hub.refuse = ("/commit/", 503)
    broken = child(bundle, REPO, HF_ENDPOINT=hub.address, HF_TOKEN=TOKEN)
    assert "RunError: somebody/signs: the Hub answered 503: push again later" in broken.stderr
    hub.refuse = None
    assert child(bundle, REPO, HF_ENDPOINT=hub.address, HF_TOKEN=TOKEN).returncode == 0
    assert set(hub.files[REPO]) >= SENT


def test_a_dry_run_tells_files_and_card_and_touches_nothing(bundle, monkeypatch):
    monkeypatch.delenv("HF_TOKEN", raising=False)
    before = sorted(bundle.iterdir())
    upload = push(bundle, REPO, dry_run=True, endpoint="http://127.0.0.1:9")
    assert {name for name, _ in upload.files} == SENT
    sizes = dict(upload.files)
    assert sizes["glossary.json"] == (bundle / "glossary.json").stat().st_size
    assert sizes["README.md"] == len(upload.card.encode())
    assert upload.url is None
    assert REPO in upload.card
    assert sorted(bundle.iterdir()) == before


def test_pickles_links_and_hidden_files_stay_and_are_named(bundle):
    left_out = push(bundle, REPO, dry_run=True).left_out
    assert [line.split()[0] for line in left_out] == [".env", "optimizer.pt", "secret.txt", "training_args.bin"]


def test_private_means_private(hub, bundle, token):
    hub.refuse = ("/preupload/", 403)
    with pytest.raises(RunError):
        push(bundle, REPO, private=True, endpoint=hub.address)
    assert hub.repos == {REPO: True}


def test_an_existing_public_repository_is_not_pushed_to_as_private(hub, bundle, token):
    hub.repos[REPO] = False
    with pytest.raises(RunError, match=r"^somebody/signs: exists and is public"):
        push(bundle, REPO, private=True, endpoint=hub.address)
    assert hub.files == {}


@pytest.mark.parametrize(
    ("status", "words"), [(401, "not valid"), (403, "may not write"), (429, "too many"), (500, "later")]
)
def test_a_refusal_is_one_line_that_tells_what_to_do(hub, bundle, token, status, words):
    hub.refuse = ("/api/repos/create", status)
    with pytest.raises(RunError, match=rf"^somebody/signs: the Hub answered {status}: .*{words}") as refused:
        push(bundle, REPO, endpoint=hub.address)
    assert "\n" not in str(refused.value)
    assert TOKEN not in str(refused.value)


def test_a_wrong_token_is_named_by_its_source(hub, bundle, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_somebodyelse")
    with pytest.raises(RunError, match=r"401: .* \(from HF_TOKEN in the environment\)") as refused:
        push(bundle, REPO, endpoint=hub.address)
    assert "hf_somebodyelse" not in str(refused.value)


def test_no_network_is_one_line(bundle, token):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        address = f"http://127.0.0.1:{closed.getsockname()[1]}"
    with pytest.raises(RunError, match=r"^somebody/signs: cannot be pushed .*check the network") as refused:
        push(bundle, REPO, endpoint=address)
    assert "\n" not in str(refused.value)


def test_no_token_is_told_before_the_network_is_asked(hub, bundle, tmp_path):
    done = child(bundle, REPO, HF_ENDPOINT=hub.address, HF_HOME=str(tmp_path / "home"))
    assert "ConfigError: HF_TOKEN: no token; put one with write access into .env" in done.stderr
    assert hub.requests == []


@pytest.mark.parametrize("repo", ["signs", "a/b/c", "some body/signs", "somebody/si--gns", "somebody/", "", "/signs"])
def test_a_wrong_name_is_refused(bundle, repo):
    with pytest.raises(ConfigError, match=r"^hub\.repo: .*user/name$"):
        push(bundle, repo, dry_run=True)


def test_a_folder_that_is_no_bundle_is_refused(bundle, tmp_path):
    with pytest.raises(ConfigError, match="no such folder"):
        push(tmp_path / "nowhere", REPO, dry_run=True)
    (bundle / "adapter_model.safetensors").unlink()
    with pytest.raises(ConfigError, match="no bundle"):
        push(bundle, REPO, dry_run=True)


def test_the_environment_wins_over_the_dotenv_file(tmp_path, monkeypatch):
    (tmp_path / ".env").write_text("HF_TOKEN=hf_from_file\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HF_TOKEN", raising=False)
    found = find_token()
    assert (found.value, ".env" in found.source) == ("hf_from_file", True)
    monkeypatch.setenv("HF_TOKEN", "hf_from_environment")
    assert find_token().value == "hf_from_environment"
    assert "hf_from" not in f"{found!r} {found}"
