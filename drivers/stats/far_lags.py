"""Sums over all pairs of the cells of a small grid, by distance, through one Fourier transform."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from drivers.stats.cell_sums import CellSums
from drivers.stats.correlogram import bin_edges
from drivers.stats.near_lags import NEAR, Lag, lag_distance, ring_of

Array = NDArray[np.float64]

TOGETHER = 512
"""Frequencies whose products are formed at a time: half a MB for 15 columns."""


def far_lags(cells: CellSums, counted: dict[Lag, Array], wider: bool) -> tuple[Array, Array]:
    """Mean distance, shape (bins,), and cross-products by bin of all lags, less those counted before.

    A bin holds a lag with its mirror images, so only the part of the lags' sums that is even in rows and in
    columns is wanted: a cosine transform of the even part of the cross-spectra. A bin's sum of that is a sum
    over frequencies, whose weights are the transform of the bin: no two columns' product is transformed back.
    """
    square, size = cells.height == cells.width, cells.sums.shape[1]
    bins = _bins(cells.shape, cells.height, cells.width, wider)
    grid = np.zeros((size, *cells.shape))
    grid[:, cells.row, cells.column] = cells.sums.T
    spectra = fft.rfft2(grid, (2 * bins.far[0], 2 * bins.far[1]))
    # Real and imaginary parts at each frequency, and at that mirrored in rows: the mean of both is even.
    down, right = bins.far
    parts = np.empty((size, 4, down + 1, right + 1))
    for i, part in enumerate((spectra.real, spectra.imag)):
        parts[:, i] = part[:, : down + 1]
        parts[:, 2 + i, 0], parts[:, 2 + i, 1:] = part[:, 0], part[:, : down - 1 : -1]
    whole = parts.reshape(size, 4, -1)
    del grid, spectra
    j, k = np.tril_indices(size)
    found, product = np.zeros((len(bins.weights), len(j))), np.empty((len(j), TOGETHER))
    for start in range(0, whole.shape[2], TOGETHER):
        near = whole[:, :, start : start + TOGETHER]
        some = product[:, : near.shape[2]]
        for first in range(size):
            mine = slice(first * (first + 1) // 2, (first + 1) * (first + 2) // 2)
            np.einsum("vf,kvf->kf", near[first], near[: first + 1], out=some[mine])
        found += bins.weights[:, start : start + TOGETHER] @ some.T
    cross = np.empty((len(found), size, size))
    cross[:, j, k] = cross[:, k, j] = found
    number = np.rint(bins.lags((whole[0] ** 2).sum(axis=0)))
    reached = np.bincount(bins.which, number, len(cross))
    total = np.bincount(bins.which, number * bins.distance, len(cross))
    cross[:, 0, 0] = reached
    for lag, sums in counted.items():
        # Its mirror images are at the same distance, so all are in the sums and leave from the same bin.
        apart = lag_distance(ring_of(*lag, square), cells.height, cells.width, wider)
        cross[min(int(np.digitize(apart, bins.edges)), len(cross) - 1)] -= sums
    filled = reached > 0.5
    filled[0] &= wider or bool(cross[0, 0, 0] > 0.5)
    return total[filled] / reached[filled], cross[filled]


class _Bins(NamedTuple):
    """The lags of a grid, sorted by distance.

    far : lags down and right that are reached without wrapping; f = (far[0] + 1)(far[1] + 1) in all
    distance, which : of each lag, and the bin that it is in, shape (f,)
    edges : between bins
    weights : what the sum over a bin's lags takes of each frequency, shape (bins, f)
    """

    far: tuple[int, int]
    distance: Array
    which: NDArray[np.intp]
    edges: Array
    weights: Array

    def lags(self, spectrum: Array) -> Array:
        """Sums by lag, opposite lags together, from the even part of a cross-spectrum, doubled."""
        shape = (self.far[0] + 1, self.far[1] + 1)
        back = fft.dctn(spectrum.reshape(shape), type=1) * _lags_per_entry(self.far)
        return np.asarray(0.5 * back.ravel() / (4.0 * self.far[0] * self.far[1]))


@lru_cache(maxsize=4)
def _bins(shape: tuple[int, int], height: float, width: float, wider: bool) -> _Bins:
    """Strata that cover the same ground share them."""
    far = fft.next_fast_len(shape[0], real=True), fft.next_fast_len(shape[1], real=True)
    distance = np.hypot((np.arange(far[0] + 1) * height)[:, None], np.arange(far[1] + 1) * width)
    for down in range(min(2 * NEAR, shape[0])):
        for right in range(min(2 * NEAR, shape[1])):
            lag = ring_of(down, right, height == width)
            distance[down, right] = lag_distance(lag, height, width, wider)
    edges = bin_edges(float(distance.max()), min(height, width))
    which = np.digitize(distance, edges)
    one = which == np.arange(which.max() + 1)[:, None, None]
    # An entry counts for its lags on both sides of the transform, so turned round it is the same transform.
    images = _lags_per_entry(far)
    weights = images * fft.dctn(one.astype(np.float64), type=1, axes=(1, 2)) / (4.0 * far[0] * far[1])
    weights = 0.5 * weights.reshape(len(one), -1)
    return _Bins(far, distance.ravel(), which.ravel(), edges, weights)


def _lags_per_entry(far: tuple[int, int]) -> Array:
    """How many lags an entry of the cosine transform stands for."""
    return np.outer(*(np.where(np.isin(np.arange(m + 1), [0, m]), 1.0, 2.0) for m in far))
