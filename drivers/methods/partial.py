"""Partial correlations with their tests, by each way of counting pixels: claims and correlated errors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from drivers.methods.sample import Sample
from drivers.methods.vicinity import Equation
from drivers.stats.dsep import df_of_equal_width, partial_intervals, partial_tests
from drivers.stats.tails import log_p_t_or_nan

Array = NDArray[np.float64]

NUMBERS = 10
"""Statistic, df, ln p, r, its interval, the p-value of equivalence, independent pixels, and the classical
and block ln p."""


def partial_numbers(
    sample: Sample, r: Array, df: Array, tests: Sequence[Equation], bound: float, taken: int = 0
) -> Array:
    """What the tables say of partial correlations, shape (claims, NUMBERS).

    Parameters
    ----------
    r, df : partial correlations and their df if pixels were independent, shape (claims,)
    tests : for each the response and the predictors of the regression whose first slope is tested, as columns
    bound : |r| below this is negligible
    taken : columns that both sides were freed of before, which the tests do not know
    """
    classical = partial_tests(r, df)
    near, unknown = sample.vicinity, np.full(len(r), np.nan)
    n_effective, free, log_p_block, own = unknown, unknown, unknown, np.zeros((2, len(r)))
    if near is not None:
        regressions = [(response, tuple(predictors)) for response, predictors in tests]
        counted = near.effectives(regressions, first=1)
        n_effective = np.array([c.n_effective[0] for c in counted])
        free = np.array([c.df[0] - taken for c in counted])
        found = near.sandwiches(regressions, first=1)
        own = np.array([(s.coefficients[0] / s.std_error[0], s.df[0]) for s in found]).reshape(-1, 2).T
        log_p_block = log_p_t_or_nan(own[0], own[1])
    log_p, statistic, used = classical.log_p, classical.statistic, df
    if near is not None and sample.errors == "effective":
        # The slope's t, its error √(n / n_effective) times as large.
        statistic, used = classical.statistic * np.sqrt(n_effective / sample.n), free
        log_p = log_p_t_or_nan(statistic, used)
    room = used
    if near is not None and sample.errors == "block":
        statistic, used = own
        log_p = log_p_block
        room = df_of_equal_width(df, classical.statistic, statistic, used)
    with np.errstate(invalid="ignore"):
        ranges = partial_intervals(r, np.where(room > 1.0, room, np.nan), bound)
    return np.column_stack(
        [
            *(statistic, used, log_p, r, ranges.low, ranges.high, ranges.equivalence_p),
            *(n_effective, classical.log_p, log_p_block),
        ]
    )
