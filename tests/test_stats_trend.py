"""Theil-Sen and Mann-Kendall: R's trend package, pymannkendall, brute force, laws, and classes."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from scipy import io, stats

from drivers.stats import trend as trend_module
from drivers.stats.differences import benjamini_hochberg
from drivers.stats.trend import fit_trend, trend_classes

RTOL = 1e-10
"""METHODS section 8, against golden/trend.json."""

HERE = Path(__file__).resolve().parent
PLACES = (HERE / "golden", HERE.parents[1] / "shared" / "golden")


def reference() -> dict[str, Any]:
    """Numbers of R's trend 1.1.6 with the series they are of; empty where the file is not there."""
    for place in PLACES:
        if (place / "trend.json").exists():
            found: dict[str, Any] = json.loads((place / "trend.json").read_text(encoding="utf-8"))
            return found
    return {}


SERIES = reference().get("series", {})


def brute(y: NDArray[np.float64], t: NDArray[np.float64]) -> tuple[float, float, float, float]:
    """Slope, intercept, S and variance of one series, pair by pair."""
    known = ~np.isnan(y)
    y, t = y[known], t[known]
    pairs = list(itertools.combinations(range(len(y)), 2))
    slope = float(np.median([(y[j] - y[i]) / (t[j] - t[i]) for i, j in pairs]))
    s = sum(float(np.sign(y[j] - y[i])) for i, j in pairs)
    k = len(y)
    ties = np.unique(y, return_counts=True)[1]
    variance = (k * (k - 1) * (2 * k + 5) - (ties * (ties - 1) * (2 * ties + 5)).sum()) / 18
    return slope, float(np.median(y - slope * t)), s, float(variance)


def series(rows: int = 12) -> st.SearchStrategy[NDArray[np.float64]]:
    """Series of small whole numbers, with ties, a column per pixel."""
    whole = st.integers(-9, 9).map(float)
    return hnp.arrays(np.float64, (rows, 3), elements=whole)


@pytest.mark.skipif(not SERIES, reason="needs golden/trend.json, which is not part of the repository")
@pytest.mark.parametrize("name", sorted(SERIES) or [""])
def test_as_r_trend(name: str) -> None:
    want = SERIES[name]
    y = np.array([[np.nan if v is None else v for v in want["values"]]]).T
    found = fit_trend(y, np.arange(len(y)))
    assert found.n_years[0] == want["n_used"]
    assert found.s[0] == want["S"]
    assert found.variance[0] == pytest.approx(want["varS"], rel=RTOL)
    assert found.z[0] == pytest.approx(want["Z"], rel=RTOL)
    assert found.tau[0] == pytest.approx(want["tau"], rel=RTOL)
    assert np.exp(found.log_p[0]) == pytest.approx(want["p"], rel=RTOL)
    assert found.slope[0] == pytest.approx(want["slope_true_positions"], rel=RTOL)


@pytest.mark.skipif(not SERIES, reason="needs golden/trend.json, which is not part of the repository")
def test_as_r_trend_when_gaps_are_closed() -> None:
    """trend::sens.slope takes a series with gaps as if its years were adjacent."""
    for name in (n for n in SERIES if SERIES[n]["n_na"]):
        values = np.array([[v for v in SERIES[name]["values"] if v is not None]]).T
        found = fit_trend(values, np.arange(len(values)))
        assert found.slope[0] == pytest.approx(SERIES[name]["sen_slope"], rel=RTOL)


