"""A folder of labelled images: `images/`, `labels/` with a JSON file an image; checked, and split by signer."""

import random
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from data_engineering.errors import ConfigError, RunError
from data_engineering.sandbox import cores
from signvlm.keypoints.images import check_image
from signvlm.keypoints.labels import SUFFIXES, Label, read_label

HELD_OUT = 0.1
"""The share of the images that is held out for validation."""
_NAMED = 3  # so many wrong files are named in the one line


@dataclass(frozen=True, eq=False)
class Example:
    """A labelled image.

    Attributes:
        path: The image's file.
        label: What is known of it.
    """

    path: Path
    label: Label


def read_folder(root: Path) -> list[Example]:
    """Reads and checks every label and every image of a folder.

    Returns:
        The examples in the order of the labels' names.

    Raises:
        ConfigError: There is no such folder, or no label in it.
        RunError: A label or an image is broken or missing; names the first ones, each with its reason.
    """
    labels, images = root / "labels", root / "images"
    files = sorted(labels.glob("*.json")) if labels.is_dir() and images.is_dir() else []
    if not files:
        raise ConfigError(
            f"{root}: holds no images/ with labels/*.json; set data.root to a folder of both, or make one of the "
            f"avatar with `signvlm keypoints render --out {root}`"
        )
    with ThreadPoolExecutor(cores()) as pool:
        read = list(pool.map(lambda file: _example(file, images), files))
    wrong = [each for each in read if isinstance(each, str)]
    examples = [each for each in read if isinstance(each, Example)]
    owners: dict[str, str] = {}
    for file, each in zip(files, read, strict=True):
        if isinstance(each, Example) and owners.setdefault(each.label.image, file.name) != file.name:
            wrong.append(f"{file}: its image {each.label.image} has another label, {owners[each.label.image]}")
    if wrong:
        more = f"; and {len(wrong) - _NAMED} more files" if len(wrong) > _NAMED else ""
        raise RunError(f"{'; '.join(wrong[:_NAMED])}{more}: correct or remove them")
    return examples


def unlabelled(root: Path, examples: Sequence[Example]) -> int:
    """Returns how many images of a folder have no label."""
    known = {example.path.name for example in examples}
    return sum(path.suffix.lower() in SUFFIXES and path.name not in known for path in (root / "images").iterdir())


def split(examples: Sequence[Example], seed: int) -> tuple[list[Example], list[Example]]:
    """Splits examples into 90 % to train on and 10 % held out; all images of one signer stay on one side.

    Images that name no signer are taken one by one; so are all where they name a single one.

    Returns:
        The two lists, in the examples' order.

    Raises:
        RunError: There are fewer than two.
    """
    if len(examples) < 2:
        folder = examples[0].path.parent.parent if examples else "the folder"
        raise RunError(f"{folder}: one image is too few to hold any out; label more")
    groups: dict[str, list[int]] = defaultdict(list)
    for number, example in enumerate(examples):
        groups[f"signer {example.label.signer}" if example.label.signer else f"image {number}"].append(number)
    people: list[list[int]] = list(groups.values())
    if len(people) == 1:
        people = [[number] for number in people[0]]
    random.Random(seed).shuffle(people)  # noqa: S311  not for secrets
    wanted = HELD_OUT * len(examples)
    held: set[int] = set()
    for group in people:
        if len(held) + len(group) / 2 <= wanted:
            held.update(group)
    if not held:
        held.update(sorted(people, key=len)[0])
    return (
        [example for number, example in enumerate(examples) if number not in held],
        [example for number, example in enumerate(examples) if number in held],
    )


def points_of(examples: Sequence[Example]) -> np.ndarray:
    """Returns all key points, float32 (N, 64, 3)."""
    return np.stack([example.label.points for example in examples])


def _example(file: Path, images: Path) -> Example | str:
    try:
        label = read_label(file)
    except ValueError as error:
        return f"{file}: {error}"
    path = images / label.image
    if not path.is_file():
        return f"{file}: its image {path} is not there"
    try:
        check_image(path, label.size)
    except ValueError as error:
        return f"{path}: {error}"
    return Example(path, label)
