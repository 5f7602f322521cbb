"""The figures of a geodetector: from the rows of its tables to what each figure draws."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

from drivers.report.candidate_panels import Candidate, CandidatePanel, candidate_panels
from drivers.report.geodetector_rows import (
    NOT_SIGNIFICANT,
    FactorRow,
    by_group,
    factor_rows,
    finite,
    group_rows,
    response_caption,
    response_name,
    star_mark,
    units,
    with_unit,
)
from drivers.report.geodetector_wording import q_text
from drivers.report.interaction_triangle import Pair, Wording, interaction_triangle
from drivers.report.numbers import exact, number, stratum_label
from drivers.report.q_bars import q_bars
from drivers.report.q_lines import QLine, q_lines
from drivers.report.risk_panels import (
    RiskClass,
    RiskPanel,
    class_panels,
    level_panels,
    response_scale,
)
from drivers.report.run_tables import Row, RunTables, first, text, truth
from drivers.report.strata_bars import Bar, strata_bars
from drivers.report.svg import PLAIN, group_colours

DRIVERS, GROUPS, INTERACTION = "q-drivers.svg", "q-groups.svg", "interaction.svg"
LEVELS, SCALES, YEARS, STRATA = "risk-levels.svg", "scales.svg", "years.svg", "q-strata.svg"
CLASSES, CANDIDATES = "risk-classes", "candidates"
"""Stems: more panels than `PANELS` make a second figure, `risk-classes-2.svg`."""
PANELS = 12
"""Panels of one figure: what a printed page holds."""
Panel = TypeVar("Panel")
CROSSED = Wording(
    "q of the crossed classes (diagonal: own q)",
    "no q",
    {
        "Enhance, nonlinear": (("up", True), "enhance, nonlinear: above the sum of both q"),
        "Enhance, bi-": (("up", False), "enhance, bi-: above the larger q"),
        "Independent": (("bar", True), "independent: the sum of both q"),
        "Weaken, uni-": (("down", False), "weaken, uni-: between both q"),
        "Weaken, nonlinear": (("down", True), "weaken, nonlinear: below both q"),
    },
)
"""The kinds of interaction: up is more than the larger q, down is less; filled is beyond both together."""


def stratum_figures(run: RunTables, model: str, stratum: str) -> dict[str, str]:
    """The figures of one stratum, in the order of the page; what its tables do not hold is left out."""
    rows = factor_rows(run, model, stratum)
    if not rows:
        return {}
    colours = tints(run, rows)
    where = stratum_label(stratum)
    response = response_name(run, model)
    found = {
        DRIVERS: q_bars(
            rows, title=f"q of the drivers — {where}", caption=f"q: share of the variance of {response}",
            colours=colours,
        )
    }  # fmt: skip
    if groups := group_rows(run, model, stratum):
        found[GROUPS] = q_bars(
            groups, title=f"q of the groups — {where}",
            caption="q of the crossed classes of the two best drivers of a group",
            colours=colours, groups=True,
        )  # fmt: skip
    if pairs := _pairs(run, model, stratum):
        title = f"Interactions — {where}"
        found[INTERACTION] = q_triangle(by_group(run, rows), pairs, title=title, colours=colours)
    found |= _risk(run, model, stratum, rows)
    panels = _candidates(run, model, stratum, rows)
    found |= paged(CANDIDATES, panels, lambda some: candidate_panels(some, title=f"Candidates — {where}"))
    return found | _scales(run, model, stratum) | _years(run, model, stratum)


def overview_figures(run: RunTables, model: str) -> dict[str, str]:
    """The strata side by side, where there are at least two."""
    columns = {s: factor_rows(run, model, s) for s in run.fitted(model)}
    columns = {s: rows for s, rows in columns.items() if rows}
    if len(columns) < 2:
        return {}
    order = across(columns.values())
    colours = tints(run, order)
    title = "q of the drivers, strata side by side"
    return {STRATA: q_strata(columns, order, title=title, colours=colours)}


def across(columns: Iterable[Sequence[FactorRow]]) -> list[FactorRow]:
    """The drivers of all strata, each once, from the largest mean q to the smallest."""
    firsts: dict[str, FactorRow] = {}
    values: dict[str, list[float]] = {}
    for rows in columns:
        for row in rows:
            firsts.setdefault(row.name, row)
            values.setdefault(row.name, []).extend([] if row.q is None else [row.q])
    means = {name: sum(found) / len(found) if found else -1.0 for name, found in values.items()}
    return sorted(firsts.values(), key=lambda row: -means[row.name])


def tints(run: RunTables, rows: Sequence[FactorRow]) -> dict[str, str]:
    """The colours of the page for the groups of a study."""
    return group_colours([g for g in (*run.groups.values(), *(r.group for r in rows)) if g])


def paged(stem: str, panels: Sequence[Panel], draw: Callable[[Sequence[Panel]], str]) -> dict[str, str]:
    """One figure for every `PANELS` panels: `stem.svg`, `stem-2.svg` and so on."""
    starts = range(0, len(panels), PANELS)
    return {
        f"{stem}-{k + 1}.svg" if k else f"{stem}.svg": draw(panels[start : start + PANELS])
        for k, start in enumerate(starts)
    }


def _pairs(run: RunTables, model: str, stratum: str) -> list[Pair]:
    found = []
    for row in run.rows("q_interaction", model=model, stratum=stratum):
        a, b, kind = (text(row.get(name)) for name in ("driver_a", "driver_b", "type"))
        told = [f"{a} × {b}", f"q {exact(row.get('q_ab'))}", f"{a} {exact(row.get('q_a'))}"]
        told += [f"{b} {exact(row.get('q_b'))}", kind]
        found.append(Pair(a, b, finite(row.get("q_ab")), kind, "\n".join(t for t in told if t)))
    return found


def q_triangle(
    rows: Sequence[FactorRow], pairs: Sequence[Pair], *, title: str, colours: Mapping[str, str]
) -> str:
    """The triangle of the interaction detector, each driver's own q on the diagonal."""
    own = [Pair(r.name, r.name, r.q, told=f"{r.name}\nq {exact(r.q)}") for r in rows]
    drivers = [(r.name, r.group) for r in rows]
    return interaction_triangle(drivers, [*own, *pairs], CROSSED, title=title, colours=colours)