def test_as_pymannkendall() -> None:
    """pymannkendall 1.4.3, run on these; tau is its own tau-a, so only without ties."""
    found = fit_trend(np.array([[1.0, 2, 2, 3, 3, 3, 4, 5]]).T, range(8), min_years=4)
    assert (found.s[0], found.slope[0]) == (24, 0.5)
    assert found.variance[0] == pytest.approx(60.666666666666664, rel=RTOL)
    assert found.z[0] == pytest.approx(2.9529273983252993, rel=RTOL)
    assert np.exp(found.log_p[0]) == pytest.approx(0.0031477598557005937, rel=RTOL)
    gap = fit_trend(np.array([[1, 2, np.nan, 3, 4]]).T, range(5), min_years=4)
    assert (gap.s[0], gap.tau[0], gap.n_years[0]) == (6, 1, 4)
    assert gap.variance[0] == pytest.approx(8.666666666666666, rel=RTOL)
    assert gap.z[0] == pytest.approx(1.6984155512168937, rel=RTOL)
    assert gap.slope[0] == pytest.approx(0.7083333333333333, rel=RTOL)
    assert np.exp(gap.log_p[0]) == pytest.approx(0.08942935902899363, rel=RTOL)


@given(y=series(), holes=st.sets(st.integers(0, 11), max_size=7), data=st.data())
def test_as_brute_force(y: NDArray[np.float64], holes: set[int], data: st.DataObject) -> None:
    steps = data.draw(st.lists(st.sampled_from([1.0, 2.0, 0.5, 7.0]), min_size=12, max_size=12))
    t = 1990.0 + np.cumsum(steps)
    y[sorted(holes), 1] = np.nan
    found = fit_trend(y, t, min_years=2)
    for i in range(3):
        slope, intercept, s, variance = brute(y[:, i], t)
        assert found.slope[i] == pytest.approx(slope, rel=1e-12, abs=1e-15)
        assert found.intercept[i] == pytest.approx(intercept, rel=1e-12, abs=1e-9)
        assert found.s[i] == s
        assert found.variance[i] == pytest.approx(variance, rel=1e-14)
        if variance > 0:
            kept = ~np.isnan(y[:, i])
            assert found.tau[i] == pytest.approx(
                stats.kendalltau(t[kept], y[kept, i]).statistic, rel=1e-12, abs=1e-15
            )


@given(y=series())
def test_a_mirrored_series_has_the_mirrored_trend(y: NDArray[np.float64]) -> None:
    one, other = fit_trend(y, range(12)), fit_trend(-y, range(12))
    for name in ("slope", "s", "z", "tau"):
        np.testing.assert_array_equal(getattr(one, name), -getattr(other, name))
    np.testing.assert_array_equal(one.log_p, other.log_p)
    np.testing.assert_array_equal(one.variance, other.variance)


@given(y=series(), scale=st.sampled_from([0.25, 2.0, 64.0]), shift=st.integers(-50, 50))
def test_units(y: NDArray[np.float64], scale: float, shift: int) -> None:
    """The slope is per unit of time and scales with the values; the test knows neither."""
    one = fit_trend(y, np.arange(12.0))
    slower = fit_trend(y, scale * np.arange(12.0) + shift)
    larger = fit_trend(scale * y + shift, np.arange(12.0))
    np.testing.assert_allclose(slower.slope, one.slope / scale, rtol=1e-14)
    np.testing.assert_allclose(larger.slope, one.slope * scale, rtol=1e-14)
    for found in (slower, larger):
        np.testing.assert_array_equal(found.s, one.s)
        np.testing.assert_array_equal(found.z, one.z)


@given(y=series())
def test_s_ignores_monotone_transforms(y: NDArray[np.float64]) -> None:
    one, other = fit_trend(y, range(12)), fit_trend(np.exp(y / 3.0), range(12))
    np.testing.assert_array_equal(one.s, other.s)
    np.testing.assert_array_equal(one.variance, other.variance)


@given(y=series(), at=st.permutations(range(3)))
def test_pixels_do_not_know_each_other(y: NDArray[np.float64], at: list[int]) -> None:
    np.testing.assert_array_equal(fit_trend(y, range(12)).slope[at], fit_trend(y[:, at], range(12)).slope)


