"""The block bootstrap of whatever follows from moments: no row is read, no equation fitted twice on rows.

Blocks of neighbouring pixels are drawn with replacement (Künsch 1989, doi:10.1214/aos/1176347265; Cameron,
Gelbach & Miller 2008, doi:10.1162/rest.90.3.414). The moments of a draw are a sum of block moments, so B
draws are one product of matrices, and their equations one stack of small systems.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import special

from drivers.stats.blas import one_blas_thread
from drivers.stats.block_moments import BlockMoments
from drivers.stats.dsep import CONFIDENCE
from drivers.stats.linear import ALIASED

Array = NDArray[np.float64]
Counts = NDArray[np.integer] | Array

DRAWS = 999
"""Draws: limits at 2.5 and 97.5 % are then the 25th and the 975th of them, none in between (Davison & Hinkley
1997, doi:10.1017/CBO9780511802843, section 5.2)."""

FLAT = 1e-12
"""A column whose variance in a resample is below this share of its mean square about the stratum's mean does
not vary there: a class that was not drawn is zero throughout, and rounding must not make it a predictor."""

STEP = 1e-4
"""Change of a block's weight in a numerical derivative: what it leaves out is about its square, and rounding
about 1e-16 / 1e-4; both are far below any standard error."""

Kind = Literal["percentile", "expanded"]
"""Intervals from draws, see `intervals`."""


@dataclass(frozen=True, eq=False)
class Resamples:
    """Moments of p columns in each of B resamples; as `drivers.stats.moments.Moments`, stacked.

    Attributes
    ----------
    weight : sum of the weights, shape (B,)
    mean : shape (B, p)
    cross : centred cross-products, shape (B, p, p)
    """

    weight: Array
    mean: Array
    cross: Array

    @cached_property
    def covariance(self) -> Array:
        """Covariances with divisor `weight` - 1, shape (B, p, p)."""
        return np.asarray(self.cross / (self.weight - 1.0)[:, None, None])

    @cached_property
    def sd(self) -> Array:
        """Standard deviations, shape (B, p)."""
        with np.errstate(all="ignore"):
            return np.sqrt(np.diagonal(self.cross, axis1=1, axis2=2) / (self.weight - 1.0)[:, None])

    def extend(self, weights: Array) -> Resamples:
        """Add linear combinations of the columns; `weights` of shape (c, p), or (B, c, p) by resample."""
        draws, p = self.mean.shape
        own = np.broadcast_to(np.eye(p), (draws, p, p))
        both = np.concatenate([own, np.broadcast_to(weights, (draws, *weights.shape[-2:]))], axis=1)
        with np.errstate(all="ignore"):
            cross = both @ self.cross @ np.swapaxes(both, 1, 2)
            return Resamples(self.weight, (both @ self.mean[:, :, None])[:, :, 0], cross)


Statistic = Callable[[Resamples], Array]
"""From B resamples to m numbers of each, shape (B, m); NaN where a number does not exist in a resample."""


def resample_counts(n_blocks: int, draws: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """How often each draw with replacement takes each block, shape (draws, n_blocks).

    Strata that lie in the same blocks must share these counts, or their differences lose what they share.
    """
    if n_blocks == 0:
        return np.zeros((draws, 0), dtype=np.int64)
    return rng.multinomial(n_blocks, np.full(n_blocks, 1.0 / n_blocks), size=draws)


def resampled_moments(blocks: BlockMoments, counts: Counts) -> Resamples:
    """Moments of resamples in which block g occurs `counts`[b, g] times, which need not be whole.

    Raises
    ------
    ValueError
        counts are not (B, G)

    Notes
    -----
    A_b = Σ_g c_bg A_g with A_g = Σ z z' about the stratum's means and in its standard deviations, so that
    centring at the resample's own means, C = A_xx - a a' / w, takes away next to nothing. Cross-products of a
    column that does not vary in a resample are nil there.

    Examples
    --------
    >>> from drivers.stats.block_moments import block_moments
    >>> made = block_moments(np.array([[1.0, 3.0, 2.0, 6.0]]), np.array([0, 0, 1, 1]))
    >>> resampled_moments(made, np.array([[1, 1], [2, 0]])).mean.tolist()
    [[3.0], [2.0]]
    """
    if counts.ndim != 2 or counts.shape[1] != blocks.n_blocks:
        raise ValueError(f"counts must be (draws, {blocks.n_blocks}), not {counts.shape}")
    upper = np.triu_indices(len(blocks.scale) + 1)
    p, draws = len(blocks.scale), len(counts)
    with np.errstate(all="ignore"):
        packed = counts.astype(np.float64) @ blocks.products[:, upper[0], upper[1]]
        both = np.empty((draws, p + 1, p + 1))
        both[:, upper[0], upper[1]] = both[:, upper[1], upper[0]] = packed
        weight, apart = both[:, 0, 0].copy(), both[:, 0, 1:] / both[:, 0, 0, None]
        cross = both[:, 1:, 1:] - both[:, 1:, :1] * apart[:, None, :]
        flat = np.diagonal(cross, axis1=1, axis2=2) <= FLAT * np.diagonal(both, axis1=1, axis2=2)[:, 1:]
        cross[flat[:, :, None] | flat[:, None, :]] = 0.0
        cross *= np.outer(blocks.scale, blocks.scale)
        return Resamples(weight, blocks.whole.mean + (blocks.whole.residue + apart * blocks.scale), cross)


@dataclass(frozen=True, slots=True)
class ResampledLeastSquares:
    """One equation in each of B resamples; NaN where its columns are collinear or constant there.

    Attributes
    ----------
    coefficients, standardised : slopes, raw and times s(x) / s(y), shape (B, k)
    intercept, r2 : shape (B,)
    """

    coefficients: Array
    standardised: Array
    intercept: Array
    r2: Array


def resampled_least_squares(
    resamples: Resamples, response: int, predictors: Sequence[int]
) -> ResampledLeastSquares:
    """Least squares of one column on others in every resample; as `drivers.stats.linear.least_squares`.

    Examples
    --------
    >>> from drivers.stats.block_moments import block_moments
    >>> x, y = np.array([[1.0, 2.0, 3.0, 4.0], [1.0, 3.0, 5.0, 9.0]])
    >>> made = block_moments(np.array([x, y]), np.array([0, 0, 1, 1]))
    >>> resampled_least_squares(resampled_moments(made, np.array([[1, 1], [2, 0]])), 1, [0]).coefficients
    array([[2.6], [2. ]])
    """
    x, k = np.asarray(predictors, dtype=np.intp), len(predictors)
    with np.errstate(all="ignore"):
        sd = np.sqrt(np.diagonal(resamples.cross, axis1=1, axis2=2))
        used = np.append(x, response)
        part = resamples.cross[:, used[:, None], used]
        part = part / (sd[:, used, None] * sd[:, None, used])
        # The right sides are the response and the identity: the inverse shows what is collinear.
        sides = np.concatenate([part[:, :k, k:], np.broadcast_to(np.eye(k), (len(part), k, k))], axis=2)
        solved = _solve(part[:, :k, :k], sides)
        apart = np.diagonal(solved[:, :, 1:], axis1=1, axis2=2)
        sound = ((apart > 0) & (apart < 1.0 / ALIASED)).all(axis=1) & np.isfinite(part).all(axis=(1, 2))
        slopes = np.where(sound[:, None], solved[:, :, 0], np.nan)
        raw = slopes * sd[:, response, None] / sd[:, x]
        intercept = resamples.mean[:, response] - (raw * resamples.mean[:, x]).sum(axis=1)
        r2 = (slopes * part[:, :k, k]).sum(axis=1)
    return ResampledLeastSquares(raw, slopes, intercept, np.where(sound, r2, np.nan))


def _solve(matrices: Array, sides: Array) -> Array:
    """Solutions of a stack of systems, NaN for those that are singular."""
    try:
        return np.asarray(np.linalg.solve(matrices, sides))
    except np.linalg.LinAlgError:
        found = np.full(sides.shape, np.nan)
        for i in range(len(matrices)):
            try:
                found[i] = np.linalg.solve(matrices[i], sides[i])
            except np.linalg.LinAlgError:
                continue
        return found


def first_components(resamples: Resamples, columns: Sequence[int], like: Array) -> Array:
    """Weights of the first principal component of standardised columns in every resample, shape (B, k).

    Parameters
    ----------
    columns : k columns
    like : weights in the original sample, shape (k,). A component has no sign of its own; of each resample it
        is the one that agrees with these, or a bootstrap would mix both.
    """
    index = np.asarray(columns, dtype=np.intp)
    sd = resamples.sd[:, index]
    with np.errstate(all="ignore"):
        correlation = resamples.covariance[:, index[:, None], index] / (sd[:, :, None] * sd[:, None, :])
    sound = np.isfinite(correlation).all(axis=(1, 2))
    loadings = np.full(sd.shape, np.nan)
    loadings[sound] = np.linalg.eigh(correlation[sound])[1][:, :, -1]
    agree = np.where((loadings * sd * like).sum(axis=1) < 0, -1.0, 1.0)
    return np.asarray(loadings * agree[:, None] / sd)


def resampled_path_products(coefficients: Array, paths: Sequence[Sequence[int]]) -> Array:
    """Products of coefficients along paths in every resample, shape (B, paths).

    Parameters
    ----------
    coefficients : one per edge, shape (B, E)
    paths : for each path the indices of its edges

    Examples
    --------
    >>> resampled_path_products(np.array([[2.0, 3.0, 5.0]]), [[0, 2], [1], []]).tolist()
    [[10.0, 3.0, 1.0]]
    """
    longest = max((len(path) for path in paths), default=0)
    one = coefficients.shape[1]
    steps = np.full((longest, len(paths)), one, dtype=np.intp)
    for i, path in enumerate(paths):
        steps[: len(path), i] = path
    padded = np.hstack([coefficients, np.ones((len(coefficients), 1))])
    made = np.ones((len(coefficients), len(paths)))
    for step in steps:
        made *= padded[:, step]
    return made


@dataclass(frozen=True, slots=True, eq=False)
class Bootstrap:
    """m numbers in B draws of blocks.

    Attributes
    ----------
    original : on the blocks as they are, shape (m,)
    estimates : on each draw, NaN where it has none, shape (B, m)
    std_error : standard deviation of the estimates, shape (m,)
    failed : draws without an estimate, shape (m,); errors and intervals are of the others
    """

    original: Array
    estimates: Array
    std_error: Array
    failed: NDArray[np.int64]


@one_blas_thread()
def bootstrap(blocks: BlockMoments, statistic: Statistic, counts: Counts) -> Bootstrap:
    """The block bootstrap of a function of moments.

    Parameters
    ----------
    blocks : moments of G blocks
    statistic : whatever follows from moments: coefficients, effects, weights of composites found anew
    counts : how often each draw takes each block, shape (B, G) (`resample_counts`)

    Notes
    -----
    Draws of fewer than two blocks are all alike and say nothing of errors: they count as failed.

    Examples
    --------
    >>> from drivers.stats.block_moments import block_moments
    >>> made = block_moments(np.arange(40.0).reshape(1, 40) % 7, np.arange(40) // 4)
    >>> found = bootstrap(made, lambda r: r.mean, resample_counts(10, DRAWS, np.random.default_rng(1)))
    >>> found.original.tolist(), found.std_error.round(3).tolist(), found.failed.tolist()
    ([2.875], [0.304], [0])
    """
    original = statistic(resampled_moments(blocks, np.ones((1, blocks.n_blocks))))[0]
    estimates = statistic(resampled_moments(blocks, counts))
    known = np.isfinite(estimates) & (blocks.n_blocks > 1)
    estimates = np.where(known, estimates, np.nan)
    many = known.sum(axis=0)
    with np.errstate(all="ignore"):
        centre = np.where(known, estimates, 0.0).sum(axis=0) / many
        squares = np.where(known, (estimates - centre) ** 2, 0.0).sum(axis=0)
        error = np.sqrt(squares / np.where(many > 1, many - 1.0, np.nan))
    return Bootstrap(original, estimates, error, len(estimates) - many)


@one_blas_thread()
def block_influence(blocks: BlockMoments, statistic: Statistic) -> Array:
    """What each block adds to the error of any smooth function of moments, shape (G, m).

    Notes
    -----
    The derivative by the weight of a block, by central differences: the infinitesimal jackknife (Efron 1982,
    doi:10.1137/1.9781611970319). Its cross-product is the delta-method covariance with clusters, without a
    factor (`CR0`); of least-squares coefficients it is `sandwich`'s, but whatever is found anew, such as
    weights of composites, is in it too. Errors: `drivers.stats.block_moments.influence_errors`.
    """
    step = STEP * np.eye(blocks.n_blocks)
    up, down = (statistic(resampled_moments(blocks, 1.0 + s)) for s in (step, -step))
    return np.asarray((up - down) / (2.0 * STEP))


def stretched(found: Bootstrap, std_error: Array) -> Bootstrap:
    """The same draws, about the original, as wide as standard errors from elsewhere say; shape (m,).

    Notes
    -----
    Blocks drawn one by one break the likeness of pixels across borders, so draws vary too little, by a fifth
    for blocks three ranges wide. Errors that count it (`border_weights`) set the width, the draws
    the shape.
    """
    with np.errstate(all="ignore"):
        ratio = std_error / found.std_error
        estimates = found.original + ratio * (found.estimates - found.original)
    return Bootstrap(found.original, estimates, ratio * found.std_error, found.failed)


@dataclass(frozen=True, slots=True)
class Intervals:
    """Limits of confidence intervals, shape (m,) each; NaN without draws."""

    low: Array
    high: Array


def intervals(
    found: Bootstrap,
    *,
    kind: Kind = "percentile",
    level: float = CONFIDENCE,
    df: float | Array | None = None,
) -> Intervals:
    """Confidence intervals from bootstrap draws.

    Parameters
    ----------
    found : draws
    kind : `percentile`; `expanded`, percentile limits widened as few blocks ask for
    level : two-sided
    df : degrees of freedom for `expanded`: blocks less one, or `small_sample(...).df`

    Raises
    ------
    ValueError
        what a kind needs is not given, or the level is not in (0, 1)

    Notes
    -----
    `expanded`: for the level's tail that of Φ(√((df + 1) / df) t) (Hesterberg 2015,
    doi:10.1080/00031305.2015.1089789; his n is df + 1). Draw number (B + 1) p is the limit at p, or what lies
    between two. Measured with 16 to 64 blocks: `expanded` covers best, bias-corrected limits (Efron 1981,
    doi:10.2307/3314608) less than `percentile`.
    """
    if not 0.0 < level < 1.0:
        raise ValueError(f"the level of an interval is between 0 and 1, not {level:g}")
    tails = np.array([(1.0 - level) / 2, (1.0 + level) / 2])[:, None]
    estimates, m = found.estimates, len(found.original)
    if kind == "expanded":
        if df is None:
            raise ValueError("an expanded interval needs degrees of freedom")
        tails = _expanded(tails, np.asarray(df, dtype=np.float64))
    limits = _quantiles(estimates, np.broadcast_to(tails, (2, m)))
    return Intervals(limits[0], limits[1])


def _expanded(tails: Array, df: Array) -> Array:
    with np.errstate(all="ignore"):
        t = np.where(df > 0, special.stdtrit(np.where(df > 0, df, 1.0), tails), np.nan)
        return np.asarray(special.ndtr(np.sqrt((df + 1.0) / df) * t))


def _quantiles(estimates: Array, tails: Array) -> Array:
    """Draw number (B + 1) p of each column, B being its draws with an estimate; shape as `tails`, (2, m)."""
    ordered = np.sort(estimates, axis=0)  # NaN last
    known = np.isfinite(ordered).sum(axis=0)
    place = tails * (known + 1) - 1.0
    missing = np.isnan(place) | (known == 0)
    place = np.where(missing, 0.0, np.clip(place, 0.0, np.maximum(known - 1, 0)))
    lower = np.floor(place).astype(np.intp)
    upper = np.minimum(lower + 1, np.maximum(known - 1, 0))
    columns = np.arange(estimates.shape[1])
    low, high = ordered[lower, columns], ordered[upper, columns]
    return np.where(missing, np.nan, low + (place - lower) * (high - low))
