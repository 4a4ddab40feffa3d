"""`signvlm keypoints train`: a folder of labelled images → a run's folder with the best detector.

    signvlm keypoints train --set data.root=data/keypoints
    signvlm keypoints train --resume

The run holds `model.safetensors` (the detector with the best PCK@0.05 on held-out images), `state.safetensors` (to
resume from), `metrics.json`, `config.yaml` and `tb_logs/`.
"""

import contextlib
import dataclasses
import hashlib
import math
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from data_engineering.clip import write_json
from data_engineering.errors import ConfigError, RunError
from signvlm.config import Config
from signvlm.console import note, watched
from signvlm.hardware import Hardware
from signvlm.keypoints.batches import Batch, Squares, as_input, load, training_order
from signvlm.keypoints.checkpoint import MODEL, STATE, load_model, read, restore, save_model, save_state
from signvlm.keypoints.data import Example, read_folder, split, unlabelled
from signvlm.keypoints.device import Precision, choose, on, placed
from signvlm.keypoints.evaluate import find, headline
from signvlm.keypoints.heatmaps import loss
from signvlm.keypoints.network import Detector, sizes
from signvlm.keypoints.schedule import learning_rate, sides, sigma
from signvlm.keypoints.settings import STRIDE, KeypointSettings
from signvlm.run_lock import RunLock, claim
from signvlm.runs import runs
from signvlm.vlm.interrupt import Interrupt

CHOSEN_BY = "pck@0.05"
_CLIPPED = 5.0  # the longest gradient that a step takes
_LOGGED = 10  # steps between two points of TensorBoard's curves


@dataclass(frozen=True)
class Training:
    """What a training left.

    Attributes:
        folder: The run's folder.
        model: The file of the best detector.
        metrics: What metrics.json holds.
    """

    folder: Path
    model: Path
    metrics: dict[str, Any]


@dataclass
class _Progress:
    """How far a training is.

    Attributes:
        step: Steps taken.
        seconds: That they took, in all calls.
        best: The best PCK@0.05 so far at this size; below 0 before the first look.
        size: Side of the squares at the last look.
        history: A row a look at the held-out images.
    """

    step: int = 0
    seconds: float = 0.0
    best: float = -1.0
    size: int = 0
    history: list[dict[str, Any]] = field(default_factory=list)


def train(config: Config, *, resume: bool = False) -> Training:
    """Trains a detector on the images of `data.root` and keeps the one that is best on the tenth held out.

    Raises:
        ConfigError: The configuration does not suit the machine or the folder; there is nothing to resume.
        RunError: A label or an image is broken, the loss is no number, memory is short, or another training has the
            run's folder.
    """
    settings = config.keypoints
    hardware = choose(config.model)
    examples = read_folder(config.data.root)
    if count := unlabelled(config.data.root, examples):
        note(f"{count} images have no label and are left out")
    training, held_out = split(examples, settings.seed)
    note(f"{len(training)} images to train on ({_people(training)}), {len(held_out)} held out ({_people(held_out)})")
    with contextlib.ExitStack() as held:
        folder = _resumed(config, held) if resume else claim(config.output_dir, held)
        try:
            run = _Run(config, hardware, training, held_out, folder)
            if resume:
                run.go_on()
            else:
                config.save(folder / "config.yaml")
            run.steps()
            return run.ended()
        except torch.cuda.OutOfMemoryError as error:
            raise RunError(
                f"keypoints.batch_size: {settings.batch_size} images of {settings.size} px do not fit into the memory "
                f"of {hardware.device}; lower it, and train anew"
            ) from error


