"""How the response is spread in each stratum: the part of the page, and what change shows of a series."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from drivers.report.change_rows import series_of
from drivers.report.numbers import is_missing, number, stratum_label, unit
from drivers.report.run_tables import Row, RunTables, text
from drivers.report.templating import figure_of, render
from drivers.report.violins import Violin, violins

MOST_VIOLINS = 14
"""Strata in one figure; more go into further figures."""

QUANTILES = ("q05", "q25", "median", "q75", "q95")

NOTE = (
    "A shape is the density of the pixels’ values, a Gaussian kernel estimate; all are equally tall, and "
    "tails below a hundredth of that are left off. In it the median (dot), the middle half (bar) and nine "
    "tenths (line) of the pixels, each counted alike."
)


class Distributions:
    """Violins of every response that no part on change over years shows."""

    slug = "distribution"
    title = "Distribution of the response"
    tables: tuple[str, ...] = ("distribution",)

    def figures(self, run: RunTables) -> dict[str, str]:
        """The violins of each response."""
        return {
            name: figure
            for k, variable in enumerate(_own(run))
            for name, figure in violin_figures(run, variable, f"{k + 1:02d}--violins").items()
        }

    def links(self, run: RunTables) -> list[tuple[str, str]]:
        """None: the section is one part."""
        return []

    def render(self, run: RunTables, figures: Mapping[str, str]) -> Markup:
        """A part per response; nothing where change over years shows them all."""
        parts = []
        for k, name in enumerate(_own(run)):
            drawn = [f for file, f in figures.items() if file.startswith(f"{k + 1:02d}--violins-")]
            parts.append(spread(run, name, [figure_of(figure) for figure in drawn]))
        return render("distribution.html", parts=parts) if parts else Markup("")


def _own(run: RunTables) -> list[str]:
    """The variables of the table that are no series."""
    series = {one.name for one in series_of(run)}
    return [name for name in dict.fromkeys(text(r["variable"]) for r in run.rows("distribution"))
            if name not in series]  # fmt: skip


def spread_rows(run: RunTables, variable: str) -> list[Row]:
    """The rows of distribution.csv of a variable."""
    return run.rows("distribution", variable=variable)


def violin_figures(run: RunTables, variable: str, begin: str, measure: str | None = None) -> dict[str, str]:
    """The violins of a variable by file name, some strata in each.

    Parameters
    ----------
    run : the tables
    variable : its name
    begin : how the names of the files begin
    measure : its unit as print shows it; by default that of the response of that name
    """
    rows = [_violin(run, row) for row in spread_rows(run, variable)]
    rows = [row for row in rows if row is not None]
    size = -(-len(rows) // max(-(-len(rows) // MOST_VIOLINS), 1))
    lots = [rows[k : k + size] for k in range(0, len(rows), max(size, 1))]
    shown = _unit(run, variable) if measure is None else measure
    return {
        f"{begin}-{j + 1}.svg": violins(lot, title=f"{variable}: the pixels of each stratum", unit=shown)
        for j, lot in enumerate(lots)
    }


def _unit(run: RunTables, variable: str) -> str:
    return unit((run.meta.get("response") or {}).get("unit")) if variable == run.response else ""


def _violin(run: RunTables, row: Row) -> Violin:
    points = [
        (float(point["x"]), float(point["density"]))
        for point in run.rows("density", stratum=text(row.get("stratum")), variable=text(row["variable"]))
    ]
    low, first, median, third, high = (float(row[name]) for name in QUANTILES)
    ends = (float(row["min"]), float(row["max"]))
    return Violin(text(row.get("stratum")), int(row["n"]), (low, first, median, third, high), ends, points)


def spread(run: RunTables, variable: str, figures: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What the template shows of a variable: sentences, its figures (as `figure_of` has them), its rows."""
    rows = spread_rows(run, variable)
    return {
        "name": variable,
        "unit": _unit(run, variable),
        "sentences": spread_sentences(rows),
        "figures": figures,
        "rows": rows,
        "note": NOTE,
    }


def spread_sentences(rows: Sequence[Row]) -> list[str]:
    """Where the pixels of the first stratum lie, and where the median is largest and smallest."""
    known = [row for row in rows if not is_missing(row.get("median"))]
    if not known:
        return []
    first = known[0]
    of = "the pixels" if text(first.get("stratum")) == "all" else f"the pixels of {_name(first)}"
    low, start, _, end, high = (number(first.get(name)) for name in QUANTILES)
    found = [f"Half of {of} lie between {start} and {end}, nine tenths between {low} and {high}."]
    others = sorted(
        (row for row in known if text(row.get("stratum")) != "all"), key=lambda row: float(row["median"])
    )
    if len(others) > 1:
        least, most = others[0], others[-1]
        low, high = number(least.get("median")), number(most.get("median"))
        if low == high:
            found.append(f"The median is about {low} in all of them.")
        else:
            found.append(
                f"The median is largest in {_name(most)} ({high}) and smallest in {_name(least)} ({low})."
            )
    return found


def _name(row: Row) -> str:
    return stratum_label(row.get("stratum"))
