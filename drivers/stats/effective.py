"""How many independent pixels a coefficient or an independence claim rests on.

Neighbouring pixels are alike, so n pixels say less than n independent ones. What a coefficient of a
regression loses by that depends on both sides: on how alike neighbours are in what the other predictors
leave of its column, and in the errors. All numbers come from `LaggedMoments`; no pixel is read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy import optimize
from scipy.linalg import lapack

from drivers.stats.correlogram import PRACTICAL, SMOOTHNESS, matern
from drivers.stats.lagged import CellSums, LaggedMoments
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

SUBCELLS = 8
"""Points per side of a block at which a correlogram is averaged over it."""

STEP = np.sqrt(2.0)
"""Ratio of neighbouring ranges on the list."""

WIDEST = 2.0
"""Longest practical range on the list, in extents of the pixels: longer ones cannot be told from it."""

NUGGETS = (1e-4, 0.01, 0.1, 0.3, 0.6, 0.85, 1.0)
"""Shares of pixel noise on the list; 1 is independence, and 0 would leave smooth covariances singular."""

SHORTEST = 0.5
"""Shortest range of the mixture of correlograms, in cells: neighbours correlate by 0.14."""

MIXED = 14
"""Ranges in that mixture, for each smoothness, up to half of the extent."""

REACH = 0.5
"""Autocovariances beyond this share of the largest distance come from few margins and are not fitted."""

ROUNDS = 3
"""Fits of the mixture, each with the weights that follow from the one before."""

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


@dataclass(frozen=True, slots=True, eq=False)
class BlockLikelihood:
    """Means of the columns over blocks of pixels, under each correlogram of a list.

    Attributes
    ----------
    blocks : number m of blocks
    correlation : of two pixels in each bin of the lagged moments, shape (models, bins)
    log_det : ln |Σ| of the block means' covariance for pixels of unit variance, shape (models,)
    precision : B' Σ⁻¹ B with B the block means of 1 and the columns, shape (models, 1 + p, 1 + p)
    """

    blocks: int
    correlation: Array
    log_det: Array
    precision: Array


@dataclass(frozen=True)
class Dependence:
    """What is needed of a stratum for the effective pixels of any of its equations: made once, used often."""

    lagged: LaggedMoments
    _blocks: dict[int, BlockLikelihood] = field(default_factory=dict, repr=False, compare=False)

    @cached_property
    def mixture(self) -> Array:
        """Correlograms that errors may be a mixture of, by bin, shape (1 + shapes, bins); noise first."""
        d = self.lagged.distance
        unit, extent = _steps(self.lagged.cells, d)
        ranges = np.geomspace(SHORTEST * unit, max(extent / 2.0, 2.0 * SHORTEST * unit), MIXED)
        shapes = [matern(d / reach, smoothness) for smoothness in SMOOTHNESS for reach in ranges]
        return np.array([_itself(len(d)), *shapes])

    def blocks(self, most: int) -> BlockLikelihood:
        """Likelihoods by at most so many blocks; the dear part, made when first asked for."""
        if most not in self._blocks:
            self._blocks[most] = block_likelihood(self.lagged, most)
        return self._blocks[most]


def _itself(bins: int) -> Array:
    return np.concatenate([[1.0], np.zeros(bins - 1)])


def _steps(cells: CellSums, distance: Array) -> tuple[float, float]:
    """Smallest distance of two pixels, and the longer side of the grid."""
    apart = distance[distance > 0.0]
    rows, columns = cells.shape
    unit = float(apart.min()) if len(apart) else min(cells.height, cells.width)
    return unit, max(rows * cells.height, columns * cells.width)


def effective_n(dependence: Dependence, response: int, predictors: Sequence[int]) -> EffectiveN:
    """Effective number of pixels of every coefficient of a regression with an intercept.

    An independence claim x ⫫ y | z is the coefficient of x in y's regression on x and z.

    Parameters
    ----------
    dependence : of the stratum
    response : column of the response, from 0
    predictors : columns of the k predictors, at least one

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
    lagged = dependence.lagged
    k, n = len(predictors), lagged.n
    model = np.concatenate([[0], np.asarray(predictors, dtype=np.intp) + 1])
    sums = lagged.cross
    error, basis, others = _projections(sums[0], model, response + 1)
    residual = lagged.sums(error[None])[0]
    left = lagged.sums(others)
    unknown = np.full(k, np.nan)
    places = len(lagged.cells.row)
    if places < k + 3 or not residual[0] > EXACT * sums[0][response + 1, response + 1]:
        return EffectiveN(unknown, n, unknown, unknown, unknown)
    scale = n * residual[0] / (n - k - 1) * left[:, 0]
    by_lags = scale / _variance_by_lags(dependence, residual, basis, left)
    by_lags = np.where((by_lags > 0.0) & (by_lags < n), by_lags, n)
    by_blocks, share = unknown.copy(), np.zeros(k)
    wanted = np.maximum(BLOCKS_PER_PIXEL * by_lags, 4.0 * (k + 1))
    level = np.minimum(np.searchsorted(BLOCKS, wanted), len(BLOCKS) - 1)
    for most, mine in ((most, level == i) for i, most in enumerate(BLOCKS)):
        if not mine.any() or (n > most and by_lags[mine].min() > 2.0 * most):
            continue
        blocks = dependence.blocks(most)
        found = scale[mine] / _variance_by_blocks(blocks, model, response + 1, left[mine])
        by_blocks[mine] = np.minimum(found, n)
        share[mine] = np.clip(2.0 - by_lags[mine] / blocks.blocks, 0.0, 1.0) if blocks.blocks < n else 1.0
    with np.errstate(invalid="ignore"):
        mixed = np.exp(
            share * np.log(np.where(share > 0.0, by_blocks, 1.0)) + (1.0 - share) * np.log(by_lags)
        )
        found = np.where(share > 0.0, np.minimum(mixed, by_lags), by_lags)
        df = np.where(found >= max(FEWEST, k + 2.0), found - k - 1.0, np.nan)
    return EffectiveN(found, n, df, by_lags, by_blocks)


