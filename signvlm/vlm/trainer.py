"""TRL's SFTTrainer with what signs need.

A loss on the answers only, smoothing in the same forward, selection by validation top-1, and draws that a resumed run
repeats.
"""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import torch
from trl import SFTTrainer

from data_engineering.clip import write_text
from signvlm.vlm.anatomy import anatomy
from signvlm.vlm.examples import readable
from signvlm.vlm.guard import CLIPS, Guard
from signvlm.vlm.loss import Smoothing, answer_logits, answer_loss
from signvlm.vlm.model import unwrap
from signvlm.vlm.out_of_memory import shrinking
from signvlm.vlm.plain_steps import LISTS, without_lists
from signvlm.vlm.sampler import DrawnExamples, EpochSampler, NameEpoch
from signvlm.vlm.selection import SCORE, Rank, selection_score
from signvlm.vlm.watch import StepTimes


class SignTrainer(SFTTrainer):
    """Fine-tunes on batches of `VideoCollator`.

    Attributes:
        smoothing: Of the labels, in training only; the validation loss is the plain one.
        projector_learning_rate: The projector's own, or None.
        companions: {file name: text} written into every checkpoint, so that each can be evaluated like a bundle.
        rank: Ranks the validation clips; None leaves evaluation to the trainer, which computes the loss alone.
    """

    model: Any  # the trainers declare it as maybe absent

    def __init__(
        self,
        *args: Any,
        smoothing: Smoothing,
        projector_learning_rate: float | None,
        companions: dict[str, str],
        rank: Rank | None = None,
        balanced: bool = False,
        **kwargs: Any,
    ) -> None:
        """Takes SFTTrainer's arguments, the four above, and whether every gloss is drawn equally often."""
        self.smoothing = smoothing
        self.projector_learning_rate = projector_learning_rate
        self.companions = companions
        self.rank = rank
        self._times = StepTimes()
        self._guard = Guard()
        super().__init__(*args, **kwargs)
        seed = self.args.seed if self.args.data_seed is None else self.args.data_seed
        examples: Any = self.train_dataset
        self._sampler = EpochSampler(examples.with_format(None)["gloss"], seed, balanced)
        self.train_dataset = DrawnExamples(examples)
        self.add_callback(NameEpoch(self._sampler))
        self.add_callback(self._guard)
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
        clips = readable(inputs).pop(CLIPS, ())
        labels = inputs["labels"]
        logits = answer_logits(model, {key: value for key, value in inputs.items() if key != "labels"}, labels)
        loss = answer_loss(logits, labels, self.smoothing if model.training else None, num_items_in_batch)
        if model.training:
            self._guard.saw(loss, clips)
        if num_items_in_batch is not None and self.args.average_tokens_across_devices:
            loss = loss * self.accelerator.num_processes  # DDP averages gradients; the count is over all processes
        return (loss, {"logits": logits}) if return_outputs else loss

    def evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
        """Ranks the validation clips: loss, top-1, top-5, and the score by which the best model is chosen."""
        with self._times.apart():
            if self.rank is None:
                plain = super().evaluate

                def evaluate(size: int) -> dict[str, float]:
                    self.args.per_device_eval_batch_size = size
                    return plain(*args, **kwargs)

                key = "training.per_device_eval_batch_size"
                return shrinking(evaluate, self.args.per_device_eval_batch_size, key)[0]
            started = time.perf_counter()
            self.model.eval()
            ranked = self.rank(self._between)
            metrics = {"eval_loss": ranked.loss, "eval_top1": ranked.top1, "eval_top5": ranked.top5}
            self.log({**metrics, "eval_runtime": time.perf_counter() - started})
            metrics[SCORE] = selection_score(ranked)
            self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
            return metrics

    def _between(self) -> None:
        self.control = self.callback_handler.on_prediction_step(self.args, self.state, self.control)

    def get_batch_samples(self, *args: Any, **kwargs: Any) -> Any:
        """Times how long a step waits for its clips."""
        with self._times.waiting():
            return super().get_batch_samples(*args, **kwargs)

    def _get_train_sampler(self, *args: Any, **kwargs: Any) -> EpochSampler:
        return self._sampler

    def _save_checkpoint(self, *args: Any, **kwargs: Any) -> None:
        with self._times.apart():
            super()._save_checkpoint(*args, **kwargs)

    def create_optimizer(self, *args: Any, **kwargs: Any) -> torch.optim.Optimizer:
        """The usual optimizer, the projector in groups of its own where it has a learning rate of its own."""
        optimizer = super().create_optimizer(*args, **kwargs)
        if self.projector_learning_rate is not None:
            part = anatomy(unwrap(self.model).config).projector
            projector = {id(p) for name, p in self.model.named_parameters() if part in name}
            for group in list(optimizer.param_groups):
                apart = [p for p in group["params"] if id(p) in projector]
                if apart and len(apart) < len(group["params"]):
                    group["params"] = [p for p in group["params"] if id(p) not in projector]
                    optimizer.add_param_group({**group, "params": apart, "lr": self.projector_learning_rate})
                elif apart:
                    group["lr"] = self.projector_learning_rate
        if self.args.device.type not in LISTS:
            without_lists(optimizer, self.accelerator)
        return optimizer

    def create_model_card(self, *args: Any, **kwargs: Any) -> None:
        """Writes nothing: a bundle has a card of its own."""

    def _save(self, output_dir: str | None = None, state_dict: dict[str, Any] | None = None) -> None:
        super()._save(output_dir, state_dict)
        for name, text in self.companions.items():
            write_text(Path(output_dir or str(self.args.output_dir)) / name, text)

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Adds what a user watches: seconds a step, memory in GiB, the projector's learning rate."""
        if "loss" in logs:
            logs.update(self._times.take(self.state.global_step))
            if self.projector_learning_rate is not None and self.args.learning_rate:
                # One schedule for all groups: each has its own rate times the same factor.
                share = logs["learning_rate"] / self.args.learning_rate
                logs["projector_learning_rate"] = share * self.projector_learning_rate
            logs["gpu_memory_gb" if torch.cuda.is_available() else "memory_gb"] = memory_in_use() / 2**30
        super().log(logs, start_time)


def _leave_tower_out(model: torch.nn.Module) -> None:
    """Runs a frozen vision tower without gradients.

    With checkpointing, the libraries make the embeddings of every sub-model require gradients, the frozen tower's too:
    it would be recomputed and backpropagated through for nothing.
    """
    tower = anatomy(unwrap(model).config).tower
    for name, module in list(model.named_modules()):
        if name.endswith(f".{tower}"):
            for part in _frozen(module):
                part.forward = torch.no_grad()(part.forward)


def _frozen(module: torch.nn.Module) -> Iterator[torch.nn.Module]:
    """Yields a module if none of its weights trains, else those below it: a tower may hold its projector."""
    trains = {parameter.requires_grad for parameter in module.parameters()}
    if trains == {False} and not isinstance(module, torch.nn.ModuleList):
        yield module
    elif trains:
        for child in module.children():
            yield from _frozen(child)


def memory_in_use() -> int:
    """Returns bytes: the GPU's peak since the process began, or this process's resident set where there is none."""
    return torch.cuda.max_memory_allocated() if torch.cuda.is_available() else psutil.Process().memory_info().rss
