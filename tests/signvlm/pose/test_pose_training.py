"""Training over key points: what is learned, kept and written, how it goes on, how it ends when something is wrong."""

import json
import shutil
import time

import numpy as np
import pytest
from safetensors.torch import load_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from data_engineering.clip import read_json
from data_engineering.errors import ConfigError, RunError
from data_engineering.pose.kept import keep, refuse
from data_engineering.pose.record import Pose, pose_path, read_about, write_pose
from data_engineering.reasons import ClipError
from signvlm.pose import fit as fitting
from signvlm.pose.state import FILE
from signvlm.run_lock import RunLock
from signvlm.train import train


@pytest.fixture(scope="module")
def done(poses, tmp_path_factory):
    from signvlm.config import load

    folder = tmp_path_factory.mktemp("run") / "run"
    return train(load(poses.config, [f"training.output_dir={folder}", "pose.epochs=12"]))


def test_it_learns_signs_of_people_it_never_saw(done):
    assert done.metrics["best_metric"] >= 0.8
    assert done.metrics["metric"] == "eval_top1"
    assert done.metrics["on_training_clips"]["top1"] >= 0.9
    losses = [entry["loss"] for entry in done.metrics["history"] if "loss" in entry]
    assert losses[-1] < 0.5 * losses[0]


def test_the_run_holds_the_bundle_the_configuration_the_metrics_and_what_tensorboard_shows(done):
    assert sorted(path.name for path in done.bundle.iterdir()) == [
        "README.md",
        "config.yaml",
        "glossary.json",
        "metrics.json",
        "pose.safetensors",
    ]
    assert (done.bundle / "pose.safetensors").stat().st_mode & 0o044
    assert read_json(done.folder / "metrics.json", "")["epochs"] == 12
    events = EventAccumulator(str(done.folder / "tb_logs"))
    events.Reload()
    assert {"train/loss", "eval/loss", "eval/top1", "eval/top5"} <= set(events.Tags()["scalars"])
    assert len(events.Scalars("eval/top1")) == 12


def test_the_card_says_what_it_is_and_how_it_is_used(done):
    card = (done.bundle / "README.md").read_text()
    assert "key points" in card
    assert "signvlm predict clip.mp4" in card
    assert "transformers" not in card
    assert "InternVL" not in card


def test_the_best_epoch_is_kept_and_ties_go_by_the_loss(done):
    history = [entry for entry in done.metrics["history"] if "eval_top1" in entry]
    best = max(history, key=lambda entry: (entry["eval_top1"], -entry["eval_loss"]))
    assert done.metrics["best_metric"] == best["eval_top1"]


def test_the_same_seed_gives_the_same_weights_and_another_others(configured):
    def weights(seed):
        return load_file(train(configured("pose.epochs=1", f"pose.seed={seed}")).bundle / "pose.safetensors")

    first, again, other = weights(1), weights(1), weights(2)
    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert any(not np.array_equal(first[name], other[name]) for name in first)


def test_a_resumed_training_ends_as_one_that_was_not_interrupted(configured, tmp_path, monkeypatch):
    whole = train(configured("pose.epochs=3", "augmentation.points=1", f"training.output_dir={tmp_path / 'whole'}"))
    learn, epochs = fitting.Fit._learn, []

    def interrupted(self):
        epochs.append(self.state.epoch)
        if self.state.epoch == 2 and len(epochs) == 3:
            raise KeyboardInterrupt
        return learn(self)

    monkeypatch.setattr(fitting.Fit, "_learn", interrupted)
    config = configured("pose.epochs=3", "augmentation.points=1")
    with pytest.raises(RunError, match="interrupted; `signvlm train --resume` goes on after epoch 2"):
        train(config)
    resumed = train(config, resume=True)
    assert epochs == [0, 1, 2, 2]
    assert resumed.folder == tmp_path / "run"
    one, other = (load_file(run.bundle / "pose.safetensors") for run in (whole, resumed))
    assert all(np.array_equal(one[name], other[name]) for name in one)
    losses = [[entry.get("loss") for entry in run.metrics["history"]] for run in (whole, resumed)]
    assert losses[0] == losses[1]
    with pytest.raises(ConfigError, match=r"is finished; raise pose.epochs"):
        train(config, resume=True)
    assert train(configured("pose.epochs=4", "augmentation.points=1"), resume=True).metrics["epochs"] == 4


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("pose.width=24", "is of other clips, glosses or settings than these"),
        ("pose.rate=10", "is of other clips, glosses or settings than these"),
    ],
)
def test_a_checkpoint_of_other_settings_is_refused(configured, change, message):
    train(configured("pose.epochs=1"))
    with pytest.raises(ConfigError, match=message):
        train(configured("pose.epochs=2", change), resume=True)


