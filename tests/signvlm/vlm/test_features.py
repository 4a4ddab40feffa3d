"""Stored features: what is trained on them is what is trained on pixels, and nothing stale is ever read."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from datasets import Dataset
from safetensors.torch import load_file

import signvlm.vlm.features
from data_engineering.errors import ConfigError, RunError
from signvlm.config import load
from signvlm.corpus import load_corpus
from signvlm.hardware import Hardware
from signvlm.train import train
from signvlm.vlm.feature_files import StoredPrompts, read, whole, write
from signvlm.vlm.features import Features, load_tower
from signvlm.vlm.model import load_base
from signvlm.vlm.prompt import encode_prompts
from signvlm.vlm.tower import StoredTower

CPU = Hardware("cpu", "float32", False, 0, False, ())
PLAIN = ("augmentation.temporal_jitter=false", "training.seed=3", "training.learning_rate=1e-2")


@pytest.fixture
def root(world, tmp_path):
    """A data root of the test's own, which shares the world's clips."""
    folder = tmp_path / "data"
    folder.mkdir()
    for part in ("datasets", "frames", "raw_videos", "index.json"):
        (folder / part).symlink_to(world.root / part)
    return folder


@pytest.fixture
def configured(world, root, tmp_path):
    def configure(*overrides):
        return load(world.config, [f"data.root={root}", f"training.output_dir={tmp_path / 'run'}", *overrides])

    return configure


@pytest.fixture
def looks(monkeypatch):
    """Counts the clips that the tower looks at."""
    seen = []
    look = Features._look

    def counted(self, *args):
        seen.append(1)
        return look(self, *args)

    monkeypatch.setattr(Features, "_look", counted)
    return seen


def stored(config):
    features = Features(config, load_corpus(config), CPU)
    features.complete()
    return features


def files(root):
    return sorted((root / "features").glob("*/*.safetensors"))


def test_a_training_on_features_is_a_training_on_pixels(configured, root, monkeypatch, capsys):
    on_pixels = train(configured(*PLAIN))
    capsys.readouterr()
    on_features = train(configured(*PLAIN, "features.cache=true"))
    told = capsys.readouterr().err
    assert "to be computed" in told
    assert "it pays after" in told

    def losses(done):
        return [step[key] for step in done.metrics["history"] for key in ("loss", "eval_loss") if key in step]

    assert losses(on_features) == pytest.approx(losses(on_pixels), abs=1e-4)
    one, other = (load_file(done.bundle / "adapter_model.safetensors") for done in (on_pixels, on_features))
    assert one.keys() == other.keys()
    for name, weights in one.items():
        torch.testing.assert_close(other[name], weights, atol=1e-5, rtol=0, msg=name)
    names = [{path.name for path in done.bundle.iterdir()} for done in (on_pixels, on_features)]
    assert names[0] == names[1]


def test_in_four_bits_too(configured):
    """As it is meant for a small card; NF4 runs on a CPU as well."""
    nf4 = ("quantization.load_in_4bit=true", "quantization.bnb_4bit_quant_type=nf4")
    on_pixels, on_features = train(configured(*PLAIN, *nf4)), train(configured(*PLAIN, *nf4, "features.cache=true"))
    losses = [[step["loss"] for step in d.metrics["history"] if "loss" in step] for d in (on_pixels, on_features)]
    assert losses[1] == pytest.approx(losses[0], abs=1e-4)
    one, other = (load_file(done.bundle / "adapter_model.safetensors") for done in (on_pixels, on_features))
    for name, weights in one.items():
        torch.testing.assert_close(other[name], weights, atol=1e-4, rtol=0, msg=name)


def test_training_never_loads_the_tower(configured, root, looks, trained_models, monkeypatch, capsys):
    stored(configured("features.cache=true"))
    there = len(looks)
    assert there > 0
    monkeypatch.setattr(signvlm.vlm.features, "load_tower", lambda *_: pytest.fail("the tower was loaded"))
    train(configured("features.cache=true"))
    assert len(looks) == there
    assert "the vision tower is not loaded" in capsys.readouterr().err
    assert isinstance(trained_models[0].get_base_model().model.vision_tower, StoredTower)
    assert not [name for name, _ in trained_models[0].named_parameters() if "vision_tower" in name]


def test_what_is_stored_is_what_the_model_sees(world, configured, root, model, processor, clips):
    """A model shown stored features gives the logits that it gives for the pixels."""
    batch = encode_prompts(processor, "Which sign?", clips)
    features = model.model.vision_tower(pixel_values=batch["pixel_values"]).last_hidden_state
    with torch.no_grad():
        expected = model(**batch).logits
        tower, model.model.vision_tower = model.model.vision_tower, StoredTower()
        try:
            encode = StoredPrompts(processor, "Which sign?", frames=8, size=64)
            logits = model(**encode(features.view(len(clips), 8, *features.shape[1:]).unbind())).logits
        finally:
            model.model.vision_tower = tower
    torch.testing.assert_close(logits, expected, atol=0, rtol=0)


def test_what_is_there_is_not_computed_again_and_what_is_broken_is(configured, root, looks):
    stored(configured("features.cache=true"))
    first = {path: path.stat().st_mtime_ns for path in files(root)}
    looks.clear()
    stored(configured("features.cache=true"))
    assert looks == []
    victim, gone, *_ = first
    victim.write_bytes(victim.read_bytes()[:-7])
    gone.unlink()
    stored(configured("features.cache=true"))
    assert set(files(root)) == set(first)
    assert all(whole(path, 4) for path in files(root))
    assert {path for path in first if path.stat().st_mtime_ns != first[path]} == {victim, gone}


def test_an_interrupted_run_goes_on_where_it_was(configured, root, looks, monkeypatch):
    written = []

    def break_off(path, features):
        if len(written) == 2:
            raise KeyboardInterrupt
        written.append(path)
        write(path, features)

    with monkeypatch.context() as patched:
        patched.setattr(signvlm.vlm.features, "write", lambda path, features: (
            break_off(path, features) if path not in written else write(path, features)))  # fmt: skip
        with pytest.raises(KeyboardInterrupt):
            stored(configured("features.cache=true"))
    assert set(files(root)) == set(written)
    stored(configured("features.cache=true"))
    assert len(files(root)) == 3  # the clips of validation are copies of those of training: one content, one file
    assert not list((root / "features").rglob("*.part"))


@pytest.mark.parametrize(
    "change",
    [
        "preprocess.num_frames=2",
        "preprocess.margin=0.1",
        "model.dtype=bfloat16",
        "model.attention=eager",
    ],
)
def test_other_settings_have_other_files(configured, change):
    corpus = load_corpus(configured())

    def paths(*overrides):
        config = configured("features.cache=true", *overrides)
        hardware = Hardware("cpu", "bfloat16" if "dtype" in change and overrides else "float32", False, 0, False, ())
        return {view.path for clips in Features(config, corpus, hardware).clips.values() for of in clips for view in of}

    assert not paths() & paths(change)


def test_the_tower_attends_as_its_device_does_and_the_files_say_how(configured, root):
    """In bfloat16 a CPU takes eager attention and other devices do not; torch's `meta` stands for those."""
    config, corpus = configured("features.cache=true"), load_corpus(configured())
    for device, attention in (("cpu", "eager"), ("meta", "sdpa")):
        hardware = Hardware(device, "bfloat16", False, 0, False, ())
        assert load_tower(config, hardware).config._attn_implementation == attention
        about = json.loads((Features(config, corpus, hardware).folder / "about.json").read_text())
        assert about["attention"] == attention


