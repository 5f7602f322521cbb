"""Sums over all pairs of the cells of a small grid, by distance, through one Fourier transform."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from drivers.stats.cell_sums import CellSums
from drivers.stats.correlogram import bin_edges
from drivers.stats.lattice import WORKERS
from drivers.stats.near_lags import NEAR, Lag, lag_distance, ring_of

Array = NDArray[np.float64]


def far_lags(
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
        return lag_distance(ring_of(*lag, square), cells.height, cells.width, wider)

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