def test_a_broken_checkpoint_is_refused_and_without_one_there_is_nothing_to_resume(configured, tmp_path):
    with pytest.raises(ConfigError, match="no checkpoint to resume from; run `signvlm train` without --resume"):
        train(configured(), resume=True)
    train(configured("pose.epochs=1"))
    checkpoint = tmp_path / "run" / FILE
    checkpoint.write_bytes(checkpoint.read_bytes()[:1000])
    with pytest.raises(ConfigError, match=r"cannot be read .*; run `signvlm train` without --resume"):
        train(configured("pose.epochs=2"), resume=True)


def test_a_second_training_takes_the_next_folder_and_none_takes_one_that_is_held(configured, tmp_path):
    assert train(configured("pose.epochs=1")).folder == tmp_path / "run"
    assert train(configured("pose.epochs=1")).folder == tmp_path / "run-2"
    with RunLock(tmp_path / "run-3"):
        assert train(configured("pose.epochs=1")).folder == tmp_path / "run-4"


def test_training_stops_where_nothing_is_gained(configured):
    done = train(configured("pose.epochs=50", "pose.learning_rate=1e-9", "selection.patience=2"))
    assert done.metrics["epochs"] <= 5


@pytest.mark.parametrize("network", ["conv_gru", "st_gcn"])
def test_either_network_trains_within_seconds(configured, network):
    started = time.perf_counter()
    done = train(configured(f"pose.network={network}", "pose.width=16", "pose.epochs=1"))
    assert done.metrics["parameters"]["total"] < 100_000
    assert time.perf_counter() - started < 60


# What is wrong with the data


@pytest.fixture
def copied(poses, tmp_path):
    """A data root of the test's own, and its configuration with overrides."""
    from signvlm.config import load

    root = shutil.copytree(poses.root, tmp_path / "own")

    def configure(*overrides):
        where = [f"data.root={root}", f"data.index={root / 'index.json'}"]
        return load(poses.config, [*where, "pose.epochs=1", *overrides])

    return root, configure


def test_without_key_points_the_verb_that_makes_them_is_named(copied):
    root, configure = copied
    pose_path(root, "00003").unlink()
    with pytest.raises(RunError, match=r"1 of 42 clips have no key points.*00003\); run `signvlm pose`"):
        train(configure())
    assert not (root / "runs").exists()


def test_key_points_of_an_earlier_file_are_refused(copied):
    root, configure = copied
    path = root / "datasets" / "wlasl_validated.json"
    rows = json.loads(path.read_text())
    rows[0]["media"]["end"] = 9.0
    path.write_text(json.dumps(rows))
    with pytest.raises(RunError, match=r"00000\); run `signvlm pose`"):
        train(configure())


def rows_of(root):
    return read_json(root / "datasets" / "wlasl_validated.json", "")


def test_clips_that_show_nobody_or_one_frame_or_were_refused_are_left_out_and_said_to_be(copied, capsys):
    root, configure = copied
    rows = rows_of(root)
    nobody = Pose(np.zeros((20, 64, 3), np.float32), np.arange(20, dtype=np.float32), (64, 48))
    keep(root, rows[0], nobody, {})
    keep(root, rows[1], Pose(np.ones((1, 64, 3), np.float32), np.zeros(1, np.float32), (64, 48)), {})
    refuse(root, rows[2], ClipError("timeout", "60 s"), {})
    train(configure())
    said = capsys.readouterr().err
    assert "3 of 36 clips are left out, e.g. 00000: no_person: no body was found in any of 20 frames" in said


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_numbers_that_are_none_are_refused(copied, value):
    root, configure = copied
    path = pose_path(root, "00000")
    about = read_about(path)
    write_pose(path, Pose(np.full((20, 64, 3), value, np.float32), np.arange(20, dtype=np.float32), (64, 48)), about)
    with pytest.raises(RunError, match=r"00000.safetensors: holds no key points of this form; delete it and run"):
        train(configure())


def test_a_damaged_file_is_named(copied):
    root, configure = copied
    path = pose_path(root, "00000")
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(RunError, match=r"00000\); run `signvlm pose`"):
        train(configure())


def test_keys_of_another_trainer_are_not_quietly_passed_over(configured):
    with pytest.raises(ConfigError, match=r"training.num_train_epochs goes to the trainer of model.family vlm"):
        train(configured("training.num_train_epochs=3"))
