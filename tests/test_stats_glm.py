"""Generalised linear models against statsmodels' own standard errors and likelihoods."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm

from drivers.errors import FitError
from drivers.stats.glm import fit_glm

RTOL = 1e-6
"""Both stop when the deviance settles at 1e-8; standard errors come from the last step's weights."""

FAMILIES = {"binomial": sm.families.Binomial(), "poisson": sm.families.Poisson()}


def data(family: str, n: int = 400, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = np.column_stack([rng.normal(5, 2, n), rng.normal(-1, 0.3, n), rng.random(n) < 0.4]).astype(float)
    eta = -0.5 + x @ [0.2, 0.4, -0.6]
    if family == "binomial":
        return (rng.random(n) < 1 / (1 + np.exp(-eta))).astype(float), x
    return rng.poisson(np.exp(eta)).astype(float), x


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("k", [0, 1, 3])
def test_fits_are_statsmodels(family: str, k: int) -> None:
    y, x = data(family)
    fit = fit_glm(y, x[:, :k], family)
    want = sm.GLM(y, sm.add_constant(x[:, :k], has_constant="add"), family=FAMILIES[family]).fit(tol=1e-14)
    np.testing.assert_allclose(fit.coefficients, want.params[1:], rtol=RTOL)
    assert fit.intercept == pytest.approx(want.params[0], rel=RTOL)
    np.testing.assert_allclose(fit.covariance, want.cov_params()[1:, 1:], rtol=1e-4, atol=1e-9)
    assert fit.log_likelihood == pytest.approx(want.llf, rel=1e-10)
    assert (fit.parameters, fit.n) == (k + 1, 400)
    if k:
        assert fit.r2 == pytest.approx(
            float(want.pseudo_rsquared("cs")) / (1 - np.exp(-want.null_deviance / 400))
        )
        assert 0 < fit.r2 < 1
    else:
        assert fit.r2 == pytest.approx(0.0, abs=1e-9)


def test_response_sd_binomial_is_latent() -> None:
    y, x = data("binomial")
    eta = sm.GLM(y, sm.add_constant(x), family=FAMILIES["binomial"]).fit().predict(which="linear")
    want = np.sqrt(np.var(eta, ddof=1) + np.pi**2 / 3)
    assert fit_glm(y, x, "binomial").response_sd == pytest.approx(want, rel=RTOL)


def test_response_sd_poisson_is_observation_empirical() -> None:
    y, x = data("poisson")
    fit = sm.GLM(y, sm.add_constant(x), family=FAMILIES["poisson"]).fit()
    want = np.std(fit.predict(which="linear"), ddof=1) / np.corrcoef(y, fit.mu)[0, 1]
    assert fit_glm(y, x, "poisson").response_sd == pytest.approx(want, rel=RTOL)
    assert np.isnan(fit_glm(y, x[:, :0], "poisson").response_sd)


@pytest.mark.parametrize("family", FAMILIES)
def test_units_do_not_matter(family: str) -> None:
    y, x = data(family)
    scale, shift = np.array([1e6, 1e-6, 3.0]), np.array([1e7, -5.0, 2.0])
    one, other = fit_glm(y, x, family), fit_glm(y, x * scale + shift, family)
    np.testing.assert_allclose(other.coefficients * scale, one.coefficients, rtol=1e-6)
    np.testing.assert_allclose(
        other.covariance * np.outer(scale, scale), one.covariance, rtol=1e-5, atol=1e-10
    )
    assert other.log_likelihood == pytest.approx(one.log_likelihood, rel=1e-10)


def test_shares_are_a_binomial_response_too() -> None:
    y = np.round(data("binomial")[0] * 0.6 + 0.2, 1)
    x = data("binomial")[1]
    want = sm.GLM(y, sm.add_constant(x), family=FAMILIES["binomial"]).fit()
    np.testing.assert_allclose(fit_glm(y, x, "binomial").coefficients, want.params[1:], rtol=RTOL)


@pytest.mark.parametrize(
    ("y", "family", "reason"),
    [
        ([0.0, 1.0, 2.0, 1.0], "binomial", "a binomial response lies between 0 and 1; this one does not"),
        ([0.0, 1.0, -1.0, 3.0], "poisson", "a poisson response is a count; this one has negative values"),
        ([1.0, 1.0, 1.0, 1.0], "binomial", "the response has one value only"),
        ([0.0, 0.0, 0.0, 0.0], "poisson", "the response has one value only"),
    ],
)
def test_an_unsuitable_response(y: list[float], family: str, reason: str) -> None:
    with pytest.raises(FitError) as caught:
        fit_glm(np.array(y), np.arange(4.0)[:, None], family)
    assert str(caught.value) == reason


@pytest.mark.parametrize("shape", ["perfect", "quasi"])
def test_separation_is_refused(shape: str) -> None:
    x = np.linspace(-1, 1, 60)
    y = (x > 0).astype(float)
    if shape == "quasi":
        x = (x > 0.2).astype(float)  # every pixel with x = 1 has y = 1
    with pytest.raises(FitError):
        fit_glm(y, x[:, None], "binomial")
