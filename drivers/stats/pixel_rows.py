"""Columns of pixels, turned so that the numbers of one pixel lie side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from drivers.stats.cell_sums import Rows, empty_rows
from drivers.stats.lattice import WORKERS

Array = NDArray[np.float64]

PART = 65_536
"""Pixels that are read at a time: half a MB a column."""

TURNED = 4096
"""Pixels whose columns are written before the next ones': half a MB for 15 columns, which stays near."""


def pixel_rows(read: Callable[[int, int], Sequence[Array] | Array], n: int, centre: Array) -> Rows:
    """Rows of n pixels: 1, then their columns about `centre`.

    Parameters
    ----------
    read : the p columns of pixels [start, stop), shape (stop - start,) each; called from several threads
    centre : what is taken from each column, shape (p,)
    """
    made = empty_rows(n, 1 + len(centre))

    def task(start: int) -> None:
        stop = min(start + PART, n)
        columns = read(start, stop)
        for low in range(start, stop, TURNED):
            high = min(low + TURNED, stop)
            out = made.values[low:high]
            out[:, 0] = 1.0
            for j, (values, middle) in enumerate(zip(columns, centre, strict=True), start=1):
                np.subtract(values[low - start : high - start], middle, out=out[:, j])

    with ThreadPoolExecutor(WORKERS) as pool:
        for _ in pool.map(task, range(0, n, PART)):
            pass
    return made
