"""Direct, indirect and total effects of drivers, composites and groups (METHODS, section 5).

A term that is not a variable's own form (a product, a power, a dummy) is a driver of its own: effects
start at it, none pass through it. Effects of a composite's member are its weight times the composite's.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from drivers.methods.psem import PsemResult
from drivers.methods.result import frame
from drivers.stats.dag import directed_paths
from drivers.stats.dsep import CONFIDENCE
from drivers.stats.path_effects import (
    delta_error,
    joint_effect,
    joint_log_p,
    path_products,
    total_effects,
)
from drivers.stats.tails import log_p_t

Array = NDArray[np.float64]
Row = dict[str, Any]

MOST_PATHS = 2000
"""Paths between one driver and one response beyond which they are summed instead of listed: no reader
looks at two thousand products, and a dense graph of 20 nodes has a quarter of a million."""

ARROW = " -> "


@dataclass(frozen=True, slots=True)
class Edge:
    """A path coefficient, or the weight of a composite's member."""

    source: str
    target: str
    member: bool


@dataclass(frozen=True, slots=True)
class EffectGraph:
    """A fitted model as edges with numbers, shape (E,) each; V has shape (E, E)."""

    edges: tuple[Edge, ...]
    raw: Array
    std: Array
    df: Array
    variance: Array
    responses: tuple[str, ...]
    response_sd: dict[str, float]
    group: dict[str, str]
    """The group of every source; composites are in no group's sum."""
    composites: frozenset[str]
    columns: dict[str, int]
    """The design column of every source that is not a composite."""


def effects(result: PsemResult) -> pd.DataFrame:
    """Every effect of a fitted model: a row per driver, composite and group, response, and path.

    Returns
    -------
    Columns driver, group, response, kind, via, estimate, std_estimate, std_error, conf_low, conf_high,
    p_value. For each driver and response `direct` + every `indirect` = `total`; `total_indirect` is the sum
    of the indirect ones. A group's row has no driver: its drivers move together by one standard
    deviation along the direction of their total effect (`drivers.stats.path_effects.joint_effect`).
    """
    return frame("effects", effect_records(result))


def effect_records(result: PsemResult) -> list[Row]:
    """The same as rows."""
    graph = effect_graph(result)
    rows = []
    for response in graph.responses:
        for source in _sources(graph):
            rows += _driver_rows(graph, source, response)
        for group in dict.fromkeys(g for g in graph.group.values() if g):
            rows += _group_rows(graph, result, group, response)
    return rows


def effect_graph(result: PsemResult) -> EffectGraph:
    """The edges of a fitted model, in canonical order."""
    fit, sample = result.fit, result.fit.sample
    model, forms = fit.graph.model, fit.graph.forms
    own = {
        sample.select([form]).columns[0]: form.text
        for form in forms.values()
        if len(sample.select([form]).columns) == 1
    }
    edges: list[Edge] = []
    raw: list[float] = []
    std: list[float] = []
    df: list[float] = []
    blocks: list[Array] = []
    group: dict[str, str] = {}
    columns: dict[str, int] = {}

    def note(column: int) -> str:
        name = own.get(column, sample.label(column))
        if column < sample.design.width:
            columns[name] = column
            homes = {model.group_of(v) for v in sample.design.columns[column].term.variables}
            group[name] = homes.pop() if len(homes) == 1 else ""
        else:
            group[name] = model.group_of(name)
        return name

    sd = sample.moments.sd
    for weighting in fit.weightings:
        whole = sd[sample.design.width + sample.composites.index(weighting.name)]
        for column, weight in zip(weighting.columns, weighting.weights, strict=True):
            edges.append(Edge(note(column), weighting.name, True))
            raw.append(float(weight))
            std.append(float(weight * sd[column] / whole))
            df.append(np.inf)
            blocks.append(np.zeros((1, 1)))
    for e in fit.equations:
        target = forms[e.equation.node].text
        standardised = e.standardised(sample, model.options.standardize)
        for i, column in enumerate(e.selection.columns):
            edges.append(Edge(note(column), target, False))
            raw.append(float(e.coefficients[i]))
            std.append(float(standardised[i]))
            df.append(float(e.df[i]))
        blocks.append(e.covariance)
    variance = np.zeros((len(edges), len(edges)))
    start = 0
    for block in blocks:
        stop = start + len(block)
        variance[start:stop, start:stop] = block
        start = stop
    return EffectGraph(
        tuple(edges),
        np.array(raw),
        np.array(std),
        np.array(df),
        variance,
        tuple(forms[e.equation.node].text for e in fit.equations)[::-1],
        {forms[e.equation.node].text: e.response_sd for e in fit.equations},
        group,
        frozenset(sample.composites),
        columns,
    )


