"""Runs on the same clips: their figures, and the paired tests of every two of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data_engineering.errors import ConfigError, RunError
from signvlm.evaluation import accuracy
from signvlm.evaluation.answers import glosses_of
from signvlm.evaluation.breakdown import count_signers
from signvlm.evaluation.digest import MODES
from signvlm.evaluation.intervals import interval, mean_of
from signvlm.evaluation.paired import Paired, holm, paired
from signvlm.evaluation.report import flatten
from signvlm.evaluation.results import paths, read_results

# Where something lies, and how it was called, makes no run better than another.
_ELSEWHERE = ("data.root", "data.index", "training.output_dir", "evaluation.")


@dataclass(frozen=True)
class Run:
    """A run's results.

    Attributes:
        name: What it is called beside the others.
        path: Its results file.
        data: What that holds.
    """

    name: str
    path: Path
    data: Mapping[str, Any]


@dataclass(frozen=True)
class Column:
    """One run's figures on the common clips."""

    name: str
    path: Path
    places: NDArray[np.int64]
    glosses: int
    top1: float
    top1_interval: tuple[float, float]
    top5: float
    per_class_top1: float
    mrr: float | None
    left_out: int
    seconds_per_clip: float
    peak_memory_bytes: int | None


@dataclass(frozen=True)
class Test:
    """The paired test of two runs; `p_holm` is its p-value, adjusted for the number of tests."""

    first: str
    second: str
    found: Paired
    p_holm: float


@dataclass(frozen=True)
class Comparison:
    """Runs side by side.

    Attributes:
        split: The split that all of them were evaluated on.
        mode: The way of answering compared.
        clips: How many clips all of them were asked about.
        signers: Of how many signers those are.
        signer_unknown: How many of them name no signer.
        columns: The runs, in the given order.
        tests: Every pair of them.
        notes: What a reader must know, a sentence each.
        differing: Rows (setting, value of each run) of what the runs' configurations do not share.
    """

    split: str
    mode: str
    clips: int
    signers: int
    signer_unknown: int
    columns: tuple[Column, ...]
    tests: tuple[Test, ...]
    notes: tuple[str, ...]
    differing: tuple[tuple[str, tuple[str, ...]], ...]


def read_run(path: Path, split: str) -> Run:
    """Reads a run's results: its folder, its adapter's, or a results file.

    Raises:
        ConfigError: There are none there.
        RunError: The file is broken or of another version.
    """
    file = path
    if path.is_dir():
        folders = (path, path.parent) if path.name == "adapter" else (path,)
        file = next((found for folder in folders if (found := paths(folder, split).json).is_file()), path)
        if file == path:
            raise ConfigError(f"{path}: holds no {paths(path, split).json.name}; run `signvlm eval --split {split}`")
    data = read_results(file)
    if data["split"] != split:
        raise ConfigError(f"{file}: is of the {data['split']} split; give --split {data['split']} for all runs")
    return Run(file.parent.name, file, data)


def compare(given: Sequence[Path], split: str = "test", *, samples: int = 2000, seed: int = 0) -> Comparison:
    """Compares runs on the clips that all of them were asked about.

    Args:
        given: Two or more run folders or results files.
        split: The split.
        samples: Bootstrap resamples.
        seed: Seeds them.

    Raises:
        ConfigError: Fewer than two runs, one without results, no shared way of answering.
        RunError: The runs share no clip, or disagree on what a clip shows.
    """
    if len(given) < 2:
        raise ConfigError("compare: give two runs or more, e.g. signvlm compare runs/first runs/second")
    runs = named([read_run(path, split) for path in given])
    mode = next((mode for mode in MODES if all(mode in run.data["modes"] for run in runs)), None)
    if mode is None:
        raise ConfigError("compare: the runs share no way of answering; evaluate them with the same evaluation.modes")
    common, notes = in_common(runs)
    truth = [clip["gloss"] for clip in common[0]]
    signers = [str(clip["signer_id"]) for clip in common[0]]
    columns = tuple(
        _column(run, clips, mode, truth, signers, samples, seed) for run, clips in zip(runs, common, strict=True)
    )
    if len({tuple(sorted(run.data["glossary"])) for run in runs}) > 1:
        sizes = ", ".join(f"{column.name} {column.glosses}" for column in columns)
        notes.append(f"The runs chose among different glosses ({sizes}): the fewer, the easier.")
    found = [
        (
            one,
            two,
            paired(accuracy.hits(one.places, 1), accuracy.hits(two.places, 1), signers, samples=samples, seed=seed),
        )
        for one, two in combinations(columns, 2)
    ]
    adjusted = holm([each.p for _, _, each in found])
    return Comparison(
        split=split,
        mode=mode,
        clips=len(truth),
        **count_signers(signers),
        columns=columns,
        tests=tuple(Test(one.name, two.name, each, p) for (one, two, each), p in zip(found, adjusted, strict=True)),
        notes=tuple(notes),
        differing=_differing(runs),
    )


