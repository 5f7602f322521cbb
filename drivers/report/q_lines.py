"""q of every driver over cell sizes or years: a line per driver, named at its end."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from drivers.report import svg
from drivers.report.axes import (
    SHAPES,
    Key,
    heading,
    left_ticks,
    legend,
    line,
    mark,
    scale_of,
    spread,
    swatch,
    upright,
)
from drivers.report.lettering import fit, text_width
from drivers.report.numbers import exact

MARGIN = 14.0
LEFT = 50.0
PLOT = 480.0
HEIGHT = 300.0
NAME_ROOM = 150.0
LEADER = 26.0
NAME_LINE = 13.0
SIZE = 11.0
LINE_SHAPES = SHAPES[:5]


@dataclass(frozen=True, slots=True)
class QLine:
    """A driver's q by position (a cell size, a year); positions without q are left out."""

    name: str
    group: str
    points: tuple[tuple[float, float], ...]


def q_lines(
    lines: Sequence[QLine],
    places: Sequence[tuple[float, str]],
    *,
    title: str,
    caption: str,
    colours: Mapping[str, str],
    log: bool = False,
) -> str:
    """Lines over the places (position and its words), in order; `log` for positions that multiply.

    A gap in a line is a place where the driver has no q.
    """
    shown = [found for found in lines if found.points]
    order = {position: k for k, (position, _) in enumerate(places)}
    present = {found.group for found in shown}
    keys = [Key(g, swatch(colours[g])) for g in colours if g in present]
    names = max((text_width(found.name, SIZE) for found in shown), default=0.0)
    width = MARGIN + LEFT + PLOT + LEADER + min(names, NAME_ROOM) + 6 + MARGIN
    drawn, top = legend(keys, MARGIN, 48.0, width - 2 * MARGIN) if keys else ([], 34.0)
    top += 16.0
    height = max(HEIGHT, NAME_LINE * len(shown))
    scale = scale_of([0.0, *(q for found in shown for _, q in found.points)], 6)
    left = MARGIN + LEFT
    x = _positions(places, left, log=log)

    def y(value: float) -> float:
        return top + height - scale.at(value, 0.0, height)

    parts = [heading(title, width, MARGIN), *drawn]
    parts += left_ticks(scale, left, top, height, left + PLOT)
    parts += _places(places, x, top + height)
    wanted = [y(found.points[-1][1]) for found in shown]
    labels = spread(wanted, NAME_LINE, top + 4, top + height)
    for k, (found, at, label) in enumerate(zip(shown, wanted, labels, strict=True)):
        colour = colours.get(found.group, "#44505a")
        shape = LINE_SHAPES[k % len(LINE_SHAPES)]
        points = sorted(found.points)
        parts.append(svg.titled(_line(points, order, x, y, colour, shape), _told(found, places)))
        end, edge = x[points[-1][0]] + 5, left + PLOT - 6
        if end < edge - 2:
            parts.append(line(end, at, edge, at, colour, 0.8, "2 3"))
        parts.append(line(max(end, edge), at, left + PLOT + LEADER - 4, label, colour, 0.8))
        name = fit(found.name, NAME_ROOM, SIZE, smallest=8.5)
        parts.append(svg.text(left + PLOT + LEADER, label + 3.8, name.lines[0], name.size))
    if not shown:
        parts.append(svg.text(left + 10, top + 20, "No q.", SIZE, fill=svg.NEUTRAL_INK))
    parts.append(upright("q" + scale.factor, MARGIN + 10, top + height / 2, height))
    parts.append(
        svg.text(left + PLOT / 2, top + height + 34, caption, SIZE, anchor="middle", fill=svg.NEUTRAL_INK)
    )
    return svg.document(width, top + height + 34 + MARGIN, f"Lines of q: {title}", [p for p in parts if p])


def _positions(places: Sequence[tuple[float, str]], left: float, *, log: bool) -> dict[float, float]:
    """Where each place lies: true distances, or those of ratios; ends stay clear of the axis."""
    inset = 12.0
    known = [math.log(p) if log and p > 0 else p for p, _ in places]
    low, high = min(known, default=0.0), max(known, default=1.0)
    if high == low:
        return {p: left + PLOT / 2 for p, _ in places}
    room = PLOT - 2 * inset
    return {
        p: left + inset + room * (v - low) / (high - low) for (p, _), v in zip(places, known, strict=True)
    }


def _places(places: Sequence[tuple[float, str]], x: Mapping[float, float], bottom: float) -> list[str]:
    parts = []
    last = float("-inf")
    for position, words in places:
        at = x[position]
        half = text_width(words, 10.0) / 2
        parts.append(line(at, bottom, at, bottom + 4, svg.NEUTRAL))
        if at - half >= last + 6:
            parts.append(svg.text(at, bottom + 15, words, 10.0, anchor="middle", fill=svg.NEUTRAL_INK))
            last = at + half
    return parts


def _line(
    points: Sequence[tuple[float, float]],
    order: Mapping[float, int],
    x: Mapping[float, float],
    y: Callable[[float], float],
    colour: str,
    shape: str,
) -> str:
    d, before = "", None
    marks = []
    for position, q in points:
        at = (x[position], y(q))
        joined = before is not None and order[position] == before + 1
        d += f"{'L' if joined else 'M'}{svg.short(at[0])} {svg.short(at[1])}"
        marks.append(mark(shape, at[0], at[1], 3.0, fill=colour, stroke=svg.PAPER, width=0.7))
        before = order[position]
    return svg.element("path", {"d": d, "stroke": colour, "stroke_width": 1.6, "fill": "none"}) + "".join(
        marks
    )


def _told(found: QLine, places: Sequence[tuple[float, str]]) -> str:
    words = dict(places)
    return "\n".join([found.name, *(f"{words[p]}: q {exact(q)}" for p, q in found.points)])
