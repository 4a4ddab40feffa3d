"""Runs fused: their log-probabilities added with weights fitted on validation clips, evaluated and reported as a run.

A product of experts (Hinton, "Training Products of Experts by Minimizing Contrastive Divergence", Neural Computation
2002) with one weight an expert. Nothing is asked again: results files hold what each run scored every gloss with.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import log_softmax

from data_engineering.errors import ConfigError, RunError
from data_engineering.frames import row_frames
from data_engineering.reasons import ClipError
from data_engineering.rows import decode_row, validated_rows
from data_engineering.settings import PreprocessSettings
from data_engineering.state import digest
from signvlm.calibration import Calibration
from signvlm.config import EvaluationSettings
from signvlm.console import note
from signvlm.evaluation.clips import SplitClips
from signvlm.evaluation.compare import Run, in_common, named, read_run
from signvlm.evaluation.evaluate import Background, Results, Split, evaluate
from signvlm.evaluation.reliability import scores_of
from signvlm.evaluation.summary import counted
from signvlm.evaluation.synonyms import Synonyms
from signvlm.recognizer import RULED_OUT, ScoringRecognizer

VALIDATION = "validation"
_SPREAD = 1.0  # of the weights' prior about equal shares: without it, clips that are all right ask for endless weights


class Fusion(ScoringRecognizer):
    """Ranks the glossary by the weighted sum of what several runs scored it with; see `signvlm.recognizer.Recognizer`.

    Its clips are float64 (runs, G): what each run scored the glossary with.

    Attributes:
        weights: float64 (runs,).
    """

    def __init__(self, glossary: Sequence[str], weights: NDArray[np.float64]) -> None:
        """Takes the glosses that all runs know, and what each run counts."""
        super().__init__(glossary)
        self.weights = weights

    def log_probs(self, clips: Sequence[np.ndarray]) -> np.ndarray:
        """See `ScoringRecognizer`."""
        return fused(np.stack(clips), self.weights).astype(np.float32)


class ScoredClips(SplitClips):
    """Clips that every run was asked about: their scores, and frames for the report where the files are at hand."""

    def __init__(
        self, about: Sequence[Mapping[str, Any]], scores: np.ndarray, config: Mapping[str, Any] | None
    ) -> None:
        """Takes what is known of the clips, their scores (clips, runs, G), and the configuration of one of the runs."""
        self._about = [{key: clip[key] for key in ("clip_id", "gloss", "signer_id")} for clip in about]
        self._scores = scores
        self._config = config
        self._files: dict[str, Mapping[str, Any]] | None = None

    def shown(self, index: int) -> np.ndarray:
        """Returns float64 (runs, G)."""
        scores: np.ndarray = self._scores[index]
        return scores

    def frames(self, index: int) -> np.ndarray:
        """Returns a clip's frames; raises ClipError where its file is not at hand."""
        try:
            settings = PreprocessSettings.model_validate((self._config or {})["preprocess"])
            if self._files is None:
                root = Path((self._config or {})["data"]["root"])
                self._files = {row["video_id"]: row for row in validated_rows(root)}
            return row_frames(decode_row(self._files[self[index]["clip_id"]], settings))
        except (KeyError, TypeError, ValueError, RunError) as error:
            raise ClipError("absent", "no data root of these clips is at hand") from error


@dataclass(frozen=True)
class Fused:
    """What a fusion came to.

    Attributes:
        results: As every evaluation's.
        weights: {run: what it counts}.
        validation: {run, or `fusion`: top-1 on the validation clips that the weights were fitted on}.
    """

    results: Results
    weights: dict[str, float]
    validation: dict[str, float]