def q_strata(
    columns: Mapping[str, Sequence[FactorRow]],
    order: Sequence[FactorRow],
    *,
    title: str,
    colours: Mapping[str, str],
) -> str:
    """q by stratum: solid bars are significant, pale ones are not."""
    bars = {s: {r.name: _bar(r, s) for r in rows if r.q is not None} for s, rows in columns.items()}
    return strata_bars(
        bars, [(row.name, row.group) for row in order],
        title=title, caption="q", colours=colours, solid="p < 0.05", pale="ns",
    )  # fmt: skip


def _bar(row: FactorRow, stratum: str) -> Bar:
    stars = star_mark(row.p)
    shown = q_text(row.q) + ("" if stars == NOT_SIGNIFICANT else stars)
    told = f"{row.name}, {stratum}\nq {exact(row.q)} {stars}".rstrip()
    return Bar(row.q or 0.0, shown, told, pale=stars == NOT_SIGNIFICANT)


def _risk(run: RunTables, model: str, stratum: str, rows: Sequence[FactorRow]) -> dict[str, str]:
    """Numeric drivers over their scales, and categorical ones by level; both on one scale of the response."""
    by_driver: dict[str, list[Row]] = {}
    for cells in run.rows("risk_means", model=model, stratum=stratum):
        by_driver.setdefault(text(cells.get("driver")), []).append(cells)
    colours, of = tints(run, rows), units(run)
    panels = []
    for row in rows:
        classes = tuple(c for r in by_driver.get(row.name, []) if (c := _risk_class(r)) is not None)
        if classes:
            remark = "" if row.q is None else f"q {q_text(row.q)} {star_mark(row.p)}".strip()
            colour = colours.get(row.group, PLAIN)
            panels.append(RiskPanel(with_unit(row.name, of), remark, colour, classes))
    if not panels:
        return {}
    whole = finite(first(run.rows("strata", stratum=stratum)).get("mean"))
    whole = whole if response_name(run, model) == run.response else None
    scale = response_scale(panels, whole)
    caption, where = response_caption(run, model), stratum_label(stratum)
    title = f"Mean {caption} by class — {where}"
    numeric = [p for p in panels if p.numeric]
    found = paged(
        CLASSES,
        numeric,
        lambda some: class_panels(some, title=title, response=caption, scale=scale, whole=whole),
    )
    if levels := [p for p in panels if not p.numeric]:
        title = f"Mean {caption} by level — {where}"
        found[LEVELS] = level_panels(levels, title=title, response=caption, scale=scale, whole=whole)
    return found


