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

PRACTICAL = {0.5: 2.995732, 1.5: 2.738871, 2.5: 2.646900, np.inf: 2.447747}
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
"""Largest standardised sum of autocovariances that independent pixels may have: 5 % of independent maps have
one above it (2.2 to 2.5 over squares, blobs and strips, normal and lognormal). See `stands_out`."""

FLOOR = 1e-4
"""Semivariance, as a share of the sill, below which a bin gets no more weight: nothing is that exact."""

CONSTANT = 1e-12
"""Values whose standard deviation is below this share of their size are constant but for rounding."""


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
    Counts, sums and sums of squares per cell are correlated with each other by FFT, padded so that no pair
    within reach wraps (Marcotte 1996, doi:10.1016/S0098-3004(96)00026-X).

    Examples
    --------
    >>> line = Lattice(np.zeros(4, dtype=int), np.array([0, 1, 2, 9]), (1, 10), 1.0, 1.0, True)
    >>> m = pair_moments(np.array([1.0, 2.0, 4.0, 9.0]), line)
    >>> m.distance.tolist(), m.pairs.tolist(), m.semivariance.round(9).tolist()
    ([1.0, 2.0], [2.0, 1.0], [1.25, 4.5])
    """
    deviation = np.asarray(values, dtype=np.float64) - np.mean(values)
    rows, columns = lattice.shape
    steps = np.array([lattice.height, lattice.width])
    extent = float(np.hypot(*((np.array(lattice.shape) - 1) * steps)))
    farthest = max(REACH * extent, NEAR * float(steps.min()))
    reach = (farthest / steps).astype(int)
    shape = tuple(
        fft.next_fast_len(cells + min(lags, cells - 1), real=True)
        for cells, lags in zip(lattice.shape, reach, strict=True)
    )
    threads = workers(shape[0] * shape[1])
    count, first, second = (
        fft.rfft2(np.bincount(lattice.cell, w, rows * columns).reshape(rows, columns), shape, workers=threads)
        for w in (None, deviation, deviation**2)
    )
    square = np.abs(first) ** 2
    pairs, products, halves = (
        fft.irfft2(spectrum, shape, workers=threads)
        for spectrum in (np.abs(count) ** 2, square, (second * count.conj()).real - square)
    )
    # A pixel makes no pair with itself, though its own square is in the sum at lag 0.
    pairs[0, 0] -= len(deviation)
    products[0, 0] -= deviation @ deviation
    down, right = (
        np.minimum(np.arange(m), m - np.arange(m)) * step for m, step in zip(shape, steps, strict=True)
    )
    distance = np.hypot(down[:, None], right)
    pairs = np.rint(pairs)
    kept = (pairs > 0.0) & (distance <= farthest)
    distance, pairs = distance[kept], pairs[kept]
    which = np.digitize(distance, bin_edges(farthest, float(steps.min())))
    number = np.bincount(which, pairs)
    filled = number > 0.0

    def mean(sums: Array) -> Array:
        return np.asarray(np.bincount(which, sums)[filled] / number[filled])

    # Every pair was met twice, once from either end; a variogram of rounded zeros must not go below 0.
    return PairMoments(
        distance=mean(distance * pairs),
        pairs=number[filled] / 2.0,
        semivariance=np.maximum(mean(halves[kept]), 0.0),
        covariance=mean(products[kept]),
    )


def bin_edges(farthest: float, unit: float) -> Array:
    """Upper edges of the bins of distance: pixels that share a cell, then `BIN` cells, later wider."""
    edges = [BIN / 2.0 * unit]
    while edges[-1] <= farthest:
        edges.append(edges[-1] + max(BIN * unit, BIN_GROWTH * edges[-1]))
    return np.array(edges)


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
    contain the mean, so it has no such bias, and its sill σ² may lie above the variance of the sample. It is
    fitted by weighted least squares, for `RANGES` ranges up to the extent of the pixels times `SMOOTHNESS`,
    with weights 1 / var γ from the fit before:

        var γ(d) = γ(d)² / pairs(d) + 2 γs(d)² a(d) / n,  a(d) = min(d, practical range)² in cells,

    γs the structured part of γ. The second term is there because the differences of two pairs are alike when
    the pairs are closer than they are long; with the first alone (Cressie 1985, doi:10.1007/BF01032109) the
    many far pairs drown the near ones, which decide on nugget and smoothness.

    Where no autocovariance stands out (`DOUBT`) the pixels are independent: nugget 1. So are constant values.

    Examples
    --------
    >>> line = Lattice(np.zeros(400, dtype=int), np.arange(400), (1, 400), 1.0, 1.0, True)
    >>> wave = fit_correlogram(np.sin(np.arange(400) / 5.0), line)
    >>> wave.nugget < 0.01, wave.smoothness, 3.0 < wave.range < 10.0
    (True, inf, True)
    """
    values = np.asarray(values, dtype=np.float64)
    spread = float(np.std(values))
    if not spread > CONSTANT * float(np.abs(values).max()):
        return INDEPENDENT
    moments = pair_moments(values / spread, lattice)
    unit = min(lattice.height, lattice.width)
    extent = float(np.hypot(lattice.shape[0] * lattice.height, lattice.shape[1] * lattice.width))
    ranges = np.geomspace(SHORTEST * unit, extent, RANGES)
    if not len(moments.pairs) or not stands_out(moments, len(values), ranges):
        return INDEPENDENT
    noise = moments.semivariance.mean() ** 2 / moments.pairs
    for _ in range(ROUNDS):
        tried = [search(moments, 1.0 / noise, ranges, smoothness) for smoothness in SMOOTHNESS]
        best = min(tried, key=lambda t: t.misfit)
        if best.structured <= 0.0:
            return INDEPENDENT
        sill = best.nugget + best.structured
        fitted = Correlogram(best.nugget / sill, best.range, best.smoothness)
        shared = best.structured * (1.0 - fitted.structured(moments.distance))
        area = np.minimum(moments.distance, fitted.practical_range) ** 2 / (lattice.height * lattice.width)
        gamma = np.maximum(best.nugget + shared, FLOOR * sill)
        noise = gamma**2 / moments.pairs + 2.0 * shared**2 * area / len(values)
    return fitted


