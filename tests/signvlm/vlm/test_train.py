"""Training on a small data root: what changes, what is kept, what is written, and how it ends when a clip breaks."""

import json
import logging
import os
import shutil
import signal
import sys

import pytest
import torch
from datasets import Dataset
from peft import PeftModel
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from transformers import AutoModelForImageTextToText, AutoProcessor

import signvlm.vlm.train
from data_engineering.clip import Manifests, read_json
from data_engineering.errors import RunError
from data_engineering.frames import load_frames, row_frames
from signvlm.config import AugmentationSettings, load
from signvlm.corpus import load_corpus
from signvlm.train import train
from signvlm.vlm.examples import as_examples
from signvlm.vlm.prompt import encode_prompts
from signvlm.vlm.ranking import rank
from signvlm.vlm.train import check_supervision
from signvlm.vlm.tree import TokenTree

PROMPT = "Which sign is this? Answer with its gloss."


@pytest.fixture
def configured(world, tmp_path):
    """Configurations over the shared data root whose runs go to a folder of the test's own."""

    def configure(*overrides: str):
        return load(world.config, [f"training.output_dir={tmp_path / 'run'}", *overrides])

    return configure


def log_probs(model, bundle, clips):
    processor = AutoProcessor.from_pretrained(bundle)
    tree = TokenTree.build(json.loads((bundle / "glossary.json").read_text()), processor.tokenizer)
    inner = model.get_base_model() if isinstance(model, PeftModel) else model
    return rank(inner.eval(), encode_prompts(processor, PROMPT, clips), tree)


def clips_of(world, split="validation"):
    rows = load_frames(world.root, load(world.config).preprocess)[split]
    return [row_frames(row) for row in rows]


def test_the_bundle_reloads_with_plain_transformers_and_peft(world, configured, trained_models):
    done = train(configured("training.learning_rate=1e-2"))
    clips = clips_of(world)
    expected = log_probs(trained_models[0], done.bundle, clips)

    base = AutoModelForImageTextToText.from_pretrained(world.base, dtype=torch.float32)
    untrained = log_probs(base, done.bundle, clips)
    reloaded = log_probs(PeftModel.from_pretrained(base, done.bundle), done.bundle, clips)
    torch.testing.assert_close(reloaded, expected, atol=1e-5, rtol=0)
    assert (reloaded - untrained).abs().max() > 1e-2  # two steps at this rate moved it: equality says something


def test_training_moves_adapters_and_projector_and_nothing_else(world, configured, trained_models):
    train(configured("training.learning_rate=1e-2"))
    before = AutoModelForImageTextToText.from_pretrained(world.base, dtype=torch.float32).state_dict()
    after = trained_models[0].state_dict()
    projector = "model.multi_modal_projector."
    for name, tensor in after.items():
        plain = name.removeprefix("base_model.model.").replace(".base_layer", "").replace(".original_module", "")
        if plain in before and not plain.startswith(projector):
            torch.testing.assert_close(tensor, before[plain], atol=0, rtol=0, msg=plain)
    moved = [name for name in after if "lora_B" in name and after[name].abs().max() > 0]
    assert len(moved) == 7 * 4
    trained = after["base_model.model.model.multi_modal_projector.modules_to_save.default.linear_1.weight"]
    assert not torch.equal(trained, before[f"{projector}linear_1.weight"])


def test_checkpointing_leaves_the_frozen_tower_out_of_the_graph_and_warns_of_nothing(
    configured, trained_models, caplog, recwarn
):
    seen = []
    original = torch.nn.Module.__call__

    def watch(module, *args, **kwargs):
        output = original(module, *args, **kwargs)
        if type(module).__name__ == "InternVLVisionModel" and torch.is_grad_enabled():
            seen.append(output.last_hidden_state.requires_grad)
        return output

    torch.nn.Module.__call__ = watch
    try:
        with caplog.at_level(logging.WARNING):
            done = train(configured("training.gradient_checkpointing=true"))
    finally:
        torch.nn.Module.__call__ = original
    assert seen
    assert not any(seen)
    said = [record.getMessage() for record in caplog.records] + [str(warning.message) for warning in recwarn]
    assert not [line for line in said if "use_cache" in line or "requires_grad" in line or "require_grads" in line]
    assert all(step["grad_norm"] > 0 for step in done.metrics["history"] if "grad_norm" in step)


def test_smoothing_over_the_glossary_is_a_switch(configured):
    losses = [
        train(configured("training.max_steps=1", "loss.label_smoothing=0.5", f"loss.smooth_over={where}"))
        .metrics["history"][0]["loss"]
        for where in ("vocabulary", "glossary")
    ]  # fmt: skip
    assert abs(losses[0] - losses[1]) > 1e-3


