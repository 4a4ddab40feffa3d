"""From every clip's answers to the figures of one answering mode, and those figures as a table for the terminal."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from signvlm.evaluation import metrics

_HEAD = ("mode", "top-1 [95 %]", "top-1 all", "top-5", "per class", "out of gloss.", "s/clip")


def summarise(
    rankings: Sequence[Sequence[str]],
    clips: Sequence[Mapping[str, Any]],
    missing: Sequence[Mapping[str, Any]],
    glossary: Sequence[str],
    *,
    ranked: bool,
    complete: bool,
    samples: int,
    seed: int,
) -> dict[str, Any]:
    """Returns one mode's figures, every fraction between 0 and 1.

    Args:
        rankings: Each clip's answers, best first; empty for an unreadable clip.
        clips: The clips on disk, {gloss, signer_id} each.
        missing: The indexed clips that are not on disk, {gloss, signer_id} each.
        glossary: The glosses that can be recognised.
        ranked: Whether the mode ranks the whole glossary, so that the true gloss has a rank.
        complete: Whether every clip on disk was asked. If not, `top1_all` and its interval are None: what a sample
            says about the clips that nobody has is nothing.
        samples: Bootstrap resamples.
        seed: Seeds them.

    Returns:
        `top1` and `top5` over the clips on disk, an unreadable one counting as wrong; `top1_all` counts the missing
        ones as wrong too; `per_class_top1` and `per_class_top5`; `out_of_glossary` of all answers and
        `out_of_glossary_top1` of first answers; `mean_rank` over the clips answered and `mrr` over those on disk (both
        None unless ranked); `intervals` {figure: [low, high]} and in `interval_methods` how each was computed;
        `chance`; the glosses that no clip shows, and the clips' glosses that cannot be answered.
    """
    truth = [clip["gloss"] for clip in clips]
    signers = [clip["signer_id"] for clip in clips]
    top1, top5 = metrics.hits_at(rankings, truth, 1), metrics.hits_at(rankings, truth, 5)
    answered = [(ranking, gloss) for ranking, gloss in zip(rankings, truth, strict=True) if ranking]
    given = [ranking for ranking, _ in answered]

    intervals = {
        "top1": metrics.interval(top1, signers, samples=samples, seed=seed),
        "top5": metrics.interval(top5, signers, samples=samples, seed=seed),
        "per_class_top1": metrics.interval(top1, signers, classes=truth, samples=samples, seed=seed),
    }
    top1_all = None
    if complete:
        everyone = [*signers, *(clip["signer_id"] for clip in missing)]
        hits = [*top1, *(False for _ in missing)]
        top1_all = metrics.per_instance(hits)
        intervals["top1_all"] = metrics.interval(hits, everyone, samples=samples, seed=seed)

    return {
        "top1": metrics.per_instance(top1),
        "top1_all": top1_all,
        "top5": metrics.per_instance(top5),
        "per_class_top1": metrics.per_class(top1, truth),
        "per_class_top5": metrics.per_class(top5, truth),
        "mean_rank": float(metrics.ranks(given, [gloss for _, gloss in answered]).mean()) if ranked and given else None,
        "mrr": metrics.mean_reciprocal_rank(rankings, truth) if ranked else None,
        "out_of_glossary": metrics.out_of_glossary(given, glossary),
        "out_of_glossary_top1": metrics.out_of_glossary([ranking[:1] for ranking in given], glossary),
        "intervals": {name: [each.low, each.high] for name, each in intervals.items()},
        "interval_methods": {name: each.method for name, each in intervals.items()},
        "chance": {f"top{k}": min(k, len(glossary)) / len(glossary) for k in (1, 5)},
        "above_chance": intervals["top1"].low > 1 / len(glossary),
        "classes": len(set(truth)),
        "classes_without_clips": metrics.without_clips(glossary, truth),
        "glosses_outside_glossary": sorted(set(truth) - set(glossary)),
    }


def percent(fraction: float | None) -> str:
    """Returns a fraction as people read it: `87.5 %`, or a dash where there is none."""
    return "-" if fraction is None else f"{100 * fraction:.1f} %"


def bracket(ends: Sequence[float] | None) -> str:
    """Returns an interval as it follows a figure: `[79.2, 93.8]`, or nothing where there is none."""
    return "" if ends is None else f"[{100 * ends[0]:.1f}, {100 * ends[1]:.1f}]"


def table(summary: Mapping[str, Mapping[str, Any]]) -> str:
    """Returns the modes' figures as plain text: a row a mode, chance under them, and what they were measured on."""
    rows = [_HEAD]
    for mode, figures in summary.items():
        rows.append(
            (
                mode,
                f"{percent(figures['top1'])} {bracket(figures['intervals']['top1'])}",
                percent(figures["top1_all"]),
                percent(figures["top5"]),
                percent(figures["per_class_top1"]),
                percent(figures["out_of_glossary"]),
                f"{figures['seconds_per_clip']:.3f}",
            )
        )
    any_mode = next(iter(summary.values()))
    chance = any_mode["chance"]
    rows.append(("chance", percent(chance["top1"]), "", percent(chance["top5"]), percent(chance["top1"]), "", ""))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    lines.insert(1, "  ".join("-" * width for width in widths))
    lines.insert(-1, lines[1])
    return "\n".join([*lines, "", *measured_on(any_mode)])


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
    for key, meaning in (
        ("classes_without_clips", "without a clip here and left out of per class"),
        ("glosses_outside_glossary", "of these clips not in the glossary, so never right"),
    ):
        if figures[key]:
            lines.append(f"{_counted(len(figures[key]), 'gloss', 'glosses')} {meaning}: {_some(figures[key])}.")
    return lines


def _counted(number: int, one: str, many: str | None = None) -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"


def _some(names: Iterable[str], most: int = 8) -> str:
    names = list(names)
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
