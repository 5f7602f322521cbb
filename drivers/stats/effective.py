"""How many independent pixels a coefficient or an independence claim rests on.

Neighbouring pixels are alike, so n pixels say less than n independent ones. What a coefficient of a
regression loses by that depends on both sides: on how alike neighbours are in what the other predictors
leave of its column, and in the errors. All numbers come from `LaggedMoments`; no pixel is read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack

from drivers.stats.block_likelihood import BlockLikelihood, block_likelihood
from drivers.stats.correlogram import SMOOTHNESS, matern
from drivers.stats.error_correlation import ErrorCorrelation, ErrorSums, fit_correlations
from drivers.stats.lagged import LaggedMoments
from drivers.stats.linear import ALIASED

Array = NDArray[np.float64]

FEWEST = 10.0
"""Below so many effective pixels there is no test: too few independent pixels. None of 119 tests of a zero
coefficient with 5 to 10 rejected it at 0.05; 2 of 152 with 10 to 17."""

BLOCKS = (36, 72, 144)
"""Blocks whose means have their full covariance, at most. With 100 or 225 instead of 144 the sizes were the
same; 250 correlograms of 144 blocks cost 0.1 s."""

BLOCKS_PER_PIXEL = 3.0
"""Blocks per effective pixel, at least: the fewest of `BLOCKS` that has so many. More would judge the shape
of a correlogram at short distance instead of the area over which it reaches: with 256 blocks of 3 × 3 pixels
no range on the list fits noise-free errors like exp(-(d / 6)²), and the size for a nominal 0.05 was 0.21."""

SHORTEST = 0.5
"""Shortest range of the mixture of correlograms, in cells: neighbours correlate by 0.14."""

MIXED = 14
"""Ranges in that mixture, for each smoothness, up to half of the extent."""

REACH = 0.5
"""Autocovariances beyond this share of the largest distance come from few margins and are not fitted."""

EXACT = 1e-12
"""Share of the response's variance left below which there is no error to speak of."""


@dataclass(frozen=True, slots=True, eq=False)
class EffectiveN:
    """Effective numbers of pixels of the k coefficients of an equation.

    Attributes
    ----------
    n_effective : independent pixels that would give the same standard error, at most n, shape (k,); NaN where
        there are too few blocks of pixels, or no error, to judge by
    n : number of pixels
    df : degrees of freedom of t, n_effective - k - 1, shape (k,): n_effective - 2 - |z|, with z the other
        predictors; NaN where `enough` is False
    by_lags, by_blocks : the two estimates that `n_effective` is made of, shape (k,); NaN where not made
    """

    n_effective: Array
    n: int
    df: Array
    by_lags: Array
    by_blocks: Array

    @property
    def enough(self) -> NDArray[np.bool_]:
        """Whether there are pixels enough for a test, shape (k,)."""
        return np.isfinite(self.df)

    @property
    def std_error_factor(self) -> Array:
        """What a classical standard error is multiplied with, √(n / n_effective), shape (k,)."""
        return np.sqrt(self.n / self.n_effective)


