"""A tiny InternVL with random weights and a tokenizer of its own: the real architecture at a million parameters.

What the tests and the shipped tiny base are made of. Every class is the real one, only the sizes are small, so that it
trains on a CPU in minutes.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    GotOcr2ImageProcessor,
    InternVLConfig,
    InternVLForConditionalGeneration,
    InternVLProcessor,
    InternVLVideoProcessor,
    InternVLVisionConfig,
    PreTrainedTokenizerFast,
    Qwen3Config,
)

IMAGE_SIZE = 64  # pixels of a frame's side
PATCH_SIZE = 8  # pixels; a hand is about 10 px wide, and coarser patches were seen to blur its fingers
DOWNSAMPLE = 0.25  # 8 x 8 patches become 2 x 2 tokens a frame
VISION = {
    "hidden_size": 128,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "intermediate_size": 384,
    "image_size": IMAGE_SIZE,
    "patch_size": PATCH_SIZE,
    "layer_scale_init_value": 1.0,  # 0.1 suits 24 layers, not 4
    "use_qk_norm": False,
}
TEXT = {
    "hidden_size": 128,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 32,
    "intermediate_size": 384,
    "max_position_embeddings": 2048,
}
PAD, START, END = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
VISUAL_TOKENS = {
    "start_image_token": "<img>",
    "end_image_token": "</img>",
    "context_image_token": "<IMG_CONTEXT>",
    "video_token": "<video>",
}
CHAT_TEMPLATE = """\
{%- for message in messages -%}
<|im_start|>{{ message.role }}
{% for part in message.content -%}
{%- if part.type == 'video' -%}<video>
{% elif part.type == 'image' -%}<IMG_CONTEXT>
{% else -%}{{ part.text }}{%- endif -%}
{%- endfor -%}<|im_end|>
{% endfor -%}
{%- if add_generation_prompt -%}<|im_start|>assistant
{% endif -%}
"""


def make_processor(corpus: Iterable[str], vocabulary: int = 768, image_size: int = IMAGE_SIZE) -> InternVLProcessor:
    """Builds a processor around a byte-level BPE tokenizer trained on a corpus.

    Args:
        corpus: Texts that should take few tokens: prompts, glosses, descriptions. Any other text still has tokens, a
            byte each.
        vocabulary: Largest number of tokens.
        image_size: Pixels of a frame's side.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    # The template's own words count as corpus: without them every prompt would be spelt out in bytes.
    frames = "\n".join(f"Frame{number}: " for number in range(1, 17))
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[PAD, START, END, *VISUAL_TOKENS.values()],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([*corpus, *[frames, "user\n", "assistant\n"] * 20], trainer)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=END,
        pad_token=PAD,
        padding_side="left",
        model_input_names=[
            "input_ids",
            "attention_mask",
        ],  # transformers 4 would add token types, which no model here takes
        extra_special_tokens=VISUAL_TOKENS,
    )
    size = {"height": image_size, "width": image_size}
    return InternVLProcessor(
        image_processor=GotOcr2ImageProcessor(size=size),
        tokenizer=fast,
        video_processor=InternVLVideoProcessor(size=size),
        image_seq_length=int(image_size // PATCH_SIZE * DOWNSAMPLE) ** 2,
        chat_template=CHAT_TEMPLATE,
    )


def internvl_config(
    processor: InternVLProcessor, vision: Mapping[str, Any], text: Mapping[str, Any], downsample: float
) -> InternVLConfig:
    """Returns the configuration of an InternVL that goes with a processor.

    Args:
        processor: Gives the tokens' ids and how many a frame takes.
        vision: InternVLVisionConfig keys.
        text: Qwen3Config keys.
        downsample: What turns a frame's patches into its tokens, a side.
    """
    tokenizer = processor.tokenizer
    return InternVLConfig(
        vision_config=InternVLVisionConfig(**vision),
        text_config=Qwen3Config(
            **text,
            tie_word_embeddings=True,
            bos_token_id=None,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        ).to_dict(),
        image_token_id=processor.image_token_id,
        image_seq_length=processor.image_seq_length,
        downsample_ratio=downsample,
        tie_word_embeddings=True,
    )


def end_answers(model: InternVLForConditionalGeneration, processor: InternVLProcessor) -> None:
    """Tells a model's `generate` which tokens end and pad an answer."""
    model.generation_config.eos_token_id = processor.tokenizer.eos_token_id
    model.generation_config.pad_token_id = processor.tokenizer.pad_token_id


def make_model(processor: InternVLProcessor, seed: int = 0) -> InternVLForConditionalGeneration:
    """Builds the model that goes with a processor, weights drawn from `seed`, in float32."""
    vision = {**VISION, "image_size": processor.video_processor.size["height"]}
    text = {**TEXT, "vocab_size": len(processor.tokenizer)}
    torch.manual_seed(seed)
    model = InternVLForConditionalGeneration(internvl_config(processor, vision, text, DOWNSAMPLE))
    end_answers(model, processor)
    return model


def save_tiny(folder: Path, corpus: Iterable[str], seed: int = 0) -> Path:
    """Writes a tiny base with random weights: a checkpoint folder like any on the Hub; returns the folder."""
    processor = make_processor(corpus)
    make_model(processor, seed).save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder
