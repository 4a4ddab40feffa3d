"""What TensorBoard shows of a training: rates, times split into waiting and computing, and clips with their answers."""

import io
import time

import numpy as np
import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from data_engineering.errors import ConfigError
from signvlm.config import load
from signvlm.train import train
from signvlm.vlm.watch import StepTimes


def test_a_step_is_split_into_waiting_and_computing_and_nothing_else_counts():
    times = StepTimes()
    with times.waiting():
        busy(0.02)
    busy(0.04)
    with times.apart():
        busy(0.2)
    told = times.take(2)
    assert told["step_time"] == pytest.approx(told["data_time"] + told["compute_time"])
    assert 0.01 <= told["data_time"] < told["compute_time"]
    assert told["step_time"] < 0.1
    assert times.take(3)["data_time"] == 0.0


def busy(seconds):
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass


def test_events_hold_what_a_user_watches(world, tmp_path):
    config = load(
        world.config,
        [
            *(f"training.output_dir={tmp_path / 'run'}", "training.learning_rate=1e-3", "training.max_steps=4"),
            *("model.projector_learning_rate=1e-4", "training.lr_scheduler_type=cosine"),
        ],
    )
    done = train(config)
    events = EventAccumulator(str(done.folder / "tb_logs"), size_guidance={"images": 0}).Reload()
    scalars = set(events.Tags()["scalars"])
    assert {"eval/loss", "eval/top1", "eval/top5", "train/loss", "train/grad_norm"} <= scalars
    assert {"train/step_time", "train/data_time", "train/compute_time"} <= scalars
    rates = [[event.value for event in events.Scalars(f"train/{name}learning_rate")] for name in ("", "projector_")]
    assert rates[1] == pytest.approx([rate / 10 for rate in rates[0]])
    assert len(set(rates[0])) == 4
    shown = events.Images("eval/clips")
    assert [event.step for event in shown] == [2, 4]
    picture = np.asarray(Image.open(io.BytesIO(shown[-1].encoded_image_string)))
    assert picture.shape[0] > 3 * 96  # a row a validation clip
    assert picture.std() > 10
    assert done.metrics["on_training_clips"]["clips"] == 3


def test_whom_to_report_to_is_checked_before_anything_loads(world, tmp_path):
    with pytest.raises(ConfigError, match=r"training\.report_to: wandbb is not installed or not one that"):
        train(
            load(world.config, [f"training.output_dir={tmp_path / 'run'}", "training.report_to=[tensorboard, wandbb]"])
        )
    assert not (tmp_path / "run").exists()