@dataclass(frozen=True)
class Dependence:
    """What is needed of a stratum for the effective pixels of any of its equations: made once, used often."""

    lagged: LaggedMoments
    _blocks: dict[int, BlockLikelihood] = field(default_factory=dict, repr=False, compare=False)
    _correlations: dict[tuple[int, ...], ErrorCorrelation] = field(
        default_factory=dict, repr=False, compare=False
    )
    _origin: tuple[Dependence, Array] | None = field(default=None, repr=False, compare=False)

    def extend(self, weights: Array) -> Dependence:
        """Add linear combinations of the columns as further columns; `weights` has shape (c, p).

        What either has made, or makes later, serves both: a combination's block means are combinations of
        block means, so no covariance is factored twice.
        """
        return Dependence(self.lagged.extend(weights), _origin=(self, weights))

    @cached_property
    def mixture(self) -> Array:
        """Correlograms that errors may be a mixture of, by bin, shape (1 + shapes, bins); noise first."""
        if self._origin:
            return self._origin[0].mixture
        d, unit = self.lagged.distance, self.lagged.unit
        ranges = np.geomspace(SHORTEST * unit, max(self.lagged.extent / 2.0, 2.0 * SHORTEST * unit), MIXED)
        shapes = [matern(d / reach, smoothness) for smoothness in SMOOTHNESS for reach in ranges]
        return np.array([np.eye(1, len(d))[0], *shapes])

    @cached_property
    def fitted(self) -> NDArray[np.bool_]:
        """Bins that a correlogram is fitted to, shape (bins,): of pairs not too far apart (`REACH`)."""
        distance = self.lagged.distance
        fitted: NDArray[np.bool_] = (distance <= REACH * distance.max()) & (self.lagged.pairs > 0.0)
        fitted[0] = True
        return fitted

    def correlation(self, response: int, predictors: Sequence[int]) -> ErrorCorrelation:
        """How the errors of a regression are alike over distance; worked out once for each regression.

        Raises
        ------
        numpy.linalg.LinAlgError
            the predictors are collinear or constant
        """
        key = (response, *predictors)
        base = self._base_of(key)
        if base is not None:
            return base.correlation(response, predictors)
        if key not in self._correlations:
            self.correlations([key], [_equation(self.lagged, response, predictors, 0)])
        return self._correlations[key]

    def correlations(self, keys: Sequence[tuple[int, ...]], equations: Sequence[_Equation]) -> None:
        """Work out those of several regressions, named by response and predictors, together."""
        sums = {key: equation.sums for key, equation in zip(keys, equations, strict=True)}
        owners = {key: self._base_of(key) or self for key in sums}
        for owner in {id(owner): owner for owner in owners.values()}.values():
            new = [key for key in sums if owners[key] is owner and key not in owner._correlations]
            found = fit_correlations(self.lagged, self.mixture, self.fitted, [sums[key] for key in new])
            owner._correlations.update(zip(new, found, strict=True))

    def _base_of(self, key: tuple[int, ...]) -> Dependence | None:
        """That which this one extends, where it has all columns of a regression."""
        if self._origin is None or max(key) >= len(self._origin[0].lagged.centre):
            return None
        return self._origin[0]._base_of(key) or self._origin[0]

    def blocks(self, most: int) -> BlockLikelihood:
        """Likelihoods by at most so many blocks; the dear part, made when first asked for."""
        if most not in self._blocks:
            if self._origin:
                base, weights = self._origin
                self._blocks[most] = base.blocks(most).extend(weights)
            else:
                self._blocks[most] = block_likelihood(self.lagged, most)
        return self._blocks[most]


class _Equation(NamedTuple):
    """Sums over pairs that an equation's errors and predictors make.

    model : rows of the cross-products that its constant and its k predictors have, shape (1 + k,)
    sums : of its residuals and its model
    left : sums by bin of what the other predictors leave of each wanted one, shape (wanted, bins)
    """

    model: NDArray[np.intp]
    sums: ErrorSums
    left: Array


def effective_n(
    dependence: Dependence, response: int, predictors: Sequence[int], *, first: int | None = None
) -> EffectiveN:
    """Effective number of pixels of every coefficient of a regression with an intercept.

    An independence claim x ⫫ y | z is the coefficient of x in y's regression on x and z.

    Parameters
    ----------
    dependence : of the stratum
    response : column of the response, from 0
    predictors : columns of the k predictors, at least one
    first : of the first so many predictors only, as a claim asks for one; None for all k

    Raises
    ------
    numpy.linalg.LinAlgError
        the predictors are collinear or constant

    Notes
    -----
    With e the errors, of variance σ² and correlation R, and x what the other predictors leave of a column,
    var(b) = σ² x'Rx / (x'x)². Independent errors give σ² / (x'x), so

        n_effective = n · rss / (n - k - 1) · x'x / (σ² x'Rx),  σ² x'Rx = σ² Σ_bins ρ(d) Σ_pairs x(s) x(t),

    which is 1 + 1/var(r) of Clifford, Richardson & Hémon (1989, doi:10.2307/2532039) and Dutilleul (1993,
    doi:10.2307/2532625) but for two things. x is taken as it is, not as one of many that might have been. And
    ρ is not the autocorrelation of the residuals, which the fit has made too small: residuals are Me, with M
    taking out the mean and the predictors, and Σ_pairs of them is tr(W M R M), not tr(W R), for the pairs W
    of a bin. Two estimates allow for that:

    By lags: ρ a mixture of Matérn correlograms and noise, fitted by non-negative least squares to those
    sums of the residuals, tr(W M R M) ≈ tr(W R) - tr(P W P R) with P = I - M. Where the fit leaves room this
    is exact enough; with few effective pixels it is 10 to 60 % too large.

    By blocks: the restricted likelihood (Patterson & Thompson 1971, doi:10.1093/biomet/58.3.545), which does
    not see what the predictors take out, of the means over at most 144 blocks (`BLOCKS`), for each
    correlogram of a list; ln σ² x'Rx is averaged over the list with these likelihoods as weights, so that a
    flat likelihood is not mistaken for the best guess in it (compare Handcock & Stein 1993,
    doi:10.2307/1270273).

    The second is taken up to as many effective pixels as there are blocks, the first from twice as many on,
    and between them ln n_effective is interpolated; where each block is a pixel the second is taken alone. Of
    both the smaller counts: the first errs upwards where effective pixels are few, the second where the
    errors are smoother than any correlogram of its list allows.

    Measured (tests/calibration/effective_size.py; two smooth confounders in the model; 160 seeds, so ±
    0.017): with 42 to 410 effective pixels the size at 0.05 was 0.02 to 0.056 and the coverage 0.93 to 0.97,
    where independent pixels gave sizes of 0.30 to 0.83. With noise-free errors like exp(-(d / 6)²) on 48 ×
    48 pixels n_effective was 29 instead of 44 and the size 0.01.

    Examples
    --------
    >>> from drivers.stats.lagged import lagged_moments
    >>> from drivers.stats.lattice import Lattice
    >>> rng = np.random.default_rng(1)
    >>> row, column = np.divmod(np.arange(3600), 60)
    >>> white = rng.normal(size=(2, 3600))
    >>> walk = np.cumsum(rng.normal(size=(2, 60, 60)), axis=2).reshape(2, 3600)   # along the rows
    >>> grid = Lattice(row, column, (60, 60), 1.0, 1.0, True)
    >>> [bool(effective_n(Dependence(lagged_moments(v, grid)), 0, [1]).n_effective[0] > 3000)
    ...  for v in (white, walk)]
    [True, False]
    """
    return effective_ns(dependence, [(response, predictors)], first=first)[0]


