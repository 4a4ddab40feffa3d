"""What TensorBoard shows besides losses: where the time of a step goes, and what the model makes of a few clips."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
from datasets import Dataset
from torch.utils.tensorboard import SummaryWriter

from data_engineering.contact_sheet import draw_sheet
from signvlm.vlm.selection import Asked

SAMPLES = 6
_FRAMES = 8
_TILE = 96  # pixels


class StepTimes:
    """Splits the time of training steps: waiting for clips, computing; evaluations and checkpoints do not count."""

    def __init__(self) -> None:
        self._started = time.perf_counter()
        self._waited = self._apart = 0.0
        self._steps = 0

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Within it the step waits for clips."""
        started = time.perf_counter()
        yield
        self._waited += time.perf_counter() - started

    @contextmanager
    def apart(self) -> Iterator[None]:
        """Within it nothing is trained."""
        started = time.perf_counter()
        yield
        self._apart += time.perf_counter() - started

    def take(self, step: int) -> dict[str, float]:
        """Returns seconds a step since the last call: `step_time`, of which `data_time` and `compute_time`.

        Args:
            step: The number of steps taken so far.
        """
        now = time.perf_counter()
        steps = max(1, step - self._steps)
        whole = (now - self._started - self._apart) / steps
        waited = self._waited / steps
        self._started, self._steps = now, step
        self._waited = self._apart = 0.0
        return {"step_time": whole, "data_time": waited, "compute_time": whole - waited}


def show_samples(
    writer: SummaryWriter, examples: Dataset, glossary: Sequence[str], step: Callable[[], int]
) -> Callable[[Sequence[Asked]], None]:
    """Returns what draws a few validation clips with the model's answers.

    Args:
        writer: Where to.
        examples: The validation clips.
        glossary: The glosses.
        step: Returns the number of steps taken.

    Returns:
        A function of the clips as they were ranked.
    """
    chosen = np.unique(np.linspace(0, len(examples) - 1, SAMPLES).round().astype(int))

    def show(asked: Sequence[Asked]) -> None:
        rows = []
        for index in chosen:
            example, answer = examples[int(index)], glossary[asked[index].best]
            verdict = "right" if asked[index].place == 0 else f"no. {asked[index].place + 1} would be right"
            frames = example["frames"]
            shown = frames[np.linspace(0, len(frames) - 1, min(_FRAMES, len(frames))).round().astype(int)]
            rows.append((f"{example['gloss']}: taken for {answer}, {verdict}", shown))
        writer.add_image("eval/clips", np.asarray(draw_sheet(rows, tile=_TILE)), step(), dataformats="HWC")

    return show
