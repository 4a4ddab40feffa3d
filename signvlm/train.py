"""`signvlm train`: clips and a base model → a run's folder with checkpoints, TensorBoard events and the adapter bundle.

signvlm train --config params/internvl3_5_2b.yaml
signvlm train --resume
"""

import contextlib
import dataclasses
import importlib.metadata
import json
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from safetensors import SafetensorError
from torch.utils.tensorboard import SummaryWriter
from transformers import EarlyStoppingCallback, PrinterCallback, TrainerCallback
from transformers.integrations import TensorBoardCallback
from trl import SFTConfig

from data_engineering.clip import write_json
from data_engineering.errors import ConfigError, RunError
from data_engineering.quarantine import quarantine
from data_engineering.reasons import ClipError
from signvlm.config import Config
from signvlm.console import note
from signvlm.corpus import Corpus, load_corpus, require
from signvlm.hardware import Hardware, select
from signvlm.passthrough import FIXED_TRAINING, check_passthrough
from signvlm.runs import fresh_run, resumable_run
from signvlm.vlm.bundle import save_bundle
from signvlm.vlm.collator import IGNORED, VideoCollator
from signvlm.vlm.examples import UnreadableClipsError, as_examples
from signvlm.vlm.interrupt import Interrupt
from signvlm.vlm.loss import Smoothing
from signvlm.vlm.model import add_adapters, count_parameters, load_base, torch_device, unwrap
from signvlm.vlm.progress import TrainingBar
from signvlm.vlm.prompt import check_frame_size
from signvlm.vlm.recognizer import VLMRecognizer
from signvlm.vlm.trainer import SelectByRanking, SignTrainer

VERSIONS = ("torch", "transformers", "trl", "peft", "accelerate", "bitsandbytes", "datasets")


@dataclass(frozen=True)
class Training:
    """What a training left.

    Attributes:
        folder: The run's folder.
        bundle: The adapter bundle of the best model.
        metrics: What metrics.json holds.
    """

    folder: Path
    bundle: Path
    metrics: dict[str, Any]


def train(config: Config, *, resume: bool = False) -> Training:
    """Fine-tunes the base on the training clips and keeps the model that is best on the validation clips.

    Raises:
        ConfigError: The configuration does not suit the libraries, the model or the data.
        RunError: A clip cannot be read (it is quarantined and a checkpoint saved), or the disk is full.
    """
    check_passthrough(config)
    corpus = load_corpus(config)
    train_rows = require(corpus.rows["train"], "train", config.data.root)
    hardware = choose_hardware(config)
    folder, checkpoint = resumable_run(config.output_dir) if resume else (fresh_run(config.output_dir), None)
    if checkpoint is not None:
        _check_unfinished(folder, checkpoint, config.training.get("max_steps"))

    evaluates = len(corpus.rows["validation"]) > 0
    arguments = training_arguments(config, hardware, folder, evaluates=evaluates)

    torch.manual_seed(config.training.get("seed", 42))  # SFTConfig's default; LoRA's weights are drawn before it seeds
    base, processor = load_base(config.model, hardware, config.quantization)
    check_frame_size(processor, config.preprocess.size)
    model = add_adapters(base, config.lora)
    note(f"{count_parameters(model)}")
    recognizer = VLMRecognizer(
        unwrap(model),
        processor,
        prompt=config.model.prompt,
        glossary=corpus.glossary,
        num_frames=config.preprocess.num_frames,
        hardware=hardware,
        generation=config.generation,
        chunk_size=config.evaluation.chunk_size,
    )
    collator = VideoCollator(processor, config.model.prompt)
    examples = as_examples(train_rows, config.preprocess, config.augmentation)
    check_supervision(collator, examples)
    held_out = as_examples(corpus.rows["validation"], config.preprocess) if evaluates else None
    if held_out is None:
        note("no validation clip is readable: no model is selected, the last one is kept")
    note(f"{len(examples)} training and {len(held_out or ())} validation clips of {len(corpus.glossary)} glosses")

    if checkpoint is None:  # another training may have taken the name while the base was loading
        folder = fresh_run(config.output_dir)
        arguments.output_dir = str(folder)
    config.save(folder / "config.yaml")
    logs = folder / "tb_logs"
    note(f"watch it: uv run tensorboard --logdir {logs}")
    trainer = SignTrainer(
        model=model,
        args=arguments,
        train_dataset=examples,
        eval_dataset=held_out,
        data_collator=collator,
        processing_class=processor,
        smoothing=Smoothing(
            config.loss.label_smoothing,
            recognizer.tree.following() if config.loss.smooth_over == "glossary" else None,
        ),
        projector_learning_rate=config.model.projector_learning_rate,
        companions={"glossary.json": json.dumps(corpus.glossary), "config.yaml": config.to_yaml()},
        callbacks=[TensorBoardCallback(SummaryWriter(logs))],
    )
    trainer.remove_callback(PrinterCallback)
    bar = TrainingBar(trainer.args.train_batch_size * trainer.args.gradient_accumulation_steps)
    trainer.add_callback(bar)
    if held_out is not None:
        for callback in selection_callbacks(config, trainer, recognizer, held_out):
            trainer.add_callback(callback)
    started = time.time()
    with contextlib.closing(bar):
        _run(trainer, checkpoint, config)
    metrics = _metrics(trainer, corpus, hardware, time.time() - started)
    bundle = folder / "adapter"
    save_bundle(bundle, trainer.model, processor, corpus.glossary, config, metrics)
    write_json(folder / "metrics.json", metrics)
    return Training(folder, bundle, metrics)


