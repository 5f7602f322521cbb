"""Effect bars: what each driver (or group) does to the response, directly, indirectly and in total."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from drivers.report import svg
from drivers.report.lettering import fit, text_width
from drivers.report.numbers import MINUS, coefficient, exact, is_missing, stars

ROW = 30.0
BAR = 8.0
NAME_ROOM = 140.0
PLOT = 290.0
VALUE_ROOM = 70.0
MARGIN = 14.0
SIZE = 12.0
SMALL = 10.5


@dataclass(frozen=True, slots=True)
class Effect:
    """Standardised effects of one driver; None where there is none. The interval is the total's."""

    name: str
    group: str = ""
    direct: float | None = None
    indirect: float | None = None
    total: float | None = None
    low: float | None = None
    high: float | None = None
    p_value: float | None = None


def effect_bars(
    effects: Sequence[Effect], *, title: str, response: str, colours: Mapping[str, str] | None = None
) -> str:
    """Horizontal bars sorted by |total|: direct solid, indirect pale, total a dot with its interval.

    The same input gives the same bytes; ties keep the order of the input.
    """
    shown = sorted(effects, key=lambda e: -abs(_value(e.total)))
    tint = dict(colours or svg.group_colours(e.group for e in shown if e.group))
    present = {e.group for e in shown}
    groups = [name for name in tint if name in present]
    low, high, step = _scale(shown)
    left = MARGIN + _name_room(shown)
    width = left + PLOT + VALUE_ROOM + MARGIN

    def x(value: float) -> float:
        return left + PLOT * (value - low) / (high - low)

    legend, legend_bottom = _legend(groups, tint, width - 2 * MARGIN)
    top = legend_bottom + 26.0
    bottom = top + ROW * max(len(shown), 1)
    head = fit(title, width - 2 * MARGIN, 14.0, bold=True)
    parts = [svg.text(MARGIN, MARGIN + 11, head.lines[0], head.size, bold=True), *legend]
    parts += _axis(low, high, step, x, top, bottom)
    for k, effect in enumerate(shown):
        parts.append(_row(effect, top + ROW * k, left, x, tint.get(effect.group, "#44505a")))
    if not shown:
        parts.append(svg.text(left, top + 20, "No effects.", SIZE, fill=svg.NEUTRAL_INK))
    caption = f"Standardised effect on {response}"
    parts.append(svg.text(left + PLOT / 2, bottom + 38, caption, SIZE, anchor="middle", fill=svg.NEUTRAL_INK))
    return svg.document(width, bottom + 38 + MARGIN, f"Effect bars: {title}", parts)


def _value(value: float | None) -> float:
    return 0.0 if is_missing(value) else float(value or 0.0)


def _name_room(effects: Sequence[Effect]) -> float:
    widest = max((text_width(e.name, SIZE) for e in effects), default=0.0)
    return min(max(widest + 14.0, 60.0), NAME_ROOM)


def _scale(effects: Sequence[Effect]) -> tuple[float, float, float]:
    """Round limits around zero that hold every bar and interval; an interval off the scale is cut."""
    bars = [v for e in effects for v in (_value(e.direct), _value(e.indirect), _value(e.total))]
    reach = max([0.05, *(abs(v) for v in bars)])
    ends = [_value(v) for e in effects for v in (e.low, e.high)]
    ends = [min(max(v, -2.5 * reach), 2.5 * reach) for v in ends if math.isfinite(v)]
    low, high = min([0.0, *bars, *ends]), max([0.0, *bars, *ends])
    if high - low < reach:  # nothing to show: a quiet axis to the right of zero
        high = low + reach
    raw = (high - low) / 5
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= raw)
    return math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step, step


def _axis(
    low: float, high: float, step: float, x: Callable[[float], float], top: float, bottom: float
) -> list[str]:
    """Light grid lines with their values below, and a dark line at zero."""
    parts = []
    digits = max(0, -math.floor(math.log10(step) + 1e-9)) + (
        1 if abs(step / 10 ** math.floor(math.log10(step)) - 2.5) < 1e-6 else 0
    )
    for k in range(round((high - low) / step) + 1):
        value = low + k * step
        at, zero = x(value), abs(value) < step / 1e6
        line: dict[str, str | float | None] = {
            "d": f"M{svg.short(at)} {svg.short(top - 4)}V{svg.short(bottom + 4)}",
            "stroke_width": 1.2 if zero else 0.8,
        }
        parts.append(svg.element("path", {**line, "stroke": svg.NEUTRAL_INK if zero else svg.RULE}))
        words = "0" if zero else f"{value:.{digits}f}".replace("-", MINUS)
        parts.append(svg.text(at, bottom + 18, words, SMALL, anchor="middle", fill=svg.NEUTRAL_INK))
    return parts


