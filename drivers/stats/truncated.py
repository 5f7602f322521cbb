"""Regression of a response that is seen only between two limits, as in a stratum that is cut on it.

Hausman & Wise 1977, doi:10.2307/1912682. Least squares on pixels with y > 0 shrinks every slope: where x
says that y is small, only pixels with large errors are left. The likelihood here allows for the pixels that
the cut has taken away, of which nothing is known, not even how many.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, special

from drivers.stats.lattice import WORKERS
from drivers.stats.linear import ALIASED

Array = NDArray[np.float64]

CHUNK = 1 << 15
"""Rows at once: their intermediate numbers stay in the cache."""

SAMPLED = 20_000
"""Rows on which Newton's steps begin; from their maximum that of all rows is two or three steps away."""

MOST_STEPS = 100
"""Newton steps; ten do where there is a maximum."""

CONVERGED = 1e-9
"""Newton decrement (the squared distance to the maximum, in standard errors) before the last step, which
squares it; a much smaller one is below what rounding leaves of ln L."""

SHORTEST = 2.0**-30
"""Of a step that still makes the likelihood larger; what needs less is rounding."""

ARMIJO = 1e-4
"""Share of the increase promised by the slope that a step must bring (Nocedal & Wright 2006, section 3.1)."""

LARGEST_SIGMA = 1e3
"""Standard deviations of y. An error that wide is, between limits a few standard deviations apart, an
exponential distribution in all but 1e-6: the likelihood no longer tells σ from infinity."""

FAR = 3.0
"""Standard deviations of a mean beyond a limit from which moments are found by quadrature: the closed form
cancels digits with their fourth power."""

NARROW = 1.0
"""Standard deviations between the limits, below which they are too, for the same reason."""

DROP = 40.0
"""e⁻⁴⁰ of the density's height is where quadrature stops."""

NODES, WEIGHTS = (a / 2.0 for a in np.polynomial.legendre.leggauss(28))
"""Gauss and Legendre's rule on [-½, ½], exact to rounding for what `DROP` leaves."""

POWERS = WEIGHTS[:, None] * (NODES + 0.5)[:, None] ** np.arange(5)
"""Weights of the zeroth to fourth moment on [0, 1]."""


@dataclass(frozen=True, slots=True, eq=False)
class TruncatedFit:
    """y = a + x b + e with e ~ N(0, σ²), seen only where low < y < high; all NaN where `reason` says why.

    Attributes
    ----------
    coefficients : slopes b, shape (k,)
    intercept, sigma : a and σ, of all pixels, those not seen too
    covariance : of the slopes, from the observed information, shape (k, k)
    sigma_error : standard error of σ
    log_likelihood : at the maximum
    n : rows
    converged : whether there is a maximum, and it was found
    reason : why not, for a reader; empty otherwise
    """

    coefficients: Array
    intercept: float
    sigma: float
    covariance: Array
    sigma_error: float
    log_likelihood: float
    n: int
    converged: bool
    reason: str = ""

    @property
    def std_error(self) -> Array:
        """Standard errors of the slopes, shape (k,)."""
        return np.asarray(np.sqrt(np.diag(self.covariance)))

    @property
    def parameters(self) -> int:
        """k + 2: intercept and σ."""
        return len(self.coefficients) + 2


