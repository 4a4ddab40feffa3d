"""`signvlm compare`: a comparison as text for the terminal, and as a page.

signvlm compare data/wlasl/runs/first data/wlasl/runs/second --out comparison.html
"""

import math

from signvlm.evaluation.compare import Comparison
from signvlm.evaluation.summary import bracket, counted, grid, percent, size, unnamed
from signvlm.templating import html


def text(comparison: Comparison) -> str:
    """Returns the comparison as plain text for the terminal."""
    rows = [("run", "top-1 [95 %]", "top-5", "per class", "MRR", "s/clip", "memory")]
    for column in comparison.columns:
        rows.append(
            (
                column.name,
                f"{percent(column.top1)} {bracket(column.top1_interval)}",
                percent(column.top5),
                percent(column.per_class_top1),
                "-" if column.mrr is None else f"{column.mrr:.3f}",
                f"{column.seconds_per_clip:.3f}",
                size(column.peak_memory_bytes),
            )
        )
    tests = [("second - first", "points [95 %]", "p", "p (Holm)", "only first / second right", "p (McNemar)")]
    for test in comparison.tests:
        found = test.found
        tests.append(
            (
                f"{test.second} - {test.first}",
                f"{points(found.difference)} {bracket(found.interval[:2])}",
                p_value(found.p),
                p_value(test.p_holm),
                f"{found.first_only} / {found.second_only}",
                p_value(found.p_mcnemar),
            )
        )
    return "\n".join([*grid(rows), "", *grid(tests), "", measured_on(comparison), *comparison.notes])


def page(comparison: Comparison) -> str:
    """Returns the comparison as a page that opens from a file, without a network, and escapes everything."""
    environment = html()
    environment.filters |= {"percent": percent, "bracket": bracket, "bytes": size, "points": points, "p": p_value}
    reach = max(max(abs(end) for end in test.found.interval[:2]) for test in comparison.tests) or 1.0
    return environment.get_template("compare.html.j2").render(
        comparison=comparison,
        measured_on=measured_on(comparison),
        reach=min(1.0, math.ceil(10 * reach) / 10),
    )


def measured_on(comparison: Comparison) -> str:
    """Returns in a sentence what was compared."""
    people = f" of {counted(comparison.signers, 'signer')}" if comparison.signers else ""
    said = (
        f"{comparison.mode} answers to {counted(comparison.clips, 'clip')}{people} of the {comparison.split} split, "
        "the same for every run."
    )
    return f"{said} {unnamed(comparison.signer_unknown)}" if comparison.signer_unknown else said


def points(difference: float) -> str:
    """Returns a difference in percentage points: `+4.2`."""
    return f"{100 * difference:+.1f}"


def p_value(p: float) -> str:
    """Returns a p-value as people read it."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"