def _projections(gram: Array, model: NDArray[np.intp], response: int) -> tuple[Array, Array, Array]:
    """Weights on (1, columns) of the residual, of an orthonormal basis of the model and of what the other
    predictors leave of each, shapes (1 + p,), (1 + k, 1 + p) and (k, 1 + p)."""
    inner = gram[np.ix_(model, model)]
    scale = np.sqrt(np.diag(inner))
    if not (scale > 0.0).all():
        raise np.linalg.LinAlgError("constant column")
    lower, fault = lapack.dpotrf(inner / np.outer(scale, scale), lower=1, clean=1)
    if fault or np.any(np.diag(lower) ** 2 < ALIASED):
        raise np.linalg.LinAlgError("collinear columns")
    inverse = lapack.dtrtri(lower, lower=1)[0] / scale
    precision = inverse.T @ inverse
    size = len(gram)
    error = np.zeros(size)
    error[model] = -precision @ gram[model, response]
    error[response] += 1.0
    basis, others = np.zeros((len(model), size)), np.zeros((len(model) - 1, size))
    basis[:, model] = inverse
    # A row of the precision over its diagonal: the residual of that column on all others.
    others[:, model] = precision[1:] / np.diag(precision)[1:, None]
    return error, basis, others


def _variance_by_lags(dependence: Dependence, residual: Array, basis: Array, left: Array) -> Array:
    """σ² x'Rx of each predictor from the residual's sums by bin, shape (k,)."""
    lagged, shapes = dependence.lagged, dependence.mixture
    n, pairs, distance = float(lagged.n), lagged.pairs, lagged.distance
    within = np.einsum("ij,bjk,lk->bil", basis, lagged.cross, basis, optimize=True)
    taken = np.tensordot(shapes, within, axes=1)
    flat = (len(shapes), -1), (len(within), -1)
    expected = shapes * pairs - taken.reshape(flat[0]) @ within.reshape(flat[1]).T
    used = (distance <= REACH * distance.max()) & (pairs > 0.0)
    used[0] = True
    lags = pairs[used] / n
    target, rows = residual[used] / residual[0], expected[:, used] / n
    area = 1.0
    for _ in range(ROUNDS):
        # Variance of a mean product over m lags, of fields alike over `area` lags (Bartlett 1946), and of
        # few pairs.
        noise = area**2 / (area + lags) + 1.0 / lags
        weight = 1.0 / (lags * np.sqrt(noise))
        share, _ = optimize.nnls((rows * weight).T, target * weight)
        if not share.any():
            share[0] = 1.0
        rho = share @ shapes / share.sum()
        area = max(float(pairs @ rho**2) / n, 1.0)
    # The residual sum of squares is known far better than the sill of any correlogram.
    return np.asarray(left @ rho * (residual[0] * share.sum() / (share @ expected[:, 0])))


def _variance_by_blocks(
    blocks: BlockLikelihood, model: NDArray[np.intp], response: int, left: Array
) -> Array:
    """σ² x'Rx of each predictor from the restricted likelihood of block means, shape (k,)."""
    k, free = len(left), blocks.blocks - len(model)
    if free < 2:
        return np.full(k, np.nan)
    index = np.append(model, response)
    try:
        lower = np.linalg.cholesky(blocks.precision[:, index[:, None], index])
    except np.linalg.LinAlgError:
        # Block means of the predictors are collinear though pixels are not.
        return np.full(k, np.nan)
    diagonal = np.diagonal(lower, axis1=1, axis2=2)
    rss = diagonal[:, -1] ** 2
    log_likelihood = -0.5 * blocks.log_det - np.log(diagonal[:, :-1]).sum(axis=1) - 0.5 * free * np.log(rss)
    weight = np.exp(log_likelihood - log_likelihood.max())
    spread = rss[:, None] / free * (blocks.correlation @ left.T)
    spread = np.maximum(spread, EXACT * rss[:, None] * left[:, 0])
    return np.asarray(np.exp(weight @ np.log(spread) / weight.sum()))


