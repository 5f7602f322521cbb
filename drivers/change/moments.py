"""Means and spreads of a series in every cell of the strata, year by year, summed chunk by chunk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from drivers.change.ground import Ground, Plain, Rows
from drivers.change.years import YearSeries
from drivers.table import Stratum

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class YearMoments:
    """A series in one stratum; arrays have a number a year and, last, one of the pixels' own means.

    Attributes
    ----------
    n : pixels with a value
    mean, sd, lowest, highest : of the values, each pixel alike; sd with divisor n - 1
    weight : of these pixels
    area_mean : mean of the values, each with its weight
    sinks : share of the weight with a value above 0
    """

    n: Array
    mean: Array
    sd: Array
    lowest: Array
    highest: Array
    weight: Array
    area_mean: Array
    sinks: Array


class SeriesMoments(Plain):
    """Sums of one series by cell and year.

    Parameters
    ----------
    ground : the pixels
    series : the series

    Notes
    -----
    Means and squared deviations of a chunk are taken about its own means and merged with those before (Chan,
    Golub & LeVeque 1983, doi:10.1080/00031305.1983.10483115), so values such as 1e9 lose no digits. Weighted
    means are merged likewise.
    """

    def __init__(self, ground: Ground, series: YearSeries) -> None:
        self._ground, self.of_series = ground, series
        shape = (len(series.years) + 1, ground.cells)
        self._n, self._mean, self._squares = np.zeros(shape), np.zeros(shape), np.zeros(shape)
        self._weight, self._level, self._sinks = np.zeros(shape), np.zeros(shape), np.zeros(shape)
        self._lowest, self._highest = np.full(shape, np.inf), np.full(shape, -np.inf)
        self.gaps = 0
        """Pixels that have a value in some years and not in others."""

    @property
    def series(self) -> tuple[str, ...]:
        """The series."""
        return (self.of_series.name,)

    def take(self, rows: slice, values: Mapping[str, Array]) -> None:
        """Some pixels."""
        y = values[self.of_series.name]
        codes, weight = self._ground.codes[rows], self._ground.areas.of(rows)
        known = ~np.isnan(y)
        years = known.sum(axis=0)
        self.gaps += int(((years > 0) & (years < len(y))).sum())
        with np.errstate(invalid="ignore", divide="ignore"):
            own = np.where(known, y, 0.0).sum(axis=0) / years
        for i, row in enumerate((*y, own)):
            there = ~np.isnan(row)
            if there.all():
                self._add(i, row, codes, weight)
            else:
                self._add(i, row[there], codes[there], weight[there])

    def _add(self, i: int, v: Array, codes: NDArray[np.integer], w: Array) -> None:
        cells = self._ground.cells

        def sums(of: Array) -> Array:
            return np.asarray(np.bincount(codes, of, minlength=cells), dtype=np.float64)

        n = np.bincount(codes, minlength=cells).astype(np.float64)
        some = np.maximum(n, 1.0)
        mean = sums(v) / some
        apart = v - mean[codes]
        rest = sums(apart)
        squares = sums(apart * apart) - rest * rest / some
        mean += rest / some
        weight = sums(w)
        heavy = np.where(weight > 0, weight, 1.0)
        level = mean + sums(w * (v - mean[codes])) / heavy
        before, total = self._n[i].copy(), self._n[i] + n
        shift = mean - self._mean[i]
        merged = np.maximum(total, 1.0)
        self._squares[i] += squares + shift * shift * before * n / merged
        self._mean[i] += shift * n / merged
        self._n[i] = total
        whole = self._weight[i] + weight
        self._level[i] += (level - self._level[i]) * weight / np.where(whole > 0, whole, 1.0)
        self._weight[i] = whole
        self._sinks[i] += sums(w * (v > 0))
        np.minimum.at(self._lowest[i], codes, v)
        np.maximum.at(self._highest[i], codes, v)

    def of(self, stratum: Stratum) -> YearMoments:
        """The series in a stratum, its cells put together."""
        cells = list(stratum.cells)
        n, weight = self._n[:, cells], self._weight[:, cells]
        total, whole = n.sum(axis=1), weight.sum(axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = (n * self._mean[:, cells]).sum(axis=1) / total
            apart = np.where(n > 0, self._mean[:, cells] - mean[:, None], 0.0)
            # The mean of means of 1e9 is off by a rounding or so, which this takes out.
            mean += (n * apart).sum(axis=1) / total
            apart = np.where(n > 0, self._mean[:, cells] - mean[:, None], 0.0)
            squares = self._squares[:, cells].sum(axis=1) + (n * apart * apart).sum(axis=1)
            sd = np.sqrt(np.maximum(squares, 0.0) / np.where(total > 1, total - 1.0, np.nan))
            from_mean = np.where(weight > 0, self._level[:, cells] - mean[:, None], 0.0)
            area_mean = mean + (weight * from_mean).sum(axis=1) / whole
            sinks = self._sinks[:, cells].sum(axis=1) / whole
        empty = total == 0
        lowest = self._lowest[:, cells].min(axis=1, initial=np.inf)
        highest = self._highest[:, cells].max(axis=1, initial=-np.inf)
        return YearMoments(
            total,
            mean,
            sd,
            np.where(empty, np.nan, lowest),
            np.where(empty, np.nan, highest),
            whole,
            area_mean,
            sinks,
        )

    def tables(self) -> Mapping[str, Rows]:
        """series.csv: a row per stratum and year."""
        rows: Rows = []
        for stratum in self._ground.strata:
            found = self.of(stratum)
            for i, year in enumerate(self.of_series.years):
                rows.append(
                    {
                        "stratum": stratum.label,
                        "series": self.of_series.name,
                        "year": year,
                        **moment_cells(found, i, self._ground),
                        "total": found.area_mean[i] * self._ground.areas.area(float(found.weight[i])),
                    }
                )
        return {"series": rows}

    def warnings(self) -> list[str]:
        """Pixels that come and go move the means."""
        if not self.gaps:
            return []
        name = self.of_series.name
        return [
            f"`{name}` has years missing in {self.gaps} pixels; a year's mean is of the pixels that have it"
        ]


def moment_cells(found: YearMoments, i: int, ground: Ground) -> dict[str, float | int]:
    """What the tables say about the i-th year (the last is the pixels' own means)."""
    return {
        "n": int(found.n[i]),
        "area": ground.areas.area(float(found.weight[i])),
        "mean": float(found.mean[i]),
        "area_mean": float(found.area_mean[i]),
        "sd": float(found.sd[i]),
        "min": float(found.lowest[i]),
        "max": float(found.highest[i]),
        "sink_share": float(found.sinks[i]),
    }
