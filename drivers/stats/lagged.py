"""Products of all columns over all pairs of pixels, by distance: made once, for any combination of columns.

With them the spatial autocovariance of a residual, which is a combination of columns, costs p × p numbers per
bin of distance and reads no pixel again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import fft, sparse

from drivers.stats.blas import one_blas_thread
from drivers.stats.correlogram import bin_edges
from drivers.stats.lattice import WORKERS, Lattice

Array = NDArray[np.float64]

Lag = tuple[int, int]
"""Cells down and cells right, neither negative: a lag and all that lie at the same distance for the same
reason, that is its mirror images, and where cells are square those with rows and columns exchanged."""

MOST_CELLS = 10_000
"""Grids of more cells are not transformed as they are: pairs within `NEAR` cells are summed one lag after the
other, the rest on cells twice as wide, and so on until this few are left (14 + 1 columns: 0.1 s)."""

NEAR = 3
"""Lags of up to three cells are summed on each grid before it is made coarser. Each coarsening then moves
Σ ρ(d) S(d) by up to 3 % of itself (15 correlograms, 5 columns, 2 masks), with two cells by up to 5 %."""

SPAN = 8192
"""Cells of a task: 1 MB for 15 columns. What a task adds depends on no other, and tasks are added in order,
so the number of threads changes no bit."""

CHUNK = 2048
"""Cells whose neighbours are summed at a time: 1.5 MB for 15 columns, which stays near the processor."""

MOSTLY = 0.7
"""Share of neighbours that are there from which the empty ones are not worth skipping."""

SMALL = 262_144
"""Multiplications of a product of matrices for which OpenBLAS starts no threads: ours would wait for them."""


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
        row, column, which = _wider(self.row, self.column, down, right)
        sums = np.asarray(_grouped(which, len(row)) @ self.sums)
        return CellSums(row, column, sums, self.height * down, self.width * right)


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
    columns: Array | Iterable[Array], lattice: Lattice, *, most_cells: int = MOST_CELLS
) -> LaggedMoments:
    """Cross-products of p columns over all pairs of n pixels, by distance.

    Parameters
    ----------
    columns : p columns of finite numbers, shape (n,) each; each is looked at once, one after the other, and
        (1 + p) n doubles are kept meanwhile
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
    if most_cells < 1:
        raise ValueError(f"most_cells must be at least 1, not {most_cells}")
    with one_blas_thread(), ThreadPoolExecutor(WORKERS) as pool:
        grid, centre, itself = _sums_per_cell(columns, lattice, pool)
        distance: list[Array] = []
        cross: list[Array] = []
        # Lags whose pairs a finer grid has counted.
        counted, wider = {} if itself is None else {(0, 0): itself}, False
        while grid.rows * grid.columns > most_cells:
            near, coarser = _near_lags(grid, pool)
            if itself is None:
                itself = near[0, 0]
                counted = {(0, 0): itself}
            distance.append(np.array([_distance(lag, grid.height, grid.width, wider) for lag in near]))
            cross.append(np.array([sums - counted.get(lag, 0.0) for lag, sums in near.items()]))
            counted, wider, grid = _on_wider_cells(near, grid.square), True, coarser
        cells = CellSums(grid.row, grid.column, grid.read(0, len(grid.row)), grid.height, grid.width)
        if itself is None:
            itself = _products_with_itself(grid.read, len(grid.row), pool)
            counted = {(0, 0): itself}
        far, sums = _all_lags(cells, counted, wider, pool)
    return LaggedMoments(
        np.concatenate([[0.0], *distance, far]), np.concatenate([itself[None], *cross, sums]), centre, cells
    )


class _Grid(NamedTuple):
    """Occupied cells in row order, whose sums are read as they are needed.

    row, column : of the cells, shape (u,)
    read : of cells [start, stop) the number of pixels and the sums of the columns, (stop - start, 1 + p)
    """

    row: NDArray[np.intp]
    column: NDArray[np.intp]
    height: float
    width: float
    read: Callable[[int, int], Array]

    @property
    def rows(self) -> int:
        return int(self.row[-1]) + 1

    @property
    def columns(self) -> int:
        return int(self.column.max()) + 1

    @property
    def square(self) -> bool:
        return self.height == self.width


