"""Square blocks of neighbouring pixels, and folds made of whole blocks."""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from drivers.stats.correlogram import Correlogram
from drivers.stats.lattice import Lattice, flat_coordinates

Array = NDArray[np.float64]

FEWEST_BLOCKS = 20
"""Blocks that must remain, if need be with a side below the practical range: five folds then have four blocks
each, and a standard error over blocks has 19 degrees of freedom. With fewer, both depend on where the grid of
blocks happens to begin."""

MOST_BLOCKS = 400
"""Blocks of pixels that share nothing or little: more of them make no standard error any better (5 % at 200
degrees of freedom, 4 % at 400), and folds that differ in fewer places are less of a test."""

EDGE = 1e-6
"""Share of a side below a line between two blocks that belongs to the upper one, so that float noise does not
scatter a column of pixels over both."""

DENSE = 65_536
"""A grid of so many blocks, or of as many as there are pixels, may stand in memory."""

STEP = 0.02
"""Least relative change of the side while it is sought: 4 % of the number of blocks."""


def block_side(
    correlogram: Correlogram,
    easting: Array,
    northing: Array,
    *,
    geographic: bool = False,
    fewest: int = FEWEST_BLOCKS,
) -> float:
    """Side of square blocks that share little: the practical range, in units of the coordinates (km).

    Larger where that would make more than `MOST_BLOCKS`, smaller where fewer than `fewest` would hold pixels.

    Parameters
    ----------
    correlogram : of the variable, its range in units of the coordinates (km if `geographic`)
    easting, northing : coordinates, shape (n,); longitude and latitude in degrees if `geographic`
    fewest : blocks with pixels that must remain, as far as there are that many places

    Raises
    ------
    ValueError
        coordinates are not (n,) finite numbers

    Examples
    --------
    >>> y, x = (a.ravel().astype(float) for a in np.mgrid[:100, :100])
    >>> round(block_side(Correlogram(0.2, 4.0, 0.5), x, y), 3)
    11.983
    >>> round(block_side(Correlogram(0.2, 90.0, 0.5), x, y), 1)   # 270 would be one block
    23.8
    """
    x, y = flat_coordinates(easting, northing, geographic=geographic)
    extent = float(max(np.ptp(x), np.ptp(y)))
    if extent == 0.0:
        return correlogram.practical_range or 1.0
    side = min(max(correlogram.practical_range, extent / MOST_BLOCKS), extent)
    while (many := count_blocks(x, y, side)) > MOST_BLOCKS:
        side *= max((many / MOST_BLOCKS) ** 0.5, 1.0 + STEP)
    while (many := count_blocks(x, y, side)) < fewest and side > extent / len(x):
        side *= min((many / fewest) ** 0.5, 1.0 - STEP)
    return float(side)


def count_blocks(x: Array, y: Array, side: float) -> int:
    """Number of blocks of that side that hold pixels."""
    return int(square_blocks(x, y, side).max()) + 1


@dataclass(frozen=True, slots=True, eq=False)
class BlockGrid:
    """Square blocks and their places on the grid of blocks.

    Attributes
    ----------
    codes : block of each pixel, 0 to B - 1 from south to north, west to east, without gaps, shape (n,)
    row, column : place of each block, from the south and from the west, shape (B,)
    """

    codes: NDArray[np.int64]
    row: NDArray[np.int64]
    column: NDArray[np.int64]


def block_grid(easting: Array, northing: Array, side: float, *, geographic: bool = False) -> BlockGrid:
    """Square blocks of pixels, with their places, for what depends on which blocks touch.

    Parameters
    ----------
    easting, northing : coordinates, shape (n,); longitude and latitude in degrees if `geographic`
    side : of a block, in units of the coordinates (km if `geographic`)

    Raises
    ------
    ValueError
        coordinates are not (n,) finite numbers, or `side` is not positive

    Examples
    --------
    >>> found = block_grid(np.array([0.0, 1.0, 2.0, 9.0]), np.array([0.0, 0.0, 0.0, 3.0]), 2.0)
    >>> found.codes.tolist(), found.row.tolist(), found.column.tolist()
    ([0, 0, 1, 2], [0, 0, 1], [0, 1, 4])
    """
    if not side > 0.0:
        raise ValueError(f"the side of a block must be positive, not {side:g}")
    x, y = flat_coordinates(easting, northing, geographic=geographic)
    row, column = _along(y, side), _along(x, side)
    width = int(column.max()) + 1
    return _numbered(row * width + column, int(row.max()) + 1, width)


