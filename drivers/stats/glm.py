"""Generalised linear models of one equation, through statsmodels."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from drivers.errors import FitError

Array = NDArray[np.float64]

TOLERANCE = 1e-8
"""Relative change of the deviance at which iteration stops, R's own: the weights behind the standard
errors are those of the last step, so stopping where R stops gives R's standard errors."""

UNBOUNDED = 100.0
"""Standard error per sd of a predictor that only a coefficient on its way to infinity has, on the link scale:
an effect of one sd would change the odds by more than e^100."""

ITERATIONS = 200
"""IRLS needs fewer than 20 unless the data separate."""


@dataclass(frozen=True, slots=True)
class GlmFit:
    """A binomial (logit) or poisson (log) equation.

    Attributes
    ----------
    coefficients : slopes on the link scale, shape (k,)
    intercept : intercept on the link scale
    covariance : covariance of the slopes, shape (k, k)
    log_likelihood, parameters, n : as they say; parameters = k + 1
    response_sd : standard deviation of the response on the link scale (see Notes of `fit_glm`)
    r2 : Nagelkerke's R²
    """

    coefficients: Array
    intercept: float
    covariance: Array
    log_likelihood: float
    parameters: int
    n: int
    response_sd: float
    r2: float


def fit_glm(y: Array, x: Array, family: Literal["binomial", "poisson"]) -> GlmFit:
    """Maximum likelihood by iteratively reweighted least squares.

    Parameters
    ----------
    y : response, shape (n,): 0 to 1 for binomial, counts for poisson
    x : predictors, shape (n, k), k may be 0

    Raises
    ------
    FitError
        If the response does not suit the family, the classes separate, or nothing converges.

    Notes
    -----
    response_sd is, for binomial, latent-theoretic √(var(η) + π²/3), and for poisson
    observation-empirical sd(η) / cor(y, μ) (Menard 2011; Grace et al. 2018, doi:10.1002/ecs2.2283).
    r2 = (1 - exp((D - D₀)/n)) / (1 - exp(-D₀/n)) with D the deviance: Nagelkerke's (1991,
    doi:10.1093/biomet/78.3.691) in the form that piecewiseSEM prints.
    """
    # Imported here because it takes a second, and Gaussian models never need it.
    from statsmodels.genmod.families import Binomial, Poisson
    from statsmodels.tools.sm_exceptions import PerfectSeparationError, PerfectSeparationWarning

    if family == "binomial" and (y.min() < 0 or y.max() > 1):
        raise FitError("a binomial response lies between 0 and 1; this one does not")
    if family == "poisson" and y.min() < 0:
        raise FitError("a poisson response is a count; this one has negative values")
    if y.min() == y.max():
        raise FitError("the response has one value only")
    n = len(y)
    centre, scale = x.mean(axis=0), x.std(axis=0)
    design = np.column_stack([np.ones(n), (x - centre) / scale])
    kind = Binomial() if family == "binomial" else Poisson()
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", PerfectSeparationWarning)
        try:
            fit, null = _irls(y, design, kind), _irls(y, design[:, :1], kind)
        except (PerfectSeparationError, PerfectSeparationWarning) as error:
            raise FitError(
                "a predictor separates the two classes of the response; its coefficient is infinite"
            ) from error
    if not fit.converged or not np.all(np.isfinite(fit.params)):
        raise FitError(f"the {family} model did not converge in {ITERATIONS} iterations")
    if np.any(np.asarray(fit.bse)[1:] > UNBOUNDED):
        raise FitError("a predictor separates the classes of the response; its coefficient is infinite")
    slopes = fit.params[1:] / scale
    eta = np.asarray(fit.predict(design, which="linear"))
    if family == "binomial":
        response_sd = float(np.sqrt(eta.var(ddof=1) + np.pi**2 / 3))
    elif x.shape[1]:
        response_sd = float(eta.std(ddof=1) / np.corrcoef(y, fit.mu)[0, 1])
    else:
        response_sd = float("nan")
    gain = 1.0 - np.exp((fit.deviance - null.deviance) / n)
    return GlmFit(
        np.asarray(slopes),
        float(fit.params[0] - slopes @ centre),
        np.asarray(fit.cov_params())[1:, 1:] / np.outer(scale, scale),
        float(fit.llf),
        1 + x.shape[1],
        n,
        response_sd,
        float(gain / (1.0 - np.exp(-null.deviance / n))),
    )


def _irls(y: Array, design: Array, kind: Any) -> Any:
    """Iterate from R's starting values: the response pulled a little off its bounds."""
    from statsmodels.genmod.generalized_linear_model import GLM

    mean = (y + 0.5) / 2.0 if type(kind).__name__ == "Binomial" else y + 0.1
    eta, slope = kind.link(mean), kind.link.deriv(mean)
    root = 1.0 / np.sqrt(slope**2 * kind.variance(mean))
    start = np.linalg.lstsq(design * root[:, None], (eta + (y - mean) * slope) * root, rcond=None)[0]
    return GLM(y, design, family=kind).fit(
        start_params=start, maxiter=ITERATIONS, tol_criterion="deviance", atol=0.1 * TOLERANCE, rtol=TOLERANCE
    )
