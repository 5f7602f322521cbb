"""Logarithms of tail probabilities against mpmath, from p = 0.99 to p = 1e-5000 and beyond."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy import stats

from drivers.stats.tails import (
    UNDERFLOW,
    log_betainc_tail,
    log_p_chi2,
    log_p_f,
    log_p_t,
    log_p_t_or_nan,
    t_quantile,
)

mpmath = pytest.importorskip("mpmath", reason="needs mpmath for reference values")

RTOL = 1e-10
"""ln p of this relative error moves Fisher's C by less than any digit that a table shows."""


def exact_log_p_f(f: float, d1: float, d2: float) -> float:
    """ln P(F > f), the incomplete beta function by its continued fraction (DLMF 8.17.22) in 30 digits."""
    with mpmath.workdps(30):
        f, d1, d2 = mpmath.mpf(f), mpmath.mpf(d1), mpmath.mpf(d2)
        a, b = d2 / 2, d1 / 2
        x, rest = d2 / (d2 + d1 * f), d1 * f / (d2 + d1 * f)
        upper = mpmath.mpf(1)
        lower = 1 / (1 - (a + b) * x / (a + 1))
        fraction = lower
        for m in range(1, 100_000):
            for term in (
                m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
                -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
            ):
                lower, upper = 1 / (1 + term * lower), 1 + term / upper
                fraction *= lower * upper
            if abs(lower * upper - 1) < mpmath.mpf(10) ** -25:
                break
        log_beta = mpmath.loggamma(a) + mpmath.loggamma(b) - mpmath.loggamma(a + b)
        return float(
            a * mpmath.log(x) + b * mpmath.log(rest) - mpmath.log(a) - log_beta + mpmath.log(fraction)
        )


T_CASES = [
    (t, df)
    for df in (1, 3, 10, 87, 1000, 46_290, 1_000_000)
    for t in (0.5, 1.0, 2.0, 6.5, 12.0, 37.0, 40.0, 55.0, 152.0, 300.0)
]


@pytest.mark.parametrize(("t", "df"), T_CASES)
def test_t_against_mpmath(t: float, df: float) -> None:
    want = exact_log_p_f(t * t, 1, df)
    assert float(log_p_t(t, df)) == pytest.approx(want, rel=RTOL)
    assert float(log_p_t(-t, df)) == float(log_p_t(t, df))


@pytest.mark.parametrize("df1", [2, 3, 7, 30])
@pytest.mark.parametrize(
    ("f", "df2"), [(0.5, 20), (3.0, 50), (40.0, 300), (900.0, 2000), (2500.0, 46_000), (9000.0, 5e5)]
)
def test_f_against_mpmath(f: float, df1: float, df2: float) -> None:
    assert float(log_p_f(f, df1, df2)) == pytest.approx(exact_log_p_f(f, df1, df2), rel=RTOL)


@pytest.mark.parametrize("exponent", [10, 100, 280, 283, 300, 310, 400, 1000, 5000])
@pytest.mark.parametrize("df", [40, 500, 1e5])
def test_p_of_every_size(exponent: int, df: float) -> None:
    """The t that gives p = 1e-exponent, found here, and its ln p against mpmath."""
    want = -exponent * math.log(10)
    low, high = 0.0, 1.0
    while float(log_p_t(high, df)) > want:
        high *= 2.0
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if float(log_p_t(middle, df)) > want else (low, middle)
    assert float(log_p_t(high, df)) == pytest.approx(want, rel=1e-9)
    assert exact_log_p_f(high * high, 1, df) == pytest.approx(want, rel=1e-9)


def test_the_seam_is_smooth() -> None:
    """Where the far tail takes over from scipy there is no step, and ln p keeps falling."""
    for df in (30.0, 1000.0, 1e6):
        t = np.sqrt(df * np.expm1(np.linspace(1200, 1400, 801) / df))
        log_p = log_p_t(t, df)
        assert log_p.max() > UNDERFLOW > log_p.min()
        steps = np.diff(log_p)
        assert (steps < 0).all()
        assert np.abs(np.diff(steps)).max() < 1e-6


