"""Examples → a training batch: the prompt from one processor pass, the answer appended, only the answer supervised."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from transformers import ProcessorMixin

from signvlm.vlm.prompt import encode_answer, encode_prompts

IGNORED = -100  # torch.nn.functional.cross_entropy's default ignore_index


class VideoCollator:
    """Makes batches for supervised fine-tuning.

    The prompt batch is left-padded and the answers are right-padded, so that all supervised positions lie at the end
    and the head need not run on the prompt.
    """

    def __init__(self, processor: ProcessorMixin, prompt: str) -> None:
        """Args: processor: the model's. prompt: the question put with every clip."""
        self.processor = processor
        self.prompt = prompt

    def __call__(self, examples: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Collates examples {clip_id, gloss, frames: uint8 (T, H, W, 3)}.

        Returns:
            input_ids, attention_mask and labels int64 (B, P + A), pixel_values float32 (B·T, 3, S, S). Labels are -100
            on the prompt, the visual tokens and the padding. A batch with an example that could not be read holds
            instead `unreadable`: [(clip_id, reason code, detail)] and empty labels; the trainer ends the run on it.
        """
        unreadable = [(e["clip_id"], *e["error"]) for e in examples if e.get("error")]
        if unreadable:
            return {"unreadable": unreadable, "labels": torch.empty((len(examples), 0), dtype=torch.int64)}
        batch = encode_prompts(self.processor, self.prompt, [example["frames"] for example in examples])
        tokenizer = self.processor.tokenizer
        answers = [encode_answer(tokenizer, example["gloss"]) for example in examples]
        width = max(map(len, answers))
        tokens = torch.full((len(answers), width), tokenizer.pad_token_id)
        labels = torch.full((len(answers), width), IGNORED)
        for row, answer in enumerate(answers):
            tokens[row, : len(answer)] = labels[row, : len(answer)] = torch.tensor(answer)
        return {
            "input_ids": torch.cat([batch["input_ids"], tokens], dim=1),
            "attention_mask": torch.cat([batch["attention_mask"], (labels != IGNORED).long()], dim=1),
            "labels": torch.cat([torch.full_like(batch["input_ids"], IGNORED), labels], dim=1),
            "pixel_values": batch["pixel_values"],
        }
