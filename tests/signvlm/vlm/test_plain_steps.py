"""Where lists of tensors do not run, a step uses none of them and comes to the same weights."""

import torch
from accelerate import Accelerator
from torch.utils._python_dispatch import TorchDispatchMode

from signvlm.vlm.plain_steps import without_lists


class Seen(TorchDispatchMode):
    """Notes every operation."""

    def __init__(self):
        super().__init__()
        self.operations = set()

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        self.operations.add(str(operation))
        return operation(*args, **(kwargs or {}))


def steps(plain, **options):
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(8, 8), torch.nn.Linear(8, 1))
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1, **options)
    accelerator = Accelerator(cpu=True)
    if plain:
        without_lists(optimizer, accelerator)
    with Seen() as seen:
        for _ in range(3):
            optimizer.zero_grad()
            model(torch.ones(2, 8)).pow(2).sum().backward()
            accelerator.clip_grad_norm_(model.parameters(), 0.5)
            optimizer.step()
    lists = {operation for operation in seen.operations if "_foreach" in operation or "_fused" in operation}
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()]), lists


def test_no_operation_on_lists_is_left():
    weights, lists = steps(plain=True, foreach=True)
    expected, used = steps(plain=False, foreach=True)
    assert used
    assert not lists
    torch.testing.assert_close(weights, expected)
    assert not steps(plain=True, fused=True)[1]