def effective_ns(
    dependence: Dependence, regressions: Sequence[tuple[int, Sequence[int]]], *, first: int | None = None
) -> list[EffectiveN]:
    """`effective_n` of several regressions (response, predictors); together they cost less.

    Raises
    ------
    numpy.linalg.LinAlgError
        the predictors of one of them are collinear or constant
    """
    equations = [
        _equation(dependence.lagged, y, x, len(x) if first is None else first) for y, x in regressions
    ]
    keys = [(y, *x) for y, x in regressions]
    dependence.correlations(keys, equations)
    return [_independent(dependence, key, equation) for key, equation in zip(keys, equations, strict=True)]


def error_correlation(dependence: Dependence, response: int, predictors: Sequence[int]) -> ErrorCorrelation:
    """How the correlation of a regression's errors falls with distance, the fit's own bias taken out.

    Parameters
    ----------
    dependence : of the stratum
    response : column of the response, from 0
    predictors : columns of the k predictors; none for an intercept alone

    Raises
    ------
    numpy.linalg.LinAlgError
        the predictors are collinear or constant

    Notes
    -----
    The mixture of Matérn correlograms and noise that `effective_n` fits to the residuals by lags.

    Examples
    --------
    >>> from drivers.stats.lagged import lagged_moments
    >>> from drivers.stats.lattice import Lattice
    >>> rng = np.random.default_rng(1)
    >>> row, column = np.divmod(np.arange(3600), 60)
    >>> noise = rng.normal(size=(66, 66))
    >>> smooth = sum(noise[i : i + 60, j : j + 60] for i in range(6) for j in range(6)).ravel()
    >>> columns = np.array([smooth, rng.normal(size=3600)])
    >>> pixels = Dependence(lagged_moments(columns, Lattice(row, column, (60, 60), 1.0, 1.0, True)))
    >>> 5.0 < error_correlation(pixels, 0, []).practical_range < 15.0
    True
    >>> error_correlation(pixels, 1, [0]).practical_range
    0.0
    """
    return dependence.correlation(response, predictors)


def correlograms(dependence: Dependence, weights: Array) -> list[ErrorCorrelation]:
    """How combinations of the columns, about their means, are alike over distance.

    `weights` has shape (c, p). For each the numbers of `error_correlation` with no predictor.
    """
    lagged = dependence.lagged
    cross, n = lagged.cross, lagged.n
    about = np.column_stack([-(weights @ cross[0, 0, 1:]) / n, weights])
    residuals = np.einsum("bcj,cj->cb", about @ cross, about)
    within = (lagged.pairs / n)[:, None, None]
    few = len(lagged.cells.row) < 3
    sums = [ErrorSums(residual, within, few or not residual[0] > 0.0) for residual in residuals]
    return fit_correlations(lagged, dependence.mixture, dependence.fitted, sums)