class _Run:
    """A training at work.

    Args:
        config: The configuration.
        hardware: What it computes on.
        training: The examples to train on.
        held_out: Those to choose the best detector on.
        folder: The run's.
    """

    def __init__(
        self,
        config: Config,
        hardware: Hardware,
        training: Sequence[Example],
        held_out: Sequence[Example],
        folder: Path,
    ) -> None:
        self.config, self.settings, self.hardware, self.folder = config, config.keypoints, hardware, folder
        self.training, self.held_out = training, held_out
        self.looked_at = _drawn(held_out, self.settings)
        torch.manual_seed(self.settings.seed)
        self.detector = placed(Detector(self.settings.network, self.settings.head_channels), hardware)
        self.optimizer = torch.optim.AdamW(self.detector.parameters(), weight_decay=self.settings.weight_decay)
        self.precision = Precision(hardware)
        self.progress = _Progress()
        self.identity = {
            "settings": self.settings.model_dump(mode="json"),
            "images": _fingerprint([*training, *held_out]),
        }
        self.sides = sides(self.settings)
        self._before, self._started = 0.0, time.perf_counter()

    def go_on(self) -> None:
        """Takes up the state in the run's folder.

        Raises:
            ConfigError: It is of other settings or images.
            RunError: It cannot be read.
        """
        about, tensors = read(self.folder / STATE)
        _check_same(about, self.identity, self.folder)
        restore(tensors, self.detector, self.optimizer, self.folder / STATE)
        self.progress = _Progress(**about["progress"])
        self.precision.load(about["scaler"])
        self._before = self.progress.seconds
        note(f"going on in {self.folder} after step {self.progress.step}")

    def steps(self) -> None:
        """Takes the steps that are left; looks at held-out images now and then, and keeps the best detector."""
        settings, progress = self.settings, self.progress
        side = settings.size // STRIDE
        note(f"{settings.network}: {sizes(self.detector)}; {settings.size} px in, {side} x {side} cells out")
        note(f"watch it: uv run tensorboard --logdir {self.folder / 'tb_logs'}")
        order = training_order(len(self.training), settings.batch_size, settings.seed, progress.step, self.sides)
        left = settings.steps - progress.step
        batches = load(Squares(self.training, settings), order, left, self.hardware.workers)
        bar = tqdm(total=settings.steps, initial=progress.step, desc="train", unit="step", disable=not watched())
        shown: dict[str, str] = {}
        logs = SummaryWriter(self.folder / "tb_logs", purge_step=progress.step)
        with contextlib.closing(logs) as writer, contextlib.closing(bar), Interrupt() as heard:
            for batch in _readable(batches):
                value = self._step(batch)
                progress.step += 1
                last = progress.step == settings.steps
                if progress.step % _LOGGED == 0 or last:
                    shown["loss"] = f"{self._log(writer, value):.3f}"
                grown = last or self.sides[progress.step] != self.sides[progress.step - 1]
                if progress.step % settings.evaluate_every == 0 or grown:
                    shown["PCK@0.05"] = f"{self._look(writer):.3f}"
                bar.set_postfix(shown, refresh=False)
                bar.update(1)
                if heard.asked:
                    self._keep()
                    raise KeyboardInterrupt

    def ended(self) -> Training:
        """Measures the best detector on all held-out images, and writes metrics.json."""
        loaded = load_model(self.folder)
        best = placed(loaded.detector, self.hardware)
        metrics = {
            "steps": self.progress.step,
            "seconds": round(self.progress.seconds, 1),
            "best_step": loaded.about["step"],
            "held_out": self._find(best, self.held_out, loaded.size),
            "history": self.progress.history,
            "network": sizes(best),
            "hardware": dataclasses.asdict(self.hardware),
        }
        write_json(self.folder / "metrics.json", metrics)
        return Training(self.folder, self.folder / MODEL, metrics)

    def _step(self, batch: Batch) -> torch.Tensor:
        """Takes a step; returns its loss, a scalar on the device."""
        images, points = batch
        device = on(self.hardware)
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.progress.step, self.settings)
        self.detector.train()
        with self.precision.autocast():
            logits = self.detector.logits(as_input(images, device))
        value = loss(logits, points.to(device, non_blocking=True), sigma(images.shape[1], self.settings))
        self.optimizer.zero_grad(set_to_none=True)
        self.precision.backward(value, self.optimizer)
        torch.nn.utils.clip_grad_norm_(self.detector.parameters(), _CLIPPED)
        self.precision.step(self.optimizer)
        return value.detach()

    def _log(self, writer: SummaryWriter, value: torch.Tensor) -> float:
        step, told = self.progress.step, float(value)
        if not math.isfinite(told):
            raise RunError(f"step {step}: the loss is no number; lower keypoints.learning_rate")
        writer.add_scalar("train/loss", told, step)
        writer.add_scalar("train/learning rate", learning_rate(step - 1, self.settings), step)
        return told

    def _look(self, writer: SummaryWriter) -> float:
        """Measures the detector, keeps it if it is the best so far; returns its PCK@0.05."""
        progress = self.progress
        progress.seconds = self._seconds()
        side = self.sides[progress.step - 1]
        row = {"step": progress.step, "seconds": round(progress.seconds, 1), "size": side}
        row |= headline(self._find(self.detector, self.looked_at, side))
        progress.history.append(row)
        for name, value in row.items():
            if isinstance(value, float):
                writer.add_scalar(f"held out/{name}", value, progress.step)
        score = row[CHOSEN_BY] or 0.0
        if score > progress.best or side != progress.size:  # what is best at one size is not at the next
            progress.best, progress.size = score, side
            told = {"step": progress.step, "size": side, "held_out": row}
            save_model(self.folder / MODEL, self.detector, self.settings, told)
        self._keep()
        return score

    def _find(self, detector: Detector, examples: Sequence[Example], side: int) -> dict[str, Any]:
        return find(detector, examples, side, self.settings.batch_size, self.hardware, self.precision)

    def _keep(self) -> None:
        self.progress.seconds = self._seconds()
        about = self.identity | {"progress": dataclasses.asdict(self.progress), "scaler": self.precision.state()}
        save_state(self.folder / STATE, self.detector, self.optimizer, about)

    def _seconds(self) -> float:
        return self._before + time.perf_counter() - self._started


