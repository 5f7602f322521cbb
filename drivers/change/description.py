"""A series over all its years, stratum by stratum, as papers tabulate it."""

from __future__ import annotations

import numpy as np

from drivers.change.ground import Ground, Rows, ratio
from drivers.change.moments import SeriesMoments, moment_cells
from drivers.change.trend import linear_slope
from drivers.stats.trend import fit_trend

FEWEST_YEARS = 2
"""A growth rate is a number to read, not a test; what a test needs is said in series_trend.csv."""


def description(ground: Ground, moments: SeriesMoments) -> Rows:
    """description.csv: a row per stratum, of the means that each pixel has over its years.

    Growth is the Theil-Sen slope of the stratum's mean, and its share that slope over the size of the mean
    over years.
    """
    series = moments.of_series
    years = np.array(series.years, dtype=np.float64)
    rows: Rows = []
    for stratum in ground.strata:
        found = moments.of(stratum)
        y = found.area_mean[:-1]
        known = ~np.isnan(y)
        growth = float(fit_trend(y[:, None], years, min_years=FEWEST_YEARS).slope[0])
        level = abs(float(y[known].mean())) if known.any() else float("nan")
        rows.append(
            {
                "stratum": stratum.label,
                "series": series.name,
                "year_from": series.years[0],
                "year_to": series.years[-1],
                "n_years": int(known.sum()),
                **moment_cells(found, len(years), ground),
                "growth": growth,
                "growth_share": ratio(growth, level),
                "linear_slope": linear_slope(years, y),
                "note": "" if found.n[-1] else "no pixel has a value" if stratum.rows else "no pixels",
            }
        )
    return rows
