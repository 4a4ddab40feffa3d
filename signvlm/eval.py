"""`signvlm eval`: a run's adapter on a split → evaluation_results.json, predictions.csv and report.html in the run.

signvlm eval --config params/internvl3_5_2b.yaml
signvlm eval --checkpoint data/wlasl/runs/internvl3_5_2b/adapter --split validation --limit 50
"""

import dataclasses
import importlib.metadata
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from huggingface_hub import constants

from data_engineering.clip import SPLITS, read_json
from data_engineering.errors import ConfigError, RunError
from data_engineering.state import digest
from signvlm.bundles import read_glossary
from signvlm.calibration import Calibration, Uncalibrated
from signvlm.config import Config
from signvlm.console import note
from signvlm.corpus import Corpus, clips_of, load_corpus, require
from signvlm.evaluation import fit
from signvlm.evaluation.evaluate import Background, Results, Split, evaluate
from signvlm.evaluation.parameters import phonology_of
from signvlm.evaluation.protocol import DEFAULT, WLASL_OFFICIAL, deviations
from signvlm.evaluation.results import paths, read_results
from signvlm.evaluation.synonyms import Synonyms, synonyms_of_file, synonyms_of_media
from signvlm.identity import hashes_of, identify
from signvlm.loading import Loaded, find, load_found

VALIDATION = "validation"
_NO_ANSWER = ("workers", "reasons")  # of the hardware: they change how fast a clip is answered, not how


def evaluate_checkpoint(
    config: Config,
    checkpoint: Path | None = None,
    *,
    split: str = "test",
    limit: int | None = None,
    protocol: str = DEFAULT,
    progress: bool = True,
    command: str | None = None,
) -> Results:
    """Evaluates an adapter; unreadable clips of the split count as wrong, missing ones are listed.

    Without a temperature for these weights one is fitted on the validation clips, which costs their ranking once; a
    limited run does without.

    Args:
        config: Gives the data root, the answering modes and the beams.
        checkpoint: The bundle; None for the newest run's.
        split: `train`, `validation` (or `val`) or `test`.
        limit: A seeded sample of this many clips; None for all.
        protocol: `default`, or `wlasl-official` for what the WLASL authors compute besides.
        progress: Whether to show progress bars on stderr.
        command: What the report shows as the command that made it.

    Raises:
        ConfigError: An unknown split, no bundle, a data root without clips, a broken file of synonyms or phonology.
        RunError: The frames are stale, or the split has no readable clip.
    """
    split = VALIDATION if split == "val" else split
    if split not in SPLITS:
        raise ConfigError(f"--split {split}: no such split; choose one of {', '.join(SPLITS)}")
    config, bundle = find(config, checkpoint)
    corpus = load_corpus(config)
    rows = require(corpus.rows[split], split, config.data.root)
    glossary = read_glossary(bundle)
    synonyms = _synonyms(config, corpus, glossary)
    phonology = phonology_of(config.data.phonology, glossary) if config.data.phonology else None
    # All that can be wrong with files is known by now: the model is loaded last.
    loaded = load_found(config, bundle)
    hashes, folder = hashes_of(bundle), folder_of(bundle, config)
    key = identify(hashes, config, load_in_4bit=loaded.hardware.load_in_4bit)
    calibrator = _Calibrator(loaded, corpus, folder, key, split=split, limit=limit, progress=progress)
    asked = Split(split, loaded.reader.split(rows), clips_of(corpus.unreadable, split), clips_of(corpus.missing, split))
    history = _history(bundle)
    lost = len(asked.unreadable) + len(asked.missing)
    background = Background(
        synonyms=synonyms,
        phonology=phonology,
        calibrate=calibrator.calibrate,
        history=history.get("history") or [],
        context={
            "command": command,
            "checkpoint": str(bundle),
            "identity": key,
            "files": digest(hashes),
            "config": config.model_dump(mode="json", by_alias=True),
            "hardware": dataclasses.asdict(loaded.hardware),
            "leakage": corpus.health.get("leakage"),
            "note": config.data.note,
            "selected_by": history.get("metric"),
            "deviations": deviations(
                split,
                config.data.model_dump(mode="json"),
                len(glossary),
                lost,
                limited=limit is not None,
            )
            if protocol == WLASL_OFFICIAL
            else [],
        },
        key=_shown_key(loaded, corpus, split, key),
    )
    # The default names every family's ways of answering.
    modes = tuple(mode for mode in config.evaluation.modes if mode in loaded.recognizer.modes)
    return evaluate(
        loaded.recognizer,
        asked,
        config.evaluation.model_copy(update={"modes": modes or config.evaluation.modes}),
        background,
        folder,
        limit=limit,
        protocol=protocol,
        progress=progress,
    )


