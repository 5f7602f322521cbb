"""Pixels in the order of their cells, the numbers of one side by side: made once, strata pick theirs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from drivers.stats.lattice import WORKERS, Lattice

Array = NDArray[np.float64]

LANES = 8
"""Doubles that a processor adds at once: rows of a multiple of it are summed without a rest."""

PART = 65_536
"""Pixels that are read at a time: half a MB a column."""

TURNED = 4096
"""Pixels whose columns are written before the next ones': half a MB for 15 columns, which stays near."""


@dataclass(frozen=True, eq=False)
class PixelRows:
    """The numbers of n pixels, a row each: 1, then p columns about `centre`.

    Attributes
    ----------
    values : zeros beyond the numbers, and a row of zeros at the end, shape (n + 1, P), P ≥ 1 + p
    centre : what is taken from each column, shape (p,)
    lattice : where the pixels are; their cells rise
    codes : which cell of a partition each is in, from 0, shape (n,)
    """

    values: Array
    centre: Array
    lattice: Lattice
    codes: NDArray[np.int32]

    @property
    def size(self) -> int:
        """Numbers of a pixel, 1 + p."""
        return 1 + len(self.centre)

    @cached_property
    def _counts(self) -> NDArray[np.intp]:
        return np.bincount(self.codes)

    def count(self, inside: NDArray[np.bool_]) -> int:
        """How many pixels have a code that is inside, shape (codes,)."""
        return int(self._counts[inside[: len(self._counts)]].sum())


def pixel_rows(
    read: Callable[[int, int], Sequence[Array] | Array],
    lattice: Lattice,
    centre: Array,
    codes: NDArray[np.int32] | None = None,
) -> PixelRows:
    """Rows of the n pixels of a lattice.

    Parameters
    ----------
    read : the p columns of pixels [start, stop), shape (stop - start,) each; called from several threads
    lattice : cells in rising order
    centre : what is taken from each column, shape (p,)
    codes : which cell of a partition each is in, from 0, shape (n,); all in one by default

    Raises
    ------
    ValueError
        the cells do not rise
    """
    n, size = len(lattice), 1 + len(centre)
    cell = lattice.cell
    if np.any(cell[1:] < cell[:-1]):
        raise ValueError("pixels must follow each other as their cells do")
    made = np.zeros((n + 1, -(-size // LANES) * LANES))

    def task(start: int) -> None:
        stop = min(start + PART, n)
        columns = read(start, stop)
        for low in range(start, stop, TURNED):
            high = min(low + TURNED, stop)
            out = made[low:high]
            out[:, 0] = 1.0
            for j, (values, middle) in enumerate(zip(columns, centre, strict=True), start=1):
                np.subtract(values[low - start : high - start], middle, out=out[:, j])

    with ThreadPoolExecutor(WORKERS) as pool:
        for _ in pool.map(task, range(0, n, PART)):
            pass
    return PixelRows(made, centre, lattice, np.zeros(n, dtype=np.int32) if codes is None else codes)