def fuse(given: Sequence[Path], out: Path | None = None, *, split: str = "test", command: str | None = None) -> Fused:
    """Fuses runs and evaluates what comes of it.

    Args:
        given: Two or more run folders, each evaluated on the validation split and on `split`.
        out: The folder of the results; None for one beside the first run, named after all of them.
        split: What is evaluated: `test` or `train`.
        command: What the report shows as the command that made it.

    Raises:
        ConfigError: Fewer than two runs, one without results, without exact ranking or with other glosses; or `split`
            is what the weights are fitted on.
        RunError: The runs share no clip, or disagree on what a clip shows.
    """
    if len(given) < 2:
        raise ConfigError("fuse: give two runs or more, e.g. signvlm fuse runs/first runs/second")
    if split == VALIDATION:
        raise ConfigError("--split validation: the weights are fitted on it, so it tells nothing; give test")
    fitted_on, asked = (named([read_run(path, part) for path in given]) for part in (VALIDATION, split))
    glossary = _glossary([*fitted_on, *asked])
    names = [run.name for run in asked]
    _, shares, truth = _scores(fitted_on, glossary)
    usable = truth >= 0
    if not usable.any():
        raise RunError(f"{fitted_on[0].path}: no validation clip that all runs ranked; evaluate on --split validation")
    weights = fit_weights(shares[usable], truth[usable])
    validation = {
        name: float((each.argmax(axis=1) == truth[usable]).mean())
        for name, each in [
            *zip(names, shares[usable].swapaxes(0, 1), strict=True),
            ("fusion", fused(shares[usable], weights)),
        ]
    }
    about, scores, _ = _scores(asked, glossary)
    first = asked[0].data
    folder = out or asked[0].path.parent.with_name("+".join(names)[:100])
    told = dict(zip(names, (round(float(weight), 4) for weight in weights), strict=True))
    note("weights: " + ", ".join(f"{name} {weight:.2f}" for name, weight in told.items()))
    clips = counted(int(usable.sum()), "validation clip")
    # The weights' sum is a temperature already: it was fitted with them.
    calibration = Calibration(1.0, f"{clips}, with the weights", int(usable.sum()))
    lost = {clip["clip_id"] for clip in first["clips"]} - {clip["clip_id"] for clip in about}
    background = Background(
        synonyms=Synonyms(tuple(map(tuple, first["synonyms"]["groups"])), first["synonyms"]["source"]),
        phonology=first.get("phonology"),
        calibrate=lambda _: calibration,
        context={
            "command": command,
            "fused": told,
            "fitted_on": clips,
            "identities": {name: run.data["run"].get("identity") for name, run in zip(names, asked, strict=True)},
            "note": first["run"].get("note"),
            "leakage": first["run"].get("leakage"),
        },
        key=digest([[run.data["run"].get("identity") for run in asked], weights.tolist()]),
    )
    evaluated = evaluate(
        Fusion(glossary, weights),
        Split(
            split,
            ScoredClips(about, scores, first["run"].get("config")),
            [_lost(clip) for clip in first["clips"] if clip["clip_id"] in lost and clip.get("unreadable")],
            [_named(clip) for clip in first["missing"]],
        ),
        EvaluationSettings(modes=("exact",), occlusion=0, batch_size=256),
        background,
        folder,
        progress=False,
    )
    return Fused(evaluated, told, validation)


def fused(scores: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns float64 (clips, G): the weighted sums of scores (clips, runs, G), normalised over the glossary."""
    summed: NDArray[np.float64] = log_softmax(np.einsum("nrg,r->ng", scores, weights), axis=1)
    return summed


def fit_weights(scores: NDArray[np.float64], truth: NDArray[np.int64]) -> NDArray[np.float64]:
    """Returns float64 (runs,), none below 0: what makes the true glosses likeliest, near to equal shares of 1.

    Args:
        scores: (clips, runs, G), each run's normalised over the glossary.
        truth: (clips,) the true glosses' columns.
    """
    count, runs, _ = scores.shape
    equal = np.full(runs, 1 / runs)

    def loss(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        together = fused(scores, weights)
        own = scores[np.arange(count), :, truth]
        mean = np.einsum("ng,nrg->nr", np.exp(together), scores)
        away = (weights - equal) / _SPREAD**2 / count
        value = -together[np.arange(count), truth].mean() + float(((weights - equal) * away).sum()) / 2
        return float(value), (mean - own).mean(axis=0) + away

    found = minimize(loss, equal, jac=True, method="L-BFGS-B", bounds=[(0, None)] * runs)
    weights: NDArray[np.float64] = found.x
    return weights


def _glossary(runs: Sequence[Run]) -> tuple[str, ...]:
    """Returns the glosses that all runs ranked, in the first run's order.

    Raises:
        ConfigError: One was evaluated without exact ranking, or knows other glosses.
    """
    glossary = tuple(runs[0].data["glossary"])
    for run in runs:
        if "exact" not in run.data["modes"]:
            raise ConfigError(f"{run.path}: holds no exact ranking; evaluate with evaluation.modes: [exact]")
        other = sorted(set(glossary) ^ set(run.data["glossary"]))
        if other:
            raise ConfigError(
                f"{run.path}: ranks other glosses than {runs[0].path}, e.g. {other[0]!r}; fuse runs of one glossary"
            )
    return glossary


def _scores(
    runs: Sequence[Run], glossary: Sequence[str]
) -> tuple[list[Mapping[str, Any]], NDArray[np.float64], NDArray[np.int64]]:
    """Returns the clips that some run could read, their scores (clips, runs, G), and the true glosses' columns.

    A clip that one run could not read is left to the others: to that run every gloss is as likely.
    """
    shared, notes = in_common(runs)
    for line in notes:
        note(line)
    known = [place for place, clips in enumerate(zip(*shared, strict=True)) if any(clip["exact"] for clip in clips)]
    column = {gloss: number for number, gloss in enumerate(glossary)}
    scores = np.zeros((len(known), len(runs), len(glossary)))
    for number, clips in enumerate(shared):
        ranked = [row for row, place in enumerate(known) if clips[place]["exact"]]
        given, _ = scores_of([clips[known[row]] for row in ranked], glossary)
        scores[ranked, number] = log_softmax(np.maximum(given, RULED_OUT), axis=1)
    about = [shared[0][place] for place in known]
    return about, scores, np.array([column.get(clip["gloss"], -1) for clip in about], dtype=np.int64)


def _named(clip: Mapping[str, Any]) -> dict[str, Any]:
    return {"video_id": clip["clip_id"], "gloss": clip["gloss"], "signer_id": clip["signer_id"]}


def _lost(clip: Mapping[str, Any]) -> dict[str, Any]:
    return {**_named(clip), "reason": clip["unreadable"]}
