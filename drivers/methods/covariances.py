"""Correlated errors (`~~`): the partial correlation of two equations' residuals."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from drivers.errors import FitError
from drivers.methods.equations import Fitted
from drivers.methods.partial import partial_numbers
from drivers.methods.sample import Sample
from drivers.spec.path_graph import PathGraph
from drivers.stats.linear import residual_correlation

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class CorrelatedErrors:
    """One `~~` with its test; t on n - k - 2 df, k counting the columns of both equations once."""

    first: str
    second: str
    r: float
    statistic: float
    df: float
    log_p: float
    low: float
    high: float
    n_effective: float
    log_p_classical: float
    log_p_block: float


def correlated_errors(
    sample: Sample, graph: PathGraph, equations: tuple[Fitted, ...]
) -> tuple[CorrelatedErrors, ...]:
    """Every `~~` of the model, two-sided."""
    by_node = {e.equation.node: e for e in equations}
    found = []
    for first, second in graph.model.covariances:
        sides = [by_node.get(first), by_node.get(second)]
        columns = {c for side in sides if side is not None for c in side.selection.columns}
        df = float(sample.n - 2 - len(columns))
        if df < 1:
            raise FitError(f"too few pixels: {sample.n} complete ones for `{first} ~~ {second}`")
        own, test = replace(sample, vicinity=None), (0, (1,))
        if all(side is None or side.response is not None for side in sides):
            weights = [_residual(sample, graph, name, by_node.get(name)) for name in (first, second)]
            r = residual_correlation(sample.moments, weights[0], weights[1])
            p = len(weights[0])
            if sample.vicinity is not None:
                own = replace(sample, vicinity=sample.vicinity.extend(np.array(weights)))
                test = (p, (p + 1,))
        else:
            r = _on_rows(sample, graph, [(first, by_node.get(first)), (second, by_node.get(second))])
        bound = graph.model.options.equivalence_bound
        numbers = partial_numbers(own, np.array([r]), np.array([df]), [test], bound, len(columns))[0]
        statistic, free, log_p, _, low, high, _, *counted = numbers.tolist()
        found.append(CorrelatedErrors(first, second, r, statistic, free, log_p, low, high, *counted))
    return tuple(found)


def _residual(sample: Sample, graph: PathGraph, name: str, equation: Fitted | None) -> Array:
    """A node's residual as weights of the columns; an exogenous node is its own residual."""
    weights = np.zeros(len(sample.moments.mean))
    if equation is None:
        weights[_single(sample, graph, name)] = 1.0
        return weights
    assert equation.response is not None
    weights[equation.response] = 1.0
    weights[list(equation.selection.columns)] -= equation.coefficients
    return weights


def _single(sample: Sample, graph: PathGraph, name: str) -> int:
    columns = sample.select([graph.forms[name]]).columns
    if len(columns) != 1:
        raise FitError(f"`{name}` has several columns; errors correlate for one column only")
    return columns[0]


def _on_rows(sample: Sample, graph: PathGraph, sides: list[tuple[str, Fitted | None]]) -> float:
    """The same from response residuals, where an equation has a link."""
    matrix = sample.matrix(sample.rows())
    residuals = []
    for name, e in sides:
        observed = matrix[_single(sample, graph, name)]
        if e is None:
            residuals.append(observed)
            continue
        residuals.append(observed - e.fitted_values(matrix))
    return float(np.corrcoef(residuals[0], residuals[1])[0, 1])
