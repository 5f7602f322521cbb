"""From the tables of a path model to what its errors count and what a cut on the response does to slopes."""

from __future__ import annotations

from typing import Any

from drivers.report.error_dots import KINDS, PathIntervals, error_dots
from drivers.report.numbers import count, is_missing, stratum_label, unit
from drivers.report.psem_graph import whole_terms
from drivers.report.run_tables import Row, RunTables, number_or_none, text
from drivers.report.sweep_lines import Points, SweepPanel, sweep_lines
from drivers.report.wording import FEWEST_BLOCKS, errors_of

ERRORS = "errors.svg"
THRESHOLDS = "thresholds.svg"
MOST_PATHS = 24
"""Paths in the figure of errors, and of slopes by threshold; the tables have all."""
MOST_PANELS = 12

ERRORS_READ = (
    "Each path has one estimate and an interval for each way of counting pixels. Where the interval of every "
    "pixel is far shorter than the others, neighbouring pixels say the same thing again, and its p-value is "
    "too small. A path is clear of zero in the sense of this report where the dark interval is."
)
SELECTION = (
    "Keeping only the pixels on one side of a value of the response flattens every slope, whatever the "
    "drivers do. Truncated regression estimates the slope as if nothing had been cut off; it takes the "
    "errors for normal and equally wide everywhere. Compare it, not the plain slope, with slopes of other "
    "strata. Where both agree, the cut does little; where they part, the cut has bent the plain slope."
)
SWEEP_READ = (
    "Each point is a fit to the pixels on the stratum’s side of another threshold. If the plain slope moves "
    "while that of truncated regression stays level, the cut alone makes the difference; if both move, the "
    "driver acts otherwise at other values of the response, or the errors are not normal."
)


def inference_figures(run: RunTables, model: str, stratum: str) -> dict[str, str]:
    """Intervals by way of counting, and slopes by threshold, where the tables hold them."""
    found = {}
    where = stratum_label(stratum)
    if paths := path_intervals(run, model, stratum):
        chosen = errors_of(run.fit(model, stratum))
        kept = _largest(paths)
        title = f"What p-values count — {where}"
        found[ERRORS] = error_dots(kept, title=title, chosen=chosen)
    if panels := sweep_panels(run, model, stratum):
        measure = unit((run.meta.get("response") or {}).get("unit"))
        side = next(
            text(row.get("side")) for row in run.rows("threshold_sweep", model=model, stratum=stratum)
        )
        of = f"{run.response or 'the response'}" + (f" ({measure})" if measure else "")
        found[THRESHOLDS] = sweep_lines(
            panels[:MOST_PANELS],
            title=f"Slopes as the cut moves — {where}",
            caption=f"Threshold of {of}; pixels {side or 'on one side of'} it are fitted",
        )
    return found


def path_intervals(run: RunTables, model: str, stratum: str) -> list[PathIntervals]:
    """Every path's standardised intervals by kind of errors; none where there is only one kind."""
    rows = run.rows("coefficient_errors", model=model, stratum=stratum)
    counted = {
        (text(r.get("response")), text(r.get("op")), text(r.get("term"))): number_or_none(
            r.get("n_effective")
        )
        for r in run.rows("coefficients", model=model, stratum=stratum)
    }
    found: dict[tuple[str, str, str], list[Row]] = {}
    for row in whole_terms(rows):
        if row.get("response") == row.get("term") or row.get("op") == "~1":
            continue  # a variance or an intercept of a latent model is no path
        if text(row.get("errors")) in KINDS and not is_missing(row.get("std_estimate")):
            key = (text(row.get("response")), text(row.get("op")), text(row.get("term")))
            found.setdefault(key, []).append(row)
    if len({text(row.get("errors")) for mine in found.values() for row in mine}) < 2:
        return []
    paths = []
    for (response, op, term), mine in found.items():
        name = f"{response} = {term}" if op == ":=" else f"{term} {'↔' if op == '~~' else '→'} {response}"
        ends = {text(row.get("errors")): _ends(row) for row in mine}
        if not any(ends.values()):
            continue  # given by the model, such as the loading that sets the unit
        paths.append(
            PathIntervals(name, float(mine[0]["std_estimate"]), ends, counted.get((response, op, term)))
        )
    return paths


def _ends(row: Row) -> tuple[float, float] | None:
    low, high = number_or_none(row.get("std_conf_low")), number_or_none(row.get("std_conf_high"))
    return None if low is None or high is None else (low, high)


def _largest(paths: list[PathIntervals]) -> list[PathIntervals]:
    """The `MOST_PATHS` largest paths, in the order of the table."""
    largest = sorted(paths, key=lambda path: -abs(path.estimate))[:MOST_PATHS]
    return [path for path in paths if path in largest]


def errors_caption(run: RunTables, model: str, stratum: str) -> str:
    """How to read the figure of errors, how many blocks there are, and what the figure leaves out."""
    fit, many = run.fit(model, stratum), len(path_intervals(run, model, stratum))
    said = [ERRORS_READ]
    blocks = number_or_none(fit.get("n_blocks"))
    if blocks is not None:
        rough = ", too few for block intervals that are more than rough" if blocks < FEWEST_BLOCKS else ""
        said.append(f"There are {count(blocks)} blocks{rough}.")
    if many > MOST_PATHS:
        said.append(f"The {MOST_PATHS} largest of {many} paths; tables/coefficient_errors.csv has all.")
    return " ".join(said)


def sweep_panels(run: RunTables, model: str, stratum: str) -> list[SweepPanel]:
    """The slopes of every path by threshold, in the order of the table."""
    found: dict[tuple[str, str, str], list[Row]] = {}
    for row in run.rows("threshold_sweep", model=model, stratum=stratum):
        if not is_missing(row.get("threshold")):
            key = (text(row.get("response")), text(row.get("term")), text(row.get("side")))
            found.setdefault(key, []).append(row)
    sides = {side for _, _, side in found}
    panels = []
    for (response, term, side), rows in found.items():
        rows.sort(key=lambda row: float(row["threshold"]))
        title = f"{term} → {response}" + (f", {side}" if len(sides) > 1 else "")
        panel = SweepPanel(title, _points(rows, "estimate"), _points(rows, "truncated_estimate"))
        panels += [panel] if len(panel.plain) > 1 else []
    return panels


def _points(rows: list[Row], column: str) -> Points:
    return tuple(
        (float(row["threshold"]), float(row[column])) for row in rows if not is_missing(row.get(column))
    )


def truncated_slopes(run: RunTables, model: str, stratum: str) -> list[dict[str, Any]]:
    """The slopes that have one of truncated regression beside them."""
    return [
        row
        for row in run.rows("coefficients", model=model, stratum=stratum)
        if not is_missing(row.get("truncated_estimate"))
    ]
