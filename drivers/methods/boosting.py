"""Boosted trees by xgboost in the vocabulary of gbm: one mapping, folds in parallel, one thread a forest.

A forest is grown by one thread, so that no sum depends on how many there are; folds run beside each other.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import xgboost as xgb
from numpy.typing import NDArray

from drivers.spec.bound import TreeFamily
from drivers.stats.scores import mean_deviance

Array = NDArray[np.float64]
Rows = NDArray[np.intp]

WORKERS = os.cpu_count() or 1
"""Forests grown at once."""

STEP = 25
"""Trees between two looks at the held-out error; gbm.step takes 50."""

PATIENCE = 12
"""Looks without a better error after which a fold stops growing: 300 trees."""

MAX_BINS = 256
"""Quantile bins of a driver (xgboost's default)."""

TWEEDIE_POWER = 1.5
"""Between poisson (1) and gamma (2): zeros and positive amounts."""

LOSSES: dict[str, str] = {
    "gaussian": "reg:squarederror",
    "binomial": "binary:logistic",
    "poisson": "count:poisson",
    "gamma": "reg:gamma",
    "tweedie": "reg:tweedie",
    "quantile": "reg:quantileerror",
}


@dataclass(frozen=True, slots=True)
class Setting:
    """The settings that users of gbm know."""

    tree_complexity: int
    learning_rate: float
    bag_fraction: float
    min_node: int
    seed: int


@dataclass(frozen=True)
class Pixels:
    """Drivers, response and weights of some pixels, as trees see them.

    Attributes
    ----------
    matrix : drivers, shape (n, d); levels as codes, NaN where missing
    categorical : which columns are levels, shape (d,)
    response : shape (n,)
    weights : shape (n,), or None
    family : of the response
    quantile : which one, for the family quantile
    """

    matrix: NDArray[np.float32]
    categorical: tuple[bool, ...]
    response: Array
    weights: Array | None
    family: TreeFamily
    quantile: float = 0.5

    @property
    def n(self) -> int:
        """The number of pixels."""
        return len(self.response)

    def rows(self, rows: Rows) -> Pixels:
        """Some of the pixels."""
        weights = None if self.weights is None else self.weights[rows]
        return Pixels(
            self.matrix[rows], self.categorical, self.response[rows], weights, self.family, self.quantile
        )

    def deviance(self, predicted: Array) -> float:
        """Mean deviance of predictions on the scale of the response, shape (n,); weights count."""
        return mean_deviance(self.response, predicted, self.family, self.weights, level=self.quantile)

    @property
    def types(self) -> tuple[str, ...]:
        """Kinds of the columns in xgboost's words."""
        return tuple("c" if flag else "q" for flag in self.categorical)


@dataclass(frozen=True)
class Grown:
    """A forest with the scale that its response was brought to."""

    booster: xgb.Booster
    types: tuple[str, ...]
    """Kinds of the columns in xgboost's words."""
    family: TreeFamily
    centre: float
    spread: float
    """gaussian and quantile responses are standardised: their unit then changes no tree."""
    n_trees: int

    def trees(self, data: xgb.DMatrix, first: int, last: int) -> Array:
        """What trees [first, last) add to the prediction on the link scale, shape (n,)."""
        if last <= first:
            return np.zeros(data.num_row())
        made = self.booster.predict(data, output_margin=True, iteration_range=(first, last))
        return np.asarray(made, dtype=np.float64) * self.spread

    def predict(self, matrix: NDArray[np.float32], n_trees: int | None = None) -> Array:
        """Predictions on the scale of the response, shape (n,)."""
        data = as_data(matrix, self.types)
        margin = self.centre + self.trees(data, 0, self.n_trees if n_trees is None else n_trees)
        return response_scale(margin, self.family)

    def contributions(self, matrix: NDArray[np.float32]) -> Array:
        """SHAP values on the link scale, shape (n, d + 1); the last column is the expectation."""
        data = as_data(matrix, self.types)
        found = np.asarray(self.booster.predict(data, pred_contribs=True), dtype=np.float64) * self.spread
        found[:, -1] += self.centre
        return found

    def model(self) -> dict[str, Any]:
        """The trees as xgboost writes them in JSON."""
        made: dict[str, Any] = json.loads(bytes(self.booster.save_raw("json")))
        return made


NEUTRAL = {"binomial": 0.5, "poisson": 1.0, "gamma": 1.0, "tweedie": 1.0}
"""xgboost's base score that is 0 on the link scale; ours is the matrix's base margin."""

STANDARDISED = ("gaussian", "quantile")
"""Families whose response is standardised: then its unit changes no tree."""


def as_data(matrix: NDArray[np.float32], types: Sequence[str]) -> xgb.DMatrix:
    """Pixels to predict for."""
    return xgb.DMatrix(matrix, feature_types=list(types), enable_categorical=True, nthread=1)


def response_scale(margin: Array, family: TreeFamily) -> Array:
    """The inverse link."""
    if family == "binomial":
        return np.asarray(1.0 / (1.0 + np.exp(-margin)))
    return np.exp(margin) if family in ("poisson", "gamma", "tweedie") else margin


def parameters(setting: Setting, family: TreeFamily, quantile: float, mean: float) -> dict[str, Any]:
    """gbm's words in xgboost's: the one place where they meet.

    A tree of complexity J has J splits, so J + 1 leaves, grown where the loss falls most (gbm's
    interaction.depth; Elith et al. 2008, doi:10.1111/j.1365-2656.2008.01390.x). No penalty on leaves, as in
    gbm. xgboost counts a leaf's curvature where gbm counts pixels: `min_node` pixels have `min_node` times
    the curvature that a pixel begins with.
    """
    curvature = {"binomial": mean * (1.0 - mean), "poisson": mean, "tweedie": mean ** (2.0 - TWEEDIE_POWER)}
    more: dict[str, Any] = {}
    if family == "tweedie":
        more["tweedie_variance_power"] = TWEEDIE_POWER
    if family == "quantile":
        more["quantile_alpha"] = quantile
    return {
        "objective": LOSSES[family],
        "tree_method": "hist",
        "grow_policy": "lossguide",
        "max_leaves": setting.tree_complexity + 1,
        "max_depth": 0,
        "eta": setting.learning_rate,
        "subsample": setting.bag_fraction,
        "min_child_weight": setting.min_node * curvature.get(family, 1.0),
        "reg_lambda": 0.0,
        "max_bin": MAX_BINS,
        "max_cat_to_onehot": 1,
        "seed": setting.seed,
        "nthread": 1,
        "base_score": NEUTRAL.get(family, 0.0),
        **more,
    }


class Growing:
    """A forest that grows tree by tree on some pixels."""

    def __init__(self, pixels: Pixels, setting: Setting, like: xgb.QuantileDMatrix | None = None) -> None:
        """Quantise the pixels; `like` gives the bins of a matrix that holds them, so that none is sought."""
        y, w = pixels.response, pixels.weights
        mean = float(np.average(y, weights=w))
        self.centre, self.spread = mean, 1.0
        if pixels.family in STANDARDISED:
            self.centre = float(np.quantile(y, pixels.quantile)) if pixels.family == "quantile" else mean
            self.spread = float(y.std()) or 1.0
        else:
            self.centre = float(np.log(mean / (1.0 - mean)) if pixels.family == "binomial" else np.log(mean))
        self.pixels = pixels
        self.data = quantise(pixels, (y - self.centre) / self.spread if self._standardised else y, like)
        if not self._standardised:
            self.data.set_base_margin(np.full(pixels.n, self.centre, dtype=np.float32))
        words = parameters(setting, pixels.family, pixels.quantile, mean)
        self.booster = xgb.Booster(words, [self.data])
        self.n_trees = 0

    @property
    def _standardised(self) -> bool:
        return self.pixels.family in STANDARDISED

    def grow(self, n_trees: int) -> None:
        """Grow on until there are so many trees."""
        for round_ in range(self.n_trees, n_trees):
            self.booster.update(self.data, round_)
        self.n_trees = max(self.n_trees, n_trees)

    def grown(self) -> Grown:
        """The forest as it is now."""
        return Grown(
            self.booster,
            self.pixels.types,
            self.pixels.family,
            self.centre,
            self.spread,
            self.n_trees,
        )


def quantise(pixels: Pixels, response: Array, like: xgb.QuantileDMatrix | None = None) -> xgb.QuantileDMatrix:
    """The pixels in bins, with a response (standardised where the family asks for it)."""
    return xgb.QuantileDMatrix(
        pixels.matrix,
        response.astype(np.float32),
        weight=None if pixels.weights is None else pixels.weights.astype(np.float32),
        feature_types=list(pixels.types),
        enable_categorical=True,
        max_bin=MAX_BINS,
        ref=like,
        nthread=1,
    )


@dataclass(frozen=True)
class CrossValidated:
    """What the folds of one setting said.

    Attributes
    ----------
    n_trees : the number of trees chosen, or given
    predicted : out-of-fold predictions on the scale of the response, shape (n,); NaN outside the folds
    forests : those of the folds
    """

    n_trees: int
    predicted: Array
    forests: tuple[Grown, ...]


def cross_validate(
    pixels: Pixels,
    folds: NDArray[np.uint8],
    n_folds: int,
    setting: Setting,
    *,
    n_trees: int | None,
    max_trees: int,
) -> CrossValidated:
    """Grow a forest without each fold in turn, and see how well it does there.

    Parameters
    ----------
    folds : fold of each pixel, 0 to n_folds - 1, shape (n,)
    n_trees : their number; None for the one with the least mean deviance over folds
    max_trees : most trees, where they are not given
    """
    whole = quantise(pixels, np.zeros(pixels.n))  # its bins alone are wanted

    def one(fold: int) -> tuple[Growing, Rows, list[float]]:
        held = np.flatnonzero(folds == fold)
        growing = Growing(pixels.rows(np.flatnonzero(folds != fold)), setting, whole)
        losses: list[float] = []
        if n_trees is not None:
            growing.grow(n_trees)
        else:
            losses = _until_it_stops(growing, pixels.rows(held), max_trees)
        return growing, held, losses

    with ThreadPoolExecutor(WORKERS) as pool:
        done = list(pool.map(one, range(n_folds)))
    chosen = n_trees
    if chosen is None:
        reached = min(len(losses) for _, _, losses in done)
        table = np.array([losses[:reached] for _, _, losses in done]).T
        shares = np.array([len(held) for _, held, _ in done]) / pixels.n
        chosen = min(STEP * (int(np.argmin(table @ shares)) + 1), max_trees)
    forests = tuple(growing.grown() for growing, _, _ in done)
    predicted = np.full(pixels.n, np.nan)
    for forest, (_, held, _) in zip(forests, done, strict=True):
        predicted[held] = forest.predict(pixels.matrix[held], chosen)
    return CrossValidated(chosen, predicted, forests)


def _until_it_stops(growing: Growing, held: Pixels, max_trees: int) -> list[float]:
    """Grow while the held-out loss falls; the loss after every `STEP` trees."""
    margin = np.zeros(held.n)
    losses: list[float] = []
    data = as_data(held.matrix, held.types)
    while growing.n_trees < max_trees:
        before = growing.n_trees
        growing.grow(min(before + STEP, max_trees))
        margin += growing.grown().trees(data, before, growing.n_trees)
        losses.append(held.deviance(response_scale(growing.centre + margin, held.family)))
        if len(losses) - 1 - int(np.argmin(losses)) >= PATIENCE:
            break
    return losses


def grow_forest(pixels: Pixels, setting: Setting, n_trees: int) -> Grown:
    """A forest of so many trees on all of the pixels."""
    growing = Growing(pixels, setting)
    growing.grow(n_trees)
    return growing.grown()
