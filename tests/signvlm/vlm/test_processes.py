"""Two processes train as one does, and share the validation clips without counting one twice or leaving one out."""

import json
import os
import socket
import subprocess
import sys

import pytest
from clips import write_clip, write_index
from safetensors.torch import load_file
from small_world import paint, write_config, write_data

from data_engineering.errors import ConfigError
from data_engineering.validate import validate
from signvlm import processes
from signvlm.config import load
from signvlm.train import train


@pytest.fixture(scope="module")
def config_file(tmp_path_factory, base):
    """Four training clips, so that two processes fill their steps, and three validation clips, so that they cannot."""
    folder = tmp_path_factory.mktemp("shared")
    index = write_data(folder / "data")
    clips = [clip | {"gloss": entry["gloss"]} for entry in json.loads(index.read_text()) for clip in entry["instances"]]
    write_clip(folder / "data" / "raw_videos" / "00010.mp4", frames=26, paint=paint("book"))
    write_index(index, [*clips, {"video_id": "00010", "gloss": "book", "split": "train", "bbox": [0, 0, 48, 48]}])
    file = write_config(folder / "shared.yaml", folder / "data", base)
    config = load(file)
    validate(config.data, config.download, config.validate_, config.preprocess, config.model.prompt, progress=False)
    return file


def settings(folder, *more):
    return [
        *(f"training.output_dir={folder}", "training.max_steps=4", "augmentation.brightness=0.3"),
        *("training.learning_rate=1e-2", "loss.label_smoothing=0.1", *more),
    ]


def launch(config_file, overrides, *verb, program=("-m", "signvlm")):
    """Trains in two processes that accelerate starts; returns how it ended."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    # accelerate starts several processes for its GPUs alone; these take the CPU, as the configuration says.
    command = [sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2"]
    command += ["--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no"]
    command += ["--main_process_port", str(port)]
    command += [*program, "train", "--config", str(config_file), *verb]
    command += [part for override in overrides for part in ("--set", override)]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


def history(metrics, key):
    return [entry[key] for entry in metrics["history"] if key in entry]


def test_two_processes_take_the_same_steps_as_one(config_file, tmp_path):
    two = launch(config_file, settings(tmp_path / "two", "training.per_device_train_batch_size=1"))
    assert two.returncode == 0, two.stderr[-4000:]
    assert two.stdout.count("train: 4 steps") == 1
    assert two.stderr.count("device: cpu") == 1
    one = train(load(config_file, settings(tmp_path / "one", "training.per_device_train_batch_size=2")))

    metrics = json.loads((tmp_path / "two" / "metrics.json").read_text())
    assert metrics["epochs"] == one.metrics["epochs"] == 2  # two steps an epoch: the same effective batch
    for key in ("loss", "eval_loss", "grad_norm"):
        assert history(metrics, key) == pytest.approx(history(one.metrics, key), rel=1e-3, abs=1e-4), key
    assert history(metrics, "eval_top1") == history(one.metrics, "eval_top1")
    assert all(round(3 * top1, 6) in (0, 1, 2, 3) for top1 in history(metrics, "eval_top1"))  # three clips, not four
    adapter = "adapter_model.safetensors"
    weights, expected = (load_file(tmp_path / name / "adapter" / adapter) for name in ("two", "one"))
    assert weights.keys() == expected.keys()
    for name, tensor in weights.items():
        assert (tensor - expected[name]).abs().max() < 2e-3, name
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "two"]  # one folder, whoever was first


# The command line in a process that is killed while it takes a step.
KILLED = """
import os, signal
from signvlm.cli import main
from signvlm.vlm.trainer import SignTrainer

plain = SignTrainer.training_step

def training_step(self, *args, **kwargs):
    loss = plain(self, *args, **kwargs)
    if self.state.global_step + 1 == {step} and os.environ["RANK"] in {ranks}:
        os.kill(os.getpid(), signal.SIGKILL)
    return loss

SignTrainer.training_step = training_step
main()
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL there")
def test_two_processes_that_are_killed_go_on_to_the_same_weights_bit_for_bit(config_file, tmp_path):
    """First both are killed, then one of them. An epoch is two steps: they resume from within one, and from its end."""
    more = ("training.max_steps=9", "training.save_steps=3", "training.eval_steps=3", "lora.lora_dropout=0.3")
    more = (*more, "training.per_device_train_batch_size=1", "augmentation.crop=0.3", "selection.patience=null")
    script = tmp_path / "killed.py"

    def checkpoints():
        return sorted(path.name for path in (tmp_path / "killed").glob("checkpoint-*"))

    whole = launch(config_file, settings(tmp_path / "whole", *more))
    assert whole.returncode == 0, whole.stderr[-4000:]
    for step, ranks, verb, left in ((5, "01", (), [3]), (8, "1", ("--resume",), [3, 6])):
        script.write_text(KILLED.format(step=step, ranks=repr(ranks)))
        killed = launch(config_file, settings(tmp_path / "killed", *more), *verb, program=(str(script),))
        assert "SIGKILL" in killed.stderr
        assert checkpoints() == [f"checkpoint-{number}" for number in left]
    resumed = launch(config_file, settings(tmp_path / "killed", *more), "--resume")
    assert resumed.returncode == 0, resumed.stderr[-4000:]

    for name in ("checkpoint-9", "adapter"):
        weights, expected = (
            (tmp_path / run / name / "adapter_model.safetensors").read_bytes() for run in ("killed", "whole")
        )
        assert weights == expected, name
    told = [json.loads((tmp_path / run / "metrics.json").read_text()) for run in ("killed", "whole")]
    for key in ("loss", "eval_loss", "eval_top1"):
        assert history(told[0], key) == history(told[1], key), key


def test_alone_everything_is_what_it_is():
    assert (processes.count(), processes.rank(), processes.first(), processes.joined()) == (1, 0, True, False)
    assert processes.agreed(lambda: 7) == 7
    assert processes.gathered([1, 2]) == [1, 2]


def test_weights_in_shards_are_refused_for_a_selection_that_ranks(config_file, tmp_path, monkeypatch):
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    with pytest.raises(ConfigError, match=r"selection\.metric: ranking needs whole weights, .*selection\.metric=loss"):
        train(load(config_file, settings(tmp_path / "run")))