def _readable(batches: Iterable[Batch]) -> Iterator[Batch]:
    """Yields the batches; an image that broke since the folder was read ends the training in one line."""
    try:
        yield from batches
    except ValueError as error:
        words = str(error).strip().splitlines()
        raise RunError(f"{words[-1].removeprefix('ValueError: ')}; correct or remove it and its label") from error


def _resumed(config: Config, held: contextlib.ExitStack) -> Path:
    for folder in reversed(runs(config.output_dir)):
        if (folder / STATE).is_file():
            held.enter_context(RunLock(folder))
            return folder
    raise ConfigError(f"{config.output_dir}: nothing to resume from; run `signvlm keypoints train` without --resume")


def _check_same(about: dict[str, Any], identity: dict[str, Any], folder: Path) -> None:
    """Refuses to go on with other settings or images than before: the steps would not be those of one training."""
    before = about.get("settings", {})
    for key, value in identity["settings"].items():
        if before.get(key) != value:
            raise ConfigError(
                f"keypoints.{key}: {value!r}, where {folder} was begun with {before.get(key)!r}; resume with "
                f"--config {folder / 'config.yaml'}, or train anew"
            )
    if about.get("images") != identity["images"]:
        raise ConfigError(f"data.root: its images are not those that {folder} was begun with; train anew")


def _fingerprint(examples: Sequence[Example]) -> str:
    told = hashlib.sha256()
    for example in sorted(examples, key=lambda each: each.path.name):
        told.update(example.path.name.encode("utf-8", "surrogateescape") + b"\0" + example.label.points.tobytes())
    return told.hexdigest()


def _drawn(examples: Sequence[Example], settings: KeypointSettings) -> list[Example]:
    if settings.watched is None or settings.watched >= len(examples):
        return list(examples)
    chosen = np.random.default_rng(settings.seed).choice(len(examples), settings.watched, replace=False)
    return [examples[number] for number in sorted(chosen)]


def _people(examples: Sequence[Example]) -> str:
    named = {example.label.signer for example in examples if example.label.signer}
    return f"{len(named)} signers" if named else "signers not named"
