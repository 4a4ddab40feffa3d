"""Pushing a bundle, through huggingface_hub itself, to a Hub on the loopback address."""

import hashlib
import json
import os
import socket
import subprocess
import sys

import huggingface_hub
import pytest
import torch
from loopback_hub import READ_ONLY, TOKEN, loopback_hub
from safetensors.torch import save_file

from data_engineering.errors import ConfigError, RunError
from signvlm.config import load
from signvlm.hub import push
from signvlm.token import find_token

REPO = "somebody/signs"
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
    # As HF_HUB_DISABLE_XET sets it at the start: the loopback Hub does not speak Xet.
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_DISABLE_XET", True)


@pytest.fixture
def bundle(tmp_path):
    """A bundle as `train` leaves it, with files among it that have no business on the Hub."""
    folder = tmp_path / "run" / "adapter"
    folder.mkdir(parents=True)
    save_file({"lora": torch.arange(6.0)}, folder / "adapter_model.safetensors")
    (folder / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": "user/base"}))
    (folder / "base").mkdir()
    save_file({"weight": torch.arange(60.0)}, folder / "base" / "model.safetensors")
    (folder / "glossary.json").write_text(json.dumps(["book", "don't want"]))
    (folder / "config.yaml").write_text(
        f"data: {{root: {tmp_path}, index: {tmp_path}/WLASL_v0.3.json, split: official}}\n"
        f"download: {{cookies: {tmp_path}/cookies.txt}}\nmodel: {{base: user/base}}\n"
    )
    (folder / "evaluation_results.json").write_text(json.dumps({"run": {"checkpoint": str(folder)}}))
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
SENT |= {"glossary.json", "base/model.safetensors"}
OURS = {"README.md", "config.yaml"}  # written anew, without this machine's paths


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
    for name in SENT - OURS:
        assert arrived[name] == (bundle / name).read_bytes(), name
    assert arrived["tb_logs/now/events.out.tfevents.1.host"] == b"event"
    assert done.stdout.split() == [f"{hub.address}/{REPO}", *sorted(arrived)]
    assert TOKEN not in done.stdout + done.stderr
    assert not any(TOKEN.encode() in data for data in arrived.values())


def test_no_path_of_this_machine_arrives(hub, bundle, token, tmp_path):
    push(bundle, REPO, endpoint=hub.address)
    assert [name for name, data in hub.files[REPO].items() if str(tmp_path).encode() in data] == []
    (tmp_path / "arrived.yaml").write_bytes(hub.files[REPO]["config.yaml"])
    config, arrived = load(bundle / "config.yaml"), load(tmp_path / "arrived.yaml")
    assert (str(arrived.data.index), str(arrived.data.root)) == ("WLASL_v0.3.json", tmp_path.name)
    assert str(arrived.download.cookies) == "cookies.txt"
    assert (arrived.model, arrived.preprocess) == (config.model, config.preprocess)


def test_a_base_of_ones_own_is_named_without_its_path_and_said_to_stay(hub, bundle, token, tmp_path):
    """A relative one too: `bases/mine` would be somebody else's model on the Hub."""
    (tmp_path / "bases" / "mine").mkdir(parents=True)
    (bundle / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": str(tmp_path / "bases/mine")}))
    (bundle / "config.yaml").write_text(f"model: {{base: {tmp_path / 'bases/mine'}}}\n")
    (bundle / "base" / "model.safetensors").unlink()
    (bundle / "base").rmdir()
    upload = push(bundle, REPO, endpoint=hub.address)
    arrived = hub.files[REPO]
    assert json.loads(arrived["adapter_config.json"])["base_model_name_or_path"] == "mine"
    assert b"base: mine\n" in arrived["config.yaml"]
    assert "push a merged model" in upload.notes[0]
    assert "without it this adapter cannot be used" in upload.card


def test_a_push_that_was_killed_half_way_is_completed_by_the_next(hub, bundle):
    """The repository stays as it was until everything is there; what has arrived is not sent again."""
    sums = {name: hashlib.sha256((bundle / name).read_bytes()).hexdigest() for name in SENT if "safetensors" in name}
    hub.stall = sums["base/model.safetensors"]
    environment = {**os.environ, "HF_ENDPOINT": hub.address, "HF_TOKEN": TOKEN, "HF_HUB_DISABLE_XET": "1"}
    with subprocess.Popen([sys.executable, "-c", CHILD, str(bundle), REPO], env=environment) as process:
        assert hub.stalled.wait(timeout=120)
        process.kill()
    assert hub.files == {}
    assert set(hub.large) == {sums["adapter_model.safetensors"]}
    hub.stall = None
    hub.requests.clear()
    done = child(bundle, REPO, HF_ENDPOINT=hub.address, HF_TOKEN=TOKEN)
    assert done.returncode == 0, done.stderr
    assert [path for method, path in hub.requests if method == "PUT"] == [f"/large/{sums['base/model.safetensors']}"]
    assert set(hub.files[REPO]) >= SENT
    assert hub.files[REPO]["base/model.safetensors"] == (bundle / "base" / "model.safetensors").read_bytes()


def test_a_push_that_the_hub_broke_off_is_completed_by_the_next(hub, bundle, token):
    hub.refuse = ("/commit/", 403)
    with pytest.raises(RunError, match=r"^somebody/signs: the Hub answered 403"):
        push(bundle, REPO, endpoint=hub.address)
    assert hub.files == {}
    hub.refuse = None
    push(bundle, REPO, endpoint=hub.address)
    assert set(hub.files[REPO]) == SENT


def test_a_revision_is_a_branch_of_its_own(hub, bundle, token):
    for _ in range(2):  # it is made where it does not exist
        upload = push(bundle, REPO, revision="trial", endpoint=hub.address)
        assert upload.url == f"{hub.address}/{REPO}/tree/trial"
    assert set(hub.files) == {f"{REPO}@trial"}
    assert set(hub.files[f"{REPO}@trial"]) == SENT


def test_a_dry_run_tells_files_and_card_and_touches_nothing(bundle, monkeypatch):
    monkeypatch.delenv("HF_TOKEN", raising=False)
    before = {path: path.read_bytes() for path in bundle.rglob("*") if path.is_file()}
    upload = push(bundle, REPO, dry_run=True, endpoint="http://127.0.0.1:9")
    assert {name for name, _ in upload.files} == SENT
    sizes = dict(upload.files)
    assert sizes["glossary.json"] == (bundle / "glossary.json").stat().st_size
    assert sizes["README.md"] == len(upload.card.encode())
    assert upload.url is None
    assert REPO in upload.card
    assert {path: path.read_bytes() for path in bundle.rglob("*") if path.is_file()} == before


def test_pickles_links_and_hidden_files_stay_and_are_named(bundle):
    left_out = [line.split()[0] for line in push(bundle, REPO, dry_run=True).left_out]
    assert left_out == [".env", "evaluation_results.json", "optimizer.pt", "secret.txt", "training_args.bin"]


def test_a_bundle_of_links_is_refused_rather_than_sent_without_its_weights(bundle, tmp_path):
    """As a repository lies in the Hub's cache."""
    weights = (bundle / "adapter_model.safetensors").rename(tmp_path / "blob")
    (bundle / "adapter_model.safetensors").symlink_to(weights)
    with pytest.raises(ConfigError, match="its weights are links, as in the Hub's cache; copy it"):
        push(bundle, REPO, dry_run=True)


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


def test_a_token_that_may_only_read_is_said_to_be_one(hub, bundle, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", READ_ONLY)
    with pytest.raises(RunError, match=r"403: the token may not write there .*; use one with write access") as refused:
        push(bundle, REPO, endpoint=hub.address)
    assert READ_ONLY not in str(refused.value)
    assert hub.files == {}


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
