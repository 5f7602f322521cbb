"""What the positions of a sample's pixels imply: correlogram, folds of blocks, surrogate responses."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from drivers.methods.driver_sample import DriverSample
from drivers.methods.positions import lattice_of
from drivers.stats.binning import Codes
from drivers.stats.blocks import MOST_BLOCKS, block_folds, block_grid, block_side, square_blocks
from drivers.stats.correlogram import INDEPENDENT, Correlogram, fit_correlogram
from drivers.stats.lattice import Lattice
from drivers.stats.sandwich import border_weights
from drivers.stats.surrogates import class_covariance, surrogate_fields

Array = NDArray[np.float64]
Folds = NDArray[np.uint8]
Rows = NDArray[np.intp]

WIDER = 1.02
"""Least growth of the side of blocks while there are too many of them."""


@dataclass(frozen=True)
class Neighbours:
    """A sample's pixels as neighbours; without a lattice they count as independent."""

    lattice: Lattice | None
    correlogram: Correlogram

    def covariance(self, codes: Codes, n_classes: int, weights: Array | None) -> Array | None:
        """Covariance of class means of a response of unit variance, shape (K, K).

        Codes from K on are in no class. None where pixels are independent.
        """
        if self.lattice is None or self.correlogram.nugget >= 1:
            return None
        classes = codes.astype(np.intp)
        classes[classes >= n_classes] = -1
        return class_covariance(classes, n_classes, self.lattice, self.correlogram, weights)

    def surrogates(self, values: Array, draws: int, rng: np.random.Generator) -> Iterator[Array]:
        """Responses with the same values and the same correlogram, that know of no driver."""
        if self.lattice is not None:
            # The correlogram of the ranks, not of the values: skewed values are less alike than their ranks.
            yield from surrogate_fields(values, self.lattice, None, draws, rng)
        else:
            for _ in range(draws):
                yield rng.permutation(values)


def find_neighbours(sample: DriverSample, *, correlated: bool = True) -> Neighbours:
    """The lattice of a sample and, unless nobody asks for it, the correlogram of its response."""
    at = sample.positions
    if at is None:
        return Neighbours(None, INDEPENDENT)
    lattice = lattice_of(at)
    if lattice.shape == (1, 1):  # one place for all pixels says nothing about neighbours
        return Neighbours(None, INDEPENDENT)
    return Neighbours(lattice, fit_correlogram(sample.response, lattice) if correlated else INDEPENDENT)


def reaching_as_far(neighbours: Neighbours, rows: Rows, residuals: Array) -> Neighbours:
    """The same neighbours, with the correlogram of the response or of residuals: that which reaches farther.

    Parameters
    ----------
    rows : pixels of the sample that have residuals, shape (m,)
    residuals : response less out-of-fold predictions, shape (m,)

    Notes
    -----
    A neighbour left in the training tells of a held-out pixel in two ways: it shares the smooth part of the
    noise, which the residuals show; and where drivers are smooth it shares their values, so that trees need
    not know the law to predict, which the response shows. Residuals alone make blocks too small where drivers
    reach farther than the noise, the response alone where the noise does
    (tests/calibration/tree_folds.py).
    """
    if neighbours.lattice is None:
        return neighbours
    lattice = replace(
        neighbours.lattice, row=neighbours.lattice.row[rows], column=neighbours.lattice.column[rows]
    )
    left = fit_correlogram(residuals, lattice)
    farther = left.practical_range > neighbours.correlogram.practical_range
    return replace(neighbours, correlogram=left) if farther else neighbours


@dataclass(frozen=True, slots=True)
class SpatialFolds:
    """Folds of pixels by place.

    Attributes
    ----------
    folds : fold of each pixel, 0 to n_folds - 1, shape (n,)
    n_folds : their number
    side : of the blocks, in units of the coordinates (km for longitude and latitude); NaN for single pixels
    """

    folds: Folds
    n_folds: int
    side: float


def spatial_folds(
    n: int, neighbours: Neighbours, folds: int, side: float | None, rng: np.random.Generator
) -> SpatialFolds | None:
    """Folds of whole square blocks, or of single pixels where they have no place.

    Fewer folds than asked for where there are fewer blocks; None where there are not two.
    """
    lattice = neighbours.lattice
    if lattice is None:
        folds = min(folds, n)
        single = np.asarray(rng.permutation(np.arange(n) % folds), dtype=np.uint8)
        return SpatialFolds(single, folds, float("nan")) if n > 1 else None
    east, north = _places(lattice)
    side = _side(neighbours, lattice, side)
    blocks = square_blocks(east, north, side)
    folds = min(folds, int(blocks.max()) + 1)
    return SpatialFolds(block_folds(blocks, folds, rng), folds, side) if folds > 1 else None


@dataclass(frozen=True, slots=True, eq=False)
class ErrorBlocks:
    """Blocks over which standard errors are found.

    Attributes
    ----------
    codes : block of each pixel, shape (n,)
    borders : what touching blocks share counts too, shape (B, B)
    """

    codes: NDArray[np.int64]
    borders: Array


def error_blocks(neighbours: Neighbours, side: float | None) -> ErrorBlocks | None:
    """Blocks for standard errors; None where pixels have no place, and each is a block of its own.

    Their side is that of `spatial_folds`, or larger where a given one makes more than `MOST_BLOCKS`: weights
    between many blocks need memory, and no error is better for them.
    """
    lattice = neighbours.lattice
    if lattice is None:
        return None
    east, north = _places(lattice)
    side = _side(neighbours, lattice, side)
    while (many := len((grid := block_grid(east, north, side)).row)) > MOST_BLOCKS:
        side *= max((many / MOST_BLOCKS) ** 0.5, WIDER)
    return ErrorBlocks(grid.codes, border_weights(grid.row, grid.column))


def _places(lattice: Lattice) -> tuple[Array, Array]:
    """The lattice's own places: empty land is narrowed there, and longitude and latitude are km."""
    return (
        np.asarray(lattice.column * lattice.width, dtype=np.float64),
        np.asarray(lattice.row * lattice.height, dtype=np.float64),
    )


def _side(neighbours: Neighbours, lattice: Lattice, side: float | None) -> float:
    """The side of blocks: as given, or as far as the correlogram reaches; a pixel at least."""
    if side is None:
        side = block_side(neighbours.correlogram, *_places(lattice))
    return float(max(side, min(lattice.width, lattice.height)))


def independent_covariance(codes: Codes, counts: Array, weights: Array | None) -> Array:
    """diag(1 / n_h), the covariance of the means of independent pixels, shape (K, K).

    With weights n_h is Kish's (Σ w)² / Σ w² (1965, Survey Sampling).
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        if weights is not None:
            size = len(counts)
            held = np.minimum(codes, size)
            sums, squares = (np.bincount(held, w, size + 1)[:size] for w in (weights, weights**2))
            counts = sums**2 / squares
        return np.diag(1.0 / counts)
