"""How a series is spread over the pixels of each stratum: of the mean that each pixel has over its years."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from drivers.change.ground import Ground, Plain, Rows
from drivers.change.years import YearSeries
from drivers.table.distribution import distribution_rows

Array = NDArray[np.float64]


class DistributionWork(Plain):
    """The distribution of one series.

    Parameters
    ----------
    ground : the pixels
    series : the series
    """

    def __init__(self, ground: Ground, series: YearSeries) -> None:
        self._ground, self.of_series = ground, series
        self._means = np.full(ground.n, np.nan)

    @property
    def series(self) -> tuple[str, ...]:
        """The series."""
        return (self.of_series.name,)

    def take(self, rows: slice, values: Mapping[str, Array]) -> None:
        """Some pixels; the mean of each over the years that it has."""
        y = values[self.of_series.name]
        known = ~np.isnan(y)
        with np.errstate(invalid="ignore", divide="ignore"):
            self._means[rows] = np.where(known, y, 0.0).sum(axis=0) / known.sum(axis=0)

    def tables(self) -> Mapping[str, Rows]:
        """distribution.csv and density.csv."""
        ground = self._ground
        return distribution_rows(self.of_series.name, self._means, ground.codes, ground.cells, ground.strata)