@example(t=1e-5, df=503.0)
@example(t=1e-6, df=1e6)
@given(t=st.floats(0, 30), df=st.floats(1, 1e6))
def test_t_agrees_with_scipy_where_scipy_can(t: float, df: float) -> None:
    """Also near t = 0, where 1 - x = t² / (df + t²) must not be taken from a rounded x."""
    assert float(log_p_t(t, df)) == pytest.approx(
        float(np.log(2) + stats.t.logsf(t, df)), rel=1e-8, abs=1e-12
    )


@pytest.mark.parametrize("z", [0.0, 1.0, 5.0, 37.0, 40.0, 150.0])
def test_infinite_df_is_the_normal(z: float) -> None:
    with mpmath.workdps(40):
        want = float(mpmath.log(mpmath.erfc(mpmath.mpf(z) / mpmath.sqrt(2))))
    assert float(log_p_t(z, np.inf)) == pytest.approx(want, rel=1e-12, abs=1e-15)
    assert float(log_p_t(-z, np.inf)) == float(log_p_t(z, np.inf))


def test_edges() -> None:
    assert float(log_p_t(0.0, 10)) == 0.0
    assert float(log_p_f(0.0, 3, 10)) == 0.0
    assert float(log_p_f(np.inf, 3, 10)) == -np.inf
    assert np.isnan(log_p_t(np.nan, 10))
    assert np.isnan(log_p_f(2.0, 3, 0))
    assert np.isnan(log_p_f(2.0, 0, 3))
    assert log_p_t([[1.0, 2.0]], [[5.0], [np.inf]]).shape == (2, 2)


def test_tail_of_the_beta_function() -> None:
    """ln I_x(a, b) itself, at x = 1 / (1 + odds)."""
    with mpmath.workdps(40):
        want = float(mpmath.log(mpmath.betainc(200, 3, 0, mpmath.mpf(1) / 9, regularized=True)))
    assert float(log_betainc_tail(200.0, 3.0, 8.0)) == pytest.approx(want, rel=RTOL)


@pytest.mark.parametrize("df", [1, 2, 3, 8, 30])
@pytest.mark.parametrize("x", [0.1, 1.0, 10.0, 100.0, 1250.0, 1300.0, 1500.0, 1e4, 1e6])
def test_chi_square_against_mpmath(x: float, df: int) -> None:
    with mpmath.workdps(40):
        want = float(mpmath.log(mpmath.gammainc(mpmath.mpf(df) / 2, mpmath.mpf(x) / 2, regularized=True)))
    assert float(log_p_chi2(x, df)) == pytest.approx(want, rel=RTOL, abs=1e-14)


def test_chi_square_edges() -> None:
    assert float(log_p_chi2(0.0, 3)) == 0.0
    assert np.isnan(log_p_chi2(np.nan, 3))
    assert float(log_p_chi2(np.inf, 3)) == -np.inf
    assert log_p_chi2([1.0, 4000.0], 2).tolist() == pytest.approx([-0.5, -2000.0])


def test_what_is_not_known_has_no_p() -> None:
    t = np.array([[2.0], [np.nan], [np.inf]])
    df = np.array([5.0, np.inf, np.nan, 0.0, -1.0])
    got = log_p_t_or_nan(t, df)
    assert np.isnan(got).tolist() == [[False] * 2 + [True] * 3, [True] * 5, [False] * 2 + [True] * 3]
    assert got[0, :2].tolist() == log_p_t(2.0, df[:2]).tolist()
    assert got[2, :2].tolist() == [-np.inf, -np.inf]


@pytest.mark.parametrize("level", [0.5, 0.9, 0.95, 0.999])
def test_quantiles_of_t(level: float) -> None:
    df = np.array([0.3, 1.0, 2.5, 30.0, 1e7])
    got = t_quantile(df, level)
    assert got == pytest.approx(stats.t.ppf(0.5 + level / 2, df), rel=1e-9)
    assert np.exp(log_p_t(got, df)) == pytest.approx(1.0 - level, rel=1e-7)
    assert float(t_quantile(np.inf, level)) == pytest.approx(stats.norm.ppf(0.5 + level / 2), rel=1e-14)
    assert np.isnan(t_quantile([np.nan, 0.0, -2.0, -np.inf], level)).all()
