"""Sums over pairs of cells a few cells apart, lag by lag, and the same cells made wider.

What is within `NEAR` cells is summed exactly on each grid; what is farther, on one of wider cells.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from drivers.stats.cell_sums import CellSums
from drivers.stats.near_sums import cells_at_a_time, near_sums
from drivers.stats.pixel_rows import PixelRows

Array = NDArray[np.float64]
Places = NDArray[np.intp]
Codes = NDArray[np.int32]

Lag = tuple[int, int]
"""Cells down and cells right, neither negative: a lag and all that lie at the same distance for the same
reason, that is its mirror images, and where cells are square those with rows and columns exchanged."""

NEAR = 3
"""Lags of up to three cells are summed on each grid before it is made coarser. Each coarsening then moves
Σ ρ(d) S(d) by up to 3 % of itself (15 correlograms, 5 columns, 2 masks), with two cells by up to 5 %."""

SHARED = 750_000
"""Strata of more pixels are summed in two parts, which two threads can take. Parts are added in order, so the
number of threads changes no bit."""

COMPILED = 250_000
"""Tables of fewer pixels are summed in numpy: to load compiled loops takes half a second, which is what they
save on so many pixels; to compile them, once on every machine, takes eight."""

Sums = tuple[Array, Array, Array, Places, Places]
"""What `near_sums` returns."""


class NearSums(NamedTuple):
    """Sums over pairs of near cells on grids of ever wider cells.

    grids : for each grid the cross-products of the cells' numbers by lag, (0, 0) first
    single : products of single pixels, None where no two share a cell
    cells : of the last grid
    """

    grids: list[dict[Lag, Array]]
    single: Array | None
    cells: CellSums


def begin_near_sums(
    pixels: PixelRows, inside: NDArray[np.bool_], most_cells: int, pool: ThreadPoolExecutor
) -> Callable[[], NearSums]:
    """Have threads sum pairs of near cells, on grids that become coarser until one has `most_cells`.

    A cell's neighbours of one ring are added up before they are multiplied with it. What comes back waits for
    the threads.
    """
    lattice, size = pixels.lattice, pixels.size
    square = lattice.height == lattice.width
    rings = rings_of(square)
    lags = np.array([lag for members in rings.values() for lag in members])
    ends = np.cumsum([len(members) for members in rings.values()])
    if len(lattice) < COMPILED:
        given = (pixels.values, lattice.row, lattice.column, pixels.codes, inside)
        begun: Callable[[], Sums] = pool.submit(near_sums, *given, most_cells, NEAR, lags, ends).result
    else:
        begun = _begin_compiled(pixels, inside, most_cells, lags, ends, pool)

    def finish() -> NearSums:
        products, single, sums, row, column = begun()
        grids = []
        for total in products:
            itself, *half = total[:, :size, :size]
            grids.append({(0, 0): itself} | {r: one + one.T for r, one in zip(rings, half, strict=True)})
        times = 2.0 ** len(grids)
        cells = CellSums(row, column, sums[:, :size], lattice.height * times, lattice.width * times)
        return NearSums(grids, single[:size, :size] if single.size else None, cells)

    return finish


def _begin_compiled(
    pixels: PixelRows,
    inside: NDArray[np.bool_],
    most_cells: int,
    lags: Places,
    ends: Places,
    pool: ThreadPoolExecutor,
) -> Callable[[], Sums]:
    """Have threads make what `near_sums` says; two of them share the finest grid of a large stratum."""
    # Imported only for tables that are worth it.
    from drivers.stats import neighbour_sums as loops

    lattice, batch = pixels.lattice, cells_at_a_time(pixels.values.shape[1])
    parts = 2 if pixels.count(inside) > SHARED else 1

    def prepare() -> tuple[Array, Codes, Codes, Codes, Array]:
        return loops.cells_of(pixels.values, lattice.row, lattice.column, pixels.codes, inside, batch)

    def share(part: int) -> Array:
        return loops.grid_products(*cells.result()[:4], NEAR, lags, ends, batch, part, parts)

    def rest(skipped: int) -> tuple[Array, Array, Places, Places]:
        return loops.near_sums(*cells.result()[:4], most_cells, NEAR, lags, ends, batch, skipped)

    # A task waits only for one that was begun before it.
    cells = pool.submit(prepare)
    finest = [pool.submit(share, part) for part in range(parts)] if parts > 1 else []
    others = pool.submit(rest, min(len(finest), 1))

    def finish() -> Sums:
        products, last, row, column = others.result()
        if finest and len(products):
            products[0] = sum(part.result() for part in finest)
        return products, cells.result()[4], last, row, column

    return finish


def on_wider_cells(near: dict[Lag, Array], square: bool) -> dict[Lag, Array]:
    """The near lags' sums, shared out among the lags of cells twice as wide."""
    shared: dict[Lag, Array] = {}
    for (down, right), sums in near.items():
        rows = {down // 2, -(-down // 2)}
        columns = {right // 2, -(-right // 2)}
        for row in rows:
            for column in columns:
                lag = ring_of(row, column, square)
                shared[lag] = shared.get(lag, 0.0) + sums / (len(rows) * len(columns))
    return shared


def ring_of(down: int, right: int, square: bool) -> Lag:
    """The lag that stands for all that are as far for the same reason."""
    down, right = abs(down), abs(right)
    return (min(down, right), max(down, right)) if square else (down, right)


def lag_distance(lag: Lag, height: float, width: float, wider: bool) -> float:
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


def rings_of(square: bool) -> dict[Lag, list[tuple[int, int]]]:
    """Lags within `NEAR` cells, one of each two opposite ones, by distance."""
    rings: dict[Lag, list[tuple[int, int]]] = {}
    for down in range(NEAR + 1):
        for right in range(-NEAR, NEAR + 1):
            if 0 < down**2 + right**2 <= NEAR**2 and (down, right) > (0, 0):
                rings.setdefault(ring_of(down, right, square), []).append((down, right))
    return rings
