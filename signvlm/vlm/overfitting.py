"""A model that learns its clips by heart: how that shows, and what helps."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from signvlm.console import note
from signvlm.vlm.selection import Ranked

SAMPLE = 64  # training clips ranked at the end
REMEDIES = (
    "what helps: more clips and signers a gloss, stronger augmentation (augmentation.crop, .brightness, "
    ".temporal_jitter), lora.lora_dropout, a smaller lora.r, fewer epochs, or fewer glosses (data.glossary=first-100)"
)
_RISE = 1.1  # of the lowest validation loss
_LEAST = 0.1  # of top-1: less is no gap that anyone would act on


class WatchLosses(TrainerCallback):
    """Says once, while there is time to stop, that the losses part."""

    def __init__(self) -> None:
        self.said = False

    def on_evaluate(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Called after each evaluation, when it is in the log."""
        told = None if self.said or not state.is_world_process_zero else parting(state.log_history)
        if told:
            self.said = True
            note(f"warning: {told}; {REMEDIES}")


def parting(history: Iterable[Mapping[str, Any]]) -> str | None:
    """Says that the validation loss rises while the training loss falls, or None.

    Args:
        history: The trainer's log; training losses count for the evaluation that follows them.
    """
    told: list[tuple[float, float, float]] = []  # epoch, training loss, validation loss
    losses: list[float] = []
    for entry in history:
        if "loss" in entry:
            losses.append(entry["loss"])
        elif "eval_loss" in entry and losses:
            told.append((entry.get("epoch", 0.0), sum(losses) / len(losses), entry["eval_loss"]))
            losses = []
    if len(told) < 3:
        return None
    best = min(range(len(told)), key=lambda number: told[number][2])
    (epoch, training, lowest), (_, training_now, now) = told[best], told[-1]
    if len(told) - 1 - best < 2 or not (now > _RISE * lowest and training_now < training):
        return None
    return (
        f"the validation loss has risen from {lowest:.3f} (epoch {epoch:.1f}) to {now:.3f} while the training loss "
        f"fell from {training:.3f} to {training_now:.3f}: the model learns its clips by heart"
    )


def gap(training: Ranked, validation: Ranked) -> str | None:
    """Says that the model knows its training clips better than chance would let it, or None.

    Args:
        training: Of a sample of the training clips, as they are stored.
        validation: Of the validation clips, by the same model.

    Returns:
        A sentence where the difference is worth acting on and more than two standard errors of two proportions.
    """
    difference = training.top1 - validation.top1
    shared = (training.top1 * training.clips + validation.top1 * validation.clips) / (training.clips + validation.clips)
    error = math.sqrt(shared * (1 - shared) * (1 / training.clips + 1 / validation.clips))
    if difference < max(_LEAST, 2 * error):
        return None
    return (
        f"top-1 is {100 * training.top1:.0f} % on training clips and {100 * validation.top1:.0f} % on validation "
        "clips: overfitting"
    )
