"""Random intercepts behind a link against Laplace's approximation written out, quadrature, and lme4."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, special

import drivers as dr
from drivers.errors import FitError
from drivers.stats.glm import fit_glm
from drivers.stats.mixed_glm import fit_mixed_glm

RTOL = 1e-4
"""Two maximisations of the same function by numeric derivatives."""

LME4_RTOL = 5e-3
"""lme4 stops its own optimiser early: Laplace's approximation at its estimates is 1e-6 below ours, and it
reports 1e-4 less; its errors are of the Hessian there."""


def data(family: str, seed: int = 1, between: float = 0.8) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    groups = np.repeat(np.arange(15), rng.integers(6, 25, 15))
    x = np.column_stack([rng.normal(10, 3, len(groups)), rng.normal(size=15)[groups]])
    eta = -1 + 0.12 * x[:, 0] + 0.4 * x[:, 1] + between * rng.normal(size=15)[groups]
    if family == "binomial":
        return (rng.random(len(groups)) < special.expit(eta)).astype(float), x, groups
    return rng.poisson(np.exp(eta - 0.5)).astype(float), x, groups


def laplace(theta: np.ndarray, y: np.ndarray, x: np.ndarray, groups: np.ndarray, family: str) -> float:
    """The approximation group by group: the mode by a scalar search, the curvature by hand."""
    beta, sigma = theta[:-1], theta[-1]
    eta = beta[0] + x @ beta[1:]
    total = 0.0
    for g in np.unique(groups):
        at, count = eta[groups == g], y[groups == g]

        def minus(u: float, at: np.ndarray = at, count: np.ndarray = count) -> float:
            full = at + sigma * u
            if family == "binomial":
                return float(-(count * full - np.logaddexp(0, full)).sum() + u**2 / 2)
            return float(-(count * full - np.exp(full) - special.gammaln(count + 1)).sum() + u**2 / 2)

        mode = optimize.minimize_scalar(minus, bracket=(-1.0, 1.0), tol=1e-12)
        full = at + sigma * mode.x
        mean = special.expit(full) if family == "binomial" else np.exp(full)
        weight = mean * (1 - mean) if family == "binomial" else mean
        total += -mode.fun - 0.5 * np.log1p(sigma**2 * weight.sum())
    return total


@pytest.mark.parametrize("family", ["binomial", "poisson"])
def test_the_optimum_is_that_of_laplace(family: str) -> None:
    y, x, groups = data(family)
    fit = fit_mixed_glm(y, x, groups, family)
    at = np.array([fit.intercept, *fit.coefficients, np.sqrt(fit.variance_between)])
    assert fit.log_likelihood == pytest.approx(laplace(at, y, x, groups, family), abs=1e-6)
    for i in range(len(at)):
        for sign in (-1, 1):
            moved = at.copy()
            moved[i] += sign * 1e-3
            assert laplace(moved, y, x, groups, family) < fit.log_likelihood
    assert (fit.parameters, fit.n) == (4, len(y))


@pytest.mark.parametrize("family", ["binomial", "poisson"])
def test_errors_are_the_curvature(family: str) -> None:
    y, x, groups = data(family)
    fit = fit_mixed_glm(y, x, groups, family)
    scale = np.array([1.0, *x.std(axis=0), 1.0])
    at = np.array([fit.intercept, *fit.coefficients, np.sqrt(fit.variance_between)])
    step = 1e-3 / scale
    hessian = np.empty((4, 4))
    for i in range(4):
        for j in range(4):
            a, b = step[i] * np.eye(4)[i], step[j] * np.eye(4)[j]
            f = [
                laplace(at + s * a + t * b, y, x, groups, family)
                for s, t in ((1, 1), (1, -1), (-1, 1), (-1, -1))
            ]
            hessian[i, j] = -(f[0] - f[1] - f[2] + f[3]) / (4 * step[i] * step[j])
    want = np.linalg.inv(hessian)[1:3, 1:3]
    np.testing.assert_allclose(fit.covariance, want, rtol=5e-3, atol=1e-6)


@pytest.mark.parametrize("family", ["binomial", "poisson"])
def test_groups_that_do_not_differ_leave_the_plain_model(family: str) -> None:
    y, x, groups = data(family, seed=5, between=0.0)
    order = np.random.default_rng(0).permutation(len(y))
    groups = groups[order]
    fit, plain = fit_mixed_glm(y, x, groups, family), fit_glm(y, x, family)
    assert fit.log_likelihood >= plain.log_likelihood - 1e-6
    assert fit.variance_between < 0.05
    np.testing.assert_allclose(fit.coefficients, plain.coefficients, rtol=0.05)


@pytest.mark.parametrize("family", ["binomial", "poisson"])
def test_shares_of_variance(family: str) -> None:
    y, x, groups = data(family)
    fit = fit_mixed_glm(y, x, groups, family)
    fixed = np.var(x @ fit.coefficients, ddof=1)
    noise = np.pi**2 / 3 if family == "binomial" else np.log1p(1 / y.mean())
    whole = fixed + fit.variance_between + noise
    assert fit.r2 == pytest.approx(fixed / whole, rel=1e-10)
    assert fit.r2_conditional == pytest.approx((fixed + fit.variance_between) / whole, rel=1e-10)
    assert fit.response_sd == pytest.approx(np.sqrt(whole), rel=1e-10)


@pytest.mark.parametrize("family", ["binomial", "poisson"])
def test_units_and_names_of_groups_do_not_matter(family: str) -> None:
    y, x, groups = data(family)
    one = fit_mixed_glm(y, x, groups, family)
    other = fit_mixed_glm(y, x * [1e4, 1e-4] + [7.0, -3.0], 100 - 3 * groups, family)
    np.testing.assert_allclose(other.coefficients * [1e4, 1e-4], one.coefficients, rtol=RTOL)
    np.testing.assert_allclose(
        other.covariance * np.outer([1e4, 1e-4], [1e4, 1e-4]), one.covariance, rtol=1e-3, atol=1e-7
    )
    assert other.log_likelihood == pytest.approx(one.log_likelihood, abs=1e-7)


def test_one_group_is_refused() -> None:
    y, x, _ = data("binomial")
    with pytest.raises(FitError) as caught:
        fit_mixed_glm(y, x, np.zeros(len(y), dtype=int), "binomial")
    assert str(caught.value) == "a random intercept needs at least two groups; this stratum has one"


def test_survival_of_trees_as_lme4_has_it(
    shared_table: Callable[[str], Path], golden: Callable[[str], Any]
) -> None:
    want = golden("psem_mixed.json")["glmer_live_site"]
    frame = pd.read_csv(shared_table("shipley"))[["site", "Growth", "Live"]].dropna()
    result = dr.fit("Live ~ Growth + (1 | site)", frame, family="binomial")
    got, e = result.tidy().iloc[0], result.fit.equations[0]
    intercept, growth = want["coef"]
    assert e.log_likelihood >= want["logLik"] - 1e-7  # no worse an optimum
    assert e.log_likelihood == pytest.approx(want["logLik"], abs=5e-4)
    assert got.estimate == pytest.approx(growth["Estimate"], rel=LME4_RTOL)
    assert e.intercept == pytest.approx(intercept["Estimate"], rel=LME4_RTOL)
    assert got.std_error == pytest.approx(growth["Std. Error"], rel=LME4_RTOL)
    assert got.statistic == pytest.approx(growth["z value"], rel=LME4_RTOL)
    assert pd.isna(got.df)
    assert e.parameters == want["df"]