def _risk_class(row: Row) -> RiskClass | None:
    mean = finite(row.get("mean"))
    if mean is None:
        return None
    names = ("lower", "upper", "conf_low", "conf_high", "n")
    lower, upper, low, high, n = (finite(row.get(name)) for name in names)
    return RiskClass(text(row.get("class")), lower, upper, mean, low, high, n)


def _candidates(run: RunTables, model: str, stratum: str, rows: Sequence[FactorRow]) -> list[CandidatePanel]:
    """Drivers for which more than one candidate competed, best first."""
    by_driver: dict[str, list[Candidate]] = {}
    for cells in run.rows("breaks", model=model, stratum=stratum):
        q, many = finite(cells.get("q")), finite(cells.get("n_classes"))
        if q is not None and many is not None:
            found = Candidate(text(cells.get("method")), round(many), q, truth(cells.get("chosen")))
            by_driver.setdefault(text(cells.get("driver")), []).append(found)
    return [
        CandidatePanel(row.name, tuple(by_driver[row.name]))
        for row in rows
        if len(by_driver.get(row.name, [])) > 1
    ]


def _scales(run: RunTables, model: str, stratum: str) -> dict[str, str]:
    rows = run.rows("q_scales", model=model, stratum=stratum)
    sizes = {s: finite(r.get("cell_size")) for r in rows if (s := finite(r.get("scale"))) is not None}
    if not sizes:
        return {}
    known = all(size is not None for size in sizes.values())
    places = [(s, number(sizes[s]) if known else f"{s:g}×") for s in sorted(sizes)]
    caption = (
        "cell size (units of the coordinates; km for longitude and latitude)"
        if known
        else "cell size (multiples of the table's)"
    )
    drawn = q_lines(
        _lines(run, rows, "scale"), places, title=f"q by cell size — {stratum_label(stratum)}",
        caption=caption, colours=tints(run, factor_rows(run, model, stratum)), log=True,
    )  # fmt: skip
    return {SCALES: drawn}


def _years(run: RunTables, model: str, stratum: str) -> dict[str, str]:
    rows = run.rows("q_years", model=model, stratum=stratum)
    years = sorted({y for r in rows if (y := finite(r.get("year"))) is not None})
    if not years:
        return {}
    drawn = q_lines(
        _lines(run, rows, "year"), [(y, f"{y:.0f}") for y in years],
        title=f"q by year — {stratum_label(stratum)}", caption="year",
        colours=tints(run, factor_rows(run, model, stratum)),
    )  # fmt: skip
    return {YEARS: drawn}


def _lines(run: RunTables, rows: Sequence[Row], column: str) -> list[QLine]:
    points: dict[str, list[tuple[float, float]]] = {}
    groups: dict[str, str] = {}
    for row in rows:
        name = text(row.get("driver"))
        at, q = finite(row.get(column)), finite(row.get("q"))
        groups.setdefault(name, text(row.get("group")) or run.groups.get(name, ""))
        points.setdefault(name, []).extend([(at, q)] if at is not None and q is not None else [])
    return [QLine(name, groups[name], tuple(sorted(found))) for name, found in points.items()]
