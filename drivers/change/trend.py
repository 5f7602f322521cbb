"""Trend of every pixel and of every stratum's mean, and the area of each class of trends."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from drivers.change.ground import Ground, Plain, Rows, class_column, ratio
from drivers.change.moments import SeriesMoments
from drivers.change.years import YearSeries
from drivers.spec.change_shapes import TrendOptions
from drivers.stats.differences import benjamini_hochberg
from drivers.stats.trend import fit_trend, trend_classes

Array = NDArray[np.float64]

UNKNOWN = "unknown"
"""What the tables call pixels without a class: too few years, or nothing that varies."""

NO_CHANGE = "no change"
"""Slope of exactly 0."""

_SURE = ("non-significant", "significant", "extremely significant")


def trend_names(levels: int) -> tuple[str, ...]:
    """Names of the classes of trends, from the surest decrease to the surest increase.

    >>> trend_names(1)  # doctest: +NORMALIZE_WHITESPACE
    ('significant decrease', 'non-significant decrease', 'no change', 'non-significant increase',
     'significant increase')
    >>> trend_names(3)[-3:]
    ('weakly significant increase', 'significant increase', 'extremely significant increase')
    """
    sure = (*_SURE[:1], "weakly significant", *_SURE[1:]) if levels == 3 else _SURE[: levels + 1]
    down = tuple(f"{word} decrease" for word in reversed(sure))
    return (*down, NO_CHANGE, *(f"{word} increase" for word in sure))


class TrendWork(Plain):
    """Theil-Sen slope and Mann-Kendall test of one series.

    Parameters
    ----------
    ground : the pixels
    series : the series
    options : of the trend
    """

    def __init__(self, ground: Ground, series: YearSeries, options: TrendOptions) -> None:
        self._ground, self.of_series, self.options = ground, series, options
        self._slope, self._s, self._z, self._log_p = (np.full(ground.n, np.nan) for _ in range(4))
        self._years = np.zeros(ground.n, dtype=np.int16)
        self.names = trend_names(len(options.levels))
        self.classes: NDArray[np.int8] = np.zeros(0, dtype=np.int8)
        """Class of every pixel, -1 without a trend; known when all pixels were taken."""

    @property
    def series(self) -> tuple[str, ...]:
        """The series."""
        return (self.of_series.name,)

    def take(self, rows: slice, values: Mapping[str, Array]) -> None:
        """Some pixels."""
        y = values[self.of_series.name]
        found = fit_trend(y, self.of_series.years, min_years=self.options.min_years)
        self._slope[rows], self._s[rows], self._z[rows] = found.slope, found.s, found.z
        self._log_p[rows], self._years[rows] = found.log_p, found.n_years

    def finish(self) -> None:
        """Classes, and the false-discovery control, which wants all p-values together."""
        options = self.options
        found = trend_classes(self._slope, self._z, options.levels, inclusive=options.inclusive)
        self.classes = found.codes
        self.bounds, self.signs = found.bounds, found.signs
        self._adjusted = benjamini_hochberg(self._log_p)

    def tables(self) -> Mapping[str, Rows]:
        """trend.csv: a row per stratum and class, and one for what is unknown."""
        stands = (self._adjusted <= np.log(self.options.alpha)) & (self.classes >= 0)
        tally = self._ground.tally(self.classes, len(self.names), stands.astype(np.float64))
        rows: Rows = []
        for stratum in self._ground.strata:
            own = tally.of(stratum)
            shares, total = own.shares(), float(own.weight[0, 1:].sum())
            key = {"stratum": stratum.label, "series": self.of_series.name}
            for i, name in enumerate(self.names):
                rows.append(
                    {
                        **key,
                        "trend_class": name,
                        "z_from": self.bounds[i],
                        "pixels": int(own.pixels[0, i + 1]),
                        "area": self._ground.areas.area(float(own.weight[0, i + 1])),
                        "share": shares[i],
                        "share_fdr": ratio(float(own.sums[0, 0, i + 1]), total),
                    }
                )
            rows.append(
                {
                    **key,
                    "trend_class": UNKNOWN,
                    "pixels": int(own.pixels[0, 0]),
                    "area": self._ground.areas.area(float(own.weight[0, 0])),
                }
            )
        return {"trend": rows}

    def columns(self) -> Mapping[str, pd.Series | NDArray[Any]]:
        """Slope, S, Z, p, class and years of every pixel."""
        name = self.of_series.name
        return {
            f"{name}_sen_slope": self._slope,
            f"{name}_mk_s": self._s,
            f"{name}_mk_z": self._z,
            f"{name}_mk_p": np.exp(self._log_p),
            f"{name}_mk_p_adjusted": np.exp(self._adjusted),
            f"{name}_trend_class": class_column(self.classes, self.names),
            f"{name}_n_years": self._years,
        }

    def warnings(self) -> list[str]:
        """A series that is too short for every pixel."""
        years, least = len(self.of_series.years), self.options.min_years
        if years >= least:
            return []
        return [
            f"`{self.of_series.name}` has {years} years and a trend needs {least} (`min_years`): "
            "no pixel has one"
        ]


def mean_trends(ground: Ground, moments: SeriesMoments, options: TrendOptions) -> Rows:
    """series_trend.csv: the trend of every stratum's mean, each pixel with its area."""
    series = moments.of_series
    names, years = trend_names(len(options.levels)), np.array(series.years, dtype=np.float64)
    rows: Rows = []
    for stratum in ground.strata:
        y = moments.of(stratum).area_mean[:-1]
        found = fit_trend(y[:, None], years, min_years=options.min_years)
        code = int(trend_classes(found.slope, found.z, options.levels, inclusive=options.inclusive).codes[0])
        rows.append(
            {
                "stratum": stratum.label,
                "series": series.name,
                "n_years": int(found.n_years[0]),
                "sen_slope": float(found.slope[0]),
                "sen_intercept": float(found.intercept[0]),
                "linear_slope": linear_slope(years, y),
                "mk_s": float(found.s[0]),
                "mk_z": float(found.z[0]),
                "mk_p": float(np.exp(found.log_p[0])),
                "mk_tau": float(found.tau[0]),
                "trend_class": names[code] if code >= 0 else UNKNOWN,
                "note": _why(int(found.n_years[0]), options.min_years, stratum.rows),
            }
        )
    return rows


def linear_slope(years: Array, y: Array) -> float:
    """Least-squares slope over the years with a value; NaN with fewer than two.

    >>> linear_slope(np.array([2000.0, 2001, 2002]), np.array([1.0, np.nan, 5.0]))
    2.0
    """
    known = ~np.isnan(y)
    if known.sum() < 2:
        return float("nan")
    t = years[known] - years[known].mean()
    return float(t @ (y[known] - y[known].mean()) / (t @ t))


def _why(years: int, least: int, pixels: int) -> str:
    if pixels == 0:
        return "no pixels"
    return f"{years} years, of {least} that a trend needs" if years < least else ""
