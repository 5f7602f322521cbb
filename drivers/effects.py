"""Direct, indirect and total effects of drivers, composites and groups (METHODS, section 5).

A term that is not a variable's own form (a product, a power, a dummy) is a driver of its own: effects
start at it, none pass through it. Effects of a composite's member are its weight times the composite's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from drivers.effect_errors import EffectErrors, OverBlocks, block_errors, delta_errors, over_blocks
from drivers.effect_graph import EffectGraph, effect_graph
from drivers.latent_graph import latent_graph
from drivers.methods.lsem import LsemResult
from drivers.methods.psem import PsemResult
from drivers.methods.result import frame
from drivers.pathways import GroupEffect, Pathways
from drivers.stats.blas import one_blas_thread
from drivers.stats.dsep import CONFIDENCE
from drivers.stats.path_effects import (
    PathProducts,
    delta_error,
    joint_effect,
    joint_test,
    path_products,
    total_effects,
)
from drivers.stats.tails import log_p_t_or_nan, t_quantile

Array = NDArray[np.float64]
Row = dict[str, Any]


def effects(result: PsemResult | LsemResult) -> pd.DataFrame:
    """Every effect of a fitted model: a row per driver, composite and group, response, and path.

    Returns
    -------
    Columns driver, group, response, kind, via, estimate, std_estimate, std_error, conf_low, conf_high,
    p_value, and what else the glossary lists. For each driver and response `direct` + every `indirect` =
    `total`; `total_indirect` is the sum of the indirect ones. A group's row has no driver: its drivers move
    together by one standard deviation along the direction of their total effect
    (`drivers.stats.path_effects.joint_effect`).

    Notes
    -----
    Errors are of the kind that the model asks for. `classical`: the delta method, √(g' V g), with weights of
    composites as given; `effective`: the same, and the error of a member's regression weight is in its
    effects; `block`: blocks perturbed and drawn, with weights found anew. The effect of a single path
    coefficient keeps its t; of products and sums, classical ones are tested by the
    normal distribution, the others on the fewest degrees of freedom among their coefficients or the blocks.

    Examples
    --------
    >>> import drivers as dr
    >>> chain = dr.simulate("chain", pixels=2000, seed=1).frame
    >>> found = effects(dr.fit("m ~ x + z; y ~ m + z", chain))
    >>> found[(found.driver == "z") & (found.response == "y")]["kind"].tolist()
    ['direct', 'indirect', 'total_indirect', 'total']
    """
    return frame("effects", effect_records(result)["effects"])


@one_blas_thread()
def effect_records(result: PsemResult | LsemResult) -> dict[str, list[Row]]:
    """The rows of effects.csv, and those of the tables that set all kinds of errors side by side."""
    graph = latent_graph(result.fit) if isinstance(result, LsemResult) else effect_graph(result)
    ways = graph.pathways
    raw = path_products(graph.raw, ways.walks)
    blocks = over_blocks(result.fit, ways) if isinstance(result, PsemResult) else None
    rows, side_by_side = _driver_rows(graph, ways, raw, blocks)
    others: list[Row] = []
    for source, response in ways.summed:
        others += _summed_rows(graph, source, response)
    for joint in ways.groups:
        others += _group_rows(graph, joint, raw)
    _test(others)
    place = {response: i for i, response in enumerate(graph.responses)}
    made = {"effects": sorted([*rows, *others], key=lambda row: place[row["response"]])}
    return {**made, "effect_errors": side_by_side} if side_by_side else made


def _driver_rows(
    graph: EffectGraph, ways: Pathways, raw: PathProducts, blocks: OverBlocks | None
) -> tuple[list[Row], list[Row]]:
    """Every effect of a driver or composite: sums of products along its walks, all at once."""
    if not ways.effects:
        return [], []
    flat = np.array([w for effect in ways.effects for w in effect.walks], dtype=np.intp)
    starts = np.cumsum([0, *(len(effect.walks) for effect in ways.effects)])[:-1]
    estimate = np.add.reduceat(raw.products[flat], starts)
    gradients = np.add.reduceat(raw.gradients[flat], starts, axis=0)
    standard = path_products(graph.std, ways.walks)
    std = np.add.reduceat(standard.products[flat], starts)
    std_gradients = np.add.reduceat(standard.gradients[flat], starts, axis=0)
    causal = np.array([not edge.member for edge in graph.edges])
    single = ((gradients != 0).sum(axis=1) == 1) & causal[np.argmax(gradients != 0, axis=1)]
    counted = _with_fixed_ends(graph, ways, raw, flat, starts)
    found: dict[str, EffectErrors] = {
        kind: delta_errors(
            *(errors, kind, gradients if kind == "classical" else counted, std_gradients),
            *(single, estimate, std, blocks),
        )
        for kind, errors in graph.errors.items()
    }
    if blocks is not None:
        found["block"] = block_errors(blocks, found["block"], single, estimate, std)
        if blocks.drawn is not None:
            found["bootstrap"] = blocks.drawn
    keys: list[Row] = [
        {
            "driver": effect.driver,
            "group": graph.group[effect.driver],
            "response": effect.response,
            "kind": effect.kind,
            "via": effect.via,
        }
        for effect in ways.effects
    ]
    side_by_side = [
        {**key, "errors": kind, **row}
        for kind, errors in found.items()
        for key, row in zip(keys, _numbers(estimate, std, errors), strict=True)
    ]
    chosen = found[graph.chosen]
    if graph.chosen == "block" and "bootstrap" in found:
        chosen = _with_limits(chosen, found["bootstrap"])
    rows = [{**key, **row} for key, row in zip(keys, _numbers(estimate, std, chosen), strict=True)]
    return rows, side_by_side if len(found) > 1 else []


def _with_fixed_ends(
    graph: EffectGraph,
    ways: Pathways,
    raw: PathProducts,
    flat: NDArray[np.intp],
    starts: NDArray[np.intp],
) -> Array:
    """Gradients of the effects, shape (m, E), where errors of regression weights are counted.

    The path from a composite with regression weights to the response is 1 by construction, whatever the
    weights: in the effect of a member it adds no error of its own.
    """
    gradients = raw.gradients.copy()
    ends = {i for i, edge in enumerate(graph.edges) if (edge.source, edge.target) in graph.unit_paths}
    for row, walk in enumerate(ways.walks):
        if graph.edges[walk[0]].member and walk[-1] in ends:
            gradients[row, walk[-1]] = 0.0
    return np.asarray(np.add.reduceat(gradients[flat], starts, axis=0))


def _with_limits(own: EffectErrors, drawn: EffectErrors) -> EffectErrors:
    """Errors with the intervals of the draws, where these exist."""
    limits = [
        np.where(np.isfinite(theirs), theirs, mine)
        for mine, theirs in zip(
            (own.low, own.high, own.std_low, own.std_high),
            (drawn.low, drawn.high, drawn.std_low, drawn.std_high),
            strict=True,
        )
    ]
    return EffectErrors(own.std_error, own.df, limits[0], limits[1], own.std_error_std, limits[2], limits[3])


def _numbers(estimate: Array, std: Array, errors: EffectErrors) -> list[Row]:
    """The cells of each effect's row."""
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = np.where(errors.std_error > 0, estimate / errors.std_error, np.nan)
    cells = {
        "estimate": estimate,
        "std_estimate": std,
        "std_error": errors.std_error,
        "df": np.where(np.isinf(errors.df), np.nan, errors.df),
        "p_value": np.exp(log_p_t_or_nan(statistic, errors.df)),
        "conf_low": errors.low,
        "conf_high": errors.high,
        "std_estimate_error": errors.std_error_std,
        "std_conf_low": errors.std_low,
        "std_conf_high": errors.std_high,
    }
    columns = [values.tolist() for values in cells.values()]
    return [dict(zip(cells, row, strict=True)) for row in zip(*columns, strict=True)]


def _test(rows: Sequence[Row]) -> None:
    """Add interval and p-value to estimates with their standard errors, in place."""
    estimate = np.array([row["estimate"] for row in rows], dtype=np.float64)
    error = np.array([row["std_error"] for row in rows], dtype=np.float64)
    df = np.array([row.pop("df") for row in rows], dtype=np.float64)
    half = t_quantile(df, CONFIDENCE) * error
    with np.errstate(divide="ignore", invalid="ignore"):
        p = np.exp(log_p_t_or_nan(np.where(error > 0, estimate / error, np.nan), df))
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
            "df": float(graph.errors[graph.chosen].effect_df(g[None, :], graph.chosen)[0]),
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
    every_gradient = np.array([row[3] for row in rows])
    errors = delta_error(every_gradient, graph.variance)
    free = graph.errors[graph.chosen].effect_df(every_gradient, graph.chosen)
    found = []
    for (kind, via, estimate, _, taken), error, df in zip(rows, errors, free, strict=True):
        row = {
            "driver": "",
            "group": joint.group,
            "response": joint.response,
            "kind": kind,
            "via": via,
            "estimate": float(estimate),
            "std_estimate": float(estimate) / graph.response_sd[joint.response],
            "std_error": float(error),
            "df": float(df),
        }
        # The direction was chosen to make the length large, so its own z would reject too often: what is
        # tested is that every driver's effect is nil. Where they all rest on one coefficient (a composite)
        # that is the z test, and the interval holds; otherwise there is no interval to give.
        slopes = gradients[taken].sum(axis=0)
        test = joint_test(parts[taken].sum(axis=0), slopes @ graph.variance @ slopes.T, float(df))
        row["p_value"] = float(np.exp(test.log_p))
        if test.df > 1:
            row["conf_low"] = row["conf_high"] = np.nan
        found.append(row)
    return found
