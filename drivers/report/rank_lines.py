"""Ranks by method: a column per method, a line per driver; who keeps its place and who does not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from drivers.report import svg
from drivers.report.axes import Key, heading, legend, swatch
from drivers.report.lettering import fit, text_width

MARGIN = 14.0
BETWEEN = 190.0
"""From a method's column to the next."""
NAME_ROOM = 170.0
ROW = 20.0
SIZE = 11.5
RADIUS = 8.0
THICK, THIN = 2.6, 1.2
FAINT = 0.5
"""Opacity of the lines of drivers that methods agree on."""


@dataclass(frozen=True, slots=True)
class RankLine:
    """A driver's rank by each method, None where the method has none; `apart` where methods disagree."""

    name: str
    group: str
    ranks: tuple[int | None, ...]
    told: str
    apart: bool = False


def rank_lines(
    lines: Sequence[RankLine], methods: Sequence[str], *, title: str, colours: Mapping[str, str]
) -> str:
    """The strongest at the top; drivers of equal rank stand under each other with the same number.

    The same input gives the same bytes.
    """
    places = [_places(lines, k) for k in range(len(methods))]
    deepest = max((len(column) for column in places), default=1)
    widest = max((text_width(found.name, SIZE) for found in lines), default=0.0)
    names = min(widest + 8, NAME_ROOM)
    left = MARGIN + max(names, 80.0) + RADIUS
    last = left + BETWEEN * (len(methods) - 1)
    width = last + RADIUS + max(names, 80.0) + MARGIN
    keys = [Key(g, swatch(colours[g])) for g in colours if g in {found.group for found in lines}]
    if any(found.apart for found in lines):
        keys.append(
            Key("methods disagree", lambda x, y: _stroke(x, y, x + 22, y, svg.PLAIN, apart=True), 28.0)
        )
    drawn, y = legend(keys, MARGIN, 48.0, width - 2 * MARGIN) if keys else ([], 34.0)
    top = y + 44.0
    parts = [heading(title, width, MARGIN), *drawn]
    for k, words in enumerate(methods):
        room = BETWEEN - 14 if 0 < k < len(methods) - 1 else 2 * (max(names, 80.0) + RADIUS)
        shown = fit(words, min(room, BETWEEN - 14), SIZE, smallest=8.0, bold=True)
        parts.append(
            svg.text(left + BETWEEN * k, top - 18, shown.lines[0], shown.size, anchor="middle", bold=True)
        )
    for j in sorted(range(len(lines)), key=lambda j: (lines[j].apart, j)):  # the thick ones on top
        parts.append(_line(lines[j], [column.get(j) for column in places], left, top, colours))
    for k, column in enumerate(places):
        for j, place in column.items():
            found, at = lines[j], top + ROW * place
            parts.append(_mark(found.ranks[k], left + BETWEEN * k, at, colours.get(found.group, svg.PLAIN)))
            name = fit(found.name, names - 6, SIZE, smallest=8.0, bold=found.apart)
            if k in (0, len(methods) - 1):
                x = left - RADIUS - 6 if k == 0 else last + RADIUS + 6
                anchor = "end" if k == 0 else "start"
                parts.append(svg.text(x, at + 4, name.lines[0], name.size, anchor=anchor, bold=found.apart))
    return svg.document(
        width, top + ROW * (deepest - 1) + RADIUS + MARGIN, f"Ranks by method: {title}", parts
    )


def _places(lines: Sequence[RankLine], k: int) -> dict[int, int]:
    """The place from the top of every line that has a rank in column k."""
    ranked = [(rank, j) for j, found in enumerate(lines) if (rank := found.ranks[k]) is not None]
    return {j: place for place, (_, j) in enumerate(sorted(ranked))}


def _line(
    found: RankLine, places: Sequence[int | None], left: float, top: float, colours: Mapping[str, str]
) -> str:
    """Straight from method to method; dashed past one that has no rank."""
    known = [(k, place) for k, place in enumerate(places) if place is not None]
    colour = colours.get(found.group, svg.PLAIN)
    parts = [
        _stroke(
            *(left + BETWEEN * a, top + ROW * p, left + BETWEEN * b, top + ROW * q, colour),
            apart=found.apart,
            dash="4 3" if b > a + 1 else None,
        )
        for (a, p), (b, q) in pairwise(known)
    ]
    return svg.titled("".join(parts), found.told)


def _stroke(
    x1: float, y1: float, x2: float, y2: float, colour: str, *, apart: bool, dash: str | None = None
) -> str:
    looks: dict[str, str | float | None] = {
        "d": f"M{svg.short(x1)} {svg.short(y1)}L{svg.short(x2)} {svg.short(y2)}",
        "stroke": colour,
        "stroke_width": THICK if apart else THIN,
        "stroke_opacity": None if apart else FAINT,
        "stroke_dasharray": dash,
    }
    return svg.element("path", looks)


def _mark(rank: int | None, x: float, y: float, colour: str) -> str:
    looks: dict[str, str | float | None] = {"cx": x, "cy": y, "r": RADIUS, "fill": svg.PAPER}
    drawn = svg.element("circle", {**looks, "stroke": colour, "stroke_width": 1.6})
    return drawn + svg.text(x, y + 3.3, str(rank), 9.0, anchor="middle")
