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
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import psutil
import torch
from shapes import FRAMES, SHAPES
from step_methods import ANSWER, CUDA, METHODS, build_trainer, prepare, tokens_of_a_clip
from transformers import TrainerCallback

from signvlm.memory import peak_memory

# Forked where that is safe: this process has imported everything, and computes nothing before the others end.
PROCESSES = multiprocessing.get_context("fork" if sys.platform == "linux" and not CUDA else "spawn")
BUDGETS = {"ours": 5.5, "cached": 4.5}  # GB


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
        batch = 16 if CUDA and shape == "2b" else 4
        # More than are trained on: where an epoch ends, the loader reads no batch ahead.
        clips = (arguments.turns + 3) * batch
        preparing = PROCESSES.Process(target=prepare, args=(folder, shape, clips))
        preparing.start()
        preparing.join()
        if arguments.endurance:
            endurance(folder, shape, arguments.endurance)
            return
        workers = measure(folder, shape, 1 + arguments.turns)
        tokens = tokens_of_a_clip(folder)
    show(summarise(workers, shape, batch, tokens), list(workers))


def measure(folder: Path, shape: str, steps: int) -> dict[str, Worker]:
    """Lets every method take so many steps; returns its worker by its label."""
    if CUDA:  # one at a time: each has the card's memory for itself
        runs: list[tuple[str, str, float | None]] = [(method, method, None) for method in METHODS]
        runs += [(f"{method}_within_budget", method, budget) for method, budget in BUDGETS.items()]
        workers = {}
        for label, method, budget in runs:
            workers[label] = worker = Worker(folder, shape, method, budget).wait()
            for _ in range(steps):
                worker.step()
            worker.end()
        return workers
    workers = {method: Worker(folder, shape, method) for method in METHODS}
    for worker in workers.values():
        worker.wait()
    for _ in range(steps):
        for worker in workers.values():
            worker.step()
    for worker in workers.values():
        worker.end()
    return workers


def summarise(workers: dict[str, Worker], shape: str, batch: int, tokens: int) -> dict[str, Any]:
    """Returns every method's figures, their ratios, and how far the losses lie apart."""
    figures: dict[str, Any] = {label: worker.figures(batch) for label, worker in workers.items()}
    rate = {label: figures[label]["clips_per_second"] for label in figures}
    limit = reachable()
    for label in workers:
        needed = flops(shape, tokens, tower=not label.startswith("cached"))
        figures[label]["flop_utilisation"] = round(needed * rate[label] / limit, 3)
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
        "batch": batch,
        "tokens": tokens,
        "losses": losses["plain"],
    }
    if not CUDA:
        figures["not_run"] = "no CUDA GPU here: NF4, the memory budgets and the 2b shape were not run"
    return figures


def show(figures: dict[str, Any], labels: list[str]) -> None:
    """Prints the table and the line of JSON."""
    setting = figures["setting"]
    print(
        f"shape={setting['shape']} device={setting['device']} threads={setting['threads']} tokens={setting['tokens']}"
    )
    print(f"{'method':>20}  {'clips/s':>8}  {'peak MB':>8}  {'wait':>6}  {'FLOPs':>6}  cut")
    for label in labels:
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


if __name__ == "__main__":
    main()