def _sums_per_cell(
    columns: Array | Iterable[Array], lattice: Lattice, pool: ThreadPoolExecutor
) -> tuple[_Grid, Array, Array | None]:
    """Sums per cell of the columns about their means, those means, and the products of single pixels.

    The last is None where no two pixels share a cell: then it is that of the cells with themselves.
    """
    n = len(lattice)
    if isinstance(columns, np.ndarray):
        columns = np.atleast_2d(columns)
    number, order = _in_cell_order(lattice)
    own, means = [], []
    for values in columns:
        values = np.asarray(values, dtype=np.float64)
        if values.shape != (n,) or n == 0:
            shape = np.shape(columns) if isinstance(columns, np.ndarray) else values.shape
            raise ValueError(f"columns {shape} must be (p, n) with a place on the lattice for each of n >= 1")
        means.append(values.mean())
        own.append(values if order is None else values[order])
    centre = np.array(means)

    def read(start: int, stop: int) -> Array:
        part = np.ones((1 + len(own), stop - start))
        for values, mean, out in zip(own, centre, part[1:], strict=True):
            np.subtract(values[start:stop], mean, out=out)
        return np.ascontiguousarray(part.T)

    first = np.flatnonzero(np.concatenate([[True], number[1:] != number[:-1]]))
    row, column = np.divmod(number[first], lattice.shape[1])
    if len(first) == n:
        return _Grid(row, column, lattice.height, lattice.width, read), centre, None

    itself = _products_with_itself(read, n, pool)
    which = np.repeat(np.arange(len(first)), np.diff(np.append(first, n)))
    sums = np.empty((len(first), 1 + len(own)))
    sums[:, 0] = np.bincount(which)
    for j, values in enumerate(own):
        sums[:, 1 + j] = np.bincount(which, values - centre[j], len(first))
    return _Grid(row, column, lattice.height, lattice.width, _reader(sums)), centre, itself


def _reader(sums: Array) -> Callable[[int, int], Array]:
    return lambda start, stop: sums[start:stop]


def _in_cell_order(lattice: Lattice) -> tuple[NDArray[np.intp], NDArray[np.intp] | None]:
    """Cells of the pixels in rising order, and the order of the pixels; None where they have it."""
    number = lattice.cell
    if not np.any(number[1:] < number[:-1]):
        return number, None
    # Where no two pixels share a cell, laying them out is a sort, and ten times as fast.
    laid = np.full(int(number.max()) + 1, -1, dtype=np.intp)
    laid[number] = np.arange(len(number))
    order = laid[laid >= 0]
    if len(order) < len(number):
        order = np.argsort(number, kind="stable")
    return number[order], order


