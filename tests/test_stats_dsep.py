"""Fisher's C, tests of claims, and the verdicts."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from drivers.stats.dsep import (
    CONFIDENCE,
    FishersC,
    df_of_equal_width,
    fishers_c,
    multiple_interval,
    partial_intervals,
    partial_tests,
)


@given(p=st.lists(st.floats(1e-12, 1.0), min_size=1, max_size=20))
def test_c_is_fishers(p: list[float]) -> None:
    found = fishers_c(np.log(p))
    want = stats.combine_pvalues(p, method="fisher")
    assert found.c == pytest.approx(want.statistic, rel=1e-12, abs=1e-12)
    assert found.p_value == pytest.approx(want.pvalue, rel=1e-10)
    assert found.df == 2 * len(p)
    assert found.c_per_df == pytest.approx(found.c / found.df)


def test_c_does_not_underflow() -> None:
    found = fishers_c(np.array([-11_512.9, -0.5, -3e5]))
    assert found.c == pytest.approx(2 * (11_512.9 + 0.5 + 3e5), rel=1e-15)
    assert (found.df, found.p_value, found.verdict) == (6, 0.0, "rejected")


def test_nothing_claimed_is_saturated() -> None:
    found = fishers_c(np.zeros(0))
    assert np.isnan(found.c)
    assert np.isnan(found.p_value)
    assert np.isnan(found.c_per_df)
    assert (found.df, found.verdict) == (0, "saturated")


@pytest.mark.parametrize(
    ("c", "df", "p", "verdict"),
    [
        (10.0, 10, 0.44, "accepted"),
        (20.0, 10, 0.05, "accepted"),
        (20.0, 10, 0.0499, "rejected"),
        (20.1, 10, 0.06, "rejected"),
        (0.0, 4, 1.0, "accepted"),
    ],
)
def test_the_fields_verdict_needs_both(c: float, df: int, p: float, verdict: str) -> None:
    assert FishersC(c, df, p).verdict == verdict


@given(seed=st.integers(0, 1000), n=st.integers(8, 60))
def test_the_partial_t_is_the_coefficients(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    x, z = rng.normal(size=n), rng.normal(size=(n, 2))
    y = 0.3 * x + z @ [0.5, -0.2] + rng.normal(size=n)
    fit = sm.OLS(y, sm.add_constant(np.column_stack([x, z]))).fit()
    design = sm.add_constant(z)
    left, right = sm.OLS(x, design).fit().resid, sm.OLS(y, design).fit().resid
    r = float(np.corrcoef(left, right)[0, 1])
    found = partial_tests(np.array([r]), np.array([float(n - 4)]))
    assert found.statistic[0] == pytest.approx(fit.tvalues[1], rel=1e-8, abs=1e-10)
    assert found.log_p[0] == pytest.approx(np.log(fit.pvalues[1]), rel=1e-8, abs=1e-10)
    assert found.df.tolist() == [n - 4]


@pytest.mark.parametrize("r", [-0.9, -0.049, 0.0, 0.03, 0.5])
@pytest.mark.parametrize("df", [5.0, 87.0, 40_000.0])
def test_intervals_are_fishers_z(r: float, df: float) -> None:
    found = partial_intervals(np.array([r]), np.array([df]), 0.05)
    z, se, half = np.arctanh(r), 1 / np.sqrt(df - 1), stats.norm.ppf(0.975)
    assert found.low[0] == pytest.approx(np.tanh(z - half * se), rel=1e-12, abs=1e-15)
    assert found.high[0] == pytest.approx(np.tanh(z + half * se), rel=1e-12, abs=1e-15)
    below = stats.norm.cdf((z - np.arctanh(0.05)) / se)
    above = 1 - stats.norm.cdf((z + np.arctanh(0.05)) / se)
    assert found.equivalence_p[0] == pytest.approx(max(below, above), rel=1e-9, abs=1e-15)


def test_intervals_of_few_pixels_say_nothing() -> None:
    found = partial_intervals(np.array([0.3]), np.array([1.0]), 0.05)
    assert (found.low[0], found.high[0]) == (-1.0, 1.0)
    assert not found.equivalence_p[0] < 0.5


def test_intervals_cover_and_equivalence_has_its_size() -> None:
    """Partial correlations of 0.05 (the bound): the interval covers, and equivalence is found in 5 %."""
    rng = np.random.default_rng(3)
    n, rho, draws = 400, 0.05, 4000
    x = rng.normal(size=(draws, n))
    y = rho * x + np.sqrt(1 - rho**2) * rng.normal(size=(draws, n))
    x -= x.mean(axis=1, keepdims=True)
    y -= y.mean(axis=1, keepdims=True)
    r = (x * y).sum(axis=1) / np.sqrt((x**2).sum(axis=1) * (y**2).sum(axis=1))
    found = partial_intervals(r, np.full(draws, n - 2.0), rho)
    covered = ((found.low <= rho) & (rho <= found.high)).sum()
    assert stats.binomtest(int(covered), draws, 0.95).pvalue > 1e-4
    # At n = 400 the lower one-sided test binds too: never more than the nominal 5 %.
    assert (found.equivalence_p < 0.05).mean() <= 0.055


def lambda_of(r: float, n: float) -> float:
    return n * r**2 / (1 - r**2)


@pytest.mark.parametrize("df", [2, 4])
@pytest.mark.parametrize(
    ("r", "n"), [(0.1, 300.0), (0.02, 46_000.0), (0.4, 46_000.0), (0.95, 1e5), (0.6, 40.0)]
)
def test_a_factors_interval_solves_its_equations(r: float, n: float, df: int) -> None:
    low, high, p = multiple_interval(r, df, n, 0.05)
    statistic = lambda_of(r, n)
    assert 0 <= low <= high < 1
    assert stats.ncx2.cdf(statistic, df, lambda_of(high, n)) == pytest.approx(0.025, abs=1e-6)
    if low > 0:
        assert stats.ncx2.cdf(statistic, df, lambda_of(low, n)) == pytest.approx(0.975, abs=1e-6)
    else:
        assert stats.chi2.cdf(statistic, df) <= 0.975
    assert p == pytest.approx(float(stats.ncx2.cdf(statistic, df, lambda_of(0.05, n))), abs=1e-9)


def test_a_factor_without_any_effect_has_an_interval_from_zero() -> None:
    low, high, p = multiple_interval(0.0, 3, 500.0, 0.05)
    assert low == 0.0
    assert 0.0 <= high < 0.1
    assert 0.0 <= p < 1.0


def test_one_column_agrees_with_the_partial_interval() -> None:
    n, r = 2000.0, 0.3
    low, high, _ = multiple_interval(r, 1, n, 0.05)
    want = partial_intervals(np.array([r]), np.array([n]), 0.05)
    assert low == pytest.approx(want.low[0], abs=0.004)
    assert high == pytest.approx(want.high[0], abs=0.004)


def test_an_interval_is_as_wide_as_its_errors_say() -> None:
    """Of many pixels, Fisher's z on those df is as wide as the t interval of the other errors."""
    r, n = np.array([0.003]), 1e6
    plain = partial_tests(r, np.array([n]))
    own_df = np.array([25.0])
    room = df_of_equal_width(np.array([n]), plain.statistic, plain.statistic / 30.0, own_df)
    found = partial_intervals(r, room, 0.1)
    half = stats.t.ppf(0.5 + CONFIDENCE / 2, own_df) * r / (plain.statistic / 30.0)
    assert (np.arctanh(found.high) - np.arctanh(found.low)) / 2 == pytest.approx(half, rel=1e-3)
    same = df_of_equal_width(np.array([n]), plain.statistic, plain.statistic, np.array([np.inf]))
    assert same == pytest.approx(n)
    assert np.isnan(df_of_equal_width(np.array([n]), plain.statistic, plain.statistic, np.array([np.nan])))
