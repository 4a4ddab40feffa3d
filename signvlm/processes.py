"""Several processes training one model (`accelerate launch -m signvlm train`): who is first, and what all agree on.

In a run of one process everything here is free and does nothing.
"""

import os
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import torch
from accelerate import PartialState
from torch import distributed

T = TypeVar("T")


def join(device: str) -> None:
    """Joins the processes that a launcher started with this one; each takes a card of its own.

    Args:
        device: What the hardware selector chose; `cpu` talks through gloo.
    """
    if joined():
        PartialState(cpu=device == "cpu")


def count() -> int:
    """Returns how many processes train together, as their launcher told them."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def joined() -> bool:
    """Tells whether this process is one of several."""
    return count() > 1


def rank() -> int:
    """Returns this process's number, from 0."""
    return int(os.environ.get("RANK", "0")) if joined() else 0


def first() -> bool:
    """Tells whether this is the process that prints and writes."""
    return rank() == 0


def wait() -> None:
    """Waits until all processes are here."""
    if joined():
        distributed.barrier()


def agreed(decide: Callable[[], T]) -> T:
    """Lets the first process decide, and returns in all of them what it decided.

    Raises:
        Exception: What `decide` raised, in every process, so that none waits for the others.
    """
    if not joined():
        return decide()
    told: list[Any] = [None, None]
    if first():
        try:
            told[0] = decide()
        except Exception as error:
            told[1] = error
    distributed.broadcast_object_list(told, src=0)
    if told[1] is not None:
        raise told[1]
    return told[0]


def gathered(part: Sequence[T]) -> list[T]:
    """Returns the parts of all processes, one after another; parts may differ in length."""
    if not joined():
        return list(part)
    parts: list[Any] = [None] * count()
    distributed.all_gather_object(parts, list(part))
    return [each for received in parts for each in received]


def any_of(flag: torch.Tensor) -> bool:
    """Tells whether a flag (a scalar bool on the model's device) is set in any process."""
    if joined():
        flag = flag.to(torch.int32)
        distributed.all_reduce(flag, distributed.ReduceOp.MAX)
    return bool(flag)
