"""The figures of boosted trees: bars of shares, dependence curves, a triangle of H, strata side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    swatch,
    upright,
)
from drivers.report.brt_wording import MEASURES, SAID, ShareRow, leading, share_rows
from drivers.report.geodetector_figures import PLAIN, paged
from drivers.report.geodetector_rows import finite, response_caption, response_name, units, with_unit
from drivers.report.interaction_triangle import LIGHT_INK_AT, MISSING_PAIR, ramp_colour
from drivers.report.lettering import fit, text_width
from drivers.report.numbers import coefficient, exact, percent, stratum_label
from drivers.report.run_tables import Row, RunTables, text

DRIVERS, GROUPS, H, LEVELS = "influence.svg", "influence-groups.svg", "h-interactions.svg", "curve-levels.svg"
STRATA = "influence-strata.svg"
CURVES = "curves"
"""Stem: more panels than a page holds make a second figure, `curves-2.svg`."""
MARGIN = 14.0
SIZE = 12.0


def stratum_figures(run: RunTables, model: str, stratum: str) -> dict[str, str]:
    """The figures of one stratum, in the order of the page; what its tables do not hold is left out."""
    rows = share_rows(run, model, stratum)
    colours = tints(run, model)
    where = stratum_label(stratum)
    found = {}
    for name, shown, what in (
        (DRIVERS, rows, "drivers"),
        (GROUPS, share_rows(run, model, stratum, groups=True), "groups"),
    ):
        if any(r.shares for r in shown):
            found[name] = share_bars(shown, title=f"Influence of the {what} — {where}", colours=colours)
    found |= _curves(run, model, stratum, rows, colours)
    pairs = run.rows("tree_interactions", model=model, stratum=stratum)
    if drivers := _crossed(run, pairs, rows):
        found[H] = h_triangle(drivers, pairs, title=f"Interactions — {where}", colours=colours)
    return found


def overview_figures(run: RunTables, model: str) -> dict[str, str]:
    """The strata side by side, where there are at least two."""
    columns = {s: rows for s in run.fitted(model) if (rows := share_rows(run, model, s))}
    if len(columns) < 2:
        return {}
    title = "Influence of the drivers, strata side by side"
    return {STRATA: strata_shares(columns, across(columns), title=title, colours=tints(run, model))}


def tints(run: RunTables, model: str) -> dict[str, str]:
    """The colours of the page for the groups of a study."""
    own = [text(r.get("group")) for r in run.rows("importance", model=model)]
    return svg.group_colours([g for g in (*run.groups.values(), *own) if g])


def across(columns: Mapping[str, Sequence[ShareRow]]) -> list[ShareRow]:
    """The drivers of all strata, each once, from the largest mean share to the smallest."""
    firsts: dict[str, ShareRow] = {}
    values: dict[str, list[float]] = {}
    for rows in columns.values():
        lead = leading(rows)
        for row in rows:
            firsts.setdefault(row.name, row)
            values.setdefault(row.name, []).extend([row.shares[lead]] if lead in row.shares else [])
    means = {name: sum(found) / len(found) if found else -1.0 for name, found in values.items()}
    return sorted(firsts.values(), key=lambda row: -means[row.name])


# Bars of shares

ROW, BAR, PLOT = 23.0, 12.0, 240.0
BAR_NAMES, VALUE_ROOM = 150.0, 54.0
MARKED = {"shap": "diamond", "shapley": "circle"}
"""Measures that a bar shows beside its own, and their marks."""


def share_bars(rows: Sequence[ShareRow], *, title: str, colours: Mapping[str, str]) -> str:
    """Horizontal bars from the largest share to the smallest, in the colour of the group.

    A whisker is the spread, a diamond the share by SHAP, a circle that by Shapley values of groups.
    """
    lead = leading(rows)
    marks = [m for m in MARKED if m != lead and any(m in r.shares for r in rows)]
    ends = [v for r in rows for m in (lead, *marks) if (v := r.shares.get(m)) is not None]
    ends += [r.shares.get(lead, 0.0) + (r.spread or 0.0) for r in rows]
    scale = scale_of([0.0, *(100 * v for v in ends)], 4)
    names = max((text_width(r.name, SIZE) for r in rows), default=0.0)
    left = MARGIN + min(max(names + 12.0, 70.0), BAR_NAMES)
    width = left + PLOT + VALUE_ROOM + MARGIN
    present = {r.group for r in rows} if any(r.group != r.name for r in rows) else set()
    keys = [Key(g, swatch(colours[g])) for g in colours if g in present]
    keys += [Key(f"share by {SAID[m]}", lambda x, y, m=m: _other(m, x + 6, y), 16.0) for m in marks]  # type: ignore[misc]
    if any(r.spread is not None for r in rows):
        keys.append(Key("spread over folds", lambda x, y: _whisker(x, x + 20, y), 26.0))
    drawn, y = legend(keys, MARGIN, 48.0, width - 2 * MARGIN) if keys else ([], 34.0)
    top = y + 18.0
    bottom = top + ROW * len(rows)
    parts = [heading(title, width, MARGIN), *drawn]
    for tick in scale.ticks:
        x = scale.at(tick, left, PLOT)
        parts.append(line(x, top - 3, x, bottom, svg.RULE if tick else svg.NEUTRAL_INK, 0.8 if tick else 1.2))
    parts += bottom_ticks(scale, left, PLOT, bottom)
    for k, row in enumerate(rows):
        parts.append(_bar_row(row, lead, marks, (left, top + ROW * (k + 0.5), scale), colours))
    caption = fit(f"share of {SAID[lead]} (%)", width - 2 * MARGIN, SMALL)
    middle = left + PLOT / 2
    parts.append(
        svg.text(middle, bottom + 32, caption.lines[0], SMALL, anchor="middle", fill=svg.NEUTRAL_INK)
    )
    return svg.document(width, bottom + 32 + MARGIN, f"Bars of shares: {title}", parts)


def _bar_row(
    row: ShareRow,
    lead: str,
    marks: Sequence[str],
    place: tuple[float, float, Scale],
    colours: Mapping[str, str],
) -> str:
    left, middle, scale = place
    name = fit(row.name, left - MARGIN - 8, SIZE, smallest=8.5)
    parts = [svg.text(left - 8, middle + 4, name.lines[0], name.size, anchor="end")]
    share = row.shares.get(lead)
    zero = scale.at(0.0, left, PLOT)
    if share is not None:
        end = scale.at(100 * share, left, PLOT)
        tint = colours.get(row.group, PLAIN)
        parts.append(_rect(min(zero, end), middle - BAR / 2, abs(end - zero), BAR, tint))
        if row.spread is not None:
            low, high = (scale.at(100 * (share + s * row.spread), left, PLOT) for s in (-1, 1))
            parts.append(_whisker(low, high, middle))
    shown = percent(share)
    parts.append(svg.text(left + PLOT + VALUE_ROOM, middle + 4, shown, SIZE, anchor="end"))
    for measure in marks:
        if measure in row.shares:
            parts.append(_other(measure, scale.at(100 * row.shares[measure], left, PLOT), middle))
    told = [row.name + (f" ({row.group})" if row.group and row.group != row.name else "")]
    told += [f"{SAID[m]} {exact(row.shares[m])}" for m in MEASURES if m in row.shares]
    told += [f"spread {exact(row.spread)}"] if row.spread is not None else []
    return svg.titled("".join(parts), "\n".join(told))


def _rect(x: float, y: float, width: float, height: float, fill: str) -> str:
    return svg.element("rect", {"x": x, "y": y, "width": width, "height": height, "fill": fill})


def _whisker(a: float, b: float, y: float) -> str:
    """On white, so that it is seen on dark bars too."""
    return "".join(
        line(x, y - h, x2, y + h, colour, width)
        for colour, width in ((svg.PAPER, 3.0), (svg.INK, 1.2))
        for x, x2, h in ((a, b, 0.0), (a, a, 3.5), (b, b, 3.5))
    )


def _other(measure: str, x: float, y: float) -> str:
    if MARKED[measure] == "circle":
        return mark("circle", x, y, 3.8, fill=svg.PAPER, stroke=svg.INK, width=1.3)
    return mark(MARKED[measure], x, y, 3.8, fill=svg.INK, stroke=svg.PAPER, width=1.3)


# Curves

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


def _curves(
    run: RunTables, model: str, stratum: str, rows: Sequence[ShareRow], colours: Mapping[str, str]
) -> dict[str, str]:
    panels = curve_panels(run, model, stratum, rows, colours)
    if not panels:
        return {}
    heights = [v for p in panels for v in p.heights]
    low, high = min(heights), max(heights)
    pad = 0.05 * (high - low)
    scale = scale_of([low - pad, high + pad], 4, tight=True)
    family = ""
    for found in run.models:
        if found["name"] == model:
            family = text((found.get("options") or {}).get("family"))
    what = response_caption(run, model) if family == "gaussian" else response_name(run, model)
    caption = f"effect on {what}" + ("" if family == "gaussian" else ", link scale")
    where = stratum_label(stratum)
    numeric = [p for p in panels if not p.levels]
    drawn = paged(
        CURVES,
        numeric,
        lambda some: draw_curves(some, title=f"Dependence curves — {where}", caption=caption, scale=scale),
    )
    if levels := [p for p in panels if p.levels]:
        title = f"Dependence by level — {where}"
        drawn[LEVELS] = draw_levels(levels, title=title, caption=caption, scale=scale)
    return drawn


def curve_panels(
    run: RunTables, model: str, stratum: str, rows: Sequence[ShareRow], colours: Mapping[str, str]
) -> list[CurvePanel]:
    """The drivers that have curves, best first; those without a share last."""
    by_driver: dict[str, list[Row]] = {}
    for cells in run.rows("curves", model=model, stratum=stratum):
        if finite(cells.get("value")) is not None:
            by_driver.setdefault(text(cells.get("driver")), []).append(cells)
    known = {row.name: row for row in rows}
    lead, of = leading(rows), units(run)
    panels = []
    for name in [*(n for n in known if n in by_driver), *(n for n in by_driver if n not in known)]:
        mine = by_driver[name]
        row = known.get(name, ShareRow(name, text(mine[0].get("group"))))
        remark = percent(row.shares[lead]) if lead in row.shares else ""
        points: dict[str, list[tuple[float, float]]] = {}
        levels: dict[str, dict[str, float]] = {}
        for cells in mine:
            kind, x = text(cells.get("kind")), finite(cells.get("x"))
            value = finite(cells.get("value")) or 0.0
            if x is not None:
                points.setdefault(kind, []).append((x, value))
            elif text(cells.get("level")):
                levels.setdefault(kind, {})[text(cells.get("level"))] = value
        level_names = list(dict.fromkeys(n for found in levels.values() for n in found))
        whole, local = levels.get("partial", {}), levels.get("accumulated", {})
        partial = dict(zip(whole, _centred(list(whole.values())), strict=True))
        along = sorted(points.get("partial", []))
        heights = _centred([v for _, v in along])
        if not points and not level_names:
            continue
        panels.append(
            CurvePanel(
                with_unit(name, of),
                remark,
                colours.get(row.group, PLAIN),
                tuple((x, v) for (x, _), v in zip(along, heights, strict=True)),
                tuple(sorted(points.get("accumulated", []))),
                () if points else tuple((n, partial.get(n), local.get(n)) for n in level_names),
            )
        )
    return panels


def _centred(heights: Sequence[float]) -> list[float]:
    mean = sum(heights) / len(heights) if heights else 0.0
    return [value - mean for value in heights]


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


# The triangle of H

MATRIX, LARGEST, SMALLEST, NUMBER_AT = 600.0, 44.0, 15.0, 25.0
NAME_ROOM = 180.0


def _crossed(run: RunTables, pairs: Sequence[Row], rows: Sequence[ShareRow]) -> list[tuple[str, str]]:
    """(name, group) of the drivers that have an H, group by group in the order of the study."""
    named = dict.fromkeys(text(r.get(side)) for r in pairs for side in ("driver_a", "driver_b"))
    of = {**run.groups, **{row.name: row.group for row in rows}}
    groups, order = list(dict.fromkeys(of.values())), list(of)
    return sorted(
        ((name, of.get(name, "")) for name in named if name),
        key=lambda d: (groups.index(d[1]) if d[1] in groups else -1, order.index(d[0]) if d[0] in of else -1),
    )


def h_triangle(
    drivers: Sequence[tuple[str, str]], pairs: Sequence[Row], *, title: str, colours: Mapping[str, str]
) -> str:
    """A lower triangle: H of every pair as colour and number; a pair without H has a dash."""
    known = {frozenset((text(r.get("driver_a")), text(r.get("driver_b")))): r for r in pairs}
    cell = min(LARGEST, max(SMALLEST, MATRIX / max(len(drivers), 1)))
    values = [v for r in pairs if (v := finite(r.get("value"))) is not None]
    most = scale_of([0.0, *values]).high if values else 1.0
    size = 11.5 if cell >= 16 else 10.0
    names = max((text_width(name, size) for name, _ in drivers), default=0.0)
    width = max(MARGIN + cell * (len(drivers) - 1) + 24 + min(names, NAME_ROOM) + MARGIN, 420.0)
    words = "H, share of the joint effect that is interaction"
    x, y = MARGIN + text_width(words, SMALL) + 12, 50.0
    parts = [heading(title, width, MARGIN), svg.text(MARGIN, y, words, SMALL, fill=svg.NEUTRAL_INK)]
    parts.append(svg.text(x, y, "0", SMALL, fill=svg.NEUTRAL_INK))
    parts += [_rect(x + 11 + 5 * k, y - 9, 5.3, 11, ramp_colour((k + 0.5) / 20)) for k in range(20)]
    parts.append(svg.text(x + 117, y, f"{most:.2g}", SMALL, fill=svg.NEUTRAL_INK))
    top = y + 16
    for i, (name, group) in enumerate(drivers):
        middle = top + cell * (i + 0.5)
        for j, (other, _) in enumerate(drivers[:i]):
            row = known.get(frozenset((name, other)), {})
            parts.append(_h_cell((MARGIN + cell * j, top + cell * i), cell, f"{other} × {name}", row, most))
        start = MARGIN + cell * i + 7
        if group in colours:
            parts.append(_rect(start, middle - 4, 8, 8, colours[group]))
            start += 12
        shown = fit(name, NAME_ROOM, size, smallest=8.5)
        parts.append(svg.text(start, middle + 4, shown.lines[0], shown.size))
    return svg.document(width, top + cell * len(drivers) + MARGIN, f"Interactions: {title}", parts)


def _h_cell(place: tuple[float, float], cell: float, pair: str, row: Row, most: float) -> str:
    x, y = place
    h, strength = finite(row.get("value")), finite(row.get("strength"))
    share = max(h or 0.0, 0.0) / most
    parts = [_rect(x + 0.5, y + 0.5, cell - 1, cell - 1, MISSING_PAIR if h is None else ramp_colour(share))]
    if h is None or cell >= NUMBER_AT:
        ink = svg.NEUTRAL if h is None else svg.PAPER if share > LIGHT_INK_AT else svg.INK
        letters = round(min(11.0, cell * 0.34), 1)
        parts.append(
            svg.text(x + cell / 2, y + cell / 2 + 3.6, coefficient(h), letters, anchor="middle", fill=ink)
        )
    told = [pair, "no H" if h is None else f"H {exact(h)}"]
    told += [f"strength {exact(strength)}"] if strength is not None else []
    return svg.titled("".join(parts), "\n".join(told))


# Strata side by side

ALL_COLUMNS, WIDEST, NARROWEST = 640.0, 170.0, 54.0
STRATA_ROW, STRATA_BAR, NUMBER_FROM, NUMBER_ROOM = 18.0, 10.0, 96.0, 44.0


def strata_shares(
    columns: Mapping[str, Sequence[ShareRow]],
    order: Sequence[ShareRow],
    *,
    title: str,
    colours: Mapping[str, str],
) -> str:
    """One column of bars per stratum, the drivers of `order` as rows, one scale for all; a dash is none."""
    present = {row.group for row in order}
    names = max((text_width(row.name, 11.5) for row in order), default=0.0)
    left = MARGIN + min(max(names + 10, 70.0), BAR_NAMES)
    wide = min(WIDEST, max(NARROWEST, ALL_COLUMNS / max(len(columns), 1)))
    width = max(left + wide * len(columns) + MARGIN, 420.0)
    keys = [Key(g, swatch(colours[g])) for g in colours if g in present]
    drawn, y = legend(keys, MARGIN, 48.0, width - 2 * MARGIN) if keys else ([], 34.0)
    heads = {name: _stratum_lines(name) for name in columns}
    top = y + 20 + 12 * max(len(h) for h in heads.values())
    bottom = top + STRATA_ROW * len(order)
    leads = {name: leading(rows) for name, rows in columns.items()}
    shares = [100 * r.shares[leads[s]] for s, rows in columns.items() for r in rows if leads[s] in r.shares]
    scale = scale_of([0.0, *shares], 4)
    numbered = wide >= NUMBER_FROM
    length = wide - 10 - (NUMBER_ROOM if numbered else 0)
    parts = [heading(title, width, MARGIN), *drawn]
    for k, row in enumerate(order):
        middle = top + STRATA_ROW * (k + 0.5)
        if k % 2:
            parts.append(_rect(MARGIN, middle - STRATA_ROW / 2, width - 2 * MARGIN, STRATA_ROW, "#f5f7f8"))
        shown = fit(row.name, left - MARGIN - 8, 11.5, smallest=8.5)
        parts.append(svg.text(left - 8, middle + 4, shown.lines[0], shown.size, anchor="end"))
    for c, (stratum, rows) in enumerate(columns.items()):
        start = left + wide * c
        for k, (words, bold) in enumerate(reversed(heads[stratum])):
            head = fit(words, wide - 8, 11.0 if bold else 9.5, smallest=8.5, bold=bold)
            parts.append(svg.text(start, top - 8 - 12 * k, head.lines[0], head.size, bold=bold))
        for x, colour in ((start, svg.NEUTRAL_INK), (start + length, svg.RULE)):
            parts.append(line(x, top, x, bottom, colour, 0.9))
        parts.append(svg.text(start, bottom + 13, "0", 9.5, fill=svg.NEUTRAL_INK))
        end = scale.words(scale.high)
        parts.append(svg.text(start + length, bottom + 13, end, 9.5, anchor="end", fill=svg.NEUTRAL_INK))
        known = {row.name: row.shares.get(leads[stratum]) for row in rows}
        for k, row in enumerate(order):
            middle, share = top + STRATA_ROW * (k + 0.5), known.get(row.name)
            if share is None:
                bar = svg.text(start + 4, middle + 4, "–", SMALL, fill=svg.NEUTRAL)
            else:
                at = scale.at(100 * share, 0.0, length) - scale.at(0.0, 0.0, length)
                tint = colours.get(row.group, PLAIN)
                bar = _rect(start, middle - STRATA_BAR / 2, max(at, 0.0), STRATA_BAR, tint)
                if numbered:
                    words = percent(share)
                    bar += svg.text(start + length + 4, middle + 3.6, words, 10.0, fill=svg.NEUTRAL_INK)
            parts.append(svg.titled(bar, f"{row.name}, {stratum}\nshare {exact(share)}"))
    parts.append(svg.text(left - 8, bottom + 13, "share (%)", SMALL, anchor="end", fill=svg.NEUTRAL_INK))
    return svg.document(width, bottom + 13 + MARGIN, f"Strata side by side: {title}", parts)


def _stratum_lines(stratum: str) -> list[tuple[str, bool]]:
    """`balance=sink` as `balance` and, bold, `sink`."""
    if stratum == "all":
        return [("all pixels", True)]
    halves = (part.rpartition("=")[::2] for part in stratum.split(","))
    return [
        (words, bold) for ends in halves for words, bold in zip(ends, (False, True), strict=True) if words
    ]
