"""Products of all columns over all pairs of pixels, by distance: made once, for any combination of columns.

With them the spatial autocovariance of a residual, which is a combination of columns, costs p × p numbers per
bin of distance and reads no pixel again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft, sparse

from drivers.stats.correlogram import bin_edges
from drivers.stats.lattice import Lattice

Array = NDArray[np.float64]

MOST_CELLS = 10_000
"""Grids of more cells are not transformed as they are: pairs within `NEAR` cells are summed one lag after the
other, the rest on cells twice as wide, and so on until this few are left (14 + 1 columns: 0.1 s)."""

NEAR = 3
"""Lags of up to three cells are summed on each grid before it is made coarser. Each coarsening then moves
Σ ρ(d) S(d) by up to 3 % of itself (15 correlograms, 5 columns, 2 masks), with two cells by up to 5 %."""

CHUNK = 512
"""Cells whose neighbours are gathered at a time: 0.9 MB for 15 columns, which stays near the processor."""


@dataclass(frozen=True, slots=True, eq=False)
class CellSums:
    """Sums of the columns over the pixels of each occupied cell of a grid.

    Attributes
    ----------
    row, column : of the cell, shape (u,)
    sums : number of pixels, then the sum of each column, shape (u, 1 + p)
    height, width : of a cell, in units of the coordinates
    """

    row: NDArray[np.intp]
    column: NDArray[np.intp]
    sums: Array
    height: float
    width: float

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the grid."""
        return int(self.row.max()) + 1, int(self.column.max()) + 1

    def coarser(self, down: int, right: int) -> CellSums:
        """The same sums over blocks of `down` × `right` cells."""
        row, column = self.row // down, self.column // right
        width = int(column.max()) + 1
        number = row * width + column
        order = np.argsort(number, kind="stable")
        cell, first = np.unique(number[order], return_index=True)
        members = sparse.csr_array((np.ones(len(order)), order, np.append(first, len(order))))
        sums = np.asarray(members @ self.sums)
        return CellSums(cell // width, cell % width, sums, self.height * down, self.width * right)


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

    def extend(self, weights: Array) -> LaggedMoments:
        """Add linear combinations of the columns as further columns; `weights` has shape (c, p)."""
        count, p = weights.shape
        both = np.zeros((1 + p + count, 1 + p))
        both[: 1 + p] = np.eye(1 + p)
        both[1 + p :, 1:] = weights
        cells = self.cells
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


def lagged_moments(columns: Array, lattice: Lattice, *, most_cells: int = MOST_CELLS) -> LaggedMoments:
    """Cross-products of p columns over all pairs of n pixels, by distance.

    Parameters
    ----------
    columns : finite, shape (p, n)
    lattice : where the n pixels are; any shape of mask, any number of pixels per cell
    most_cells : of a grid that is transformed as it is

    Raises
    ------
    ValueError
        shapes do not match, there is no pixel, or `most_cells` is below 1

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
    x = np.atleast_2d(np.asarray(columns, dtype=np.float64))
    p, n = x.shape
    if n != len(lattice) or n == 0:
        raise ValueError(f"columns {x.shape} must be (p, n) with a place on the lattice for each of n >= 1")
    if most_cells < 1:
        raise ValueError(f"most_cells must be at least 1, not {most_cells}")
    centre = x.mean(axis=1)
    own = np.empty((n, 1 + p))
    own[:, 0] = 1.0
    np.subtract(x.T, centre, out=own[:, 1:])
    itself = own.T @ own
    cells = _sums_per_cell(own, lattice)
    del own
    distance, cross = [np.zeros(1)], [itself[None]]
    # Lags, as (rows, columns), whose pairs a finer grid has counted.
    counted, wider = {(0, 0): itself}, False
    while cells.shape[0] * cells.shape[1] > most_cells:
        near = _near_lags(cells)
        distance.append(np.array([_distance(lag, cells, wider) for lag in near]))
        cross.append(np.array([sums - counted.get(lag, 0.0) for lag, sums in near.items()]))
        counted, wider = _on_wider_cells(near), True
        cells = cells.coarser(2, 2)
    far, sums = _all_lags(cells, counted, wider)
    return LaggedMoments(np.concatenate([*distance, far]), np.concatenate([*cross, sums]), centre, cells)


def _sums_per_cell(own: Array, lattice: Lattice) -> CellSums:
    number = lattice.cell
    if np.any(number[1:] < number[:-1]):
        order = np.argsort(number, kind="stable")
        number, own = number[order], np.take(own, order, axis=0)
    first = np.flatnonzero(np.concatenate([[True], number[1:] != number[:-1]]))
    sums = own
    if len(first) < len(number):
        which = np.repeat(np.arange(len(first)), np.diff(np.append(first, len(number))))
        sums = np.column_stack([np.bincount(which, values, len(first)) for values in own.T])
    number = number[first]
    columns = lattice.shape[1]
    return CellSums(number // columns, number % columns, sums, lattice.height, lattice.width)


def _half_plane() -> Iterator[tuple[int, int]]:
    """One of each two opposite lags within `NEAR` cells."""
    for down in range(NEAR + 1):
        for right in range(-NEAR, NEAR + 1):
            if 0 < down**2 + right**2 <= NEAR**2 and (down, right) > (0, 0):
                yield down, right


def _near_lags(cells: CellSums) -> dict[tuple[int, int], Array]:
    """Cross-products of the cells' sums by lag, both directions together, and of each cell with itself."""
    rows, columns = cells.shape
    # Empty columns beyond the last one, so that no lag runs into the next row.
    stride = columns + NEAR
    u = len(cells.sums)
    place = np.full((rows + NEAR) * stride + NEAR, u, dtype=np.int32)
    number = cells.row * stride + cells.column
    place[number] = np.arange(u, dtype=np.int32)
    padded = np.concatenate([cells.sums, np.zeros((1, cells.sums.shape[1]))])
    found = {(0, 0): cells.sums.T @ cells.sums}
    lags = list(_half_plane())
    steps = np.array([down * stride + right for down, right in lags])
    half = np.zeros((len(found[0, 0]), len(lags) * len(found[0, 0])))
    for start in range(0, u, CHUNK):
        part = slice(start, start + CHUNK)
        partners = np.take(padded, place[number[part, None] + steps], axis=0)
        half += cells.sums[part].T @ partners.reshape(len(partners), -1)
    each = np.split(half, len(lags), axis=1)
    return found | {lag: total + total.T for lag, total in zip(lags, each, strict=True)}


def _distance(lag: tuple[int, int], cells: CellSums, wider: bool) -> float:
    """Distance of a lag; on wider cells, that of what the finer lags left of it.

    There it is the distance d at which exp(-d / s) is its mean over the lags left, with s one wider cell: the
    plain mean distance makes correlations that bend upwards too small, most where the range is about s.
    """
    down, right = lag
    nominal = float(np.hypot(down * cells.height, right * cells.width))
    if not wider:
        return nominal
    off = np.array([-1.0, 0.0, 1.0])
    share = np.outer([0.5, 1.0, 0.5], [0.5, 1.0, 0.5])
    row, column = (2 * down + off)[:, None], 2 * right + off
    left = np.where(row**2 + column**2 > NEAR**2, share, 0.0)
    if not left.any():
        return nominal
    apart = np.hypot(row * cells.height, column * cells.width) / 2.0
    unit = np.sqrt(cells.height * cells.width)
    return float(-unit * np.log((left * np.exp(-apart / unit)).sum() / left.sum()))


def _on_wider_cells(near: dict[tuple[int, int], Array]) -> dict[tuple[int, int], Array]:
    """The near lags' sums, shared out among the lags of cells twice as wide (one of each two opposite)."""
    shared: dict[tuple[int, int], Array] = {}
    for (down, right), sums in near.items():
        rows = {down // 2, -(-down // 2)}
        columns = {right // 2, -(-right // 2)}
        for row in rows:
            for column in columns:
                lag = max((row, column), (-row, -column))
                shared[lag] = shared.get(lag, 0.0) + sums / (len(rows) * len(columns))
    return shared


def _all_lags(cells: CellSums, counted: dict[tuple[int, int], Array], wider: bool) -> tuple[Array, Array]:
    """Mean distance, shape (bins,), and cross-products by bin of all lags, less those counted before."""
    rows, columns = cells.shape
    size = cells.sums.shape[1]
    shape = (fft.next_fast_len(2 * rows - 1, real=True), fft.next_fast_len(2 * columns - 1, real=True))
    down, right = (np.minimum(np.arange(m), m - np.arange(m)) for m in shape)
    distance = np.hypot((down * cells.height)[:, None], right * cells.width)
    if wider:
        for row, column in np.ndindex(min(2 * NEAR, rows), min(2 * NEAR, columns)):
            distance[np.ix_([row, -row], [column, -column])] = _distance((row, column), cells, wider)
    distance = distance.ravel()
    which = np.digitize(distance, bin_edges(float(distance.max()), min(cells.height, cells.width)))
    bins = int(which.max()) + 1
    grid = np.zeros((size, rows, columns))
    grid[:, cells.row, cells.column] = cells.sums.T
    spectra = fft.rfft2(grid, shape)
    cross = np.empty((bins, size, size))
    for j in range(size):
        for k in range(j + 1):
            # The imaginary part would only part each lag from its opposite one.
            product = (spectra[j] * spectra[k].conj()).real
            lags = fft.irfft2(product, shape).ravel()
            if j == 0:
                lags = np.rint(lags)
                reached = np.bincount(which, lags, bins)
                total = np.bincount(which, lags * distance, bins)
            cross[:, j, k] = cross[:, k, j] = np.bincount(which, lags, bins)
    for (row, column), sums in counted.items():
        # Opposite lags are at the same distance, so both are in the sums and leave from the same bin.
        cross[which[row * shape[1] + abs(column)]] -= sums
    filled = reached > 0.5
    filled[0] &= wider or bool(cross[0, 0, 0] > 0.5)
    return total[filled] / reached[filled], cross[filled]
