"""A training that is killed, runs out of memory or meets numbers that are none loses nothing that could be kept."""

import os
import signal

import pytest
import torch

import signvlm.vlm.train
from data_engineering.errors import RunError
from signvlm.config import load
from signvlm.run_lock import RunLock
from signvlm.train import train
from signvlm.vlm.trainer import SignTrainer

# Draws of every kind: dropout, frames, crops and colours, an order anew each epoch of three steps.
RANDOM = (
    *("lora.lora_dropout=0.3", "augmentation.crop=0.3", "augmentation.brightness=0.4", "training.learning_rate=1e-2"),
    *("training.per_device_train_batch_size=1", "selection.patience=null", "training.eval_steps=2"),
)


@pytest.fixture
def configured(world, tmp_path):
    def configure(name, *overrides):
        return load(world.config, [f"training.output_dir={tmp_path / name}", *overrides])

    return configure


def weights(folder, step):
    return (folder / f"checkpoint-{step}" / "adapter_model.safetensors").read_bytes()


def train_and_die(config, step, *, resume=False):
    """Trains in a fork of this process, which is killed while it takes a step."""
    child = os.fork()
    if child:
        assert os.waitpid(child, 0)[1] == signal.SIGKILL
        return
    plain = SignTrainer.training_step

    def training_step(self, *args, **kwargs):
        loss = plain(self, *args, **kwargs)
        if self.state.global_step + 1 == step:
            os.kill(os.getpid(), signal.SIGKILL)
        return loss

    SignTrainer.training_step = training_step
    try:
        train(config, resume=resume)
    finally:
        os._exit(1)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.parametrize("workers", [0, 2])
def test_killed_at_any_step_it_ends_with_the_same_weights_bit_for_bit(configured, tmp_path, workers):
    more = (*RANDOM, "training.max_steps=8", "training.save_steps=2", f"training.dataloader_num_workers={workers}")
    whole = train(configured("whole", *more))
    train_and_die(configured("killed", *more), 4)  # the first step of the second epoch
    train_and_die(configured("killed", *more), 6, resume=True)  # within the second epoch
    train_and_die(configured("killed", *more), 8, resume=True)
    done = train(configured("killed", *more), resume=True)
    assert done.folder == tmp_path / "killed"
    assert done.metrics["steps"] == 8
    assert weights(done.folder, 8) == weights(whole.folder, 8)
    adapter = "adapter_model.safetensors"
    assert (done.bundle / adapter).read_bytes() == (whole.bundle / adapter).read_bytes()
    evaluations = [[e["eval_loss"] for e in run.metrics["history"] if "eval_loss" in e] for run in (done, whole)]
    assert evaluations[0] == evaluations[1]


def test_a_broken_last_checkpoint_costs_the_steps_since_the_one_before(configured, capsys):
    more = (*RANDOM, "training.max_steps=4", "training.save_steps=2")
    whole = train(configured("run", *more))
    expected = weights(whole.folder, 4)
    optimizer = whole.folder / "checkpoint-4" / "optimizer.pt"
    optimizer.write_bytes(optimizer.read_bytes()[:-10])
    done = train(configured("run", *more), resume=True)
    assert done.folder == whole.folder
    assert weights(done.folder, 4) == expected
    said = capsys.readouterr().err
    assert "checkpoint-4 is broken (optimizer.pt is damaged) and passed over" in said
    assert (done.folder / "broken-checkpoint-4").is_dir()


@pytest.fixture
def on_forward(monkeypatch):
    """Has something called with (model, inputs) before every forward pass of a training's model."""
    add = signvlm.vlm.train.add_adapters

    def register(hook):
        def add_adapters(*args):
            model = add(*args)
            model.register_forward_pre_hook(lambda _, args, inputs: hook(model, inputs), with_kwargs=True)
            return model

        monkeypatch.setattr(signvlm.vlm.train, "add_adapters", add_adapters)

    return register


