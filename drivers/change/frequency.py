"""How often every pixel, and every stratum's mean, rose, fell or stood still."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from drivers.change.ground import Ground, Plain, Rows, ratio
from drivers.change.years import YearSeries
from drivers.spec.change_shapes import FrequencyOptions
from drivers.stats.frequency import RegionChanges, adjacent_years, change_frequency
from drivers.table import Stratum

Array = NDArray[np.float64]


class FrequencyWork(Plain):
    """Years by the direction of their change, of one series.

    Parameters
    ----------
    ground : the pixels
    series : the series
    options : of the frequency
    """

    def __init__(self, ground: Ground, series: YearSeries, options: FrequencyOptions) -> None:
        self._ground, self.of_series, self.options = ground, series, options
        self._rising, self._falling, self._unchanged = np.zeros((3, ground.n), dtype=np.int16)
        self._follows = adjacent_years(series.years, len(series.years))
        # Weight, weighted change, weight that rose and weight that fell, by step and cell.
        self._sums = np.zeros((4, len(self._follows), ground.cells))

    @property
    def series(self) -> tuple[str, ...]:
        """The series."""
        return (self.of_series.name,)

    def take(self, rows: slice, values: Mapping[str, Array]) -> None:
        """Some pixels."""
        y, tolerance = values[self.of_series.name], self.options.tolerance
        found = change_frequency(y, self.of_series.years, tolerance=tolerance)
        self._rising[rows], self._falling[rows] = found.increases, found.decreases
        self._unchanged[rows] = found.unchanged
        codes, weight = self._ground.codes[rows], self._ground.areas.of(rows)
        for i in np.flatnonzero(self._follows).tolist():
            change = y[i + 1] - y[i]
            own = np.where(np.isnan(change), 0.0, weight)
            change = np.where(np.isnan(change), 0.0, change)
            parts = (own, own * change, own * (change > tolerance), own * (change < -tolerance))
            for sums, part in zip(self._sums, parts, strict=True):
                sums[i] += np.bincount(codes, part, minlength=self._ground.cells)

    def tables(self) -> Mapping[str, Rows]:
        """frequency.csv: a row per stratum; frequency_years.csv: a row per stratum and step of the years."""
        pairs = self._rising + self._falling + self._unchanged
        # Pixels by whether they mostly rose, mostly fell, or neither.
        mostly = np.sign(self._rising - self._falling) + 1
        counted = (self._rising, self._falling, self._unchanged)
        tally = self._ground.tally(np.where(pairs > 0, mostly, -1), 3, *counted)
        rows: Rows = []
        steps: Rows = []
        for stratum in self._ground.strata:
            region, own = self._region(stratum), tally.of(stratum)
            found = region.frequency(tolerance=self.options.tolerance)
            shares, total = own.shares(), float(own.weight[0, 1:].sum())
            rising, falling, unchanged = (ratio(float(v[0, 1:].sum()), total) for v in own.sums)
            key = {"stratum": stratum.label, "series": self.of_series.name}
            rows.append(
                {
                    **key,
                    "steps": int(found.pairs[0]),
                    "rising": int(found.increases[0]),
                    "falling": int(found.decreases[0]),
                    "unchanged": int(found.unchanged[0]),
                    "pixels": int(own.pixels[0, 1:].sum()),
                    "mean_rising": rising,
                    "mean_falling": falling,
                    "mean_unchanged": unchanged,
                    "mostly_falling": shares[0],
                    "mostly_rising": shares[2],
                }
            )
            years = self.of_series.years
            for i in np.flatnonzero(self._follows).tolist():
                steps.append(
                    {
                        **key,
                        "year_from": years[i],
                        "year_to": years[i + 1],
                        "area": self._ground.areas.area(float(region.weight[i])),
                        "change": float(region.mean_change[i]),
                        "rising_share": float(region.rising_share[i]),
                        "falling_share": float(region.falling_share[i]),
                    }
                )
        return {"frequency": rows, "frequency_years": steps}

    def _region(self, stratum: Stratum) -> RegionChanges:
        weight, change, rising, falling = self._sums[:, :, list(stratum.cells)].sum(axis=2)
        return RegionChanges(weight, change, rising, falling)

    def columns(self) -> Mapping[str, pd.Series | NDArray[Any]]:
        """Years that rose, fell and stood still; missing where no two neighbouring years have a value."""
        known = (self._rising + self._falling + self._unchanged) > 0
        name = self.of_series.name
        counted = {"rising": self._rising, "falling": self._falling, "unchanged": self._unchanged}
        return {
            f"{name}_{word}": pd.Series(pd.arrays.IntegerArray(count, ~known))
            for word, count in counted.items()
        }
