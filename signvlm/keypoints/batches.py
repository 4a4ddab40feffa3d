"""Batches of examples: which, in what order and how varied follows from the seed and the step alone.

So a training that was resumed sees what an unbroken one does.
"""

from collections.abc import Iterator, Sequence

import cv2
import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from signvlm.keypoints.data import Example
from signvlm.keypoints.images import read_square
from signvlm.keypoints.settings import KeypointSettings
from signvlm.keypoints.vary import vary

Batch = tuple[torch.Tensor, torch.Tensor]
"""Images uint8 (N, S, S, 3), and their points float32 (N, 64, 3): x, y in pixels of the square, visible."""


# A process that reads ahead takes seconds to start; so many batches are worth that.
_MANY = 100


class Squares(Dataset):
    """Examples fitted into squares, by (number, draw, side): a draw varies the image, None leaves it as it is.

    Args:
        examples: The examples.
        settings: Says how far variations go, and seeds them.
    """

    def __init__(self, examples: Sequence[Example], settings: KeypointSettings) -> None:
        self.examples = examples
        self.settings = settings

    def __getitem__(self, which: tuple[int, int | None, int]) -> tuple[np.ndarray, np.ndarray]:
        """Returns an image uint8 (S, S, 3) and its points float32 (64, 3).

        Raises:
            ValueError: The image is no longer what it was when the folder was read; names the file.
        """
        number, draw, side = which
        example = self.examples[number]
        try:
            image, fit = read_square(example.path, side)
        except ValueError as error:
            raise ValueError(f"{example.path}: {error}") from error
        points = fit.forward(example.label.points)
        if draw is None:
            return image, points
        return vary(image, points, self.settings, np.random.default_rng([self.settings.seed, draw]))


def training_order(
    count: int, batch_size: int, seed: int, first: int, sides: Sequence[int]
) -> Iterator[list[tuple[int, int, int]]]:
    """Yields what each batch of a training holds, for `Squares`: every example once a round, each round shuffled anew.

    Args:
        count: Examples.
        batch_size: Of them a batch.
        seed: Draws the order.
        first: The step to begin with, from 0.
        sides: The side of the squares, for each step of the training.
    """
    order = np.zeros(0, np.intp)
    shuffled = -1
    for step in range(first, len(sides)):
        batch = []
        for draw in range(step * batch_size, (step + 1) * batch_size):
            if draw // count != shuffled:
                shuffled = draw // count
                order = np.random.default_rng([seed, shuffled]).permutation(count)
            batch.append((int(order[draw % count]), draw, sides[step]))
        yield batch


def as_they_are(numbers: Sequence[int], batch_size: int, side: int) -> list[list[tuple[int, None, int]]]:
    """Returns batches of unvaried examples."""
    starts = range(0, len(numbers), batch_size)
    return [[(number, None, side) for number in numbers[start : start + batch_size]] for start in starts]


def load(squares: Squares, batches: Sequence | Iterator, count: int, workers: int) -> "DataLoader[Batch]":
    """Returns a loader of these batches, `count` of them, with so many worker processes where they are many."""
    workers = workers if count >= _MANY else 0
    return DataLoader(
        squares,
        batch_sampler=_Batches(batches),
        collate_fn=_collate,
        num_workers=workers,
        worker_init_fn=_start,
        # A fork of a process with threads, OpenCV's among them, may wait for ever.
        multiprocessing_context="spawn" if workers else None,
        pin_memory=torch.cuda.is_available(),
    )


def as_input(images: torch.Tensor, device: torch.device) -> torch.Tensor:
    """Returns images as the network takes them: float32 (N, 3, S, S), 0..1, channels last in memory."""
    moved = images.to(device, non_blocking=True).permute(0, 3, 1, 2)
    return moved.float().div_(255).contiguous(memory_format=torch.channels_last)


class _Batches(torch.utils.data.Sampler):
    def __init__(self, batches: Sequence | Iterator) -> None:
        self.batches = batches

    def __iter__(self) -> Iterator:
        return iter(self.batches)


def _collate(examples: list[tuple[np.ndarray, np.ndarray]]) -> Batch:
    images, points = zip(*examples, strict=True)
    return torch.from_numpy(np.stack(images)), torch.from_numpy(np.stack(points))


def _start(worker: int) -> None:
    cv2.setNumThreads(1)
