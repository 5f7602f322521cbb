"""What the report shows of a piecewise SEM."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from drivers.report.diagram import path_diagram
from drivers.report.effect_blocks import effect_blocks, effect_figures, side_by_side, total_effects
from drivers.report.fit_wording import verdict
from drivers.report.numbers import is_missing, stratum_label
from drivers.report.psem_graph import (
    diagram_of,
    standardised_interval,
    whole_terms,
)
from drivers.report.psem_inference import (
    ERRORS,
    SELECTION,
    SWEEP_READ,
    THRESHOLDS,
    errors_caption,
    inference_figures,
    truncated_slopes,
)
from drivers.report.run_tables import Row, RunTables, text
from drivers.report.svg import group_colours
from drivers.report.templating import figure_of, render
from drivers.report.wording import DELTA_NOTE, REGRESSION_WEIGHTS, errors_of

DIAGRAM = "paths.svg"
SIZED = (DIAGRAM, ERRORS, THRESHOLDS)
"""Figures that shrink only so far on a small screen."""


class PsemSection:
    """Fit and verdicts, path diagram, coefficients, claims, effects and weights."""

    method = "psem"

    def figures(self, run: RunTables, model: str, stratum: str) -> dict[str, str]:
        """The path diagram, and effect bars of drivers and of groups where there are effects."""
        nodes, edges = diagram_of(run, model, stratum)
        if not nodes:
            return {}
        where = f"{run.title(model)} — {stratum_label(stratum)}"
        colours = group_colours(g for g in run.groups.values() if g)
        names = {node.name for node in nodes}
        last = next((r for r in reversed(run.responses(model)) if r in names), None)
        found = {DIAGRAM: path_diagram(nodes, edges, title=where, response=last, colours=colours)}
        found |= effect_figures(run, model, stratum, run.effect_responses(model), colours)
        return found | inference_figures(run, model, stratum)

    def render(self, run: RunTables, model: str, stratum: str, figures: Mapping[str, str]) -> Markup:
        """The section of one fitted stratum."""
        rows = run.rows("coefficients", model=model, stratum=stratum)
        fit = run.fit(model, stratum)
        r2 = run.rows("r2", model=model, stratum=stratum)
        responses = run.responses(model)
        effects = run.rows("effects", model=model, stratum=stratum)
        weights = [r for r in rows if r.get("op") == "<~"]
        claims = run.rows("dsep", model=model, stratum=stratum)
        return render(
            "psem.html",
            fit=fit,
            verdict=verdict(fit),
            response=responses[0],
            explained=[(name, _r2(run, model, stratum, name)) for name in responses],
            figures={name: Markup(svg) for name, svg in figures.items()},
            diagram=DIAGRAM,
            sized={name: figure_of(figures[name]) for name in SIZED if name in figures},
            errors_figure=ERRORS,
            errors_caption=errors_caption(run, model, stratum),
            errors=errors_of(fit),
            adjusted=any(not is_missing(r.get("p_adjusted")) for r in rows),
            truncated=truncated_slopes(run, model, stratum),
            selection=SELECTION,
            thresholds_figure=THRESHOLDS,
            sweep_read=SWEEP_READ,
            equations=_equations(rows, r2),
            spatial=any(not is_missing(r.get("n_effective")) for r in rows),
            block=any(not is_missing(r.get("p_block")) for r in rows),
            claims=claims,
            claims_adjusted=any(not is_missing(r.get("p_adjusted")) for r in claims),
            blocks=effect_blocks(run, model, stratum, run.effect_responses(model), figures),
            specific=[r for r in effects if r.get("kind") == "indirect" and text(r.get("driver"))],
            weights=_by_response(weights),
            weights_note=REGRESSION_WEIGHTS,
            delta_note=DELTA_NOTE if weights else "",
            trail=run.rows("trail", model=model, stratum=stratum),
            planted=_planted(run, stratum, rows),
        )

    def overview(self, run: RunTables, model: str) -> Markup:
        """Verdicts, total effects and paths of all strata, side by side."""
        strata = run.fitted(model)
        if len(strata) < 2:
            return Markup("")
        blocks = total_effects(run, model, strata, run.effect_responses(model))
        paths = [_std_paths(run, model, s) for s in strata]
        return render(
            "psem_overview.html",
            strata=strata,
            explained=[(r, [_r2(run, model, s, r) for s in strata]) for r in run.responses(model)],
            fits=[run.fit(model, s) for s in strata],
            counted=any(not is_missing(run.fit(model, s).get("n_effective")) for s in strata),
            verdicts=[verdict(run.fit(model, s)) for s in strata],
            blocks=[*blocks, ("Paths", side_by_side(paths, lambda cell: cell))],
        )


def _r2(run: RunTables, model: str, stratum: str, response: str) -> Any:
    """R² of one response; fit.csv has one number for the whole model."""
    mine = run.rows("r2", model=model, stratum=stratum, response=response)
    if mine:
        return mine[0].get("r2")
    return run.fit(model, stratum).get("r2") if run.responses(model) == [response] else None


def _std_paths(run: RunTables, model: str, stratum: str) -> dict[str, tuple[Any, Any]]:
    rows = whole_terms(run.rows("coefficients", model=model, stratum=stratum))
    return {
        f"{r.get('response')} {'↔' if r.get('op') == '~~' else '←'} {r.get('term')}": (
            r.get("std_estimate"),
            r.get("p_value"),
        )
        for r in rows
        if r.get("op") in ("~", "~~", "=~")
    }


def _by_response(rows: list[Row]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(text(row.get("response")), []).append(row)
    return found


def _equations(rows: list[Row], r2: list[Row]) -> list[tuple[str, Row, list[Row]]]:
    """(response, its row of r2.csv, its paths), then covariances."""
    by_response = _by_response([r for r in rows if r.get("op") in ("~", "~~", "=~")])
    known = {text(r.get("response")): r for r in r2}
    return [(name, known.get(name, {}), mine) for name, mine in by_response.items()]


def _planted(run: RunTables, stratum: str, rows: list[Row]) -> list[dict[str, Any]]:
    """What the simulation planted beside what the fit found, on the standardised scale."""
    found = {(text(r.get("response")), text(r.get("op")), text(r.get("term"))): r for r in rows}
    lines = []
    for truth in run.rows("planted", stratum=stratum):
        row = found.get((text(truth.get("response")), text(truth.get("op")), text(truth.get("term"))), {})
        low, high = standardised_interval(row)
        value = truth.get("std_estimate")
        inside = None
        if low is not None and high is not None and not is_missing(value):
            inside = low <= float(value or 0.0) <= high
        lines.append({"truth": truth, "row": row, "low": low, "high": high, "inside": inside})
    return lines
