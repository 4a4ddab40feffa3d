"""The trainers that benchmarks/train_step.py measures: TRL's as its defaults have it, tuned, ours, ours on features.

All are of the same model with random weights, on the same preprocessed rows, in the same order of clips.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset, load_from_disk
from PIL import Image
from shapes import FRAMES, PROMPT, SHAPES, build_model, build_processor, make_clips, make_glossary
from transformers import AutoProcessor, PrinterCallback
from trl import SFTConfig, SFTTrainer

from data_engineering.frames import row_frames
from signvlm.config import Config
from signvlm.corpus import Corpus
from signvlm.vlm.arguments import choose_hardware, training_arguments
from signvlm.vlm.collator import VideoCollator
from signvlm.vlm.examples import as_examples
from signvlm.vlm.features import Features
from signvlm.vlm.fit import fit
from signvlm.vlm.loss import Smoothing
from signvlm.vlm.model import add_adapters, load_base
from signvlm.vlm.prompt import encode_answer
from signvlm.vlm.sampler import EpochSampler, NameEpoch
from signvlm.vlm.trainer import SignTrainer

CUDA = torch.cuda.is_available()
METHODS = ("plain", "tuned", "ours", "cached")
ANSWER = 3  # tokens, the end token included


def prepare(folder: Path, shape: str, clips: int) -> None:
    """Writes what all processes read: the base with random weights, and preprocessed rows."""
    processor = build_processor(SHAPES[shape])
    dtype = torch.bfloat16 if CUDA else torch.float32
    build_model(SHAPES[shape], processor, dtype, "cuda" if CUDA else "cpu").save_pretrained(folder / "base")
    processor.save_pretrained(folder / "base")
    words = [word for word in make_glossary(2000) if len(encode_answer(processor.tokenizer, word)) == ANSWER]
    size = SHAPES[shape].image_size
    rows = [
        {
            "clip_id": f"{number:05d}",
            "gloss": words[number],
            "frames": clip.tobytes(),
            "shape": [FRAMES, size, size, 3],
        }
        for number, clip in enumerate(make_clips(SHAPES[shape], clips))
    ]
    Dataset.from_list(rows).save_to_disk(str(folder / "rows"))
    config = configured(folder, shape, "cached", None)
    stored(config, load_from_disk(str(folder / "rows")), choose_hardware(config))


def configured(folder: Path, shape: str, method: str, budget: float | None) -> Any:
    """Returns the configuration of a method."""
    large = CUDA and shape == "2b"
    return Config(
        data={"root": folder},
        preprocess={"num_frames": FRAMES, "size": SHAPES[shape].image_size},
        model={"base": str(folder / "base"), "prompt": PROMPT},
        quantization={"load_in_4bit": large, "bnb_4bit_quant_type": "nf4", "bnb_4bit_use_double_quant": True},
        lora={"r": 16, "lora_alpha": 32, "lora_dropout": 0.0},
        training={
            "per_device_train_batch_size": 2 if large else 4,
            "gradient_accumulation_steps": 8 if large else 1,
            "max_steps": 1_000_000,
            "learning_rate": 2e-5,
            "lr_scheduler_type": "constant",
            "logging_steps": 1,
            "save_strategy": "no",
            "dataloader_num_workers": 4 if CUDA else 0,
        },
        features={"cache": method == "cached"},
        memory={"budget_gb": budget} if CUDA else {},
    )


def image_lists(processor: Any, examples: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
    """The usual collator: each clip a list of PIL images, prompt and answer in one text, padded, answers labelled."""
    tokenizer = processor.tokenizer
    frames = "\n".join(f"Frame{number + 1}: {processor.image_token}" for number in range(FRAMES))
    asked = processor.apply_chat_template(
        [{"role": "user", "content": [{"type": "video"}, {"type": "text", "text": PROMPT}]}],
        add_generation_prompt=True,
        tokenize=False,
    ).replace(processor.video_token, frames)
    answers = [tokenizer.decode(encode_answer(tokenizer, example["gloss"])) for example in examples]
    batch = processor(
        images=[[Image.fromarray(frame) for frame in row_frames(example)] for example in examples],
        text=[asked + answer for answer in answers],
        padding=True,
        return_tensors="pt",
    )
    labels = batch["input_ids"].clone()
    labels[:, :-ANSWER] = -100  # all answers are of three tokens
    return {**batch, "labels": labels}


def stored(config: Any, rows: Dataset, hardware: Any) -> Features:
    """Returns the rows' features, which are computed where they are not there yet."""
    media = {"start": 0, "end": FRAMES, "motion": None}
    manifest = [{"video_id": name, "bbox": None, "media": {"sha256": name, **media}} for name in rows["clip_id"]]
    corpus = Corpus({"train": rows, "validation": rows.select([])}, (), [], [], {}, manifest)
    features = Features(config, corpus, hardware)
    features.complete()
    return features


