"""Images of the avatar carry exact points and their signer, and an interrupted call goes on."""

from pathlib import Path

import numpy as np
import pytest

from data_engineering.errors import ConfigError
from data_engineering.keypoints import KEYPOINTS
from signvlm.keypoints.data import points_of, read_folder, split
from signvlm.keypoints.render import box, render


def test_every_image_names_its_signer_and_shows_most_of_them(folder: Path) -> None:
    examples = read_folder(folder)
    assert len(examples) == 24
    assert len({each.label.signer for each in examples}) == 4
    seen = points_of(examples)[..., 2].mean(axis=0)
    assert seen[KEYPOINTS.index("nose")] > 0.5
    assert seen[KEYPOINTS.index("left_shoulder")] > 0.5


def test_held_out_images_are_of_other_signers(folder: Path) -> None:
    training, held_out = split(read_folder(folder), 0)
    assert not {each.label.signer for each in training} & {each.label.signer for each in held_out}


def test_the_box_holds_the_visible_points_and_the_trunk(folder: Path) -> None:
    for example in read_folder(folder):
        left, top, right, bottom = example.label.bbox
        seen = example.label.points[example.label.points[:, 2] > 0]
        assert (seen[:, 0] >= left - 0.01).all()
        assert (seen[:, 0] <= right + 0.01).all()
        assert (seen[:, 1] >= top - 0.01).all()
        assert (seen[:, 1] <= bottom + 0.01).all()
        assert bottom == 128


def test_a_box_stays_in_the_image() -> None:
    points = np.full((64, 3), 20, np.float32)
    points[:2] = [[1, 2, 1], [99, 50, 0]]
    assert box(points, (100, 60)) == pytest.approx((0, 0, 100, 52.4))


def test_an_interrupted_call_makes_what_is_missing_and_no_more(tmp_path: Path) -> None:
    wanted = {"images": 8, "signers": 2, "seed": 3, "size": 64, "workers": 1, "progress": False}
    render(tmp_path / "a", **wanted)
    before = {path.name: path.read_bytes() for path in (tmp_path / "a").rglob("*.*")}
    gone = sorted((tmp_path / "a" / "labels").iterdir())[-1]
    gone.unlink()
    report = render(tmp_path / "a", **wanted)
    assert report.reused == 6
    assert {path.name: path.read_bytes() for path in (tmp_path / "a").rglob("*.*")} == before


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(ConfigError, match="is not empty"):
        render(tmp_path, images=2, signers=1, seed=0, size=64, progress=False)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_other_images_in_the_same_folder_are_refused(folder: Path) -> None:
    with pytest.raises(ConfigError, match="holds images made otherwise"):
        render(folder, images=24, signers=4, seed=1, size=128, progress=False)
