"""The figures of boosted trees: from the rows of their tables to what each figure draws."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from drivers.report import svg
from drivers.report.axes import scale_of
from drivers.report.beeswarm import Swarm, beeswarm, quantiles
from drivers.report.brt_rows import PairRow, ShareRow, leading, pair_rows, share_rows
from drivers.report.dependence_curves import CurvePanel, draw_curves, draw_levels
from drivers.report.geodetector_figures import paged
from drivers.report.geodetector_rows import finite, response_caption, response_name, units, with_unit
from drivers.report.interaction_triangle import Pair, Wording, interaction_triangle
from drivers.report.numbers import exact, percent, stratum_label
from drivers.report.run_tables import Row, RunTables, text
from drivers.report.share_bars import share_bars
from drivers.report.strata_bars import Bar, strata_bars
from drivers.report.svg import PLAIN

DRIVERS, GROUPS, H, LEVELS = "influence.svg", "influence-groups.svg", "h-interactions.svg", "curve-levels.svg"
STRATA, SWARM = "influence-strata.svg", "shap.svg"
SWARMS = 15
"""Drivers of the beeswarm, largest mean |SHAP| first."""
DOTS = 300
"""Pixels of the beeswarm: more cover each other, and every one is bytes on the page."""
FRIEDMAN = Wording("H, share of the joint effect that is interaction", "no H")
CURVES = "curves"
"""Stem: more panels than a page holds make a second figure, `curves-2.svg`."""


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
    if swarms := swarm_rows(run, model, stratum, rows):
        caption = f"SHAP value: what the driver adds to a prediction{_in_units(run, model)}"
        found[SWARM] = beeswarm(swarms[:SWARMS], title=f"SHAP values — {where}", caption=caption)
    found |= _curves(run, model, stratum, rows, colours)
    pairs = [p for p in pair_rows(run, model, stratum) if p.h is not None]
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


def swarm_rows(run: RunTables, model: str, stratum: str, rows: Sequence[ShareRow]) -> list[Swarm]:
    """The drivers with SHAP values, the largest mean |SHAP| first: that of importance.csv, of more pixels."""
    by_driver: dict[str, list[Row]] = {}
    for cells in run.rows("shap_values", model=model, stratum=stratum):
        if finite(cells.get("value")) is not None:
            by_driver.setdefault(text(cells.get("driver")), []).append(cells)
    sizes = {name: _mean_size(mine) for name, mine in by_driver.items()}
    known = {row.name: row.values["shap"] for row in rows if "shap" in row.values}
    if set(sizes) <= set(known):
        sizes |= {name: known[name] for name in sizes}
    found = [Swarm(name, sizes[name], tuple(_dots(_thinned(mine)))) for name, mine in by_driver.items()]
    return sorted(found, key=lambda swarm: -swarm.size)


def _mean_size(rows: Sequence[Row]) -> float:
    return sum(abs(finite(cells.get("value")) or 0.0) for cells in rows) / len(rows)


def _thinned(rows: Sequence[Row]) -> list[Row]:
    """At most `DOTS` pixels, evenly over the table and the same ones for every driver."""
    ordered = sorted(rows, key=lambda cells: finite(cells.get("pixel")) or 0.0)
    many = min(len(ordered), DOTS)
    return [ordered[k * len(ordered) // many] for k in range(many)]


def _dots(rows: Sequence[Row]) -> list[tuple[float, float | str | None]]:
    known = [x for cells in rows if (x := finite(cells.get("x"))) is not None]
    height = dict(zip(known, quantiles(known), strict=True))
    found: list[tuple[float, float | str | None]] = []
    for cells in rows:
        x = finite(cells.get("x"))
        at = (text(cells.get("level")) or None) if x is None else height[x]
        found.append((finite(cells.get("value")) or 0.0, at))
    return found


def _in_units(run: RunTables, model: str) -> str:
    """The unit of a gaussian response; what other families add up is on the link scale."""
    family = next(
        (text((m.get("options") or {}).get("family")) for m in run.models if m["name"] == model), ""
    )
    if family != "gaussian":
        return ", link scale"
    name = response_name(run, model)
    return response_caption(run, model).removeprefix(name)


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
    caption = f"effect on {response_name(run, model)}{_in_units(run, model)}"
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


def _crossed(run: RunTables, pairs: Sequence[PairRow], rows: Sequence[ShareRow]) -> list[tuple[str, str]]:
    """(name, group) of the drivers that have an H, group by group in the order of the study."""
    named = dict.fromkeys(name for p in pairs for name in (p.first, p.second))
    of = {**run.groups, **{row.name: row.group for row in rows}}
    groups, order = list(dict.fromkeys(of.values())), list(of)
    return sorted(
        ((name, of.get(name, "")) for name in named if name),
        key=lambda d: (groups.index(d[1]) if d[1] in groups else -1, order.index(d[0]) if d[0] in of else -1),
    )


def h_triangle(
    drivers: Sequence[tuple[str, str]], pairs: Sequence[PairRow], *, title: str, colours: Mapping[str, str]
) -> str:
    """The triangle of Friedman's H; a pair without H has a dash."""
    cells = []
    for p in pairs:
        told = [p.name, FRIEDMAN.missing if p.h is None else f"H {exact(p.h)}"]
        told += [f"strength {exact(p.strength)}"] if p.strength is not None else []
        told += [f"SHAP {exact(p.shap)}"] if p.shap is not None else []
        cells.append(Pair(p.first, p.second, p.h, told="\n".join(told)))
    return interaction_triangle(drivers, cells, FRIEDMAN, title=title, colours=colours)


def strata_shares(
    columns: Mapping[str, Sequence[ShareRow]],
    order: Sequence[ShareRow],
    *,
    title: str,
    colours: Mapping[str, str],
) -> str:
    """Shares by stratum, in per cent."""
    bars = {}
    for stratum, rows in columns.items():
        lead = leading(rows)
        bars[stratum] = {
            r.name: Bar(100 * share, percent(share), f"{r.name}, {stratum}\nshare {exact(share)}")
            for r in rows
            if (share := r.shares.get(lead)) is not None
        }
    drivers = [(row.name, row.group) for row in order]
    return strata_bars(bars, drivers, title=title, caption="share (%)", colours=colours)
