"""Clips and a base model → a run's folder with checkpoints, TensorBoard events and the adapter bundle."""

import contextlib
import dataclasses
import json
import time
from typing import Any

import torch
from datasets import Dataset
from torch.utils.tensorboard import SummaryWriter
from transformers import PrinterCallback
from transformers.integrations import TensorBoardCallback

from data_engineering.clip import write_json
from data_engineering.errors import RunError
from signvlm import processes
from signvlm.config import Config
from signvlm.console import note, silence, watched
from signvlm.corpus import Corpus, load_corpus, require
from signvlm.hardware import Hardware
from signvlm.passthrough import check_passthrough
from signvlm.run_lock import claim
from signvlm.selection import best_evaluation, check_held_out
from signvlm.training import Training, versions
from signvlm.vlm.arguments import choose_hardware, training_arguments
from signvlm.vlm.bundle import save_bundle
from signvlm.vlm.collator import IGNORED, VideoCollator
from signvlm.vlm.ending import run_to_end
from signvlm.vlm.examples import UnreadableClipsError, as_examples, quarantined, readable
from signvlm.vlm.features import Features
from signvlm.vlm.fit import fit
from signvlm.vlm.folders import go_on
from signvlm.vlm.guard import NamedBatches
from signvlm.vlm.loss import Smoothing
from signvlm.vlm.model import add_adapters, count_parameters, landing, load_base, unwrap
from signvlm.vlm.overfitting import REMEDIES, SAMPLE, WatchLosses, gap
from signvlm.vlm.progress import TrainingBar
from signvlm.vlm.prompt import check_frame_size
from signvlm.vlm.recognizer import VLMRecognizer
from signvlm.vlm.selection import Patience, Ranked, Validation
from signvlm.vlm.trainer import SignTrainer
from signvlm.vlm.watch import show_samples

VERSIONS = ("torch", "transformers", "trl", "peft", "accelerate", "bitsandbytes", "datasets")


def train(config: Config, *, resume: bool) -> Training:
    """Fine-tunes the base on the training clips and keeps the model that is best on the validation clips.

    Raises:
        ConfigError: The configuration does not suit the libraries, the model or the data.
        RunError: As `run_to_end`, a clip that cannot be read at its start too; or another training writes to the run's
            folder.
    """
    check_passthrough(config)
    corpus = load_corpus(config)
    require(corpus.rows["train"], "train", config.data.root)
    check_held_out(corpus)
    with silence(not watched() or not processes.first()), contextlib.ExitStack() as held:
        try:
            return _train(config, corpus, resume, held)
        except UnreadableClipsError as error:
            raise quarantined(config.data.root, error, "train again") from error


