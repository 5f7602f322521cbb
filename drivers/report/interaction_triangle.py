"""The interaction detector as a triangle: q of every pair as colour, its kind as a mark."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from drivers.report import svg
from drivers.report.axes import SMALL, Key, heading, legend, line, mark, scale_of, swatch
from drivers.report.geodetector_rows import FactorRow
from drivers.report.geodetector_wording import q_text
from drivers.report.lettering import fit, text_width
from drivers.report.numbers import coefficient, exact

MARGIN = 14.0
MATRIX = 600.0
"""Room for the cells of many drivers; few drivers have cells of `LARGEST`."""
LARGEST, SMALLEST = 48.0, 15.0
NUMBER_AT = 25.0
"""Cells of this size and larger have room for a number above the mark."""
NAME_ROOM = 180.0
MARKS = {
    "Enhance, nonlinear": ("up", True),
    "Enhance, bi-": ("up", False),
    "Independent": ("bar", True),
    "Weaken, uni-": ("down", False),
    "Weaken, nonlinear": ("down", True),
}
"""The mark of each kind: up is more than the larger q, down is less; filled is beyond both together."""
SAID = {
    "Enhance, nonlinear": "enhance, nonlinear: above the sum of both q",
    "Enhance, bi-": "enhance, bi-: above the larger q",
    "Independent": "independent: the sum of both q",
    "Weaken, uni-": "weaken, uni-: between both q",
    "Weaken, nonlinear": "weaken, nonlinear: below both q",
}
RAMP = ((0.0, (243, 247, 250)), (0.35, (178, 207, 229)), (0.7, (74, 141, 190)), (1.0, (11, 60, 111)))
"""White to dark blue; its lightness falls all the way, so that it reads in grey print."""
LIGHT_INK_AT = 0.73
"""Above this share of the ramp, letters are white."""
MISSING_PAIR = "#eceff1"


@dataclass(frozen=True, slots=True)
class Pair:
    """A cell: two drivers, the q of their crossed classes, its kind, and the text of its tooltip."""

    first: str
    second: str
    q: float | None
    kind: str = ""
    told: str = ""


def interaction_triangle(
    drivers: Sequence[FactorRow], pairs: Sequence[Pair], *, title: str, colours: Mapping[str, str]
) -> str:
    """A lower triangle: drivers in the order given, own q on the diagonal with the name beside it."""
    known = {frozenset((p.first, p.second)): p for p in pairs}
    count = max(len(drivers), 1)
    cell = min(LARGEST, max(SMALLEST, MATRIX / count))
    values = [v for v in (*(d.q for d in drivers), *(p.q for p in pairs)) if v is not None]
    top_value = max([0.0, scale_of([0.0, *values]).high if values else 1.0])
    size = 11.5 if cell >= 16 else 10.0
    names = max((text_width(d.name, size) for d in drivers), default=0.0)
    width = MARGIN + cell * count + 24 + min(names, NAME_ROOM) + MARGIN
    width = max(width, 520.0)
    kinds = [k for k in MARKS if any(p.kind == k for p in pairs)]
    keys = [Key(SAID[k], lambda x, y, k=k: _kind_mark(k, x + 5, y, 4.2, svg.INK)) for k in kinds]  # type: ignore[misc]
    drawn, y = legend(keys, MARGIN, 50.0, width - 2 * MARGIN) if keys else ([], 32.0)
    present = {d.group for d in drivers}
    groups = [Key(g, swatch(colours[g])) for g in colours if g in present]
    second, y = legend(groups, MARGIN, y + 18, width - 2 * MARGIN) if groups else ([], y)
    ramp, y = _ramp_key(top_value, y + 20)
    top = y + 16
    parts = [heading(title, width, MARGIN), *drawn, *second, *ramp]
    for i, row in enumerate(drivers):
        for j, column in enumerate(drivers[: i + 1]):
            own = i == j
            pair = known.get(frozenset((row.name, column.name)))
            q = row.q if own else (pair.q if pair else None)
            kind = "" if own or pair is None else pair.kind
            told = f"{row.name}\nq {exact(q)}" if own else (pair.told if pair else "")
            place = (MARGIN + cell * j, top + cell * i)
            parts.append(_cell(place, cell, q, top_value, kind, told, own=own))
        parts += _name(row, MARGIN + cell * (i + 1), top + cell * (i + 0.5), size, colours)
    parts += _separators(drivers, MARGIN, top, cell)
    return svg.document(width, top + cell * count + MARGIN, f"Interactions: {title}", parts)


def ramp_colour(share: float) -> str:
    """The colour of a share of the ramp.

    >>> ramp_colour(0.0), ramp_colour(1.0)
    ('#f3f7fa', '#0b3c6f')
    """
    at = min(max(share, 0.0), 1.0)
    for (a, low), (b, high) in itertools.pairwise(RAMP):
        if at <= b:
            t = (at - a) / (b - a)
            mixed = (round(x + t * (y - x)) for x, y in zip(low, high, strict=True))
            return "#" + "".join(f"{value:02x}" for value in mixed)
    raise AssertionError  # the last stop is at 1


def _cell(
    place: tuple[float, float], cell: float, q: float | None, most: float, kind: str, told: str, *, own: bool
) -> str:
    x, y = place
    looks: dict[str, str | float | None] = {"x": x + 0.5, "y": y + 0.5, "width": cell - 1, "height": cell - 1}
    if q is None:
        parts = [svg.element("rect", {**looks, "fill": MISSING_PAIR})]
        parts.append(svg.text(x + cell / 2, y + cell / 2 + 3.5, "–", 10, anchor="middle", fill=svg.NEUTRAL))
        return svg.titled("".join(parts), told or "no q")
    share = max(q, 0.0) / most if most else 0.0
    ink = svg.PAPER if share > LIGHT_INK_AT else svg.INK
    parts = [
        svg.element(
            "rect",
            {
                **looks,
                "fill": ramp_colour(share),
                "stroke": svg.INK if own else None,
                "stroke_width": 1.0 if own else None,
            },
        )
    ]
    numbered = cell >= NUMBER_AT
    if numbered:
        digits = min(11.0, cell * 0.34)
        shown = coefficient(q) if q >= 0.005 or q == 0 else "<.01"
        lift = 3.6 if own or not kind else -1.0
        parts.append(
            svg.text(
                x + cell / 2,
                y + cell / 2 + lift,
                shown,
                svg_size(digits),
                anchor="middle",
                fill=ink,
                bold=own,
            )
        )
    if kind:
        middle = y + cell * (0.75 if numbered else 0.5)
        parts.append(_kind_mark(kind, x + cell / 2, middle, 4.2 if numbered else min(4.2, cell * 0.17), ink))
    return svg.titled("".join(parts), told)


def svg_size(size: float) -> float:
    """A font size with one decimal."""
    return round(size, 1)


def _kind_mark(kind: str, x: float, y: float, size: float, ink: str) -> str:
    if kind not in MARKS:
        return ""
    shape, filled = MARKS[kind]
    if shape == "bar":
        return mark(shape, x, y, size * 0.9, fill=ink, width=1.3)
    return mark(shape, x, y, size, fill=ink if filled else "none", stroke=ink, width=1.1)


def _name(row: FactorRow, x: float, middle: float, size: float, colours: Mapping[str, str]) -> list[str]:
    shown = fit(row.name, NAME_ROOM, size, smallest=8.5)
    tint = colours.get(row.group)
    start = x + 7
    parts = []
    if tint:
        parts.append(
            svg.element("rect", {"x": start, "y": middle - 4, "width": 8, "height": 8, "rx": 2, "fill": tint})
        )
        start += 12
    parts.append(svg.text(start, middle + 4, shown.lines[0], shown.size))
    return parts


def _separators(drivers: Sequence[FactorRow], left: float, top: float, cell: float) -> list[str]:
    """A line where one group ends and the next begins, along its row and its column."""
    parts = []
    bottom = top + cell * len(drivers)
    for k in range(1, len(drivers)):
        if drivers[k].group != drivers[k - 1].group:
            parts.append(line(left, top + cell * k, left + cell * k, top + cell * k, svg.INK, 1.6))
            parts.append(line(left + cell * k, top + cell * k, left + cell * k, bottom, svg.INK, 1.6))
    return parts


def _ramp_key(most: float, y: float) -> tuple[list[str], float]:
    """What the colours mean, from 0 to the top of the scale."""
    parts = [svg.text(MARGIN, y, "q of the crossed classes (diagonal: own q)", SMALL, fill=svg.NEUTRAL_INK)]
    x = MARGIN + text_width("q of the crossed classes (diagonal: own q)", SMALL) + 12
    parts.append(svg.text(x, y, "0", SMALL, fill=svg.NEUTRAL_INK))
    x += 11
    for k in range(20):
        parts.append(
            svg.element(
                "rect",
                {"x": x + 6 * k, "y": y - 9, "width": 6.3, "height": 11, "fill": ramp_colour((k + 0.5) / 20)},
            )
        )
    shown = f"{most:.2g}" if most >= 0.001 else q_text(most)
    parts.append(svg.text(x + 126, y, shown, SMALL, fill=svg.NEUTRAL_INK))
    return parts, y
