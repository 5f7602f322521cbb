"""Pairs of drivers as a triangle: a number of each pair as colour, its kind as a mark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from drivers.report import svg
from drivers.report.axes import SMALL, Key, heading, legend, line, mark, ramp, scale_of, swatch
from drivers.report.lettering import fit, text_width
from drivers.report.numbers import coefficient

MARGIN = 14.0
MATRIX = 600.0
"""Room for the cells of many drivers; few drivers have cells of `LARGEST`."""
LARGEST, SMALLEST = 48.0, 15.0
NUMBER_AT = 25.0
"""Cells of this size and larger have room for a number above the mark."""
NAME_ROOM = 180.0
LIGHT_INK_AT = 0.73
"""Above this share of the ramp, letters are white."""
MISSING_PAIR = "#eceff1"


@dataclass(frozen=True, slots=True)
class Pair:
    """A cell: two drivers, their number, its kind, its tooltip; a driver with itself is on the diagonal."""

    first: str
    second: str
    value: float | None
    kind: str = ""
    told: str = ""


@dataclass(frozen=True, slots=True)
class Wording:
    """What the number is called, what a cell without it says, and the mark of each kind with its words.

    A mark is a shape, and whether it is filled.
    """

    caption: str
    missing: str
    kinds: Mapping[str, tuple[tuple[str, bool], str]] = field(default_factory=dict)


def interaction_triangle(
    drivers: Sequence[tuple[str, str]],
    pairs: Sequence[Pair],
    wording: Wording,
    *,
    title: str,
    colours: Mapping[str, str],
) -> str:
    """A lower triangle: drivers as (name, group) in the order given, the name at the end of the row.

    Without pairs of a driver with itself there is no diagonal.
    """
    known = {frozenset((p.first, p.second)): p for p in pairs}
    diagonal = any(p.first == p.second for p in pairs)
    count = max(len(drivers), 1)
    cell = min(LARGEST, max(SMALLEST, MATRIX / count))
    values = [p.value for p in pairs if p.value is not None]
    top_value = max([0.0, scale_of([0.0, *values]).high if values else 1.0])
    size = 11.5 if cell >= 16 else 10.0
    names = max((text_width(name, size) for name, _ in drivers), default=0.0)
    width = MARGIN + cell * (count - (not diagonal)) + 24 + min(names, NAME_ROOM) + MARGIN
    width = max(width, 520.0)
    looks = {kind: shape for kind, (shape, _) in wording.kinds.items()}
    present_kinds = [k for k in looks if any(p.kind == k for p in pairs)]
    keys = [
        Key(wording.kinds[k][1], lambda x, y, k=k: _kind_mark(looks[k], x + 5, y, 4.2, svg.INK))  # type: ignore[misc]
        for k in present_kinds
    ]
    drawn, y = legend(keys, MARGIN, 50.0, width - 2 * MARGIN) if keys else ([], 32.0)
    present = {group for _, group in drivers}
    groups = [Key(g, swatch(colours[g])) for g in colours if g in present]
    second, y = legend(groups, MARGIN, y + 18, width - 2 * MARGIN) if groups else ([], y)
    scale, y = _ramp_key(wording.caption, top_value, y + 20)
    top = y + 16
    parts = [heading(title, width, MARGIN), *drawn, *second, *scale]
    for i, (name, group) in enumerate(drivers):
        for j, (other, _) in enumerate(drivers[: i + diagonal]):
            pair = known.get(frozenset((name, other))) or Pair(other, name, None, told=wording.missing)
            mark_of = looks.get(pair.kind)
            parts.append(_cell((MARGIN + cell * j, top + cell * i), cell, pair, top_value, mark_of))
        parts += _name((name, group), MARGIN + cell * (i + diagonal), top + cell * (i + 0.5), size, colours)
    parts += _separators([group for _, group in drivers], MARGIN, top, cell, diagonal=diagonal)
    return svg.document(width, top + cell * count + MARGIN, f"Interactions: {title}", parts)


def _cell(
    place: tuple[float, float], cell: float, pair: Pair, most: float, kind: tuple[str, bool] | None
) -> str:
    x, y = place
    value, own = pair.value, pair.first == pair.second
    looks: dict[str, str | float | None] = {"x": x + 0.5, "y": y + 0.5, "width": cell - 1, "height": cell - 1}
    if value is None:
        parts = [svg.element("rect", {**looks, "fill": MISSING_PAIR})]
        parts.append(svg.text(x + cell / 2, y + cell / 2 + 3.5, "–", 10, anchor="middle", fill=svg.NEUTRAL))
        return svg.titled("".join(parts), pair.told)
    share = max(value, 0.0) / most if most else 0.0
    ink = svg.PAPER if share > LIGHT_INK_AT else svg.INK
    parts = [
        svg.element(
            "rect",
            {
                **looks,
                "fill": svg.ramp_colour(share),
                "stroke": svg.INK if own else None,
                "stroke_width": 1.0 if own else None,
            },
        )
    ]
    numbered = cell >= NUMBER_AT
    if numbered:
        digits = min(11.0, cell * 0.34)
        shown = coefficient(value) if value >= 0.005 or value == 0 else "<.01"
        lift = 3.6 if own or not kind else -1.0
        parts.append(
            svg.text(
                x + cell / 2,
                y + cell / 2 + lift,
                shown,
                round(digits, 1),
                anchor="middle",
                fill=ink,
                bold=own,
            )
        )
    if kind:
        middle = y + cell * (0.75 if numbered else 0.5)
        parts.append(_kind_mark(kind, x + cell / 2, middle, 4.2 if numbered else min(4.2, cell * 0.17), ink))
    return svg.titled("".join(parts), pair.told)


def _kind_mark(kind: tuple[str, bool], x: float, y: float, size: float, ink: str) -> str:
    shape, filled = kind
    if shape == "bar":
        return mark(shape, x, y, size * 0.9, fill=ink, width=1.3)
    return mark(shape, x, y, size, fill=ink if filled else "none", stroke=ink, width=1.1)


def _name(
    driver: tuple[str, str], x: float, middle: float, size: float, colours: Mapping[str, str]
) -> list[str]:
    name, group = driver
    shown = fit(name, NAME_ROOM, size, smallest=8.5)
    tint = colours.get(group)
    start = x + 7
    parts = []
    if tint:
        parts.append(
            svg.element("rect", {"x": start, "y": middle - 4, "width": 8, "height": 8, "rx": 2, "fill": tint})
        )
        start += 12
    parts.append(svg.text(start, middle + 4, shown.lines[0], shown.size))
    return parts


def _separators(groups: Sequence[str], left: float, top: float, cell: float, *, diagonal: bool) -> list[str]:
    """A line where one group ends and the next begins, along its row and its column."""
    parts = []
    bottom = top + cell * len(groups)
    for k in range(1, len(groups)):
        if groups[k] != groups[k - 1]:
            parts.append(line(left, top + cell * k, left + cell * k, top + cell * k, svg.INK, 1.6))
            # Without a diagonal the first cell of a column lies a row lower.
            start = top + cell * (k if diagonal else k + 1)
            if start < bottom:
                parts.append(line(left + cell * k, start, left + cell * k, bottom, svg.INK, 1.6))
    return parts


def _ramp_key(caption: str, most: float, y: float) -> tuple[list[str], float]:
    """What the colours mean, from 0 to the top of the scale."""
    parts = [svg.text(MARGIN, y, caption, SMALL, fill=svg.NEUTRAL_INK)]
    x = MARGIN + text_width(caption, SMALL) + 12
    parts.append(svg.text(x, y, "0", SMALL, fill=svg.NEUTRAL_INK))
    x += 11
    parts += ramp(x, y, svg.RAMP)
    shown = f"{most:.2g}" if most >= 0.001 else "< 0.001"
    parts.append(svg.text(x + 126, y, shown, SMALL, fill=svg.NEUTRAL_INK))
    return parts, y
