"""What the default base's weights take, by part and number format: counted on a model that takes no memory.

    python benchmarks/weights.py [--config params/internvl3_5_2b.yaml]

Computed, not measured: parameters times bytes. NF4 with double quantization takes 4.127 bits a weight (Dettmers et al.,
QLoRA, 2023, section 3), on the language model's linear layers only. A weight that trains is kept in float32 with its
gradient and Adam's two averages. Activations, and what the libraries reserve, come on top. Nothing is fetched.
Prints a table and, as the last line, one JSON object with the same figures.
"""

import argparse
import json
from typing import Any

import torch
from shapes import SHAPES, Shape
from transformers import InternVLConfig, InternVLForConditionalGeneration, InternVLVisionConfig, Qwen3Config

from signvlm.config import load
from signvlm.vlm.anatomy import LANGUAGE_MODEL, anatomy
from signvlm.vlm.model import add_adapters

NF4 = 4.127 / 8  # bytes a weight
TRAINED = 4 * 4  # bytes a weight: itself, its gradient, Adam's two averages, each in float32
MB = 10**6


def build(shape: Shape) -> InternVLForConditionalGeneration:
    """Builds a shape's model on the meta device: shapes, and no memory."""
    config = InternVLConfig(
        vision_config=InternVLVisionConfig(**shape.vision),
        text_config=Qwen3Config(**shape.text, tie_word_embeddings=True).to_dict(),
        image_seq_length=shape.tokens,
        downsample_ratio=shape.tokens**0.5 / (shape.image_size // shape.vision["patch_size"]),
        tie_word_embeddings=True,
    )
    with torch.device("meta"):
        return InternVLForConditionalGeneration._from_config(config, dtype=torch.bfloat16)


def parts(model: InternVLForConditionalGeneration) -> dict[str, int]:
    """Counts parameters: of the vision tower, the projector, the language model's linear layers, and all else of it."""
    counts = {"vision tower": 0, "projector": 0, "language model, linear layers": 0, "embeddings and norms": 0}
    projector = anatomy(model.config).projector
    for name, parameter in model.named_parameters():  # a tied head comes once
        if "vision_tower" in name:
            part = "vision tower"
        elif projector in name:
            part = "projector"
        elif LANGUAGE_MODEL in name and name.endswith("_proj.weight"):
            part = "language model, linear layers"
        else:
            part = "embeddings and norms"
        counts[part] += parameter.numel()
    return counts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", default="params/internvl3_5_2b.yaml")
    config = load(parser.parse_args().config)
    model = build(SHAPES["2b"])
    counts = parts(model)
    total, linear = sum(counts.values()), counts["language model, linear layers"]
    adapted = add_adapters(model, config.lora)
    trained = sum(parameter.numel() for parameter in adapted.parameters() if parameter.requires_grad)
    figures: dict[str, Any] = {"parameters": counts, "total": total, "trained": trained}
    for name, weights in (
        ("float32", 4 * total),
        ("bfloat16", 2 * total),
        ("nf4", 2 * (total - linear) + NF4 * linear),
    ):
        figures[name] = {
            "weights_mb": round(weights / MB),
            "with_training_mb": round((weights + TRAINED * trained) / MB),
        }
    for name, count in {**counts, "all": total, "trained": trained}.items():
        print(f"{name:<30} {count:>13,} parameters")
    for name in ("float32", "bfloat16", "nf4"):
        held, both = figures[name].values()
        print(f"{name:<10} weights {held:>6,} MB, with what training adds {both:>6,} MB")
    print(json.dumps({"weights": figures}))


if __name__ == "__main__":
    main()
