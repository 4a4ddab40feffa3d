"""A loss that is no number leaves the weights as they are, and ends a training that gives nothing else."""

import pytest
import torch
from transformers import TrainerControl, TrainerState, TrainingArguments

from signvlm.vlm.guard import Guard, NamedBatches, NotANumberError


@pytest.fixture
def arguments(tmp_path):
    return TrainingArguments(output_dir=str(tmp_path), use_cpu=True, report_to="none")


@pytest.fixture
def step(arguments):
    """Takes a step as the trainer does, on a loss times a factor; returns the weights after it."""
    torch.manual_seed(0)
    layer = torch.nn.Linear(4, 1)
    optimizer = torch.optim.AdamW(layer.parameters(), lr=0.1, weight_decay=0.5)
    guard, state = Guard(), TrainerState()

    def step(factor, clips=("7",), gradient=None):
        optimizer.zero_grad()
        guard.on_step_begin(arguments, state, TrainerControl())
        loss = factor * layer(torch.ones(1, 4)).sum()
        loss.backward()
        if gradient is not None:
            layer.weight.grad[0, 0] = gradient
        guard.saw(loss, clips)
        guard.on_pre_optimizer_step(arguments, state, TrainerControl(), model=layer)
        optimizer.step()
        return layer.weight.detach().clone()

    return step


@pytest.mark.parametrize(("factor", "gradient"), [(float("nan"), None), (float("inf"), None), (1.0, float("nan"))])
def test_a_step_without_a_finite_number_is_left_out_and_named(step, capsys, factor, gradient):
    before = step(1.0)
    assert torch.equal(step(factor, ("31", "32"), gradient), before)
    assert "step 1: the loss is not a finite number, the step is left out (31, 32)" in capsys.readouterr().err
    assert not torch.equal(step(1.0), before)


def test_three_in_a_row_end_the_training_and_name_their_clips(step):
    before = step(1.0)
    step(float("nan"), ("1", "2"))
    step(float("nan"), ("3", "4"))
    with pytest.raises(NotANumberError, match=r"in 3 steps in a row, with the clips 1, 2, 3, 4, 5$"):
        step(float("nan"), ("5", "1"))
    assert torch.equal(step(0.0) * 0, before * 0)  # finite still


def test_a_good_step_in_between_starts_the_count_anew(step):
    for _ in range(4):
        step(float("nan"))
        step(float("nan"))
        step(1.0)


def test_a_batch_carries_the_ids_of_its_clips():
    batch = NamedBatches(lambda examples: {"count": len(examples)})([{"clip_id": "a"}, {"clip_id": "b"}])
    assert batch == {"count": 2, "clip_ids": ["a", "b"]}
