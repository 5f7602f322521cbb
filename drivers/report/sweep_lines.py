"""Slopes as the cut on the response moves: a small panel per path, plain beside truncated regression."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from drivers.report import svg
from drivers.report.axes import (
    SMALL,
    Key,
    Scale,
    bottom_ticks,
    heading,
    left_ticks,
    legend,
    line,
    mark,
    scale_of,
)
from drivers.report.lettering import fit
from drivers.report.numbers import exact

MARGIN = 14.0
WIDTH, COLUMNS, GAP, AXIS_ROOM = 760.0, 3, 16.0, 46.0
PANEL, TITLE_ROOM, TICK_ROOM = 92.0, 24.0, 30.0
FAR = 4.0
"""A truncated slope further out than so many times the largest plain one is cut off its panel."""

Points = tuple[tuple[float, float], ...]
"""(threshold, slope)"""


@dataclass(frozen=True, slots=True)
class SweepPanel:
    """The slopes of one path on one side of the threshold."""

    title: str
    plain: Points
    truncated: Points


def sweep_lines(panels: Sequence[SweepPanel], *, title: str, caption: str) -> str:
    """Small multiples: the threshold to the right, the slope upwards, a scale of slopes for each path.

    The same input gives the same bytes.
    """
    keys = [Key("plain slope", lambda x, y: _sample(x, y, truncated=False), 34.0)]
    if any(panel.truncated for panel in panels):
        words = "slope of truncated regression, which allows for the cut"
        keys.append(Key(words, lambda x, y: _sample(x, y, truncated=True), 34.0))
    drawn, y = legend(keys, MARGIN, 48.0, WIDTH - 2 * MARGIN)
    across = scale_of([x for p in panels for x, _ in (*p.plain, *p.truncated)], 5, tight=True)
    wide = (WIDTH - 2 * MARGIN - AXIS_ROOM * COLUMNS - GAP * (COLUMNS - 1)) / COLUMNS
    pitch = TITLE_ROOM + PANEL + TICK_ROOM
    parts = [heading(title, WIDTH, MARGIN), *drawn]
    for k, panel in enumerate(panels):
        row, column = divmod(k, COLUMNS)
        left = MARGIN + AXIS_ROOM + column * (wide + AXIS_ROOM + GAP)
        parts.append(_panel(panel, (left, y + 10 + row * pitch + TITLE_ROOM, wide), across))
    bottom = y + 10 + -(-len(panels) // COLUMNS) * pitch
    said = fit(caption + across.factor, WIDTH - 2 * MARGIN, SMALL, smallest=8.0)
    parts.append(svg.text(MARGIN, bottom + 8, said.lines[0], said.size, fill=svg.NEUTRAL_INK))
    return svg.document(WIDTH, bottom + 8 + MARGIN, f"Slopes by threshold: {title}", parts)


def _panel(panel: SweepPanel, place: tuple[float, float, float], across: Scale) -> str:
    left, top, wide = place
    reach = FAR * max([1e-12, *(abs(v) for _, v in panel.plain)])
    kept = [v for _, v in (*panel.plain, *panel.truncated) if abs(v) <= reach]
    scale = scale_of([0.0, *kept], 4)

    def x(value: float) -> float:
        return across.at(value, left + 4, wide - 8)

    def y(value: float) -> float:
        return top + PANEL - scale.at(value, 0.0, PANEL)

    words = fit(panel.title + scale.factor, wide, 11.0, smallest=8.0, bold=True)
    parts = [svg.text(left, top - 9, words.lines[0], words.size, bold=True)]
    parts += left_ticks(scale, left, top, PANEL, left + wide)
    parts.append(line(left, y(0.0), left + wide, y(0.0), svg.NEUTRAL, 1.0))
    parts += bottom_ticks(across, left + 4, wide - 8, top + PANEL)
    inside = tuple(point for point in panel.truncated if abs(point[1]) <= reach)
    parts.append(_line(inside, x, y, truncated=True))
    parts.append(_line(panel.plain, x, y, truncated=False))
    told = [panel.title]
    told += [f"threshold {exact(t)}: plain {exact(v)}" for t, v in panel.plain]
    told += [f"threshold {exact(t)}: truncated {exact(v)}" for t, v in panel.truncated]
    return svg.titled("".join(parts), "\n".join(told))


def _line(
    points: Points, x: Callable[[float], float], y: Callable[[float], float], *, truncated: bool
) -> str:
    if not points:
        return ""
    colour = svg.LEVEL_COLOURS[1] if truncated else svg.LEVEL_COLOURS[0]
    shape = "diamond" if truncated else "circle"
    d = "".join(f"{'L' if k else 'M'}{svg.short(x(t))} {svg.short(y(v))}" for k, (t, v) in enumerate(points))
    looks: dict[str, str | float | None] = {"d": d, "stroke": colour, "stroke_width": 1.6, "fill": "none"}
    drawn = svg.element("path", {**looks, "stroke_dasharray": "5 3" if truncated else None})
    return drawn + "".join(
        mark(shape, x(t), y(v), 2.6, fill=colour, stroke=svg.PAPER, width=0.6) for t, v in points
    )


def _sample(x: float, y: float, *, truncated: bool) -> str:
    return _line(((x + 3, y), (x + 15, y), (x + 27, y)), float, float, truncated=truncated)
