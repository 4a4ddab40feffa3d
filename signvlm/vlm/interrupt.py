"""Ctrl-C between two batches: what is saved then is of a whole step, and no library is left in the middle of one."""

import os
import signal
import threading
from types import FrameType, TracebackType
from typing import Any

import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from signvlm import processes
from signvlm.console import note


class Interrupt(TrainerCallback):
    """Turns Ctrl-C into a KeyboardInterrupt at the end of the batch at hand; a second one into one at once.

    A KeyboardInterrupt inside of an optimizer's step leaves some weights stepped and others not; inside of a backward
    pass, torch 2.15 was seen to crash at the process's end (4 of 18 times).

    Attributes:
        asked: Whether Ctrl-C was pressed.
    """

    def __init__(self) -> None:
        self.asked = False
        self._process = os.getpid()
        self._before: Any = None

    def __enter__(self) -> "Interrupt":
        """Listens, in the main thread and unless whoever started the process chose otherwise."""
        ours = threading.current_thread() is threading.main_thread()
        if ours and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            self._before = signal.signal(signal.SIGINT, self._hear)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Puts the earlier handler back."""
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)

    def _hear(self, number: int, frame: FrameType | None) -> None:
        if os.getpid() != self._process:  # a worker that was forked: its parent ends it
            return
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True
        note("interrupted: this batch is finished first; Ctrl-C once more ends at once")

    def _check(self, *_: Any, **__: Any) -> None:
        if self.asked and not processes.joined():
            raise KeyboardInterrupt

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Ends after a step: of several processes all after the same one, whichever heard it."""
        if processes.any_of(torch.tensor(self.asked, device=args.device)) if processes.joined() else self.asked:
            raise KeyboardInterrupt

    on_substep_end = on_prediction_step = _check
