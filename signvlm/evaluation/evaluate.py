"""Ask a recogniser about every clip of a split; write evaluation_results.json and report.html.

Nothing is written before the last clip is answered, and each file is then written whole, so a run that dies leaves the
previous results as they were.
"""

import importlib.metadata
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import isfinite, isnan
from pathlib import Path
from typing import Any

import numpy as np
from datasets import Dataset
from tqdm import tqdm

from data_engineering.clip import write_text
from data_engineering.errors import ConfigError, RunError
from data_engineering.frames import row_frames
from signvlm.evaluation import metrics, summary
from signvlm.evaluation.report import render
from signvlm.recognizer import Answer, Recognizer

VERSION = 1
_REPORTED = ("clip_id", "gloss", "signer_id")


@dataclass(frozen=True)
class Results:
    """An evaluation, as written.

    Attributes:
        data: What evaluation_results.json holds: `version`, `split`, `summary` {mode: figures}, `glossary`, `run` (the
            context: command, configuration, hardware, leakage, ...), `missing` and `clips`.
        path: The JSON file.
        report: The HTML page.
    """

    data: dict[str, Any]
    path: Path
    report: Path

    @property
    def summary(self) -> dict[str, dict[str, Any]]:
        """Each mode's figures; `signvlm.evaluation.summary.summarise` names them."""
        return self.data["summary"]

    def table(self) -> str:
        """Returns the modes' figures as plain text for the terminal."""
        return summary.table(self.summary)


def evaluate(
    recognizer: Recognizer,
    dataset_split: Dataset,
    *,
    split: str,
    unreadable: Sequence[Mapping[str, Any]],
    missing: Sequence[Mapping[str, Any]],
    out: Path,
    modes: Sequence[str],
    batch_size: int,
    limit: int | None,
    bootstrap_samples: int,
    seed: int,
    context: Mapping[str, Any],
    progress: bool = True,
) -> Results:
    """Evaluates a recogniser on one split and writes the results.

    Args:
        recognizer: Whatever answers clips.
        dataset_split: The split's preprocessed rows (clip_id, gloss, signer_id, frames, shape).
        split: Its name; any but `test` becomes a suffix of the files' names.
        unreadable: Clips of the split whose file does not decode: {video_id, gloss, signer_id, reason, detail}. They
            count as wrong.
        missing: Indexed clips of the split without a file: {video_id, gloss, signer_id}. Wrong in `top1_all`.
        out: The folder to write to.
        modes: Ways of answering, of the recogniser's own.
        batch_size: Clips asked at once.
        limit: Ask only so many of the clips on disk, a seeded sample; None for all.
        bootstrap_samples: Resamples behind each interval.
        seed: Seeds the sample, the resamples and the report's choice of clips.
        context: Kept under `run` and shown in the report: `command`, `config`, `hardware`, `leakage`, and `note`, a
            sentence every reader must see.
        progress: Whether to show a progress bar on stderr.

    Raises:
        ConfigError: A mode that the recogniser does not have, or none.
        RunError: No clip to ask; a score that is not a number; a file that cannot be written.
    """
    _check_modes(modes, recognizer.modes)
    if not len(dataset_split):
        raise RunError(f"{split}: no readable clip to evaluate; see health.html, or name another split with --split")
    readable, refused = _sample(len(dataset_split), len(unreadable), limit, seed)
    rows = dataset_split.select(readable)
    columns = zip(*(rows[name] for name in _REPORTED), strict=True)
    clips: list[dict[str, Any]] = [dict(zip(_REPORTED, row, strict=True)) for row in columns]
    lost = [_unreadable(unreadable[index]) for index in refused]
    figures: dict[str, dict[str, Any]] = {}
    for mode in modes:
        started = time.perf_counter()
        answers = _ask(recognizer, rows, mode, batch_size, progress)
        seconds = time.perf_counter() - started
        for clip, given in zip(clips, answers, strict=True):
            clip[mode] = _reported(given, mode, recognizer.glossary, clip["clip_id"])
        for clip in lost:
            clip[mode] = []
        asked = [*clips, *lost]
        complete = len(asked) == len(dataset_split) + len(unreadable)
        figures[mode] = {
            **summary.summarise(
                [_glosses(clip[mode]) for clip in asked],
                asked,
                missing,
                recognizer.glossary,
                ranked=mode == "exact",
                complete=complete,
                samples=bootstrap_samples,
                seed=seed,
            ),
            **_counts(len(dataset_split), len(unreadable), len(missing), len(asked)),
            "signers": len({str(clip["signer_id"]) for clip in asked}),
            "seconds": seconds,
            "seconds_per_clip": seconds / max(1, len(clips)),
        }

    data = {
        "version": VERSION,
        "split": split,
        "summary": figures,
        "glossary": list(recognizer.glossary),
        "run": _plain({**_provenance(batch_size, limit, bootstrap_samples, seed), **context}),
        "missing": [_named(row) for row in missing],
        "clips": [*clips, *lost],
    }
    suffix = "" if split == "test" else f"_{split}"
    results = Results(data, out / f"evaluation_results{suffix}.json", out / f"report{suffix}.html")
    place = {clip["clip_id"]: index for index, clip in enumerate(clips)}

    def frames(clip_id: str) -> np.ndarray | None:
        return row_frames(rows[place[clip_id]]) if clip_id in place else None

    write_text(results.path, _json(data))
    write_text(results.report, render(data, frames, seed=seed))
    return results


