"""A folder is read whole or refused; its split is the seed's and parts no signer's images."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from data_engineering.errors import ConfigError, RunError
from signvlm.keypoints.data import Example, read_folder, split, unlabelled
from signvlm.keypoints.labels import Label


def examples(signers: list[str]) -> list[Example]:
    points = np.zeros((64, 3), np.float32)
    return [
        Example(Path(f"x/images/{number}.jpg"), Label(f"{number}.jpg", (8, 8), points, (0, 0, 8, 8), signer))
        for number, signer in enumerate(signers)
    ]


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "own"))


def test_a_tenth_is_held_out_and_the_seed_says_which() -> None:
    images = examples([""] * 200)
    training, held_out = split(images, 0)
    assert (len(training), len(held_out)) == (180, 20)
    assert {id(each) for each in [*training, *held_out]} == {id(each) for each in images}
    assert split(images, 0)[1] == held_out != split(images, 1)[1]


def test_no_signer_is_on_both_sides() -> None:
    training, held_out = split(examples([f"signer {number % 20}" for number in range(200)]), 0)
    assert len(held_out) == 20
    assert not {each.label.signer for each in training} & {each.label.signer for each in held_out}


def test_images_of_a_single_signer_are_split_one_by_one() -> None:
    assert len(split(examples(["anna"] * 40), 0)[1]) == 4


def test_few_images_hold_at_least_one_out() -> None:
    assert [len(part) for part in split(examples(["", ""]), 0)] == [1, 1]
    with pytest.raises(RunError, match="too few"):
        split(examples([""]), 0)


def test_a_folder_is_read_in_the_order_of_its_labels(copy: Path) -> None:
    found = read_folder(copy)
    assert [each.path.stem for each in found] == sorted(path.stem for path in (copy / "labels").iterdir())
    shutil.copy(found[0].path, copy / "images" / "new.png")
    assert unlabelled(copy, found) == 1


def test_png_and_jpg_may_stand_together(copy: Path) -> None:
    from PIL import Image

    first = read_folder(copy)[0]
    Image.open(first.path).save(copy / "images" / "other.png")
    label = copy / "labels" / f"{first.path.stem}.json"
    label.write_text(json.dumps(json.loads(label.read_text()) | {"image": "other.png"}))
    assert read_folder(copy)[0].path.name == "other.png"


def test_a_folder_without_labels_is_a_wrong_call(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"holds no images/ with labels/\*\.json; set data\.root"):
        read_folder(tmp_path)


def test_a_visible_point_outside_is_refused_by_file_and_name(copy: Path) -> None:
    file = sorted((copy / "labels").iterdir())[3]
    told = json.loads(file.read_text())
    told["keypoints"][10] |= {"x": 500, "visible": 1}
    file.write_text(json.dumps(told))
    with pytest.raises(RunError) as refused:
        read_folder(copy)
    assert str(refused.value).startswith(f"{file}: right_wrist (500, ")
    assert "\n" not in str(refused.value)


def test_what_is_broken_is_named_and_the_rest_is_counted(copy: Path) -> None:
    labels = sorted((copy / "labels").iterdir())
    labels[0].write_text("{}")
    (copy / "images" / f"{labels[1].stem}.jpg").unlink()
    image = copy / "images" / f"{labels[2].stem}.jpg"
    image.write_bytes(image.read_bytes()[:900])
    labels[3].write_text("no")
    labels[5].write_text(labels[6].read_text())
    with pytest.raises(RunError) as refused:
        read_folder(copy)
    told = str(refused.value)
    assert all(name in told for name in (str(labels[0]), "is not there", f"{image}: is damaged", "and 2 more files"))


def test_two_labels_of_one_image_are_refused(copy: Path) -> None:
    labels = sorted((copy / "labels").iterdir())
    labels[5].write_text(labels[6].read_text())
    with pytest.raises(RunError, match=f"{labels[6].name}: its image .* has another label, {labels[5].name}"):
        read_folder(copy)
