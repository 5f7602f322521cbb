"""Correlation of two series per pixel: scipy, laws, gaps and constants."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from drivers.stats import series_correlation as module
from drivers.stats.differences import benjamini_hochberg
from drivers.stats.series_correlation import series_correlation


@given(seed=st.integers(0, 10_000), level=st.sampled_from([0.0, 1e6]))
def test_as_scipy(seed: int, level: float) -> None:
    rng = np.random.default_rng(seed)
    x, y = rng.normal(level, 1, (12, 4)), rng.normal(size=(12, 4))
    x[rng.random(x.shape) < 0.2] = np.nan
    y[rng.random(x.shape) < 0.2] = np.nan
    found = series_correlation(x, y)
    for i in range(4):
        both = ~np.isnan(x[:, i] + y[:, i])
        assert found.n_years[i] == both.sum()
        if both.sum() >= 4:
            want = stats.pearsonr(x[both, i] - level, y[both, i])
            assert found.r[i] == pytest.approx(want.statistic, rel=1e-9, abs=1e-12)
            assert np.exp(found.log_p[i]) == pytest.approx(want.pvalue, rel=1e-8)


def test_laws(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = np.random.default_rng(1).normal(size=(2, 15, 50))
    one = series_correlation(x, y)
    np.testing.assert_array_equal(one.r, series_correlation(y, x).r)
    np.testing.assert_allclose(one.r, -series_correlation(x, 7 - 3e5 * y).r, rtol=1e-9)
    at = np.random.default_rng(2).permutation(15)
    np.testing.assert_allclose(one.r, series_correlation(x[at], y[at]).r, rtol=1e-12, atol=1e-15)
    monkeypatch.setattr(module, "CHUNK_PIXELS", 7)
    np.testing.assert_allclose(one.r, series_correlation(x, y).r, rtol=1e-12, atol=1e-15)


def test_inputs_stay() -> None:
    x = np.random.default_rng(3).normal(size=(9, 3))
    x[0, 0] = np.nan
    kept = x.copy()
    series_correlation(x, x[::-1])
    np.testing.assert_array_equal(x, kept)


@pytest.mark.parametrize("value", [0.0, 0.1, 1e12 + 0.1, -3e-9])
def test_a_constant_has_no_correlation(value: float) -> None:
    x = np.full((21, 1), value)
    found = series_correlation(x, np.arange(21.0)[:, None])
    assert np.isnan(found.r[0])
    assert np.isnan(found.log_p[0])
    assert found.n_years[0] == 21


def test_edges() -> None:
    nan = np.nan
    x = np.array([[1.0, 2, 3, nan], [1, 2, 3, 4], [nan] * 4]).T
    y = np.array([[1.0, 2, 4, 4], [2, 4, 6, 8], [1, 2, 3, 4]]).T
    found = series_correlation(x, y)
    assert np.isnan(found.r).tolist() == [True, False, True]
    assert found.r[1] == pytest.approx(1)
    assert found.log_p[1] < -30
    assert found.n_years.tolist() == [3, 4, 0]
    assert series_correlation(x, y, min_years=3).r[0] == pytest.approx(
        stats.pearsonr([1, 2, 3], [1, 2, 4])[0]
    )
    assert series_correlation(x[:, :0], y[:, :0]).r.shape == (0,)
    with pytest.raises(ValueError, match="min_years is 2"):
        series_correlation(x, y, min_years=2)
    with pytest.raises(ValueError, match="shapes"):
        series_correlation(x, y[:3])


def test_shares() -> None:
    """Independent series: 5 % each for itself, next to none together."""
    x, y = np.random.default_rng(4).normal(size=(2, 21, 10_000))
    found = series_correlation(x, y)
    assert 0.04 < (found.log_p <= np.log(0.05)).mean() < 0.06
    assert (benjamini_hochberg(found.log_p) <= np.log(0.05)).mean() < 0.002
