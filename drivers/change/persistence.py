"""Memory of every pixel, and the area of each class of trend and persistence together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from drivers.change.ground import Ground, Plain, Rows, class_column, ratio
from drivers.change.trend import UNKNOWN, TrendWork
from drivers.change.years import YearSeries
from drivers.spec.change_shapes import PersistenceOptions
from drivers.stats.persistence import Persistence, fit_persistence, persistence_classes

Array = NDArray[np.float64]

NAMES = ("anti-persistent", "no memory shown", "persistent")
"""Classes in the order of their codes."""

HALF = 0.5
"""The papers call a pixel persistent above it; of series without any memory most are, at 21 years."""

NOTE = (
    "a series with a trend is persistent by the trend alone, so `persistent` beside an increase or a "
    "decrease says no more than the trend"
)


class PersistenceWork(Plain):
    """Hurst exponent of one series.

    Parameters
    ----------
    ground : the pixels
    series : the series
    options : of the persistence
    trend : of the same series, which takes its pixels itself
    """

    def __init__(
        self, ground: Ground, series: YearSeries, options: PersistenceOptions, trend: TrendWork
    ) -> None:
        self._ground, self.of_series, self.options, self._trend = ground, series, options, trend
        self._hurst, self._corrected, self._p, self._p_anti = (np.full(ground.n, np.nan) for _ in range(4))
        self._years = np.zeros(ground.n, dtype=np.int16)
        self.classes: NDArray[np.int8] = np.zeros(0, dtype=np.int8)
        """Class of every pixel, -1 for unknown; known when all pixels were taken."""

    @property
    def series(self) -> tuple[str, ...]:
        """The series."""
        return (self.of_series.name,)

    def take(self, rows: slice, values: Mapping[str, Array]) -> None:
        """Some pixels."""
        options = self.options
        found = fit_persistence(
            values[self.of_series.name],
            self.of_series.years,
            rule=options.rule,
            smallest=options.smallest_block,
            min_years=options.min_years,
        )
        self._hurst[rows], self._corrected[rows] = found.hurst, found.corrected
        self._p[rows], self._p_anti[rows] = found.p_persistent, found.p_antipersistent
        self._years[rows] = found.n_years

    def finish(self) -> None:
        """Classes."""
        found = Persistence(self._hurst, self._corrected, self._p, self._p_anti, self._years.astype(np.int64))
        self.classes = persistence_classes(found, self.options.alpha)

    def tables(self) -> Mapping[str, Rows]:
        """persistence.csv: a row per stratum and pair of classes, and one for what is unknown."""
        names = self._trend.names
        known = (self.classes >= 0) & (self._trend.classes >= 0)
        codes = np.where(known, self._trend.classes.astype(np.int16) * len(NAMES) + self.classes, -1)
        above = (self._hurst > HALF).astype(np.float64)
        tally = self._ground.tally(codes, len(names) * len(NAMES), self._hurst, above)
        rows: Rows = []
        for stratum in self._ground.strata:
            own = tally.of(stratum)
            shares = own.shares()
            key = {"stratum": stratum.label, "series": self.of_series.name}
            for i, share in enumerate(shares):
                weight = float(own.weight[0, i + 1])
                rows.append(
                    {
                        **key,
                        "trend_class": names[i // len(NAMES)],
                        "persistence_class": NAMES[i % len(NAMES)],
                        "pixels": int(own.pixels[0, i + 1]),
                        "area": self._ground.areas.area(weight),
                        "share": share,
                        "hurst": ratio(float(own.sums[0, 0, i + 1]), weight),
                        "hurst_above_half": ratio(float(own.sums[1, 0, i + 1]), weight),
                    }
                )
            rows.append(
                {
                    **key,
                    "trend_class": UNKNOWN,
                    "persistence_class": UNKNOWN,
                    "pixels": int(own.pixels[0, 0]),
                    "area": self._ground.areas.area(float(own.weight[0, 0])),
                }
            )
        return {"persistence": rows}

    def columns(self) -> Mapping[str, pd.Series | NDArray[Any]]:
        """Exponent, its p-value and class of every pixel."""
        name = self.of_series.name
        return {
            f"{name}_hurst": self._hurst,
            f"{name}_hurst_corrected": self._corrected,
            f"{name}_hurst_p": self._p,
            f"{name}_hurst_p_anti": self._p_anti,
            f"{name}_hurst_years": self._years,
            f"{name}_persistence_class": class_column(self.classes, NAMES),
        }

    def warnings(self) -> list[str]:
        """A series that is too short for every pixel."""
        longest, least = int(self._years.max(initial=0)), self.options.min_years
        if longest >= least:
            return []
        return [
            f"`{self.of_series.name}` has at most {longest} years without a gap and persistence needs "
            f"{least} (`min_years`): no pixel has an exponent"
        ]
