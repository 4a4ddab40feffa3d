"""A trainer's steps cut to the memory of its device: steps are run for nothing, and their time and memory taken."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psutil
import torch
from datasets import Dataset

from data_engineering.errors import ConfigError
from signvlm import processes
from signvlm.config import Config
from signvlm.console import note
from signvlm.hardware import Hardware
from signvlm.vlm.budget import Choice, Cut, Trial, choose
from signvlm.vlm.examples import readable
from signvlm.vlm.loss import answer_logits, answer_loss
from signvlm.vlm.model import autocast, torch_device
from signvlm.vlm.out_of_memory import free, is_out_of_memory
from signvlm.vlm.recompute import language_layers, recompute

_MARGIN = 0.1  # of what is free: the allocator's gaps, and what other programs take later
_OPTIMIZER = 12  # bytes a trained weight: its gradient and AdamW's two averages, in float32
Collate = Callable[[Sequence[Any]], dict[str, Any]]


def fit(
    trainer: Any,
    collate: Callable[[Sequence[Any]], dict[str, Any]],
    examples: Dataset,
    config: Config,
    hardware: Hardware,
) -> Cut:
    """Chooses how the trainer's steps are cut, says so, and sets it.

    The weights, their gradients and the random state are left as they were.

    Args:
        trainer: Before its training; its arguments hold the effective batch.
        collate: Makes batches.
        examples: Training clips.
        config: Gives budget and fixed values.
        hardware: What the run is on.

    Raises:
        ConfigError: A fixed value does not suit the batch or the model.
        RunError: Not even one clip at a time fits.
        UnreadableClipsError: A clip that is measured with cannot be read.
    """
    settings, arguments = config.memory, trainer.args
    layers = language_layers(trainer.model)
    given, steps = arguments.per_device_train_batch_size, arguments.gradient_accumulation_steps
    effective = given * steps
    if settings.micro_batch and effective % settings.micro_batch:
        raise ConfigError(f"memory.micro_batch: {settings.micro_batch} does not divide the effective batch {effective}")
    if settings.recompute is not None and settings.recompute > len(layers):
        raise ConfigError(f"memory.recompute: the language model has {len(layers)} layers")
    by_library = config.training.get("gradient_checkpointing")
    fixed = settings.recompute if by_library is None else len(layers) * by_library
    fastest = settings.micro_batch is None and (hardware.device == "cuda" or settings.budget_gb is not None)
    if fastest:
        sizes = [size for size in range(1, effective + 1) if effective % size == 0]
    else:
        most = settings.micro_batch or given
        sizes = [size for size in range(most, 0, -1) if most % size == 0]
    measurable = hardware.device in ("cuda", "cpu")
    if not measurable and fixed is None:
        fixed = len(layers)
    if not measurable or (fixed is not None and not fastest):
        cut, why = Cut(sizes[0], fixed or 0), "as given" if measurable else f"{hardware.device} tells no memory"
    else:
        budget = _budget(settings.budget_gb, hardware)
        measured = processes.agreed(
            lambda: _measured(
                trainer.model, collate, examples, hardware, Choice(sizes, fastest, fixed, len(layers)), budget
            )
        )
        cut = measured.cut
        why = f"{measured.peak / 1e9:.1f} GB measured of a budget of {budget / 1e9:.1f} GB"
    if by_library is None:
        recompute(layers, cut.recomputed)
    arguments.per_device_train_batch_size = trainer._train_batch_size = cut.clips
    arguments.gradient_accumulation_steps = effective // cut.clips
    note(
        f"memory: {cut.clips} clips at once, {effective // cut.clips} times a step; "
        f"{cut.recomputed} of {len(layers)} layers compute their activations twice ({why})"
    )
    return cut


def _measured(
    model: torch.nn.Module, collate: Collate, examples: Dataset, hardware: Hardware, choice: Choice, budget: int
) -> Trial:
    layers = language_layers(model)
    optimizer = _OPTIMIZER * sum(p.numel() for p in model.parameters() if p.requires_grad)
    device = torch_device(hardware)

    def run(cut: Cut) -> Trial | None:
        recompute(layers, cut.recomputed)
        batch = readable(collate([examples[number % len(examples)] for number in range(cut.clips)]))
        labels = batch["labels"].to(device)
        inputs = {key: value.to(device) for key, value in batch.items() if key != "labels"}
        seconds = float("inf")
        try:
            with _peak(hardware) as peak:
                for _ in range(2 if choice.fastest else 1):  # the first one warms up
                    started = time.perf_counter()
                    with autocast(hardware):
                        loss = answer_loss(answer_logits(model, inputs, labels), labels)
                    loss.backward()
                    loss.item()  # waits for the device
                    seconds = min(seconds, time.perf_counter() - started)
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            return None
        finally:
            model.zero_grad(set_to_none=True)
            free()
        return Trial(cut, peak[0] + optimizer, seconds / cut.clips)

    training = model.training
    model.train()
    try:
        with torch.random.fork_rng(devices=[torch.cuda.current_device()] if hardware.device == "cuda" else []):
            return choose(run, choice, _in_use(hardware) + optimizer, budget)
    finally:
        model.train(training)


def _budget(given: float | None, hardware: Hardware) -> int:
    """Returns bytes that this process may have in use."""
    if given is not None:
        return int(given * 1e9)
    if hardware.device == "cuda":
        there = torch.cuda.mem_get_info()[0] + torch.cuda.memory_reserved()
    else:
        there = psutil.virtual_memory().available + _in_use(hardware)
    return int((1 - _MARGIN) * there)


def _in_use(hardware: Hardware) -> int:
    return torch.cuda.memory_allocated() if hardware.device == "cuda" else psutil.Process().memory_info().rss


@contextmanager
def _peak(hardware: Hardware) -> Iterator[list[int]]:
    """Yields a list that holds, at the end, the most bytes in use within it: allocated on CUDA, else resident."""
    peak = [_in_use(hardware)]
    if hardware.device == "cuda":
        torch.cuda.reset_peak_memory_stats()
        yield peak
        peak[0] = torch.cuda.max_memory_allocated()
        return
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.005):
            peak[0] = max(peak[0], _in_use(hardware))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield peak
    finally:
        done.set()
        watcher.join()