class Order(EpochSampler):
    """Our order of clips, for a trainer that knows no draws."""

    def __iter__(self) -> Iterator[int]:  # type: ignore[override]
        return (draw.number for draw in super().__iter__())


def build_trainer(folder: Path, shape: str, method: str, budget: float | None) -> tuple[Any, str]:
    """Returns a method's trainer, ready to train, and how its steps are cut."""
    config = configured(folder, shape, method, budget)
    hardware = choose_hardware(config)
    rows = load_from_disk(str(folder / "rows"))
    features = stored(config, rows, hardware) if method == "cached" else None
    base, processor = load_base(config.model, hardware, config.quantization, tower=features is None)
    torch.manual_seed(0)
    model = add_adapters(base, config.lora)
    runs = folder / method

    if method in ("plain", "tuned"):
        sampler = Order(rows["gloss"], SFTConfig.seed, balanced=False)

        class Trainer(SFTTrainer):
            def _get_train_sampler(self, *args: Any, **kwargs: Any) -> Order:
                return sampler

        arguments = SFTConfig(
            output_dir=str(runs),
            **config.training,
            report_to="none",
            disable_tqdm=True,
            bf16=hardware.dtype == "bfloat16",
            use_cpu=not CUDA,
            max_length=None,
            remove_unused_columns=False,
            dataset_kwargs={"skip_prepare_dataset": True},
            **({"gradient_checkpointing": False} if method == "tuned" else {}),
        )
        trainer = Trainer(
            model,
            arguments,
            data_collator=partial(image_lists, processor),
            train_dataset=rows,
            processing_class=processor,
            callbacks=[NameEpoch(sampler)],
        )
        cut = "every layer recomputed" if method == "plain" else "no layer recomputed"
    else:
        examples = features.examples("train") if features else as_examples(rows, config.preprocess)
        collator = VideoCollator(processor, PROMPT, features.encode if features else None)
        trainer = SignTrainer(
            model=model,
            args=training_arguments(config, hardware, runs, evaluates=False),
            train_dataset=examples,
            data_collator=collator,
            processing_class=processor,
            smoothing=Smoothing(),
            projector_learning_rate=None,
            companions={},
        )
        chosen = fit(trainer, collator, examples, config, hardware)
        cut = f"{chosen.clips} clips at once, {chosen.recomputed} layers recomputed"
    trainer.remove_callback(PrinterCallback)
    return trainer, cut


def tokens_of_a_clip(folder: Path) -> int:
    """How many tokens a clip takes; that the collators agree is checked on the way."""
    processor = AutoProcessor.from_pretrained(folder / "base")
    rows = load_from_disk(str(folder / "rows")).select(range(2))
    theirs = image_lists(processor, list(rows))
    size = rows[0]["shape"][1]
    preprocess = Config(preprocess={"num_frames": FRAMES, "size": size}).preprocess
    ours = VideoCollator(processor, PROMPT)(list(as_examples(rows, preprocess)))
    for key in ("input_ids", "labels"):
        assert torch.equal(theirs[key], ours[key]), key
    torch.testing.assert_close(theirs["pixel_values"], ours["pixel_values"], atol=1e-5, rtol=0)
    return ours["input_ids"].shape[1]