def _sources(graph: EffectGraph) -> Iterable[str]:
    """Everything that has an effect, each once: composites first, then drivers, as they appear."""
    names = dict.fromkeys(edge.source for edge in graph.edges)
    return [n for n in names if n in graph.composites] + [n for n in names if n not in graph.composites]


@lru_cache(maxsize=4096)
def _paths(edges: tuple[Edge, ...], source: str, response: str) -> tuple[tuple[int, ...], ...] | None:
    """All paths as edge indices, those of one causal step first; None if there are too many.

    Cached: the strata of a model share its edges.
    """
    place = {(edge.source, edge.target): i for i, edge in enumerate(edges)}
    parents: dict[str, list[str]] = defaultdict(list)
    for edge in edges:
        parents[edge.target].append(edge.source)
    found = directed_paths(parents, source, response, MOST_PATHS)
    if len(found) > MOST_PATHS:
        return None
    walks = [tuple(place[step] for step in pairwise(path)) for path in found]
    causal = [w for w in walks if not all(edges[i].member for i in w)]
    return tuple(sorted(causal, key=lambda walk: _steps(edges, walk)))


def _steps(edges: Sequence[Edge], walk: Sequence[int]) -> int:
    """The number of causal steps: membership in a composite is none."""
    return sum(not edges[i].member for i in walk)


def _via(edges: Sequence[Edge], walk: Sequence[int]) -> str:
    return ARROW.join([edges[walk[0]].source, *(edges[i].target for i in walk)])


def _driver_rows(graph: EffectGraph, source: str, response: str) -> list[Row]:
    walks = _paths(graph.edges, source, response)
    if walks is None:
        return _summed_rows(graph, source, response)
    if not walks:
        return []
    raw, std = path_products(graph.raw, walks), path_products(graph.std, walks)
    direct = np.array([_steps(graph.edges, walk) == 1 for walk in walks])
    kinds = [("direct", direct), *(("indirect", np.arange(len(walks)) == i) for i in np.flatnonzero(~direct))]
    if (~direct).any():
        kinds.append(("total_indirect", ~direct))
    kinds.append(("total", np.ones(len(walks), dtype=bool)))
    kinds = [(kind, taken) for kind, taken in kinds if taken.any()]
    gradients = np.array([raw.gradients[taken].sum(axis=0) for _, taken in kinds])
    errors = delta_error(gradients, graph.variance)
    rows = []
    for (kind, taken), error in zip(kinds, errors, strict=True):
        chosen = np.flatnonzero(taken)
        single = len(chosen) == 1
        rows.append(
            {
                "driver": source,
                "group": graph.group[source],
                "response": response,
                "kind": kind,
                "via": _via(graph.edges, walks[chosen[0]]) if single and "total" not in kind else "",
                "estimate": float(raw.products[chosen].sum()),
                "std_estimate": float(std.products[chosen].sum()),
                "std_error": float(error),
                "_df": _df(graph, walks[chosen[0]]) if single else np.inf,
            }
        )
    return [_tested(row) for row in rows]


def _df(graph: EffectGraph, walk: Sequence[int]) -> float:
    """A path of one causal step keeps the t of its coefficient; products are tested by the normal."""
    causal = [i for i in walk if not graph.edges[i].member]
    return float(graph.df[causal[0]]) if len(causal) == 1 else float("inf")


def _tested(row: Row) -> Row:
    """Add interval and p-value to an estimate with its standard error."""
    df = row.pop("_df")
    error = row["std_error"]
    level = 0.5 + CONFIDENCE / 2
    quantile = float(special.ndtri(level) if np.isinf(df) else special.stdtrit(df, level))
    row["conf_low"] = row["estimate"] - quantile * error
    row["conf_high"] = row["estimate"] + quantile * error
    row["p_value"] = float(np.exp(log_p_t(row["estimate"] / error, df))) if error > 0 else np.nan
    return row