def test_other_weights_and_other_clips_have_other_files(configured, world, tmp_path):
    config = configured("features.cache=true")
    corpus = load_corpus(config)
    before = {view.path for clips in Features(config, corpus, CPU).clips.values() for of in clips for view in of}
    model, processor = load_base(config.model, CPU, {})
    with torch.no_grad():
        next(model.model.vision_tower.parameters()).add_(1)
    model.save_pretrained(tmp_path / "other")
    processor.save_pretrained(tmp_path / "other")
    other = configured("features.cache=true", f"model.base={tmp_path / 'other'}")
    after = {view.path for clips in Features(other, corpus, CPU).clips.values() for of in clips for view in of}
    assert not before & after
    changed = corpus.manifest[0]["media"] | {"sha256": "0" * 64}
    corpus.manifest[0] = corpus.manifest[0] | {"media": changed}
    assert len({v.path for c in Features(config, corpus, CPU).clips.values() for of in c for v in of} - before) == 1


def test_with_several_views_the_first_is_plain_and_the_others_vary(configured, root):
    features = stored(configured("features.cache=true", "features.views=3", "augmentation.brightness=0.5"))
    assert [len(views) for views in features.clips["train"]] == [3, 3, 3]
    assert [len(views) for views in features.clips["validation"]] == [1, 1, 1]
    plain = stored(configured("features.cache=true"))
    of_clip = features.clips["train"][0]
    assert of_clip[0].path == plain.clips["train"][0][0].path
    seen = [read(view.path) for view in of_clip]
    assert not any(torch.equal(seen[0], other) for other in seen[1:])
    torch.manual_seed(0)
    examples = features.examples("train")
    drawn = {examples[0]["frames"].sum().item() for _ in range(20)}
    assert drawn == {view.sum().item() for view in seen}
    assert {features.examples("train", vary=False)[0]["frames"].sum().item() for _ in range(5)} == {
        seen[0].sum().item()
    }


def test_without_validation_clips_only_those_of_training_are_stored(configured, root):
    corpus = load_corpus(configured())
    corpus.rows["validation"] = Dataset.from_list([])
    features = Features(configured("features.cache=true"), corpus, CPU)
    features.complete()
    assert [len(clips) for clips in features.clips.values()] == [3, 0]
    assert len(files(root)) == 3


def test_training_without_augmentation_is_said(configured, capsys):
    stored(configured("features.cache=true", "augmentation.brightness=0.5"))
    assert "without augmentation" in capsys.readouterr().err


def test_a_full_disk_is_refused_before_it_is_full(configured, monkeypatch):
    monkeypatch.setattr(signvlm.vlm.features.shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
    with pytest.raises(RunError, match=r"features need .* GB and 0.0 GB are free; .*features\.views"):
        stored(configured("features.cache=true"))


def test_without_lora_there_is_no_cache(configured):
    with pytest.raises(ConfigError, match=r"features\.cache: without LoRA"):
        stored(configured("features.cache=true", "lora=null"))


def test_what_the_files_were_made_by_is_written_beside_them(configured, root):
    stored(configured("features.cache=true"))
    [about] = (root / "features").glob("*/about.json")
    told = json.loads(about.read_text())
    assert told["dtype"] == "float32"
    assert "model.safetensors" in told["weights"]
    assert np.all([path.suffix == ".safetensors" for path in files(root)])
