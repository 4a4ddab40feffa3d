"""`signvlm eval` and `signvlm compare` from the command line: killed and called again, without frames, limited."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from small_world import World

from signvlm.calibration import Uncalibrated, load_calibration, read_calibration


@pytest.fixture
def bundle(world: World, tmp_path: Path) -> Path:
    """The shared world's adapter, in a run of its own."""
    return Path(shutil.copytree(world.bundle, tmp_path / "run" / "adapter"))


def evaluated(bundle: Path, suffix: str = "") -> dict:
    return json.loads((bundle.parent / f"evaluation_results{suffix}.json").read_text(encoding="utf-8"))


def test_one_call_leaves_results_predictions_report_and_temperature(call, world: World, bundle: Path) -> None:
    called = call("eval", "--config", world.config, "--checkpoint", bundle, "--protocol", "wlasl-official")
    assert called.status == 0, called.err
    assert {path.name for path in bundle.parent.iterdir()} == {
        "adapter",
        "evaluation_results.json",
        "predictions.csv",
        "report.html",
    }
    told = read_calibration(bundle)  # its random base calls every clip a book, which determines no temperature
    assert isinstance(told, Uncalibrated)
    assert told.reason.startswith("of 3 validation clips no temperature")
    data = evaluated(bundle)
    assert (data["calibration"], data["not_calibrated"]) == (None, told.reason)
    assert [clip["clip_id"] for clip in data["clips"] if "unreadable" in clip] == ["00009"]
    assert data["run"]["selected_by"] == "eval_top1"
    assert "As the WLASL authors compute it, over 2 clips" in called.out
    assert "The index is not WLASL's" in (bundle.parent / "report.html").read_text().replace("&#39;", "'")
    again = call("eval", "--config", world.config, "--checkpoint", bundle)
    assert "ranking 3 validation clips" not in again.err
    assert evaluated(bundle)["run"]["times"] == 2


def test_other_weights_make_a_temperature_stale(call, world: World, bundle: Path) -> None:
    (bundle / "calibration.json").write_text('{"temperature": 7.0, "fitted_on": "elsewhere", "key": "other weights"}')
    call("eval", "--config", world.config, "--checkpoint", bundle, "--set", "evaluation.modes=[exact]")
    assert load_calibration(bundle) is None
    assert read_calibration(bundle).fitted_on == "3 validation clips"


def test_validation_results_serve_for_the_temperature(call, world: World, bundle: Path) -> None:
    only = ["--config", world.config, "--checkpoint", bundle, "--set", "evaluation.modes=[exact]"]
    call("eval", *only, "--split", "val")
    first = read_calibration(bundle)
    (bundle / "calibration.json").unlink()
    called = call("eval", *only)
    assert "ranking 3 validation clips" not in called.err
    assert read_calibration(bundle) == first


def test_a_limited_run_keeps_the_whole_ones_results(call, world: World, bundle: Path) -> None:
    options = ["--config", world.config, "--checkpoint", bundle, "--set", "evaluation.modes=[exact]"]
    call("eval", *options)
    before = (bundle.parent / "evaluation_results.json").read_bytes()
    assert call("eval", *options, "--limit", "1").status == 0
    assert (bundle.parent / "evaluation_results.json").read_bytes() == before
    assert evaluated(bundle, "_limit")["summary"]["exact"]["limited"] == "1 of 3"


def test_clips_are_decoded_as_they_are_needed_where_there_are_no_frames(
    call, world: World, bundle: Path, tmp_path: Path
) -> None:
    options = ["--config", world.config, "--checkpoint", bundle, "--set", "evaluation.modes=[exact]"]
    call("eval", *options)
    stored = evaluated(bundle)
    shutil.copytree(world.root, tmp_path / "data", ignore=shutil.ignore_patterns("frames", "runs"))
    called = call("eval", *options, "--set", f"data.root={tmp_path / 'data'}")
    assert called.status == 0, called.err
    assert "clips are decoded as they are read" in called.err
    assert evaluated(bundle)["clips"] == stored["clips"]


def test_what_is_wrong_with_files_is_known_before_a_model_is_loaded(call, world: World, bundle: Path) -> None:
    (bundle / "adapter_model.safetensors").write_bytes(b"no weights")
    only = ["--config", world.config, "--checkpoint", bundle]
    for change, reason in (
        ("evaluation.synonyms=nowhere.yaml", "nowhere.yaml cannot be read"),
        ("data.phonology=nowhere.yaml", "nowhere.yaml cannot be read"),
        ("data.split=gloss", "run `signvlm validate` with it"),
        ("preprocess.stored_frames=9", "run `signvlm preprocess`"),
    ):
        assert reason in call("eval", *only, "--set", change).err


SLOW = """
import sys, time
from signvlm.vlm.recognizer import VLMRecognizer
from signvlm.cli import main

log_probs = VLMRecognizer.log_probs
def slow(self, clips):
    if slow.asked:
        time.sleep(600)  # until it is killed
    slow.asked += 1
    return log_probs(self, clips)
slow.asked = 0
VLMRecognizer.log_probs = slow
main()
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL here")
def test_killed_half_way_it_goes_on_with_the_clips_that_remain(
    call, world: World, bundle: Path, tmp_path: Path
) -> None:
    options = ["--config", world.config, "--checkpoint", bundle, "--set", "evaluation.batch_size=1"]
    options += ["--set", "evaluation.modes=[exact]"]
    process = subprocess.Popen(
        [sys.executable, "-c", SLOW, "eval", *map(str, options)],
        cwd=tmp_path,
        env={**os.environ, "TOKENIZERS_PARALLELISM": "false"},
        stderr=subprocess.DEVNULL,
    )
    partial = bundle.parent / "evaluation_partial.jsonl"
    try:
        while not (partial.is_file() and partial.read_text().count("\n") == 2):
            assert process.poll() is None, "it ended by itself"
            time.sleep(0.1)
    finally:
        process.kill()
        process.wait()
    assert not (bundle.parent / "evaluation_results.json").exists()
    resumed = call("eval", *options)
    assert resumed.status == 0, resumed.err
    assert "going on: 1 of 2 clips were answered before, 1 remain" in resumed.err
    assert not partial.exists()
    answered = evaluated(bundle)["clips"]
    assert call("eval", *options).status == 0
    assert evaluated(bundle)["clips"] == answered


def test_compare_writes_a_page_and_a_table(call, refused, world: World, bundle: Path, tmp_path: Path) -> None:
    call("eval", "--config", world.config, "--checkpoint", bundle)
    other = shutil.copytree(bundle.parent, tmp_path / "other")
    called = call("compare", bundle.parent, other, "--out", "both.html")
    assert called.status == 0, called.err
    assert "other - run" in called.out
    assert (tmp_path / "both.html").read_text().startswith("<!doctype html>")
    assert "give two runs or more" in refused(2, "compare", other)
    assert "holds no evaluation_results_validation.json" in refused(2, "compare", other, other, "--split", "val")
