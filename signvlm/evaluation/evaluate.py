"""Ask a recogniser about every clip of a split; write evaluation_results.json, predictions.csv and report.html.

Answers are kept as they come, so that a run that dies goes on with the clips that remain; the results are written after
the last one, each file whole, so that earlier results stay as they were until then.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from data_engineering.clip import write_text
from data_engineering.errors import ConfigError, RunError
from data_engineering.reasons import ClipError
from data_engineering.state import digest
from signvlm.calibration import Calibration, Uncalibrated
from signvlm.config import EvaluationSettings
from signvlm.evaluation import summary
from signvlm.evaluation.ask import ask
from signvlm.evaluation.clips import SplitClips
from signvlm.evaluation.figures import summarise
from signvlm.evaluation.occlusion import explain
from signvlm.evaluation.partial import Partial
from signvlm.evaluation.protocol import DEFAULT
from signvlm.evaluation.provenance import plain, provenance, times
from signvlm.evaluation.report import render
from signvlm.evaluation.results import VERSION, Paths, paths, predictions_csv, write_results
from signvlm.evaluation.synonyms import Synonyms
from signvlm.memory import peak_memory
from signvlm.recognizer import Recognizer


@dataclass(frozen=True)
class Split:
    """The clips to ask about, and those that cannot be asked.

    Attributes:
        name: Any but `test` becomes a suffix of the files' names.
        clips: The readable ones.
        unreadable: Those whose file does not decode: {video_id, gloss, signer_id, reason, detail}. They count as wrong.
        missing: Indexed ones without a file: {video_id, gloss, signer_id}. Wrong in `top1_all`.
    """

    name: str
    clips: SplitClips
    unreadable: Sequence[Mapping[str, Any]] = ()
    missing: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True)
class Background:
    """What the figures need besides the answers.

    Attributes:
        synonyms: Which answers count as right in the synonym-aware figures.
        phonology: As `parameters.phonology_of` reads it; None without `data.phonology`.
        calibrate: Gives the temperature, from the answered clips where they are the ones to fit it on, or why there is
            none; None where nobody asks.
        history: The training's log, for the learning curves.
        context: Kept under `run` and shown in the report: `command`, `config`, `hardware`, `leakage`, and `note`, a
            sentence every reader must see.
        key: Identifies the weights, the settings and the clips' pixels; answers of another key are not gone on with.
    """

    synonyms: Synonyms = field(default_factory=Synonyms)
    phonology: Mapping[str, Any] | None = None
    calibrate: Callable[[Sequence[Mapping[str, Any]]], Calibration | Uncalibrated] | None = None
    history: Sequence[Mapping[str, Any]] = ()
    context: Mapping[str, Any] | None = None
    key: str = ""


@dataclass(frozen=True)
class Results:
    """An evaluation, as written.

    Attributes:
        data: What evaluation_results.json holds; docs/evaluation_results.md describes it.
        paths: The files.
    """

    data: dict[str, Any]
    paths: Paths

    @property
    def path(self) -> Path:
        """The JSON file."""
        return self.paths.json

    @property
    def report(self) -> Path:
        """The HTML page."""
        return self.paths.report

    @property
    def summary(self) -> dict[str, dict[str, Any]]:
        """Each mode's figures."""
        return self.data["summary"]

    def table(self) -> str:
        """Returns the modes' figures as plain text for the terminal."""
        return summary.table(self.data)


