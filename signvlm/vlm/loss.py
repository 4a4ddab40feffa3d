"""The answers' loss: the head runs where a token is supervised and nowhere else, and smoothing needs no second pass."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import transformers
from torch.nn import functional

from signvlm.vlm.collator import IGNORED

# Since here every model's head takes a mask; before, it takes positions, the same ones for every clip of a batch.
_HEAD_TAKES_MASKS = tuple(map(int, transformers.__version__.split(".")[:2])) >= (5, 20)


@dataclass(frozen=True)
class Smoothing:
    """Label smoothing (Szegedy et al. 2016, section 7).

    Attributes:
        mass: Probability mass taken from the supervised token and spread evenly.
        following: {tokens said so far: tokens that may follow} to spread it over, as `TokenTree.following` gives it;
            None for the whole vocabulary. Where one token alone may follow, nothing is spread.
    """

    mass: float = 0.0
    following: Mapping[tuple[int, ...], Sequence[int]] | None = None


def answer_logits(model: torch.nn.Module, inputs: Mapping[str, Any], labels: torch.Tensor) -> torch.Tensor:
    """Runs a batch, and the head only where the next token is supervised.

    Args:
        model: The image-text-to-text model, or what wraps it.
        inputs: The batch without its labels; left-padded prompts, right-padded answers.
        labels: int64 (B, L), IGNORED where nothing is supervised.

    Returns:
        (N, V): the logits that the N supervised tokens are predicted from, clip by clip.
    """
    following = functional.pad(labels[:, 1:], (0, 1), value=IGNORED)
    kept = following != IGNORED
    inputs = dict(inputs)
    if inputs["attention_mask"][:, 0].all():
        # Nothing supervised looks at padding on the right, and without a mask attention takes its fastest kernel.
        del inputs["attention_mask"]
    if _HEAD_TAKES_MASKS:
        return model(**inputs, logits_to_keep=kept, use_cache=False).logits
    columns = kept.any(dim=0).nonzero()[:, 0]
    return model(**inputs, logits_to_keep=columns, use_cache=False).logits[kept[:, columns]]


def answer_loss(
    logits: torch.Tensor,
    labels: torch.Tensor,
    smoothing: Smoothing | None = None,
    count: torch.Tensor | int | None = None,
) -> torch.Tensor:
    """Cross-entropy of the answers.

    Args:
        logits: (N, V), as `answer_logits` gives them.
        labels: int64 (B, L), IGNORED where nothing is supervised.
        smoothing: None for the plain cross-entropy.
        count: Supervised tokens to divide by, where an accumulated batch holds more than this one.

    Returns:
        A float32 scalar.
    """
    smoothing = smoothing or Smoothing()
    logits, targets = logits.float(), labels[labels != IGNORED]
    over_words = smoothing.mass if smoothing.following is None else 0.0
    summed = functional.cross_entropy(logits, targets, label_smoothing=over_words, reduction="sum")
    if smoothing.mass and smoothing.following is not None:
        spread = _over_continuations(logits, labels, smoothing.following)
        summed = (1 - smoothing.mass) * summed + smoothing.mass * spread
    return summed / (len(targets) if count is None else count)


def _over_continuations(
    logits: torch.Tensor, labels: torch.Tensor, following: Mapping[tuple[int, ...], Sequence[int]]
) -> torch.Tensor:
    """Sums the cross-entropies of N predictions with an even spread over what may follow each."""
    rows: list[int] = []
    tokens: list[int] = []
    shares: list[float] = []
    row = 0
    for padded in labels.tolist():
        answer = tuple(token for token in padded if token != IGNORED)
        for length in range(len(answer)):
            allowed = following[answer[:length]]
            rows += [row] * len(allowed)
            tokens += allowed
            shares += [1 / len(allowed)] * len(allowed)
            row += 1
    index = torch.tensor([rows, tokens], device=logits.device)
    log_probs = logits[index[0], index[1]] - logits.logsumexp(dim=-1)[index[0]]
    return -(log_probs * torch.tensor(shares, device=logits.device)).sum()
