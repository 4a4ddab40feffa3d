"""A trained detector is measured, asked, exported and put before a camera from the command line."""

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from data_engineering.keypoints import KEYPOINTS
from data_engineering.synthetic.mp4 import write_mp4
from signvlm.keypoints.images import read_image
from signvlm.keypoints.labels import parse_label
from signvlm.keypoints.overlay import BONES, draw, save

Call = Callable[..., object]


@pytest.fixture
def images(folder: Path) -> list[Path]:
    return sorted((folder / "images").iterdir())


def test_the_verbs_are_listed_in_their_order(call: Call) -> None:
    help_text = call("keypoints", "--help").out
    places = [help_text.index(f"  {name} ") for name in ("render", "train", "eval", "predict", "export", "live")]
    assert places == sorted(places)


def test_render_and_train_say_what_they_wrote_and_what_is_next(call: Call, tmp_path: Path) -> None:
    made = call("keypoints", "render", "--out", "d", "--images", 12, "--signers", 2, "--size", 128, "--workers", 1)
    assert "next     signvlm keypoints train --set data.root=d" in made.out
    small = ("keypoints.size=128", "keypoints.steps=1", "keypoints.batch_size=2", "keypoints.head_channels=8")
    words = [word for setting in ("data.root=d", "model.device=cpu", *small) for word in ("--set", setting)]
    done = call("keypoints", "train", *words)
    assert done.status == 0
    assert "PCK@0.05" in done.out
    assert "wrote    d/runs/keypoints/model.safetensors" in done.out
    assert "M parameters" in done.err
    assert call("keypoints", "eval", "--set", "data.root=d").status == 0  # the newest run is found


def test_eval_measures_the_held_out_images_and_writes_them(call: Call, run: Path, tmp_path: Path) -> None:
    done = call("keypoints", "eval", "--checkpoint", run, "--out", tmp_path / "held.json")
    figures = json.loads((tmp_path / "held.json").read_text())
    assert figures["images"] == 6
    assert figures["part"] == "held-out"
    trained = json.loads((run / "metrics.json").read_text())
    assert figures["parts"] == trained["held_out"]["parts"]
    assert all(name in done.out for name in ("body", "left hand", "right hand", "OKS", KEYPOINTS[40]))
    call(
        "keypoints", "eval", "--checkpoint", run / "model.safetensors", "--part", "all", "--out", tmp_path / "all.json"
    )
    assert json.loads((tmp_path / "all.json").read_text())["images"] == 24


def test_predict_gives_points_as_a_label_has_them(call: Call, run: Path, images: list[Path]) -> None:
    done = call("keypoints", "predict", images[0], images[1], "--checkpoint", run, "--json")
    rows = [json.loads(line) for line in done.out.splitlines()]
    assert [row["image"] for row in rows] == [str(images[0]), str(images[1])]
    assert [point["name"] for point in rows[0]["keypoints"]] == list(KEYPOINTS)
    parse_label(rows[0] | {"image": images[0].name, "bbox": [0, 0, 128, 128]})  # fit to train on, once corrected


def test_predict_draws_every_image_of_a_folder(call: Call, run: Path, images: list[Path], tmp_path: Path) -> None:
    done = call("keypoints", "predict", images[0].parent, "--checkpoint", run, "--out", tmp_path / "drawn")
    assert done.status == 0
    assert len(list((tmp_path / "drawn").glob("*.png"))) == len(images)
    assert len(done.out.splitlines()) == len(images)


def test_an_unreadable_image_is_told_and_the_others_are_answered(
    call: Call, run: Path, images: list[Path], tmp_path: Path
) -> None:
    (tmp_path / "bad.jpg").write_bytes(b"no")
    done = call("keypoints", "predict", tmp_path / "bad.jpg", images[0], "--checkpoint", run)
    assert done.status == 1
    assert done.out.splitlines()[0] == f"{tmp_path / 'bad.jpg'}: is no JPEG or PNG image"
    assert "points seen" in done.out.splitlines()[1]
    assert "1 of 2 images could not be read" in done.err


