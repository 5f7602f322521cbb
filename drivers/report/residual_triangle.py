"""What a model leaves of every correlation, as a triangle: blue is more than it says, vermilion less."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from drivers.report import svg
from drivers.report.axes import SMALL, heading
from drivers.report.lettering import fit, text_width
from drivers.report.numbers import MINUS, coefficient, exact

MARGIN = 14.0
MATRIX = 600.0
"""Room for the cells of many variables; few variables have cells of `LARGEST`."""
LARGEST, SMALLEST = 40.0, 14.0
NUMBER_AT = 25.0
"""Cells of this size and larger hold their number."""
NAME_ROOM = 180.0
LARGE = 0.10
"""Residuals of this size and more are framed: the usual word for large."""
FULL = 0.30
"""The colours are full at this residual at least, so that a good fit looks pale."""
LIGHT_INK_AT = 0.75
WARM: svg.Ramp = ((0.0, (250, 246, 243)), (0.35, (247, 205, 170)), (0.7, (224, 130, 60)), (1.0, (150, 60, 0)))
"""White to dark vermilion, as dark at every share as the blue ramp."""


@dataclass(frozen=True, slots=True)
class Residual:
    """What is left of the correlation of two variables, and how many standard errors that is."""

    first: str
    second: str
    value: float | None
    z: float | None = None


def residual_triangle(names: Sequence[str], residuals: Sequence[Residual], *, title: str) -> str:
    """A lower triangle of the variables in the order given; the same input gives the same bytes."""
    known = {frozenset((r.first, r.second)): r for r in residuals}
    sizes = [abs(r.value) for r in residuals if r.value is not None]
    most = max([FULL, *sizes])
    cell = min(LARGEST, max(SMALLEST, MATRIX / max(len(names) - 1, 1)))
    size = 11.5 if cell >= 16 else 10.0
    room = min(max((text_width(name, size) for name in names), default=0.0), NAME_ROOM)
    framed = any(value >= LARGE for value in sizes)
    keys, key_width, top = _keys(most, framed)
    # the name of a row stands at its end, that of the last column above nothing: the longest row decides
    width = max(MARGIN + cell * max(len(names) - 1, 0) + room + 20 + MARGIN, key_width + MARGIN)
    width = max(width, text_width(title, 14.0, bold=True) + 2 * MARGIN)
    parts = [heading(title, width, MARGIN), *keys]
    for i, name in enumerate(names):
        y = top + cell * i
        for j, other in enumerate(names[:i]):
            found = known.get(frozenset((name, other))) or Residual(other, name, None)
            parts.append(_cell(MARGIN + cell * j, y, cell, found, most))
        shown = fit(name, NAME_ROOM, size, smallest=8.5)
        parts.append(svg.text(MARGIN + cell * i + 7, y + cell / 2 + 4, shown.lines[0], shown.size))
    height = top + cell * len(names) + MARGIN
    return svg.document(width, height, f"Residual correlations: {title}", parts)


def _keys(most: float, framed: bool) -> tuple[list[str], float, float]:
    """What colours and frames mean; also the width they take and where the cells begin."""
    parts, y = [], 50.0
    low, high = coefficient(-most), coefficient(most)
    parts.append(svg.text(MARGIN, y, "observed − implied", SMALL, fill=svg.NEUTRAL_INK))
    x = MARGIN + text_width("observed − implied", SMALL) + 10
    parts.append(svg.text(x, y, low, SMALL, fill=svg.NEUTRAL_INK))
    x += text_width(low, SMALL) + 5
    steps = 24
    for k in range(steps):
        share = (2 * (k + 0.5) / steps - 1) * most
        parts.append(svg.rect(x + 6 * k, y - 9, 6.3, 11, _colour(share, most)))
    x += 6 * steps + 5
    parts.append(svg.text(x, y, high, SMALL, fill=svg.NEUTRAL_INK))
    width = x + text_width(high, SMALL)
    if framed:
        y += 18
        parts.append(_frame(MARGIN, y - 9, 11))
        words = f"size of {LARGE:.2f} or more"
        parts.append(svg.text(MARGIN + 18, y, words, SMALL, fill=svg.NEUTRAL_INK))
    return parts, width, y + 6


def _colour(value: float, most: float) -> str:
    return svg.ramp_colour(abs(value) / most, svg.RAMP if value >= 0 else WARM)


def _frame(x: float, y: float, side: float) -> str:
    looks: dict[str, str | float | None] = {"x": x + 1, "y": y + 1, "width": side - 2, "height": side - 2}
    return svg.element("rect", {**looks, "fill": "none", "stroke": svg.INK, "stroke_width": 1.3})


def _cell(x: float, y: float, cell: float, found: Residual, most: float) -> str:
    pair = f"{found.first} with {found.second}"
    if found.value is None or math.isnan(found.value):
        return svg.titled(svg.rect(x + 0.5, y + 0.5, cell - 1, cell - 1, "#eceff1"), f"{pair}: unknown")
    value = found.value
    parts = [svg.rect(x + 0.5, y + 0.5, cell - 1, cell - 1, _colour(value, most))]
    if abs(value) >= LARGE:
        parts.append(_frame(x, y, cell))
    if cell >= NUMBER_AT:
        ink = svg.PAPER if abs(value) / most > LIGHT_INK_AT else svg.INK
        digits = round(min(10.5, cell * 0.3), 1)
        middle = (x + cell / 2, y + cell / 2 + 3.6)
        parts.append(svg.text(*middle, _short(value), digits, anchor="middle", fill=ink))
    told = f"{pair}: {exact(value)}"
    if found.z is not None:
        told += f"\nz = {exact(found.z)}"
    return svg.titled("".join(parts), told)


def _short(value: float) -> str:
    """Two decimals without the zero in front: −.07, as correlation matrices print.

    >>> _short(-0.071), _short(0.001), _short(-0.001)
    ('−.07', '0', '0')
    """
    text = f"{abs(value):.2f}"
    if float(text) == 0:
        return "0"
    return (MINUS if value < 0 else "") + text.removeprefix("0")
