"""Which checkpoint a training goes on from: the newest that is sound, and a broken one is told and put aside."""

import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from data_engineering.errors import ConfigError
from signvlm.vlm.checkpoints import checkpoints, fault, remove_unfinished, resumable, set_aside


@pytest.fixture
def run(world, tmp_path):
    """A run with copies of a real checkpoint, as if it had been saved after the steps 9 and 10."""
    [checkpoint] = world.run.glob("checkpoint-*")
    for step in (9, 10):
        shutil.copytree(checkpoint, tmp_path / "run" / f"checkpoint-{step}")
    return tmp_path / "run"


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 255
    path.write_bytes(bytes(data))


def not_a_number(path: Path) -> None:
    weights = load_file(path)
    weights[min(weights)][0] = torch.nan
    save_file(weights, path)


def test_the_newest_is_taken_by_its_number(run):
    assert [path.name for path in checkpoints(run)] == ["checkpoint-10", "checkpoint-9"]
    assert fault(run / "checkpoint-10") is None
    assert resumable(run) == (run, run / "checkpoint-10")


@pytest.mark.parametrize(
    ("name", "spoil", "reason"),
    [
        ("trainer_state.json", cut, "trainer_state.json is damaged"),
        ("adapter_model.safetensors", cut, "adapter_model.safetensors is damaged"),
        ("adapter_model.safetensors", not_a_number, "adapter_model.safetensors is damaged"),
        ("adapter_model.safetensors", Path.unlink, "it has no weights"),
        ("optimizer.pt", cut, "optimizer.pt is damaged"),
        ("optimizer.pt", flip, "optimizer.pt is damaged"),
        ("optimizer.pt", Path.unlink, "optimizer.pt is missing"),
        ("scheduler.pt", lambda path: path.write_bytes(b""), "scheduler.pt is damaged"),
        ("rng_state.pth", cut, "rng_state.pth is damaged"),
    ],
)
def test_a_broken_one_falls_back_to_the_one_before_and_says_so(run, capsys, name, spoil, reason):
    spoil(run / "checkpoint-10" / name)
    assert resumable(run) == (run, run / "checkpoint-9")
    assert f"warning: {run / 'checkpoint-10'} is broken ({reason}) and passed over" in capsys.readouterr().err
    set_aside(run, run / "checkpoint-9")
    assert [path.name for path in checkpoints(run)] == ["checkpoint-9"]
    assert (run / "broken-checkpoint-10").is_dir()


def test_one_that_was_never_finished_is_passed_over_and_can_be_removed(run):
    (run / "checkpoint-10" / "trainer_state.json").unlink()  # the last file that is written
    assert resumable(run)[1].name == "checkpoint-9"
    assert remove_unfinished(run) == 1
    assert not (run / "checkpoint-10").exists()


def test_a_folder_that_is_only_called_like_a_checkpoint_is_passed_over(run):
    (run / "checkpoint-10").rename(run / "checkpoint-best")
    assert resumable(run)[1].name == "checkpoint-9"


def test_an_earlier_run_serves_where_the_newest_has_nothing(run):
    newer = run.with_name("run-2")
    newer.mkdir()
    (newer / "config.yaml").write_text("{}")
    assert resumable(run) == (run, run / "checkpoint-10")


def test_nothing_to_resume_is_told_with_the_remedy(run, tmp_path):
    with pytest.raises(ConfigError, match="no checkpoint to resume from; run `signvlm train` without --resume"):
        resumable(tmp_path / "nowhere")
    for path in checkpoints(run):
        cut(path / "optimizer.pt")
    with pytest.raises(ConfigError, match="none of its 2 checkpoints is sound; run `signvlm train` without --resume"):
        resumable(run)
