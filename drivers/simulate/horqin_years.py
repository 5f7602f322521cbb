"""The world `horqin-years`: the region of `horqin` with twenty years of NEP, climate and land use."""

from __future__ import annotations

import numpy as np
import pandas as pd

from drivers.simulate.ground import FloatArray, Ground, IntArray
from drivers.simulate.horqin import build_horqin
from drivers.simulate.horqin_data import LAND_USES
from drivers.simulate.simulated import SimulatedTable, planted_table

YEARS = tuple(range(2001, 2021))

LAND_USE_YEARS = (2001, 2005, 2010, 2015, 2020)
"""Land use is mapped every five years, as in the seed studies."""

TREND = {"cropland": 1.6, "forestland": 2.4, "grassland": 1.1, "unused": 0.0, "impervious": -0.9}
"""Mean slope of NEP by today's land use, g C m-2 yr-1 per year (filled; no paper reports it)."""

TREND_SPREAD = 0.8
"""Standard deviation of the slope within a land use, smooth over the map."""

REGIONAL_SD, LOCAL_SD, PIXEL_SD = 6.0, 8.0, 6.0
"""Anomalies of NEP in a year, g C m-2 yr-1: of the region, smooth over the map, and of a pixel alone."""

WARMING, WARM_SD = 0.03, 0.4
"""degC per year, and of a year's anomaly."""

RAIN_SD = 35.0
"""mm, of a year's anomaly over the map."""

NEP_PER_RAIN = 0.12
"""g C m-2 per mm: a wet year takes up more."""

CONVERTED = 0.08
"""Share of pixels that changed their land use in these years."""

CAME_FROM = {"cropland": "grassland", "grassland": "cropland", "impervious": "cropland"}
"""What a converted pixel was before; grassland where nothing is said."""

NOTE = (
    " Its years are planted too, and filled: a slope of NEP by land use, wet years that take up more carbon, "
    "warming, and land that changes use."
)


def build_horqin_years(ground: Ground, range_pixels: float) -> SimulatedTable:
    """Simulate the region, then its years; the columns without a year are those of `horqin`.

    NEP_y = NEP + b (y - ȳ) + a_y, with the slope b of its land use and anomalies a_y that add up to nil over
    the years: the mean of NEP over the years is NEP exactly, and so for TEM and PRE. `planted` has the mean
    slope of every land use, op `trend`.
    """
    base = build_horqin(ground, range_pixels)
    frame, m = base.frame, len(YEARS)
    codes = frame["LUCC"].to_numpy()
    time = np.array(YEARS) - np.mean(YEARS)
    slope = TREND_SPREAD * ground.fields(1, 2.0 * range_pixels)[:, 0]
    rows = []
    for use in LAND_USES:
        here = codes == use.code
        slope[here] += TREND[use.name] - slope[here].mean()
        planted = ("NEP", "trend", "year", float("nan"), TREND[use.name], "filled")
        rows.append((f"landuse={use.name}", *planted))
    rain = _anomalies(ground, m, range_pixels, RAIN_SD / 2.0, RAIN_SD / 2.0, 0.0)
    warmth = _anomalies(ground, m, range_pixels, WARM_SD / 2.0, WARM_SD / 2.0, 0.0)
    carbon = _anomalies(ground, m, range_pixels, REGIONAL_SD, LOCAL_SD, PIXEL_SD)
    carbon += NEP_PER_RAIN * rain + np.outer(time, slope)
    warmth += WARMING * time[:, None]
    land = _land_use_by_year(ground, codes, range_pixels)
    columns = {
        **{f"NEP_{y}": frame["NEP"].to_numpy() + carbon[i] for i, y in enumerate(YEARS)},
        **{f"TEM_{y}": frame["TEM"].to_numpy() + warmth[i] for i, y in enumerate(YEARS)},
        **{f"PRE_{y}": frame["PRE"].to_numpy() + rain[i] for i, y in enumerate(YEARS)},
        **{f"LUCC_{y}": land[i] for i, y in enumerate(LAND_USE_YEARS)},
    }
    planted_rows = pd.concat([base.planted, planted_table(rows)], ignore_index=True)
    return SimulatedTable(frame.assign(**columns), planted_rows, base.note + NOTE)


def _anomalies(
    ground: Ground, m: int, range_pixels: float, regional: float, local: float, pixel: float
) -> FloatArray:
    """Anomalies of m years that add up to nil in every pixel, shape (m, n)."""
    made = local * ground.fields(m, range_pixels).T
    made += regional * ground.rng.normal(size=(m, 1))
    if pixel > 0:
        made += pixel * ground.rng.normal(size=made.shape)
    centred: FloatArray = made - made.mean(axis=0)
    return centred


def _land_use_by_year(ground: Ground, codes: IntArray, range_pixels: float) -> IntArray:
    """Land use in each of `LAND_USE_YEARS`, shape (years, n); the last is today's."""
    code_of = {use.name: use.code for use in LAND_USES}
    before = np.full(len(codes), code_of["grassland"], dtype=np.int64)
    for use in LAND_USES:
        before[codes == use.code] = code_of[CAME_FROM.get(use.name, "grassland")]
    where, when = ground.fields(2, range_pixels).T
    changed = where > np.quantile(where, 1.0 - CONVERTED)
    # The rank of a smooth field says when: conversions spread over the map.
    order = np.argsort(np.argsort(when)) / len(when)
    year = LAND_USE_YEARS[0] + 1 + order * (LAND_USE_YEARS[-1] - LAND_USE_YEARS[0] - 1)
    return np.array([np.where(changed & (year > y), before, codes) for y in LAND_USE_YEARS])
