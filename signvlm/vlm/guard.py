"""A loss that is no number: its step is left out, and after a few in a row training ends with the last good weights."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from data_engineering.errors import RunError
from signvlm import processes
from signvlm.console import note

CLIPS = "clip_ids"
IN_A_ROW = 3  # a single bad batch is a clip's fault, a row of them the training's


class NamedBatches:
    """Leaves the clips' ids in a batch, for whoever has to name them."""

    def __init__(self, collate: Callable[[Sequence[Mapping[str, Any]]], dict[str, Any]]) -> None:
        """Args: collate: makes the batch."""
        self.collate = collate

    def __call__(self, examples: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Returns the batch, with `clip_ids`."""
        return {**self.collate(examples), CLIPS: [example["clip_id"] for example in examples]}


class NotANumberError(RunError):
    """The loss, or its gradient, was not a number in several steps in a row."""


class Guard(TrainerCallback):
    """Leaves out the steps whose loss or gradient is not a finite number.

    One such step would make every weight not a number; Adam's averages would keep it for good.
    """

    def __init__(self) -> None:
        self._losses: list[torch.Tensor] = []
        self._clips: list[str] = []
        self._bad: list[str] = []  # clips of the bad steps in a row
        self._row = 0

    def saw(self, loss: torch.Tensor, clips: Sequence[str]) -> None:
        """Takes up a batch's loss (a scalar, on its device) and the clips that it is of."""
        self._losses.append(loss.detach())
        self._clips += clips

    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Forgets what a step that was broken off left."""
        self._losses, self._clips = [], []

    def on_pre_optimizer_step(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Called when the gradients are complete.

        Raises:
            NotANumberError: This has now happened IN_A_ROW times.
        """
        weights = [p for p in kwargs["model"].parameters() if p.grad is not None]
        finite = [torch.stack(self._losses).isfinite().all()] if self._losses else []
        if not args.fp16:  # there, gradients overflow now and then, and the scaler leaves out those steps
            finite += [weight.grad.isfinite().all() for weight in weights]
        if not finite or not processes.any_of(~torch.stack(finite).all()):
            self._row, self._bad = 0, []
            return
        for weight in weights:
            weight.grad = None  # the optimizer passes over it, decay and averages included
        self._row += 1
        self._bad += self._clips
        named = ", ".join(dict.fromkeys(self._bad))
        if self._row >= IN_A_ROW:
            raise NotANumberError(
                f"the loss is not a finite number in {self._row} steps in a row, with the clips {named[:300]}"
            )
        note(f"warning: step {state.global_step + 1}: the loss is not a finite number, the step is left out ({named})")
