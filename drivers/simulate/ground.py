"""The ground a simulated world stands on: an irregular region of cells, and random fields over it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import fft

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
Shape = Literal["exponential", "gaussian"]

CELL = 1000.0
"""Side of a cell in metres: the 1-km grid that the Horqin study resampled everything to."""

NORTH_WEST = (100_000.0, 5_100_000.0)
"""Corner of the grid (easting, northing; EPSG:32651), near 46 N 118 E. A larger table grows to the
south-east, so coordinates stay positive; beyond about 250,000 cells it leaves the real region."""

FILL = 0.55
"""Share of the square grid that the region covers: enough margin for an irregular outline."""

WOBBLE = 0.22
"""How far the outline departs from an ellipse, in radii (one sd)."""

CORRELATION_AT_RANGE = 3.0
"""exp(-3) = 0.05: `range` is the practical range of geostatistics, where 5 % correlation is left."""


def side_for(pixels: int) -> int:
    """Cells along one side of the square grid that holds a region of `pixels` cells.

    >>> side_for(40_000)
    270
    """
    return math.ceil(math.sqrt(pixels / FILL))


@dataclass(frozen=True, slots=True)
class Ground:
    """A region of exactly `len(cells)` cells on a square grid; cells run row-major from the north-west."""

    side: int
    cells: IntArray
    """Flat grid index of each cell, ascending, shape (n,)."""
    rng: np.random.Generator

    @property
    def easting(self) -> FloatArray:
        """Cell centres in metres, shape (n,)."""
        easting: FloatArray = NORTH_WEST[0] + CELL * (self.cells % self.side + np.float64(0.5))
        return easting

    @property
    def northing(self) -> FloatArray:
        """Cell centres in metres, shape (n,)."""
        northing: FloatArray = NORTH_WEST[1] - CELL * (self.cells // self.side + np.float64(0.5))
        return northing

    def fields(self, count: int, range_pixels: float, shape: Shape = "exponential") -> FloatArray:
        """Independent Gaussian random fields of mean 0 and variance 1, read at the cells.

        Parameters
        ----------
        count
            How many fields.
        range_pixels
            Practical range in cells; 0 gives spatially independent values.
        shape
            Correlation at h cells: `exponential` exp(-3 h / range), or `gaussian` exp(-3 (h / range)^2).

        Returns
        -------
        Array of shape (n, count).
        """
        if range_pixels == 0:
            return self.rng.standard_normal((self.cells.size, count))
        out = np.empty((self.cells.size, count))
        torus = _torus(self.side, range_pixels)
        gain = _gain(torus, range_pixels, shape)
        row, column = self.cells // self.side, self.cells % self.side
        for k in range(count):
            out[:, k] = _field(torus, gain, self.rng)[row, column]
        return out


def lay_ground(pixels: int, rng: np.random.Generator) -> Ground:
    """Lay an irregular, mostly connected region of exactly `pixels` cells.

    The cells with the smallest distance from the middle are taken, where distance is elliptic and
    a smooth random field pushes the outline in and out.
    """
    side = side_for(pixels)
    reach = side / 2.0
    torus = _torus(side, reach)
    wobble = _field(torus, _gain(torus, reach, "gaussian"), rng)[:side, :side]
    across = (np.arange(side) + 0.5) / (side / 2.0) - 1.0
    distance = np.hypot(across[None, :], 1.05 * across[:, None]) + WOBBLE * wobble
    nearest = np.argpartition(distance.ravel(), pixels - 1)[:pixels]
    return Ground(side=side, cells=np.sort(nearest).astype(np.int64), rng=rng)


def _torus(side: int, range_pixels: float) -> int:
    """Side of the periodic grid: one range wider, so that opposite edges do not touch."""
    return int(fft.next_fast_len(side + math.ceil(range_pixels), real=True))


def _gain(torus: int, range_pixels: float, shape: Shape) -> FloatArray:
    """Square root of the spectrum of the correlation function, shape (torus, torus // 2 + 1).

    Circulant embedding (Dietrich & Newsam 1997, doi:10.1137/S1064827592240555). Eigenvalues that the
    cut-off makes slightly negative are set to 0; then the variance (their mean) is set to 1 again.
    """
    step = np.arange(torus)
    lag = np.minimum(step, torus - step) / range_pixels
    squared = lag[:, None] ** 2 + lag[None, :] ** 2
    power = squared if shape == "gaussian" else np.sqrt(squared)
    correlation = np.exp(-CORRELATION_AT_RANGE * power)
    eigenvalues = np.maximum(fft.fft2(correlation).real, 0.0)
    eigenvalues /= eigenvalues.mean()
    gain: FloatArray = np.sqrt(eigenvalues[:, : torus // 2 + 1])
    return gain


def _field(torus: int, gain: FloatArray, rng: np.random.Generator) -> FloatArray:
    """One periodic field with that spectrum, shape (torus, torus)."""
    spectrum = fft.rfft2(rng.standard_normal((torus, torus)))
    field: FloatArray = fft.irfft2(gain * spectrum, s=(torus, torus))
    return field
