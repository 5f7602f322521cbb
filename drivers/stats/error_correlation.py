"""How the correlation of errors falls with distance, from sums of residuals over pairs of pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from drivers.stats.lagged import LaggedMoments

Array = NDArray[np.float64]

ROUNDS = 3
"""Fits of the mixture, each with the weights that follow from the one before."""

PRACTICAL_CORRELATION = 0.05
"""Errors that correlate by no more are strangers when a range is asked for (see `correlogram.PRACTICAL`)."""


@dataclass(frozen=True, slots=True, eq=False)
class ErrorCorrelation:
    """How the correlation of the errors of an equation falls with distance.

    Attributes
    ----------
    distance : mean distance of the pairs of each bin, in units of the lattice, shape (bins,); bin 0 holds the
        pixels with themselves
    correlation : of the errors at two pixels of each bin, shape (bins,): 1 in bin 0 and not rising with
        distance; NaN where there is no error, or are too few pixels, to judge by
    variance : of the errors; NaN as above
    """

    distance: Array
    correlation: Array
    variance: float

    @property
    def practical_range(self) -> float:
        """Smallest distance beyond which the correlation stays at or below `PRACTICAL_CORRELATION`.

        Between bins it is interpolated. 0 where no two pixels are correlated by more, the largest distance
        where all are, NaN where the correlation is unknown.

        Examples
        --------
        >>> distance = np.array([0.0, 1.0, 2.0, 4.0])
        >>> round(ErrorCorrelation(distance, np.array([1.0, 0.35, 0.15, 0.0]), 1.0).practical_range, 6)
        3.333333
        >>> ErrorCorrelation(distance, np.array([1.0, 0.04, 0.01, 0.0]), 1.0).practical_range
        0.0
        """
        if np.isnan(self.variance):
            return np.nan
        # Bins of a finer and of a coarser grid may overlap; pixels with themselves say nothing of distance.
        order = 1 + np.argsort(self.distance[1:], kind="stable")
        d, rho = self.distance[order], self.correlation[order]
        above = np.flatnonzero(rho > PRACTICAL_CORRELATION)
        if not len(above):
            return 0.0
        i = int(above[-1])
        if i + 1 == len(d):
            return float(d[i])
        share = (rho[i] - PRACTICAL_CORRELATION) / (rho[i] - rho[i + 1])
        return float(d[i] + share * (d[i + 1] - d[i]))


class ErrorSums(NamedTuple):
    """Sums over the pairs of each bin that tell how an equation's errors are alike.

    residual : of the residuals' products, shape (bins,)
    within : of the products of an orthonormal basis of the model's m columns, shape (bins, m, m)
    exact : whether there is no error, or are too few places, to speak of
    """

    residual: Array
    within: Array
    exact: bool


def fit_correlations(
    lagged: LaggedMoments, shapes: Array, used: NDArray[np.bool_], sums: Sequence[ErrorSums]
) -> list[ErrorCorrelation]:
    """The mixtures of correlograms that fit residuals' sums by bin best, one for each of several equations.

    Parameters
    ----------
    lagged : of the stratum
    shapes : correlograms by bin, noise first, shape (shapes, bins)
    used : bins that are fitted, shape (bins,)
    sums : of the equations
    """
    n, pairs, distance = float(lagged.n), lagged.pairs, lagged.distance
    unknown = ErrorCorrelation(distance, np.full(len(distance), np.nan), np.nan)
    some = [each for each in sums if not each.exact]
    if not some:
        return [unknown] * len(sums)
    lags, plain = pairs[used] / n, shapes[:, used] * (pairs[used] / n)
    target = np.array([each.residual[used] / each.residual[0] for each in some])
    rows = [plain - _taken_out(each.within, shapes, used) / n for each in some]
    share, area = np.zeros((len(some), len(shapes))), np.ones(len(some))
    for _ in range(ROUNDS):
        # Variance of a mean product over m lags, of fields alike over `area` lags (Bartlett 1946), and of
        # few pairs.
        noise = area[:, None] ** 2 / (area[:, None] + lags) + 1.0 / lags
        weight = 1.0 / (lags * np.sqrt(noise))
        for row, own, wanted, out in zip(rows, weight, target, share, strict=True):
            out[:] = optimize.nnls((row * own).T, wanted * own)[0]
        share[~share.any(axis=1), 0] = 1.0
        rho = share @ shapes / share.sum(axis=1, keepdims=True)
        area = np.maximum(rho**2 @ pairs / n, 1.0)
    # The residual sum of squares is known far better than the sill of any correlogram.
    at_nil = np.array([own @ row[:, 0] for own, row in zip(share, rows, strict=True)])
    variance = [each.residual[0] for each in some] * share.sum(axis=1) / (n * at_nil)
    made = zip(rho, variance.tolist(), strict=True)
    return [unknown if each.exact else ErrorCorrelation(distance, *next(made)) for each in sums]


def _taken_out(within: Array, shapes: Array, used: NDArray[np.bool_]) -> Array:
    """What the fit takes out of each correlogram's sums, shape (shapes, used bins)."""
    flat = within.reshape(len(within), -1)
    return np.asarray((shapes @ flat) @ flat[used].T)
