"""Means over blocks of pixels under a list of correlograms: the likelihood where effective pixels are few.

It says by how much, and over which distance, the errors of an equation are alike, from at most 144 numbers a
column; made once for all equations of a stratum.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack

from drivers.stats.blas import one_blas_thread
from drivers.stats.cell_sums import CellSums
from drivers.stats.correlogram import PRACTICAL, SMOOTHNESS, matern
from drivers.stats.lagged import LaggedMoments, with_combinations

Array = NDArray[np.float64]

EXACT = 1e-12
"""Share of an independent errors' variance below which that of correlated ones is rounding."""

SUBCELLS = 8
"""Points per side of a block at which a correlogram is averaged over it."""

STEP = np.sqrt(2.0)
"""Ratio of neighbouring ranges on the list."""

WIDEST = 2.0
"""Longest practical range on the list, in extents of the pixels: longer ones cannot be told from it."""

NUGGETS = (1e-4, 0.01, 0.1, 0.3, 0.6, 0.85, 1.0)
"""Shares of pixel noise on the list; 1 is independence, and 0 would leave smooth covariances singular."""


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

    def extend(self, weights: Array) -> BlockLikelihood:
        """Add linear combinations of the columns as further columns; `weights` has shape (c, p).

        The precision of 1, the columns and T of them is T P T': no covariance is factored again.
        """
        both = with_combinations(weights)
        return replace(self, precision=both @ self.precision @ both.T)

    def variance(self, model: NDArray[np.intp], response: int, left: Array) -> Array:
        """σ² x'Rx of each predictor, averaged over the list with the restricted likelihoods as weights.

        Parameters
        ----------
        model : rows of `precision` that the predictors and the constant have, shape (1 + k,)
        response : row of the response
        left : Σ over the pairs of each bin of x(s) x(t), shape (c, bins)

        Returns
        -------
        Array : shape (c,); NaN where there are too few blocks, or the predictors' means are collinear
        """
        free = self.blocks - len(model)
        unknown = np.full(len(left), np.nan)
        if free < 2:
            return unknown
        index = np.append(model, response)
        try:
            lower = np.linalg.cholesky(self.precision[:, index[:, None], index])
        except np.linalg.LinAlgError:
            # Block means of the predictors are collinear though pixels are not.
            return unknown
        diagonal = np.diagonal(lower, axis1=1, axis2=2)
        rss = diagonal[:, -1] ** 2
        log_likelihood = -0.5 * self.log_det - np.log(diagonal[:, :-1]).sum(axis=1) - 0.5 * free * np.log(rss)
        weight = np.exp(log_likelihood - log_likelihood.max())
        spread = rss[:, None] / free * (self.correlation @ left.T)
        spread = np.maximum(spread, EXACT * rss[:, None] * left[:, 0])
        return np.asarray(np.exp(weight @ np.log(spread) / weight.sum()))


@one_blas_thread()
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
    shortest = max(np.sqrt(blocks.height * blocks.width), 1.5 * lagged.unit)
    longest = WIDEST * lagged.extent
    steps = max(int(np.ceil(np.log(longest / shortest) / np.log(STEP))), 1)
    white = np.eye(1, len(lagged.distance))[0]
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
