"""The random intercept against statsmodels' MixedLM, brute-force likelihood, and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import optimize, stats

from drivers.errors import FitError
from drivers.stats.mixed import fit_random_intercept

LOOSE = 1e-3
"""MixedLM stops about 1e-5 short of the optimum; its standard errors miss by some 1e-4."""


def data(sizes: list[int], seed: int = 1, between: float = 1.5) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    groups = np.repeat(np.arange(len(sizes)), sizes)
    n = len(groups)
    inner, outer = rng.normal(3, 2, n), rng.normal(size=len(sizes))[groups]
    u = between * rng.normal(size=len(sizes))
    y = 100 + 0.5 * inner - 0.8 * outer + u[groups] + rng.normal(size=n)
    return y, np.column_stack([inner, outer]), groups


SIZES = [5, 9, 14, 3, 8, 8, 20, 6, 11, 7, 4, 12]


def test_fits_are_statsmodels() -> None:
    y, x, groups = data(SIZES)
    fit = fit_random_intercept(y, x, groups)
    want = sm.MixedLM(y, sm.add_constant(x), groups).fit(reml=False, method=["bfgs", "lbfgs"], gtol=1e-10)
    n, k = x.shape
    np.testing.assert_allclose(fit.coefficients, want.fe_params[1:], rtol=LOOSE)
    assert fit.intercept == pytest.approx(want.fe_params[0], rel=LOOSE)
    # nlme's n / (n - k - 1) is on ours.
    np.testing.assert_allclose(
        np.sqrt(np.diag(fit.covariance) * (n - k - 1) / n), want.bse_fe[1:], rtol=LOOSE
    )
    assert fit.variance_within == pytest.approx(want.scale, rel=LOOSE)
    assert fit.variance_between == pytest.approx(float(np.asarray(want.cov_re)[0, 0]), rel=10 * LOOSE)
    assert fit.log_likelihood == pytest.approx(want.llf, abs=1e-5)
    assert fit.log_likelihood >= want.llf - 1e-9
    assert (fit.parameters, fit.n) == (5, n)


def log_likelihood(y: np.ndarray, x: np.ndarray, groups: np.ndarray, between: float, within: float) -> float:
    """The profile over the fixed part, with the whole covariance written out."""
    same = groups[:, None] == groups[None, :]
    v = between * same + within * np.eye(len(y))
    design = np.column_stack([np.ones(len(y)), x])
    solved = np.linalg.solve(v, np.column_stack([design, y]))
    beta = np.linalg.solve(design.T @ solved[:, :-1], design.T @ solved[:, -1])
    return float(stats.multivariate_normal(design @ beta, v).logpdf(y))


def test_errors_are_those_of_generalised_least_squares() -> None:
    """(X' V^-1 X)^-1 with the whole covariance written out, times nlme's n / (n - k - 1)."""
    y, x, groups = data(SIZES)
    fit = fit_random_intercept(y, x, groups)
    n, k = x.shape
    v = fit.variance_between * (groups[:, None] == groups[None, :]) + fit.variance_within * np.eye(n)
    design = np.column_stack([np.ones(n), x])
    want = np.linalg.inv(design.T @ np.linalg.solve(v, design)) * n / (n - k - 1)
    np.testing.assert_allclose(fit.covariance, want[1:, 1:], rtol=1e-8)
    beta = np.linalg.solve(design.T @ np.linalg.solve(v, design), design.T @ np.linalg.solve(v, y))
    np.testing.assert_allclose(fit.coefficients, beta[1:], rtol=1e-9)
    assert fit.intercept == pytest.approx(beta[0], rel=1e-9)


def test_the_optimum_is_the_optimum() -> None:
    y, x, groups = data([4, 6, 9, 3, 5], seed=3)
    fit = fit_random_intercept(y, x, groups)
    at = log_likelihood(y, x, groups, fit.variance_between, fit.variance_within)
    assert at == pytest.approx(fit.log_likelihood, rel=1e-9)
    found = optimize.minimize(
        lambda v: -log_likelihood(y, x, groups, *np.exp(v)),
        np.log([1.0, 1.0]),
        method="Nelder-Mead",
        options={"xatol": 1e-9, "fatol": 1e-11, "maxiter": 2000},
    )
    assert fit.log_likelihood == pytest.approx(-found.fun, abs=1e-7)
    np.testing.assert_allclose([fit.variance_between, fit.variance_within], np.exp(found.x), rtol=1e-3)


def test_groups_that_do_not_differ_leave_least_squares() -> None:
    """A between-group variance of nil: the plain regression, with divisor n in the variance."""
    rng = np.random.default_rng(7)
    groups = np.tile(np.arange(10), 12)
    x = rng.normal(size=(120, 1))
    e = rng.normal(size=120)
    for g in range(10):
        e[groups == g] -= e[groups == g].mean()
        x[groups == g] -= x[groups == g].mean()
    y = 2 + 0.5 * x[:, 0] + e
    fit = fit_random_intercept(y, x, groups)
    want = sm.OLS(y, sm.add_constant(x)).fit()
    assert fit.variance_between == pytest.approx(0.0, abs=1e-8)
    np.testing.assert_allclose(fit.coefficients, want.params[1:], rtol=1e-7)
    np.testing.assert_allclose(np.sqrt(np.diag(fit.covariance)), want.bse[1:], rtol=1e-6)
    assert fit.log_likelihood == pytest.approx(want.llf, rel=1e-8)


def test_balanced_one_way_has_a_closed_form() -> None:
    rng = np.random.default_rng(8)
    m, size = 12, 7
    groups = np.repeat(np.arange(m), size)
    y = 10 + 3 * rng.normal(size=m)[groups] + rng.normal(size=m * size)
    fit = fit_random_intercept(y, np.zeros((m * size, 0)), groups)
    means = y.reshape(m, size).mean(axis=1)
    within = ((y - means[groups]) ** 2).sum() / (m * (size - 1))
    between = ((means - y.mean()) ** 2).mean() - within / size
    assert fit.intercept == pytest.approx(y.mean(), rel=1e-10)
    assert fit.variance_within == pytest.approx(within, rel=1e-6)
    assert fit.variance_between == pytest.approx(between, rel=1e-6)
    assert (fit.r2, fit.parameters) == (0.0, 3)


def test_degrees_of_freedom_by_level() -> None:
    """Inner predictors: n - groups - inner; predictors constant within groups: groups - 1 - outer."""
    y, x, groups = data(SIZES)
    fit = fit_random_intercept(y, x, groups)
    assert fit.df.tolist() == [len(y) - 12 - 1, 12 - 1 - 1]
    assert fit_random_intercept(y, x[:, :1], groups).df.tolist() == [len(y) - 12 - 1]


def test_r2_marginal_and_conditional() -> None:
    y, x, groups = data(SIZES)
    fit = fit_random_intercept(y, x, groups)
    fixed = np.var(x @ fit.coefficients, ddof=1)
    whole = fixed + fit.variance_between + fit.variance_within
    assert fit.r2 == pytest.approx(fixed / whole, rel=1e-12)
    assert fit.r2_conditional == pytest.approx((fixed + fit.variance_between) / whole, rel=1e-12)


def test_names_of_groups_and_units_do_not_matter() -> None:
    y, x, groups = data(SIZES)
    one = fit_random_intercept(y, x, groups)
    scale = np.array([1e5, 1e-4])
    other = fit_random_intercept(y * 1e3 + 1e6, x * scale, 7 * (20 - groups))
    np.testing.assert_allclose(other.coefficients * scale / 1e3, one.coefficients, rtol=1e-6)
    np.testing.assert_allclose(
        np.sqrt(np.diag(other.covariance)) * scale / 1e3, np.sqrt(np.diag(one.covariance)), rtol=1e-5
    )
    assert other.variance_between == pytest.approx(one.variance_between * 1e6, rel=1e-5)
    assert other.log_likelihood == pytest.approx(one.log_likelihood - len(y) * np.log(1e3), rel=1e-9)
    assert other.df.tolist() == one.df.tolist()


def test_rows_may_stand_in_any_order() -> None:
    y, x, groups = data(SIZES)
    order = np.random.default_rng(1).permutation(len(y))
    one, other = fit_random_intercept(y, x, groups), fit_random_intercept(y[order], x[order], groups[order])
    np.testing.assert_allclose(other.coefficients, one.coefficients, rtol=1e-7)
    assert other.log_likelihood == pytest.approx(one.log_likelihood, rel=1e-10)


def test_too_few_groups_or_pixels() -> None:
    y, x, _ = data([5, 5])
    with pytest.raises(FitError) as caught:
        fit_random_intercept(y, x, np.zeros(10, dtype=int))
    assert str(caught.value) == "a random intercept needs at least two groups; this stratum has one"
    with pytest.raises(FitError) as caught:
        fit_random_intercept(y, x, np.arange(10))
    assert str(caught.value) == "10 pixels in 10 groups leave nothing to estimate within groups"