def _check_unfinished(folder: Path, checkpoint: Path, max_steps: int | None) -> None:
    """Refuses to resume a finished training: the trainer would take a step beyond the last.

    Raises:
        ConfigError: It has taken its steps and left its adapter.
    """
    taken = int(checkpoint.name.rpartition("-")[2])
    if max_steps is not None and 0 < max_steps <= taken and (folder / "adapter").is_dir():
        raise ConfigError(
            f"training.max_steps: {folder} has taken {taken} of {max_steps} steps and is finished; "
            "raise it to go on, or train anew without --resume"
        )


def choose_hardware(config: Config) -> Hardware:
    """Asks the selector with what the configuration gives, and prints what it chose and why."""
    hardware = select(
        config.model.device,
        config.model.dtype,
        config.quantization.get("load_in_4bit", "auto"),
        config.training.get("dataloader_num_workers"),
    )
    for reason in hardware.reasons:
        note(reason)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = hardware.tf32
    if hardware.device == "directml":  # accelerate does not know it by itself
        os.environ["ACCELERATE_TORCH_DEVICE"] = str(torch_device(hardware))
    return hardware


def training_arguments(config: Config, hardware: Hardware, folder: Path, *, evaluates: bool) -> SFTConfig:
    """Builds trl's configuration: our defaults under the user's `training`, under what the trainer must decide itself.

    Args:
        config: The configuration.
        hardware: What the selector chose.
        folder: The run's folder.
        evaluates: Whether there are validation clips.
    """
    defaults: dict[str, Any] = {
        "bf16": hardware.dtype == "bfloat16",
        "fp16": hardware.dtype == "float16",
        "tf32": True if hardware.tf32 else None,
        "use_cpu": hardware.device == "cpu",
        "eval_strategy": "epoch" if evaluates else "no",
        "save_strategy": "epoch",
        "save_total_limit": 2,
        "load_best_model_at_end": evaluates,
        "gradient_checkpointing_kwargs": {"use_reentrant": False},
        "report_to": "none",
        "disable_tqdm": True,  # a bar of our own: the trainer's prints to stdout
        "dataloader_pin_memory": hardware.device == "cuda",
    }
    given = {key: value for key, value in config.training.items() if value is not None}
    decided: dict[str, Any] = {
        **FIXED_TRAINING,
        "output_dir": str(folder),
        "dataloader_num_workers": hardware.workers,
        "dataset_kwargs": {"skip_prepare_dataset": True},
        "prediction_loss_only": True,
        "label_names": ["labels"],
    }
    if evaluates:
        decided["metric_for_best_model"] = f"eval_{config.selection.metric}"
        decided["greater_is_better"] = config.selection.metric == "top1"
    else:
        decided["eval_strategy"] = "no"
        decided["load_best_model_at_end"] = False
    reports = given.get("report_to", [])
    reports = [reports] if isinstance(reports, str) else list(reports)
    # TensorBoard's events go to tb_logs/ through a callback of our own, in both generations of the libraries.
    decided["report_to"] = [name for name in reports if name not in ("tensorboard", "none")] or "none"
    try:
        return SFTConfig(**{**defaults, **given, **decided})
    except (ValueError, TypeError) as error:
        raise ConfigError(f"{config.source}: training: {' '.join(str(error).split())[:300]}") from error


def selection_callbacks(
    config: Config, trainer: SignTrainer, recognizer: VLMRecognizer, held_out: Dataset
) -> list[TrainerCallback]:
    """Returns what chooses the best model: the ranking first, so that early stopping sees its figure."""
    callbacks: list[TrainerCallback] = []
    if config.selection.metric == "top1":
        callbacks.append(SelectByRanking(_validation_top1(recognizer, held_out, config), trainer.log))
    if config.selection.patience is not None:
        callbacks.append(EarlyStoppingCallback(early_stopping_patience=config.selection.patience))
    return callbacks