def named(runs: list[Run]) -> list[Run]:
    """Gives runs of the same name their paths as names."""
    names = [run.name for run in runs]
    return [
        run
        if names.count(run.name) == 1
        else Run(f"{run.path.parent.parent.name}/{run.name} ({n})", run.path, run.data)
        for n, run in enumerate(runs, 1)
    ]


def in_common(runs: Sequence[Run]) -> tuple[list[list[Mapping[str, Any]]], list[str]]:
    """Returns each run's clips that all of them have, in one order, and what is to be said of the others.

    Raises:
        RunError: There are none, or the runs disagree on what a clip shows.
    """
    by_id = [{clip["clip_id"]: clip for clip in run.data["clips"]} for run in runs]
    shared = [clip_id for clip_id in by_id[0] if all(clip_id in clips for clips in by_id)]
    if not shared:
        raise RunError(
            f"{runs[0].path} and {runs[-1].path}: have no clip in common, so nothing can be compared; evaluate the "
            "runs on the same split of the same data"
        )
    for clip_id in shared:
        told = {(clips[clip_id]["gloss"], str(clips[clip_id]["signer_id"])) for clips in by_id}
        if len(told) > 1:
            raise RunError(
                f"{runs[0].path} and another run: disagree on who signs what in clip {clip_id}; these are runs on "
                "different data"
            )
    notes = [
        f"{run.name}: {len(clips) - len(shared)} of its {len(clips)} clips were not asked of every run: left out."
        for run, clips in zip(runs, by_id, strict=True)
        if len(clips) > len(shared)
    ]
    return [[clips[clip_id] for clip_id in shared] for clips in by_id], notes


def _column(
    run: Run,
    clips: Sequence[Mapping[str, Any]],
    mode: str,
    truth: Sequence[str],
    signers: Sequence[str],
    samples: int,
    seed: int,
) -> Column:
    rankings = [glosses_of(clip[mode]) for clip in clips]
    places = accuracy.places(rankings, [(gloss,) for gloss in truth])
    right = accuracy.hits(places, 1)
    ends = interval(mean_of(right), signers, samples=samples, seed=seed)
    figures = run.data["summary"][mode]
    return Column(
        name=run.name,
        path=run.path,
        places=places,
        glosses=len(run.data["glossary"]),
        top1=accuracy.per_instance(right),
        top1_interval=(ends.low, ends.high),
        top5=accuracy.per_instance(accuracy.hits(places, 5)),
        per_class_top1=accuracy.per_class(right, truth),
        mrr=accuracy.mean_reciprocal_rank(places) if mode == "exact" else None,
        left_out=len(run.data["clips"]) - len(clips),
        seconds_per_clip=figures["seconds_per_clip"],
        peak_memory_bytes=figures["peak_memory_bytes"],
    )


def _differing(runs: Sequence[Run]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    told = [dict(flatten(run.data["run"].get("config") or {})) for run in runs]
    keys = dict.fromkeys(key for each in told for key in each)
    rows = [(key, tuple(each.get(key, "-") for each in told)) for key in keys if not key.startswith(_ELSEWHERE)]
    return tuple((key, values) for key, values in rows if len(set(values)) > 1)
