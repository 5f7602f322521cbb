"""Independence claims tested on one stratum."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from drivers.errors import FitError
from drivers.methods.equations import best_log_likelihood, fit_equation
from drivers.methods.sample import Sample
from drivers.spec.path_graph import ClaimTest, PathGraph
from drivers.spec.terms import Term
from drivers.stats.dsep import multiple_interval, partial_intervals, partial_tests
from drivers.stats.linear import partial_correlations

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class TestedClaims:
    """Every claim with its test; arrays have shape (claims,)."""

    claims: tuple[ClaimTest, ...]
    given: tuple[str, ...]
    statistic: Array
    df: Array
    log_p: Array
    partial_r: Array
    partial_low: Array
    partial_high: Array
    equivalence_p: Array


@dataclass(frozen=True, slots=True)
class _Columns:
    """The claims that are one column against one column, Gaussian, as columns of the moments."""

    quick: tuple[int, ...]
    slow: tuple[int, ...]
    pairs: tuple[tuple[int, int], ...]
    given: tuple[tuple[int, ...], ...]


def run_claims(sample: Sample, graph: PathGraph) -> TestedClaims:
    """Test every claim: linear ones from one stack of small matrices, the others one by one."""
    claims = list(graph.claims)
    columns = _columns(sample, graph)
    numbers = np.empty((len(claims), 7))
    numbers[list(columns.quick)] = _linear_tests(sample, graph, columns)
    for i in columns.slow:
        claims[i], numbers[i] = _by_refit(sample, graph, claims[i])
    return TestedClaims(tuple(claims), tuple(map(graph.given_text, claims)), *numbers.T)


def _columns(sample: Sample, graph: PathGraph) -> _Columns:
    """Which claims are linear, and their columns: the same for all strata with the same levels."""
    cache = graph.cache
    key = (sample.signature, sample.composites)
    if key not in cache:
        found = [_linear_columns(sample, graph, claim) for claim in graph.claims]
        quick = tuple(i for i, columns in enumerate(found) if columns is not None)
        kept = [columns for columns in found if columns is not None]
        slow = tuple(i for i, columns in enumerate(found) if columns is None)
        cache[key] = _Columns(quick, slow, tuple(pair for pair, _ in kept), tuple(z for _, z in kept))
    made: _Columns = cache[key]
    return made


def _linear_tests(sample: Sample, graph: PathGraph, columns: _Columns) -> Array:
    """Rows of (statistic, df, ln p, r, its interval, equivalence p), shape (claims, 7)."""
    sample.require({c for pair, z in zip(columns.pairs, columns.given, strict=True) for c in (*pair, *z)})
    r = partial_correlations(sample.moments, columns.pairs, columns.given)
    df = np.array([sample.n - 2 - len(z) for z in columns.given], dtype=np.float64)
    if (df < 1).any():
        most = max(map(len, columns.given)) + 2
        raise FitError(f"too few pixels: {sample.n} complete ones for the {most} columns of a claim")
    for place in np.flatnonzero(~(np.abs(r) < 1.0)):
        claim = graph.claims[columns.quick[place]]
        where = f"the claim that `{claim.cause}` and `{claim.response}` are independent"
        raise sample.explain_collinearity([*columns.given[place], *columns.pairs[place]], where)
    tests = partial_tests(r, df)
    ranges = partial_intervals(r, df, graph.model.options.equivalence_bound)
    return np.column_stack(
        [tests.statistic, df, tests.log_p, r, ranges.low, ranges.high, ranges.equivalence_p]
    )


def _linear_columns(
    sample: Sample, graph: PathGraph, claim: ClaimTest
) -> tuple[tuple[int, int], tuple[int, ...]] | None:
    """Columns of (cause, response) and of what is given, if both sides are one column and Gaussian."""
    equation = graph.equation(claim.response)
    if claim.both_ways or equation.family != "gaussian" or equation.random is not None:
        return None
    cause = sample.select([graph.forms[claim.cause]]).columns
    if len(cause) != 1:
        return None
    response = sample.select([Term((equation.response,))]).columns
    given = sample.select(graph.given(claim)).columns
    return (cause[0], response[0]), tuple(c for c in given if c != cause[0])


def _by_refit(sample: Sample, graph: PathGraph, claim: ClaimTest) -> tuple[ClaimTest, Array]:
    """Add the cause to the response's own equation and test it there."""
    directions = [claim, graph.flipped(claim)] if claim.both_ways else [claim]
    return min(((one, _refit(sample, graph, one)) for one in directions), key=lambda found: found[1][2])


def _refit(sample: Sample, graph: PathGraph, claim: ClaimTest) -> Array:
    cause = graph.forms[claim.cause]
    terms = {term.text: term for term in [cause, *graph.given(claim)]}
    fit = fit_equation(sample, graph.equation(claim.response), list(terms.values()))
    mine = [i for i, owner in enumerate(fit.selection.terms) if owner == cause.text]
    bound = graph.model.options.equivalence_bound
    if len(mine) == 1:
        statistic, df, log_p = fit.statistic[mine[0]], fit.df[mine[0]], fit.log_p[mine[0]]
        # A z test has the residual df of its rows for the size of the effect, as piecewiseSEM prints.
        room = df if np.isfinite(df) else float(fit.n - fit.parameters)
        r = statistic / np.sqrt(statistic**2 + room)
        ranges = partial_intervals(np.array([r]), np.array([room]), bound)
        interval = (ranges.low[0], ranges.high[0], ranges.equivalence_p[0])
        return np.array([statistic, df, log_p, r, *interval])
    statistic, df, log_p = fit.joint_test(cause.text)
    room = df if np.isfinite(df) else float(fit.n - fit.parameters)
    chisq = statistic * (len(mine) if np.isfinite(df) else 1)
    r = float(np.sqrt(chisq / (chisq + room)))
    return np.array([statistic, df, log_p, r, *multiple_interval(r, len(mine), room, bound)])


def free_log_likelihoods(
    sample: Sample, graph: PathGraph, restricted: Sequence[float]
) -> tuple[list[float], int]:
    """Log-likelihood of every equation with its missing paths added, and how many columns that adds.

    A claim counts for the equation of its response; equations that miss nothing keep theirs.
    """
    free, added = list(restricted), 0
    for i, equation in enumerate(graph.equations):
        missing = [graph.forms[c.cause] for c in graph.claims if c.response == equation.node]
        if missing:
            before = len(sample.select(equation.terms).columns)
            free[i], columns = best_log_likelihood(sample, equation, [*equation.terms, *missing])
            added += columns - before
    return free, added
