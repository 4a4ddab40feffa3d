"""The models that the benchmarks measure: built from a configuration, with random weights; nothing is fetched.

tiny    the shape of the shipped tiny base: 64 px, 4 tokens a frame
mid     224 px, 49 tokens a frame, 54 M parameters, vocabulary 32,000: what a CPU can still measure
2b      the shape of InternVL3.5-2B: 448 px, 256 tokens a frame, vocabulary 151,936: for a GPU

The tokenizer learns its words from the source of Python's standard library, which every machine has. Its words stand
after a space there, as in any prose, so that a gloss, which stands alone, takes about one and a half tokens.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from pydoc_data import topics
from typing import Any

import numpy as np
import torch
from transformers import InternVLForConditionalGeneration, InternVLProcessor

from signvlm.vlm import tiny

FRAMES = 8
PROMPT = "Which sign is this? Answer with its gloss."
TEXTS = 32_000  # tokens that the tokenizer learns at most, whatever the model has room for


@dataclass(frozen=True)
class Shape:
    """A model's sizes.

    Attributes:
        vision: InternVLVisionConfig keys.
        text: Qwen3Config keys.
        tokens: Visual tokens a frame.
    """

    vision: dict[str, Any]
    text: dict[str, Any]
    tokens: int

    @property
    def image_size(self) -> int:
        """Pixels of a frame's side."""
        return self.vision["image_size"]


SHAPES = {
    "tiny": Shape(vision=tiny.VISION, text={**tiny.TEXT, "vocab_size": 640}, tokens=4),
    "mid": Shape(
        vision={
            "hidden_size": 384,
            "num_hidden_layers": 6,
            "num_attention_heads": 6,
            "intermediate_size": 1536,
            "image_size": 224,
            "patch_size": 16,
            "use_qk_norm": False,
        },
        text={
            "vocab_size": 32_000,
            "hidden_size": 512,
            "num_hidden_layers": 8,
            "num_attention_heads": 8,
            "num_key_value_heads": 4,
            "head_dim": 64,
            "intermediate_size": 1536,
        },
        tokens=49,
    ),
    "2b": Shape(
        vision={
            "hidden_size": 1024,
            "num_hidden_layers": 24,
            "num_attention_heads": 16,
            "intermediate_size": 4096,
            "image_size": 448,
            "patch_size": 14,
            "use_qk_norm": False,
        },
        text={
            "vocab_size": 151_936,
            "hidden_size": 2048,
            "num_hidden_layers": 28,
            "num_attention_heads": 16,
            "num_key_value_heads": 8,
            "head_dim": 128,
            "intermediate_size": 6144,
        },
        tokens=256,
    ),
}


def build_processor(shape: Shape) -> InternVLProcessor:
    """Builds the processor that goes with a shape."""
    library = Path(re.__file__).parents[1]
    sources = sorted([*library.glob("*.py"), *library.glob("[a-z]*/*.py")])
    prose = [
        " " + " ".join(re.findall(r"[A-Za-z']+", path.read_text(encoding="utf-8", errors="ignore")))
        for path in sources
        if not {"site-packages", "test", "idlelib"} & set(path.parts)
    ]
    processor = tiny.make_processor([*prose, *[PROMPT] * 20], min(TEXTS, shape.text["vocab_size"]), shape.image_size)
    processor.image_seq_length = shape.tokens
    return processor


def build_model(
    shape: Shape, processor: InternVLProcessor, dtype: torch.dtype = torch.float32, device: str = "cpu", seed: int = 0
) -> InternVLForConditionalGeneration:
    """Builds a shape's model, its weights drawn from `seed`."""
    text = {"max_position_embeddings": 8192, **shape.text}
    config = tiny.internvl_config(processor, shape.vision, text, _downsample(shape))
    torch.manual_seed(seed)
    with torch.device(device):
        model = InternVLForConditionalGeneration._from_config(config, dtype=dtype)
    tiny.end_answers(model, processor)
    return model.eval()


def make_glossary(count: int, seed: int = 0) -> list[str]:
    """Makes glosses of the words in Python's own documentation, every fifth of two words; many begin alike."""
    words = sorted(set(re.findall(r"[a-z]{3,}", "\n".join(topics.topics.values()).lower())))
    rng = np.random.default_rng(seed)
    glosses: dict[str, None] = {}
    while len(glosses) < count:
        first, second = rng.choice(words, 2)
        glosses[f"{first} {second}" if len(glosses) % 5 == 4 else str(first)] = None
    return list(glosses)


def make_clips(shape: Shape, count: int, seed: int = 0) -> list[np.ndarray]:
    """Makes clips of moving random patches: uint8 (FRAMES, S, S, 3)."""
    rng = np.random.default_rng(seed)
    size = shape.image_size
    clips = []
    for _ in range(count):
        coarse = rng.integers(0, 256, (FRAMES, 8, 8, 3), dtype=np.uint8)
        clips.append(np.repeat(np.repeat(coarse, size // 8, axis=1), size // 8, axis=2))
    return clips


def _downsample(shape: Shape) -> float:
    """Returns what turns a frame's patches into its tokens, a side."""
    return shape.tokens**0.5 / (shape.image_size // shape.vision["patch_size"])
