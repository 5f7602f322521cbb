"""Products of all columns over all pairs of pixels, by distance: made once, for any combination of columns.

With them the spatial autocovariance of a residual, which is a combination of columns, costs p × p numbers per
bin of distance and reads no pixel again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from drivers.stats.blas import one_blas_thread
from drivers.stats.cell_sums import CellSums
from drivers.stats.far_lags import far_lags
from drivers.stats.lattice import WORKERS, Lattice
from drivers.stats.near_lags import NearSums, begin_near_sums, lag_distance, on_wider_cells
from drivers.stats.pixel_rows import PixelRows, pixel_rows

Array = NDArray[np.float64]
Places = NDArray[np.intp]

MOST_CELLS = 10_000
"""Grids of more cells are not transformed as they are: pairs within `NEAR` cells are summed one lag after the
other, the rest on cells twice as wide, and so on until this few are left (14 + 1 columns: 0.1 s)."""


@dataclass(frozen=True, slots=True, eq=False)
class LaggedMoments:
    """Cross-products over all n² ordered pairs of n pixels, parted by distance.

    Column 0 is the constant 1, columns 1 to p are the columns about `centre`. So any later centring is one
    more combination of columns, and entry [b, 0, 0] is the number of pairs in bin b.

    They do not add as moments do: pixels of two strata also make pairs with each other. What adds are the
    sums per cell; those of a union are the `CellSums` of both.

    Attributes
    ----------
    distance : mean distance of the pairs of each bin, in units of the lattice, shape (bins,); bin 0 holds the
        pixels with themselves, a later bin at distance 0 pixels that share a cell
    cross : Σ over ordered pairs (s, t) of bin b of x_j(s) x_k(t), shape (bins, 1 + p, 1 + p), symmetric
    centre : what was taken from each column, shape (p,): its mean
    cells : the sums of the coarsest grid
    """

    distance: Array
    cross: Array
    centre: Array
    cells: CellSums

    @property
    def n(self) -> int:
        """Number of pixels."""
        return int(self.cross[0, 0, 0])

    @property
    def pairs(self) -> Array:
        """Ordered pairs of each bin, shape (bins,); n in bin 0, n² in all.

        Where the grid was made coarser, a bin holds what is left after the finer grids, so a few may hold
        none or be rounded below it.
        """
        return self.cross[:, 0, 0]

    @property
    def unit(self) -> float:
        """Smallest distance of two pixels that do not share a cell."""
        apart = self.distance[self.distance > 0.0]
        return float(apart.min()) if len(apart) else min(self.cells.height, self.cells.width)

    @property
    def extent(self) -> float:
        """Longer side of the grid."""
        rows, columns = self.cells.shape
        return max(rows * self.cells.height, columns * self.cells.width)

    def extend(self, weights: Array) -> LaggedMoments:
        """Add linear combinations of the columns as further columns; `weights` has shape (c, p)."""
        both, cells = with_combinations(weights), self.cells
        return LaggedMoments(
            self.distance,
            both @ self.cross @ both.T,
            np.concatenate([self.centre, weights @ self.centre]),
            CellSums(cells.row, cells.column, cells.sums @ both.T, cells.height, cells.width),
        )

    def sums(self, first: Array, second: Array | None = None) -> Array:
        """Σ over the pairs of each bin of e(s) f(t), shape (c, bins), for e = `first` and f = `second`.

        Both are weights on the constant and the columns, shape (c, 1 + p) each; `second` is `first` if None.
        """
        second = first if second is None else second
        return np.asarray(np.einsum("cj,bjk,ck->cb", first, self.cross, second, optimize=True))

    def autocovariance(self, weights: Array) -> Array:
        """Autocovariance by bin of combinations of the columns about their means, shape (c, bins).

        `weights` has shape (c, p). NaN where a bin has no pairs.

        Examples
        --------
        >>> line = Lattice(np.zeros(3, dtype=int), np.arange(3), (1, 3), 1.0, 1.0, True)
        >>> lagged = lagged_moments(np.array([[1.0, 2.0, 6.0]]), line)
        >>> lagged.distance.tolist(), lagged.pairs.tolist()
        ([0.0, 1.0, 2.0], [3.0, 4.0, 2.0])
        >>> lagged.autocovariance(np.array([[1.0]])).round(9).tolist()
        [[4.666666667, -0.5, -6.0]]
        """
        weights = np.atleast_2d(weights)
        mean = weights @ self.cross[0, 0, 1:] / self.n
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(self.sums(np.column_stack([-mean, weights])) / self.pairs)


def with_combinations(weights: Array) -> Array:
    """Weights on (1, p columns) of themselves and then of c combinations of the columns.

    `weights` has shape (c, p), the result (1 + p + c, 1 + p).
    """
    count, p = weights.shape
    both = np.eye(1 + p + count, 1 + p)
    both[1 + p :, 1:] = weights
    return both


def lagged_moments(
    columns: Sequence[Array] | Array, lattice: Lattice, *, most_cells: int = MOST_CELLS
) -> LaggedMoments:
    """Cross-products of p columns over all pairs of n pixels, by distance.

    Parameters
    ----------
    columns : p columns of finite numbers, shape (n,) each
    lattice : where the n pixels are; any shape of mask, any number of pixels per cell
    most_cells : of a grid that is transformed as it is

    Raises
    ------
    ValueError
        shapes do not match, there is no pixel, or `most_cells` is below 1

    See Also
    --------
    begin_lagged : what it does, for several strata of one table
    """
    if most_cells < 1:
        raise ValueError(f"most_cells must be at least 1, not {most_cells}")
    n = len(lattice)
    if n == 0 or any(values.shape != (n,) for values in columns):
        shapes = sorted({values.shape for values in columns})
        raise ValueError(f"columns {shapes} must be (n,) with a place on the lattice for each of n >= 1")
    centre, order = np.array([values.mean() for values in columns]), cell_order(lattice.cell)
    if order is not None:
        lattice = replace(lattice, row=lattice.row[order], column=lattice.column[order])

    def read(start: int, stop: int) -> list[Array]:
        part = slice(start, stop)
        return [values[part if order is None else order[part]] for values in columns]

    with ThreadPoolExecutor(WORKERS) as pool:
        return begin_lagged(pixel_rows(read, lattice, centre), np.ones(1, np.bool_), pool, most_cells)()


def begin_lagged(
    pixels: PixelRows, inside: NDArray[np.bool_], pool: ThreadPoolExecutor, most_cells: int = MOST_CELLS
) -> Callable[[], LaggedMoments]:
    """Begin the cross-products of p columns over all pairs of n pixels, by distance.

    A call of what comes back waits for them.

    Parameters
    ----------
    pixels : of a table
    inside : of which codes the n pixels are, at least one; shape (codes,)
    pool : whose threads work from now on, without the interpreter's lock
    most_cells : of a grid that is transformed as it is, at least 1

    Raises
    ------
    ValueError
        no pixel is inside

    Notes
    -----
    Up to `most_cells` cells, sums per cell are correlated with each other by FFT, padded so that nothing
    wraps (Marcotte 1996, doi:10.1016/S0098-3004(96)00026-X), and sorted into bins of distance; exact.

    Of larger grids, the lags h of up to `NEAR` cells are summed one by one: S0(h). The rest comes from a grid
    of cells twice as wide, whose sums S1(H) hold all pairs once more. A pair at lag h lies h/2 of the wider
    cells apart, or, for odd h, with equal chance in either neighbour of that: with I(h, H) these shares,

        Σ_h S0(h) ρ(h) ≈ Σ_near S0(h) ρ(h) + Σ_H (S1(H) - Σ_near I(h, H) S0(h)) ρ(d(H)),

    d(H) the distance of the lags h beyond the near ones that have a share in H. The wider grid is
    treated in the same way.
    """
    if not pixels.count(inside):
        raise ValueError("no pixel is inside")
    near = begin_near_sums(pixels, inside, most_cells, pool)
    return lambda: _finish(near(), pixels.centre)


def _finish(near: NearSums, centre: Array) -> LaggedMoments:
    grids, itself, cells = near
    square = cells.height == cells.width
    if itself is None:
        itself = grids[0][0, 0] if grids else cells.sums.T @ cells.sums
    # Lags whose pairs a finer grid has counted.
    counted = {(0, 0): itself}
    distance: list[Array] = []
    cross: list[Array] = []
    for i, sums in enumerate(grids):
        times = 0.5 ** (len(grids) - i)
        height, width = cells.height * times, cells.width * times
        distance.append(np.array([lag_distance(lag, height, width, i > 0) for lag in sums]))
        cross.append(np.array([found - counted.get(lag, 0.0) for lag, found in sums.items()]))
        counted = on_wider_cells(sums, square)
    with one_blas_thread():
        far, left = far_lags(cells, counted, bool(grids))
    # From `centre` to the pixels' own mean.
    moved = itself[0, 1:] / itself[0, 0]
    about = np.eye(len(itself))
    about[1:, 0] = -moved
    return LaggedMoments(
        np.concatenate([[0.0], *distance, far]),
        about @ np.concatenate([itself[None], *cross, left]) @ about.T,
        centre + moved,
        replace(cells, sums=cells.sums @ about.T),
    )


def cell_order(cell: Places) -> Places | None:
    """The order of pixels in which their cells rise, shape (n,); None where they do."""
    if not np.any(cell[1:] < cell[:-1]):
        return None
    # Where no two pixels share a cell, laying them out is a sort, and ten times as fast.
    laid = np.full(int(cell.max()) + 1, -1, dtype=np.intp)
    laid[cell] = np.arange(len(cell))
    order = laid[laid >= 0]
    return order if len(order) == len(cell) else np.argsort(cell, kind="stable")
