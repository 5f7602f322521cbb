"""How well predictions match a response: R², errors, deviances and the area under the ROC curve."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import kl_div, rel_entr, xlogy
from scipy.stats import rankdata

Array = NDArray[np.float64]
Family = Literal["gaussian", "binomial", "poisson", "gamma", "tweedie", "quantile"]

TWEEDIE_POWER = 1.5
"""Power p of the variance mean^p: the middle between Poisson (1) and gamma (2), and gbm3's default."""

DOMAINS: dict[Family, tuple[float, float]] = {
    "gaussian": (-np.inf, np.inf),
    "binomial": (0.0, 1.0),
    "poisson": (0.0, np.inf),
    "gamma": (0.0, np.inf),
    "tweedie": (0.0, np.inf),
    "quantile": (-np.inf, np.inf),
}
"""Least and largest value of response and predicted mean of each family; gamma has no 0 in the response."""


@dataclass(frozen=True, slots=True)
class Scores:
    """How well predictions match a response.

    Attributes
    ----------
    n : pixels
    r2 : 1 - SSE / SST, SST about the mean of these same pixels; NaN for one pixel or a constant response
    rmse : root of the mean squared error, in units of the response
    mae : mean absolute error, in units of the response
    """

    n: int
    r2: float
    rmse: float
    mae: float


@dataclass(frozen=True, slots=True)
class Auc:
    """Area under the ROC curve.

    Attributes
    ----------
    auc : probability that a pixel of class 1 has the larger score, ties a half; NaN with one class only
    std_error : of `auc` for independent pixels; NaN with fewer than two pixels in a class
    n_one, n_zero : pixels of class 1 and class 0
    """

    auc: float
    std_error: float
    n_one: int
    n_zero: int


def pooled_scores(observed: ArrayLike, predicted: ArrayLike, weights: ArrayLike | None = None) -> Scores:
    """Scores over all pixels, R² about the mean of all of them.

    Pooled out-of-fold predictions are rewarded for telling folds apart; the R² of a single fold is not.

    Parameters
    ----------
    observed, predicted : shape (n,); NaN in either makes the scores NaN
    weights : of the pixels, not negative, shape (n,); None for equal

    Raises
    ------
    ValueError
        shapes differ, or a weight is negative

    Notes
    -----
    R² = 1 - Σ w (y - ŷ)² / Σ w (y - ȳ)², ȳ = Σ w y / Σ w. It is negative where the mean of these pixels,
    which the model was not told, predicts better.

    Examples
    --------
    >>> pooled_scores([1.0, 2.0, 3.0, 6.0], [1.0, 2.0, 4.0, 4.0])
    Scores(n=4, r2=0.6428571428571428, rmse=1.118033988749895, mae=0.75)
    """
    y, fit, w = aligned(observed, predicted, weights)
    total = w.sum()
    if not total > 0.0:
        return Scores(len(y), np.nan, np.nan, np.nan)
    error = y - fit
    sse = (w * error**2).sum()
    counted = y[w > 0.0]
    # Exactly: the squares about the mean of equal numbers may be a rounding error above 0.
    varies = counted.min() != counted.max()
    sst = (w * (y - (w * y).sum() / total) ** 2).sum()
    r2 = 1.0 - sse / sst if varies and sst > 0.0 else np.nan
    return Scores(len(y), float(r2), float(np.sqrt(sse / total)), float((w * np.abs(error)).sum() / total))