def lattice_blocks(lattice: Lattice, side: float) -> BlockGrid:
    """`block_grid` of the places of a lattice, worked out for its lines instead of its pixels."""
    rows, columns = lattice.shape
    row, column = (
        _along(np.arange(lines, dtype=np.float64) * step, side)
        for lines, step in ((rows, lattice.height), (columns, lattice.width))
    )
    width = int(column.max()) + 1
    return _numbered((row * width)[lattice.row] + column[lattice.column], int(row.max()) + 1, width)


def _along(values: Array, side: float) -> NDArray[np.int64]:
    """Block along one axis, shape (n,)."""
    return np.asarray(np.floor((values - values.min()) / side + EDGE), dtype=np.int64)


def _numbered(key: NDArray[np.int64], rows: int, width: int) -> BlockGrid:
    """The blocks that there are, from the number of each pixel's on a grid of `rows` × `width`."""
    if rows * width > max(len(key), DENSE):
        keys, codes = np.unique(key, return_inverse=True)
    else:
        # To mark the blocks that there are is ten times as fast as to sort the pixels by block.
        there = np.zeros(rows * width, dtype=np.int64)
        there[key] = 1
        keys, codes = np.flatnonzero(there), (np.cumsum(there) - 1)[key]
    return BlockGrid(codes.astype(np.int64, copy=False), keys // width, keys % width)


def square_blocks(
    easting: Array, northing: Array, side: float, *, geographic: bool = False
) -> NDArray[np.int64]:
    """Block of each pixel, shape (n,), as `block_grid`.

    Raises
    ------
    ValueError
        coordinates are not (n,) finite numbers, or `side` is not positive

    Examples
    --------
    >>> square_blocks(np.array([0.0, 1.0, 2.0, 9.0]), np.zeros(4), 2.0).tolist()
    [0, 0, 1, 2]
    """
    return block_grid(easting, northing, side, geographic=geographic).codes


def block_folds(blocks: NDArray[np.int64], folds: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Fold of each pixel, shape (n,), 0 to folds - 1; a block is in one fold, whole.

    Parameters
    ----------
    blocks : block of each pixel, 0 to B - 1, shape (n,)
    folds : 2 to 255, at most B

    Raises
    ------
    ValueError
        `folds` is out of bounds

    Notes
    -----
    Blocks in order of falling size, equal ones in random order, go to the fold with the fewest pixels so far
    (Graham 1969, doi:10.1137/0117039): the largest fold has at most one block more than the smallest.

    Examples
    --------
    >>> folds = block_folds(np.array([0, 0, 0, 1, 2, 2]), 2, np.random.default_rng(1))
    >>> np.bincount(folds).tolist(), len(set(folds[:3].tolist()))
    ([3, 3], 1)
    """
    sizes = np.bincount(blocks)
    if not 2 <= folds <= min(255, len(sizes)):
        raise ValueError(f"folds must be 2 to {min(255, len(sizes))} ({len(sizes)} blocks), not {folds}")
    shuffled = rng.permutation(len(sizes))
    order = shuffled[np.argsort(-sizes[shuffled], kind="stable")]
    fold = np.empty(len(sizes), dtype=np.uint8)
    loads = [(0, f) for f in range(folds)]
    for block in order:
        load, lightest = heapq.heappop(loads)
        fold[block] = lightest
        heapq.heappush(loads, (load + int(sizes[block]), lightest))
    return fold[blocks]