def evaluate(
    recognizer: Recognizer,
    split: Split,
    settings: EvaluationSettings,
    background: Background,
    out: Path,
    *,
    limit: int | None = None,
    protocol: str = DEFAULT,
    progress: bool = True,
) -> Results:
    """Evaluates a recogniser on one split and writes the results.

    Args:
        recognizer: Whatever answers clips.
        split: What to ask about.
        settings: How: modes, batch size, bootstrap, seed.
        background: What the figures need besides the answers.
        out: The folder to write to.
        limit: Ask only so many of the clips on disk, a seeded sample, and write to files of their own; None for all.
        protocol: One of `protocol.PROTOCOLS`.
        progress: Whether to show a progress bar on stderr.

    Raises:
        ConfigError: A mode that the recogniser does not have, or none.
        RunError: No clip to ask; a score that is not a number; a file that cannot be written.
    """
    _check_modes(settings.modes, recognizer.modes)
    if not len(split.clips):
        raise RunError(f"{split.name}: no readable clip to evaluate; see health.html, or name another with --split")
    files = paths(out, split.name, limited=limit is not None)
    looked = [paths(out, split.name, limited=limited).json for limited in (False, True)]
    readable, refused = _sample(len(split.clips), len(split.unreadable), limit, settings.seed)
    asked = [split.clips[index]["clip_id"] for index in readable]
    key = digest([background.key, split.name, settings.modes, asked])
    with Partial(files.partial, key, recognizer.glossary) as partial:
        records = ask(
            recognizer,
            split.clips,
            readable,
            settings.modes,
            partial,
            batch_size=settings.batch_size,
            progress=progress,
            title=f"eval {split.name}",
        )
        clips = [_asked(split.clips[i], record, settings.modes) for i, record in zip(readable, records, strict=True)]
        lost = [_unreadable(split.unreadable[index], settings.modes) for index in refused]
        calibration = background.calibrate(clips) if background.calibrate and "exact" in settings.modes else None
        data: dict[str, Any] = {
            "version": VERSION,
            "split": split.name,
            "protocol": protocol,
            "modes": list(settings.modes),
            "summary": {},
            "run": plain(
                {
                    **provenance(settings, limit, times(*looked)),
                    **(background.context or {}),
                }
            ),
            "calibration": {"temperature": calibration.temperature, "fitted_on": calibration.fitted_on}
            if isinstance(calibration, Calibration)
            else None,
            "not_calibrated": calibration.reason if isinstance(calibration, Uncalibrated) else None,
            "on_disk": len(split.clips) + len(split.unreadable),
            "unreadable": len(split.unreadable) + sum("unreadable" in clip for clip in clips),
            "timing": _per_mode(records, "seconds", settings.modes),
            "memory": {
                "of": peak_memory()[1],
                "bytes": {
                    mode: max(most) for mode, most in _per_mode(records, "memory", settings.modes).items() if most
                },
            },
            "synonyms": {"source": background.synonyms.source, "groups": [*map(list, background.synonyms.groups)]},
            "phonology": background.phonology,
            "history": plain(background.history),
            "occlusion": [],
            "glossary": list(recognizer.glossary),
            "missing": [_named(row) for row in split.missing],
            "clips": [*clips, *lost],
        }
        data["summary"] = summarise(data)
        if "exact" in settings.modes:
            data["occlusion"] = explain(
                recognizer,
                split.clips,
                [clip for clip in clips if clip["exact"]],
                count=settings.occlusion,
                batch_size=settings.batch_size,
                seed=settings.seed,
            )
        write_results(files.json, data)
        write_text(files.predictions, predictions_csv(data))
        write_text(files.report, render(data, frames_of(split.clips)))
        partial.remove()
    return Results(data, files)


def frames_of(clips: SplitClips) -> Callable[[str], np.ndarray | None]:
    """Returns what gives a report its pictures: a clip's frames by its clip_id, None where there are none."""
    place = {clip["clip_id"]: index for index, clip in enumerate(clips)}

    def frames(clip_id: str) -> np.ndarray | None:
        try:
            return clips.frames(place[clip_id]) if clip_id in place else None
        except ClipError:
            return None

    return frames


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


def _asked(clip: Mapping[str, Any], record: Mapping[str, Any], modes: Sequence[str]) -> dict[str, Any]:
    if "unreadable" in record:
        return {**clip, "unreadable": record["unreadable"], **{mode: [] for mode in modes}}
    return {**clip, **{mode: record[mode] for mode in modes}}


def _unreadable(row: Mapping[str, Any], modes: Sequence[str]) -> dict[str, Any]:
    reason = ": ".join(str(row[key]) for key in ("reason", "detail") if row.get(key))
    return {**_named(row), "unreadable": reason, **{mode: [] for mode in modes}}


def _named(row: Mapping[str, Any]) -> dict[str, Any]:
    return {"clip_id": row["video_id"], "gloss": row["gloss"], "signer_id": str(row["signer_id"])}


def _per_mode(records: Sequence[Mapping[str, Any]], what: str, modes: Sequence[str]) -> dict[str, list[Any]]:
    return {mode: [record[what][mode] for record in records if what in record] for mode in modes}
