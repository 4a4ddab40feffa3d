"""The report: one HTML page that opens from a file, without a network, on a phone, and escapes everything it shows."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from data_engineering.clip import SPLITS
from signvlm.evaluation import charts, digest, summary
from signvlm.evaluation.pictures import Filmstrips
from signvlm.templating import html

_MODE_NAMES = {
    "exact": ("exact ranking", "Exact ranking of the whole glossary"),
    "beam_constrained": ("constrained beam", "Beam search inside the glossary"),
    "beam": ("free beam", "Free beam search"),
}
_LISTED = 200  # missing clips are thousands on a real WLASL; the JSON file names them all
_VALUES = 12
_SHOWN_APART = ("made", "times", "note", "command", "leakage", "hardware", "deviations", "selected_by")
_MOST_FRAMES = 32  # of an explained clip


def render(results: Mapping[str, Any], frames: Callable[[str], np.ndarray | None], *, budget: int | None = None) -> str:
    """Returns the page.

    Args:
        results: What evaluation_results.json holds: every figure and chart is made of it alone.
        frames: Gives a clip's frames by its clip_id, uint8 (T, H, W, 3) RGB, or None; the file holds no pictures.
        budget: Characters that all the images may take; None for what keeps a page below 5 MB.
    """
    mode = digest.looked_into(results["modes"])
    clips = digest.outcomes(results, mode)
    run = results["run"]
    figures = results["summary"][mode]
    leakage = run.get("leakage") or {}
    films = Filmstrips(frames) if budget is None else Filmstrips(frames, budget)
    environment = html()
    environment.filters |= {
        "percent": summary.percent,
        "bracket": summary.bracket,
        "bytes": summary.size,
        "text": _text,
        "not_calibrated": summary.not_calibrated,
    }
    return environment.get_template("report.html.j2").render(
        split=results["split"],
        mode=mode,
        short={each: _MODE_NAMES.get(each, (each,))[0] for each in results["modes"]},
        mode_name=_MODE_NAMES.get(mode, (mode,))[-1],
        figures=figures,
        summary=results["summary"],
        synonyms=results["synonyms"],
        glossary_size=len(results["glossary"]),
        measured_on=summary.measured_on(figures),
        verdict=verdict(figures),
        protocol=protocol(results),
        made=str(run.get("made", ""))[:16].replace("T", " "),
        note=run.get("note"),
        command=run.get("command"),
        deviations=run.get("deviations") or [],
        leaks=leaks(leakage),
        per_split=[(key, each) for key, each in leakage.items() if _by_split(each)],
        splits=SPLITS,
        leakage=[
            (key.replace("_", " ").replace(".", ": "), value)
            for key, value in flatten({key: each for key, each in leakage.items() if not _by_split(each)})
        ],
        hardware=flatten(run.get("hardware") or {}),
        settings=flatten({key: value for key, value in run.items() if key not in _SHOWN_APART}),
        reliability=_reliability(figures["calibration"]),
        learning=charts.learning_curves(results["history"]),
        explained=_explained(results["occlusion"], clips),
        most_frames=_MOST_FRAMES,
        confusions=digest.confusions(clips),
        picked=digest.picked(clips, run["evaluation"]["seed"]),
        by_gloss=digest.rates(clips, lambda clip: clip.gloss),
        by_signer=digest.rates([clip for clip in clips if clip.signer_id], lambda clip: clip.signer_id),
        unreadable=[clip for clip in clips if clip.unreadable],
        missing=results["missing"][:_LISTED],
        missing_total=len(results["missing"]),
        strip=films.strip,
        films=films,
    )


def protocol(results: Mapping[str, Any]) -> str:
    """Returns in words what was trained on, chosen on and tested on, and how often."""
    run, split = results["run"], results["split"]
    chosen = {"eval_top1": "by validation top-1", "eval_loss": "by validation loss"}.get(run.get("selected_by") or "")
    said = "Trained on the train split; the model was chosen on the validation split" if chosen else "Trained elsewhere"
    said += f" ({chosen})" if chosen else ""
    if run.get("fused"):
        said = f"Runs fused with weights fitted on {run['fitted_on']}"
    times = run.get("times", 1)
    told = f"{said}; these figures are of the {split} split, asked for this run {_times(times)}."
    if split == "test" and times > 1:
        told += " Whatever was changed after an earlier look makes them too good."
    return told


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count} times")


def _reliability(calibration: Mapping[str, Any] | None) -> Any:
    """The chart of both curves, the fitted one on top; None without scores."""
    if not calibration:
        return None
    curves = {"plain": calibration["uncalibrated"]["bins"]}
    if calibration["calibrated"]:
        curves["fitted"] = calibration["calibrated"]["bins"]
    return charts.reliability_chart(curves)


def _explained(
    occlusion: Sequence[Mapping[str, Any]], clips: Sequence[digest.Outcome]
) -> list[tuple[digest.Outcome, str, list[tuple[float, float]]]]:
    """Returns (clip, answer, [(drop in nats, its height in percent of the page's largest), ...]) each."""
    by_id = {clip.clip_id: clip for clip in clips}
    most = max((drop for each in occlusion for drop in each["drops"]), default=0.0)
    return [
        (
            by_id[each["clip_id"]],
            each["answer"],
            [(drop, max(0.0, 100 * drop / most) if most > 0 else 0.0) for drop in each["drops"][:_MOST_FRAMES]],
        )
        for each in occlusion
        if each["clip_id"] in by_id
    ]


def verdict(figures: Mapping[str, Any]) -> str:
    """Returns in words how the interval of top-1 lies to chance."""
    low, high = figures["intervals"]["top1"]
    chance = figures["chance"]["top1"]
    if low > chance:
        return f"clearly above chance: {summary.percent(chance)} lies below the interval"
    if high < chance:
        return f"below chance, which is {summary.percent(chance)}: something is broken"
    return f"not distinguishable from chance, which is {summary.percent(chance)}"


def leaks(leakage: Mapping[str, Any]) -> list[str]:
    """Returns in words what training may have given away, from the figures of `data_engineering.splits.leakage`."""
    said = []
    tested = leakage.get("clips", {}).get("test")
    if tested and "test_by_train_signers" in leakage:
        known = leakage["test_by_train_signers"]
        said.append(
            f"{known} of {tested} test clips are by people who also sign in train: this does not measure new signers."
            if known
            else f"None of the {tested} test clips is by a person who signs in train."
        )
    for key, what in (
        ("same_file", "the same file"),
        ("same_cut", "the same cut of the same video"),
        ("same_looks", "to look at the same"),
    ):
        if leakage.get(key, {}).get("test_in_train"):
            said.append(f"{leakage[key]['test_in_train']} test clips are {what} as a training clip.")
    return said


def _by_split(value: Any) -> bool:
    return isinstance(value, Mapping) and set(value) == set(SPLITS)


def flatten(value: Any, prefix: str = "") -> list[tuple[str, str]]:
    """Returns nested mappings as (dotted key, text) rows; long lists are cut, with the number of what is left out."""
    if isinstance(value, Mapping):
        return [row for key, each in value.items() for row in flatten(each, f"{prefix}.{key}" if prefix else str(key))]
    return [(prefix, _text(value))]


def _text(value: Any) -> str:
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, Iterable) and not isinstance(value, str):
        return _list(list(value))
    return str(value)


def _list(values: Sequence[Any]) -> str:
    more = f", and {len(values) - _VALUES} more" if len(values) > _VALUES else ""
    return (", ".join(str(each) for each in values[:_VALUES]) + more) or "none"
