"""How the correlation of a variable falls with distance, from pixels in any shape of mask."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import fft

from drivers.stats.lattice import Lattice, workers

Array = NDArray[np.float64]

SMOOTHNESS = (0.5, 1.5, 2.5, np.inf)
"""Smoothnesses of the Matérn family that have closed forms, rough (exponential) to smooth (Gaussian)."""

PRACTICAL = {0.5: 2.995732, 1.5: 2.738863, 2.5: 2.646690, np.inf: 2.447747}
"""Distance, in ranges, at which each family has fallen to 0.05."""


REACH = 0.5
"""Pairs farther apart than this share of the extent are left out: all of them join the same few margins."""

NEAR = 3.0
"""Pairs within three cells are used at any rate, or a map of two rows and columns would have none."""

BIN = 0.5
"""Width of the first bins, in cells: wide enough to merge equal lags, narrow enough to part 1 from √2."""

BIN_GROWTH = 0.07
"""Later bins widen with the distance: a correlogram bends on the scale of the distance itself."""

SHORTEST = 0.3
"""Shortest range tried, in cells: neighbours correlate by 0.04, the next by 0.001."""

RANGES = 32
"""Ranges tried on a log scale; `ZOOMS` then refine the best one of each smoothness."""

ZOOMS = (np.geomspace(0.8, 1.25, 9), np.geomspace(0.95, 1.05, 9))
"""Factors around the best range so far."""

ROUNDS = 4
"""Fits, each with the weights of the one before. The third moves ranges by less than 2 %."""

DOUBT = 2.4
"""Largest of the standardised sums of autocovariances that independent pixels may have. See `stands_out`."""


@dataclass(frozen=True, slots=True)
class Correlogram:
    """How the correlation of a variable falls with distance: nugget share, range, smoothness.

    Attributes
    ----------
    nugget : share of the variance that neighbouring pixels do not share, in [0, 1]
    range : of the Matérn family, in units of the lattice; 0 when the nugget is 1
    smoothness : 0.5 (exponential), 1.5, 2.5 or inf (Gaussian)
    """

    nugget: float
    range: float
    smoothness: float

    def structured(self, distance: ArrayLike) -> Array:
        """Correlation of the part that neighbours share, 1 at distance 0; same shape as `distance`."""
        d = np.asarray(distance, dtype=np.float64)
        if self.range <= 0.0:
            return np.where(d == 0.0, 1.0, 0.0)
        return matern(d / self.range, self.smoothness)

    def at(self, distance: ArrayLike) -> Array:
        """Correlation of two pixels; 1 at distance exactly 0, a pixel with itself.

        Examples
        --------
        >>> Correlogram(0.2, 10.0, 0.5).at([0.0, 1e-9, 10.0]).round(4).tolist()
        [1.0, 0.8, 0.2943]
        """
        d = np.asarray(distance, dtype=np.float64)
        return np.where(d == 0.0, 1.0, (1.0 - self.nugget) * self.structured(d))

    @property
    def practical_range(self) -> float:
        """Distance at which the structured part has fallen to 0.05; 0 without a structured part."""
        return PRACTICAL[self.smoothness] * self.range if self.nugget < 1.0 else 0.0


INDEPENDENT = Correlogram(1.0, 0.0, 0.5)
"""Pixels that share nothing."""


def matern(scaled: Array, smoothness: float) -> Array:
    """Matérn correlation at distance / range (Rasmussen & Williams 2006, eq. 4.14-4.17); same shape.

    Examples
    --------
    >>> [round(float(matern(np.array(PRACTICAL[s]), s)), 5) for s in SMOOTHNESS]
    [0.05, 0.05, 0.05, 0.05]
    """
    if smoothness == np.inf:
        return np.asarray(np.exp(-0.5 * scaled**2))
    t = np.sqrt(2.0 * smoothness) * scaled
    if smoothness == 0.5:
        return np.asarray(np.exp(-t))
    if smoothness == 1.5:
        return np.asarray((1.0 + t) * np.exp(-t))
    if smoothness == 2.5:
        return np.asarray((1.0 + t + t**2 / 3.0) * np.exp(-t))
    raise ValueError(f"smoothness must be one of {SMOOTHNESS}, not {smoothness:g}")


@dataclass(frozen=True, slots=True)
class PairMoments:
    """Sums over pairs of pixels, by distance; every array has shape (bins,).

    Attributes
    ----------
    distance : mean over the pairs, in units of the lattice; 0 for pixels that share a cell
    pairs : number of pairs, each counted once
    semivariance : half the mean squared difference, in squared units of the variable
    covariance : mean product of the deviations from the mean of all pixels, in squared units
    """

    distance: Array
    pairs: Array
    semivariance: Array
    covariance: Array


def pair_moments(values: Array, lattice: Lattice) -> PairMoments:
    """Semivariances and autocovariances by distance, over all pairs within half the extent of the pixels.

    Parameters
    ----------
    values : shape (n,)
    lattice : where they are; any shape of mask, any number of pixels per cell

    Notes
    -----
    Counts, sums and sums of squares per cell are correlated with each other by FFT, padded so that nothing
    wraps (Marcotte 1996, doi:10.1016/S0098-3004(96)00026-X). Bins are `BIN` cells wide, later `BIN_GROWTH` of
    the distance.

    Examples
    --------
    >>> line = Lattice(np.zeros(4, dtype=int), np.array([0, 1, 2, 9]), (1, 10), 1.0, 1.0, True)
    >>> m = pair_moments(np.array([1.0, 2.0, 4.0, 9.0]), line)
    >>> m.distance.tolist(), m.pairs.tolist(), m.semivariance.tolist()
    ([1.0, 2.0], [2.0, 1.0], [1.25, 4.5])
    """
    deviation = np.asarray(values, dtype=np.float64) - np.mean(values)
    rows, columns = lattice.shape
    cell, size = lattice.cell, rows * columns
    shape = (fft.next_fast_len(2 * rows - 1, real=True), fft.next_fast_len(2 * columns - 1, real=True))
    threads = workers(shape[0] * shape[1])
    count, first, second = (
        fft.rfft2(np.bincount(cell, w, size).reshape(rows, columns), shape, workers=threads)
        for w in (None, deviation, deviation**2)
    )
    square = np.abs(first) ** 2
    pairs, products, halves = (
        fft.irfft2(spectrum, shape, workers=threads)
        for spectrum in (np.abs(count) ** 2, square, (second * count.conj()).real - square)
    )
    # A pixel makes no pair with itself, though its own square is in the sum at lag 0.
    pairs[0, 0] -= len(cell)
    products[0, 0] -= deviation @ deviation
    lags = [np.minimum(np.arange(m), m - np.arange(m)) for m in shape]
    distance = np.hypot((lags[0] * lattice.height)[:, None], lags[1] * lattice.width)
    unit = min(lattice.height, lattice.width)
    farthest = max(
        NEAR * unit, REACH * float(np.hypot((rows - 1) * lattice.height, (columns - 1) * lattice.width))
    )
    kept = (np.rint(pairs) > 0) & (distance <= farthest)
    distance = distance[kept]
    # 0 alone, then from half a bin below the first lag on.
    edges = [BIN / 2 * unit]
    while edges[-1] <= farthest:
        edges.append(edges[-1] + max(BIN * unit, BIN_GROWTH * edges[-1]))
    which = np.digitize(distance, edges)
    number = np.bincount(which, np.rint(pairs[kept]))
    filled = number > 0
    number = number[filled]

    def mean(of: Array) -> Array:
        return np.asarray(np.bincount(which, of)[filled] / number)

    return PairMoments(
        mean(distance * np.rint(pairs[kept])),
        number / 2,
        np.maximum(mean(halves[kept]), 0.0),
        mean(products[kept]),
    )


def fit_correlogram(values: Array, lattice: Lattice) -> Correlogram:
    """Nugget, range and smoothness of a variable's correlation, from the differences of its pixels.

    Parameters
    ----------
    values : finite, shape (n,)
    lattice : where they are

    Notes
    -----
    Autocovariances around an estimated mean are too small by the variance of that mean, which makes long
    ranges look short. Half the mean squared difference of a pair, γ(d) = σ² (1 - (1 - nugget) ρ(d)), does not
    contain the mean, so it has no such bias and its sill σ² is free to lie above the sample's variance. It is
    fitted by weighted least squares over `RANGES` ranges up to the extent, times `SMOOTHNESS`, with weights 1 /
    var γ of the previous fit,

        var γ(d) = γ(d)² / pairs(d) + 2 γs(d)² min(d, practical range)² / n,  d in cells, γs the structured part

    because the differences of two pairs are alike when the pairs are closer than they are long. With
    pairs(d) alone (Cressie 1985, doi:10.1007/BF01032109) far pairs drown the near ones that fix the family.

    Where no autocovariance stands out (`DOUBT`), the pixels are independent: nugget 1. So are constant values.
    """
    moments = pair_moments(values, lattice)
    variance = float(np.var(values))
    extent = float(np.hypot(lattice.shape[0] * lattice.height, lattice.shape[1] * lattice.width))
    unit = min(lattice.height, lattice.width)
    if not len(moments.distance) or variance <= 1e-20 * float(np.mean(np.square(values))):
        return INDEPENDENT
    ranges = np.geomspace(SHORTEST * unit, max(extent, unit), RANGES)
    if not stands_out(moments, variance, len(lattice), ranges):
        return INDEPENDENT
    sill = np.full(len(moments.distance), variance)
    shared = np.zeros_like(sill)
    area = np.zeros_like(sill)
    fitted = INDEPENDENT
    for _ in range(ROUNDS):
        weights = 1.0 / (sill**2 / moments.pairs + 2.0 * shared**2 * area / len(lattice))
        tried = [least_squares(moments, weights, ranges, s) for s in SMOOTHNESS]
        for zoom in ZOOMS:
            tried += [
                least_squares(moments, weights, t[3] * zoom[zoom * t[3] <= ranges[-1]], t[4])
                for t in tried[-4:]
            ]
        misfit, c0, c1, reach, smoothness = min(tried, key=lambda t: t[0])
        if c1 <= 0.0:
            return INDEPENDENT
        fitted = Correlogram(c0 / (c0 + c1), reach, smoothness)
        shared = c1 * (1.0 - fitted.structured(moments.distance))
        sill = np.maximum(c0 + shared, 1e-4 * (c0 + c1))
        area = np.minimum(moments.distance, fitted.practical_range) ** 2 / (lattice.height * lattice.width)
    return fitted


def stands_out(moments: PairMoments, variance: float, n: int, ranges: Array) -> bool:
    """Whether some weighted sum of autocovariances is too large for independent pixels.

    Weighted by an exponential correlogram of each range in turn. Given the values, a product of two pixels in
    random order has mean -variance / (n - 1) and standard deviation of about the variance.
    """
    excess = moments.covariance / variance + 1.0 / (n - 1)
    weight = matern(moments.distance / ranges[:, None], 0.5)
    z = (weight @ (moments.pairs * excess)) / np.sqrt(weight**2 @ moments.pairs)
    return bool(z.max() > DOUBT)


def least_squares(
    moments: PairMoments, weights: Array, ranges: Array, smoothness: float
) -> tuple[float, float, float, float, float]:
    """Misfit, nugget, structured sill (both >= 0), range and smoothness of the best of some ranges."""
    rise = 1.0 - matern(moments.distance / ranges[:, None], smoothness)
    g = moments.semivariance
    one, up, up2 = weights.sum(), rise @ weights, rise**2 @ weights
    y, uy = weights @ g, rise @ (weights * g)
    determinant = one * up2 - up**2
    flat = determinant <= 1e-12 * one * up2
    determinant = np.where(flat, 1.0, determinant)
    c0 = np.where(flat, -1.0, (y * up2 - uy * up) / determinant)
    c1 = np.where(c0 < 0.0, uy / np.maximum(up2, 1e-300), (one * uy - up * y) / determinant)
    c0 = np.where(c1 < 0.0, y / one, np.maximum(c0, 0.0))
    c1 = np.maximum(c1, 0.0)
    misfit = weights @ g**2 - 2.0 * (c0 * y + c1 * uy) + c0**2 * one + 2.0 * c0 * c1 * up + c1**2 * up2
    i = int(misfit.argmin())
    return float(misfit[i]), float(c0[i]), float(c1[i]), float(ranges[i]), smoothness