def _check_modes(modes: Sequence[str], known: Sequence[str]) -> None:
    if not modes:
        raise ConfigError(f"evaluation.modes: empty; name one or more of {', '.join(known)}")
    for mode in modes:
        if mode not in known:
            raise ConfigError(
                f"evaluation.modes: this model does not answer by {mode!r}; choose from {', '.join(known)}"
            )


def _sample(readable: int, unreadable: int, limit: int | None, seed: int) -> tuple[list[int], list[int]]:
    """Draws which clips on disk are asked; the unreadable ones are in the draw, or a limited run would flatter."""
    on_disk = readable + unreadable
    if limit is None or limit >= on_disk:
        return list(range(readable)), list(range(unreadable))
    drawn = np.sort(np.random.default_rng(seed).choice(on_disk, size=limit, replace=False)).tolist()
    return [index for index in drawn if index < readable], [index - readable for index in drawn if index >= readable]


def _ask(recognizer: Recognizer, rows: Dataset, mode: str, batch_size: int, progress: bool) -> list[list[Answer]]:
    answers: list[list[Answer]] = []
    with tqdm(total=len(rows), desc=f"eval {mode}", unit="clip", disable=not progress) as bar:
        for start in range(0, len(rows), batch_size):
            indices = range(start, min(start + batch_size, len(rows)))
            answers += recognizer.answer([row_frames(rows[index]) for index in indices], mode)
            bar.update(len(indices))
    return answers


def _reported(answers: Sequence[Answer], mode: str, glossary: Sequence[str], clip_id: str) -> list[Any]:
    """Returns a clip's answers as the file holds them: with scores for `exact`, else the glosses, duplicates merged."""
    for answer in answers:
        if isnan(answer.log_prob):
            raise RunError(
                f"{clip_id}: the score of {answer.gloss!r} is not a number; the model diverged, train it anew"
            )
    if mode == "exact":
        # JSON has no infinity: a gloss that the model rules out altogether has a null.
        return [
            {"gloss": gloss, "log_prob": round(float(score), 6) if isfinite(score) else None}
            for gloss, score in answers
        ]
    return metrics.canonical((answer.gloss for answer in answers), glossary)


def _glosses(answers: Sequence[Any]) -> list[str]:
    return [answer["gloss"] if isinstance(answer, dict) else answer for answer in answers]


def _counts(readable: int, unreadable: int, missing: int, asked: int) -> dict[str, Any]:
    on_disk = readable + unreadable
    return {
        "clips": asked,
        "on_disk": on_disk,
        "unreadable": unreadable,
        "missing": missing,
        "coverage": readable / (on_disk + missing),
        "limited": f"{asked} of {on_disk}" if asked < on_disk else None,
    }


def _named(row: Mapping[str, Any]) -> dict[str, Any]:
    return {"clip_id": row["video_id"], "gloss": row["gloss"], "signer_id": str(row["signer_id"])}


def _unreadable(row: Mapping[str, Any]) -> dict[str, Any]:
    return {**_named(row), "unreadable": ": ".join(str(row[key]) for key in ("reason", "detail") if row.get(key))}


def _provenance(batch_size: int, limit: int | None, bootstrap_samples: int, seed: int) -> dict[str, Any]:
    packages = ("signvlm", "torch", "transformers", "trl", "peft", "datasets", "numpy")
    return {
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "evaluation": {"batch_size": batch_size, "limit": limit, "bootstrap_samples": bootstrap_samples, "seed": seed},
        "versions": {name: importlib.metadata.version(name) for name in packages},
    }


def _plain(context: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the context as JSON holds it, paths as text, so that the page shows what the file says."""
    return json.loads(json.dumps(context, default=str))


def _json(data: Mapping[str, Any]) -> str:
    """Returns the file's text: indented, but a clip a line, so that a whole glossary's ranking stays one line."""
    head = {key: value for key, value in data.items() if key != "clips"}
    opened = json.dumps(head, ensure_ascii=False, indent=1, allow_nan=False).removesuffix("\n}")
    rows = [json.dumps(clip, ensure_ascii=False, allow_nan=False) for clip in data["clips"]]
    return opened + ',\n "clips": [\n  ' + ",\n  ".join(rows) + "\n ]\n}\n"
