"""A network as ONNX: any batch, any length, the same answers."""

import json

import numpy as np
import pytest
import torch

from data_engineering.errors import ConfigError
from signvlm.config import PoseSettings
from signvlm.pose.network import build

pytest.importorskip("onnx", reason="the extra onnx is not installed")
onnxruntime = pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")


@pytest.mark.parametrize("name", ["conv_gru", "st_gcn"])
def test_either_network_answers_in_onnxruntime_as_in_torch(name):
    from signvlm.pose.export import TOLERANCE, compare, to_onnx

    torch.manual_seed(0)
    network = build(PoseSettings(network=name, width=32), 7).eval()
    assert compare(network, to_onnx(network)) <= TOLERANCE


def test_the_verb_writes_a_file_that_says_what_it_answers(configured, call, tmp_path):
    from signvlm.train import train

    config = configured("pose.epochs=1")
    done = train(config)
    out = tmp_path / "signs.onnx"
    called = call("export", "--checkpoint", done.bundle, "--out", out)
    assert called.status == 0, called
    assert "differs by at most" in called.out
    session = onnxruntime.InferenceSession(out, providers=["CPUExecutionProvider"])
    told = session.get_modelmeta().custom_metadata_map
    assert json.loads(told["glossary"]) == ["EAT", "BOOK", "UP"]
    assert len(json.loads(told["keypoints"])) == 64
    points = np.zeros((5, 31, 64, 3), np.float32)
    scores = session.run(None, {"points": points, "mask": np.ones((5, 31), np.float32)})[0]
    assert np.exp(scores).sum(axis=1) == pytest.approx(1, abs=1e-5)


def test_a_bundle_of_the_other_family_is_refused(configured, tmp_path):
    from signvlm.pose.export import export

    for name in ("adapter_model.safetensors", "adapter_config.json", "config.yaml", "glossary.json"):
        (tmp_path / name).write_text("{}")
    with pytest.raises(ConfigError, match=r"is a bundle of the vlm family, and model.family is pose"):
        export(configured(), tmp_path, tmp_path / "out.onnx")
    assert not (tmp_path / "out.onnx").exists()
