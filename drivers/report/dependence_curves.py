"""Dependence curves as small multiples, and categorical drivers level by level."""

from __future__ import annotations

from collections.abc import Sequence
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
    upright,
)
from drivers.report.lettering import fit, text_width
from drivers.report.numbers import exact
from drivers.report.svg import PLAIN

MARGIN = 14.0
SIZE = 12.0
WIDTH, COLUMNS, GAP, AXIS_ROOM = 760.0, 3, 22.0, 56.0
PANEL, TITLE_ROOM, TICK_ROOM = 100.0, 24.0, 26.0
LEVEL, LEVEL_ROOM = 15.0, 140.0
Points = tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class CurvePanel:
    """A driver: its title with unit, a remark (its share), its colour, and its curves or its levels.

    The heights of partial dependence are less their mean, so that they lie over the centred accumulated ones.
    """

    title: str
    remark: str
    colour: str
    partial: Points = ()
    accumulated: Points = ()
    levels: tuple[tuple[str, float | None, float | None], ...] = ()

    @property
    def heights(self) -> list[float]:
        """All heights of the panel."""
        found = [v for _, v in (*self.partial, *self.accumulated)]
        return found + [v for level in self.levels for v in level[1:] if v is not None]


def draw_curves(panels: Sequence[CurvePanel], *, title: str, caption: str, scale: Scale) -> str:
    """Small multiples on one scale of effects: partial dependence as a line, accumulated effects dashed."""
    drawn, y = legend(_curve_keys(panels), MARGIN, 48.0, WIDTH - 2 * MARGIN)
    wide = (WIDTH - 2 * MARGIN - AXIS_ROOM - GAP * (COLUMNS - 1)) / COLUMNS
    pitch = TITLE_ROOM + PANEL + TICK_ROOM
    parts = [heading(title, WIDTH, MARGIN), *drawn]
    for k, panel in enumerate(panels):
        row, column = divmod(k, COLUMNS)
        left, top = MARGIN + AXIS_ROOM + column * (wide + GAP), y + 8 + row * pitch + TITLE_ROOM
        if column == 0:
            parts.append(upright(caption + scale.factor, MARGIN + 10, top + PANEL / 2, pitch - 12))
            parts += left_ticks(scale, left, top, PANEL, left + wide)
        else:
            grid = (top + PANEL - scale.at(t, 0.0, PANEL) for t in scale.ticks)
            parts += [line(left, at, left + wide, at, svg.RULE, 0.7) for at in grid]
        if scale.low < 0 < scale.high:
            zero = top + PANEL - scale.at(0.0, 0.0, PANEL)
            parts.append(line(left, zero, left + wide, zero, svg.NEUTRAL, 0.9))
        parts.append(_curve_panel(panel, (left, top, wide), scale))
    rows = -(-len(panels) // COLUMNS)
    return svg.document(WIDTH, y + 8 + rows * pitch + MARGIN, f"Dependence curves: {title}", parts)


def _curve_keys(panels: Sequence[CurvePanel]) -> list[Key]:
    keys = []
    if any(p.partial for p in panels):
        words = "partial dependence, less its mean"
        keys.append(Key(words, lambda x, y: line(x, y, x + 22, y, PLAIN, 2.0), 28.0))
    if any(p.accumulated for p in panels):
        keys.append(
            Key("accumulated local effect", lambda x, y: line(x, y, x + 22, y, svg.INK, 1.3, "5 3"), 28.0)
        )
    return keys


def _panel_head(panel: CurvePanel, left: float, y: float, wide: float) -> list[str]:
    name = fit(panel.title, wide - text_width(panel.remark, SMALL) - 8, SIZE, smallest=8.5, bold=True)
    return [
        svg.text(left, y, name.lines[0], name.size, bold=True),
        svg.text(left + wide, y, panel.remark, SMALL, anchor="end", fill=svg.NEUTRAL_INK),
    ]


def _curve_panel(panel: CurvePanel, place: tuple[float, float, float], scale: Scale) -> str:
    left, top, wide = place
    bottom = top + PANEL
    driver = scale_of([x for x, _ in (*panel.partial, *panel.accumulated)], 4, tight=True)
    parts = _panel_head(panel, left, top - 8, wide)
    for words, points, colour, width, dash in (
        ("partial dependence", panel.partial, panel.colour, 2.0, None),
        ("accumulated local effect", panel.accumulated, svg.INK, 1.3, "5 3"),
    ):
        at = [(driver.at(x, left, wide), bottom - scale.at(v, 0.0, PANEL)) for x, v in points]
        told = "\n".join([f"{panel.title}: {words}", *(f"{exact(x)}: {exact(v)}" for x, v in points)])
        if len(at) == 1:
            parts.append(svg.titled(mark("circle", *at[0], 3.0, fill=colour), told))
        elif at:
            d = "M" + "L".join(f"{svg.short(x)} {svg.short(v)}" for x, v in at)
            looks: dict[str, str | float | None] = {"d": d, "stroke": colour, "stroke_width": width}
            drawn = svg.element("path", {**looks, "stroke_dasharray": dash, "fill": "none"})
            parts.append(svg.titled(drawn, told))
    parts.append(line(left, bottom, left + wide, bottom, svg.NEUTRAL, 1.0))
    parts += bottom_ticks(driver, left, wide, bottom)
    if driver.factor:
        words = driver.factor.strip()
        parts.append(svg.text(left + wide, bottom + 24.5, words, 9.0, anchor="end", fill=svg.NEUTRAL_INK))
    return "".join(parts)


def draw_levels(panels: Sequence[CurvePanel], *, title: str, caption: str, scale: Scale) -> str:
    """Categorical drivers: a row for each level, partial dependence as a dot, accumulated as a ring."""
    keys = []
    if any(level[1] is not None for p in panels for level in p.levels):
        words = "partial dependence, less its mean"
        keys.append(Key(words, lambda x, y: mark("circle", x + 5, y, 3.4, fill=PLAIN), 16.0))
    if any(level[2] is not None for p in panels for level in p.levels):
        keys.append(Key("accumulated local effect", lambda x, y: _ring(x + 5, y), 16.0))
    drawn, y = legend(keys, MARGIN, 48.0, WIDTH - 2 * MARGIN)
    y += 8.0
    wide = (WIDTH - 2 * MARGIN - GAP) / 2
    parts = [heading(title, WIDTH, MARGIN), *drawn]
    for start in range(0, len(panels), 2):
        band = panels[start : start + 2]
        for column, panel in enumerate(band):
            place = (MARGIN + column * (wide + GAP), y + TITLE_ROOM, wide)
            parts.append(_level_panel(panel, place, caption, scale))
        y += TITLE_ROOM + LEVEL * max(len(p.levels) for p in band) + TICK_ROOM + 20.0
    return svg.document(WIDTH, y + MARGIN, f"Dependence by level: {title}", parts)


def _ring(x: float, y: float) -> str:
    return mark("circle", x, y, 4.2, fill="none", stroke=svg.INK, width=1.2)


def _level_panel(panel: CurvePanel, place: tuple[float, float, float], caption: str, scale: Scale) -> str:
    left, top, wide = place
    start, length = left + LEVEL_ROOM, wide - LEVEL_ROOM - 8
    bottom = top + LEVEL * len(panel.levels)
    parts = _panel_head(panel, left, top - 8, wide)
    grid = ((scale.at(t, start, length), t) for t in scale.ticks)
    parts += [line(x, top - 2, x, bottom, svg.RULE if t else svg.NEUTRAL, 0.8) for x, t in grid]
    order = sorted(panel.levels, key=lambda found: -next((v for v in found[1:] if v is not None), 0.0))
    for k, (level, partial, local) in enumerate(order):
        middle = top + LEVEL * (k + 0.5)
        name = fit(level, LEVEL_ROOM - 8, SMALL, smallest=8.0)
        dots = [svg.text(start - 8, middle + 3.6, name.lines[0], name.size, anchor="end")]
        told = [f"{panel.title}: {level}"]
        if partial is not None:
            dots.append(mark("circle", scale.at(partial, start, length), middle, 3.4, fill=panel.colour))
            told.append(f"partial dependence {exact(partial)}")
        if local is not None:
            dots.append(_ring(scale.at(local, start, length), middle))
            told.append(f"accumulated local effect {exact(local)}")
        parts.append(svg.titled("".join(dots), "\n".join(told)))
    parts.append(line(start, bottom, start + length, bottom, svg.NEUTRAL, 1.0))
    parts += bottom_ticks(scale, start, length, bottom)
    said = fit(caption + scale.factor, wide, SMALL, smallest=8.0)
    middle = start + length - min(length, text_width(said.lines[0], said.size)) / 2
    parts.append(
        svg.text(middle, bottom + 28, said.lines[0], said.size, anchor="middle", fill=svg.NEUTRAL_INK)
    )
    return "".join(parts)