def stands_out(moments: PairMoments, n: int, ranges: Array) -> bool:
    """Whether some weighted sum of autocovariances of values of variance 1 is too large for chance.

    The weights are an exponential correlogram of each range in turn. In random order, the product of two
    values has mean -1 / (n - 1) and variance near 1, and products of different pairs hardly correlate.
    """
    weight = matern(moments.distance / ranges[:, None], SMOOTHNESS[0])
    excess = moments.pairs * (moments.covariance + 1.0 / (n - 1))
    z = (weight @ excess) / np.sqrt(np.maximum(weight**2 @ moments.pairs, 1e-300))
    return bool(z.max() > DOUBT)


@dataclass(frozen=True, slots=True)
class Trial:
    """The best fit of one smoothness: weighted misfit, nugget and structured sill, range."""

    misfit: float
    nugget: float
    structured: float
    range: float
    smoothness: float


def search(moments: PairMoments, weights: Array, ranges: Array, smoothness: float) -> Trial:
    """Best of the ranges, then of finer ones around it, never beyond the last."""
    best = least_squares(moments, weights, ranges, smoothness)
    for zoom in ZOOMS:
        around = np.minimum(best.range * zoom, ranges[-1])
        best = min(best, least_squares(moments, weights, around, smoothness), key=lambda t: t.misfit)
    return best


def least_squares(moments: PairMoments, weights: Array, ranges: Array, smoothness: float) -> Trial:
    """Nugget and structured sill, neither below 0, of each range by least squares; the best of them."""
    rise = 1.0 - matern(moments.distance / ranges[:, None], smoothness)
    gamma = moments.semivariance
    one, up, up2 = weights.sum(), rise @ weights, rise**2 @ weights
    y, uy = float(weights @ gamma), rise @ (weights * gamma)
    determinant = one * up2 - up**2
    # Where the correlogram has fallen to nothing at the first bin, nugget and structure are one: all nugget.
    flat = determinant <= 1e-12 * one * up2
    determinant = np.where(flat, 1.0, determinant)
    structured = np.where(flat, 0.0, (one * uy - up * y) / determinant)
    nugget = np.where(flat, y / one, (y * up2 - uy * up) / determinant)
    structured = np.where(nugget < 0.0, uy / np.maximum(up2, 1e-300), structured)
    nugget = np.where(structured < 0.0, y / one, np.maximum(nugget, 0.0))
    structured = np.maximum(structured, 0.0)
    misfit = (
        weights @ gamma**2
        - 2.0 * (nugget * y + structured * uy)
        + nugget**2 * one
        + 2.0 * nugget * structured * up
        + structured**2 * up2
    )
    i = int(misfit.argmin())
    return Trial(float(misfit[i]), float(nugget[i]), float(structured[i]), float(ranges[i]), smoothness)
