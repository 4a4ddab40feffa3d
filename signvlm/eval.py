"""`signvlm eval`: a run's adapter on a split → evaluation_results.json and report.html in the run's folder.

signvlm eval --config params/internvl3_5_2b.yaml
signvlm eval --checkpoint data/wlasl/runs/internvl3_5_2b/adapter --split validation --limit 50
"""

import dataclasses
import sys
from pathlib import Path

from data_engineering.clip import SPLITS
from data_engineering.errors import ConfigError, RunError
from data_engineering.frames import FOLDER
from signvlm.config import Config
from signvlm.corpus import clips_of, load_corpus, require
from signvlm.evaluation.evaluate import Results, evaluate
from signvlm.loading import load_recognizer
from signvlm.runs import newest_bundle


def evaluate_checkpoint(
    config: Config, checkpoint: Path | None = None, *, split: str = "test", limit: int | None = None
) -> Results:
    """Evaluates an adapter; unreadable clips of the split count as wrong, missing ones are listed.

    Args:
        config: Gives the data root, the answering modes and the beams.
        checkpoint: The bundle; None for the newest run's.
        split: `train`, `validation` (or `val`) or `test`.
        limit: A seeded sample of this many clips; None for all.

    Raises:
        ConfigError: An unknown split, no bundle, or a data root without clips.
        RunError: The frames are missing or stale, or the split has no readable clip.
    """
    split = "validation" if split == "val" else split
    if split not in SPLITS:
        raise ConfigError(f"--split {split}: no such split; choose one of {', '.join(SPLITS)}")
    checkpoint = checkpoint or newest_bundle(config.output_dir)
    frames = config.data.root / FOLDER
    if config.data.root.is_dir() and not frames.is_dir():
        raise RunError(f"{frames}: not there, and eval reads it; run `signvlm preprocess`")
    loaded = load_recognizer(config, checkpoint)
    corpus = load_corpus(loaded.config)
    folder = loaded.bundle.parent if loaded.bundle.name == "adapter" else loaded.bundle
    return evaluate(
        loaded.recognizer,
        require(corpus.rows[split], split, config.data.root),
        split=split,
        unreadable=clips_of(corpus.unreadable, split),
        missing=clips_of(corpus.missing, split),
        out=folder,
        modes=loaded.config.evaluation.modes,
        batch_size=loaded.config.evaluation.batch_size,
        limit=limit,
        bootstrap_samples=loaded.config.evaluation.bootstrap_samples,
        seed=loaded.config.evaluation.seed,
        context={
            "command": " ".join(["signvlm", *sys.argv[1:]]),
            "checkpoint": str(loaded.bundle),
            "config": loaded.config.model_dump(mode="json", by_alias=True),
            "hardware": dataclasses.asdict(loaded.hardware),
            "leakage": corpus.health.get("leakage"),
            "note": loaded.config.data.note,
        },
    )