def _train(config: Config, corpus: Corpus, resume: bool, held: contextlib.ExitStack) -> Training:
    hardware = choose_hardware(config)
    processes.join(hardware.device)
    folder, checkpoint = config.output_dir, None
    if resume:
        folder, checkpoint = processes.agreed(lambda: go_on(config, held))
    evaluates = len(corpus.rows["validation"]) > 0
    arguments = training_arguments(config, hardware, folder, evaluates=evaluates)

    features = Features(config, corpus, hardware) if config.features.cache else None
    if features is not None:
        features.complete()
    encode = None if features is None else features.encode
    torch.manual_seed(config.training.get("seed", 42))  # SFTConfig's default; LoRA's weights are drawn before it seeds
    base, processor = load_base(config.model, hardware, config.quantization, tower=features is None)
    check_frame_size(processor, config.preprocess.size)
    model = add_adapters(base, config.lora)
    note(f"{count_parameters(model)}; {landing(model)}")
    recognizer = VLMRecognizer(
        unwrap(model),
        processor,
        prompt=config.model.prompt,
        glossary=corpus.glossary,
        num_frames=config.preprocess.shown_frames,
        hardware=hardware,
        generation=config.generation,
        chunk_size=config.evaluation.chunk_size,
        encode=encode,
    )
    collator = VideoCollator(processor, config.model.prompt, encode)

    def shown(split: str, *, vary: bool = False) -> Dataset:
        """Views a split's clips as the model is shown them: stored features, or pixels."""
        if features is not None:
            return features.examples(split, vary=vary)
        return as_examples(corpus.rows[split], config.preprocess, config.augmentation if vary else None)

    examples = shown("train", vary=True)
    check_supervision(collator, examples)
    held_out = shown("validation") if evaluates else None
    if held_out is None:
        note("no validation clip is readable: no model is selected, the last one is kept")
    note(f"{len(examples)} training and {len(held_out or ())} validation clips of {len(corpus.glossary)} glosses")

    if checkpoint is None:  # claimed only now, so that a run that cannot start leaves nothing
        folder = processes.agreed(lambda: claim(config.output_dir, held))
        arguments.output_dir = str(folder)
    logs = folder / "tb_logs"
    note(f"watch it: uv run tensorboard --logdir {logs}")
    writer = None
    if processes.first():
        config.save(folder / "config.yaml")
        writer = held.enter_context(contextlib.closing(SummaryWriter(logs)))
    answers = dict(zip(recognizer.glossary, map(len, recognizer.tree.answers), strict=True))
    validation = None
    if held_out is not None and config.selection.metric == "top1":
        pictures = as_examples(corpus.rows["validation"], config.preprocess)
        validation = Validation(
            lambda clips: recognizer.log_probs([clip["frames"] for clip in clips]),
            answers,
            held_out,
            config.evaluation.batch_size,
            show_samples(writer, pictures, corpus.glossary, lambda: trainer.state.global_step) if writer else None,
        )
    trainer = SignTrainer(
        model=model,
        args=arguments,
        train_dataset=examples,
        eval_dataset=held_out,
        data_collator=NamedBatches(collator),
        processing_class=processor,
        smoothing=Smoothing(
            config.loss.label_smoothing,
            recognizer.tree.following() if config.loss.smooth_over == "glossary" else None,
        ),
        projector_learning_rate=config.model.projector_learning_rate,
        companions={"glossary.json": json.dumps(corpus.glossary), "config.yaml": config.to_yaml()},
        rank=validation,
        balanced=config.augmentation.balance_glosses,
        callbacks=[TensorBoardCallback(writer)] if writer else [],
    )
    trainer.remove_callback(PrinterCallback)
    fit(trainer, collator, examples, config, hardware)
    clips_a_step = trainer.args.train_batch_size * trainer.args.gradient_accumulation_steps * processes.count()
    bar = TrainingBar(clips_a_step)
    trainer.add_callback(bar)
    trainer.add_callback(WatchLosses())
    if held_out is not None and config.selection.patience is not None:
        trainer.add_callback(Patience(config.selection.metric, config.selection.patience))
    started = time.time()
    with contextlib.closing(bar):
        run_to_end(trainer, checkpoint, config, hardware)
    metrics = _metrics(trainer, corpus, hardware, time.time() - started, config.selection.metric)
    if validation is not None:
        stored = shown("train")
        stored = stored.select(_spread(len(stored), SAMPLE))
        metrics["on_training_clips"] = _on_training_clips(validation, stored, metrics)
    bundle = folder / "adapter"
    if processes.first():
        save_bundle(bundle, trainer.model, processor, corpus.glossary, config, metrics)
        write_json(folder / "metrics.json", metrics)
    processes.wait()
    return Training(folder, bundle, metrics)


def _spread(count: int, most: int) -> list[int]:
    """Returns up to `most` of `count` indices, evenly spread."""
    return [place * count // min(count, most) for place in range(min(count, most))]


def _on_training_clips(validation: Validation, stored: Dataset, metrics: dict[str, Any]) -> dict[str, float]:
    """Ranks some training clips with the model that is kept, and says so where it knows them by heart."""
    ranked = Validation(validation.log_probs, validation.answers, stored, validation.batch_size)(lambda: None)
    best = best_evaluation(metrics["history"], "top1")
    if best is not None:
        held_out = Ranked(len(validation.examples), best["eval_top1"], best["eval_top5"], best["eval_loss"])
        if told := gap(ranked, held_out):
            note(f"warning: {told}; {REMEDIES}")
    return dataclasses.asdict(ranked)


def check_supervision(collator: VideoCollator, examples: Dataset) -> None:
    """Refuses to train on nothing: the first example must supervise its answer and its end token.

    Raises:
        RunError: Nothing is supervised.
        UnreadableClipsError: The first clip cannot be read.
    """
    if not (readable(collator([examples[0]]))["labels"] != IGNORED).any():
        raise RunError("the first batch supervises no token; see `signvlm train --inspect 1`")


def _metrics(trainer: SignTrainer, corpus: Corpus, hardware: Hardware, seconds: float, metric: str) -> dict[str, Any]:
    parameters = count_parameters(trainer.model)
    best = best_evaluation(trainer.state.log_history, metric)
    return {
        "best_metric": best and best[f"eval_{metric}"],
        "metric": f"eval_{metric}" if best else None,
        "epochs": trainer.state.epoch,
        "steps": trainer.state.global_step,
        "seconds": round(seconds, 1),
        "clips": {split: len(rows) for split, rows in corpus.rows.items()},
        "glosses": len(corpus.glossary),
        "parameters": {"trainable": parameters.trainable, "total": parameters.total},
        "hardware": dataclasses.asdict(hardware),
        "leakage": corpus.health.get("leakage"),
        "versions": versions(VERSIONS),
        "history": trainer.state.log_history,
    }
