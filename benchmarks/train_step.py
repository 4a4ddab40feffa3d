"""What a training step costs: TRL's SFTTrainer as its defaults have it, tuned, ours, and ours on stored features.

    python benchmarks/train_step.py [--shape tiny|mid|2b] [--endurance 2000]

plain    TRL's SFTTrainer with its defaults (activation checkpointing on) and a collator that makes lists of images
tuned    the same with checkpointing off
ours     signvlm's trainer: the frozen tower without gradients, the head on supervised positions only, no layer
         recomputed where the memory does
cached   the same on the tower's stored output; the tower is not loaded

All train the same model from a configuration with random weights (benchmarks/shapes.py) on the same preprocessed rows:
the same LoRA (r 16, no dropout) and projector, batch, order of clips, answers of three tokens, dtype and loader
workers. Each is a process of its own that trains for real and waits after every step until it is its turn again: first
each takes a step that is not counted, then all take turns, so that whatever else the machine does meets all of them.
A step counts with its fastest run, because the machine may be shared; `ratios` are of those. `data_wait` is the share
of the time in which a step waits for its clips. Memory is the most that a process holds, or what was allocated on a
GPU. `loss_gap` is the largest difference of a step's loss from the plain one's.

Where there is a CUDA GPU the model runs on it, the 2b shape in NF4 with a batch of 2 x 8, and `ours` and `cached` are
measured within a budget (5.5 and 4.5 GB) and again with the card's own memory. Where there is none that is said, and 2b
is not run. `--endurance N` takes N steps of ours instead, and prints the memory after a tenth of them and at the end.
Prints a table and, as the last line, one JSON object with the same figures.
"""

import argparse
import json
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import psutil
import torch
from datasets import Dataset, load_from_disk
from PIL import Image
from shapes import FRAMES, PROMPT, SHAPES, build_model, build_processor, make_clips, make_glossary
from transformers import AutoProcessor, PrinterCallback, TrainerCallback
from trl import SFTConfig, SFTTrainer