def fold_scores(
    observed: ArrayLike,
    predicted: ArrayLike,
    folds: ArrayLike,
    n_folds: int,
    weights: ArrayLike | None = None,
) -> tuple[Scores, ...]:
    """Scores of each fold by itself, R² about the mean of that fold; an empty fold has n = 0 and NaN.

    Parameters
    ----------
    observed, predicted, weights : as of `pooled_scores`
    folds : fold of each pixel, 0 to n_folds - 1, shape (n,)

    Raises
    ------
    ValueError
        shapes differ, a weight is negative, or a fold is out of bounds

    Examples
    --------
    >>> [s.r2 for s in fold_scores([1.0, 3.0, 8.0, 8.0], [1.0, 2.0, 8.0, 9.0], [0, 0, 1, 1], 2)]
    [0.5, nan]
    """
    y, fit, w = aligned(observed, predicted, weights)
    fold = np.asarray(folds)
    if fold.shape != y.shape:
        raise ValueError(f"folds {fold.shape} and observed {y.shape} must be (n,) each")
    if len(fold) and not 0 <= fold.min() <= fold.max() < n_folds:
        raise ValueError(f"folds run from 0 to {n_folds - 1}, but {fold.min()} to {fold.max()} occur")
    order = np.argsort(fold, kind="stable")
    ends = np.searchsorted(fold[order], np.arange(n_folds + 1))
    rows = [order[start:end] for start, end in pairwise(ends)]
    return tuple(pooled_scores(y[r], fit[r], w[r]) for r in rows)


def mean_deviance(
    observed: ArrayLike,
    predicted: ArrayLike,
    family: Family,
    weights: ArrayLike | None = None,
    *,
    level: float = 0.5,
) -> float:
    """Mean deviance per pixel on gbm's scale; NaN without pixels.

    Parameters
    ----------
    observed, weights : as of `pooled_scores`
    predicted : mean on the scale of the response (probability, count), shape (n,); quantile: that quantile
    level : of the quantile, between 0 and 1

    Raises
    ------
    ValueError
        shapes differ, a weight is negative, or a value is impossible in the family

    Notes
    -----
    Σ w D / Σ w with the D of `unit_deviance`, which is gbm's mean squared error, binomial (bernoulli) and
    quantile loss. gbm's Poisson deviance, -2 (y ln μ - μ), leaves out what predictions do not change: it is
    not 0 for exact predictions, and may be negative. gbm has no gamma nor Tweedie.

    Examples
    --------
    >>> round(mean_deviance([0.0, 1.0, 1.0], [0.5, 0.5, 0.5], "binomial"), 9)    # 2 ln 2
    1.386294361
    >>> mean_deviance([3.0, 1.0], [2.0, 2.0], "quantile", level=0.9)    # (0.9 + 0.1) / 2
    0.5
    """
    y, fit, w = aligned(observed, predicted, weights)
    if family == "poisson":
        check_domain(y, fit, family)
        return weighted_mean(2.0 * (fit - xlogy(y, fit)), w)
    return weighted_mean(unit_deviance(y, fit, family, level=level), w)


def unit_deviance(observed: Array, predicted: Array, family: Family, *, level: float = 0.5) -> Array:
    """Deviance D of each pixel, shape (n,): 0 for an exact prediction, inf where it excludes the response.

    Notes
    -----
    With response y and predicted mean μ (McCullagh & Nelder 1989, section 2.3, doi:10.1007/978-1-4899-3242-6;
    Tweedie: Jørgensen 1987, doi:10.1111/j.2517-6161.1987.tb01685.x; quantile: Koenker & Bassett 1978,
    doi:10.2307/1913643):

    - gaussian (y - μ)²
    - binomial 2 [y ln(y/μ) + (1-y) ln((1-y)/(1-μ))], y from 0 to 1
    - poisson 2 [y ln(y/μ) - (y - μ)], y >= 0
    - gamma 2 [(y - μ)/μ - ln(y/μ)], y > 0
    - tweedie, p = 1.5: 2 [y^(2-p)/((1-p)(2-p)) - y μ^(1-p)/(1-p) + μ^(2-p)/(2-p)] = 4 (√y - √μ)² / √μ, y >= 0
    - quantile q: q (y - μ) if y > μ, else (1 - q) (μ - y)
    """
    y, mu = observed, predicted
    check_domain(y, mu, family)
    deviance: NDArray[np.floating]
    if family == "gaussian":
        deviance = (y - mu) ** 2
    elif family == "binomial":
        deviance = 2.0 * (rel_entr(y, mu) + rel_entr(1.0 - y, 1.0 - mu))
    elif family == "poisson":
        deviance = 2.0 * kl_div(y, mu)
    elif family == "gamma":
        with np.errstate(divide="ignore"):
            deviance = np.where(mu == 0.0, np.inf, 2.0 * kl_div(1.0, y / mu))
    elif family == "tweedie":
        root = np.sqrt(mu)
        with np.errstate(divide="ignore", invalid="ignore"):
            deviance = np.where((y == 0.0) & (mu == 0.0), 0.0, 4.0 * (np.sqrt(y) - root) ** 2 / root)
    else:
        if not 0.0 < level < 1.0:
            raise ValueError(f"the level of a quantile lies between 0 and 1, not {level:g}")
        deviance = np.where(y > mu, level * (y - mu), (1.0 - level) * (mu - y))
    return np.asarray(deviance, dtype=np.float64)


