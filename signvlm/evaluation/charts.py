"""Charts as inline SVG: no script, no font, no file; colours are the page's own classes, text is escaped."""

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup, escape

_SIDE = 320
_PAD = 44
Point = tuple[float, float]


def reliability_chart(curves: Mapping[str, Sequence[Mapping[str, Any]]]) -> Markup:
    """Returns a reliability diagram: how often an answer was right against how sure it was.

    Args:
        curves: {css class: bins {confidence, accuracy, clips}}; a dot's area is its share of the clips.
    """
    inner = _SIDE - 2 * _PAD

    def at(x: float, y: float) -> Point:
        return _PAD + inner * x, _SIDE - _PAD - inner * y

    parts = [_frame(_SIDE, _SIDE)]
    for tick in (0.0, 0.5, 1.0):
        parts.append(_text(*at(tick, -0.07), f"{100 * tick:.0f}", "middle"))
        parts.append(_text(at(0, 0)[0] - 8, at(0, tick)[1] + 4, f"{100 * tick:.0f}", "end"))
    parts.append(_text(_SIDE / 2, _SIDE - 6, "how sure, %", "middle"))
    parts.append(_text(4, _PAD - 14, "how often right, %", "start"))
    parts.append(_line([at(0, 0), at(1, 1)], "even"))
    for name, bins in curves.items():
        total = sum(each["clips"] for each in bins) or 1
        points = [at(each["confidence"], each["accuracy"]) for each in bins]
        parts.append(_line(points, f"{name} faint"))
        for (x, y), each in zip(points, bins, strict=True):
            radius = 3 + 9 * (each["clips"] / total) ** 0.5
            title = (
                f"{each['clips']} clips: {100 * each['confidence']:.0f} % sure, {100 * each['accuracy']:.0f} % right"
            )
            parts.append(
                Markup('<circle class="{}" cx="{:.1f}" cy="{:.1f}" r="{:.1f}"><title>{}</title></circle>').format(
                    name, x, y, radius, title
                )
            )
    return _svg(_SIDE, _SIDE, "reliability curve", parts)


def line_chart(curves: Mapping[str, Sequence[Point]], *, x_name: str, y_name: str, top: float | None = None) -> Markup:
    """Returns curves over a common axis, which begins at 0.

    Args:
        curves: {css class: (x, y) points, x ascending}.
        x_name: What x is.
        y_name: What y is.
        top: The axis's end; None for the greatest value.
    """
    wide = _SIDE
    points = [point for curve in curves.values() for point in curve]
    left, right = min(x for x, _ in points), max(x for x, _ in points)
    most = top or max(max(y for _, y in points), 1e-9)
    span = max(right - left, 1e-9)

    def at(x: float, y: float) -> Point:
        return _PAD + (wide - 1.5 * _PAD) * (x - left) / span, _SIDE - _PAD - (_SIDE - 2 * _PAD) * min(y / most, 1)

    parts = [_frame(wide, _SIDE, right=0.5 * _PAD)]
    for share in (0.0, 0.5, 1.0):
        parts.append(_text(_PAD - 8, at(left, share * most)[1] + 4, f"{share * most:.3g}", "end"))
    for x, anchor in ((left, "start"), (right, "end")):
        parts.append(_text(at(x, 0)[0], _SIDE - _PAD + 16, f"{x:.4g}", anchor))
    parts.append(_text(wide / 2, _SIDE - 6, x_name, "middle"))
    parts.append(_text(4, _PAD - 14, y_name, "start"))
    for name, curve in curves.items():
        parts.append(_line([at(x, y) for x, y in curve], name))
        if len(curve) < 40:
            for x, y in curve:
                dot = Markup('<circle class="{}" cx="{:.1f}" cy="{:.1f}" r="3.5"><title>{}</title></circle>')
                parts.append(dot.format(name, *at(x, y), f"{x:.4g}: {y:.4g}"))
    return _svg(wide, _SIDE, y_name, parts)


def learning_curves(history: Sequence[Mapping[str, Any]]) -> list[tuple[str, Markup]]:
    """Returns (what it shows, chart) of a trainer's log: the losses, and what the best model was chosen by.

    Args:
        history: Entries with `step` and any of `loss`, `eval_loss`, `eval_top1`; others are passed over.
    """
    curves: dict[str, list[Point]] = {}
    for name in ("loss", "eval_loss", "eval_top1"):
        points = [(entry["step"], entry[name]) for entry in history if _number(entry, name) and _number(entry, "step")]
        if len(points) > 1:
            curves[name] = sorted(points)
    charts = []
    losses = {css: curves[name] for name, css in (("loss", "train"), ("eval_loss", "held")) if name in curves}
    if losses:
        charts.append(
            ("Loss: training, and validation", line_chart(losses, x_name="step", y_name="loss, nats a token"))
        )
    if "eval_top1" in curves:
        shown = {"held": [(x, 100 * y) for x, y in curves["eval_top1"]]}
        charts.append(("Top-1 on validation", line_chart(shown, x_name="step", y_name="top-1, %", top=100)))
    return charts


def _number(entry: Mapping[str, Any], name: str) -> bool:
    value = entry.get(name)
    return isinstance(value, int | float) and value == value and abs(value) < 1e30


def _svg(width: float, height: float, name: str, parts: Sequence[Markup]) -> Markup:
    opened = Markup('<svg class="chart" viewBox="0 0 {:.0f} {:.0f}" role="img" aria-label="{}">').format(
        width, height, name
    )
    return opened + Markup("").join(parts) + Markup("</svg>")


def _frame(width: float, height: float, right: float = _PAD) -> Markup:
    return Markup('<rect class="frame" x="{0}" y="{0}" width="{1:.1f}" height="{2:.1f}"/>').format(
        _PAD, width - _PAD - right, height - 2 * _PAD
    )


def _text(x: float, y: float, text: str, anchor: str) -> Markup:
    return Markup('<text x="{:.1f}" y="{:.1f}" text-anchor="{}">{}</text>').format(x, y, anchor, escape(text))


def _line(points: Sequence[Point], name: str) -> Markup:
    return Markup('<polyline class="{}" points="{}"/>').format(name, " ".join(f"{x:.1f},{y:.1f}" for x, y in points))
