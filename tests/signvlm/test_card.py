"""The model card: what it says before and after an evaluation, and that the code it shows runs."""

import json
import re

import numpy as np
import pytest
import torch
from huggingface_hub import ModelCard
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForImageTextToText, AutoProcessor

from data_engineering.errors import RunError
from data_engineering.splits import leakage
from signvlm.calibration import Uncalibrated, save_calibration
from signvlm.card import model_card
from signvlm.evaluation.figures import summarise
from signvlm.evaluation.results import VERSION
from signvlm.identity import files_of
from signvlm.vlm.tiny import save_tiny

GLOSSARY = ["book", "drink", "don't want"]
PROMPT = "Which sign is this?"


def clip(number, gloss, signer, split):
    cut = {"url": f"https://videos.invalid/{number}.mp4", "frame_start": 1, "frame_end": -1}
    return {"video_id": f"{number:05}", "gloss": gloss, "signer_id": signer, "split": split, **cut}


ROWS = [
    clip(0, "book", 1, "train"),
    clip(1, "drink", 2, "train"),
    clip(2, "book", 2, "test"),
    clip(3, "drink", 3, "test"),
]


@pytest.fixture
def bundle(tmp_path):
    folder = tmp_path / "run" / "adapter"
    folder.mkdir(parents=True)
    adapter = {"base_model_name_or_path": "user/base-2B", "revision": "0123abc"}
    (folder / "adapter_config.json").write_text(json.dumps(adapter))
    (folder / "glossary.json").write_text(json.dumps(GLOSSARY))
    (folder / "config.yaml").write_text(
        f"data: {{index: data/wlasl/WLASL_v0.3.json, split: official}}\nmodel: {{prompt: {PROMPT}}}\n"
        "preprocess: {num_frames: 8, size: 64}\n"
    )
    (folder / "metrics.json").write_text(json.dumps({"seconds": 90.0, "leakage": leakage(ROWS)}))
    return folder


@pytest.fixture
def results(bundle):
    """What `eval` writes beside the bundle, in little: two test clips, one of them right."""
    ranking = [
        {"gloss": gloss, "log_prob": -1.0 - place} for place, gloss in enumerate(("book", "drink", "don't want"))
    ]
    data = {
        "version": VERSION,
        "split": "test",
        "protocol": "default",
        "modes": ["exact"],
        "run": {"evaluation": {"bootstrap_samples": 100, "seed": 0}},
        "calibration": None,
        "on_disk": 2,
        "unreadable": 0,
        "timing": {"exact": [0.1, 0.1]},
        "memory": {"of": "process", "bytes": {}},
        "synonyms": {"source": "", "groups": []},
        "phonology": None,
        "glossary": GLOSSARY,
        "missing": [],
        "clips": [{**row, "exact": ranking} for row in ROWS if row["split"] == "test"],
    }
    path = bundle.parent / "evaluation_results.json"
    path.write_text(json.dumps({**data, "summary": summarise(data)}))
    return path


def test_before_an_evaluation_it_says_so(bundle):
    card = ModelCard(model_card(bundle))
    assert "Not evaluated yet" in card.text
    assert card.data.eval_results is None
    assert card.data.base_model == "user/base-2B"
    assert card.data.library_name == "peft"


def test_results_beside_the_bundle_become_a_table_and_the_hubs_metadata(bundle, results):
    card = ModelCard(model_card(bundle, name="somebody/signs"))
    by_name = {result.metric_name: result for result in card.data.eval_results}
    top1 = by_name["top-1 accuracy (exact)"]
    assert (top1.metric_value, top1.dataset_name, top1.dataset_split) == (0.5, "WLASL", "test")
    low, high = top1.metric_args["interval_95"]
    assert low < 0.5 < high
    assert re.search(r"\| `exact` \| 50\.0 % \[", card.text)
    assert "Not evaluated yet" not in card.text
    assert "Chance is 33.3 % top-1" in card.text


def test_results_of_other_weights_are_left_out_and_said_to_be(bundle, results, capsys):
    """A training that went on replaces the adapter and leaves the figures of the one before beside it."""
    (bundle / "adapter_model.safetensors").write_bytes(b"one")
    data = json.loads(results.read_text())
    data["run"]["files"] = files_of(bundle)
    results.write_text(json.dumps(data))
    assert "50.0 %" in model_card(bundle)
    (bundle / "adapter_model.safetensors").write_bytes(b"another")
    assert "Not evaluated yet" in model_card(bundle)
    assert "of other weights" in capsys.readouterr().err


def test_results_that_are_none_are_named(bundle, results):
    results.write_text("[]")
    with pytest.raises(RunError, match=r"evaluation_results\.json: no evaluation's results"):
        model_card(bundle)


def test_it_tells_base_revision_data_terms_split_and_leakage(bundle):
    text = model_card(bundle)
    for said in ("user/base-2B", "0123abc", "C-UDA", "academic", "Split: `official`", "3 glosses", "1.5 minutes"):
        assert said in text, said
    assert "2 in train, 2 in test, 1 in both" in text
    assert "this does not measure unseen signers" in text


def test_it_tells_the_limits(bundle):
    text = " ".join(model_card(bundle).split())
    for said in ("Isolated signs only", "not a translation", "No Deaf signer has reviewed"):
        assert said in text, said


def test_clips_of_ones_own_are_not_said_to_be_wlasl(bundle):
    (bundle / "config.yaml").write_text("data: {index: data/mine/signs.json, split: signer}\n")
    text = model_card(bundle)
    assert "WLASL" not in text
    assert "signs.json" in text