def _independent(dependence: Dependence, key: tuple[int, ...], equation: _Equation) -> EffectiveN:
    """Independent pixels behind the slopes of a regression named by response and predictors."""
    k, n, response = len(key) - 1, dependence.lagged.n, key[0]
    residual, left = equation.sums.residual, equation.left
    unknown = np.full(len(left), np.nan)
    if equation.sums.exact:
        return EffectiveN(unknown, n, unknown, unknown, unknown)
    errors = dependence.correlation(response, key[1:])
    scale = n * residual[0] / (n - k - 1) * left[:, 0]
    by_lags = scale / (left @ errors.correlation * errors.variance)
    by_lags = np.where((by_lags > 0.0) & (by_lags < n), by_lags, n)
    by_blocks, share = unknown.copy(), np.zeros(len(left))
    wanted = np.maximum(BLOCKS_PER_PIXEL * by_lags, 4.0 * (k + 1))
    level = np.minimum(np.searchsorted(BLOCKS, wanted), len(BLOCKS) - 1)
    for most, mine in ((most, level == i) for i, most in enumerate(BLOCKS)):
        if not mine.any() or (n > most and by_lags[mine].min() > 2.0 * most):
            continue
        blocks = dependence.blocks(most)
        found = scale[mine] / blocks.variance(equation.model, response + 1, left[mine])
        by_blocks[mine] = np.minimum(found, n)
        share[mine] = np.clip(2.0 - by_lags[mine] / blocks.blocks, 0.0, 1.0) if blocks.blocks < n else 1.0
    with np.errstate(invalid="ignore"):
        mixed = np.exp(
            share * np.log(np.where(share > 0.0, by_blocks, 1.0)) + (1.0 - share) * np.log(by_lags)
        )
        found = np.where(share > 0.0, np.minimum(mixed, by_lags), by_lags)
        df = np.where(found >= max(FEWEST, k + 2.0), found - k - 1.0, np.nan)
    return EffectiveN(found, n, df, by_lags, by_blocks)


def others_residuals(lagged: LaggedMoments, response: int, predictors: Sequence[int]) -> tuple[Array, Array]:
    """Sums over pairs of (1, predictors), shape (bins, 1 + k, 1 + k), and the weights on these of what the
    other predictors leave of each, shape (k, 1 + k).

    Raises
    ------
    numpy.linalg.LinAlgError
        the predictors are collinear or constant
    """
    index = np.concatenate([[0], np.asarray(predictors, dtype=np.intp) + 1, [response + 1]])
    cross = lagged.cross[:, index[:, None], index]
    return cross[:, :-1, :-1], _projections(cross[0])[2]


def _equation(lagged: LaggedMoments, response: int, predictors: Sequence[int], wanted: int) -> _Equation:
    """Sums over pairs of an equation, and of the first so many of its predictors."""
    index = np.array([-1, *predictors, response]) + 1
    model = index[:-1]
    # Of all columns only these are in the equation, the response last.
    cross = lagged.cross[:, index[:, None], index]
    error, basis, others = _projections(cross[0])
    # matmul takes its bins one after the other without the search for an order that einsum begins with.
    residual = cross @ error @ error
    inner = cross[:, :-1, :-1]
    within = basis @ inner @ basis.T
    left = np.einsum("bcj,cj->cb", others[:wanted] @ inner, others[:wanted])
    exact = len(lagged.cells.row) < len(index) + 1 or not residual[0] > EXACT * cross[0, -1, -1]
    return _Equation(model, ErrorSums(residual, within, exact), left)


def _projections(gram: Array) -> tuple[Array, Array, Array]:
    """Weights on (1, predictors, response) of the residual, and on (1, predictors) of an orthonormal basis of
    the model and of what the other predictors leave of each: shapes (2 + k,), (1 + k, 1 + k), (k, 1 + k)."""
    inner = gram[:-1, :-1]
    scale = np.sqrt(inner.diagonal())
    if not (scale > 0.0).all():
        raise np.linalg.LinAlgError("constant column")
    lower, fault = lapack.dpotrf(inner / (scale[:, None] * scale), lower=1, clean=1)
    if fault or (lower.diagonal() ** 2 < ALIASED).any():
        raise np.linalg.LinAlgError("collinear columns")
    basis = lapack.dtrtri(lower, lower=1)[0] / scale
    precision = basis.T @ basis
    error = np.ones(len(gram))
    error[:-1] = -precision @ gram[:-1, -1]
    # A row of the precision over its diagonal: the residual of that column on all others.
    return error, basis, precision[1:] / precision.diagonal()[1:, None]