def _summed_rows(graph: EffectGraph, source: str, response: str) -> list[Row]:
    """Direct, total indirect and total by matrix, where the paths are too many to list."""
    names = list(dict.fromkeys(n for e in graph.edges for n in (e.source, e.target)))
    place = {name: i for i, name in enumerate(names)}
    heads = np.array([place[e.target] for e in graph.edges])
    tails = np.array([place[e.source] for e in graph.edges])
    i, j = place[source], place[response]
    values = {}
    for which, coefficients in (("raw", graph.raw), ("std", graph.std)):
        b = np.zeros((len(names), len(names)))
        b[heads, tails] = coefficients
        values[which] = (b, total_effects(b))
    reach = values["raw"][1] + np.eye(len(names))
    gradient = reach[j, heads] * reach[tails, i]
    direct_gradient = ((heads == j) & (tails == i)).astype(float)
    rows = []
    raw_direct, raw_total = (float(m[j, i]) for m in values["raw"])
    std_direct, std_total = (float(m[j, i]) for m in values["std"])
    for kind, raw, std, g in (
        ("direct", raw_direct, std_direct, direct_gradient),
        ("total_indirect", raw_total - raw_direct, std_total - std_direct, gradient - direct_gradient),
        ("total", raw_total, std_total, gradient),
    ):
        if kind == "direct" and not direct_gradient.any():
            continue
        rows.append(
            {
                "driver": source,
                "group": graph.group[source],
                "response": response,
                "kind": kind,
                "via": "",
                "estimate": raw,
                "std_estimate": std,
                "std_error": float(delta_error(g[None, :], graph.variance)[0]),
                "_df": np.inf,
            }
        )
    return [_tested(row) for row in rows]


def _group_rows(graph: EffectGraph, result: PsemResult, group: str, response: str) -> list[Row]:
    """The joint effect of a group's drivers, along every way it takes."""
    members = [name for name in graph.columns if graph.group.get(name) == group]
    inside = response in graph.composites and graph.group.get(response) == group
    if inside or response in members:
        return []
    ways: dict[tuple[str, ...], list[tuple[int, tuple[int, ...]]]] = defaultdict(list)
    kept: list[str] = []
    for name in members:
        walks = _paths(graph.edges, name, response)
        if walks is None:
            return []
        # A path through another driver of the group is that driver's share, or it would count twice.
        own = [w for w in walks if not any(graph.edges[i].target in members for i in w)]
        for walk in own:
            ways[_way(graph, group, walk)].append((len(kept), walk))
        if own:
            kept.append(name)
    if not kept:
        return []
    order = sorted(ways, key=lambda way: (min(_steps(graph.edges, w) for _, w in ways[way]), len(way), way))
    parts = np.zeros((len(order), len(kept)))
    gradients = np.zeros((len(order), len(kept), len(graph.edges)))
    for k, way in enumerate(order):
        made = path_products(graph.raw, [walk for _, walk in ways[way]])
        for (d, _), product, gradient in zip(ways[way], made.products, made.gradients, strict=True):
            parts[k, d] += product
            gradients[k, d] += gradient
    index = np.array([graph.columns[name] for name in kept])
    covariance = result.fit.sample.moments.covariance[np.ix_(index, index)]
    joint = joint_effect(parts, gradients, covariance)
    direct = np.array([min(_steps(graph.edges, w) for _, w in ways[way]) == 1 for way in order])
    picks = [("direct", way, np.arange(len(order)) == k) for k, way in enumerate(order) if direct[k]]
    picks += [("indirect", way, np.arange(len(order)) == k) for k, way in enumerate(order) if not direct[k]]
    if (~direct).any():
        picks.append(("total_indirect", (), ~direct))
    rows = []
    for kind, way, taken in picks:
        gradient = joint.part_gradients[taken].sum(axis=0)
        rows.append(
            _tested(
                {
                    **_group_key(group, response, kind, ARROW.join(way)),
                    "estimate": float(joint.parts[taken].sum()),
                    "std_error": float(delta_error(gradient[None, :], graph.variance)[0]),
                    "_df": np.inf,
                }
            )
        )
    total = _tested(
        {
            **_group_key(group, response, "total", ""),
            "estimate": joint.total,
            "std_error": float(delta_error(joint.total_gradient[None, :], graph.variance)[0]),
            "_df": np.inf,
        }
    )
    # A length is never negative, so its own z would reject too often near zero: all effects are tested.
    slopes = gradients.sum(axis=0)
    total["p_value"] = float(np.exp(joint_log_p(parts.sum(axis=0), slopes @ graph.variance @ slopes.T)))
    rows.append(total)
    sd = graph.response_sd[response]
    return [{**row, "std_estimate": row["estimate"] / sd} for row in rows]


def _way(graph: EffectGraph, group: str, walk: Sequence[int]) -> tuple[str, ...]:
    """A path with its driver replaced by the group; a composite with the group's name is not repeated."""
    nodes = [graph.edges[i].target for i in walk]
    if graph.edges[walk[0]].member and nodes[0] == group:
        nodes = nodes[1:]
    return (group, *nodes)


def _group_key(group: str, response: str, kind: str, via: str) -> Row:
    return {"driver": "", "group": group, "response": response, "kind": kind, "via": via}