def test_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    y = rng.normal(size=(21, 500))
    y[rng.random(y.shape) < 0.2] = np.nan
    one = fit_trend(y, range(21))
    monkeypatch.setattr(trend_module, "CHUNK_BYTES", 8 * 210 * 37)
    other = fit_trend(np.asfortranarray(y), range(21))
    for name in ("slope", "intercept", "s", "variance", "z", "log_p", "tau", "n_years"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def test_single_precision_input_is_computed_in_double() -> None:
    y = np.random.default_rng(4).normal(1000, 1, (21, 40)).astype(np.float32)
    np.testing.assert_array_equal(
        fit_trend(y, range(21)).slope, fit_trend(y.astype(np.float64), range(21)).slope
    )


def test_long_series_with_ties() -> None:
    """Counts beyond what one byte holds."""
    y = np.random.default_rng(8).integers(0, 3, (400, 2)).astype(float)
    y[:, 1] = 1.0
    y[0, 1] = 0.0
    found = fit_trend(y, range(400))
    for i in range(2):
        slope, _, s, variance = brute(y[:, i], np.arange(400.0))
        assert (found.slope[i], found.s[i]) == (slope, s)
        assert found.variance[i] == pytest.approx(variance, rel=1e-13)


@pytest.mark.parametrize(("name", "tau"), [("bale3g_v1", -0.246), ("kili3g_v0", 0.004)])
def test_ndvi_of_two_mountains(name: str, tau: float) -> None:
    """data/PUBLISHED.md, section 5: Kendall's tau of the area mean, whole years 1982 to 2013."""
    cube = HERE.parents[1] / "shared" / "data" / "rasters" / "ndvi_timecube" / f"{name}.nc"
    if not cube.exists():
        pytest.skip(f"needs {cube}, which is not part of the repository")
    with io.netcdf_file(cube, mmap=False) as file:
        values = next(v[:].copy() for v in file.variables.values() if len(v.shape) == 3)
    # Half-months from July 1981 on: the first twelve make half a year.
    yearly = values[12 : 12 + 24 * 32].reshape(32, 24, -1).mean(axis=(1, 2))
    found = fit_trend(yearly[:, None], range(1982, 2014))
    assert found.tau[0] == pytest.approx(tau, abs=5e-4)


def test_p_where_it_underflows() -> None:
    """A monotone series of 700 years has z = 39.7 and p = 1e-343."""
    found = fit_trend(np.arange(700.0)[:, None], range(700))
    mpmath = pytest.importorskip("mpmath", reason="needs mpmath for reference values")
    with mpmath.workdps(40):
        want = float(mpmath.log(mpmath.erfc(mpmath.mpf(found.z[0]) / mpmath.sqrt(2))))
    assert want < -745
    assert found.log_p[0] == pytest.approx(want, rel=1e-12)
    assert found.slope[0] == 1.0


def test_edges() -> None:
    nan = np.nan
    y = np.column_stack([np.full(10, nan), np.full(10, 3.3), [1.0] + [nan] * 9, [1.0, 2.0] + [nan] * 8])
    found = fit_trend(y, range(10), min_years=2)
    assert found.n_years.tolist() == [0, 10, 1, 2]
    assert np.isnan(found.slope[[0, 2]]).all()
    assert np.isnan(found.log_p[[0, 2]]).all()
    assert (found.slope[1], found.s[1], found.variance[1], found.z[1], found.log_p[1]) == (0, 0, 0, 0, 0)
    assert found.intercept[1] == 3.3
    assert np.isnan(found.tau[1])
    assert (found.slope[3], found.s[3], found.z[3]) == (1, 1, 0)
    assert np.isnan(fit_trend(y, range(10)).slope).tolist() == [True, False, True, True]
    assert np.isnan(fit_trend(np.ones((1, 2)), [2000]).slope).all()
    assert fit_trend(np.ones((12, 0)), range(12)).slope.shape == (0,)


@pytest.mark.parametrize(
    ("values", "years", "min_years", "message"),
    [
        (np.ones((3, 1)), [2000, 2001, 2001], 2, "years occur more than once: 2001"),
        (np.ones((3, 1)), [2000, 2002, 2001], 2, "years must increase"),
        (np.ones((3, 1)), [2000, 2001], 2, "2 years for 3 rows of values"),
        (np.ones((3, 1)), [2000, 2001, np.nan], 2, "years must be finite"),
        (np.ones(3), [2000, 2001, 2002], 2, "need \\(years, pixels\\)"),
        (np.ones((3, 1)), [2000, 2001, 2002], 1, "min_years is 1"),
        (np.array([[1.0], [np.inf], [2.0]]), [2000, 2001, 2002], 2, "infinite"),
    ],
)
def test_faults(values: NDArray[np.float64], years: list[float], min_years: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fit_trend(values, years, min_years=min_years)


def test_classes() -> None:
    slope = np.array([1.0, 1, 1, 1, -1, -1, -1, -1, 0, 0, np.nan])
    z = np.array([1.0, 1.65, 1.96, 2.58, -1.0, -1.65, -1.96, -2.58, 0, 3, 1])
    assert trend_classes(slope, z).codes.tolist() == [5, 6, 7, 8, 3, 2, 1, 0, 4, 4, -1]
    assert trend_classes(slope, z, inclusive=False).codes.tolist() == [5, 5, 6, 7, 3, 3, 2, 1, 4, 4, -1]
    horqin = trend_classes(slope, z, (1.96,), inclusive=False)
    assert horqin.codes.tolist() == [3, 3, 3, 4, 1, 1, 1, 0, 2, 2, -1]
    assert horqin.signs.tolist() == [-1, -1, 0, 1, 1]
    np.testing.assert_array_equal(horqin.bounds, [1.96, 0, np.nan, 0, 1.96])
    assert len(trend_classes(slope, z, (1.96, 2.58)).signs) == 7
    assert trend_classes(slope, z, ()).codes.tolist() == [2, 2, 2, 2, 0, 0, 0, 0, 1, 1, -1]


@pytest.mark.parametrize("levels", [(1.96, 1.65), (0.0, 1.0), (1.0, np.inf), (1.0, 1.0), tuple(range(1, 63))])
def test_classes_refuse(levels: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="levels"):
        trend_classes(np.zeros(1), np.zeros(1), levels)


@given(y=series())
def test_classes_mirror(y: NDArray[np.float64]) -> None:
    one, other = fit_trend(y, range(12)), fit_trend(-y, range(12))
    a, b = trend_classes(one.slope, one.z), trend_classes(other.slope, other.z)
    assert (a.codes + b.codes == 8).all()
    np.testing.assert_array_equal(a.signs[a.codes], np.sign(one.slope))


def test_noise_has_no_trend() -> None:
    """Each pixel for itself about 5 %, together next to none."""
    found = fit_trend(np.random.default_rng(5).normal(size=(21, 20_000)), range(2000, 2021))
    assert 0.04 < (found.log_p <= np.log(0.05)).mean() < 0.06
    assert (benjamini_hochberg(found.log_p) <= np.log(0.05)).mean() < 0.001


def test_memory_does_not_grow(tracked_peak: Callable[[Callable[[], object]], int]) -> None:
    """Beyond input and results, ten times the pixels take no more."""
    years = range(21)
    few, many = (np.random.default_rng(6).normal(size=(21, n)) for n in (10_000, 100_000))
    held = [tracked_peak(lambda y=y: fit_trend(y, years)) - 12 * 8 * y.shape[1] for y in (few, many)]
    assert held[1] < held[0] + 2_000_000


@pytest.fixture
def tracked_peak() -> Callable[[Callable[[], object]], int]:
    """Peak of what a call allocates, in bytes."""
    import tracemalloc

    def peak(work: Callable[[], object]) -> int:
        tracemalloc.start()
        work()
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    return peak
