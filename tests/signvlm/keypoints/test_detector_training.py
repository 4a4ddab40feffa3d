"""Training keeps the best detector, goes on where it was stopped, and refuses what cannot work in one line."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from small_keypoints import SMALL

from data_engineering.errors import ConfigError, RunError
from signvlm.config import Config, load
from signvlm.keypoints import train as training
from signvlm.keypoints.batches import training_order
from signvlm.keypoints.checkpoint import load_model, read
from signvlm.keypoints.schedule import learning_rate, sides, sigma
from signvlm.keypoints.settings import KeypointSettings


@pytest.fixture
def config(folder: Path, tmp_path: Path) -> Callable[..., Config]:
    def make(*overrides: str) -> Config:
        given = (*SMALL, f"data.root={folder}", f"training.output_dir={tmp_path / 'run'}", *overrides)
        return load("params/keypoints.yaml", given)

    return make


def weights(file: Path) -> dict[str, torch.Tensor]:
    return read(file)[1]


def test_a_run_holds_the_detector_its_figures_and_its_curves(run: Path) -> None:
    metrics = json.loads((run / "metrics.json").read_text())
    assert [row["step"] for row in metrics["history"]] == [3, 6]
    assert metrics["held_out"]["images"] == 6  # the images of one signer of four
    assert set(metrics["held_out"]["parts"]) == {"body", "left hand", "right hand", "face", "all"}
    assert any((run / "tb_logs").iterdir())
    assert load(run / "config.yaml").keypoints.size == 128
    loaded = load_model(run)
    assert loaded.size == 128
    assert loaded.about["step"] == metrics["best_step"]
    with safe_open(str(run / "model.safetensors"), framework="pt") as file:
        assert "names" in file.metadata()["about"]


def test_heatmaps_are_a_quarter_of_the_image(run: Path) -> None:
    detector = load_model(run).detector
    with torch.inference_mode():
        heatmaps = detector(torch.rand(2, 3, 128, 128))
    assert heatmaps.shape == (2, 64, 32, 32)
    assert heatmaps.min() >= 0
    assert heatmaps.max() <= 1


def test_a_stopped_training_goes_on_to_the_same_weights(
    config: Callable[..., Config], run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:  # as Ctrl-C after the look at step 3
        patched.setattr(training._Run, "_log", stop)
        with pytest.raises(KeyboardInterrupt):
            training.train(config())
    done = training.train(config(), resume=True)
    assert done.metrics["steps"] == 6
    whole, resumed = weights(run / "state.safetensors"), weights(done.folder / "state.safetensors")
    assert whole.keys() == resumed.keys()
    for name, tensor in whole.items():
        torch.testing.assert_close(resumed[name], tensor, rtol=0, atol=1e-5, msg=name)


def test_a_second_training_takes_a_folder_of_its_own(config: Callable[..., Config]) -> None:
    first, second = (training.train(config("keypoints.steps=1")).folder for _ in range(2))
    assert (first.name, second.name) == ("run", "run-2")


def test_going_on_otherwise_than_begun_is_refused(config: Callable[..., Config], folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nothing to resume from"):
        training.train(config(), resume=True)
    training.train(config("keypoints.steps=1"))
    with pytest.raises(ConfigError, match=r"keypoints\.sigma: 3\.0, where .* was begun with 2\.0"):
        training.train(config("keypoints.steps=1", "keypoints.sigma=3.0"), resume=True)
    fewer = Path(shutil.copytree(folder, tmp_path / "fewer"))
    next((fewer / "labels").iterdir()).unlink()
    with pytest.raises(ConfigError, match="its images are not those"):
        training.train(config("keypoints.steps=1", f"data.root={fewer}"), resume=True)


def test_an_image_that_breaks_during_training_ends_it_in_one_line(
    config: Callable[..., Config], folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = Path(shutil.copytree(folder, tmp_path / "own"))
    read_folder = training.read_folder

    def then_break(root: Path) -> list:
        found = read_folder(root)
        for example in found:
            example.path.write_bytes(b"gone")
        return found

    monkeypatch.setattr(training, "read_folder", then_break)
    with pytest.raises(RunError, match=r"\.jpg: is no JPEG or PNG image; correct or remove it"):
        training.train(config(f"data.root={own}"))


def test_a_loss_that_is_no_number_ends_the_training(
    config: Callable[..., Config], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "loss", lambda logits, *_: (logits * float("nan")).sum())
    with pytest.raises(RunError, match=r"loss is no number; lower keypoints\.learning_rate"):
        training.train(config("keypoints.steps=1"))


@pytest.mark.parametrize("network", ["mobilenet_v3_small", "resnet18"])
def test_both_networks_train(config: Callable[..., Config], network: str) -> None:
    done = training.train(config(f"keypoints.network={network}", "keypoints.steps=1"))
    assert done.metrics["network"].startswith("1.0" if network == "mobilenet_v3_small" else "11.2")


def test_mixed_precision_trains(config: Callable[..., Config]) -> None:
    done = training.train(config("model.dtype=bfloat16", "keypoints.steps=2"))
    assert all(tensor.dtype != torch.bfloat16 for tensor in weights(done.model).values())


def test_every_image_comes_once_a_round_and_a_step_knows_its_batch() -> None:
    whole = list(training_order(10, 5, seed=0, first=0, sides=[64, 64, 128, 128]))
    rounds = [sorted(number for batch in whole[at : at + 2] for number, _, _ in batch) for at in (0, 2)]
    assert rounds == [list(range(10))] * 2
    assert whole[0] != whole[2]
    assert list(training_order(10, 5, seed=0, first=3, sides=[64, 64, 128, 128])) == whole[3:]
    assert [batch[0][2] for batch in whole] == [64, 64, 128, 128]


def test_the_learning_rate_rises_and_falls_to_nothing() -> None:
    settings = KeypointSettings(steps=200, quarter_size=0, half_size=0.5, warmup=0.1, learning_rate=1.0)
    rates = [learning_rate(step, settings) for step in range(200)]
    assert rates[:100] == rates[100:]  # anew at each size
    assert rates[0] == 0.1
    assert rates[9] == rates[10] == 1
    assert rates[10:100] == sorted(rates[10:100], reverse=True)
    assert rates[99] < 0.001


def test_training_begins_with_small_images() -> None:
    settings = KeypointSettings(size=256, steps=4, quarter_size=0.25, half_size=0.25)
    assert sides(settings) == [64, 128, 256, 256]
    assert sides(KeypointSettings(size=128, steps=2, quarter_size=0, half_size=0)) == [128, 128]
    assert [sigma(side, settings) for side in (256, 128, 64)] == [2, 1, 1]


def test_a_size_that_the_networks_cannot_halve_is_refused(refused: Callable[..., str]) -> None:
    assert "keypoints.size should be a multiple of 128" in refused(
        2, "keypoints", "train", "--set", "keypoints.size=200"
    )


@pytest.mark.parametrize("name", ["model.safetensors", "state.safetensors"])
def test_a_damaged_file_is_named(run: Path, tmp_path: Path, name: str) -> None:
    data = (run / name).read_bytes()
    (tmp_path / name).write_bytes(data[: len(data) // 2])
    with pytest.raises(RunError, match=f"{name}: cannot be read"):
        read(tmp_path / name)


def test_a_file_of_something_else_is_no_detector(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    save_file({"a": torch.zeros(2)}, tmp_path / "model.safetensors")
    with pytest.raises(RunError, match="no file of a key-point detector"):
        load_model(tmp_path)
    with pytest.raises(ConfigError, match="is not there"):
        load_model(tmp_path / "nowhere")
