"""Independence claims tested on one stratum."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from drivers.errors import FitError
from drivers.methods.equations import Fitted, best_log_likelihood, fit_equation
from drivers.methods.partial import NUMBERS, partial_numbers
from drivers.methods.sample import Sample
from drivers.methods.slope_errors import Kind
from drivers.spec.path_graph import ClaimTest, PathGraph
from drivers.spec.terms import Term
from drivers.stats.dsep import multiple_interval, partial_intervals
from drivers.stats.linear import partial_correlations

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class TestedClaims:
    """Every claim with its test; arrays have shape (claims,).

    `statistic`, `df`, `log_p` and the intervals rest on the errors that were asked for. NaN where there are
    too few independent pixels for a test.
    """

    claims: tuple[ClaimTest, ...]
    given: tuple[str, ...]
    statistic: Array
    df: Array
    log_p: Array
    partial_r: Array
    partial_low: Array
    partial_high: Array
    equivalence_p: Array
    n_effective: Array
    log_p_classical: Array
    log_p_block: Array


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
    numbers = np.empty((len(claims), NUMBERS))
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
    """The numbers of linear claims, shape (claims, NUMBERS)."""
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
    tests = [(y, (x, *z)) for (x, y), z in zip(columns.pairs, columns.given, strict=True)]
    return partial_numbers(sample, r, df, tests, graph.model.options.equivalence_bound)


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
    """The numbers of one claim, shape (NUMBERS,)."""
    cause = graph.forms[claim.cause]
    terms = {term.text: term for term in [cause, *graph.given(claim)]}
    fit = fit_equation(sample, graph.equation(claim.response), list(terms.values()))
    mine, bound = fit.places(cause.text), graph.model.options.equivalence_bound
    kinds: tuple[Kind, ...] = ("classical", "block")
    if len(mine) == 1:
        i = mine[0]
        statistic, df, log_p = fit.statistic[i], fit.df[i], fit.log_p[i]
        found = [fit.of_kind(kind) for kind in kinds]
        others = [np.nan if e is None else e.log_p(fit.coefficients)[i] for e in found]
    else:
        statistic, df, log_p = fit.joint_test(cause.text)
        others = [
            np.nan if fit.of_kind(kind) is None else fit.joint_test(cause.text, kind)[2] for kind in kinds
        ]
    # A z test has the residual df of its rows for the size of the effect, as piecewiseSEM prints.
    r, room = _partial(fit, cause.text, mine, statistic, df)
    if len(mine) == 1:
        ranges = partial_intervals(np.array([r]), np.array([room if room > 1.0 else np.nan]), bound)
        interval = (ranges.low[0], ranges.high[0], ranges.equivalence_p[0])
    else:
        known = np.isfinite(room) and room > 1.0
        interval = multiple_interval(r, len(mine), room, bound) if known else (np.nan,) * 3
    n_effective = float(fit.n_effective[mine].min())
    return np.array([statistic, df, log_p, r, *interval, n_effective, *others])


def _partial(fit: Fitted, cause: str, mine: list[int], statistic: float, df: float) -> tuple[float, float]:
    """(Partial) correlation of a claim, and the df that its interval has.

    The correlation is that of the pixels, whatever errors were asked for; these say how well it is known.
    """
    own = fit.classical
    if len(mine) == 1:
        plain = float(fit.coefficients[mine[0]] / own.std_error[mine[0]])
        plain_df, chisq = float(own.df[mine[0]]), plain**2
    else:
        plain, plain_df, _ = fit.joint_test(cause, "classical")
        chisq = plain * (len(mine) if np.isfinite(plain_df) else 1)
    room = plain_df if np.isfinite(plain_df) else float(fit.n - fit.parameters)
    r = float(np.sign(plain) * np.sqrt(chisq / (chisq + room)))
    if fit.errors is own:
        return r, room
    ratio = statistic / plain
    return r, room * (ratio**2 if len(mine) == 1 else abs(ratio))


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