def _wider(
    row: NDArray[np.intp], column: NDArray[np.intp], down: int, right: int
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """Row and column of the occupied blocks of `down` × `right` cells, and the block of each cell."""
    row, column = row // down, column // right
    width = int(column.max()) + 1
    number = row * width + column
    occupied = np.zeros((int(row.max()) + 1) * width, dtype=np.bool_)
    occupied[number] = True
    blocks = np.flatnonzero(occupied)
    return blocks // width, blocks % width, (np.cumsum(occupied) - 1)[number]


def _grouped(which: NDArray[np.intp], groups: int) -> sparse.csc_array:
    """Sums rows by group: the (groups, n) matrix of ones where row i belongs to group `which[i]`."""
    n = len(which)
    return sparse.csc_array((np.ones(n), which, np.arange(n + 1)), shape=(groups, n))


def _products(one: Array, other: Array) -> Array:
    """Σ over rows of one × other, in batches (see `SMALL`)."""
    rows = max(SMALL // (one.shape[1] * other.shape[1]), 1)
    whole = len(one) // rows * rows
    first, second = (values[:whole].reshape(-1, rows, values.shape[1]) for values in (one, other))
    total: Array = one[whole:].T @ other[whole:]
    total += (first.transpose(0, 2, 1) @ second).sum(axis=0)
    return total


def _products_with_itself(read: Callable[[int, int], Array], n: int, pool: ThreadPoolExecutor) -> Array:
    """Σ over n rows of their products, in the spans and batches of `_near_lags`, so to the same bits."""

    def task(start: int) -> Array:
        part = read(start, min(start + SPAN, n))
        return _products(part, part)

    return np.asarray(sum(pool.map(task, range(0, n, SPAN))))


def _rings(square: bool) -> dict[Lag, list[tuple[int, int]]]:
    """Lags within `NEAR` cells, one of each two opposite ones, by distance."""
    rings: dict[Lag, list[tuple[int, int]]] = {}
    for down in range(NEAR + 1):
        for right in range(-NEAR, NEAR + 1):
            if 0 < down**2 + right**2 <= NEAR**2 and (down, right) > (0, 0):
                rings.setdefault(_ring(down, right, square), []).append((down, right))
    return rings


def _ring(down: int, right: int, square: bool) -> Lag:
    down, right = abs(down), abs(right)
    return (min(down, right), max(down, right)) if square else (down, right)


def _near_lags(grid: _Grid, pool: ThreadPoolExecutor) -> tuple[dict[Lag, Array], _Grid]:
    """Cross-products of the cells' sums by lag, all lags of a ring together; and the cells twice as wide.

    A cell's neighbours of one ring are added up before they are multiplied with it.
    """
    rings = _rings(grid.square)
    lags = np.array([lag for members in rings.values() for lag in members])
    last = np.cumsum([len(members) for members in rings.values()], dtype=np.int32) - 1
    first = np.zeros(1, dtype=np.int32)
    # Empty columns beyond the last one, so that no lag runs into the next row.
    stride = grid.columns + NEAR
    number = grid.row * stride + grid.column
    u, steps = len(number), lags @ [stride, 1]
    place = np.full((grid.rows + NEAR) * stride, u, dtype=np.int32)
    place[number] = np.arange(u, dtype=np.int32)
    row, column, which = _wider(grid.row, grid.column, 2, 2)

    def task(start: int) -> tuple[Array, Array, int, Array]:
        stop = min(start + SPAN, u)
        window, moved = _window(grid, number, stride, start, stop)
        shift = moved[lags[:, 0]]
        size = window.shape[1]
        itself = _products(window[: stop - start], window[: stop - start])
        near = np.zeros((size, len(rings) * size))
        for a in range(start, stop, CHUNK):
            part = number[a : min(a + CHUNK, stop)]
            partner = np.take(place, part[:, None] + steps, mode="clip")
            there = partner < u
            partner -= shift
            if np.count_nonzero(there) > MOSTLY * there.size:
                # An empty neighbour is the row of zeros: to skip it would cost more than to add it.
                partner[~there] = len(window) - 1
                ends = last + partner.shape[1] * np.arange(len(part), dtype=np.int32)[:, None] + 1
                partner = partner.ravel()
            else:
                ends = np.cumsum(there, dtype=np.int32).reshape(there.shape)[:, last]
                partner = partner[there]
            members = sparse.csr_array((ends.size, len(window)))
            # Set one by one, they are not searched for errors, which would take as long as the sums.
            members.indptr, members.indices = np.append(first, ends), partner
            members.data = np.ones(len(partner))
            around = np.asarray(members @ window).reshape(len(part), -1)
            near += _products(window[a - start : a - start + len(part)], around)
        low = int(which[start:stop].min())
        group = which[start:stop] - low
        blocks = _grouped(group, int(group.max()) + 1) @ window[: stop - start]
        return itself, near, low, np.asarray(blocks)

    size = grid.read(0, 1).shape[1]
    found, half, sums = (
        np.zeros((size, size)),
        np.zeros((size, len(rings) * size)),
        np.zeros((len(row), size)),
    )
    for itself, near, low, part in pool.map(task, range(0, u, SPAN)):
        found += itself
        half += near
        sums[low : low + len(part)] += part
    each = np.split(half, len(rings), axis=1)
    both = {ring: total + total.T for ring, total in zip(rings, each, strict=True)}
    wider = _Grid(row, column, 2.0 * grid.height, 2.0 * grid.width, _reader(sums))
    return {(0, 0): found} | both, wider


def _window(
    grid: _Grid, number: NDArray[np.intp], stride: int, start: int, stop: int
) -> tuple[Array, NDArray[np.int32]]:
    """Sums of cells [start, stop), of all within reach, and zeros; how far those of a row of lags moved."""
    rows = np.arange(NEAR + 1) * stride
    lows = np.searchsorted(number, number[start] + rows - NEAR)
    highs = np.searchsorted(number, number[stop - 1] + rows + NEAR, side="right")
    lows[0] = start
    pieces, shift, room = [[start, start]], np.zeros(NEAR + 1, dtype=np.int32), 0
    for down, (low, high) in enumerate(zip(lows.tolist(), highs.tolist(), strict=True)):
        if low > pieces[-1][1]:
            # In wide grids the next rows begin far on: what lies between is not read.
            room += low - pieces[-1][1]
            pieces.append([low, low])
        pieces[-1][1] = max(pieces[-1][1], high)
        shift[down] = start + room
    parts = [grid.read(low, high) for low, high in pieces]
    return np.concatenate([*parts, np.zeros((1, parts[0].shape[1]))]), shift


def _distance(lag: Lag, height: float, width: float, wider: bool) -> float:
    """Distance of a lag; on wider cells, that of what the finer lags left of it.

    There it is the distance d at which exp(-d / s) is its mean over the lags left, with s one wider cell: the
    plain mean distance makes correlations that bend upwards too small, most where the range is about s.
    """
    down, right = lag
    nominal = float(np.hypot(down * height, right * width))
    if not wider:
        return nominal
    off = np.array([-1.0, 0.0, 1.0])
    share = np.outer([0.5, 1.0, 0.5], [0.5, 1.0, 0.5])
    row, column = (2 * down + off)[:, None], 2 * right + off
    left = np.where(row**2 + column**2 > NEAR**2, share, 0.0)
    if not left.any():
        return nominal
    apart = np.hypot(row * height, column * width) / 2.0
    unit = np.sqrt(height * width)
    return float(-unit * np.log((left * np.exp(-apart / unit)).sum() / left.sum()))


def _on_wider_cells(near: dict[Lag, Array], square: bool) -> dict[Lag, Array]:
    """The near lags' sums, shared out among the lags of cells twice as wide."""
    shared: dict[Lag, Array] = {}
    for (down, right), sums in near.items():
        rows = {down // 2, -(-down // 2)}
        columns = {right // 2, -(-right // 2)}
        for row in rows:
            for column in columns:
                lag = _ring(row, column, square)
                shared[lag] = shared.get(lag, 0.0) + sums / (len(rows) * len(columns))
    return shared


def _all_lags(
    cells: CellSums, counted: dict[Lag, Array], wider: bool, pool: ThreadPoolExecutor
) -> tuple[Array, Array]:
    """Mean distance, shape (bins,), and cross-products by bin of all lags, less those counted before.

    A bin holds a lag with its mirror images, so only the part of the lags' sums that is even in rows and in
    columns is wanted: a cosine transform of the even part of the cross-spectra, a quarter of the work.
    """
    square = cells.height == cells.width
    size = cells.sums.shape[1]
    far = fft.next_fast_len(cells.shape[0], real=True), fft.next_fast_len(cells.shape[1], real=True)
    distance = np.hypot((np.arange(far[0] + 1) * cells.height)[:, None], np.arange(far[1] + 1) * cells.width)

    def apart(lag: Lag) -> float:
        return _distance(_ring(*lag, square), cells.height, cells.width, wider)

    for lag in np.ndindex(min(2 * NEAR, cells.shape[0]), min(2 * NEAR, cells.shape[1])):
        distance[lag] = apart(lag)
    edges = bin_edges(float(distance.max()), min(cells.height, cells.width))
    distance = distance.ravel()
    which = np.digitize(distance, edges)
    bins = int(which.max()) + 1
    # How many lags an entry stands for, over the norm of the transform there and back.
    images = np.outer(*(np.where(np.isin(np.arange(m + 1), [0, m]), 1.0, 2.0) for m in far)).ravel()
    scale = images / (4.0 * far[0] * far[1])
    grid = np.zeros((size, *cells.shape))
    grid[:, cells.row, cells.column] = cells.sums.T
    spectra = fft.rfft2(grid, (2 * far[0], 2 * far[1]), workers=WORKERS)
    real, imaginary = spectra.real.copy(), spectra.imag.copy()
    del grid, spectra

    def lags(j: int, k: int) -> Array:
        """Sums by lag of columns j and k, opposite lags together."""
        product = real[j] * real[k] + imaginary[j] * imaginary[k]
        even = product[: far[0] + 1]
        even[1:-1] = 0.5 * (even[1:-1] + product[: far[0] : -1])
        return np.asarray(fft.dctn(even, type=1).ravel() * scale)

    def task(j: int) -> Array:
        return np.array([np.bincount(which, lags(j, k), bins) for k in range(j + 1)])

    number = np.rint(lags(0, 0))
    reached, total = np.bincount(which, number, bins), np.bincount(which, number * distance, bins)
    cross = np.empty((bins, size, size))
    for j, sums in zip(reversed(range(size)), pool.map(task, reversed(range(size))), strict=True):
        cross[:, j, : j + 1] = cross[:, : j + 1, j] = sums.T
    cross[:, 0, 0] = reached
    for lag, sums in counted.items():
        # Its mirror images are at the same distance, so all are in the sums and leave from the same bin.
        cross[min(int(np.digitize(apart(lag), edges)), bins - 1)] -= sums
    filled = reached > 0.5
    filled[0] &= wider or bool(cross[0, 0, 0] > 0.5)
    return total[filled] / reached[filled], cross[filled]
