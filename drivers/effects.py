"""Direct, indirect and total effects of drivers, composites and groups (METHODS, section 5).

A term that is not a variable's own form (a product, a power, a dummy) is a driver of its own: effects
start at it, none pass through it. Effects of a composite's member are its weight times the composite's.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from drivers.methods.psem import PsemResult
from drivers.methods.result import frame
from drivers.pathways import Edge, GroupEffect, Pathways, find_pathways
from drivers.stats.dsep import CONFIDENCE
from drivers.stats.path_effects import (
    PathProducts,
    delta_error,
    joint_effect,
    joint_test,
    path_products,
    total_effects,
)
from drivers.stats.tails import log_p_t

Array = NDArray[np.float64]
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class EffectGraph:
    """A fitted model as edges with numbers, shape (E,) each; the variance has shape (E, E)."""

    edges: tuple[Edge, ...]
    raw: Array
    std: Array
    df: Array
    variance: Array
    responses: tuple[str, ...]
    response_sd: dict[str, float]
    group: dict[str, str]
    """The group of every source; empty for none."""
    columns: dict[str, int]
    """The design column of every source that is not a composite."""
    covariance: Array
    """Covariance of the design columns."""

    @property
    def pathways(self) -> Pathways:
        """Every effect that the edges make."""
        members: dict[str, list[str]] = defaultdict(list)
        for name in self.columns:
            if self.group[name]:
                members[self.group[name]].append(name)
        groups = tuple((group, tuple(names)) for group, names in members.items())
        composites = frozenset(self.group) - frozenset(self.columns)
        return find_pathways(self.edges, self.responses, groups, composites)


def effects(result: PsemResult) -> pd.DataFrame:
    """Every effect of a fitted model: a row per driver, composite and group, response, and path.

    Returns
    -------
    Columns driver, group, response, kind, via, estimate, std_estimate, std_error, conf_low, conf_high,
    p_value. For each driver and response `direct` + every `indirect` = `total`; `total_indirect` is the sum
    of the indirect ones. A group's row has no driver: its drivers move together by one standard
    deviation along the direction of their total effect (`drivers.stats.path_effects.joint_effect`).

    Notes
    -----
    Errors are delta-method ones, √(g' V g); weights of composites are taken as given. The effect of a
    single path coefficient keeps its t; products and sums are tested by the normal distribution.

    Examples
    --------
    >>> import drivers as dr
    >>> chain = dr.simulate("chain", pixels=2000, seed=1).frame
    >>> found = effects(dr.fit("m ~ x + z; y ~ m + z", chain))
    >>> found[(found.driver == "z") & (found.response == "y")]["kind"].tolist()
    ['direct', 'indirect', 'total_indirect', 'total']
    """
    return frame("effects", effect_records(result))


def effect_records(result: PsemResult) -> list[Row]:
    """The same as rows."""
    graph = effect_graph(result)
    ways = graph.pathways
    raw = path_products(graph.raw, ways.walks)
    rows = _driver_rows(graph, ways, raw)
    for source, response in ways.summed:
        rows += _summed_rows(graph, source, response)
    for joint in ways.groups:
        rows += _group_rows(graph, joint, raw)
    _test(rows)
    place = {response: i for i, response in enumerate(graph.responses)}
    return sorted(rows, key=lambda row: place[row["response"]])


def effect_graph(result: PsemResult) -> EffectGraph:
    """The edges of a fitted model, in canonical order."""
    fit, sample = result.fit, result.fit.sample
    model, forms = fit.graph.model, fit.graph.forms
    own = {}
    for form in forms.values():
        columns = sample.select([form]).columns
        if len(columns) == 1 and not form.factors[0].categorical:
            own[columns[0]] = form.label
    edges: list[Edge] = []
    raw, std, df = [], [], []
    blocks: list[Array] = []
    group: dict[str, str] = {}
    places: dict[str, int] = {}

    def source(column: int) -> str:
        name = own.get(column, sample.label(column))
        if column < sample.design.width:
            places[name] = column
            homes = {model.group_of(v) for v in sample.design.columns[column].term.variables}
            group[name] = homes.pop() if len(homes) == 1 else ""
        else:
            group[name] = model.group_of(name)
        return name

    sd = sample.moments.sd
    for weighting in fit.weightings:
        whole = sd[sample.design.width + sample.composites.index(weighting.name)]
        columns = weighting.columns
        edges += [Edge(source(column), weighting.name, True) for column in columns]
        raw.append(weighting.weights)
        std.append(weighting.weights * sd[list(columns)] / whole)
        df.append(np.full(len(columns), np.inf))
        blocks.append(np.zeros((len(columns), len(columns))))
    for e in fit.equations:
        target = forms[e.equation.node].label
        edges += [Edge(source(column), target, False) for column in e.selection.columns]
        raw.append(e.coefficients)
        std.append(e.standardised(sample, model.options.standardize))
        df.append(e.df)
        blocks.append(e.covariance)
    variance = np.zeros((len(edges), len(edges)))
    start = 0
    for block in blocks:
        stop = start + len(block)
        variance[start:stop, start:stop] = block
        start = stop
    return EffectGraph(
        tuple(edges),
        np.concatenate([*raw, np.zeros(0)]),
        np.concatenate([*std, np.zeros(0)]),
        np.concatenate([*df, np.zeros(0)]),
        variance,
        tuple(forms[e.equation.node].label for e in fit.equations)[::-1],
        {forms[e.equation.node].label: e.response_sd for e in fit.equations},
        group,
        places,
        sample.moments.covariance,
    )


def _driver_rows(graph: EffectGraph, ways: Pathways, raw: PathProducts) -> list[Row]:
    """Every effect of a driver or composite: sums of products along its walks, all at once."""
    if not ways.effects:
        return []
    flat = np.array([w for effect in ways.effects for w in effect.walks], dtype=np.intp)
    starts = np.cumsum([0, *(len(effect.walks) for effect in ways.effects)])[:-1]
    estimate = np.add.reduceat(raw.products[flat], starts)
    errors = delta_error(np.add.reduceat(raw.gradients[flat], starts, axis=0), graph.variance)
    std = np.add.reduceat(path_products(graph.std, ways.walks).products[flat], starts)
    return [
        {
            "driver": effect.driver,
            "group": graph.group[effect.driver],
            "response": effect.response,
            "kind": effect.kind,
            "via": effect.via,
            "estimate": float(estimate[i]),
            "std_estimate": float(std[i]),
            "std_error": float(errors[i]),
            "df": _df(graph, ways, effect.walks),
        }
        for i, effect in enumerate(ways.effects)
    ]


def _df(graph: EffectGraph, ways: Pathways, walks: Sequence[int]) -> float:
    """The t of a coefficient for one causal step; the normal for products and sums."""
    if len(walks) > 1:
        return np.inf
    causal = [i for i in ways.walks[walks[0]] if not graph.edges[i].member]
    return float(graph.df[causal[0]]) if len(causal) == 1 else np.inf


def _test(rows: Sequence[Row]) -> None:
    """Add interval and p-value to estimates with their standard errors, in place."""
    estimate = np.array([row["estimate"] for row in rows], dtype=np.float64)
    error = np.array([row["std_error"] for row in rows], dtype=np.float64)
    df = np.array([row.pop("df") for row in rows], dtype=np.float64)
    level = 0.5 + CONFIDENCE / 2
    normal = np.isinf(df)
    half = np.where(normal, special.ndtri(level), special.stdtrit(np.where(normal, 1, df), level)) * error
    with np.errstate(divide="ignore", invalid="ignore"):
        p = np.where(error > 0, np.exp(log_p_t(estimate / error, df)), np.nan)
    for row, width, value in zip(rows, half, p, strict=True):
        row.setdefault("conf_low", row["estimate"] - float(width))
        row.setdefault("conf_high", row["estimate"] + float(width))
        row.setdefault("p_value", float(value))


def _summed_rows(graph: EffectGraph, source: str, response: str) -> list[Row]:
    """Direct, total indirect and total by matrix, where the paths are too many to list."""
    names = list(dict.fromkeys(n for e in graph.edges for n in (e.source, e.target)))
    place = {name: i for i, name in enumerate(names)}
    heads = np.array([place[e.target] for e in graph.edges])
    tails = np.array([place[e.source] for e in graph.edges])
    i, j = place[source], place[response]
    totals = []
    for coefficients in (graph.raw, graph.std):
        b = np.zeros((len(names), len(names)))
        b[heads, tails] = coefficients
        totals.append(total_effects(b))
    reach = totals[0] + np.eye(len(names))
    gradient = reach[j, heads] * reach[tails, i]
    step = (heads == j) & (tails == i)
    direct = [float(coefficients[step].sum()) for coefficients in (graph.raw, graph.std)]
    whole = [float(total[j, i]) for total in totals]
    indirect = [whole[k] - direct[k] for k in (0, 1)]
    kinds = [("total_indirect", indirect, gradient - step), ("total", whole, gradient)]
    if step.any():
        kinds.insert(0, ("direct", direct, step.astype(np.float64)))
    return [
        {
            "driver": source,
            "group": graph.group[source],
            "response": response,
            "kind": kind,
            "via": "",
            "estimate": values[0],
            "std_estimate": values[1],
            "std_error": float(delta_error(g[None, :], graph.variance)[0]),
            # As where paths are listed: a single coefficient keeps its t.
            "df": float(graph.df[step][0]) if kind == "direct" and step.sum() == 1 else np.inf,
        }
        for kind, values, g in kinds
    ]


def _group_rows(graph: EffectGraph, joint: GroupEffect, raw: PathProducts) -> list[Row]:
    """The joint effect of a group's drivers, along every way it takes."""
    parts = np.zeros((len(joint.ways), len(joint.drivers)))
    gradients = np.zeros((*parts.shape, len(graph.edges)))
    for k, (_, _, walks) in enumerate(joint.ways):
        for d, walk in walks:
            parts[k, d] += raw.products[walk]
            gradients[k, d] += raw.gradients[walk]
    index = np.array([graph.columns[name] for name in joint.drivers])
    made = joint_effect(parts, gradients, graph.covariance[np.ix_(index, index)])
    every = np.arange(len(joint.ways))
    indirect = np.array([k for k in every if joint.ways[k][0] == "indirect"], dtype=np.intp)
    rows = [
        (kind, via, made.parts[k], made.part_gradients[k], [k]) for k, (kind, via, _) in enumerate(joint.ways)
    ]
    if len(indirect):
        gradient = made.part_gradients[indirect].sum(axis=0)
        rows.append(("total_indirect", "", made.parts[indirect].sum(), gradient, list(indirect)))
    rows.append(("total", "", made.total, made.total_gradient, list(every)))
    errors = delta_error(np.array([row[3] for row in rows]), graph.variance)
    found = []
    for (kind, via, estimate, _, taken), error in zip(rows, errors, strict=True):
        row = {
            "driver": "",
            "group": joint.group,
            "response": joint.response,
            "kind": kind,
            "via": via,
            "estimate": float(estimate),
            "std_estimate": float(estimate) / graph.response_sd[joint.response],
            "std_error": float(error),
            "df": np.inf,
        }
        # The direction was chosen to make the length large, so its own z would reject too often: what is
        # tested is that every driver's effect is nil. Where they all rest on one coefficient (a composite)
        # that is the z test, and the interval holds; otherwise there is no interval to give.
        slopes = gradients[taken].sum(axis=0)
        test = joint_test(parts[taken].sum(axis=0), slopes @ graph.variance @ slopes.T)
        row["p_value"] = float(np.exp(test.log_p))
        if test.df > 1:
            row["conf_low"] = row["conf_high"] = np.nan
        found.append(row)
    return found
