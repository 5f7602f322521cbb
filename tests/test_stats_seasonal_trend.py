"""Seasonal Mann-Kendall: R's trend and Kendall on the monthly series of the shared data."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from drivers.stats.seasonal_trend import SeasonalTrend, fit_seasonal_trend
from drivers.stats.trend import fit_trend

RTOL = 1e-10
"""METHODS section 8, against golden/trend.json."""

HERE = Path(__file__).resolve().parent
PLACES = (HERE / "golden", HERE.parents[1] / "shared" / "golden")
TABLES = HERE.parents[1] / "shared" / "data" / "tables"


def reference(name: str) -> dict[str, Any]:
    for place in PLACES:
        if (place / "trend.json").exists():
            found = json.loads((place / "trend.json").read_text(encoding="utf-8"))
            return dict(found[name])
    pytest.skip("needs golden/trend.json, which is not part of the repository")


def monthly(name: str) -> SeasonalTrend:
    if not (TABLES / name).exists():
        pytest.skip(f"needs shared/data/tables/{name}, which is not part of the repository")
    with (TABLES / name).open() as stream:
        values = [float(row["value"] or "nan") if row["value"] != "NA" else np.nan
                  for row in csv.DictReader(stream)]  # fmt: skip
    return fit_seasonal_trend(np.array(values).reshape(-1, 12, 1))


def test_as_r_trend_on_co2() -> None:
    want, found = reference("seasonal_co2"), monthly("ts_co2.csv")
    assert found.s[0] == want["S"]
    assert found.season_s[:, 0].tolist() == want["Sg"]
    assert found.variance[0] == pytest.approx(want["varS"], rel=RTOL)
    assert found.z[0] == pytest.approx(want["Z"], rel=RTOL)
    assert found.log_p[0] == pytest.approx(np.log(want["p"]), rel=RTOL)
    assert found.slope[0] == pytest.approx(want["sea_sens_slope"], rel=RTOL)


def test_as_r_kendall_with_gaps_and_ties() -> None:
    """Kendall computes in single precision, and its test has no continuity correction."""
    want, found = reference("SeasonalMannKendall_GuelphP"), monthly("ts_GuelphP.csv")
    assert found.s[0] == want["S"]
    assert found.variance[0] == pytest.approx(want["varS"], rel=1e-7)
    assert found.tau[0] == pytest.approx(want["tau"], rel=1e-7)


def test_one_season_is_the_plain_test() -> None:
    y = np.random.default_rng(1).integers(0, 9, (12, 40)).astype(float)
    y[3, ::3] = np.nan
    plain, found = fit_trend(y, range(12)), fit_seasonal_trend(y[:, None])
    assert found.s.tolist() == plain.s.tolist()
    np.testing.assert_allclose(found.z, plain.z, rtol=1e-14)
    np.testing.assert_allclose(found.slope, plain.slope, rtol=1e-14)
    np.testing.assert_allclose(found.tau, plain.tau, rtol=1e-14)


def test_a_season_is_no_trend_and_one_without_pairs_adds_nothing() -> None:
    y = np.tile(np.array([0.0, 10.0, 5.0]), (9, 1))[:, :, None]
    flat = fit_seasonal_trend(y)
    assert (flat.s[0], flat.z[0], flat.slope[0]) == (0.0, 0.0, 0.0)
    assert np.isnan(flat.tau[0])
    rising = y + np.arange(9.0)[:, None, None]
    some = rising.copy()
    some[1:, 2] = np.nan
    assert fit_seasonal_trend(some).s[0] == fit_seasonal_trend(rising[:, :2]).s[0] == 72
    empty = fit_seasonal_trend(np.full((4, 2, 1), np.nan))
    assert np.isnan(empty.slope[0])
    with pytest.raises(ValueError, match="need \\(years, seasons, pixels\\)"):
        fit_seasonal_trend(np.zeros((3, 4)))
