"""`signvlm train --inspect N`: training rows exactly as the model gets them, the supervised tokens marked.

signvlm train --inspect 3
"""

import re
from pathlib import Path

import numpy as np
import torch
from transformers import ProcessorMixin

from data_engineering.contact_sheet import contact_sheet
from data_engineering.errors import ConfigError
from signvlm.config import Config
from signvlm.corpus import load_corpus, require
from signvlm.passthrough import check_passthrough
from signvlm.vlm.collator import IGNORED, VideoCollator
from signvlm.vlm.examples import as_examples, readable
from signvlm.vlm.model import load_processor
from signvlm.vlm.prompt import check_frame_size


def inspect(config: Config, count: int) -> tuple[list[str], Path]:
    """Collates the first training rows as training does.

    Args:
        config: The configuration; only the base's processor is loaded, not its weights.
        count: How many rows.

    Returns:
        A text a row: the prompt with `[[` and `]]` around the supervised tokens and runs of one visual token
        counted; and the path of a contact sheet of the pixels, read back from what the processor made of them.

    Raises:
        ConfigError: The family is shown no pixels, or the configuration does not suit the libraries.
    """
    if config.model.family != "vlm":
        raise ConfigError(
            "--inspect: shows prompts and pixels, which model.family pose has none of; see `signvlm pose`"
        )
    check_passthrough(config)
    corpus = load_corpus(config)
    rows = require(corpus.rows["train"], "train", config.data.root)
    processor = load_processor(config.model)
    check_frame_size(processor, config.preprocess.size)
    collator = VideoCollator(processor, config.model.prompt)
    examples = as_examples(rows, config.preprocess, config.augmentation)
    texts, pictures = [], []
    for index in range(min(count, len(examples))):
        example = examples[index]
        batch = readable(collator([example]))
        texts.append(f"{example['clip_id']} {example['gloss']!r}\n{marked(processor, batch)}")
        # Some models are shown patches, not pictures; their frames are not resized, so they are what the model sees.
        seen = as_seen(processor, batch["pixel_values"]) if "pixel_values" in batch else example["frames"]
        pictures.append((f"{example['clip_id']} {example['gloss']}", seen))
    path = config.data.root / "inspected.png"
    contact_sheet(pictures, path)
    return texts, path


def marked(processor: ProcessorMixin, batch: dict[str, torch.Tensor]) -> str:
    """Returns the first row's text, `[[...]]` around each run of supervised tokens."""
    tokenizer = processor.tokenizer
    labels, tokens = batch["labels"][0], batch["input_ids"][0]
    supervised = labels != IGNORED
    edges = torch.nonzero(supervised[1:] != supervised[:-1]).flatten() + 1
    text, position = "", 0
    for part in torch.tensor_split(tokens, edges):
        words = tokenizer.decode(part)
        text += f"[[{words}]]" if supervised[position] else words
        position += len(part)
    # A frame is hundreds of one token: shown once, with how often it stands there.
    text = re.sub(r"(<[^<>\s]+>)\1+", lambda run: f"{run[1]}x{len(run[0]) // len(run[1])}", text)
    return f"{text}\n{int(supervised.sum())} of {len(tokens)} tokens are supervised"


def as_seen(processor: ProcessorMixin, pixel_values: torch.Tensor) -> np.ndarray:
    """Turns the processor's normalised pixels (T, 3, S, S) back into uint8 (T, S, S, 3): what the model sees."""
    mean = torch.tensor(processor.video_processor.image_mean).view(3, 1, 1)
    std = torch.tensor(processor.video_processor.image_std).view(3, 1, 1)
    pixels = (pixel_values * std + mean).clamp(0, 1) * 255
    return pixels.round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
