"""Which clip comes when, and what is drawn for it: seed and epoch alone decide."""

from collections import Counter

import pytest
import torch
from torch.utils.data import DataLoader

from signvlm.vlm.sampler import DrawnExamples, EpochSampler

GLOSSES = ["no"] * 8 + ["book"] * 2


class Examples:
    """What is drawn for a clip: five numbers of torch's generator."""

    def __len__(self):
        return len(GLOSSES)

    def __getitem__(self, number):
        return {"number": number, "drawn": torch.rand(5)}


def epoch(number, seed=3, balanced=False):
    sampler = EpochSampler(GLOSSES, seed, balanced)
    sampler.set_epoch(number)
    return list(sampler)


def test_every_clip_comes_once_an_epoch_in_an_order_of_its_own():
    first, second = epoch(0), epoch(1)
    assert sorted(draw.number for draw in first) == sorted(draw.number for draw in second) == list(range(10))
    assert [draw.number for draw in first] != [draw.number for draw in second]
    assert epoch(1) == second
    assert [draw.number for draw in epoch(1, seed=4)] != [draw.number for draw in second]


def test_no_clip_is_drawn_alike_in_two_epochs():
    seeds = {draw.seed for number in range(20) for draw in epoch(number)}
    assert len(seeds) == 20 * len(GLOSSES)


def test_balanced_draws_every_gloss_as_often_and_each_repetition_anew():
    draws = [draw for number in range(200) for draw in epoch(number, balanced=True)]
    assert len(draws) == 2000
    counts = Counter(GLOSSES[draw.number] for draw in draws)
    assert counts["book"] == pytest.approx(1000, abs=5 * 22)  # five standard deviations
    assert len({draw.seed for draw in draws}) == 2000


def read(workers, skip=0):
    """Reads an epoch in batches of two, as a resumed run does that skips some."""
    batches = torch.utils.data.BatchSampler(EpochSampler(GLOSSES, 3, False), 2, drop_last=False)
    loader = DataLoader(
        DrawnExamples(Examples()), batch_sampler=list(batches)[skip:], num_workers=workers, collate_fn=lambda rows: rows
    )
    return [row for batch in loader for row in batch]


def test_what_is_drawn_depends_on_neither_workers_nor_what_was_read_before():
    plain = read(0)
    torch.rand(7)
    for other in (read(0), read(2), plain[:4] + read(0, skip=2)):
        assert [row["number"] for row in other] == [row["number"] for row in plain]
        assert all(torch.equal(one["drawn"], two["drawn"]) for one, two in zip(other, plain, strict=True))
    assert len({tuple(row["drawn"].tolist()) for row in plain}) == len(plain)


def test_reading_leaves_the_generator_that_dropout_draws_from_as_it_was():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    DrawnExamples(Examples())[epoch(0)[0]]
    assert torch.equal(torch.rand(3), expected)
