"""From the tables of a latent-variable model to the lists of its section."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from drivers.report.diagram_parts import Edge, Node
from drivers.report.numbers import is_missing
from drivers.report.psem_graph import diagram_of
from drivers.report.residual_triangle import LARGE, Residual
from drivers.report.run_tables import Row, RunTables, number_or_none, text

MOST_INDICES = 10
MOST_RESIDUALS = 10
NEGLIGIBLE = 5e-4
"""Residuals below this are shown as 0.000: no line of a list."""

KINDS = ("loadings", "regressions", "covariances", "intercepts", "defined", "variances")
"""The parts of the table of parameters, in its order."""
HEADINGS = {
    "loadings": "Loadings",
    "regressions": "Regressions",
    "covariances": "Covariances",
    "intercepts": "Intercepts",
    "defined": "Defined effects",
    "variances": "Variances, residual where explained",
}
_KIND = {"=~": "loadings", "~": "regressions", "~~": "covariances", "~1": "intercepts", ":=": "defined"}


def kind_of(row: Row) -> str:
    """The part of the table that a row of coefficients.csv belongs to."""
    if text(row.get("op")) == "~~" and row.get("response") == row.get("term"):
        return "variances"
    return _KIND.get(text(row.get("op")), "")


def name_of(row: Row) -> str:
    """A parameter as a reader of the diagram would call it."""
    response, term = text(row.get("response")), text(row.get("term"))
    return {
        "loadings": f"{term} → {response}",
        "regressions": f"{response} ← {term}",
        "covariances": f"{response} ↔ {term}",
        "defined": f"{response} = {term}",
    }.get(kind_of(row), response)


def line_of(row: Row) -> str:
    """A parameter as a line of the model file."""
    response, op, term = (text(row.get(name)) for name in ("response", "op", "term"))
    return f"{term} =~ {response}" if op == "=~" else f"{response} {op} {term}"


def is_fixed(row: Row) -> bool:
    """Whether a parameter was given, not estimated; one whose test was refused was estimated."""
    return all(is_missing(row.get(name)) for name in ("std_error", "p_value", "p_classical", "n_effective"))


def parameters(run: RunTables, model: str, stratum: str) -> list[tuple[str, list[dict[str, Any]]]]:
    """The parts of the table of parameters: a heading and its lines."""
    rows = run.rows("coefficients", model=model, stratum=stratum)
    explained = {text(r.get("response")): r.get("r2") for r in run.rows("r2", model=model, stratum=stratum)}
    found = []
    for kind in KINDS:
        lines: list[dict[str, Any]] = []
        told: set[str] = set()
        for row in (row for row in rows if kind_of(row) == kind):
            response = text(row.get("response"))
            shown = kind in ("loadings", "regressions") and response not in told
            told.add(response)
            r2 = explained.get(response) if shown else None
            path = kind not in ("variances", "intercepts")
            lines.append({"name": name_of(row), "row": row, "r2": r2, "fixed": is_fixed(row), "path": path})
        if lines:
            found.append((HEADINGS[kind], lines))
    return found


def latents(run: RunTables, model: str, stratum: str) -> list[str]:
    """The latent variables, in the order of the table."""
    rows = run.rows("coefficients", model=model, stratum=stratum)
    return list(dict.fromkeys(text(row.get("term")) for row in rows if row.get("op") == "=~"))


def indicators(run: RunTables, model: str, stratum: str) -> set[str]:
    """What the latent variables are measured by; a latent variable may be one itself."""
    rows = run.rows("coefficients", model=model, stratum=stratum)
    return {text(row.get("response")) for row in rows if row.get("op") == "=~"}


def explained(run: RunTables, model: str, stratum: str) -> list[tuple[str, Any]]:
    """R² of what drivers explain; that of the indicators stands beside their loadings."""
    rows = run.rows("coefficients", model=model, stratum=stratum)
    subjects = {text(row.get("response")) for row in rows if row.get("op") == "~"}
    found = run.rows("r2", model=model, stratum=stratum)
    return [(text(r.get("response")), r.get("r2")) for r in found if text(r.get("response")) in subjects]


def effect_responses(run: RunTables, model: str) -> list[str]:
    """The responses whose effects are shown: the study's, else all that the tables have."""
    found = list(dict.fromkeys(text(row.get("response")) for row in run.rows("effects", model=model)))
    return [name for name in run.responses(model) if name in found] or found


def latent_diagram(run: RunTables, model: str, stratum: str) -> tuple[list[Node], list[Edge], str | None]:
    """Nodes, edges and the node at the right end; covariances show their sign."""
    nodes, edges = diagram_of(run, model, stratum)
    measured = indicators(run, model, stratum)
    names = {node.name for node in nodes} - measured
    last = next((r for r in reversed(run.responses(model)) if r in names), None)
    return nodes, [replace(edge, signed=edge.op == "~~") for edge in edges], last


def residuals(run: RunTables, model: str, stratum: str) -> list[Residual]:
    """What is left of every correlation, in the order of the table."""
    return [
        Residual(
            text(row.get("response")),
            text(row.get("term")),
            number_or_none(row.get("residual")),
            number_or_none(row.get("residual_z")),
        )
        for row in run.rows("residual_correlations", model=model, stratum=stratum)
    ]


def residual_order(run: RunTables, model: str, stratum: str) -> list[str]:
    """The observed variables: what measures one latent variable stands together, the others after them."""
    rows = run.rows("coefficients", model=model, stratum=stratum)
    measured = [text(row.get("response")) for row in rows if row.get("op") == "=~"]
    found = [name for r in residuals(run, model, stratum) for name in (r.first, r.second)]
    known = set(found)
    return list(dict.fromkeys([*(name for name in measured if name in known), *found]))


def largest_residuals(found: list[Residual]) -> list[Residual]:
    """The largest, those that are shown as zero left out."""
    known = [r for r in found if r.value is not None and abs(r.value) >= NEGLIGIBLE]
    return sorted(known, key=lambda r: -abs(r.value or 0.0))[:MOST_RESIDUALS]


def large_residuals(found: list[Residual]) -> int:
    """How many residuals are as large as `LARGE`."""
    return sum(1 for r in found if r.value is not None and abs(r.value) >= LARGE)


def modifications(run: RunTables, model: str, stratum: str) -> list[dict[str, Any]]:
    """The parameters that would lower χ² most, each as the line to add."""
    rows = run.rows("modification_indices", model=model, stratum=stratum)
    known = [row for row in rows if not is_missing(row.get("mi"))]
    known.sort(key=lambda row: -float(row["mi"]))
    return [{"line": line_of(row), "name": name_of(row), "row": row} for row in known[:MOST_INDICES]]


def standardised(run: RunTables, model: str, stratum: str, kind: str) -> dict[str, tuple[Any, Any]]:
    """Standardised parameters of one kind, by name, for the table of strata."""
    rows = run.rows("coefficients", model=model, stratum=stratum)
    return {
        name_of(row): (row.get("std_estimate"), row.get("p_value")) for row in rows if kind_of(row) == kind
    }
