"""What the model is asked: a clip and a question in the model's own chat template, through one processor pass."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from transformers import BatchFeature, PreTrainedTokenizerBase, ProcessorMixin

from data_engineering.errors import ConfigError

# Clips → a batch up to where the answer begins: input_ids, attention_mask, pixel_values.
Encode = Callable[[Sequence[Any]], BatchFeature]


def encode_prompts(processor: ProcessorMixin, prompt: str, clips: Sequence[np.ndarray]) -> BatchFeature:
    """Encodes a batch of clips up to where the answer begins.

    Args:
        processor: The model's processor.
        prompt: The question.
        clips: uint8 (T, H, W, 3) RGB arrays with equal T: a batch of unequal frame counts cannot be stacked.

    Returns:
        input_ids and attention_mask int64 (B, P), left-padded, never truncated; pixel_values float32 (B·T, 3, S, S).

    Raises:
        ValueError: The clips' frame counts differ.
    """
    counts = {len(clip) for clip in clips}
    if len(counts) != 1:
        raise ValueError(f"clips of one batch must have the same number of frames, these have {sorted(counts)}")
    content: Any = [{"type": "video"}, {"type": "text", "text": prompt}]
    text = processor.apply_chat_template(
        [{"role": "user", "content": content}], add_generation_prompt=True, tokenize=False
    )
    return processor(
        text=[text] * len(clips),
        videos=[torch.from_numpy(np.require(clip, requirements=["C", "W"])).permute(0, 3, 1, 2) for clip in clips],
        padding=True,
        padding_side="left",
        do_sample_frames=False,
        return_tensors="pt",
    )


def encode_answer(tokenizer: PreTrainedTokenizerBase, gloss: str) -> list[int]:
    """Returns the token ids that answer with a gloss: the gloss by itself, then the end token.

    Tokenised apart from the prompt, so that the prefix in training is the prefix in inference.

    Raises:
        ConfigError: The gloss has no token in this tokenizer.
    """
    tokens = tokenizer(gloss, add_special_tokens=False)["input_ids"]
    if not tokens:
        raise ConfigError(f"gloss {gloss!r}: has no token in this model's tokenizer; rename or leave it out")
    return [*tokens, tokenizer.eos_token_id]


def check_frame_size(processor: ProcessorMixin, size: int) -> None:
    """Refuses frames that the processor would silently resize.

    Raises:
        ConfigError: The processor wants another size than `size` (pixels of a side).
    """
    video = processor.video_processor
    height, width = video.size.get("height"), video.size.get("width")
    if height and (height, width) != (size, size):
        raise ConfigError(f"preprocess.size: this model takes {height} px frames, not {size}; set it to {height}")
    if not height and video.size.get("shortest_edge"):  # Qwen's: the fewest and the most pixels of a frame
        unit = video.patch_size * video.merge_size
        least = math.ceil(math.sqrt(video.size["shortest_edge"]) / unit) * unit
        most = int(math.sqrt(video.size["longest_edge"])) // unit * unit
        if size % unit or not least <= size <= most:
            raise ConfigError(
                f"preprocess.size: this model takes frames of {least} to {most} px in steps of {unit}, not {size}; "
                f"set it to {min(max(round(size / unit) * unit, least), most)}"
            )