from data_engineering.frames import row_frames
from signvlm.config import Config
from signvlm.corpus import Corpus
from signvlm.memory import peak_memory
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
# Forked where that is safe: this process has imported everything, and computes nothing before the others end.
PROCESSES = multiprocessing.get_context("fork" if sys.platform == "linux" and not CUDA else "spawn")
METHODS = ("plain", "tuned", "ours", "cached")
BUDGETS = {"ours": 5.5, "cached": 4.5}  # GB
TARGETS = {"ours/plain": 2.0, "ours/tuned": 1.25, "cached/plain": 3.0, "cached/tuned": 1.7}
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

        given = {key: value for key, value in config.training.items() if key != "save_strategy"}
        arguments = SFTConfig(
            output_dir=str(runs),
            **given,
            save_strategy="no",
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


def work(folder: Path, shape: str, method: str, budget: float | None, pipe: Connection) -> None:
    """A process: trains by one method; after each step it reports and waits to be told to go on."""
    sys.stdout = sys.stderr
    trainer, cut = build_trainer(folder, shape, method, budget)

    class Turns(TrainerCallback):
        resumed = begun = 0.0

        def on_train_begin(self, *_: Any, **__: Any) -> None:
            pipe.send(cut)
            pipe.recv()
            self.resumed = time.perf_counter()

        def on_step_begin(self, *_: Any, **__: Any) -> None:
            self.begun = time.perf_counter()

        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
            if "loss" not in (logs or {}):
                return
            if CUDA:
                torch.cuda.synchronize()
            ended = time.perf_counter()
            waited, whole = self.begun - self.resumed, ended - self.resumed
            pipe.send({"loss": float(logs["loss"]), "seconds": whole, "wait": waited, "peak": peak(), "now": now()})
            control.should_training_stop = not pipe.recv()
            self.resumed = time.perf_counter()

    trainer.add_callback(Turns())
    trainer.train()


def peak() -> int:
    """Bytes: the most that this process has held, or allocated on the GPU."""
    return peak_memory()[0]


def now() -> int:
    """Bytes that this process holds."""
    return torch.cuda.memory_allocated() if CUDA else psutil.Process().memory_info().rss


class Worker:
    """A method's process, seen from here."""

    def __init__(self, folder: Path, shape: str, method: str, budget: float | None = None) -> None:
        self.pipe, other = PROCESSES.Pipe()
        self.process = PROCESSES.Process(target=work, args=(folder, shape, method, budget, other))
        self.process.start()
        other.close()
        self.cut = ""
        self.steps: list[dict[str, Any]] = []

    def wait(self) -> "Worker":
        """Waits until it is ready to train."""
        self.cut = self.pipe.recv()
        return self

    def step(self) -> None:
        """Takes a step."""
        self.pipe.send(True)
        self.steps.append(self.pipe.recv())

    def end(self) -> None:
        """Ends the process."""
        self.pipe.send(False)
        self.process.join()

    def figures(self, clips: int) -> dict[str, Any]:
        """Sums up the counted steps."""
        counted = self.steps[1:]
        return {
            "clips_per_second": round(clips / min(step["seconds"] for step in counted), 4),
            "peak_memory_bytes": max(step["peak"] for step in counted),
            "data_wait": round(sum(s["wait"] for s in counted) / sum(s["seconds"] for s in counted), 4),
            "seconds_a_step": [round(step["seconds"], 3) for step in counted],
            "cut": self.cut,
        }


def flops(shape: str, prompt_tokens: int, tower: bool) -> float:
    """What a clip's step must compute: tower once, language model forward and backward to its inputs, the kept head."""
    vision, text = SHAPES[shape].vision, SHAPES[shape].text
    patches = (vision["image_size"] // vision["patch_size"]) ** 2 + 1
    wide, narrow = vision["hidden_size"], text["hidden_size"]
    layer = 4 * wide**2 + 2 * wide * vision["intermediate_size"]
    look = FRAMES * patches * vision["num_hidden_layers"] * (2 * layer + 4 * patches * wide)
    heads = text["head_dim"] * (2 * text["num_attention_heads"] + 2 * text["num_key_value_heads"])
    layer = narrow * heads + 3 * narrow * text["intermediate_size"]
    attend = 2 * prompt_tokens * text["head_dim"] * text["num_attention_heads"]
    tell = prompt_tokens * text["num_hidden_layers"] * (2 * layer + attend)
    return look * tower + 2 * (tell + ANSWER * 2 * narrow * text["vocab_size"])


def reachable() -> float:
    """Operations a second of a large matrix product here, in the training's dtype."""
    device, dtype, size = ("cuda", torch.bfloat16, 8192) if CUDA else ("cpu", torch.float32, 1024)
    one = torch.randn(size, size, dtype=dtype, device=device)
    best = float("inf")
    for _ in range(5):
        started = time.perf_counter()
        product = one @ one
        product.sum().item()
        best = min(best, time.perf_counter() - started)
    return 2 * size**3 / best


def endurance(folder: Path, shape: str, steps: int) -> None:
    """Takes many steps of ours and prints the memory of a tenth and of all of them."""
    worker = Worker(folder, shape, "ours").wait()
    for number in range(steps):
        worker.step()
        worker.steps = worker.steps[-1:]
        if number + 1 == steps // 10:
            early = worker.steps[-1]["now"]
    late = worker.steps[-1]["now"]
    worker.end()
    print(f"memory after {steps // 10} steps {early / 1e6:.1f} MB, after {steps} {late / 1e6:.1f} MB")
    print(json.dumps({"steps": steps, "early_bytes": early, "late_bytes": late, "growth": round(late / early - 1, 4)}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shape", choices=SHAPES, default="mid")
    parser.add_argument("--turns", type=int, default=4, help="counted steps of each method")
    parser.add_argument("--endurance", type=int, help="take so many steps of ours instead")
    arguments = parser.parse_args()
    shape = arguments.shape
    if shape == "2b" and not CUDA:
        print("not run: the 2b shape needs a CUDA GPU, and there is none here")
        print(json.dumps({"not_run": "2b needs a CUDA GPU"}))
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        accumulated = 16 if CUDA and shape == "2b" else 4
        # More than are trained on: where an epoch ends, the loader reads no batch ahead.
        clips = (arguments.turns + 3) * accumulated
        preparing = PROCESSES.Process(target=prepare, args=(folder, shape, clips))
        preparing.start()
        preparing.join()
        if arguments.endurance:
            endurance(folder, shape, arguments.endurance)
            return
        runs: list[tuple[str, str, float | None]] = [(method, method, None) for method in METHODS]
        if CUDA:
            runs += [(f"{method}_within_budget", method, budget) for method, budget in BUDGETS.items()]
        workers = {}
        if CUDA:  # one at a time: each has the card's memory for itself
            for label, method, budget in runs:
                workers[label] = worker = Worker(folder, shape, method, budget).wait()
                for _ in range(1 + arguments.turns):
                    worker.step()
                worker.end()
        else:
            workers = {label: Worker(folder, shape, method) for label, method, _ in runs}
            for worker in workers.values():
                worker.wait()
            for _ in range(1 + arguments.turns):
                for worker in workers.values():
                    worker.step()
            for worker in workers.values():
                worker.end()
        tokens = tokens_of_a_clip(folder)
    figures: dict[str, Any] = {label: worker.figures(accumulated) for label, worker in workers.items()}
    rate = {label: figures[label]["clips_per_second"] for label in figures}
    limit = reachable()
    for label in figures:
        work = flops(shape, tokens, tower=not label.startswith("cached"))
        figures[label]["flop_utilisation"] = round(work * rate[label] / limit, 3)
    losses = {label: [step["loss"] for step in worker.steps] for label, worker in workers.items()}
    figures["loss_gap"] = max(
        abs(loss - plain) for each in losses.values() for loss, plain in zip(each, losses["plain"], strict=True)
    )
    figures["ratios"] = {
        f"{ours}/{theirs}": round(rate[ours] / rate[theirs], 2)
        for ours in rate
        if ours not in ("plain", "tuned")
        for theirs in ("plain", "tuned")
    }
    figures["setting"] = {
        "shape": shape,
        "device": torch.cuda.get_device_name() if CUDA else "cpu",
        "threads": torch.get_num_threads(),
        "cores": os.cpu_count(),
        "batch": accumulated,
        "tokens": tokens,
        "losses": losses["plain"],
    }
    if not CUDA:
        figures["not_run"] = "no CUDA GPU here: NF4, the memory budgets and the 2b shape were not run"
    print(f"shape={shape} device={figures['setting']['device']} threads={torch.get_num_threads()} tokens={tokens}")
    print(f"{'method':>20}  {'clips/s':>8}  {'peak MB':>8}  {'wait':>6}  {'FLOPs':>6}  cut")
    for label in workers:
        row = figures[label]
        print(
            f"{label:>20}  {row['clips_per_second']:>8.3f}  {row['peak_memory_bytes'] / 1e6:>8.0f}  "
            f"{row['data_wait']:>6.1%}  {row['flop_utilisation']:>6.1%}  {row['cut']}"
        )
    print("  ".join(f"{name} {ratio}" for name, ratio in figures["ratios"].items()))
    print(f"largest difference of a step's loss from plain: {figures['loss_gap']:.1e}")
    if "not_run" in figures:
        print(figures["not_run"])
    print(json.dumps(figures))


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


if __name__ == "__main__":
    main()
