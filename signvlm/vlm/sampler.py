"""Which training clip comes when, and what is drawn for it: a function of seed and epoch alone.

So a training that was killed goes on with the clips, the crops and the colours that it would have had, with any number
of loader processes: nothing is drawn from a generator whose state depends on what was read ahead.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import torch
from datasets import Dataset
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments


class Draw(NamedTuple):
    """A clip of an epoch.

    Attributes:
        number: Its place in the dataset.
        seed: Of whatever is drawn for it: frames, augmentation.
    """

    number: int
    seed: int


class EpochSampler(torch.utils.data.Sampler[Draw]):
    """Draws an epoch: every clip once in random order or, balanced, as many clips of every gloss in expectation.

    Attributes:
        epoch: Which one, from 0.
    """

    def __init__(self, glosses: Sequence[str], seed: int, balanced: bool) -> None:
        """Args: glosses: each clip's. seed: of the order and of the draws. balanced: draw every gloss as often."""
        self.count = len(glosses)
        self.seed = seed
        self.epoch = 0
        often = Counter(glosses)
        self.weights = torch.tensor([1 / often[gloss] for gloss in glosses]) if balanced else None

    def set_epoch(self, epoch: int) -> None:
        """Names the epoch that is drawn next; accelerate calls it."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[Draw]:
        generator = torch.Generator().manual_seed(self.seed + self.epoch)
        if self.weights is None:
            order = torch.randperm(self.count, generator=generator)
        else:
            order = torch.multinomial(self.weights, self.count, replacement=True, generator=generator)
        for place, index in enumerate(order.tolist()):
            yield Draw(index, _seed(self.seed, self.epoch, place))


class DrawnExamples(torch.utils.data.Dataset[dict[str, Any]]):
    """Reads a clip with the random numbers of its draw."""

    def __init__(self, examples: Dataset) -> None:
        """Args: examples: as `as_examples` returns them; they draw from torch's generator."""
        self.examples = examples

    def __len__(self) -> int:
        return len(self.examples)

    def __getitem__(self, draw: Draw) -> dict[str, Any]:
        with torch.random.fork_rng(devices=[]):  # dropout goes on where it was
            torch.random.default_generator.manual_seed(draw.seed)
            return self.examples[draw.number]


class NameEpoch(TrainerCallback):
    """Tells the sampler its epoch: accelerate does not reach it where several processes resume and skip ahead."""

    def __init__(self, sampler: EpochSampler) -> None:
        self.sampler = sampler

    def on_epoch_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Called before the epoch's first batch is read."""
        self.sampler.set_epoch(int((state.epoch or 0) + 1e-6))


def _seed(*parts: int) -> int:
    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:7])