def _row(effect: Effect, top: float, left: float, x: Callable[[float], float], colour: str) -> str:
    """One driver: its name, two bars one above the other, the dot, and the total in figures."""
    middle = top + ROW / 2
    name = fit(effect.name, left - MARGIN - 8, SIZE, smallest=8.5)
    parts = [svg.text(left - 8, middle + 4, name.lines[0], name.size, anchor="end")]
    for value, y, solid in ((effect.direct, middle - BAR - 1, True), (effect.indirect, middle + 1, False)):
        if not is_missing(value) and _value(value) != 0:
            a, b = sorted((x(0.0), x(_value(value))))
            parts.append(_bar(a, y, b - a, colour, solid=solid))
    if not is_missing(effect.total):
        at = x(_value(effect.total))
        known = not (is_missing(effect.low) or is_missing(effect.high))
        ends = (
            (max(x(_value(effect.low)), left), min(x(_value(effect.high)), left + PLOT))
            if known
            else (at, at)
        )
        parts.append(_dot(ends[0], ends[1], at, middle))
        words = coefficient(effect.total) + stars(effect.p_value)
        parts.append(svg.text(left + PLOT + 10, middle + 4, words, SIZE, bold=bool(stars(effect.p_value))))
    told = [effect.name + (f" ({effect.group})" if effect.group and effect.group != effect.name else "")]
    told += [
        f"{kind} {exact(v)}"
        for kind, v in (("direct", effect.direct), ("indirect", effect.indirect), ("total", effect.total))
        if not is_missing(v)
    ]
    return svg.titled("".join(parts), "\n".join(told))


def _legend(groups: Sequence[str], tint: Mapping[str, str], width: float) -> tuple[list[str], float]:
    """What the marks mean, then the groups; wraps to the figure's width."""
    parts: list[str] = []
    px, py = MARGIN, 48.0
    entries = [
        ("direct", "d"),
        ("indirect", "i"),
        ("total with 95 % interval", "t"),
        *((g, "g") for g in groups),
    ]
    for words, kind in entries:
        mark = {"d": 22.0, "i": 22.0, "t": 28.0, "g": 14.0}[kind]
        size = mark + text_width(words, SMALL) + 16.0
        if px > MARGIN and px + size > MARGIN + width:
            px, py = MARGIN, py + 18.0
        y = py - 4.0
        if kind == "d":
            parts.append(_bar(px, y - 4, 16, "#44505a", solid=True))
        elif kind == "i":
            parts.append(_bar(px, y - 4, 16, "#44505a", solid=False))
        elif kind == "t":
            parts.append(_dot(px + 2, px + 20, px + 11, y))
        else:
            parts.append(
                svg.element(
                    "rect", {"x": px, "y": y - 4.5, "width": 9, "height": 9, "rx": 2, "fill": tint[words]}
                )
            )
        parts.append(svg.text(px + mark, py, words, SMALL, fill=svg.NEUTRAL_INK))
        px += size
    return parts, py


def _bar(x: float, y: float, width: float, colour: str, *, solid: bool) -> str:
    """Solid, or pale with an outline: told apart in grey print too."""
    looks: dict[str, str | float | None] = {
        "x": x,
        "y": y,
        "width": max(width, 0.0),
        "height": BAR,
        "fill": colour,
    }
    if not solid:
        looks |= {"fill_opacity": 0.28, "stroke": colour, "stroke_width": 1.0}
    return svg.element("rect", looks)


def _dot(low: float, high: float, at: float, y: float) -> str:
    line = svg.element(
        "path",
        {"d": f"M{svg.short(low)} {svg.short(y)}H{svg.short(high)}", "stroke": svg.INK, "stroke_width": 1.4},
    )
    looks: dict[str, str | float | None] = {
        "cx": at,
        "cy": y,
        "r": 3.8,
        "fill": svg.INK,
        "stroke": svg.PAPER,
        "stroke_width": 1.2,
    }
    return line + svg.element("circle", looks)
