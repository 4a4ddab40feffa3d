"""Where an evaluation's temperature is from: the bundle, earlier validation results, or validation clips asked now."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from data_engineering.errors import RunError
from signvlm.calibration import FILE, Calibration, Uncalibrated, read_calibration, save_calibration
from signvlm.config import EvaluationSettings
from signvlm.console import note
from signvlm.evaluation.ask import ask
from signvlm.evaluation.clips import SplitClips
from signvlm.evaluation.partial import Partial
from signvlm.evaluation.reliability import UndeterminedError, fit_temperature, scores_of
from signvlm.evaluation.results import paths
from signvlm.evaluation.summary import counted
from signvlm.recognizer import Recognizer


def known_calibration(bundle: Path, key: str) -> Calibration | Uncalibrated | None:
    """Returns what the bundle holds, where that is of scores of the same weights and settings."""
    try:
        found = read_calibration(bundle)
    except RunError as error:
        note(str(error))
        return None
    if found is None or found.key != key:
        return None
    if isinstance(found, Uncalibrated):
        note(f"{_not_fitted(found)}; to fit again, e.g. on more clips, remove {bundle / FILE}")
    return found


def fitted_on(clips: Sequence[Mapping[str, Any]], glossary: Sequence[str], key: str) -> Calibration | Uncalibrated:
    """Fits the temperature on answered validation clips; says why where they do not determine one.

    Args:
        clips: {gloss, exact} each, as the results file holds them.
        glossary: The glosses that can be recognised.
        key: Identifies the weights and settings that gave the scores.
    """
    scores, truth = scores_of(clips, glossary)
    known = truth >= 0
    if not known.any():
        return Uncalibrated("no validation clip can be ranked")
    count = int(known.sum())
    tried = counted(count, "validation clip")
    try:
        return Calibration(fit_temperature(scores[known], truth[known]), tried, count, key)
    except UndeterminedError as error:
        return Uncalibrated(f"of {tried} {error}", tried, count, key)


def ask_validation(
    recognizer: Recognizer,
    clips: SplitClips,
    settings: EvaluationSettings,
    folder: Path,
    partial_key: str,
    key: str,
    *,
    progress: bool,
) -> Calibration | Uncalibrated:
    """Ranks the validation clips exactly and fits the temperature on them; goes on where a killed run stopped.

    Args:
        recognizer: Whatever scores a glossary.
        clips: The validation split.
        settings: The batch size.
        folder: Where answers are kept until the temperature is fitted.
        partial_key: Identifies the answers to the last digit, the clips' pixels included.
        key: Identifies the weights and settings that give the scores.
        progress: Whether to show a progress bar on stderr.
    """
    if not len(clips):
        return Uncalibrated("there is no validation clip")
    note(f"no temperature was fitted for these weights yet: ranking {len(clips)} validation clips to fit it")
    with Partial(paths(folder, "calibration").partial, partial_key, recognizer.glossary) as partial:
        records = ask(
            recognizer,
            clips,
            range(len(clips)),
            ("exact",),
            partial,
            batch_size=settings.batch_size,
            progress=progress,
            title="calibrate on validation",
        )
        answered = [{**clip, **record} for clip, record in zip(clips, records, strict=True) if "exact" in record]
        fitted = fitted_on(answered, recognizer.glossary, key)
        partial.remove()
    return fitted


def keep(bundle: Path, calibration: Calibration | Uncalibrated) -> None:
    """Leaves in the bundle what was found; where that cannot be written, says so and goes on."""
    if isinstance(calibration, Uncalibrated):
        note(_not_fitted(calibration))
    try:
        save_calibration(bundle, calibration)
    except RunError as error:
        note(f"the temperature is not kept: {error}")
        return
    if isinstance(calibration, Calibration):
        note(f"temperature {calibration.temperature:.3f}, fitted on {calibration.fitted_on}: {bundle / FILE}")


def _not_fitted(found: Uncalibrated) -> str:
    return f"no temperature was fitted, so probabilities are not calibrated: {found.reason}"
