"""Key points of clips → a run's folder with its checkpoint, TensorBoard events and the bundle of the best network."""

import contextlib
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from data_engineering.clip import by_split, write_json
from data_engineering.errors import ConfigError, RunError
from data_engineering.pose.of_clip import check_poses
from data_engineering.reasons import ClipError
from data_engineering.state import digest
from signvlm.config import Config
from signvlm.console import note, watched
from signvlm.corpus import Corpus, load_corpus, require
from signvlm.hardware import Hardware
from signvlm.pose.bundle import save_bundle
from signvlm.pose.clips import clip_points, fingerprint
from signvlm.pose.fit import Fit, Labelled, run
from signvlm.pose.hardware import choose_hardware, torch_device
from signvlm.pose.network import build, count_parameters
from signvlm.pose.state import State, read_state, write_state
from signvlm.run_lock import RunLock, claim
from signvlm.selection import best_evaluation, check_held_out
from signvlm.training import Training, versions

VERSIONS = ("torch", "numpy", "datasets")
_SPLITS = ("train", "validation")
# TensorBoard's name of a figure, and the bar's.
_SHOWN = {
    "loss": ("train/loss", "loss"),
    "eval_loss": ("eval/loss", "val loss"),
    "eval_top1": ("eval/top1", "val top-1"),
    "eval_top5": ("eval/top5", "val top-5"),
}


def train(config: Config, *, resume: bool) -> Training:
    """Trains a network on the key points of the training clips and keeps the one that is best on the validation clips.

    Raises:
        ConfigError: The configuration does not suit the data or the machine; with `resume`, nothing to go on from.
        RunError: Clips have no key points, the loss is not a number, the disk is full, Ctrl-C was pressed; or another
            training writes to the run's folder.
    """
    check_sections(config)
    corpus = load_corpus(config)
    require(corpus.rows["train"], "train", config.data.root)
    check_held_out(corpus)
    rows = {split: by_split([row for row in corpus.manifest if "media" in row], split) for split in _SPLITS}
    check_poses(config.data.root, [row for split in _SPLITS for row in rows[split]])
    key = _key(config, corpus, rows)
    with contextlib.ExitStack() as held:
        return _train(config, corpus, rows, key, resume, held)


def check_sections(config: Config) -> None:
    """Refuses keys of `training` that this family's trainer would not heed.

    Raises:
        ConfigError: There is one.
    """
    unheeded = sorted(config.training.keys() - {"output_dir"})
    if unheeded:
        raise ConfigError(
            f"{config.source}: training.{unheeded[0]} goes to the trainer of model.family vlm; the pose section has "
            "what this family trains with (epochs, batch_size, learning_rate, ...)"
        )


