"""Merging: the saved model answers as base and adapter do, by itself; else nothing is left."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file
from small_world import SIZE, World
from transformers import AutoModelForImageTextToText, AutoProcessor

import signvlm.vlm.merge
from data_engineering.errors import ConfigError, RunError
from signvlm.bundles import read_bundle_config
from signvlm.config import load
from signvlm.loading import load_recognizer
from signvlm.vlm.merge import TOLERANCE, Gap, merge
from signvlm.vlm.prompt import encode_prompts


@pytest.fixture(scope="module")
def bundle(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle whose adapter changes every answer: after two steps of training it hardly would."""
    folder = tmp_path_factory.mktemp("merge") / "adapter"
    shutil.copytree(world.bundle, folder)
    weights = load_file(folder / "adapter_model.safetensors")
    noise = torch.Generator().manual_seed(0)
    strong = {name: each + 0.1 * torch.randn(each.shape, generator=noise) for name, each in weights.items()}
    save_file(strong, folder / "adapter_model.safetensors", metadata={"format": "pt"})
    (folder / "calibration.json").write_text('{"temperature": 2.0, "fitted_on": "some clips"}')
    return folder


@pytest.fixture(scope="module")
def merged(world: World, bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> signvlm.vlm.merge.Merged:
    return merge(load(world.config), bundle, tmp_path_factory.mktemp("merged") / "model")


def logits(model: torch.nn.Module, processor: object) -> torch.Tensor:
    frames = np.random.default_rng(0).integers(0, 256, (4, SIZE, SIZE, 3), np.uint8)
    with torch.inference_mode():
        return model.eval()(**encode_prompts(processor, "Which sign?", [frames])).logits


def test_plain_transformers_loads_it_and_it_says_what_base_and_adapter_say(world: World, bundle: Path, merged) -> None:
    base = AutoModelForImageTextToText.from_pretrained(world.base, dtype=torch.float32)
    processor = AutoProcessor.from_pretrained(bundle)
    alone = logits(base, processor)
    adapted = logits(PeftModel.from_pretrained(base, bundle), processor)
    plain = AutoModelForImageTextToText.from_pretrained(merged.folder, dtype=torch.float32)
    ours = logits(plain, AutoProcessor.from_pretrained(merged.folder))
    assert (ours - adapted).abs().max() < TOLERANCE
    assert (ours - alone).abs().max() > 0.1
    assert type(plain).__name__ == "InternVLForConditionalGeneration"


def test_the_trained_projector_is_merged_too(world: World, bundle: Path, merged) -> None:
    trained = load_file(bundle / "adapter_model.safetensors")
    saved = load_file(merged.folder / "model.safetensors")
    name = "multi_modal_projector.linear_1.weight"
    [ours] = [each for key, each in saved.items() if key.endswith(name)]
    [theirs] = [each for key, each in trained.items() if key.endswith(name)]
    torch.testing.assert_close(ours, theirs)
    assert not [key for key in saved if "lora" in key or "original_module" in key or "modules_to_save" in key]


def test_its_gap_is_measured_on_the_clips_of_the_data_root(merged) -> None:
    assert merged.gap.largest <= TOLERANCE
    assert (merged.gap.same_best, merged.gap.clips) == (4, 4)
    assert merged.gap_to_4bit is None
    told = json.loads((merged.folder / "metrics.json").read_text())["merged"]
    assert told["gap"]["largest"] == merged.gap.largest
    assert merged.size == (merged.folder / "model.safetensors").stat().st_size


def test_it_is_a_bundle_that_needs_no_base(merged, world: World, tmp_path: Path) -> None:
    config = read_bundle_config(merged.folder, "vlm")
    assert config.quantization["load_in_4bit"] is False
    loaded = load_recognizer(config, merged.folder)
    assert set(loaded.recognizer.glossary) == {"no", "book", "thank you"}
    assert loaded.temperature == 2.0
    assert not (merged.folder / "base").exists()
    assert "PeftModel" not in (merged.folder / "README.md").read_text()
    assert not list(merged.folder.parent.glob(".*"))


def test_half_precision_is_half_the_size_and_the_gap_says_what_it_costs(world: World, bundle, merged, tmp_path) -> None:
    half = merge(load(world.config), bundle, tmp_path / "half", dtype="bfloat16")
    assert half.size < 0.55 * merged.size
    assert half.gap.largest > merged.gap.largest
    stored = load_file(tmp_path / "half" / "model.safetensors")
    assert {each.dtype for each in stored.values()} == {torch.bfloat16}


def test_the_gap_to_a_4_bit_run_is_measured_where_the_run_was_one(world: World, bundle: Path, tmp_path: Path) -> None:
    pytest.importorskip("bitsandbytes")
    quantized = tmp_path / "adapter"
    shutil.copytree(bundle, quantized)
    metrics = json.loads((quantized / "metrics.json").read_text())
    metrics["hardware"]["load_in_4bit"] = True
    (quantized / "metrics.json").write_text(json.dumps(metrics))
    done = merge(load(world.config), quantized, tmp_path / "model")
    assert done.gap.largest <= TOLERANCE
    assert done.gap_to_4bit is not None
    assert done.gap_to_4bit.largest > 100 * TOLERANCE  # four bits are coarse


def test_without_data_it_compares_on_a_clip_of_noise(world: World, bundle: Path, tmp_path: Path) -> None:
    done = merge(load(world.config, [f"data.root={tmp_path / 'nowhere'}"]), bundle, tmp_path / "model")
    assert done.clips == "a clip of noise, as there is no data root"
    assert done.gap.clips == 1


def test_the_verb_prints_the_gap_and_what_it_wrote(world: World, bundle: Path, call) -> None:
    called = call("merge", "--checkpoint", bundle, "--out", "model")
    assert called.status == 0, called.err
    assert "gap      to base + adapter: " in called.out
    assert "in log-probability at most, the same best gloss on 4 of 4" in called.out
    assert called.out.splitlines()[-1] == "  next     signvlm push --checkpoint model --dry-run"


# What cannot be merged leaves nothing


def test_a_model_that_answers_otherwise_is_not_left_behind(
    world: World, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without its projector the merged model would load, and be another."""
    write = signvlm.vlm.merge.write_bundle

    def forget(out: Path, model: torch.nn.Module, *rest: object) -> Path:
        with torch.no_grad():
            model.model.multi_modal_projector.linear_1.weight.add_(0.01)
        return write(out, model, *rest)

    monkeypatch.setattr(signvlm.vlm.merge, "write_bundle", forget)
    with pytest.raises(RunError, match="merged, it answers otherwise"):
        merge(load(world.config), bundle, tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_there_is_left_as_it_is(world: World, bundle: Path, refused, tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    line = refused(2, "merge", "--checkpoint", bundle, "--out", "model")
    assert line == "model: exists; name a folder with --out that does not"


def test_a_whole_model_has_nothing_to_merge(world: World, merged, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is a whole model already, there is no adapter to merge"):
        merge(load(world.config), merged.folder, tmp_path / "again")


def test_a_folder_that_is_no_bundle(refused, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert "not an adapter bundle (no config.yaml)" in refused(2, "merge", "--checkpoint", "empty", "--out", "model")
    assert not (tmp_path / "model").exists()


def test_the_gap_is_the_largest_difference() -> None:
    ours, theirs = np.array([[-1.0, -2.0], [-3.0, -1.0]]), np.array([[-1.5, -2.0], [-3.0, -4.0]])
    assert Gap.between(ours, theirs) == Gap(largest=3.0, same_best=1, clips=2)
