"""One progress bar for a whole training, on stderr: steps, clips a second, losses, validation top-1, time left."""

import time
from typing import Any

from tqdm import tqdm
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

_SHOWN = {"loss": "loss", "eval_loss": "val loss", "eval_top1": "val top-1"}


class TrainingBar(TrainerCallback):
    """Stands in for the trainer's own bars, which print their figures to stdout."""

    def __init__(self, clips_a_step: int) -> None:
        """Args: clips_a_step: of the effective batch."""
        self.clips_a_step = clips_a_step
        self.figures: dict[str, str] = {}
        self.bar: tqdm | None = None
        self.started, self.first_step = 0.0, 0

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Opens the bar, where a resumed run left off."""
        self.bar = tqdm(
            total=state.max_steps,
            initial=state.global_step,
            desc="train",
            unit="step",
            disable=not state.is_world_process_zero,  # one bar, however many processes train
        )
        self.started, self.first_step = time.perf_counter(), state.global_step

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Moves the bar."""
        if self.bar is not None:
            done = state.global_step - self.first_step
            rate = done * self.clips_a_step / (time.perf_counter() - self.started)
            self.bar.set_postfix({**self.figures, "clips/s": f"{rate:.1f}"}, refresh=False)
            self.bar.update(state.global_step - self.bar.n)

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **kwargs: Any,
    ) -> None:
        """Takes up the newest figures."""
        for key, name in _SHOWN.items():
            if logs and key in logs:
                self.figures[name] = f"{float(logs[key]):.3f}"

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Closes the bar."""
        self.close()

    def close(self) -> None:
        """Leaves the line to whatever is printed next, also where training ended in an error."""
        if self.bar is not None:
            self.bar.close()
