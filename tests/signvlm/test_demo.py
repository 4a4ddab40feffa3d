"""The demo, made small: what it writes, what it counts, and that a seed decides everything."""

import json
from pathlib import Path

import pytest

import signvlm.demo
from data_engineering.clip import Manifests, read_json


@pytest.fixture
def small(monkeypatch):
    """Three signs, four signers, a training of a few steps on the shipped base."""
    monkeypatch.setattr(signvlm.demo, "GLOSSES", ("MOTHER", "PLEASE", "BOOK"))
    monkeypatch.setattr(signvlm.demo, "CLIPS_PER_CELL", 2)
    monkeypatch.setattr(signvlm.demo, "SIGNERS", {"train": 2, "validation": 1, "test": 1})
    monkeypatch.setattr(signvlm.demo, "BROKEN", {"train": ("page",), "validation": (), "test": ("stub",)})
    return ["training.num_train_epochs=2", "training.per_device_train_batch_size=4"]


def answers(out: Path) -> list[dict]:
    return json.loads((out / "runs" / "demo" / "evaluation_results.json").read_text())["clips"]


def test_the_demo_writes_everything_and_the_same_seed_answers_alike(small, tmp_path):
    lines = signvlm.demo.demo(tmp_path / "one", seed=3, overrides=small)
    run = tmp_path / "one" / "runs" / "demo"
    assert {"adapter", "tb_logs", "config.yaml", "evaluation_results.json", "report.html"} <= {
        path.name for path in run.iterdir()
    }
    results = json.loads((run / "evaluation_results.json").read_text())
    assert set(results["summary"]) == {"beam", "beam_constrained", "exact"}
    exact = results["summary"]["exact"]
    assert exact["on_disk"] == 6  # 3 signs by one signer, twice
    assert exact["unreadable"] == 1
    assert exact["clips"] == 6  # the broken clip is among them, and wrong
    assert any("not ASL" in line for line in lines)
    assert any("tensorboard" in line for line in lines)
    corrupted = read_json(Manifests(tmp_path / "one").corrupted, "")
    assert sorted(row["split"] for row in corrupted) == ["test", "train"]
    train_signers, test_signers = (
        {row["signer_id"] for row in read_json(Manifests(tmp_path / "one").validated, "") if row["split"] == split}
        for split in ("train", "test")
    )
    assert not train_signers & test_signers

    signvlm.demo.demo(tmp_path / "two", seed=3, overrides=small)
    assert answers(tmp_path / "two") == answers(tmp_path / "one")


def test_the_demos_signs_are_real_signs_with_minimal_pairs_and_enough_people():
    from data_engineering.synthetic.phonology import minimal_pairs
    from data_engineering.synthetic.signs import load_signs

    signs = load_signs()
    chosen = {gloss: signs[gloss] for gloss in signvlm.demo.GLOSSES}
    assert len(chosen) >= 12
    assert sum(signvlm.demo.SIGNERS.values()) >= 8
    assert len(signvlm.demo.BROKEN["test"]) == 1
    assert minimal_pairs(chosen)