def test_no_path_of_the_trainers_machine_is_told(bundle, tmp_path):
    base = tmp_path / "bases" / "tiny"
    base.mkdir(parents=True)
    (bundle / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": str(base)}))
    (bundle / "config.yaml").write_text(
        f"data: {{index: {tmp_path / 'signs.json'}, split: {tmp_path / 'split.json'}}}\n"
    )
    text = model_card(bundle, name="somebody/signs")
    assert str(tmp_path) not in text
    assert "tiny" in text


def test_a_base_that_comes_with_it_is_loaded_from_there(bundle):
    (bundle / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": "tiny_base"}))
    (bundle / "base").mkdir()
    card = ModelCard(model_card(bundle, name="somebody/signs"))
    assert 'folder = snapshot_download("somebody/signs")' in card.text
    assert 'AutoModelForImageTextToText.from_pretrained(folder + "/base", dtype="auto")' in card.text
    assert 'folder = "adapter"\n' in model_card(bundle)
    assert "it lies here, in `base/`" in card.text
    assert card.data.base_model is None


def test_a_shipped_base_is_not_taken_for_a_model_of_the_hub(bundle, monkeypatch, tmp_path):
    """`params/tiny_base` has the form of one, wherever the card is written."""
    (bundle / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": "params/tiny_base"}))
    monkeypatch.chdir(tmp_path)
    card = ModelCard(model_card(bundle, name="somebody/signs"))
    assert card.data.base_model is None
    assert "huggingface.co/params" not in card.text


def test_a_merged_model_tells_its_gap_and_needs_no_peft(bundle):
    (bundle / "adapter_config.json").unlink()
    gap = {"largest": 2.1e-6, "same_best": 4, "clips": 4}
    told = {"dtype": "bfloat16", "clips": "4 clips", "gap": gap, "gap_to_4bit": gap | {"largest": 0.25}}
    (bundle / "metrics.json").write_text(json.dumps({"merged": told}))
    card = ModelCard(model_card(bundle, name="somebody/signs"))
    text = " ".join(card.text.split())
    assert "by at most 2e-06 (weights stored as bfloat16), and from the run on 4-bit weights by at most 0.25," in text
    assert "PeftModel" not in text
    assert card.data.library_name == "transformers"


def test_it_says_whether_probabilities_are_calibrated(bundle):
    assert "they are not calibrated probabilities.\n" in model_card(bundle)
    save_calibration(bundle, Uncalibrated("of 95 validation clips every clip was right", "95 validation clips", 95))
    text = " ".join(model_card(bundle).split())
    assert "not calibrated probabilities, as no temperature could be fitted: of 95 validation clips every clip" in text
    (bundle / "calibration.json").write_text(json.dumps({"temperature": 1.5, "fitted_on": "95 validation clips"}))
    text = " ".join(model_card(bundle).split())
    assert "calibrated by one temperature (1.50, fitted on 95 validation clips), and only for clips like those" in text
    assert "they are not calibrated" not in text


def test_a_broken_file_is_named(bundle):
    (bundle / "glossary.json").write_text("[")
    with pytest.raises(RunError, match=r"glossary\.json: not JSON"):
        model_card(bundle)
    (bundle / "glossary.json").write_text(json.dumps(GLOSSARY))
    (bundle / "calibration.json").write_text(json.dumps({"temperature": "warm", "fitted_on": "95 validation clips"}))
    with pytest.raises(RunError, match=r"calibration\.json: not {temperature, fitted_on}"):
        model_card(bundle)


@pytest.mark.parametrize(("dtype", "lora"), [(torch.bfloat16, True), (torch.float32, False)])
def test_the_code_it_shows_runs(bundle, monkeypatch, capsys, dtype, lora):
    """Real classes at a thousandth of the size: base, adapter with its projector, processor, all from their folders."""
    base = save_tiny(bundle.parent / "tiny", [PROMPT, *GLOSSARY])
    model = AutoModelForImageTextToText.from_pretrained(base, dtype=dtype)
    model.save_pretrained(base)
    (bundle / "adapter_config.json").unlink()
    if lora:
        targets = LoraConfig(target_modules=r".*language_model.*\.q_proj", modules_to_save=["multi_modal_projector"])
        model = get_peft_model(model, targets)
    model.save_pretrained(bundle)
    AutoProcessor.from_pretrained(base).save_pretrained(bundle)

    code = re.search(r"```python\n(.*?)\n```", model_card(bundle), re.DOTALL)[1]
    assert ("PeftModel" in code) == lora
    monkeypatch.chdir(bundle.parent)
    capsys.readouterr()
    names = {"frames": np.zeros((8, 64, 64, 3), np.uint8)}
    exec(code, names)
    assert 0 < len(names["answer"]) <= 16
    said = names["processor"].decode(names["answer"], skip_special_tokens=True)
    assert capsys.readouterr().out == f"{said}\n"


@pytest.mark.parametrize(("view", "count"), [("skeleton", 8), ("rgb+skeleton", 16)])
def test_a_model_of_drawings_says_that_its_frames_are_drawn(bundle, view, count):
    config = (bundle / "config.yaml").read_text().replace("size: 64", f"size: 64, view: {view}")
    (bundle / "config.yaml").write_text(config)
    card = model_card(bundle)
    assert f"`frames` is a uint8 array ({count}, 64, 64, 3)" in card
    assert "`skeleton_frames(normalized(points, (width, height)), 8, 64)`" in card
    assert ("8 RGB frames" in card) == (view == "rgb+skeleton")
