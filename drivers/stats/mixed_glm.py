"""A binomial or poisson equation with a random intercept, by Laplace's approximation.

statsmodels has no maximum likelihood for it (BinomialBayesMixedGLM is variational, GEE is marginal); this is
what lme4's glmer does by default.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

from drivers.errors import FitError
from drivers.stats.glm import fit_glm

Array = NDArray[np.float64]

NEWTON_STEPS = 100
"""Most steps to the modes of the random intercepts; a concave problem needs about 10."""

STEP = 1e-4
"""Step of the numeric derivatives, ε^(1/4) as second ones are needed; predictors have unit variance."""


@dataclass(frozen=True, slots=True)
class MixedGlmFit:
    """η = a + x b + σ u_group with u ~ N(0, 1).

    Attributes
    ----------
    coefficients : slopes on the link scale, shape (k,)
    intercept : intercept on the link scale
    covariance : covariance of the slopes, shape (k, k)
    log_likelihood, parameters, n : parameters = k + 2
    variance_between : σ²
    response_sd : √(var(x b) + σ² + v), v the distribution's variance on the link scale
    r2, r2_conditional : share of the fixed part, and of fixed and random part together
    """

    coefficients: Array
    intercept: float
    covariance: Array
    log_likelihood: float
    parameters: int
    n: int
    variance_between: float
    response_sd: float
    r2: float
    r2_conditional: float


def fit_mixed_glm(
    y: Array, x: Array, groups: NDArray[np.integer], family: Literal["binomial", "poisson"]
) -> MixedGlmFit:
    """Maximum of the Laplace approximation over slopes and σ together.

    Parameters
    ----------
    y : response, shape (n,): 0 or 1 for binomial, counts for poisson
    x : predictors, shape (n, k)
    groups : group of each row as 0, 1, ..., shape (n,)

    Raises
    ------
    FitError
        If the response does not suit the family, there is one group, or nothing converges.

    Notes
    -----
    ℓ(β, σ) = Σ_g [ Σ_i ln f(y_i | η_i) - u_g²/2 - ½ ln(1 + σ² Σ_i w_i) ] at the modes u_g, w the canonical
    weights (Breslow & Clayton 1993, doi:10.1080/01621459.1993.10594284). Errors are from the Hessian by
    (β, σ). r2 is Nakagawa & Schielzeth's (2013, doi:10.1111/j.2041-210x.2012.00261.x) with v = π²/3 for
    the logit and ln(1 + 1/mean) for the log link.
    """
    dense = np.unique(groups, return_inverse=True)[1].astype(np.intp)
    count = int(dense.max()) + 1
    if count < 2:
        raise FitError("a random intercept needs at least two groups; this stratum has one")
    fixed = fit_glm(y, x, family)
    centre, scale = x.mean(axis=0), x.std(axis=0)
    design = np.column_stack([np.ones(len(y)), (x - centre) / scale])
    likelihood = _Laplace(y, design, dense, count, family)
    start = np.concatenate(
        [[fixed.intercept + fixed.coefficients @ centre], fixed.coefficients * scale, [0.5]]
    )

    def gradient(at: Array) -> Array:
        return _gradient(likelihood, at)

    found = optimize.minimize(likelihood, start, jac=gradient, method="BFGS", options={"gtol": 1e-5})
    best, hessian = _newton(likelihood, found.x)
    try:
        covariance = np.linalg.inv(hessian)
    except np.linalg.LinAlgError as error:
        raise FitError(f"the {family} model with a random intercept did not converge") from error
    if not np.all(np.isfinite(best)) or np.any(np.diag(covariance)[:-1] <= 0):
        raise FitError(f"the {family} model with a random intercept did not converge")
    slopes = best[1:-1] / scale
    between = float(best[-1] ** 2)
    explained = float((x @ slopes).var(ddof=1))
    noise = np.pi**2 / 3 if family == "binomial" else float(np.log1p(1.0 / y.mean()))
    whole = explained + between + noise
    k = x.shape[1]
    return MixedGlmFit(
        slopes,
        float(best[0] - slopes @ centre),
        covariance[1 : k + 1, 1 : k + 1] / np.outer(scale, scale),
        -likelihood(best),
        k + 2,
        len(y),
        between,
        float(np.sqrt(whole)),
        explained / whole,
        (explained + between) / whole,
    )


class _Laplace:
    """-ℓ(β, σ); keeps the modes, from which the next call starts."""

    def __init__(self, y: Array, design: Array, groups: NDArray[np.intp], count: int, family: str) -> None:
        self._y, self._design, self._groups, self._count = y, design, groups, count
        self._binomial = family == "binomial"
        self._constant = 0.0 if self._binomial else float(special.gammaln(y + 1).sum())
        self._modes = np.zeros(count)

    def __call__(self, parameters: Array) -> float:
        beta, sigma = parameters[:-1], float(parameters[-1])
        eta = self._design @ beta
        modes = self._modes.copy()
        value = self._joint(eta, sigma, modes)
        for _ in range(NEWTON_STEPS):
            mean, weight = self._moments(eta + sigma * modes[self._groups])
            slope = sigma * self._sum(self._y - mean) - modes
            step = slope / (sigma**2 * self._sum(weight) + 1.0)
            if float(np.abs(step).max()) < 1e-10:
                break
            size = 1.0
            while (tried := self._joint(eta, sigma, modes + size * step)) < value and size > 1e-6:
                size /= 2
            modes, value = modes + size * step, tried
        self._modes = modes
        weight = self._moments(eta + sigma * modes[self._groups])[1]
        return -(value - 0.5 * float(np.log1p(sigma**2 * self._sum(weight)).sum()))

    def _sum(self, values: Array) -> Array:
        return np.asarray(np.bincount(self._groups, values, self._count), dtype=np.float64)

    def _moments(self, eta: Array) -> tuple[Array, Array]:
        if self._binomial:
            mean = np.asarray(special.expit(eta))
            return mean, mean * (1 - mean)
        mean = np.exp(np.minimum(eta, 700.0))
        return mean, mean

    def _joint(self, eta: Array, sigma: float, modes: Array) -> float:
        full = eta + sigma * modes[self._groups]
        cumulant = np.logaddexp(0.0, full) if self._binomial else np.exp(np.minimum(full, 700.0))
        return float((self._y * full - cumulant).sum() - self._constant - 0.5 * (modes**2).sum())


def _gradient(function: Callable[[Array], float], at: Array) -> Array:
    steps = STEP * np.eye(len(at))
    return np.array([(function(at + s) - function(at - s)) / (2 * STEP) for s in steps])


def _newton(function: Callable[[Array], float], at: Array) -> tuple[Array, Array]:
    """A few Newton steps from a point near the minimum, and the Hessian there."""
    for _ in range(5):
        hessian = _hessian(function, at)
        try:
            step = np.linalg.solve(hessian, _gradient(function, at))
        except np.linalg.LinAlgError:
            break
        if not function(at - step) <= function(at):
            break
        at = at - step
        if float(np.abs(step).max()) < 1e-8:
            break
    return at, _hessian(function, at)


def _hessian(function: Callable[[Array], float], at: Array) -> Array:
    k = len(at)
    steps = STEP * np.eye(k)
    centre = function(at)
    hessian = np.empty((k, k))
    for i in range(k):
        ahead, behind = function(at + steps[i]), function(at - steps[i])
        hessian[i, i] = (ahead - 2 * centre + behind) / STEP**2
        for j in range(i):
            pairs = [
                (1, function(at + steps[i] + steps[j])),
                (-1, function(at + steps[i] - steps[j])),
                (-1, function(at - steps[i] + steps[j])),
                (1, function(at - steps[i] - steps[j])),
            ]
            hessian[i, j] = hessian[j, i] = sum(sign * v for sign, v in pairs) / (4 * STEP**2)
    return hessian