def test_what_is_not_there_is_a_wrong_call(refused: Callable[..., str], run: Path, tmp_path: Path) -> None:
    assert "nothing.jpg: is not there" in refused(2, "keypoints", "predict", "nothing.jpg", "--checkpoint", run)
    (tmp_path / "empty").mkdir()
    assert "holds no .jpg" in refused(2, "keypoints", "predict", "empty", "--checkpoint", run)
    assert "no trained detector" in refused(2, "keypoints", "eval", "--set", "data.root=nowhere")
    assert "is not there; run `signvlm keypoints train` first" in refused(2, "keypoints", "export", "--checkpoint", "x")


def test_a_drawing_changes_the_image_only_where_points_are_sure_enough(images: list[Path]) -> None:
    image = read_image(images[0])
    points = np.zeros((64, 3), np.float32)
    points[:, :2] = np.random.default_rng(0).uniform(-50, 180, (64, 2))
    np.testing.assert_array_equal(draw(image, points, 0.5), image)
    points[:, 2] = 0.9
    drawn = draw(image, points, 0.5)
    assert (drawn != image).any()
    assert drawn.shape == image.shape


def test_each_hand_has_its_own_colour_and_twenty_bones() -> None:
    assert [len(BONES[part][1]) for part in ("left", "right")] == [20, 20]
    assert len({color for color, _ in BONES.values()}) == 3


@pytest.mark.parametrize("name", ["a.png", "b.jpg"])
def test_a_drawing_is_saved_as_its_name_says(tmp_path: Path, name: str) -> None:
    save(np.full((20, 30, 3), 99, np.uint8), tmp_path / name)
    with Image.open(tmp_path / name) as image:
        assert (image.size, image.format) == ((30, 20), {"a.png": "PNG", "b.jpg": "JPEG"}[name])


def test_without_the_package_an_export_names_it(
    refused: Callable[..., str], run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *_: None if name == "onnx" else find(name))
    line = refused(2, "keypoints", "export", "--checkpoint", run)
    assert line == "exporting takes the package onnx; install it: uv pip install onnx onnxruntime"


def test_an_export_takes_any_number_of_images_and_gives_torchs_heatmaps(call: Call, run: Path, tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    runtime = pytest.importorskip("onnxruntime")
    done = call("keypoints", "export", "--checkpoint", run, "--out", tmp_path / "k.onnx")
    assert "(N, 3, 128, 128) -> (N, 64, 32, 32)" in done.out
    session = runtime.InferenceSession(str(tmp_path / "k.onnx"), providers=["CPUExecutionProvider"])
    for count in (1, 5):
        (heatmaps,) = session.run(None, {"images": np.zeros((count, 3, 128, 128), np.float32)})
        assert heatmaps.shape == (count, 64, 32, 32)


@pytest.fixture
def film(tmp_path: Path, images: list[Path]) -> Path:
    frames = [cv2.resize(read_image(path), (130, 98)) for path in images[:6]]
    write_mp4(tmp_path / "film.mp4", frames, fps=10, crf=20, width=130, height=98)
    return tmp_path / "film.mp4"


def test_live_draws_over_a_video_into_another(call: Call, run: Path, film: Path, tmp_path: Path) -> None:
    done = call(
        "keypoints", "live", "--camera", film, "--out", tmp_path / "o.mp4", "--checkpoint", run, "--threshold", 0
    )
    assert "6 frames" in done.out
    assert "64.0 of 64 points" in done.out
    capture = cv2.VideoCapture(str(tmp_path / "o.mp4"))
    assert (capture.get(cv2.CAP_PROP_FRAME_WIDTH), capture.get(cv2.CAP_PROP_FRAME_HEIGHT)) == (130, 98)


def test_live_stops_when_its_time_is_up(call: Call, run: Path, film: Path, tmp_path: Path) -> None:
    out = ("--camera", film, "--out", tmp_path / "o.mp4", "--checkpoint", run)
    assert "1 frames" in call("keypoints", "live", *out, "--seconds", 1e-6).out


def test_no_camera_and_no_window_are_told_in_one_line(refused: Callable[..., str], run: Path, tmp_path: Path) -> None:
    shown = refused(2, "keypoints", "live", "--checkpoint", run) if headless() else "this OpenCV has no windows"
    assert shown.startswith("this OpenCV has no windows")
    gone = refused(2, "keypoints", "live", "--camera", "no.mp4", "--out", "o.mp4", "--checkpoint", run)
    assert gone.startswith("--camera no.mp4: this video gives no picture")


def headless() -> bool:
    return "GUI:                           NONE" in cv2.getBuildInformation()
