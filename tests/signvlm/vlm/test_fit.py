"""A training's steps cut to the memory: what is chosen, what is said, and that nothing else changes."""

import copy
import pickle
import shutil

import pytest
import torch
from glosses import PROMPT
from safetensors.torch import load_file

import signvlm.vlm.examples
from data_engineering.clip import Manifests, read_json
from data_engineering.errors import ConfigError, RunError
from data_engineering.reasons import ClipError
from signvlm.config import load
from signvlm.train import train
from signvlm.vlm.collator import VideoCollator
from signvlm.vlm.examples import UnreadableClipsError
from signvlm.vlm.loss import answer_logits, answer_loss
from signvlm.vlm.recompute import language_layers, recompute


@pytest.fixture
def configured(world, tmp_path):
    def configure(*overrides):
        return load(world.config, [f"training.output_dir={tmp_path / 'run'}", "training.seed=5", *overrides])

    return configure


@pytest.fixture
def batch(processor, clips):
    rows = [{"clip_id": g, "gloss": g, "frames": c, "error": None} for g, c in zip("ab", clips, strict=False)]
    return VideoCollator(processor, PROMPT)(rows)


def weights(done):
    return load_file(done.bundle / "adapter_model.safetensors")


def losses(done):
    return [step["loss"] for step in done.metrics["history"] if "loss" in step]


def told(capsys):
    return [line for line in capsys.readouterr().err.splitlines() if line.startswith("memory: ")]


@pytest.mark.parametrize("count", [0, 1, 3, 4])
def test_layers_that_recompute_give_the_same_gradients(model, batch, count):
    def gradients(recomputed):
        made = copy.deepcopy(model).train()
        layers = language_layers(made)
        recompute(layers, recomputed)
        ran = [0] * len(layers)
        for number, layer in enumerate(layers):
            # Before it, since what computes again stops where it has all that the backward pass needs.
            layer.mlp.register_forward_pre_hook(lambda *_, number=number: ran.__setitem__(number, ran[number] + 1))
        inputs = {key: value for key, value in batch.items() if key != "labels"}
        answer_loss(answer_logits(made, inputs, batch["labels"]), batch["labels"]).backward()
        return ran, {name: p.grad for name, p in made.named_parameters() if p.grad is not None}

    _, kept = gradients(0)
    ran, again = gradients(count)
    assert ran == [2] * count + [1] * (4 - count)
    assert again.keys() == kept.keys()
    for name, gradient in again.items():
        torch.testing.assert_close(gradient, kept[name], atol=0, rtol=0, msg=name)


def test_without_settings_all_that_fits_is_kept_and_that_is_said(configured, capsys):
    train(configured())
    [line] = told(capsys)
    assert line.startswith("memory: 2 clips at once, 1 times a step; 0 of 4 layers compute their activations twice (")
    assert "measured of a budget of" in line


def test_choosing_leaves_the_training_as_it_was(configured):
    """The same weights come out to the bit, whether steps were tried before or not."""
    chosen = train(configured("lora.lora_dropout=0.1"))
    fixed = train(configured("lora.lora_dropout=0.1", "memory.recompute=0"))
    assert losses(chosen) == losses(fixed)
    for name, tensor in weights(fixed).items():
        torch.testing.assert_close(weights(chosen)[name], tensor, atol=0, rtol=0, msg=name)


def test_smaller_batches_make_up_the_same_effective_batch(configured, capsys):
    whole = train(configured())
    capsys.readouterr()
    cut = train(configured("memory.micro_batch=1", "memory.recompute=4"))
    assert told(capsys) == [
        "memory: 1 clips at once, 2 times a step; 4 of 4 layers compute their activations twice (as given)"
    ]
    assert losses(cut) == pytest.approx(losses(whole), abs=1e-5)
    for name, tensor in weights(whole).items():
        torch.testing.assert_close(weights(cut)[name], tensor, atol=1e-4, rtol=0, msg=name)


def test_within_a_budget_the_fastest_cut_is_searched(configured, capsys):
    train(configured("memory.budget_gb=1000"))
    tried, chosen = told(capsys)
    assert "1 at once" in tried
    assert "2 at once" in tried
    assert "of a budget of 1000.0 GB" in chosen


def test_a_budget_that_does_for_nothing_ends_the_run_with_the_next_setting(configured):
    with pytest.raises(RunError, match=r"^memory: 0\.0 GB do not do for one clip at once .* raise memory\.budget_gb"):
        train(configured("memory.budget_gb=0.01"))


@pytest.mark.parametrize(
    ("clip", "stage"),
    [("00001", "a first look"), ("00002", "the trials"), ("00005", "stored features")],
)
def test_a_clip_that_cannot_be_read_is_named_and_quarantined(world, configured, tmp_path, monkeypatch, clip, stage):
    root = tmp_path / "data"
    shutil.copytree(world.root, root, ignore=shutil.ignore_patterns("runs"))
    read = signvlm.vlm.examples.row_frames

    def row_frames(row):
        if row["clip_id"] == clip:
            raise ClipError("truncated", "3 of 40 frames decode")
        return read(row)

    monkeypatch.setattr(signvlm.vlm.examples, "row_frames", row_frames)
    with pytest.raises(RunError, match=rf"{clip}: truncated \(3 of 40 .*; train again, without it$"):
        train(configured(f"data.root={root}", f"features.cache={stage == 'stored features'}"))
    assert clip in {row["video_id"] for row in read_json(Manifests(root).corrupted, "")}
    assert clip not in {row["video_id"] for row in read_json(Manifests(root).validated, "")}


def test_what_cannot_be_read_is_told_between_processes():
    error = UnreadableClipsError([("00002", "truncated", "3 of 40 frames decode")])
    told = pickle.loads(pickle.dumps(error))
    assert (type(told), told.clips, str(told)) == (UnreadableClipsError, error.clips, str(error))


def test_fixed_values_that_cannot_be_are_named(configured):
    with pytest.raises(ConfigError, match=r"memory\.micro_batch: 3 does not divide the effective batch 2"):
        train(configured("memory.micro_batch=3"))
    with pytest.raises(ConfigError, match=r"memory\.recompute: the language model has 4 layers"):
        train(configured("memory.recompute=5"))