def test_a_run_holds_bundle_checkpoints_configuration_and_events(configured):
    done = train(configured("training.logging_steps=1"))
    names = {path.name for path in done.folder.iterdir()}
    assert {"adapter", "checkpoint-2", "tb_logs", "config.yaml", "metrics.json"} <= names
    assert {"adapter_config.json", "adapter_model.safetensors", "glossary.json", "config.yaml", "README.md"} <= {
        path.name for path in done.bundle.iterdir()
    }
    assert (done.bundle / "adapter_model.safetensors").stat().st_mode & 0o044
    events = EventAccumulator(str(done.folder / "tb_logs")).Reload()
    wanted = {"train/loss", "train/learning_rate", "train/step_time", "eval/loss", "eval/top1"}
    assert wanted <= set(events.Tags()["scalars"])
    assert {"train/memory_gb", "train/gpu_memory_gb"} & set(events.Tags()["scalars"])


def test_a_second_training_opens_a_folder_of_its_own_and_resume_goes_on_in_the_last(configured):
    first, second = train(configured()), train(configured())
    assert second.folder == first.folder.with_name(first.folder.name + "-2")
    longer = train(configured("training.max_steps=4"), resume=True)
    assert longer.folder == second.folder
    assert longer.metrics["steps"] == 4


def test_a_checkpoint_is_a_bundle_too(world, configured):
    from signvlm.loading import load_recognizer

    done = train(configured())
    loaded = load_recognizer(configured(), done.folder / "checkpoint-2")
    assert len(loaded.recognizer.answer(clips_of(world)[:1], "exact")[0]) == 3


def test_early_stopping_sees_the_validation_ranking(configured):
    done = train(
        configured(
            "training.max_steps=20",
            "training.eval_steps=1",
            "training.save_steps=1",
            "training.learning_rate=1e-9",
            "selection.patience=2",
        )
    )
    assert done.metrics["metric"] == "eval_top1"
    assert done.metrics["steps"] == 3  # the first evaluation sets the mark, two more without gain end it
    assert [step["eval_top1"] for step in done.metrics["history"] if "eval_top1" in step]


def test_the_projector_has_a_learning_rate_of_its_own(configured, monkeypatch):
    groups = []
    original = signvlm.vlm.train.SignTrainer.create_optimizer

    def keep(self, *args, **kwargs):
        optimizer = original(self, *args, **kwargs)
        groups.extend((group["lr"], len(group["params"])) for group in optimizer.param_groups)
        return optimizer

    monkeypatch.setattr(signvlm.vlm.train.SignTrainer, "create_optimizer", keep)
    train(configured("model.projector_learning_rate=5e-5", "training.learning_rate=1e-3"))
    rates = {rate for rate, count in groups if count}
    assert rates == {1e-3, 5e-5}
    assert sum(count for rate, count in groups if rate == 5e-5) == 6  # layer norm and two linears, weight and bias


def test_four_bit_training_saves_and_reloads(world, configured, trained_models):
    done = train(configured("quantization.load_in_4bit=true", "quantization.bnb_4bit_quant_type=nf4"))
    from signvlm.loading import load_recognizer

    clips = clips_of(world)
    loaded = load_recognizer(configured("quantization.load_in_4bit=true"), done.bundle)
    expected = log_probs(trained_models[0], done.bundle, clips)
    torch.testing.assert_close(torch.from_numpy(loaded.recognizer.log_probs(clips)), expected, atol=1e-3, rtol=0)


def test_half_precision_keeps_what_trains_in_full_precision(configured, trained_models, capsys):
    done = train(configured("model.dtype=bfloat16", "training.learning_rate=1e-3"))
    assert "attention: eager (auto: " in capsys.readouterr().err
    [model] = trained_models
    trained = {p.dtype for p in model.parameters() if p.requires_grad}
    frozen = {p.dtype for n, p in model.named_parameters() if not p.requires_grad and "language_model" in n}
    assert (trained, frozen) == ({torch.float32}, {torch.bfloat16})
    assert all(step["grad_norm"] > 0 for step in done.metrics["history"] if "grad_norm" in step)


def test_nothing_supervised_is_refused():
    nothing = {"labels": torch.full((1, 4), -100)}
    rows = Dataset.from_list([{"clip_id": "1", "gloss": "no"}])
    with pytest.raises(RunError, match="supervises no token"):
        check_supervision(lambda _: nothing, rows)