def roc_auc(observed: ArrayLike, score: ArrayLike) -> Auc:
    """Area under the ROC curve of a score for two classes, with its standard error.

    Parameters
    ----------
    observed : class 0 or 1 of each pixel, shape (n,)
    score : larger for class 1, any scale, shape (n,); a NaN makes the area NaN

    Raises
    ------
    ValueError
        shapes differ, or a class is neither 0 nor 1

    Notes
    -----
    The area is U / (n₁ n₀) of Mann and Whitney. Its variance is s₁²/n₁ + s₀²/n₀, with s² the variance, within
    a class, of the share of the other class that a pixel is rightly ranked against (DeLong et al. 1988,
    doi:10.2307/2531595), by ranks as in Sun & Xu (2014, doi:10.1109/LSP.2014.2337313). It is 0 where the
    score separates the classes. Neighbouring pixels are not independent: for them the standard error is too
    small.

    Examples
    --------
    >>> roc_auc([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    Auc(auc=0.75, std_error=0.3535533905932738, n_one=2, n_zero=2)
    """
    y, s, _ = aligned(observed, score, None)
    one = y == 1.0
    if not (one | (y == 0.0)).all():
        raise ValueError("the area under the ROC curve needs classes 0 and 1")
    n_one, n_zero = int(one.sum()), int((~one).sum())
    if not n_one or not n_zero or np.isnan(s).any():
        return Auc(np.nan, np.nan, n_one, n_zero)
    ranks = rankdata(s)
    above = (ranks[one] - rankdata(s[one])) / n_zero
    below = 1.0 - (ranks[~one] - rankdata(s[~one])) / n_one
    if min(n_one, n_zero) < 2:
        return Auc(float(above.mean()), np.nan, n_one, n_zero)
    variance = above.var(ddof=1) / n_one + below.var(ddof=1) / n_zero
    return Auc(float(above.mean()), float(np.sqrt(variance)), n_one, n_zero)


def aligned(
    observed: ArrayLike, predicted: ArrayLike, weights: ArrayLike | None
) -> tuple[Array, Array, Array]:
    """Response, predictions and weights as floats of one shape (n,)."""
    y, fit = np.asarray(observed, dtype=np.float64), np.asarray(predicted, dtype=np.float64)
    w = np.ones(y.shape) if weights is None else np.asarray(weights, dtype=np.float64)
    if y.ndim != 1 or fit.shape != y.shape or w.shape != y.shape:
        raise ValueError(f"observed {y.shape}, predicted {fit.shape} and weights {w.shape} must be (n,) each")
    if not (w >= 0.0).all():
        raise ValueError("a weight is negative or missing: give pixels that do not count a 0")
    return y, fit, w


def check_domain(observed: Array, predicted: Array, family: Family) -> None:
    """Raise ValueError when a response or a predicted mean is impossible in the family; NaN passes."""
    low, high = DOMAINS[family]
    for values, name in ((observed, "response"), (predicted, "predicted mean")):
        if (values < low).any() or (values > high).any():
            raise ValueError(
                f"a {name} of the {family} family lies from {low:g} to {high:g}; this one does not"
            )
    if family == "gamma" and (observed == 0.0).any():
        raise ValueError("a response of the gamma family is above 0; this one has zeros")


def weighted_mean(values: Array, weights: Array) -> float:
    """Σ w v / Σ w; NaN without weight. A pixel of no weight does not count, even if its value is infinite."""
    counted = weights > 0.0
    if not counted.any():
        return np.nan
    return float((weights[counted] * values[counted]).sum() / weights[counted].sum())
