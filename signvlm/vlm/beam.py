"""Beam search over the model's own `generate`: free, or kept inside the glossary."""

from collections.abc import Callable
from typing import Any, cast

import torch
from transformers import BatchFeature, PreTrainedModel, PreTrainedTokenizerBase

from signvlm.recognizer import Answer
from signvlm.vlm.prefill import Prefill
from signvlm.vlm.tree import TokenTree

# length_penalty 0 makes a beam's score the plain sum of its tokens' log-probabilities, as exact ranking's is.
DEFAULTS: dict[str, Any] = {"num_beams": 5, "num_return_sequences": 5, "length_penalty": 0.0, "do_sample": False}
FREE_TOKENS = 16  # room for an answer outside the glossary


@torch.inference_mode()
def beam_search(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    inputs: BatchFeature,
    tree: TokenTree,
    generation: dict[str, Any],
    constrained: bool,
) -> list[list[Answer]]:
    """Answers a batch of prompts by beam search.

    Args:
        model: The image-text-to-text model itself (unwrapped from PEFT).
        tokenizer: Its tokenizer.
        inputs: input_ids and attention_mask (B, P), left-padded, and pixel_values, on the model's device.
        tree: The glossary's tree in this tokenizer.
        generation: GenerationConfig keys over `DEFAULTS`.
        constrained: Allow only continuations that end in a gloss.

    Returns:
        Up to num_return_sequences answers a clip, best first, equal strings merged (the best score stays).
    """
    sequences, scores = beams(model, tokenizer, inputs, tree, generation, constrained)
    answers = []
    for tokens, row in zip(sequences, scores.tolist(), strict=True):
        merged: dict[str, float] = {}
        for text, score in zip(tokenizer.batch_decode(tokens, skip_special_tokens=True), row, strict=True):
            gloss = " ".join(text.split())
            # A beam that the glossary is too small to fill scores minus infinity (or -1e9 as generate starts it).
            # What is no number stays, for its user to be told of.
            if not score <= -1e8 and not score <= merged.get(gloss, float("-inf")):
                merged[gloss] = score
        answers.append([Answer(g, s) for g, s in sorted(merged.items(), key=lambda item: -item[1])])
    return answers


@torch.inference_mode()
def beams(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    inputs: BatchFeature,
    tree: TokenTree,
    generation: dict[str, Any],
    constrained: bool,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Runs `generate` on prompts that were run once, not once a beam; takes what `beam_search` takes.

    Returns:
        The answers' tokens int64 (B, R, L), padded on the right, and their scores float32 (B, R): for each clip those
        that generate returns for it, in its order.
    """
    longest = max(map(len, tree.answers))
    settings = {**DEFAULTS, "max_new_tokens": longest if constrained else max(longest, FREE_TOKENS), **generation}
    batch, prompt_length = inputs["input_ids"].shape
    # generate wants at least one token of the prompt for itself: the last.
    cache = Prefill(model, inputs).cache
    cache.crop(-1)
    cache.batch_repeat_interleave(settings["num_beams"])
    output: Any = cast(Any, model).generate(
        input_ids=inputs["input_ids"],
        attention_mask=inputs["attention_mask"],
        past_key_values=cache,
        **settings,
        prefix_allowed_tokens_fn=inside(tree, prompt_length) if constrained else None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        return_dict_in_generate=True,
        output_scores=True,
    )
    sequences = output.sequences[:, prompt_length:]
    return sequences.view(batch, -1, sequences.shape[1]), output.sequences_scores.float().view(batch, -1)


def inside(tree: TokenTree, prompt_length: int) -> Callable[[int, torch.Tensor], list[int]]:
    """A `prefix_allowed_tokens_fn` that keeps a beam on the tree; after the end token only the end token may follow."""
    following = tree.following()
    eos = tree.answers[0][-1]
    return lambda _, tokens: following.get(tuple(tokens[prompt_length:].tolist()), [eos])