def test_decoding_as_needed_gives_the_tensors_that_preprocessing_stored(world):
    config = load(world.config)
    stored = load_corpus(config)
    manifest = read_json(Manifests(world.root).validated, "")
    rows = [
        {key: row[key] for key in ("video_id", "gloss", "signer_id", "split", "source", "video_path", "bbox", "media")}
        for row in manifest
        if row["split"] == "train"
    ]
    fresh = as_examples(Dataset.from_list(rows), config.preprocess)
    kept = as_examples(stored.rows["train"], config.preprocess)
    assert len(fresh) == len(kept) > 0
    for one, other in zip(fresh, kept, strict=True):
        assert one["clip_id"] == other["clip_id"]
        assert (one["frames"] == other["frames"]).all()


def test_augmentation_changes_a_clips_frames_alike(world):
    config = load(world.config)
    rows = load_corpus(config).rows["train"]
    [plain] = as_examples(rows.select([0]), config.preprocess)
    torch.manual_seed(0)
    [jittered] = as_examples(rows.select([0]), config.preprocess, AugmentationSettings(brightness=0.4))
    change = jittered["frames"].astype(float).mean(axis=(1, 2, 3)) / plain["frames"].astype(float).mean(axis=(1, 2, 3))
    assert abs(change[0] - 1) > 0.02
    assert change == pytest.approx(change[0], rel=0.02)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_clip_that_breaks_is_named_quarantined_and_ends_the_run(world, tmp_path, workers):
    root = tmp_path / "data"
    shutil.copytree(world.root, root, ignore=shutil.ignore_patterns("frames", "runs"))
    manifests = Manifests(root)
    text = manifests.validated.read_text().replace(str(world.root), str(root))
    manifests.validated.write_text(text)
    victim = next(row for row in reversed(json.loads(text)) if row["split"] == "train")
    config = load(
        world.config,
        [
            f"data.root={root}",
            f"training.output_dir={tmp_path / 'run'}",
            "training.max_steps=40",
            "training.save_steps=1",
            "training.eval_steps=1",
            "selection.patience=null",
            f"training.dataloader_num_workers={workers}",
        ],
    )
    broken = []
    original = signvlm.vlm.train.SignTrainer.log

    def break_it(self, *args, **kwargs):
        if not broken and self.state.global_step >= 1:
            broken.append(self.state.global_step)
            (root / "raw_videos" / f"{victim['video_id']}.mp4").write_bytes(b"")
        original(self, *args, **kwargs)

    signvlm.vlm.train.SignTrainer.log = break_it
    try:
        with pytest.raises(RunError, match=rf"{victim['video_id']}: \w+ \(.*--resume"):
            train(config)
    finally:
        signvlm.vlm.train.SignTrainer.log = original
    assert victim["video_id"] in {row["video_id"] for row in read_json(manifests.corrupted, "")}
    assert victim["video_id"] not in {row["video_id"] for row in read_json(manifests.validated, "")}
    assert list((tmp_path / "run").glob("checkpoint-*"))
    assert not (tmp_path / "run" / "adapter").exists()
    finished = load(
        world.config,
        [
            f"data.root={root}",
            f"training.output_dir={tmp_path / 'run'}",
            f"training.max_steps={broken[0] + 4}",
            "training.save_steps=1",
            "training.eval_steps=1",
            "selection.patience=null",
        ],
    )
    assert train(finished, resume=True).bundle.is_dir()


@pytest.mark.skipif(sys.platform == "win32", reason="a process cannot send itself Ctrl-C there")
def test_ctrl_c_ends_training_at_a_whole_step_which_resume_goes_on_from(configured, tmp_path, monkeypatch, capsys):
    log = signvlm.vlm.train.SignTrainer.log

    def press(self, *args, **kwargs):
        if self.state.global_step == 3:
            os.kill(os.getpid(), signal.SIGINT)
        log(self, *args, **kwargs)

    monkeypatch.setattr(signvlm.vlm.train.SignTrainer, "log", press)
    steps = ("training.save_steps=100", "training.eval_steps=100")
    with pytest.raises(RunError, match=r"^interrupted; a checkpoint is saved: `signvlm train --resume` goes on$"):
        train(configured("training.max_steps=100", *steps))
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert "Ctrl-C once more ends at once" in capsys.readouterr().err
    [checkpoint] = (tmp_path / "run").glob("checkpoint-*")
    monkeypatch.undo()
    taken = int(checkpoint.name.rpartition("-")[2])
    assert train(configured(f"training.max_steps={taken + 1}", *steps), resume=True).metrics["steps"] == taken + 1
