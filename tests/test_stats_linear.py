"""Least squares and partial correlations from moments, against computations on rows."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st

from drivers.stats.linear import aliased, least_squares, partial_correlations, residual_correlation
from drivers.stats.moments import moments

RTOL = 1e-9
"""p x p solves against QR on rows; the designs below have condition numbers under 1e4."""


def data(n: int, p: int, seed: int) -> np.ndarray:
    """Correlated columns of different sizes, shape (p, n)."""
    rng = np.random.default_rng(seed)
    mix = np.eye(p) + 0.4 * rng.normal(size=(p, p))
    sizes = 10.0 ** rng.uniform(-2, 3, size=(p, 1))
    return sizes * (mix @ rng.normal(size=(p, n)) + 3 * rng.normal(size=(p, 1)))


@given(seed=st.integers(0, 10_000), n=st.integers(8, 120), k=st.integers(0, 4))
def test_least_squares_is_that_of_rows(seed: int, n: int, k: int) -> None:
    x = data(n, 5, seed)
    fit = least_squares(moments(x), 4, list(range(k)))
    want = sm.OLS(x[4], np.column_stack([np.ones(n), *x[:k]])).fit()
    sizes = x[:k].std(axis=1) / x[4].std() if k else np.zeros(0)
    np.testing.assert_allclose(fit.coefficients * sizes, want.params[1:] * sizes, rtol=0, atol=1e-8)
    np.testing.assert_allclose(fit.intercept, want.params[0], rtol=0, atol=1e-7 * (abs(x[4]).max() + 1))
    np.testing.assert_allclose(fit.std_error, want.bse[1:], rtol=1e-7)
    np.testing.assert_allclose(
        fit.covariance * np.outer(sizes, sizes), want.cov_params()[1:, 1:] * np.outer(sizes, sizes), atol=1e-8
    )
    assert fit.rss == pytest.approx(want.ssr, rel=1e-8)
    assert fit.tss == pytest.approx(want.centered_tss, rel=RTOL)
    assert fit.r2 == pytest.approx(want.rsquared, rel=1e-7, abs=1e-12)
    assert fit.log_likelihood == pytest.approx(want.llf, rel=1e-9, abs=1e-7)
    assert (fit.n, fit.df, fit.parameters) == (n, n - k - 1, k + 2)


@given(seed=st.integers(0, 500), powers=st.lists(st.integers(-6, 6), min_size=4, max_size=4))
def test_units_do_not_matter(seed: int, powers: list[int]) -> None:
    x = data(60, 4, seed)
    scale = 10.0 ** np.array(powers)
    one, other = (
        least_squares(moments(x), 3, [0, 1, 2]),
        least_squares(moments(x * scale[:, None]), 3, [0, 1, 2]),
    )
    np.testing.assert_allclose(other.coefficients * scale[:3] / scale[3], one.coefficients, rtol=1e-7)
    np.testing.assert_allclose(other.std_error * scale[:3] / scale[3], one.std_error, rtol=1e-7)
    assert other.r2 == pytest.approx(one.r2, rel=1e-9)


def test_a_large_offset_does_not_matter() -> None:
    x = data(500, 4, 3)
    one = least_squares(moments(x), 3, [0, 1, 2])
    far = x + np.array([[1e9], [-1e8], [0.0], [1e9]]) * x.std(axis=1, keepdims=True)
    got = least_squares(moments(far), 3, [0, 1, 2])
    np.testing.assert_allclose(got.coefficients, one.coefficients, rtol=1e-5)
    np.testing.assert_allclose(got.std_error, one.std_error, rtol=1e-5)


def test_collinear_predictors_are_refused() -> None:
    x = data(100, 4, 4)
    x[2] = 2 * x[0] - 3 * x[1] + 5
    with pytest.raises(np.linalg.LinAlgError):
        least_squares(moments(x), 3, [0, 1, 2])
    assert least_squares(moments(x), 3, [0, 1]).df == 97


def test_aliased_names_what_is_made_of_what() -> None:
    x = data(200, 6, 5)
    x[2] = 2 * x[0] - 3 * x[1] + 5
    x[4] = -7 * x[3]
    m = moments(x)
    assert aliased(m, range(6)) == [(2, [0, 1]), (4, [3])]
    assert aliased(m, [5, 4, 3]) == [(3, [4])]
    assert aliased(m, [0, 1, 3, 5]) == []
    assert aliased(m, []) == []
    x[5] = x[2] + x[3]
    assert aliased(moments(x), range(6)) == [(2, [0, 1]), (4, [3]), (5, [0, 1, 3])]


@pytest.mark.parametrize("share", [1e-3, 1e-4])
def test_nearly_collinear_is_not_collinear(share: float) -> None:
    x = data(2000, 3, 6)
    x[1] = x[0] + share * x[0].std() * np.random.default_rng(1).normal(size=2000)
    m = moments(x)
    assert aliased(m, [0, 1, 2]) == []
    want = sm.OLS(x[2], sm.add_constant(x[:2].T)).fit()
    np.testing.assert_allclose(least_squares(m, 2, [0, 1]).coefficients, want.params[1:], rtol=1e-5)


@given(seed=st.integers(0, 5000), n=st.integers(12, 100))
def test_partial_correlations_are_those_of_residuals(seed: int, n: int) -> None:
    x = data(n, 6, seed)
    pairs = [(0, 1), (0, 5), (3, 2), (4, 1)]
    given_ = [(), (1,), (0, 1, 4), (0, 2, 3, 5)]
    r = partial_correlations(moments(x), pairs, given_)
    for i, ((a, b), z) in enumerate(zip(pairs, given_, strict=True)):
        design = np.column_stack([np.ones(n), *(x[j] for j in z)])
        left, right = (x[j] - design @ np.linalg.lstsq(design, x[j], rcond=None)[0] for j in (a, b))
        assert r[i] == pytest.approx(float(np.corrcoef(left, right)[0, 1]), abs=1e-8)


def test_no_claims_no_correlations() -> None:
    assert partial_correlations(moments(data(10, 3, 1)), [], []).shape == (0,)


def test_a_singular_set_spoils_only_its_own_claim() -> None:
    x = np.array([[1.0, 2, 3, 4, 6], [2.0, 4, 6, 8, 12], [1.0, 5, 2, 8, 3], [3.0, 1, 4, 1, 5]])
    r = partial_correlations(moments(x), [(0, 2), (2, 3), (2, 3)], [(1,), (0,), (0, 1)])
    want = partial_correlations(moments(x), [(2, 3)], [(0,)])
    assert r[1] == pytest.approx(want[0], rel=1e-12)
    assert not np.isfinite(r[0]) or abs(r[0]) >= 1
    assert not np.isfinite(r[2])


@pytest.mark.parametrize("seed", range(8))
def test_collinear_claims_never_look_like_numbers(seed: int) -> None:
    """A set that holds a column and its double has no partial correlation; rounding must not invent one."""
    x = data(300, 4, seed)
    x[1] = 2.5 * x[0] - 1
    m = moments(x)
    r = partial_correlations(m, [(0, 2), (2, 3)], [(1,), (0, 1)])
    assert not np.any(np.isfinite(r) & (np.abs(r) < 1)), r


def test_correlation_of_residuals() -> None:
    x = data(150, 4, 7)
    one = sm.OLS(x[2], sm.add_constant(x[0])).fit()
    two = sm.OLS(x[3], sm.add_constant(x[:2].T)).fit()
    left, right = np.zeros(4), np.zeros(4)
    left[2], left[0] = 1.0, -one.params[1]
    right[3], right[:2] = 1.0, -two.params[1:]
    want = float(np.corrcoef(one.resid, two.resid)[0, 1])
    assert residual_correlation(moments(x), left, right) == pytest.approx(want, abs=1e-9)