def _train(
    config: Config,
    corpus: Corpus,
    rows: Mapping[str, Sequence[Mapping[str, Any]]],
    key: str,
    resume: bool,
    held: contextlib.ExitStack,
) -> Training:
    hardware = choose_hardware(config)
    folder, state = config.output_dir, State()
    if resume:
        folder, state = read_state(config.output_dir, key)
        held.enter_context(RunLock(folder))
    taught, held_out = (labelled(config, corpus.glossary, rows[split]) for split in _SPLITS)
    if not len(taught):
        raise RunError(f"{config.data.root}: no training clip has usable key points; see datasets/health.html")
    if not len(held_out):
        note("no validation clip has key points: no model is selected, the last one is kept")
    torch.manual_seed(config.pose.seed)
    network = build(config.pose, len(corpus.glossary)).to(torch_device(hardware))
    note(f"{config.pose.network}: {count_parameters(network):,} weights")
    note(f"{len(taught)} training and {len(held_out)} validation clips of {len(corpus.glossary)} glosses")
    fit = Fit(network, taught, held_out, config, state)
    if resume and fit.finished() and (folder / "adapter").is_dir():
        raise ConfigError(f"--resume: {folder} is finished; raise pose.epochs, or train anew without --resume")
    if not resume:  # claimed only now, so that a run that cannot start leaves nothing
        folder = claim(config.output_dir, held)
    logs = folder / "tb_logs"
    note(f"watch it: uv run tensorboard --logdir {logs}")
    config.save(folder / "config.yaml")
    writer = held.enter_context(contextlib.closing(SummaryWriter(logs)))
    bar = held.enter_context(
        tqdm(total=config.pose.epochs, initial=state.epoch, desc="train", unit="epoch", disable=not watched())
    )

    def after(figures: dict[str, Any]) -> None:
        for name, (curve, _) in _SHOWN.items():
            if name in figures:
                writer.add_scalar(curve, figures[name], figures["step"])
        write_state(folder, state, key)
        bar.set_postfix({word: f"{figures[name]:.3f}" for name, (_, word) in _SHOWN.items() if name in figures}, False)
        bar.update()

    try:
        run(fit, after)
    except KeyboardInterrupt:
        saved = "`signvlm train --resume` goes on after epoch" if state.epoch else "`signvlm train` starts again: epoch"
        raise RunError(f"interrupted; {saved} {state.epoch or 1}") from None
    network.load_state_dict(state.best)
    metrics = _metrics(fit, corpus, hardware)
    bundle = folder / "adapter"
    save_bundle(bundle, network, corpus.glossary, config, metrics)
    write_json(folder / "metrics.json", metrics)
    return Training(folder, bundle, metrics)


def labelled(config: Config, glossary: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> Labelled:
    """Reads the key points of clips; those that show nobody, or too little, are left out, and said to be.

    Raises:
        RunError: A file is missing or damaged.
    """
    column = {gloss: number for number, gloss in enumerate(glossary)}
    clips, labels, refused = [], [], []
    for row in tqdm(rows, desc="key points", unit="clip", leave=False, disable=not watched()):
        try:
            clips.append(clip_points(config.data.root, row, config.pose.rate))
        except ClipError as error:
            refused.append(f"{row['video_id']}: {error}")
            continue
        labels.append(column[row["gloss"]])
    if refused:
        note(f"{len(refused)} of {len(rows)} clips are left out, e.g. {refused[0]}")
    return Labelled(clips, np.array(labels, dtype=np.int64))


def _key(config: Config, corpus: Corpus, rows: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """Identifies what is trained on what; how many epochs, and how long without gain, may be changed on the way."""
    return digest(
        [
            config.pose.model_dump(exclude={"epochs"}),
            config.loss.label_smoothing,
            config.augmentation.model_dump(include={"points", "mirror", "balance_glosses"}),
            corpus.glossary,
            [[row["video_id"], row["gloss"]] for split in _SPLITS for row in rows[split]],
            [fingerprint(config.data.root, rows[split], config.pose.rate) for split in _SPLITS],
        ]
    )


def _metrics(fit: Fit, corpus: Corpus, hardware: Hardware) -> dict[str, Any]:
    state, metric = fit.state, fit.config.selection.metric
    best = best_evaluation(state.history, metric)
    trained = count_parameters(fit.network)
    right = fit.log_probs(fit.train.clips).argmax(axis=1) == fit.train.labels
    return {
        "best_metric": best and best[f"eval_{metric}"],
        "metric": f"eval_{metric}" if best else None,
        "epochs": state.epoch,
        "steps": state.epoch * fit.steps,
        "seconds": round(state.seconds, 1),
        "clips": {split: len(each) for split, each in corpus.rows.items()},
        "glosses": len(corpus.glossary),
        "parameters": {"trainable": trained, "total": trained},
        "hardware": dataclasses.asdict(hardware),
        "leakage": corpus.health.get("leakage"),
        "versions": versions(VERSIONS),
        "history": state.history,
        "on_training_clips": {"clips": len(fit.train), "top1": float(right.mean())},
    }