def folder_of(bundle: Path, config: Config) -> Path:
    """Returns where a bundle's results go: the run's folder, or the bundle itself where it lies by itself.

    The Hub's cache is the Hub's: results of a bundle in it go to a run's folder of its name, apart from one's own runs.
    """
    if _cached(bundle):
        repository = bundle.resolve().relative_to(Path(constants.HF_HUB_CACHE).resolve()).parts[0]
        return config.data.root / "runs" / repository.removeprefix("models--")
    return bundle.parent if bundle.name == "adapter" else bundle


def _cached(bundle: Path) -> bool:
    return bundle.resolve().is_relative_to(Path(constants.HF_HUB_CACHE).resolve())


class _Calibrator:
    """Finds the temperature: of the bundle, of earlier validation results, or fitted now."""

    def __init__(
        self, loaded: Loaded, corpus: Corpus, folder: Path, key: str, *, split: str, limit: int | None, progress: bool
    ) -> None:
        self.loaded = loaded
        self.corpus = corpus
        self.folder = folder
        self.key = key
        self.split = split
        self.limit = limit
        self.progress = progress

    def calibrate(self, clips: Sequence[Mapping[str, Any]]) -> Calibration | Uncalibrated:
        """Returns the temperature or why there is none, and leaves in the bundle what it had to fit."""
        if known := fit.known_calibration(self.loaded.bundle, self.key):
            return known
        if self.limit is not None:
            note("a limited run fits no temperature: calibration is reported without")
            return Uncalibrated("a limited run fits none")
        fitted = self._fit(clips)
        if isinstance(fitted, Uncalibrated) and not fitted.clips:
            note(f"{fitted.reason}, so no temperature is fitted")
        elif not _cached(self.loaded.bundle):
            fit.keep(self.loaded.bundle, fitted)
        return fitted

    def _fit(self, clips: Sequence[Mapping[str, Any]]) -> Calibration | Uncalibrated:
        glossary = self.loaded.recognizer.glossary
        if self.split == VALIDATION:
            return fit.fitted_on(clips, glossary, self.key)
        earlier = paths(self.folder, VALIDATION).json
        if earlier.is_file():
            try:
                results = read_results(earlier)
            except RunError as error:
                note(str(error))
            else:
                if results["run"].get("identity") == self.key and "exact" in results["modes"]:
                    return fit.fitted_on(results["clips"], glossary, self.key)
        return fit.ask_validation(
            self.loaded.recognizer,
            self.loaded.reader.split(self.corpus.rows[VALIDATION]),
            self.loaded.config.evaluation,
            self.folder,
            _shown_key(self.loaded, self.corpus, VALIDATION, self.key),
            self.key,
            progress=self.progress,
        )


def _shown_key(loaded: Loaded, corpus: Corpus, split: str, identity: str) -> str:
    """Identifies the answers to a split's clips to the last digit: also by device, libraries and what is shown."""
    config = loaded.config
    return digest(
        [
            identity,
            config.generation,
            config.evaluation.chunk_size,
            {key: value for key, value in dataclasses.asdict(loaded.hardware).items() if key not in _NO_ANSWER},
            {name: importlib.metadata.version(name) for name in ("signvlm", "torch", "transformers")},
            loaded.reader.fingerprint(corpus, split),
        ]
    )


def _synonyms(config: Config, corpus: Corpus, glossary: Sequence[str]) -> Synonyms:
    given = config.evaluation.synonyms
    found = synonyms_of_file(given, glossary) if given else synonyms_of_media(corpus.manifest, glossary)
    if given and not found.groups:
        note(f"evaluation.synonyms: {given} has no two glosses of this glossary in one group")
    return found


def _history(bundle: Path) -> dict[str, Any]:
    path = bundle / "metrics.json"
    found = read_json(path, "train again") if path.is_file() else {}
    return found if isinstance(found, dict) else {}
