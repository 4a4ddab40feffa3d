"""How a training step is cut so that it fits the memory and is as fast as that allows; chosen by measuring.

A cut is how many clips run at once (the effective batch is made up by accumulation) and how many layers compute their
activations again in the backward pass. Two steps of one clip show what a clip and what a kept layer take; from that
the fewest layers that must compute again are known for every number of clips, and each such cut is then run.
"""

from collections.abc import Callable, Sequence
from math import ceil
from typing import NamedTuple

from data_engineering.errors import RunError
from signvlm.console import note


class Cut(NamedTuple):
    """How a step is cut.

    Attributes:
        clips: In a forward pass.
        recomputed: Layers that compute their activations again.
    """

    clips: int
    recomputed: int


class Trial(NamedTuple):
    """What a cut took.

    Attributes:
        cut: The cut.
        peak: Bytes, model and optimizer included.
        seconds: A clip.
    """

    cut: Cut
    peak: int
    seconds: float


class Choice(NamedTuple):
    """What may be chosen from.

    Attributes:
        clips: Numbers of clips in a forward pass, each a divisor of the effective batch.
        fastest: Take the fastest of them; else the first that fits.
        recomputed: A fixed number of layers; None for as few as fit.
        layers: How many layers there are.
    """

    clips: Sequence[int]
    fastest: bool
    recomputed: int | None
    layers: int


Measure = Callable[[Cut], Trial | None]


def choose(measure: Measure, choice: Choice, held: int, budget: int) -> Trial:
    """Chooses a cut.

    Args:
        measure: Runs a step; None where memory ran out.
        choice: What may be chosen from.
        held: Bytes in use beside any step: weights, optimizer.
        budget: Bytes that may be in use.

    Raises:
        RunError: No cut fits.
    """
    all_layers = choice.layers if choice.recomputed is None else choice.recomputed
    lean = measure(Cut(1, all_layers))
    if lean is None or lean.peak > budget:
        need = "memory ran out" if lean is None else f"{lean.peak / 1e9:.1f} GB are needed"
        raise RunError(
            f"memory: {budget / 1e9:.1f} GB do not do for one clip at once with {all_layers} of {choice.layers} layers "
            f"recomputed ({need}); raise memory.budget_gb, or set preprocess.num_frames lower and preprocess again"
        )
    clip, layer = lean.peak - held, 0
    if choice.recomputed is None:
        kept = max(1, choice.layers // 4)
        rich = measure(Cut(1, choice.layers - kept))
        layer = max(0, rich.peak - lean.peak) // kept if rich else budget  # where these do not fit, none does
    found: list[Trial] = []
    for clips in choice.clips:
        spare = budget - held - clips * clip
        if spare < 0:
            continue
        fewest = choice.layers - spare // (clips * layer) if layer else 0
        trial = _run(measure, clips, max(0, fewest) if choice.recomputed is None else all_layers, all_layers, budget)
        if trial:
            found.append(trial)
            if not choice.fastest:
                break
    if len(found) > 1:
        note("memory: " + ", ".join(f"{t.cut.clips} at once {1 / t.seconds:.2f} clips/s" for t in found))
    return min(found or [lean], key=lambda trial: trial.seconds)


def _run(measure: Measure, clips: int, recomputed: int, most: int, budget: int) -> Trial | None:
    """Runs a number of clips; where they do not fit, again with more layers computed twice, up to `most` of them."""
    while True:
        trial = measure(Cut(clips, recomputed))
        if trial is not None and trial.peak <= budget:
            return trial
        if recomputed >= most:
            return None
        recomputed += ceil((most - recomputed) / 2)
