"""Examples → a training batch: the prompt from one processor pass, the answer appended, only the answer supervised."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import torch
from transformers import ProcessorMixin

from signvlm.vlm.prompt import Encode, encode_answer, encode_prompts

IGNORED = -100  # torch.nn.functional.cross_entropy's default ignore_index


class VideoCollator:
    """Makes batches for supervised fine-tuning.

    The prompt batch is left-padded and the answers are right-padded, so that all supervised positions lie at the end
    and the head need not run on the prompt.
    """

    def __init__(self, processor: ProcessorMixin, prompt: str, encode: Encode | None = None) -> None:
        """Args: processor: the model's. prompt: the question put with every clip. encode: None shows them as pixels."""
        self.processor = processor
        self.encode = encode or partial(encode_prompts, processor, prompt)

    def __call__(self, examples: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Collates examples {clip_id, gloss, frames: uint8 (T, H, W, 3), or whatever `encode` takes}.

        Returns:
            input_ids, attention_mask and labels int64 (B, P + A), and what else the processor makes of the clips, e.g.
            pixel_values float32 (B·T, 3, S, S). Labels are -100 on the prompt, the visual tokens and the padding. A
            batch with an example that could not be read holds instead `unreadable`: [(clip_id, reason code, detail)]
            and empty labels; the trainer ends the run on it.
        """
        unreadable = [(e["clip_id"], *e["error"]) for e in examples if e.get("error")]
        if unreadable:
            return {"unreadable": unreadable, "labels": torch.empty((len(examples), 0), dtype=torch.int64)}
        batch = self.encode([example["frames"] for example in examples])
        tokenizer = self.processor.tokenizer
        answers = [encode_answer(tokenizer, example["gloss"]) for example in examples]
        width = max(map(len, answers))
        tokens = torch.full((len(answers), width), tokenizer.pad_token_id)
        labels = torch.full((len(answers), width), IGNORED)
        for row, answer in enumerate(answers):
            tokens[row, : len(answer)] = labels[row, : len(answer)] = torch.tensor(answer)
        prompts = batch["input_ids"]
        made = {key: value for key, value in batch.items() if isinstance(value, torch.Tensor)}
        for key, value in made.items():
            if value.shape == prompts.shape:  # a token's kind (text, picture, video): 0 is text
                made[key] = torch.cat([value, torch.zeros_like(labels, dtype=value.dtype)], dim=1)
        return {
            **made,
            "input_ids": torch.cat([prompts, tokens], dim=1),
            "attention_mask": torch.cat([batch["attention_mask"], (labels != IGNORED).long()], dim=1),
            "labels": torch.cat([torch.full_like(prompts, IGNORED), labels], dim=1),
        }
