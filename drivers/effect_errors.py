"""Errors of effects by each way of counting pixels: delta method, and blocks drawn or perturbed.

Classical delta errors take weights of composites as given (METHODS, section 3). A member's effect rests on
its weight too, though: effective errors count that of regression weights, and over blocks all are found anew.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from drivers.methods.psem import Fit
from drivers.methods.resampled import edge_statistic
from drivers.pathways import Pathways
from drivers.stats.block_bootstrap import (
    Resamples,
    block_influence,
    bootstrap,
    intervals,
    resampled_path_products,
    stretched,
)
from drivers.stats.dsep import CONFIDENCE
from drivers.stats.path_effects import delta_error
from drivers.stats.sandwich import influence_errors, small_sample
from drivers.stats.tails import t_quantile

Array = NDArray[np.float64]

FEWEST_BLOCKS = 3
"""Blocks that a variance over blocks needs: with two, both have the same share in it."""

NEGLIGIBLE = 1e-9
"""Share of the largest part in an effect's error below which a coefficient has none."""


@dataclass(frozen=True, slots=True)
class EdgeErrors:
    """Errors of one kind of the E edges of a path model.

    Attributes
    ----------
    variance : of the raw coefficients, shape (E, E); nil for weights of composites, which are given
    weights : of the weights that a regression gave, shape (E, E); nil for all else
    df : of each t, shape (E,)
    std_error_std : of the standardised coefficients, shape (E,)
    std_variance : of the standardised coefficients, shape (E, E); None where only their errors are known
    """

    variance: Array
    weights: Array
    df: Array
    std_error_std: Array
    std_variance: Array | None = None

    def effect_df(self, gradients: Array, kind: str) -> Array:
        """Degrees of freedom of effects with gradients of shape (m, E); shape (m,).

        That of the coefficient for an effect that is one; for products and sums of them, whose delta errors
        are normal, that of the coefficient known worst where independent pixels or blocks are counted.
        """
        spread = np.sqrt(np.diag(self.variance) + np.diag(self.weights))
        size = np.where(gradients == 0, 0.0, np.abs(gradients) * spread)
        # What cancels in a gradient is nil but for rounding, and says nothing of how well it is known.
        moving = np.isnan(size) | (size > NEGLIGIBLE * np.fmax.reduce(size, axis=1, initial=0.0)[:, None])
        least = np.where(moving, self.df, np.inf).min(axis=1, initial=np.inf)
        normal = kind in ("classical", "robust")
        return least if not normal else np.where(moving.sum(axis=1) > 1, np.inf, least)


@dataclass(frozen=True, slots=True)
class EffectErrors:
    """Errors of one kind of m effects; arrays have shape (m,), NaN where something is not known."""

    std_error: Array
    df: Array
    low: Array
    high: Array
    std_error_std: Array
    std_low: Array
    std_high: Array


@dataclass(frozen=True, slots=True)
class OverBlocks:
    """Effects perturbed block by block, and drawn: errors of raw and standardised ones, shape (m,) each."""

    error: Array
    error_std: Array
    df: float
    drawn: EffectErrors | None


def delta_errors(
    edges: EdgeErrors,
    kind: str,
    gradients: Array,
    std_gradients: Array,
    single: NDArray[np.bool_],
    estimate: Array,
    std: Array,
    blocks: OverBlocks | None,
) -> EffectErrors:
    """Errors by the delta method.

    Parameters
    ----------
    gradients : of the effects by raw coefficient, shape (m, E)
    std_gradients : of the standardised effects by standardised coefficient, shape (m, E)
    single : which effects are one slope and nothing else, shape (m,)
    estimate, std : the effects, raw and standardised, shape (m,)
    blocks : tells what estimating the standard deviations adds to the error of a standardised effect or takes
        from it; without, they count as given
    """
    error, df = delta_error(gradients, edges.variance + edges.weights), edges.effect_df(gradients, kind)
    with np.errstate(all="ignore"):
        unit = np.where(estimate != 0, std / estimate, 0.0)
        error_std = error * np.abs(unit)
        if blocks is not None:
            anew = error * blocks.error_std / blocks.error
            error_std = np.where(np.isfinite(anew), anew, error_std)
    if edges.std_variance is not None:
        error_std = delta_error(std_gradients, edges.std_variance)
    which = np.argmax(gradients != 0, axis=1)
    error_std = np.where(single, edges.std_error_std[which], error_std)
    return _with_intervals(estimate, error, df, std, error_std)


def block_errors(
    blocks: OverBlocks, delta: EffectErrors, single: NDArray[np.bool_], estimate: Array, std: Array
) -> EffectErrors:
    """Errors over blocks: perturbed, where effects follow from moments; of single slopes the sandwich's.

    Parameters
    ----------
    delta : errors from the sandwich of each equation
    single : which effects are one slope and nothing else, shape (m,)
    """
    anew = ~single & np.isfinite(blocks.error)
    error = np.where(anew, blocks.error, delta.std_error)
    df = np.where(anew, blocks.df, delta.df)
    error_std = np.where(anew, blocks.error_std, delta.std_error_std)
    return _with_intervals(estimate, error, df, std, error_std)


def _with_intervals(estimate: Array, error: Array, df: Array, std: Array, error_std: Array) -> EffectErrors:
    width = t_quantile(df, CONFIDENCE)
    return EffectErrors(
        error,
        df,
        estimate - width * error,
        estimate + width * error,
        error_std,
        std - width * error_std,
        std + width * error_std,
    )


def over_blocks(fit: Fit, ways: Pathways) -> OverBlocks | None:
    """The effects of a path model over blocks; None where there are fewer than `FEWEST_BLOCKS`.

    Notes
    -----
    Intervals of draws are as wide as the perturbed errors say, which count what blocks share across borders.
    """
    near, m = fit.sample.vicinity, len(ways.effects)
    if near is None or not m or near.moments.n_blocks < FEWEST_BLOCKS:
        return None
    edges = edge_statistic(fit)
    flat = np.array([w for effect in ways.effects for w in effect.walks], dtype=np.intp)
    starts = np.cumsum([0, *(len(effect.walks) for effect in ways.effects)])[:-1]

    def statistic(resamples: Resamples) -> Array:
        found = np.split(edges(resamples), 2, axis=1)
        products = (resampled_path_products(part, ways.walks) for part in found)
        return np.hstack([np.add.reduceat(p[:, flat], starts, axis=1) for p in products])

    trust = small_sample(near.moments.weight[:, None], near.borders)
    influence = block_influence(near.moments, statistic)
    error = influence_errors(influence, near.borders) / np.sqrt(trust.bias)
    df, drawn = float(trust.df[0]), None
    if len(near.counts):
        made = bootstrap(near.moments, statistic, near.counts)
        limits = intervals(stretched(made, error), kind="expanded", df=df)
        halves = [np.split(v, 2) for v in (made.std_error, limits.low, limits.high)]
        (own, own_std), (low, std_low), (high, std_high) = halves
        drawn = EffectErrors(own, np.full(m, np.nan), low, high, own_std, std_low, std_high)
    return OverBlocks(error[:m], error[m:], df, drawn)
