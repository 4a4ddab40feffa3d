"""A data root of a few signs by the avatar, with its exact key points: validated clips and poses, no pixels decoded."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from ruamel.yaml import YAML

from data_engineering.pose.kept import keep
from data_engineering.pose.record import Pose
from data_engineering.settings import DataSettings
from data_engineering.stage import selection
from data_engineering.synthetic.exact import perform_pose
from data_engineering.synthetic.signer import Signer
from data_engineering.synthetic.signs import load_signs

GLOSSES = ("EAT", "BOOK", "UP")
SIGNERS = {"train": (0, 1, 2, 3, 4, 5), "validation": (6, 7), "test": (8, 9)}
SIGNS = load_signs()


def signed(gloss: str, signer: int, take: int = 0) -> Pose:
    """Exact key points of a clip of the avatar."""
    who = Signer.sample(np.random.default_rng([7, signer]))
    return perform_pose(SIGNS[gloss], who, np.random.default_rng([signer, take]))


class PoseWorld(NamedTuple):
    """A data root with key points, and the configuration of a short training on it."""

    root: Path
    config: Path


def write_world(folder: Path, takes: int = 2) -> PoseWorld:
    """Writes a validated data root whose clips have key points, and a configuration."""
    root = folder / "data"
    (root / "datasets").mkdir(parents=True)
    rows = []
    for split, signers in SIGNERS.items():
        for signer in signers:
            for gloss in GLOSSES:
                for take in range(takes if split == "train" else 1):
                    pose = signed(gloss, signer, take)
                    name = f"{len(rows):05d}"
                    media = {
                        "sha256": name,
                        "start": 0.0,
                        "end": float(pose.times[-1]),
                        "motion": None,
                        "decoder": "av",
                    }
                    row = {"prompt": "?", "video_path": f"raw_videos/{name}.mp4", "gloss": gloss, "video_id": name}
                    row |= {
                        "split": split,
                        "signer_id": signer,
                        "source": "avatar",
                        "url": "",
                        "bbox": None,
                        "media": media,
                    }
                    rows.append(row)
                    keep(root, row, pose, {"name": "avatar"})
    index = [
        {
            "gloss": gloss,
            "instances": [
                {"video_id": row["video_id"], "split": row["split"], "signer_id": row["signer_id"]}
                for row in rows
                if row["gloss"] == gloss
            ],
        }
        for gloss in GLOSSES
    ]
    (root / "index.json").write_text(json.dumps(index), encoding="utf-8")
    manifests: dict[str, object] = {"wlasl_validated": rows, "wlasl_cleaned": rows, "corrupted_videos": []}
    data = DataSettings(root=root, index=root / "index.json")
    manifests["health"] = {"missing": [], "leakage": None, "selection": selection(data)}
    for name, told in manifests.items():
        (root / "datasets" / f"{name}.json").write_text(json.dumps(told), encoding="utf-8")
    config = folder / "short.yaml"
    sections = {
        "data": {"root": str(root), "index": str(root / "index.json")},
        "model": {"family": "pose", "device": "cpu"},
        "pose": {"width": 32, "epochs": 8, "batch_size": 12, "learning_rate": 4e-3},
        "augmentation": {"points": 0.0},
        "selection": {"patience": None},
        "evaluation": {"bootstrap_samples": 50, "batch_size": 8, "occlusion": 2},
    }
    with config.open("w", encoding="utf-8") as file:
        YAML(typ="safe").dump(sections, file)
    return PoseWorld(root, config)


@pytest.fixture(scope="session")
def poses(tmp_path_factory: pytest.TempPathFactory) -> PoseWorld:
    """The shared data root. Tests read it and leave it as it was."""
    return write_world(tmp_path_factory.mktemp("poses"))


@pytest.fixture
def configured(poses: PoseWorld, tmp_path: Path) -> Callable[..., object]:
    """Configurations over the shared data root whose runs go to a folder of the test's own."""
    from signvlm.config import load

    return lambda *overrides: load(poses.config, [f"training.output_dir={tmp_path / 'run'}", *overrides])
