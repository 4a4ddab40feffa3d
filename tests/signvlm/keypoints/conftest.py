"""A small folder of the avatar's images, drawn once, and a detector trained on it for a few steps."""

from pathlib import Path

import pytest
from small_keypoints import SMALL


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 images of 128 px by 4 signers; tests read it and leave it as it was."""
    from signvlm.keypoints.render import render

    out = tmp_path_factory.mktemp("keypoints") / "avatar"
    render(out, images=24, signers=4, seed=0, size=128, workers=1, progress=False)
    return out


@pytest.fixture(scope="session")
def run(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run of a training of six steps."""
    from signvlm.config import load
    from signvlm.console import silence
    from signvlm.keypoints.train import train

    out = tmp_path_factory.mktemp("runs") / "small"
    with silence():
        given = (*SMALL, f"data.root={folder}", f"training.output_dir={out}")
        return train(load("params/keypoints.yaml", given)).folder
