"""Area that passed between classes of two years: a Sankey figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from drivers.report import svg
from drivers.report.axes import heading, spread
from drivers.report.lettering import fit, text_width

MARGIN = 14.0
WIDTH = 760.0
NODE = 13.0
GAP = 9.0
TALL = 300.0
"""Height of all area together."""
LINE = 15.0
"""Least distance of two labels."""
NAME_ROOM = 210.0
SIZE = 11.5
HELD = "#d9dee2"
"""What stayed in its class."""
THINNEST = 0.6
COLOURS = (*svg.LEVEL_COLOURS, *svg.GROUP_COLOURS)


@dataclass(frozen=True, slots=True)
class Flow:
    """From class to class: its weight, and its tooltip."""

    origin: str
    end: str
    weight: float
    told: str


@dataclass(frozen=True, slots=True)
class Side:
    """One year: its heading, and the label of every class."""

    heading: str
    labels: Mapping[str, str]


def class_colours(classes: Sequence[str]) -> dict[str, str]:
    """A colour for each class, in order; beyond fourteen they repeat."""
    return {name: COLOURS[k % len(COLOURS)] for k, name in enumerate(classes)}


def flow(classes: Sequence[str], flows: Sequence[Flow], before: Side, after: Side, *, title: str) -> str:
    """Classes of the first year on the left, of the second on the right, in the same order."""
    colours = class_colours(classes)
    total = sum(f.weight for f in flows) or 1.0
    out = {c: sum(f.weight for f in flows if f.origin == c) for c in classes}
    into = {c: sum(f.weight for f in flows if f.end == c) for c in classes}
    shown = [[c for c in classes if side[c] > 0] for side in (out, into)]
    most = max(len(side) for side in shown)
    tall = max(TALL, LINE * most + GAP)
    per = (tall - GAP * max(most - 1, 0)) / total
    words = [fit(side.labels.get(c, c), NAME_ROOM, SIZE, smallest=8.5)
             for side, listed in zip((before, after), shown, strict=True) for c in listed]  # fmt: skip
    room = max([60.0, *(text_width(w.lines[0], w.size) for w in words)]) + 10
    left, right = MARGIN + room, WIDTH - MARGIN - room
    top = 62.0
    starts = _tops(shown[0], out, per, top)
    ends = _tops(shown[1], into, per, top)
    parts = [heading(title, WIDTH, MARGIN)]
    parts.append(svg.text(left + NODE, 52, before.heading, 11.5, anchor="end", bold=True))
    parts.append(svg.text(right - NODE, 52, after.heading, 11.5, bold=True))
    held: list[str] = []
    moved: list[str] = []
    lower = dict(starts)
    arrive = dict(ends)
    by_end = {c: [f for f in flows if f.end == c] for c in classes}
    order = {c: k for k, c in enumerate(classes)}
    landing: dict[tuple[str, str], float] = {}
    for c in shown[1]:
        for f in sorted(by_end[c], key=lambda f: order[f.origin]):
            landing[f.origin, f.end] = arrive[c]
            arrive[c] += f.weight * per
    for f in sorted(flows, key=lambda f: (order[f.origin], order[f.end])):
        if f.weight <= 0:
            continue
        thick = f.weight * per
        a, b = lower[f.origin], landing[f.origin, f.end]
        lower[f.origin] += thick
        stays = f.origin == f.end
        ribbon = _ribbon(left + NODE, right - NODE, a, b, thick, HELD if stays else colours[f.origin])
        (held if stays else moved).append(svg.titled(ribbon, f.told))
    parts += [*held, *moved]
    for listed, tops, weight, side, x in (
        (shown[0], starts, out, before, left),
        (shown[1], ends, into, after, right - NODE),
    ):
        wanted = [tops[c] + weight[c] * per / 2 for c in listed]
        places = spread(wanted, LINE, top + 4, top + tall - 4)
        for c, middle in zip(listed, places, strict=True):
            parts.append(svg.rect(x, tops[c], NODE, max(weight[c] * per, THINNEST), colours[c]))
            label = fit(side.labels.get(c, c), room - 8, SIZE, smallest=8.0)
            on_left = x == left
            at = x - 7 if on_left else x + NODE + 7
            anchor = "end" if on_left else "start"
            parts.append(svg.text(at, middle + 4, label.lines[0], label.size, anchor=anchor))
    return svg.document(WIDTH, top + tall + MARGIN, f"Transfers between classes: {title}", parts)


def _tops(listed: Sequence[str], weight: Mapping[str, float], per: float, top: float) -> dict[str, float]:
    found, y = {}, top
    for c in listed:
        found[c] = y
        y += weight[c] * per + GAP
    return found


def _ribbon(x1: float, x2: float, y1: float, y2: float, thick: float, colour: str) -> str:
    wide = max(thick, THINNEST)
    middle = svg.short((x1 + x2) / 2)
    a, b, c, e = (svg.short(v) for v in (x1, x2, y1, y2))
    low, high = svg.short(y1 + wide), svg.short(y2 + wide)
    d = f"M{a} {c}C{middle} {c} {middle} {e} {b} {e}V{high}C{middle} {high} {middle} {low} {a} {low}Z"
    return svg.element("path", {"d": d, "fill": colour, "fill_opacity": 0.75})