def test_a_batch_that_does_not_fit_is_halved_and_the_weights_come_out_the_same(configured, on_forward, capsys):
    more = ("training.max_steps=4", "training.per_device_train_batch_size=3", "training.save_steps=4")
    more = (*more, "training.learning_rate=1e-3", "training.eval_steps=4", "memory.recompute=0")
    whole = train(configured("whole", *more))
    passes = []

    def narrow(model, inputs):
        if model.training and torch.is_grad_enabled():
            passes.append(len(inputs["input_ids"]))
            if len(passes) > 2 and passes[-1] > 1:
                raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    on_forward(narrow)
    done = train(configured("narrow", *more))
    assert passes == [3, 3, 3, *[1] * 6]
    assert done.metrics["steps"] == 4
    assert "out of memory at step 3 with batches of 3: going on with 1, 3 of them a step" in capsys.readouterr().err
    before, after = ([entry["loss"] for entry in run.metrics["history"] if "loss" in entry] for run in (whole, done))
    assert after == pytest.approx(before, abs=1e-4)


@pytest.mark.parametrize(
    ("recomputed", "setting"),
    [
        (("memory.recompute=0",), "--set training.gradient_checkpointing=true"),
        (("training.gradient_checkpointing=false",), "--set training.gradient_checkpointing=true"),
        (("memory.recompute=3",), "--set training.gradient_checkpointing=true"),
        (("memory.recompute=4",), "a smaller model.base"),
        (("training.gradient_checkpointing=true",), "a smaller model.base"),
    ],
)
def test_a_single_clip_that_does_not_fit_ends_with_the_setting_to_change(configured, on_forward, recomputed, setting):
    """The model has four layers."""

    def narrow(model, inputs):
        if model.training and torch.is_grad_enabled():
            raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    on_forward(narrow)
    with pytest.raises(RunError) as error:
        train(configured("run", *recomputed))
    assert str(error.value) == (
        f"out of memory with batches of 1; no step was taken yet: `signvlm train` starts again; change next: {setting}"
    )


def test_an_evaluation_that_does_not_fit_goes_on_with_fewer_clips_at_once(configured, on_forward, capsys):
    sizes = []

    def narrow(model, inputs):
        if not model.training:
            sizes.append(len(inputs["input_ids"]))
            if sizes[-1] > 1:
                raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    on_forward(narrow)
    more = ("selection.metric=loss", "training.per_device_eval_batch_size=3", "memory.recompute=0")
    done = train(configured("run", *more))
    assert sizes == [3, 1, 1, 1]
    assert done.metrics["metric"] == "eval_loss"
    assert "going on with training.per_device_eval_batch_size=1" in capsys.readouterr().err


def test_numbers_that_are_none_end_the_training_with_the_last_good_weights(configured, on_forward):
    passes = []

    def spoil(model, inputs):
        if model.training and torch.is_grad_enabled():
            passes.append(None)
            if len(passes) > 2:
                inputs["pixel_values"].fill_(torch.nan)

    on_forward(spoil)
    more = ("training.max_steps=20", "training.save_steps=100", "training.eval_steps=100", "memory.recompute=0")
    with pytest.raises(RunError) as error:
        train(configured("run", *more, "training.per_device_train_batch_size=1"))
    line = str(error.value)
    assert "the loss is not a finite number in 3 steps in a row, with the clips 0000" in line
    assert "a checkpoint is saved: `signvlm train --resume` goes on" in line
    assert "\n" not in line
    assert len(passes) == 5


def test_a_folder_that_another_training_writes_to_is_refused_or_left_to_it(configured, tmp_path):
    child_holds = os.fork() if hasattr(os, "fork") else pytest.skip("no fork here")
    if not child_holds:
        with RunLock(tmp_path / "run"):
            (tmp_path / "held").write_text("")
            signal.pause()
    try:
        while not (tmp_path / "held").exists():
            os.sched_yield()
        assert train(configured("run")).folder == tmp_path / "run-2"
        checkpoint = tmp_path / "run-2" / "checkpoint-2"
        checkpoint.rename(tmp_path / "run" / "checkpoint-2")
        with pytest.raises(RunError, match=rf"run: another training writes here \(process {child_holds}\); wait for"):
            train(configured("run"), resume=True)
    finally:
        os.kill(child_holds, signal.SIGKILL)
        os.waitpid(child_holds, 0)