def check_supervision(collator: VideoCollator, examples: Dataset) -> None:
    """Refuses to train on nothing: the first example must supervise its answer and its end token.

    Raises:
        RunError: Nothing is supervised, or the first clip cannot be read.
    """
    batch = collator([examples[0]])
    if "unreadable" in batch:
        raise UnreadableClipsError(batch["unreadable"])
    if not (batch["labels"] != IGNORED).any():
        raise RunError("the first batch supervises no token; see `signvlm train --inspect 1`")


def _validation_top1(recognizer: VLMRecognizer, held_out: Dataset, config: Config) -> Callable[[], float]:
    def top1() -> float:
        right = 0
        recognizer.model.eval()
        for start in range(0, len(held_out), config.evaluation.batch_size):
            examples = [held_out[i] for i in range(start, min(start + config.evaluation.batch_size, len(held_out)))]
            unreadable = [(example["clip_id"], *example["error"]) for example in examples if example["error"]]
            if unreadable:
                raise UnreadableClipsError(unreadable)
            best = recognizer.log_probs([example["frames"] for example in examples]).argmax(axis=1).tolist()
            right += sum(recognizer.glossary[i] == e["gloss"] for i, e in zip(best, examples, strict=True))
        return right / len(held_out)

    return top1


def _run(trainer: SignTrainer, checkpoint: Path | None, config: Config) -> None:
    """Trains; what ends it early leaves a checkpoint to resume from."""
    interrupt = Interrupt()
    trainer.add_callback(interrupt)
    try:
        with interrupt:
            trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    except UnreadableClipsError as error:
        saved = _save_checkpoint(trainer)
        quarantine(config.data.root, {clip: ClipError(reason, detail) for clip, reason, detail in error.clips})
        raise RunError(
            f"{error}; quarantined in {config.data.root / 'datasets' / 'corrupted_videos.json'}, {saved} without it"
        ) from error
    except KeyboardInterrupt:
        raise RunError(f"interrupted; {_save_checkpoint(trainer)}") from None
    except (OSError, SafetensorError) as error:
        raise _cannot_write(trainer, error) from error
    except ValueError as error:
        if checkpoint is None or "torch.load" not in str(error):
            raise
        raise ConfigError(f"--resume: transformers reads no optimizer state with torch {torch.__version__}") from error
    except RuntimeError as error:
        if interrupt.asked:  # a terminal's Ctrl-C reaches the workers too, and the loader misses them
            raise RunError(f"interrupted; {_save_checkpoint(trainer)}") from None
        if "inline_container" not in str(error):  # where torch.save fails on a disk that takes no more
            raise
        raise _cannot_write(trainer, OSError(0, "a file was cut short")) from error


def _save_checkpoint(trainer: SignTrainer) -> str:
    """Saves a checkpoint, where a step has been taken; returns how the user goes on."""
    if not trainer.state.global_step:
        return "no step was taken yet: `signvlm train` starts again"
    trainer._save_checkpoint(trainer.model, trial=None)
    return "a checkpoint is saved: `signvlm train --resume` goes on"


def _cannot_write(trainer: SignTrainer, error: Exception) -> RunError:
    """Removes what was written of a checkpoint; the earlier ones stay."""
    folder = Path(str(trainer.args.output_dir))
    whole = 0
    for checkpoint in folder.glob("checkpoint-*"):
        if (checkpoint / "trainer_state.json").is_file():  # the last file of a checkpoint
            whole += 1
        else:
            shutil.rmtree(checkpoint, ignore_errors=True)
    reason = (isinstance(error, OSError) and error.strerror) or " ".join(str(error).split())[:120]
    then = "go on with `signvlm train --resume`" if whole else "train again"
    return RunError(f"{folder}: a checkpoint cannot be written ({reason}); free space, then {then}")


def _metrics(trainer: SignTrainer, corpus: Corpus, hardware: Hardware, seconds: float) -> dict[str, Any]:
    parameters = count_parameters(trainer.model)
    return {
        "best_metric": trainer.state.best_metric,
        "metric": trainer.args.metric_for_best_model,
        "epochs": trainer.state.epoch,
        "steps": trainer.state.global_step,
        "seconds": round(seconds, 1),
        "clips": {split: len(rows) for split, rows in corpus.rows.items()},
        "glosses": len(corpus.glossary),
        "parameters": {"trainable": parameters.trainable, "total": parameters.total},
        "hardware": dataclasses.asdict(hardware),
        "leakage": corpus.health.get("leakage"),
        "versions": {name: _version(name) for name in VERSIONS},
        "history": trainer.state.log_history,
    }


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
