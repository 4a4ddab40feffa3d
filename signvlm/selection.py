"""Which evaluation of a training is the best, whatever family trained, and on which clips no model is selected."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

from data_engineering.errors import ConfigError
from signvlm.corpus import Corpus, clip_ids

DIGITS = 4  # of a loss: a smaller gain is none


def best_evaluation(history: Iterable[Mapping[str, Any]], metric: str) -> Mapping[str, Any] | None:
    """Returns the best evaluation of the trainer's log, the first of equals; None where there is none.

    Args:
        history: The trainer's log, which a resumed run goes on with.
        metric: `top1` (ties by loss) or `loss`.
    """
    evaluations = [entry for entry in history if "eval_loss" in entry]
    return max(evaluations, key=lambda entry: _worth(entry, metric), default=None)


def without_gain(history: Iterable[Mapping[str, Any]], metric: str) -> int:
    """Returns how many evaluations have passed since the best one; takes what `best_evaluation` takes."""
    worth = [_worth(entry, metric) for entry in history if "eval_loss" in entry]
    return len(worth) - 1 - worth.index(max(worth)) if worth else 0


def _worth(entry: Mapping[str, Any], metric: str) -> tuple[float, float]:
    loss = round(entry["eval_loss"], DIGITS) if math.isfinite(entry["eval_loss"]) else math.inf
    return (entry.get("eval_top1", 0.0) if metric == "top1" else 0.0, -loss)


def check_held_out(corpus: Corpus) -> None:
    """Refuses to select a model on clips that it is to be tested on.

    Raises:
        ConfigError: A validation clip is a test clip too.
    """
    both = sorted({*clip_ids(corpus.rows["validation"])} & {*clip_ids(corpus.rows["test"])})
    if both:
        raise ConfigError(
            f"data.split: {len(both)} validation clips are test clips too, e.g. {both[0]}, and no model is selected on "
            "the clips that test it; run `signvlm validate` and `signvlm preprocess` with a split of your own, "
            "or data.split=signer"
        )
