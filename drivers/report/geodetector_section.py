"""What the report shows of a geodetector."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from drivers.report.geodetector_figures import (
    CANDIDATES,
    CLASSES,
    DRIVERS,
    GROUPS,
    INTERACTION,
    LEVELS,
    SCALES,
    STRATA,
    YEARS,
    across,
    overview_figures,
    stratum_figures,
)
from drivers.report.geodetector_rows import (
    FactorRow,
    by_group,
    factor_rows,
    finite,
    response_name,
    star_mark,
)
from drivers.report.geodetector_wording import findings, q_text, reading, warnings
from drivers.report.numbers import number
from drivers.report.run_tables import Row, RunTables, text
from drivers.report.templating import figure_of, render

MATRICES = 12
"""Drivers whose risk matrices are on the page, best first; risk.csv has all."""
NUMBERED = 10
"""Classes up to which a risk matrix shows differences; with more it shows their signs."""
BREAK_DIGITS = 4
LISTED = 60
"""Pairs that the page lists, strongest first; q_interaction.csv has all."""


@dataclass(frozen=True, slots=True)
class MatrixCell:
    """A pair: what is compared, its p-value, and its tooltip; `shown` is empty above the diagonal."""

    shown: str
    stars: str
    told: str
    sign: int = 0


@dataclass(frozen=True, slots=True)
class Matrix:
    """A lower triangle: names of the rows, and for every row its cells (one fewer than rows)."""

    title: str
    names: tuple[str, ...]
    cells: tuple[tuple[MatrixCell | None, ...], ...]


class GeodetectorSection:
    """Bars of q, interactions, risk means, breaks and their candidates, risk and ecological matrices."""

    method = "geodetector"

    def figures(self, run: RunTables, model: str, stratum: str) -> dict[str, str]:
        """The figures of one stratum; those of the side-by-side part where `stratum` is empty."""
        return stratum_figures(run, model, stratum) if stratum else overview_figures(run, model)

    def render(self, run: RunTables, model: str, stratum: str, figures: Mapping[str, str]) -> Markup:
        """The section of one fitted stratum."""
        rows = factor_rows(run, model, stratum)
        fit = run.fit(model, stratum)
        pairs = run.rows("q_interaction", model=model, stratum=stratum)
        response = response_name(run, model)
        return render(
            "geodetector.html",
            fit=fit,
            findings=findings(rows, pairs, response),
            warnings=warnings(rows, fit),
            reading=reading(rows, text(fit.get("errors")), response),
            first=stratum == next((s for s in run.fitted(model) if factor_rows(run, model, s)), ""),
            rows=rows,
            response=response,
            stars=star_mark,
            q=q_text,
            breaks=break_words,
            has={name: any(getattr(r, name) is not None for r in rows) for name in OPTIONAL},
            bars=[figure_of(figures[name]) for name in (DRIVERS, GROUPS) if name in figures],
            interaction=[figure_of(figures[name]) for name in (INTERACTION,) if name in figures],
            risk=_folded(figures, CLASSES, (LEVELS,)),
            candidates=_folded(figures, CANDIDATES, ()),
            numbered=NUMBERED,
            scales=[figure_of(figures[name]) for name in (SCALES,) if name in figures],
            years=[figure_of(figures[name]) for name in (YEARS,) if name in figures],
            ecological=ecological_matrix(run, model, stratum),
            matrices=risk_matrices(run, model, stratum, rows),
            pairs=sorted(pairs, key=lambda r: -(finite(r.get("q_ab")) or 0.0))[:LISTED],
            all_pairs=len(pairs),
        )

    def overview(self, run: RunTables, model: str) -> Markup:
        """q of every driver in every stratum, as a figure and as a table with stars and ranks."""
        strata = run.fitted(model)
        if len(strata) < 2:
            return Markup("")
        columns = {s: factor_rows(run, model, s) for s in strata}
        found = [{row.name: row for row in columns[s]} for s in strata]
        figures = self.figures(run, model, "")
        grid = [(row.name, row.group, [of.get(row.name) for of in found]) for row in across(columns.values())]
        fits = [run.fit(model, s) for s in strata]
        return render(
            "geodetector_overview.html",
            strata=strata,
            fits=fits,
            effective=any(finite(f.get("n_effective")) is not None for f in fits),
            grid=grid,
            stars=star_mark,
            q=q_text,
            figures=[figure_of(figures[STRATA])] if STRATA in figures else [],
        )


OPTIONAL = ("p_max", "q_crossfit", "q_adjusted", "n_effective")
"""Columns of the table of drivers that are left out where they are empty."""


def _folded(figures: Mapping[str, str], stem: str, others: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    """The first figure of a stem and `others` in sight, its further ones folded."""
    pages = [name for name in figures if re.fullmatch(rf"{stem}(-\d+)?\.svg", name)]
    shown = [*pages[:1], *(name for name in others if name in figures)]
    return {
        "shown": [figure_of(figures[name]) for name in shown],
        "more": [figure_of(figures[name]) for name in pages[1:]],
    }


def break_words(row: FactorRow) -> list[str]:
    """The limits of the classes at readable digits; the levels of a categorical driver as they are."""
    parts = next(csv.reader([row.breaks], delimiter=";"), [])  # a level that holds `;` is quoted
    if row.method == "categorical":
        return parts
    try:
        values = [float(part) for part in parts]
    except ValueError:
        return parts
    for digits in range(BREAK_DIGITS, 17):
        words = [number(value, digits) for value in values]
        if len(set(words)) == len(set(values)):
            return words
    return parts


def ecological_matrix(run: RunTables, model: str, stratum: str) -> Matrix | None:
    """Which drivers differ in the variance they leave within classes, in the order of the study."""
    found = {
        frozenset((text(r.get("driver_a")), text(r.get("driver_b")))): r
        for r in run.rows("ecological", model=model, stratum=stratum)
    }
    named = {name for pair in found for name in pair}
    rows = [r for r in by_group(run, factor_rows(run, model, stratum)) if r.name in named]
    names = tuple(row.name for row in rows)
    if len(names) < 2:
        return None

    def cell(a: str, b: str) -> MatrixCell | None:
        row = found.get(frozenset((a, b)))
        if row is None:
            return None
        told = (
            f"{text(row.get('driver_a'))} and {text(row.get('driver_b'))}: F {number(row.get('f_statistic'))}"
        )
        return MatrixCell("", star_mark(row.get("p_value")), f"{told}, p {_p(row.get('p_value'))}")

    return Matrix("", names, tuple(tuple(cell(a, b) for b in names[:k]) for k, a in enumerate(names)))


def _p(value: Any) -> str:
    return number(value)


def risk_matrices(run: RunTables, model: str, stratum: str, rows: Sequence[FactorRow]) -> list[Matrix]:
    """Which classes differ: row's mean minus column's, for the best `MATRICES` drivers."""
    pairs: dict[str, list[Row]] = {}
    for pair in run.rows("risk", model=model, stratum=stratum):
        pairs.setdefault(text(pair.get("driver")), []).append(pair)
    classes: dict[str, list[str]] = {}
    for one in run.rows("risk_means", model=model, stratum=stratum):
        classes.setdefault(text(one.get("driver")), []).append(text(one.get("class")))
    found = []
    for row in [r for r in rows if r.name in pairs][:MATRICES]:
        mine = pairs[row.name]
        either = (text(r.get(side)) for r in mine for side in ("class_a", "class_b"))
        names = tuple(dict.fromkeys([*classes.get(row.name, []), *either]))
        found.append(_risk_matrix(row.name, names, mine))
    return found


def _risk_matrix(title: str, names: tuple[str, ...], rows: Sequence[Row]) -> Matrix:
    known: dict[tuple[str, str], MatrixCell] = {}
    for row in rows:
        a, b = text(row.get("class_a")), text(row.get("class_b"))
        first, second = finite(row.get("mean_a")), finite(row.get("mean_b"))
        p = row.get("p_adjusted")
        p = row.get("p_value") if finite(p) is None else p
        for one, other, x, y in ((a, b, first, second), (b, a, second, first)):
            less = None if x is None or y is None else x - y
            sign = 0 if not less else (1 if less > 0 else -1)
            words = number(less) if len(names) <= NUMBERED else {1: "+", -1: "−", 0: "0"}[sign]
            told = f"{one} minus {other}: {number(less)}, adjusted p {_p(p)}"
            stars = star_mark(p)
            known[one, other] = MatrixCell(words, stars, told, sign if stars.startswith("*") else 0)
    cells = tuple(tuple(known.get((a, b)) for b in names[:k]) for k, a in enumerate(names))
    return Matrix(title, names, cells)
