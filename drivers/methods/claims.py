"""Independence claims tested on one stratum."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from drivers.errors import FitError
from drivers.methods.equations import fit_equation
from drivers.methods.graph import ClaimTest, PathGraph
from drivers.methods.sample import Sample
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
class _One:
    """A claim that was tested by itself."""

    claim: ClaimTest
    statistic: float
    df: float
    log_p: float
    r: float
    low: float
    high: float
    equivalence_p: float


def run_claims(sample: Sample, graph: PathGraph) -> TestedClaims:
    """Test every claim: linear ones from one stack of small matrices, the others one by one."""
    quick: list[int] = []
    pairs: list[tuple[int, int]] = []
    given: list[tuple[int, ...]] = []
    tested: dict[int, _One] = {}
    for i, claim in enumerate(graph.claims):
        columns = _linear_columns(sample, graph, claim)
        if columns is None:
            tested[i] = _by_refit(sample, graph, claim)
        else:
            quick.append(i)
            pairs.append(columns[0])
            given.append(columns[1])
    r = partial_correlations(sample.moments, pairs, given)
    df = np.array([sample.n - 2 - len(z) for z in given], dtype=np.float64)
    for place, pair, z in zip(range(len(r)), pairs, given, strict=True):
        if df[place] < 1:
            raise FitError(f"too few pixels: {sample.n} complete ones for {len(z) + 2} columns of a claim")
        if not np.isfinite(r[place]) or abs(r[place]) >= 1.0:
            claim = graph.claims[quick[place]]
            where = f"the claim that `{claim.cause}` and `{claim.response}` are independent"
            raise sample.explain_collinearity([*z, *pair], where)
    tests = partial_tests(r, df)
    bound = graph.model.options.equivalence_bound
    ranges = partial_intervals(r, df, bound)
    for place, i in enumerate(quick):
        tested[i] = _One(
            graph.claims[i],
            float(tests.statistic[place]),
            float(df[place]),
            float(tests.log_p[place]),
            float(r[place]),
            float(ranges.low[place]),
            float(ranges.high[place]),
            float(ranges.equivalence_p[place]),
        )
    ones = [tested[i] for i in range(len(graph.claims))]
    return TestedClaims(
        tuple(one.claim for one in ones),
        tuple(" + ".join(t.text for t in graph.given(one.claim)) for one in ones),
        *(np.array([getattr(one, name) for one in ones]) for name in _One.__slots__[1:]),
    )


def _linear_columns(
    sample: Sample, graph: PathGraph, claim: ClaimTest
) -> tuple[tuple[int, int], tuple[int, ...]] | None:
    """Columns of (cause, response) and of what is given, if both sides are one column and Gaussian."""
    equation = graph.equation(claim.response)
    if claim.both_ways or equation.family != "gaussian" or equation.random is not None:
        return None
    cause = sample.select([graph.forms[claim.cause]]).columns
    response = sample.select([Term((equation.response,))]).columns
    if len(cause) != 1:
        return None
    given = sample.select(graph.given(claim)).columns
    return (cause[0], response[0]), tuple(c for c in given if c != cause[0])


def _by_refit(sample: Sample, graph: PathGraph, claim: ClaimTest) -> _One:
    """Add the cause to the response's own equation and test it there."""
    directions = [claim, graph.flipped(claim)] if claim.both_ways else [claim]
    tests = [_refit(sample, graph, direction) for direction in directions]
    return min(tests, key=lambda one: one.log_p)


def _refit(sample: Sample, graph: PathGraph, claim: ClaimTest) -> _One:
    equation = graph.equation(claim.response)
    cause = graph.forms[claim.cause]
    terms = {term.text: term for term in [cause, *graph.given(claim)]}
    fit = fit_equation(sample, equation, list(terms.values()))
    mine = [i for i, owner in enumerate(fit.selection.terms) if owner == cause.text]
    bound = graph.model.options.equivalence_bound
    if len(mine) == 1:
        statistic, df = float(fit.statistic[mine[0]]), float(fit.df[mine[0]])
        # A z test has the residual df of its rows for the size of the effect, as piecewiseSEM prints.
        room = df if np.isfinite(df) else float(fit.n - fit.parameters)
        r = statistic / float(np.sqrt(statistic**2 + room))
        ranges = partial_intervals(np.array([r]), np.array([room]), bound)
        interval = (float(ranges.low[0]), float(ranges.high[0]), float(ranges.equivalence_p[0]))
        return _One(claim, statistic, df, float(fit.log_p[mine[0]]), r, *interval)
    statistic, df, log_p = fit.joint_test(cause.text)
    room = df if np.isfinite(df) else float(fit.n - fit.parameters)
    chisq = statistic * (len(mine) if np.isfinite(df) else 1)
    r = float(np.sqrt(chisq / (chisq + room)))
    return _One(claim, statistic, df, log_p, r, *multiple_interval(r, len(mine), room, bound))


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
            fit = fit_equation(sample, equation, [*equation.terms, *missing])
            free[i] = fit.log_likelihood
            added += len(fit.selection.columns) - before
    return free, added
