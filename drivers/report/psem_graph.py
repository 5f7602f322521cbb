"""From the tables of a path model to the nodes, edges and effects that its figures show."""

from __future__ import annotations

import re

from drivers.report.bars import Effect
from drivers.report.diagram_parts import Edge, Member, Node, Shape
from drivers.report.run_tables import Row, RunTables, number_or_none, text

_NAME = re.compile(r"[^\W\d][\w.]*")
_LEVEL = re.compile(r"^(.*)\[[^\]]*\]$")


def diagram_of(run: RunTables, model: str, stratum: str) -> tuple[list[Node], list[Edge]]:
    """Nodes and edges of one model on one stratum, in the order of the tables."""
    rows = run.rows("coefficients", model=model, stratum=stratum)
    weights = [row for row in rows if row.get("op") == "<~"]
    loadings = [row for row in rows if row.get("op") == "=~"]
    composites = list(dict.fromkeys(text(row.get("response")) for row in weights))
    latents = list(dict.fromkeys(text(row.get("term")) for row in loadings))
    responses = {text(row.get("response")) for row in rows if row.get("op") in ("~", "=~")}
    known = {*responses, *composites, *latents, *run.groups, *run.responses(model)} - {""}
    edges = [edge for row in _paths(rows) for edge in _edges(row, known)]
    names = list(dict.fromkeys([*composites, *(end for e in edges for end in (e.source, e.target))]))
    r2 = {
        text(row.get("response")): number_or_none(row.get("r2"))
        for row in run.rows("r2", model=model, stratum=stratum)
    }
    groups = run.groups
    nodes = []
    for name in names:
        shape: Shape = "observed"
        if name in composites:
            shape = "composite"
        elif name in latents:
            shape = "latent"
        elif " × " in name:
            shape = "interaction"
        mine = [row for row in weights if text(row.get("response")) == name]
        members = tuple(_member(row) for row in whole_terms(mine))
        home = groups.get(name) or next((text(row.get("group")) for row in mine if row.get("group")), "")
        nodes.append(Node(name, shape, home, r2.get(name), members))
    return nodes, edges


def whole_terms(rows: list[Row]) -> list[Row]:
    """Rows without the dummies of a factor that also has a joint row; other rows stay."""
    terms = {(text(row.get("response")), text(row.get("term"))) for row in rows}
    kept = []
    for row in rows:
        found = _LEVEL.match(text(row.get("term")))
        if found is None or (text(row.get("response")), found.group(1)) not in terms:
            kept.append(row)
    return kept


def _paths(rows: list[Row]) -> list[Row]:
    return [row for row in whole_terms(rows) if row.get("op") in ("~", "~~", "=~") and not _is_intercept(row)]


def _is_intercept(row: Row) -> bool:
    return text(row.get("term")).strip("()").casefold() in ("intercept", "1")


def _member(row: Row) -> Member:
    weight = number_or_none(row.get("std_estimate"))
    return Member(
        text(row.get("term")), weight if weight is not None else number_or_none(row.get("estimate"))
    )


def _edges(row: Row, known: set[str]) -> list[Edge]:
    op = text(row.get("op"))
    source, note = _variable(text(row.get("term")), known)
    target, _ = _variable(text(row.get("response")), known)
    if not source or not target or source == target:
        return []
    numbers = (number_or_none(row.get("std_estimate")), number_or_none(row.get("p_value")))
    return [Edge(source, target, op, *numbers, note=note)]


def _variable(term: str, known: set[str]) -> tuple[str, str]:
    """The node that a term belongs to, and the term itself where it says more than the node's name.

    `log1p(GDP)` is an arrow from GDP with a note; `TEM:PRE` is a node of its own.
    """
    if term in known:
        return term, ""
    names = [name for name in dict.fromkeys(_NAME.findall(term)) if name in known]
    if len(names) == 1:
        return names[0], term
    if len(names) > 1:
        return " × ".join(part.strip() for part in term.split(":")) if ":" in term else term, ""
    return term, ""


def driver_effects(run: RunTables, model: str, stratum: str, response: str) -> list[Effect]:
    """Effects of the drivers on one response."""
    rows, named = _effect_rows(run, model, stratum, response)
    composites = _composites(run, model, stratum)
    return [_effect(name, mine) for name, mine in named.items() if name not in composites and rows]


def group_effects(run: RunTables, model: str, stratum: str, response: str) -> list[Effect]:
    """Effects of composites, and of driver groups that no composite stands for, on one response."""
    rows, named = _effect_rows(run, model, stratum, response)
    composites = _composites(run, model, stratum)
    found = [_effect(name, mine) for name, mine in named.items() if name in composites]
    covered = {effect.group for effect in found} | {effect.name for effect in found}
    by_group: dict[str, list[Row]] = {}
    for row in rows:
        if not text(row.get("driver")) and text(row.get("group")) not in covered | {""}:
            by_group.setdefault(text(row.get("group")), []).append(row)
    return found + [_effect(name, mine) for name, mine in by_group.items()]


def _composites(run: RunTables, model: str, stratum: str) -> set[str]:
    rows = run.rows("coefficients", model=model, stratum=stratum)
    return {text(row.get("response")) for row in rows if row.get("op") == "<~"}


def _effect_rows(
    run: RunTables, model: str, stratum: str, response: str
) -> tuple[list[Row], dict[str, list[Row]]]:
    """Rows about one response, and those of named drivers by driver, dummies left out."""
    rows = run.rows("effects", model=model, stratum=stratum, response=response)
    named: dict[str, list[Row]] = {}
    for row in rows:
        if text(row.get("driver")):
            named.setdefault(text(row.get("driver")), []).append(row)
    for name in list(named):
        found = _LEVEL.match(name)
        if found is not None and found.group(1) in named:
            del named[name]
    return rows, named


def _effect(name: str, rows: list[Row]) -> Effect:
    def std(kind: str) -> float | None:
        return next((number_or_none(r.get("std_estimate")) for r in rows if r.get("kind") == kind), None)

    total: Row = next((r for r in rows if r.get("kind") == "total"), {})
    paths = [
        v
        for r in rows
        if r.get("kind") == "indirect" and (v := number_or_none(r.get("std_estimate"))) is not None
    ]
    indirect = std("total_indirect")
    if indirect is None and paths:
        indirect = sum(paths)
    low, high = standardised_interval(total)
    group = next((text(r.get("group")) for r in rows if text(r.get("group"))), "")
    return Effect(
        name, group, std("direct"), indirect, std("total"), low, high, number_or_none(total.get("p_value"))
    )


def standardised_interval(row: Row) -> tuple[float | None, float | None]:
    """A row's interval on the standardised scale.

    Where the table has none of its own, the raw one times std_estimate / estimate: the standard deviations
    then count as given.
    """
    own = number_or_none(row.get("std_conf_low")), number_or_none(row.get("std_conf_high"))
    if own[0] is not None and own[1] is not None:
        return own
    raw, std = number_or_none(row.get("estimate")), number_or_none(row.get("std_estimate"))
    low, high = number_or_none(row.get("conf_low")), number_or_none(row.get("conf_high"))
    if raw is None or std is None or low is None or high is None or raw == 0:
        return None, None
    a, b = low * std / raw, high * std / raw
    return (a, b) if a <= b else (b, a)
