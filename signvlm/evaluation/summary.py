"""An evaluation's figures as text: a table for the terminal, and in sentences what they were measured on."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

_HEAD = ("mode", "top-1 [95 %]", "top-1 all", "top-5", "per class", "macro-F1", "MRR", "out of gloss.", "s/clip")


def percent(fraction: float | None) -> str:
    """Returns a fraction as people read it: `87.5 %`, or a dash where there is none."""
    return "-" if fraction is None else f"{100 * fraction:.1f} %"


def bracket(ends: Sequence[float] | None) -> str:
    """Returns an interval as it follows a figure: `[79.2, 93.8]`, or nothing where there is none."""
    return "" if ends is None else f"[{100 * ends[0]:.1f}, {100 * ends[1]:.1f}]"


def size(count: int | None) -> str:
    """Returns bytes as people read them: `1.4 GB`, or a dash where they were not measured."""
    if count is None:
        return "-"
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"


def grid(rows: Sequence[Sequence[str]]) -> list[str]:
    """Returns rows as lines of aligned columns, a rule under the first."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return [lines[0], "  ".join("-" * width for width in widths), *lines[1:]]


def table(data: Mapping[str, Any]) -> str:
    """Returns a results file's figures as plain text: a row a mode, chance under them, what they were measured on."""
    summary = data["summary"]
    rows: list[tuple[str, ...]] = [_HEAD]
    for mode, figures in summary.items():
        rows.append(_row(mode, figures))
        if figures["synonym_aware"]:
            rows.append(_synonym_row(figures["synonym_aware"]))
    any_mode = next(iter(summary.values()))
    chance = any_mode["chance"]
    lines = grid(
        [*rows, ("chance", percent(chance["top1"]), "", percent(chance["top5"]), percent(chance["top1"]), *[""] * 4)]
    )
    lines.insert(-1, lines[1])
    said = [*measured_on(any_mode), *(line for each in summary.values() for line in beyond(each))]
    return "\n".join([*lines, "", *said, *data["run"].get("deviations", ())])


def _row(mode: str, figures: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        mode,
        f"{percent(figures['top1'])} {bracket(figures['intervals']['top1'])}",
        percent(figures["top1_all"]),
        percent(figures["top5"]),
        percent(figures["per_class_top1"]),
        percent(figures["macro_f1"]),
        "-" if figures["mrr"] is None else f"{figures['mrr']:.3f}",
        percent(figures["out_of_glossary"]),
        f"{figures['seconds_per_clip']:.3f}",
    )


def _synonym_row(figures: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        "  synonyms right",
        f"{percent(figures['top1'])} {bracket(figures['intervals']['top1'])}",
        "",
        percent(figures["top5"]),
        percent(figures["per_class_top1"]),
        *[""] * 4,
    )


def measured_on(figures: Mapping[str, Any]) -> list[str]:
    """Returns, as sentences, which clips one mode's figures cover and how their intervals were made."""
    on_disk, missing, unreadable = figures["on_disk"], figures["missing"], figures["unreadable"]
    lines = [
        f"Coverage {percent(figures['coverage'])}: of {on_disk + missing} indexed clips {missing} missing (wrong in "
        f"top-1 all) and {unreadable} unreadable (wrong in both)."
        if missing or unreadable
        else f"Coverage {percent(figures['coverage'])}: all {on_disk} indexed clips were there and readable."
    ]
    if figures["limited"]:
        lines.append(f"Limited: {figures['limited']} clips on disk were asked, so top-1 all is not claimed.")
    lines.append(f"Interval of top-1: {figures['interval_methods']['top1']}.")
    signers = figures["per_signer"]
    if figures["signers"] > 1:
        lines.append(
            f"Top-1 of {figures['signers']} signers: {percent(signers['min'])} least, {percent(signers['median'])} "
            f"median, {percent(signers['max'])} most."
        )
    if figures["signer_unknown"]:
        lines.append(unnamed(figures["signer_unknown"]))
    for key, meaning in (
        ("classes_without_clips", "without a clip here and left out of per class"),
        ("glosses_outside_glossary", "of these clips not in the glossary, so never right"),
    ):
        if figures[key]:
            lines.append(f"{counted(len(figures[key]), 'gloss', 'glosses')} {meaning}: {_some(figures[key])}.")
    return lines


def beyond(figures: Mapping[str, Any]) -> list[str]:
    """Returns, as sentences, what only a mode with scores can tell: pairs, calibration, the authors' figures."""
    lines = []
    pairs = figures["minimal_pairs"]
    if pairs:
        lines.append(
            f"Minimal pairs: {percent(pairs['accuracy'])} {bracket(pairs['interval'])} right of "
            f"{sum(pair['choices'] for pair in pairs['pairs'])} choices between the two signs of "
            f"{counted(len(pairs['pairs']), 'pair')}; chance is 50 %."
        )
    calibration = figures["calibration"]
    if calibration and calibration["calibrated"]:
        lines.append(
            f"Calibration: ECE {percent(calibration['calibrated']['ece'])} at temperature "
            f"{calibration['temperature']:.3f}, fitted on {calibration['fitted_on']}; "
            f"{percent(calibration['uncalibrated']['ece'])} without."
        )
    elif calibration:
        lines.append(f"Calibration: ECE {percent(calibration['uncalibrated']['ece'])}; {not_calibrated(calibration)}.")
    official = figures["protocol"]
    if official:
        per = [
            " / ".join(percent(official[f"top{k}_per_{kind}"]) for k in (1, 5, 10)) for kind in ("instance", "class")
        ]
        lines.append(
            f"As the WLASL authors compute it, over {official['clips']} clips that could be read: top-1 / 5 / 10 "
            f"per instance {per[0]}, per class {per[1]}."
        )
    return lines


def not_calibrated(calibration: Mapping[str, Any] | None) -> str:
    """Returns, without its full stop, that there is no temperature, and why where that is known."""
    reason = calibration and calibration["not_calibrated"]
    return f"no temperature was fitted: {reason}" if reason else "no temperature was fitted"


def unnamed(clips: int) -> str:
    """Returns, as a sentence, what becomes of clips that name no signer."""
    names = "names" if clips == 1 else "name"
    return f"{counted(clips, 'clip')} {names} no signer: drawn singly for the intervals, and in no signer's figures."


def counted(number: int, one: str, many: str | None = None) -> str:
    """Returns `1 clip`, `2 clips`."""
    return f"{number} {one if number == 1 else many or one + 's'}"


def _some(names: Iterable[str], most: int = 8) -> str:
    names = list(names)
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