def truncated_regression(
    y: Array, x: Array | Sequence[Array], low: float = -math.inf, high: float = math.inf
) -> TruncatedFit:
    """Maximum likelihood of a linear model whose response is seen only between two limits.

    Parameters
    ----------
    y : response, shape (n,)
    x : predictors, shape (n, k), or k columns of shape (n,)
    low, high : limits of y; -inf and inf where there are none

    Returns
    -------
    A fit; with a `reason` and without numbers where pixels are too few, columns do not vary or make up each
    other, or the likelihood has no maximum.

    Raises
    ------
    ValueError
        Shapes do not fit, a value is not finite, `low` is not below `high`, or a y lies beyond them.

    Notes
    -----
    ln L = Σ ln φ((y - μ)/σ) - ln σ - ln[Φ((high - μ)/σ) - Φ((low - μ)/σ)], μ = a + x b. For given x this is
    an exponential family with natural parameters μ/σ² and 1/σ² and natural statistics y and -y²/2, so ln L is
    concave in γ = (a, b)/σ² and τ = 1/σ², whatever the limits: its Hessian is minus a sum of covariance
    matrices of (y, -y²/2) within them. (The maximum is the only one: Orme 1989, Econometric Reviews 8:217. In
    Olsen's 1978 parameters (a, b)/σ and 1/σ, doi:10.2307/1911445, the likelihood of a censored response is
    concave, that of a truncated one need not be.) Newton's method with halved steps thus finds the maximum,
    or shows that there is none: where residuals fall off more slowly than an exponential towards the limit,
    or are more even than even between two limits, ln L rises until σ = ∞. Standard errors are those of the
    observed information, and take pixels as independent.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> x = rng.normal(size=20_000)
    >>> y = 2.0 * x + rng.normal(size=20_000)
    >>> fit = truncated_regression(y[y > 0], [x[y > 0]], low=0.0)
    >>> [round(float(v), 2) for v in (fit.coefficients[0], fit.std_error[0], fit.sigma)]
    [2.0, 0.02, 0.99]
    >>> round(float(np.polyfit(x[y > 0], y[y > 0], 1)[0]), 2)   # least squares
    1.48
    """
    columns = _columns(x)
    _check(y, columns, low, high)
    n, k = len(y), len(columns)
    why = _hopeless(y, columns)
    if why:
        return _nothing(n, k, why)
    rows = _Rows.of(y, columns, low, high)
    start = _least_squares(rows)
    if isinstance(start, str):
        return _nothing(n, k, start)
    every = -(-n // SAMPLED)
    if every > 1 and np.isfinite([low, high]).any():
        # A start: a part of the rows may have no maximum, or hardly one, where all of them have.
        few = _climb(rows.every(every), start)
        start = few.at if few.reason == "" else start
    found = _climb(rows, start)
    return _nothing(n, k, found.reason) if found.reason else _in_units(found, rows)


def _columns(x: Array | Sequence[Array]) -> list[Array]:
    if isinstance(x, np.ndarray):
        if x.ndim != 2:
            raise ValueError(f"x must be (n, k), not {x.shape}")
        return [np.asarray(c, dtype=np.float64) for c in x.T]
    return [np.asarray(c, dtype=np.float64) for c in x]


def _check(y: Array, columns: Sequence[Array], low: float, high: float) -> None:
    if y.ndim != 1 or any(c.shape != y.shape for c in columns):
        raise ValueError(f"y {y.shape} and x {[c.shape for c in columns]} must have the same rows")
    if not low < high:
        raise ValueError(f"the lower limit must be below the upper one, not {low:g} and {high:g}")
    if not all(np.isfinite(c).all() for c in (y, *columns)):
        raise ValueError("a value is NaN or infinite: drop these rows first")
    beyond = int(((y < low) | (y > high)).sum())
    if beyond:
        raise ValueError(f"{beyond} values of y lie beyond the limits {low:g} and {high:g}")


def _hopeless(y: Array, columns: Sequence[Array]) -> str:
    """Why nothing can be estimated; empty where something may be."""
    if len(y) < len(columns) + 2:
        return f"{len(y)} rows are too few for {len(columns) + 2} parameters"
    if np.ptp(y) == 0:
        return "the response does not vary"
    still = [str(j + 1) for j, c in enumerate(columns) if np.ptp(c) == 0]
    return f"columns without variation: {', '.join(still)}" if still else ""


def _nothing(n: int, k: int, reason: str) -> TruncatedFit:
    nan = math.nan
    return TruncatedFit(np.full(k, nan), nan, nan, np.full((k, k), nan), nan, nan, n, False, reason)


@dataclass(frozen=True, eq=False)
class _Rows:
    """Standardised rows: v = (y - centre[0]) / scale[0], and design (1, (x - centre) / scale)."""

    v: Array
    design: Array
    low: float
    high: float
    centre: Array
    scale: Array

    @classmethod
    def of(cls, y: Array, columns: Sequence[Array], low: float, high: float) -> _Rows:
        design = np.ones((len(y), len(columns) + 1))
        both, middle, spread = [y, *columns], [], []
        for c in both:
            # About a value of its own first: a large mean beside a small spread leaves few digits.
            m = float(c[0] + (c - c[0]).mean())
            s = float(np.sqrt(((c - m) ** 2).mean()))
            middle.append(m)
            spread.append(s if s > 0 else 1.0)
        for j, c in enumerate(columns):
            np.divide(c - middle[j + 1], spread[j + 1], out=design[:, j + 1])
        limits = [(limit - middle[0]) / spread[0] for limit in (low, high)]
        v = (y - middle[0]) / spread[0]
        return cls(v, design, limits[0], limits[1], np.array(middle), np.array(spread))

    def every(self, step: int) -> _Rows:
        """Each so manieth row."""
        return replace(self, v=self.v[::step], design=self.design[::step])


def _least_squares(rows: _Rows) -> Array | str:
    """γ and τ of least squares, the maximum without limits, shape (k + 2,); or why there are none."""
    gram = rows.design.T @ rows.design
    lower, fault = linalg.lapack.dpotrf(gram, lower=1, clean=1)
    if fault or np.any(np.diag(lower) ** 2 < ALIASED * len(rows.v)):
        return "a column is a linear combination of others"
    beta = linalg.cho_solve((lower, True), rows.design.T @ rows.v)
    variance = float(((rows.v - rows.design @ beta) ** 2).mean())
    if variance < ALIASED:
        return "the predictors reproduce the response exactly"
    return np.append(beta, 1.0) / variance


@dataclass(frozen=True, eq=False)
class _Peak:
    """Where Newton's method ended; `reason` is empty at a maximum."""

    at: Array
    value: float
    information: Array
    reason: str = ""


def _climb(rows: _Rows, start: Array) -> _Peak:
    """Newton's method with halved steps, on γ and τ > 0."""
    at, here = start, _log_likelihood(rows, start)
    for _ in range(MOST_STEPS):
        step, decrement = _newton_step(here)
        if step is None:
            return _Peak(at, here.value, here.information, "the information matrix is singular")
        if decrement < CONVERGED:
            at = at + step
            if at[-1] * LARGEST_SIGMA**2 < 1.0:
                break
            last = _log_likelihood(rows, at)
            return _Peak(at, last.value, last.information)
        length = 1.0 if at[-1] + step[-1] > 0.1 * at[-1] else 0.9 * at[-1] / -step[-1]
        while length > SHORTEST:
            trial = at + length * step
            there = _log_likelihood(rows, trial)
            if there.value >= here.value + ARMIJO * length * decrement:
                break
            length /= 2.0
        else:
            # No step is uphill by more than rounding: as near the top as doubles get, or not near at all.
            if decrement < math.sqrt(CONVERGED):
                return _Peak(at, here.value, here.information)
            return _Peak(at, here.value, here.information, "the likelihood could not be increased")
        at, here = trial, there
        if at[-1] * LARGEST_SIGMA**2 < 1.0:
            break
    else:
        return _Peak(at, here.value, here.information, f"no maximum after {MOST_STEPS} steps")
    reason = (
        "the likelihood has no maximum: it rises until sigma is infinite, for the residuals do not fall off "
        "towards a limit as those of a normal distribution do"
    )
    return _Peak(at, here.value, here.information, reason)


@dataclass(frozen=True, slots=True, eq=False)
class _Local:
    """ln L at one place: value, gradient by (γ, τ), and minus the Hessian."""

    value: float
    gradient: Array
    information: Array


def _newton_step(here: _Local) -> tuple[Array | None, float]:
    unit = np.sqrt(np.diag(here.information))
    if not (np.isfinite(here.information).all() and (unit > 0).all()):
        return None, math.nan
    lower, fault = linalg.lapack.dpotrf(here.information / np.outer(unit, unit), lower=1, clean=1)
    if fault:
        return None, math.nan
    step = np.asarray(linalg.cho_solve((lower, True), here.gradient / unit) / unit)
    return step, float(step @ here.gradient)


def _log_likelihood(rows: _Rows, at: Array) -> _Local:
    """Sums over chunks of rows, in their order whatever the number of threads."""
    starts = range(0, len(rows.v), CHUNK)
    if len(starts) == 1:
        return _chunk(rows, at, 0)
    with ThreadPoolExecutor(WORKERS) as pool:
        parts = list(pool.map(partial(_chunk, rows, at), starts))
    return _Local(
        math.fsum(p.value for p in parts),
        np.sum([p.gradient for p in parts], axis=0),
        np.sum([p.information for p in parts], axis=0),
    )


def _chunk(rows: _Rows, at: Array, start: int) -> _Local:
    v, z = rows.v[start : start + CHUNK], rows.design[start : start + CHUNK]
    root, tau = math.sqrt(at[-1]), float(at[-1])
    eta = z @ at[:-1]
    inside = _inside(v, eta, tau, rows.low, rows.high)
    # By η = z γ the derivative is v - E v, by τ it is -(v² - E v²)/2; both about a reference r near E v.
    apart = v - inside.reference
    first = inside.mean / root
    by_eta = apart - first
    by_tau = -0.5 * (2.0 * inside.reference * by_eta + apart**2 - inside.square / tau)
    r = inside.reference
    one, mixed, two = inside.one / tau, inside.mixed / (tau * root), inside.two / tau**2
    cov = 2.0 * r * one + mixed
    both = 4.0 * r * (r * one + mixed) + two
    information = np.empty((len(at), len(at)))
    information[:-1, :-1] = z.T @ (z * one[:, None])
    information[:-1, -1] = information[-1, :-1] = -0.5 * (z.T @ cov)
    information[-1, -1] = 0.25 * both.sum()
    return _Local(float(inside.log_density.sum()), np.append(z.T @ by_eta, by_tau.sum()), information)


@dataclass(frozen=True, slots=True, eq=False)
class _Inside:
    """Normal distributions between limits, each in standard deviations from a reference; shape (m,) each.

    Attributes
    ----------
    log_density : of the values that were seen
    reference : where the standard deviations are counted from, in units of the values
    mean, square : of the distance t from it, E t and E t²
    one, mixed, two : var t, cov(t, t²), var t²
    """

    log_density: Array
    reference: Array
    mean: Array
    square: Array
    one: Array
    mixed: Array
    two: Array


def _inside(v: Array, eta: Array, tau: float, low: float, high: float) -> _Inside:
    """Moments and densities for the means η/τ and the variance 1/τ."""
    root = math.sqrt(tau)
    lower, upper = ((limit * tau - eta) / root for limit in (low, high))
    far = (lower > FAR) | (upper < -FAR) | (upper - lower < NARROW)
    found = np.empty((7, len(v)))
    near = ~far
    if near.any():
        part = slice(None) if near.all() else near
        found[:, part] = _closed(v[part], eta[part] / tau, root, lower[part], upper[part])
    if far.any():
        # The limit at which the density is higher; from an upper one all is mirrored.
        from_low = far & (lower + upper > 0)
        from_high = far & ~from_low
        if from_low.any():
            found[:, from_low] = _by_quadrature(
                root * (v[from_low] - low), lower[from_low], upper[from_low] - lower[from_low]
            )
            found[1, from_low] = low
        if from_high.any():
            found[:, from_high] = _by_quadrature(
                root * (high - v[from_high]), -upper[from_high], upper[from_high] - lower[from_high]
            )
            found[1, from_high] = high
            for odd in (2, 5):
                found[odd, from_high] *= -1.0
        found[0, far] += math.log(root)
    return _Inside(*found)


def _closed(v: Array, mean: Array, root: float, lower: Array, upper: Array) -> Array:
    """From Φ and φ at the limits; the reference is the mean."""
    a, b = np.maximum(lower, -40.0), np.minimum(upper, 40.0)  # beyond, φ is nil and so is the limit
    # On the side where both tails are small, so that their difference is not of two numbers near 1.
    right = a > 0
    p = special.ndtr(np.where(right, -a, b)) - special.ndtr(np.where(right, -b, a))
    at_a, at_b = (np.exp(-0.5 * c * c) / (math.sqrt(2.0 * math.pi) * p) for c in (a, b))
    m1 = at_a - at_b
    m2 = 1.0 + a * at_a - b * at_b
    m3 = 2.0 * m1 + a**2 * at_a - b**2 * at_b
    m4 = 3.0 * m2 + a**3 * at_a - b**3 * at_b
    density = math.log(root) - 0.5 * (math.log(2.0 * math.pi) + (root * (v - mean)) ** 2) - np.log(p)
    return np.array([density, mean, m1, m2, m2 - m1**2, m3 - m1 * m2, m4 - m2**2])


def _by_quadrature(seen: Array, lower: Array, width: Array) -> Array:
    """Of t ≥ 0 from a limit, with density ∝ exp(-lower t - t²/2) up to `width`; `seen` are the values' t.

    All parts are positive sums, so that nothing cancels, however far the mean lies beyond the limit.
    """
    tail = 2.0 * DROP / (lower + np.sqrt(lower**2 + 2.0 * DROP))
    reach = np.minimum(width, tail)
    t = reach[:, None] * (NODES + 0.5)
    moments = np.exp(-t * (lower[:, None] + 0.5 * t)) @ POWERS
    mass = moments[:, 0]
    m1, m2, m3, m4 = (moments[:, i] / mass for i in range(1, 5))
    density = -seen * (lower + 0.5 * seen) - np.log(reach * mass)
    one, mixed, two = m2 - m1**2, m3 - m1 * m2, m4 - m2**2
    return np.array(
        [density, reach, reach * m1, reach**2 * m2, reach**2 * one, reach**3 * mixed, reach**4 * two]
    )


def _in_units(found: _Peak, rows: _Rows) -> TruncatedFit:
    """From γ and τ of standardised columns to slopes and σ in the units given."""
    tau, k = float(found.at[-1]), len(found.at) - 2
    beta, n = found.at[:-1] / tau, len(rows.v)
    sigma = 1.0 / math.sqrt(tau)
    # d(β, σ) / d(γ, τ), and the units of slopes and σ.
    turn = np.zeros((k + 2, k + 2))
    turn[:-1, :-1] = np.eye(k + 1) / tau
    turn[:-1, -1] = -beta / tau
    turn[-1, -1] = -0.5 * sigma / tau
    unit = rows.scale[0] / np.append(rows.scale[1:], 1.0)
    scaled = np.sqrt(np.diag(found.information))
    inverse = np.linalg.inv(found.information / np.outer(scaled, scaled)) / np.outer(scaled, scaled)
    spread = (turn @ inverse @ turn.T)[1:, 1:] * np.outer(unit, unit)
    slopes = beta[1:] * unit[:-1]
    return TruncatedFit(
        slopes,
        float(rows.centre[0] + rows.scale[0] * beta[0] - slopes @ rows.centre[1:]),
        float(sigma * rows.scale[0]),
        spread[:-1, :-1],
        float(math.sqrt(spread[-1, -1])),
        float(found.value - n * math.log(rows.scale[0])),
        n,
        True,
    )
