"""TRL's SFTTrainer with what signs need.

A loss on the answers only, smoothing in the same forward, selection by validation top-1, and an end that loses nothing
when a clip cannot be read.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from trl import SFTTrainer

from data_engineering.clip import write_text
from signvlm.vlm.examples import UnreadableClipsError
from signvlm.vlm.loss import Smoothing, answer_logits, answer_loss
from signvlm.vlm.model import PROJECTOR


class SignTrainer(SFTTrainer):
    """Fine-tunes on batches of `VideoCollator`.

    Attributes:
        smoothing: Of the labels, in training only; the validation loss is the plain one.
        projector_learning_rate: The projector's own, or None.
        companions: {file name: text} written into every checkpoint, so that each can be evaluated like a bundle.
    """

    model: Any  # the trainers declare it as maybe absent

    def __init__(
        self,
        *args: Any,
        smoothing: Smoothing,
        projector_learning_rate: float | None,
        companions: dict[str, str],
        **kwargs: Any,
    ) -> None:
        """Takes SFTTrainer's arguments and the three above."""
        self.smoothing = smoothing
        self.projector_learning_rate = projector_learning_rate
        self.companions = companions
        self._step_started = time.perf_counter()
        self._steps_logged = 0
        super().__init__(*args, **kwargs)
        _leave_tower_out(self.model)
        # TRL casts a quantized model's trainable weights to bfloat16; small updates would be rounded away.
        for parameter in self.model.parameters():
            if parameter.requires_grad:
                parameter.data = parameter.data.float()

    def compute_loss(
        self,
        model: torch.nn.Module,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> Any:
        """The answers' loss; the head runs on the answers' positions only.

        Raises:
            UnreadableClipsError: The batch names clips that could not be read.
        """
        if inputs.get("unreadable"):
            raise UnreadableClipsError([tuple(clip) for clip in inputs["unreadable"]])
        labels = inputs["labels"]
        logits = answer_logits(model, {key: value for key, value in inputs.items() if key != "labels"}, labels)
        loss = answer_loss(logits, labels, self.smoothing if model.training else None, num_items_in_batch)
        if num_items_in_batch is not None and self.args.average_tokens_across_devices:
            loss = loss * self.accelerator.num_processes  # DDP averages gradients; the count is over all processes
        return (loss, {"logits": logits}) if return_outputs else loss

    def create_optimizer(self, *args: Any, **kwargs: Any) -> torch.optim.Optimizer:
        """The usual optimizer, the projector in groups of its own where it has a learning rate of its own."""
        optimizer = super().create_optimizer(*args, **kwargs)
        if self.projector_learning_rate is not None:
            projector = {id(p) for name, p in self.model.named_parameters() if PROJECTOR in name}
            for group in list(optimizer.param_groups):
                apart = [p for p in group["params"] if id(p) in projector]
                if apart and len(apart) < len(group["params"]):
                    group["params"] = [p for p in group["params"] if id(p) not in projector]
                    optimizer.add_param_group({**group, "params": apart, "lr": self.projector_learning_rate})
                elif apart:
                    group["lr"] = self.projector_learning_rate
        return optimizer

    def create_model_card(self, *args: Any, **kwargs: Any) -> None:
        """Writes nothing: a bundle has a card of its own."""

    def _save(self, output_dir: str | None = None, state_dict: dict[str, Any] | None = None) -> None:
        super()._save(output_dir, state_dict)
        for name, text in self.companions.items():
            write_text(Path(output_dir or str(self.args.output_dir)) / name, text)

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Adds what a user watches: seconds a step and memory in GiB."""
        if "loss" in logs:
            now, steps = time.perf_counter(), self.state.global_step - self._steps_logged
            logs["step_time"] = (now - self._step_started) / max(1, steps)
            self._step_started, self._steps_logged = now, self.state.global_step
            logs["gpu_memory_gb" if torch.cuda.is_available() else "memory_gb"] = memory_in_use() / 2**30
        super().log(logs, start_time)


def _leave_tower_out(model: torch.nn.Module) -> None:
    """Runs a frozen vision tower without gradients.

    With checkpointing, the libraries make the embeddings of every sub-model require gradients, the frozen tower's too:
    it would be recomputed and backpropagated through for nothing.
    """
    for name, module in model.named_modules():
        if name.endswith("vision_tower") and not any(p.requires_grad for p in module.parameters()):
            module.forward = torch.no_grad()(module.forward)


class SelectByRanking(TrainerCallback):
    """Adds validation top-1, by exact ranking, to each evaluation's metrics.

    The best model and early stopping are chosen by it, so it must stand before EarlyStoppingCallback in the list.
    """

    def __init__(self, top1: Callable[[], float], log: Callable[[dict[str, float]], None]) -> None:
        """Args: top1: ranks the validation clips and returns the share right. log: writes to the trainer's log."""
        self.top1 = top1
        self.log = log

    def on_evaluate(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **kwargs: Any,
    ) -> None:
        """Called by the trainer after the validation loss is known and before the best model is chosen."""
        metrics: dict[str, float] = kwargs["metrics"]
        metrics["eval_top1"] = self.top1()
        self.log({"eval_top1": metrics["eval_top1"]})


def memory_in_use() -> int:
    """Returns bytes: the GPU's peak since the process began, or this process's resident set where there is none."""
    return torch.cuda.max_memory_allocated() if torch.cuda.is_available() else psutil.Process().memory_info().rss
