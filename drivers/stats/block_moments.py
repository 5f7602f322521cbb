"""Moments of blocks of neighbouring pixels, which add up to those of a stratum."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from drivers.stats.moments import Block as Rows
from drivers.stats.moments import CellMoments, Moments, cell_moments

Array = NDArray[np.float64]
Codes = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class BlockCells:
    """Rows cut by cell and by block at once.

    Attributes
    ----------
    codes : new cell of each row, -1 for none, shape (n,)
    cell, block : where each new cell comes from, shape (m,)
    """

    codes: NDArray[np.int32]
    cell: Codes
    block: Codes

    def within(self, cells: Sequence[int]) -> NDArray[np.intp]:
        """The new cells that lie in some of the old ones."""
        return np.flatnonzero(np.isin(self.cell, np.asarray(cells, dtype=np.int64)))


def cross_blocks(cells: NDArray[np.integer], blocks: NDArray[np.integer]) -> BlockCells:
    """Cut the cells of a partition by block; only combinations that occur get a number.

    Parameters
    ----------
    cells : cell of each row, -1 for none, shape (n,)
    blocks : block of each row, -1 for none, shape (n,)

    Raises
    ------
    ValueError
        the two are not of one length

    Examples
    --------
    >>> cut = cross_blocks(np.array([0, 0, 1, -1]), np.array([0, 5, 5, 5]))
    >>> cut.codes.tolist(), cut.cell.tolist(), cut.block.tolist()
    ([0, 1, 2, -1], [0, 0, 1], [0, 5, 5])
    """
    if cells.shape != blocks.shape or cells.ndim != 1:
        raise ValueError(f"cells and blocks must be (n,) both, not {cells.shape} and {blocks.shape}")
    width = int(blocks.max(initial=0)) + 1
    keys = cells.astype(np.int64) * width + blocks
    if cells.min(initial=0) < 0 or blocks.min(initial=0) < 0:
        keys[(cells < 0) | (blocks < 0)] = -1
    present = np.flatnonzero(np.bincount(keys + 1)[1:])
    number = np.full(int(keys.max(initial=-1)) + 2, -1, dtype=np.int32)
    number[present] = np.arange(len(present))
    return BlockCells(number[keys], present // width, present % width)


@dataclass(frozen=True, eq=False)
class BlockMoments:
    """Moments of the G blocks of one stratum, about the stratum's means and in its standard deviations.

    Attributes
    ----------
    whole : moments of all blocks together
    labels : which block each is, shape (G,), ascending
    rows : rows of each block, shape (G,)
    scale : standard deviation of each column (divisor `weight`), 1 where it does not vary, shape (p,)
    products : Σ w z z' with z = (1, (x - mean) / scale), shape (G, p + 1, p + 1)

    Notes
    -----
    One point of reference and one scale for all blocks: sums over blocks, however often each is taken, then
    lose no digit to columns such as 1e9 + noise, nor to units.
    """

    whole: Moments
    labels: Codes
    rows: NDArray[np.int64]
    scale: Array
    products: Array

    @property
    def n_blocks(self) -> int:
        """Blocks that hold rows, G."""
        return len(self.rows)

    @property
    def weight(self) -> Array:
        """Sum of the weights of each block, shape (G,)."""
        return self.products[:, 0, 0]

    @cached_property
    def total(self) -> Array:
        """Products of all blocks together, shape (p + 1, p + 1): `weight` times the correlations."""
        return np.asarray(self.products.sum(axis=0))

    @cached_property
    def entries(self) -> Array:
        """The products with blocks last, shape (p + 1, p + 1, G)."""
        return np.ascontiguousarray(np.moveaxis(self.products, 0, 2))

    def extend(self, weights: Array) -> BlockMoments:
        """Add linear combinations of the columns (composites) as further columns; as `Moments.extend`."""
        p = len(self.scale)
        whole = self.whole.extend(weights)
        scale = np.concatenate([self.scale, _spread(whole)[p:]])
        both = np.zeros((len(scale) + 1, p + 1))
        both[0, 0] = 1.0
        both[1:, 1:] = np.vstack([np.eye(p), weights * self.scale / scale[p:, None]])
        return BlockMoments(whole, self.labels, self.rows, scale, both @ self.products @ both.T)


def block_moments(columns: Array, blocks: NDArray[np.integer], weights: Array | None = None) -> BlockMoments:
    """Moments per block of columns given as rows of an array.

    Parameters
    ----------
    columns : shape (p, n)
    blocks : block of each row, -1 for none (`drivers.stats.blocks.square_blocks`), shape (n,)
    weights : shape (n,), if any

    Examples
    --------
    >>> made = block_moments(np.array([[1.0, 3.0, 2.0, 2.0]]), np.array([0, 0, 7, 7]))
    >>> made.labels.tolist(), made.rows.tolist(), made.whole.mean.tolist()
    ([0, 7], [2, 2], [2.0])
    """
    cut = cross_blocks(np.zeros(len(blocks), dtype=np.int64), blocks)

    def read(start: int, stop: int) -> Rows:
        part = None if weights is None else weights[start:stop]
        return [c[start:stop] for c in columns], cut.codes[start:stop], part

    cells = cell_moments(read, len(blocks), len(cut.block), len(columns), extremes=True)
    return gather_blocks(cells, cut.block, range(len(cut.block)))


def gather_blocks(
    cells: CellMoments, blocks: Codes, members: Sequence[int] | NDArray[np.intp]
) -> BlockMoments:
    """The block moments of a stratum from the moments of cells that are each within one block.

    Parameters
    ----------
    cells : moments of m cells
    blocks : block of each cell, shape (m,)
    members : the cells that make up the stratum; empty ones count for nothing
    """
    index = np.asarray(members, dtype=np.intp)
    index = index[cells.weight[index] > 0]
    whole = cells.merged(index.tolist())
    order = index[np.argsort(blocks[index], kind="stable")]
    labels, starts = np.unique(blocks[order], return_index=True)
    scale = _spread(whole)
    p = len(scale)
    if not len(order):
        empty = np.zeros(0, dtype=np.int64)
        return BlockMoments(whole, empty, empty, scale, np.zeros((0, p + 1, p + 1)))
    with np.errstate(all="ignore"):
        apart = ((cells.mean[order] - whole.mean) + (cells.residue[order] - whole.residue)) / scale
        w = cells.weight[order]
        products = np.empty((len(order), p + 1, p + 1))
        products[:, 0, 0] = w
        products[:, 0, 1:] = products[:, 1:, 0] = w[:, None] * apart
        products[:, 1:, 1:] = cells.cross[order] / np.outer(scale, scale)
        products[:, 1:, 1:] += products[:, 1:, :1] * apart[:, None, :]
        return BlockMoments(
            whole,
            labels,
            np.add.reduceat(cells.rows[order], starts),
            scale,
            np.add.reduceat(products, starts, axis=0),
        )


def _spread(whole: Moments) -> Array:
    """Standard deviations with divisor `weight`; 1 where a column does not vary."""
    with np.errstate(all="ignore"):
        spread = np.sqrt(np.diag(whole.cross) / whole.weight) if whole.weight else np.ones(len(whole.mean))
        return np.where(whole.constant | (spread == 0), 1.0, spread)
