"""Correlation over years of two series: of every pixel, and of every stratum's means."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from drivers.change.ground import Ground, Plain, Rows, ratio
from drivers.change.moments import SeriesMoments
from drivers.spec.change_shapes import CorrelationOptions
from drivers.stats.differences import benjamini_hochberg
from drivers.stats.series_correlation import series_correlation
from drivers.table import Stratum

Array = NDArray[np.float64]

_SIGNS = ("negative", "zero", "positive")


class CorrelationWork(Plain):
    """Pearson's r of a pair of series, over the years that both have.

    Parameters
    ----------
    ground : the pixels
    first, second : the series, as their moments, which take their pixels themselves
    options : of the correlation
    """

    def __init__(
        self, ground: Ground, first: SeriesMoments, second: SeriesMoments, options: CorrelationOptions
    ) -> None:
        self._ground, self._moments, self.options = ground, (first, second), options
        one, other = first.of_series, second.of_series
        common = [year for year in one.years if year in other.years]
        self._common = [[s.years.index(year) for year in common] for s in (one, other)]
        self._r, self._log_p = np.full(ground.n, np.nan), np.full(ground.n, np.nan)

    @property
    def series(self) -> tuple[str, ...]:
        """Both series."""
        return tuple(moments.of_series.name for moments in self._moments)

    def take(self, rows: slice, values: Mapping[str, Array]) -> None:
        """Some pixels."""
        if len(self._common[0]) >= self.options.min_years:
            one, other = (values[name][at] for name, at in zip(self.series, self._common, strict=True))
            found = series_correlation(one, other, min_years=self.options.min_years)
            self._r[rows], self._log_p[rows] = found.r, found.log_p

    def tables(self) -> Mapping[str, Rows]:
        """correlation.csv: a row per stratum."""
        known = ~np.isnan(self._r)
        codes = np.where(known, np.sign(np.where(known, self._r, 0.0)) + 1, -1).astype(np.int8)
        level = np.log(self.options.alpha)
        own, controlled = (
            (log_p <= level).astype(np.float64) for log_p in (self._log_p, benjamini_hochberg(self._log_p))
        )
        tally = self._ground.tally(codes, len(_SIGNS), self._r, own, controlled)
        rows: Rows = []
        for stratum in self._ground.strata:
            found = tally.of(stratum)
            shares, total = found.shares(), float(found.weight[0, 1:].sum())
            r, significant, stands = found.sums[:, 0, 1:]
            rows.append(
                {
                    "stratum": stratum.label,
                    "series": self.series[0],
                    "partner": self.series[1],
                    "pixels": int(found.pixels[0, 1:].sum()),
                    "unknown": int(found.pixels[0, 0]),
                    "area": self._ground.areas.area(total),
                    "mean_r": ratio(float(r.sum()), total),
                    "positive": shares[2],
                    "negative": shares[0],
                    "significant_positive": ratio(float(significant[2]), total),
                    "significant_negative": ratio(float(significant[0]), total),
                    "fdr_positive": ratio(float(stands[2]), total),
                    "fdr_negative": ratio(float(stands[0]), total),
                    **self._of_means(stratum),
                }
            )
        return {"correlation": rows}

    def _of_means(self, stratum: Stratum) -> dict[str, float | int]:
        one, other = (
            moments.of(stratum).area_mean[:-1][at][:, None]
            for moments, at in zip(self._moments, self._common, strict=True)
        )
        if len(one) < self.options.min_years:
            return {"n_years": len(one)}
        found = series_correlation(one, other, min_years=self.options.min_years)
        return {
            "n_years": int(found.n_years[0]),
            "region_r": float(found.r[0]),
            "region_p": float(np.exp(found.log_p[0])),
        }

    def columns(self) -> Mapping[str, pd.Series | NDArray[Any]]:
        """r and its p-value of every pixel."""
        pair = "_".join(self.series)
        return {f"{pair}_r": self._r, f"{pair}_p": np.exp(self._log_p)}

    def warnings(self) -> list[str]:
        """Series with too few years in common."""
        years, least = len(self._common[0]), self.options.min_years
        if years >= least:
            return []
        one, other = self.series
        return [
            f"`{one}` and `{other}` have {years} years in common and a correlation needs {least} "
            "(`min_years`): no pixel has one"
        ]
