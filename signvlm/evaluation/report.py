"""The report: one HTML page that opens from a file, without a network, on a phone, and escapes everything it shows."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined

from data_engineering.clip import SPLITS
from signvlm.evaluation import digest, summary
from signvlm.evaluation.pictures import Filmstrips

_MODE_NAMES = {
    "exact": ("exact ranking", "Exact ranking of the whole glossary"),
    "beam_constrained": ("constrained beam", "Beam search inside the glossary"),
    "beam": ("free beam", "Free beam search"),
}
_LISTED = 200  # missing clips are thousands on a real WLASL; the JSON file names them all
_VALUES = 12
_SHOWN_APART = ("made", "note", "command", "leakage", "hardware")


def render(
    results: Mapping[str, Any], frames: Callable[[str], np.ndarray | None], *, seed: int = 0, budget: int | None = None
) -> str:
    """Returns the page.

    Args:
        results: What evaluation_results.json holds. Of `run`, `note`, `command`, `leakage`, `hardware` and `config`
            have their places; what else there is appears with the configuration.
        frames: Gives a clip's frames by its clip_id, uint8 (T, H, W, 3) RGB, or None.
        seed: Seeds which ordinary clips are shown.
        budget: Characters that all the images may take; None for what keeps a page below 5 MB.
    """
    mode = digest.looked_into(list(results["summary"]))
    clips = digest.outcomes(results, mode)
    run = results["run"]
    leakage = run.get("leakage") or {}
    figures = results["summary"][mode]
    films = Filmstrips(frames) if budget is None else Filmstrips(frames, budget)
    environment = Environment(
        loader=PackageLoader("signvlm.evaluation"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"percent": summary.percent, "bracket": summary.bracket, "text": _text}
    return environment.get_template("report.html.j2").render(
        split=results["split"],
        mode=mode,
        short={each: _MODE_NAMES.get(each, (each,))[0] for each in results["summary"]},
        mode_name=_MODE_NAMES.get(mode, (mode,))[-1],
        figures=figures,
        summary=results["summary"],
        glossary_size=len(results["glossary"]),
        measured_on=summary.measured_on(figures),
        verdict=verdict(figures),
        made=str(run.get("made", ""))[:16].replace("T", " "),
        note=run.get("note"),
        command=run.get("command"),
        leaks=leaks(leakage),
        per_split=[(key, each) for key, each in leakage.items() if _by_split(each)],
        splits=SPLITS,
        leakage=[
            (key.replace("_", " ").replace(".", ": "), value)
            for key, value in flatten({key: each for key, each in leakage.items() if not _by_split(each)})
        ],
        hardware=flatten(run.get("hardware") or {}),
        settings=flatten({key: value for key, value in run.items() if key not in _SHOWN_APART}),
        confusions=digest.confusions(clips),
        picked=digest.picked(clips, seed),
        by_gloss=digest.rates(clips, lambda clip: clip.gloss),
        by_signer=digest.rates(clips, lambda clip: clip.signer_id),
        unreadable=[clip for clip in clips if clip.unreadable],
        missing=results["missing"][:_LISTED],
        missing_total=len(results["missing"]),
        strip=films.strip,
        films=films,
    )


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
    for key, what in (("same_file", "the same file"), ("same_cut", "the same cut of the same video")):
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
