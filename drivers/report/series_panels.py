"""Means over years, a panel per stratum: the years as points, and the line of the Theil-Sen slope."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from drivers.report import svg
from drivers.report.axes import heading, left_ticks, line, mark, scale_of
from drivers.report.class_bars import short_labels
from drivers.report.lettering import fit, text_width

MARGIN = 14.0
COLUMNS = 3
WIDE, TALL = 256.0, 178.0
PLOT = 92.0
TICKS_ROOM = 46.0
AIR = 0.06
"""Of the span, above and below the points."""


@dataclass(frozen=True, slots=True)
class Panel:
    """The series of one stratum.

    Attributes
    ----------
    stratum : as the tables name it
    years : all years of the series
    means : of each year, None where there is none
    slope, intercept : of the line; None without one
    words : slope, Z and p
    sure : whether the line has the colour of its direction
    told : the tooltip
    """

    stratum: str
    years: Sequence[float]
    means: Sequence[float | None]
    slope: float | None
    intercept: float | None
    words: str
    sure: bool
    told: str

    @property
    def line(self) -> tuple[float, float] | None:
        """Heights of the line in the first and the last year."""
        if self.slope is None or self.intercept is None or not self.years:
            return None
        return (self.intercept + self.slope * self.years[0], self.intercept + self.slope * self.years[-1])

    @property
    def heights(self) -> list[float]:
        """All that the panel must hold."""
        return [m for m in self.means if m is not None] + list(self.line or ())


def span_of(panels: Sequence[Panel]) -> float:
    """The span of values that every panel has: that of the widest."""
    found = [max(p.heights) - min(p.heights) for p in panels if p.heights]
    return max(found, default=0.0) * (1 + 2 * AIR)


def series_panels(panels: Sequence[Panel], *, title: str, caption: str, span: float) -> str:
    """Panels of the same span, each about its own level, so that slopes can be compared by eye."""
    columns = min(COLUMNS, max(len(panels), 1))
    rows = -(-len(panels) // columns)
    width = max(2 * MARGIN + WIDE * columns, 420.0)
    said = fit(caption, width - 2 * MARGIN, 10.5, smallest=8.0)
    family, labels = short_labels([panel.stratum for panel in panels])
    parts = [
        heading(f"{title}, by {family}" if family else title, width, MARGIN),
        svg.text(MARGIN, 42, said.lines[0], said.size, fill=svg.NEUTRAL_INK),
    ]
    for k, panel in enumerate(panels):
        x, y = MARGIN + WIDE * (k % columns), 54.0 + TALL * (k // columns)
        parts.append(svg.titled("".join(_panel(panel, labels[panel.stratum], x, y, span)), panel.told))
    return svg.document(width, 54.0 + TALL * rows + 4, f"Means over years: {title}", parts)


def _panel(panel: Panel, label: str, x: float, y: float, span: float) -> list[str]:
    room = WIDE - 14
    name = fit(label, room, 11.5, smallest=8.5, bold=True)
    said = fit(panel.words, room, 10.5, smallest=8.0)
    parts = [
        svg.text(x, y + 12, name.lines[0], name.size, bold=True),
        svg.text(x, y + 27, said.lines[0], said.size, fill=svg.NEUTRAL_INK),
    ]
    top, left = y + 36, x + TICKS_ROOM
    length = room - TICKS_ROOM
    if not panel.heights:
        return [*parts, svg.text(left, top + PLOT / 2, "no values", 10.5, fill=svg.NEUTRAL_INK)]
    middle = (max(panel.heights) + min(panel.heights)) / 2
    half = span / 2 or abs(middle) / 2 or 0.5
    scale = scale_of([middle - half, middle + half], 4, tight=True)
    parts += left_ticks(scale, left, top, PLOT, left + length)
    if scale.factor:
        parts.append(svg.text(x, top + PLOT + 14, scale.factor.strip(), 9.0, fill=svg.NEUTRAL_INK))
    first, last = float(panel.years[0]), float(panel.years[-1])

    def across(year: float) -> float:
        return left + 6 + (length - 12) * ((year - first) / (last - first) if last > first else 0.5)

    def up(value: float) -> float:
        return top + PLOT - scale.at(value, 0.0, PLOT)

    parts.append(line(left, top + PLOT, left + length, top + PLOT, svg.NEUTRAL, 0.8))
    parts += _year_ticks(panel.years, across, top + PLOT, left + length)
    path, pen = "", "M"
    for year, mean in zip(panel.years, panel.means, strict=True):
        if mean is None:
            pen = "M"
            continue
        path += f"{pen}{svg.short(across(year))} {svg.short(up(mean))}"
        pen = "L"
    parts.append(svg.element("path", {"d": path, "fill": "none", "stroke": svg.NEUTRAL, "stroke_width": 1.0}))
    if (ends := panel.line) is not None:
        colour = (svg.POSITIVE if ends[1] > ends[0] else svg.NEGATIVE) if panel.sure else svg.NEUTRAL_INK
        dash = None if panel.sure else "5 3"
        parts.append(line(across(first), up(ends[0]), across(last), up(ends[1]), colour, 2.0, dash))
    for year, mean in zip(panel.years, panel.means, strict=True):
        if mean is not None:
            parts.append(mark("circle", across(year), up(mean), 2.1, fill=svg.PLAIN))
    return parts


def _year_ticks(years: Sequence[float], across: object, y: float, right: float) -> list[str]:
    """First and last year, and round ones between them that do not touch."""
    assert callable(across)
    first, last = int(years[0]), int(years[-1])
    between = [int(t) for t in scale_of([first, last], 4).ticks if float(t).is_integer() and first < t < last]
    parts: list[str] = []
    ends: list[tuple[float, float]] = []
    for year in dict.fromkeys([first, last, *between]):
        at, half = across(float(year)), text_width(str(year), 9.5) / 2
        low = min(max(at - half, 0.0), right - 2 * half + 6)
        if any(low < b + 6 and low + 2 * half > a - 6 for a, b in ends):
            continue
        ends.append((low, low + 2 * half))
        parts.append(line(at, y, at, y + 3.5, svg.NEUTRAL))
        parts.append(svg.text(low, y + 14, str(year), 9.5, fill=svg.NEUTRAL_INK))
    return parts
