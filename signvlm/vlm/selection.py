"""Which model is kept: each evaluation ranks the validation clips exactly, and the best top-1 wins, ties by loss.

The ranking gives the loss too: a clip's loss is what the ranking scored its own gloss with. So one pass over the
validation clips does, and several processes share it without counting a clip twice or not at all.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from datasets import Dataset
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from signvlm import processes
from signvlm.selection import DIGITS, without_gain
from signvlm.vlm.examples import UnreadableClipsError
from signvlm.vlm.out_of_memory import shrinking

SCORE = "eval_selection"  # what transformers' trainer compares; never shown
Rank = Callable[[Callable[[], None]], "Ranked"]  # of something to call after each batch
LogProbs = Callable[[Sequence[Mapping[str, Any]]], np.ndarray]


class Asked(NamedTuple):
    """How one clip was ranked.

    Attributes:
        number: The clip's place in the dataset.
        best: Which gloss came first.
        place: Its gloss's place in the ranking, from 0.
        log_prob: Its gloss's log-probability, in nats.
        tokens: The tokens of its gloss, the end token included.
    """

    number: int
    best: int
    place: int
    log_prob: float
    tokens: int


@dataclass(frozen=True)
class Ranked:
    """What a ranking of clips came to.

    Attributes:
        clips: How many there were.
        top1: Share whose gloss came first.
        top5: Share whose gloss was among the first five.
        loss: Cross-entropy a supervised token, in nats: the training's loss without smoothing.
    """

    clips: int
    top1: float
    top5: float
    loss: float

    @classmethod
    def of(cls, asked: Sequence[Asked]) -> "Ranked":
        """Sums up."""
        count = len(asked)
        return cls(
            clips=count,
            top1=sum(clip.place < 1 for clip in asked) / count,
            top5=sum(clip.place < 5 for clip in asked) / count,
            loss=-sum(clip.log_prob for clip in asked) / sum(clip.tokens for clip in asked),
        )


def rank_clips(
    log_probs: LogProbs,
    answers: Mapping[str, int],
    examples: Dataset,
    batch_size: int,
    between: Callable[[], None] = lambda: None,
) -> list[Asked]:
    """Ranks the glossary for every clip; several processes take a share each, and all get the whole.

    Args:
        log_probs: Scores every gloss for some examples: float32 (B, G), in the order of `answers`.
        answers: {gloss: its number of tokens}.
        examples: As `as_examples` returns them.
        batch_size: Clips ranked together.
        between: Called after each batch.

    Raises:
        UnreadableClipsError: A clip cannot be read.
    """
    column = {gloss: number for number, gloss in enumerate(answers)}
    mine = range(processes.rank(), len(examples), processes.count())
    asked = []
    for start in range(0, len(mine), batch_size):
        indices = mine[start : start + batch_size]
        batch = [examples[index] for index in indices]
        unreadable = [(example["clip_id"], *example["error"]) for example in batch if example["error"]]
        if unreadable:
            raise UnreadableClipsError(unreadable)
        for index, example, scores in zip(indices, batch, log_probs(batch), strict=True):
            right = column[example["gloss"]]
            # Equal scores count as argmax would count them: the first of the glossary wins. Not a number beats nothing.
            ahead = int((scores > scores[right]).sum() + (scores[:right] == scores[right]).sum())
            place = ahead if np.isfinite(scores[right]) else len(scores)
            asked.append(Asked(index, int(scores.argmax()), place, float(scores[right]), answers[example["gloss"]]))
        between()
    everything = sorted(processes.gathered(asked))
    if [clip.number for clip in everything] != list(range(len(examples))):
        raise AssertionError("the processes did not rank every clip once")
    return everything


class Validation:
    """Ranks the validation clips whenever it is called; where memory runs out, with smaller batches from then on."""

    def __init__(
        self,
        log_probs: LogProbs,
        answers: Mapping[str, int],
        examples: Dataset,
        batch_size: int,
        show: Callable[[Sequence[Asked]], None] | None = None,
    ) -> None:
        """Takes what `rank_clips` takes, and what is shown how the clips were ranked."""
        self.log_probs = log_probs
        self.answers = answers
        self.examples = examples
        self.batch_size = batch_size
        self.show = show

    def __call__(self, between: Callable[[], None]) -> Ranked:
        """Ranks; `between` is called after each batch."""
        asked, self.batch_size = shrinking(
            lambda size: rank_clips(self.log_probs, self.answers, self.examples, size, between),
            self.batch_size,
            "evaluation.batch_size",
        )
        if self.show is not None and processes.first():
            self.show(asked)
        return Ranked.of(asked)


def selection_score(ranked: Ranked) -> float:
    """Returns a number that is larger for a better top-1 and, where that is the same, for a lower loss.

    One clip more is worth 1 / clips, and no loss is worth more than half of it.
    """
    loss = round(ranked.loss, DIGITS) if math.isfinite(ranked.loss) else math.inf
    return ranked.top1 + 0.5 / ranked.clips / (1 + max(0.0, loss))


class Patience(TrainerCallback):
    """Stops a training that no longer gains."""

    def __init__(self, metric: str, evaluations: int) -> None:
        """Args: metric: `top1` or `loss`. evaluations: how many without gain end it."""
        self.metric = metric
        self.evaluations = evaluations

    def on_evaluate(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Called after each evaluation, when it is in the log."""
        if without_gain(state.log_history, self.metric) >= self.evaluations:
            control.should_training_stop = True