def block_likelihood(lagged: LaggedMoments, most_blocks: int) -> BlockLikelihood:
    """Precisions of block means under every correlogram of the list.

    Parameters
    ----------
    lagged : of the stratum
    most_blocks : of occupied blocks

    Notes
    -----
    Two blocks of q × q points each have the mean correlation Σ tri(i) tri(j) ρ(lag + (i, j)), tri the
    triangle of width 2q; a block with itself has (1 + (c - 1) r) / c with c its pixels and r that mean over
    distinct ones. Blocks that the mask cuts are taken as filled by chance, c pixels anywhere in them.
    """
    cells = lagged.cells
    single = bool(cells.sums[:, 0].max() == 1.0)
    blocks, down, right = _in_blocks(cells, most_blocks)
    points = [min(times, SUBCELLS) if single else SUBCELLS for times in (down, right)]
    count = blocks.sums[:, 0]
    means = blocks.sums / count[:, None]
    m = len(count)
    rows, columns = blocks.shape
    lag_row, lag_column = (
        np.abs(blocks.row[:, None] - blocks.row),
        np.abs(blocks.column[:, None] - blocks.column),
    )
    along = [_offsets(q, step) for q, step in zip(points, (blocks.height, blocks.width), strict=True)]
    share = np.outer(along[0][1], along[1][1])
    y = (np.arange(rows) * blocks.height)[:, None] + along[0][0]
    x = (np.arange(columns) * blocks.width)[:, None] + along[1][0]
    apart = np.hypot(y[:, None, :, None], x[None, :, None, :])
    whole = points[0] * points[1]
    exact = single and points == [down, right] and whole > 1
    unit, extent = _steps(cells, lagged.distance)
    shortest, longest = max(np.sqrt(blocks.height * blocks.width), 1.5 * unit), WIDEST * extent
    steps = max(int(np.ceil(np.log(longest / shortest) / np.log(STEP))), 1)
    white = _itself(len(lagged.distance))
    correlation, log_det, precision = [], [], []
    for smoothness, i in product(SMOOTHNESS, range(steps + 1)):
        reach = shortest * STEP**i / PRACTICAL[smoothness]
        mean = np.einsum("rcij,ij->rc", matern(apart / reach, smoothness), share, optimize=True)
        within = (whole * mean[0, 0] - 1.0) / (whole - 1.0) if exact else mean[0, 0]
        shared = mean[lag_row, lag_column]
        np.fill_diagonal(shared, (1.0 + (count - 1.0) * within) / count)
        of_pixels = matern(lagged.distance / reach, smoothness)
        for nugget in NUGGETS:
            covariance = (1.0 - nugget) * shared
            # A rounding of the diagonal keeps nearly singular covariances positive.
            covariance[np.diag_indices(m)] += nugget / count + 1e-9
            lower, fault = lapack.dpotrf(covariance, lower=1, overwrite_a=1)
            if fault:
                continue
            half, _ = lapack.dtrtrs(lower, means, lower=1)
            correlation.append((1.0 - nugget) * of_pixels + nugget * white)
            log_det.append(2.0 * np.log(np.diag(lower)).sum())
            precision.append(half.T @ half)
            correlation[-1][0] = 1.0
    return BlockLikelihood(m, np.array(correlation), np.array(log_det), np.array(precision))


def _offsets(points: int, step: float) -> tuple[Array, Array]:
    """Differences of two points of a side, and how often each occurs, summing to 1."""
    i = np.arange(1 - points, points)
    share: Array = (points - np.abs(i)) / points**2
    return np.asarray(i * (step / points), dtype=np.float64), share


def _in_blocks(cells: CellSums, most: int) -> tuple[CellSums, int, int]:
    """About square blocks of cells, the smallest of which no more than `most` are occupied."""
    side = max(cells.height, cells.width)
    while True:
        down, right = max(round(side / cells.height), 1), max(round(side / cells.width), 1)
        blocks = cells.coarser(down, right)
        if len(blocks.row) <= most:
            return blocks, down, right
        # Counts fall with the square of the side, in clumps a little faster or slower.
        side = max(side + max(cells.height, cells.width) / 2.0, side * np.sqrt(len(blocks.row) / most) * 0.9)
