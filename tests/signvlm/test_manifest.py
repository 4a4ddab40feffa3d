"""Manifests pushed as a dataset: lists only, never a pixel, no path of this machine."""

import json
from pathlib import Path

import huggingface_hub
import pytest
from huggingface_hub import DatasetCard
from loopback_hub import TOKEN, LoopbackHub, loopback_hub

from data_engineering.errors import ConfigError, RunError
from data_engineering.settings import DataSettings
from signvlm.manifest import push_manifest, read_manifests

REPO = "somebody/signs"
SENT = {"README.md", "wlasl_cleaned.json", "wlasl_validated.json", "corrupted_videos.json", "split.json", "health.json"}


def row(root: Path, name: str, split: str) -> dict:
    clip = {"video_id": name, "gloss": "don't want", "signer_id": 3, "split": split}
    return {**clip, "prompt": "Which sign? a/b", "video_path": str(root / "raw_videos" / f"{name}.mp4"), "media": {}}


@pytest.fixture
def data(tmp_path: Path) -> DataSettings:
    """A data root with manifests, and with all that must not go: clips, pictures, links, a page with thumbnails."""
    root = tmp_path / "data"
    folder = root / "datasets"
    folder.mkdir(parents=True)
    rows = [row(root, "00001", "train"), row(root, "00002", "test")]
    lost = {**row(root, "00003", "test"), "reason": "undecodable", "detail": f"h264: {root}/raw_videos/00003.mp4: bad"}
    health = {"counts": {}, "corrupted": [lost], "missing": [], "notes": []}
    for name, value in {
        "wlasl_cleaned.json": [*rows, lost],
        "wlasl_validated.json": rows,
        "corrupted_videos.json": [lost],
        "split.json": {"00001": "train"},
        "health.json": health,
    }.items():
        (folder / name).write_text(json.dumps(value))
    (folder / "health.html").write_text("<img src='data:image/png;base64,AAAA'>")
    (folder / "clip.mp4").write_bytes(b"\0\0\0\x20ftypisom")
    (folder / "frame.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (root / "raw_videos").mkdir()
    (root / "raw_videos" / "00001.mp4").write_bytes(b"\0\0\0\x20ftypisom")
    return DataSettings(root=root, index=tmp_path / "WLASL_v0.3.json")


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_DISABLE_XET", True)
    with loopback_hub() as server:
        yield server


def test_what_arrives_is_json_and_the_card_and_nothing_else(hub: LoopbackHub, data: DataSettings) -> None:
    upload = push_manifest(data, REPO, endpoint=hub.address)
    assert set(hub.files) == {f"datasets/{REPO}"}
    arrived = hub.files[f"datasets/{REPO}"]
    assert set(arrived) == SENT
    assert {name: len(content) for name, content in arrived.items()} == dict(upload.files)
    for name, content in arrived.items():
        text = content.decode("utf-8")
        assert name == "README.md" or json.loads(text) is not None
        assert "\0" not in text
        assert "data:image" not in text
    assert [line.split()[0] for line in upload.left_out] == ["clip.mp4", "frame.png", "health.html"]
    assert upload.url == f"{hub.address}/datasets/{REPO}"


def test_the_rows_are_the_same_but_for_the_paths(hub: LoopbackHub, data: DataSettings) -> None:
    push_manifest(data, REPO, endpoint=hub.address)
    arrived = hub.files[f"datasets/{REPO}"]
    assert not any(str(data.root.parent).encode() in content for content in arrived.values())
    here = json.loads((data.root / "datasets" / "wlasl_validated.json").read_text())
    there = json.loads(arrived["wlasl_validated.json"])
    assert there == [{**row, "video_path": f"raw_videos/{row['video_id']}.mp4"} for row in here]
    [lost] = json.loads(arrived["corrupted_videos.json"])
    assert lost["detail"] == "h264: raw_videos/00003.mp4: bad"


def test_a_picture_under_a_manifests_name_does_not_go(hub: LoopbackHub, data: DataSettings) -> None:
    (data.root / "datasets" / "split.json").write_bytes(b"\x89PNG\r\n\x1a\n\xff\xd8")
    with pytest.raises(RunError, match=r"split\.json: not JSON"):
        push_manifest(data, REPO, endpoint=hub.address)
    assert hub.requests == []


def test_the_card_tells_terms_counts_and_that_there_are_no_pixels(data: DataSettings) -> None:
    card = DatasetCard(push_manifest(data, REPO, dry_run=True).card)
    text = " ".join(card.text.split())
    for said in ("C-UDA", "no video and no picture", "2 clips of 1 glosses", "1 in train", "1 could not be read"):
        assert said in text, said
    assert card.data.license == "other"
    assert "video-classification" in card.data.task_categories


def test_a_dry_run_asks_nobody(data: DataSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_TOKEN", raising=False)
    upload = push_manifest(data, REPO, dry_run=True, endpoint="http://127.0.0.1:9")
    assert ({name for name, _ in upload.files}, upload.url) == (SENT, None)


def test_private_and_a_branch(hub: LoopbackHub, data: DataSettings) -> None:
    upload = push_manifest(data, REPO, private=True, revision="v1", endpoint=hub.address)
    assert hub.repos == {f"datasets/{REPO}": True}
    assert set(hub.files) == {f"datasets/{REPO}@v1"}
    assert upload.url == f"{hub.address}/datasets/{REPO}/tree/v1"


def test_a_data_root_without_manifests_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"wlasl_validated\.json: not there; run `signvlm validate`"):
        push_manifest(DataSettings(root=tmp_path), REPO, dry_run=True)


def test_an_address_keeps_what_looks_like_the_data_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A root named `videos` is no part of an address; its resolved path is one wherever it stands."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "videos" / "datasets"
    folder.mkdir(parents=True)
    clip = row(Path("videos"), "00001", "train") | {"url": "https://host.invalid/sign/videos/db/x.mp4"}
    told = f"h264: {tmp_path}/videos/raw_videos/00001.mp4: bad; videos/raw_videos/00001.mp4 (videos/raw_videos)"
    (folder / "wlasl_validated.json").write_text(json.dumps([clip]))
    (folder / "health.json").write_text(json.dumps({"notes": [told]}))
    _, found = read_manifests(DataSettings(root=Path("videos"), index=Path("index.json")))
    [there] = found["wlasl_validated.json"]
    assert there["url"] == clip["url"]
    assert there["video_path"] == "raw_videos/00001.mp4"
    assert found["health.json"]["notes"] == ["h264: raw_videos/00001.mp4: bad; raw_videos/00001.mp4 (raw_videos)"]


def test_signers_are_numbered_and_their_names_stay_here(hub: LoopbackHub, data: DataSettings) -> None:
    folder = data.root / "datasets"
    rows = json.loads((folder / "wlasl_validated.json").read_text())
    named = [{**rows[0], "signer_id": "anna_smith"}, {**rows[1], "signer_id": "7"}, {**rows[1], "signer_id": ""}]
    (folder / "wlasl_validated.json").write_text(json.dumps(named))
    (folder / "health.json").write_text(json.dumps({"signers": [{"signer_id": "anna_smith", "clips": 1}]}))
    push_manifest(data, REPO, endpoint=hub.address)
    arrived = hub.files[f"datasets/{REPO}"]
    assert not any(b"anna_smith" in content for content in arrived.values())
    assert [row["signer_id"] for row in json.loads(arrived["wlasl_validated.json"])] == [8, "7", ""]
    assert json.loads(arrived["health.json"])["signers"] == [{"signer_id": 8, "clips": 1}]


def test_ids_made_of_file_names_are_pointed_out(data: DataSettings) -> None:
    folder = data.root / "datasets"
    rows = json.loads((folder / "wlasl_validated.json").read_text())
    (folder / "wlasl_validated.json").write_text(json.dumps([{**rows[0], "own_file": "book/anna.mp4"}]))
    [note] = push_manifest(data, REPO, dry_run=True).notes
    assert "rename files that name a person first" in note
