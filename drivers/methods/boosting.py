"""One boosted forest by xgboost, in the vocabulary of gbm: the one place where their words meet.

A forest is grown by one thread, so that no sum depends on how many there are.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
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

FEWEST_BINS, MOST_BINS = 256, 1024
"""Quantile bins of a driver: xgboost's default, and what large tables get. gbm splits between any two pixels;
on 46,295 pixels 256 bins cost 0.0005 of the held-out R² and 1024 nothing. A forest of few pixels would take
up to three times as long with so many, and gain nothing."""

BIN_PIXELS = 32
"""Pixels per bin, at least, beyond the fewest bins."""

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
    least_mean : mean that pixels without any event (1, or count, or amount) are given: that of half an event
    """

    matrix: NDArray[np.float32]
    categorical: tuple[bool, ...]
    response: Array
    weights: Array | None
    family: TreeFamily
    quantile: float = 0.5
    least_mean: float = 0.0

    @property
    def n(self) -> int:
        """The number of pixels."""
        return len(self.response)

    def rows(self, rows: Rows) -> Pixels:
        """Some of the pixels."""
        weights = None if self.weights is None else self.weights[rows]
        return replace(self, matrix=self.matrix[rows], response=self.response[rows], weights=weights)

    def columns(self, columns: Rows) -> Pixels:
        """The pixels with some of the drivers."""
        flags = tuple(self.categorical[j] for j in columns)
        return replace(self, matrix=self.matrix[:, columns], categorical=flags)

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
        found = self._by_rows(matrix, pred_contribs=True)
        found[:, -1] += self.centre
        return found

    def interactions(self, matrix: NDArray[np.float32]) -> Array:
        """SHAP interactions of drivers on the link scale, shape (n, d, d); each pair is split in two halves.

        Rows sum to the SHAP values (Lundberg et al. 2020, doi:10.1038/s42256-019-0138-9).
        """
        return self._by_rows(matrix, pred_interactions=True)[:, :-1, :-1]

    def _by_rows(self, matrix: NDArray[np.float32], **asked: bool) -> Array:
        """What is slow for every row: rows go to threads, and no number depends on how many there are."""

        def some(rows: NDArray[np.float32]) -> Array:
            return np.asarray(self.booster.predict(as_data(rows, self.types), **asked), dtype=np.float64)

        with ThreadPoolExecutor(WORKERS) as pool:
            parts = list(pool.map(some, np.array_split(matrix, min(WORKERS, max(len(matrix), 1)))))
        return np.concatenate(parts) * self.spread

    def influence(self, n_trees: int) -> Array:
        """Share of each driver in the gain of all splits of the first trees, shape (d,); 0 without splits."""
        found = self.booster[:n_trees].get_score(importance_type="total_gain")
        gain = np.array([found.get(f"f{j}", 0.0) for j in range(len(self.types))], dtype=np.float64)
        return gain / (gain.sum() or 1.0)

    def model(self) -> dict[str, Any]:
        """The trees as xgboost writes them in JSON."""
        made: dict[str, Any] = json.loads(bytes(self.booster.save_raw("json")))
        return made


NEUTRAL = {"binomial": 0.5, "poisson": 1.0, "gamma": 1.0, "tweedie": 1.0}
"""xgboost's base score that is 0 on the link scale; what a prediction starts from is ours."""


def as_data(matrix: NDArray[np.float32], types: Sequence[str]) -> xgb.DMatrix:
    """Pixels to predict for."""
    return xgb.DMatrix(matrix, feature_types=list(types), enable_categorical=True, nthread=1)


def response_scale(margin: Array, family: TreeFamily) -> Array:
    """The inverse link."""
    if family == "binomial":
        return np.asarray(1.0 / (1.0 + np.exp(-margin)))
    return np.exp(margin) if family in ("poisson", "gamma", "tweedie") else margin


def bins_for(n: int) -> int:
    """Quantile bins of a driver on so many pixels, a power of two.

    >>> [bins_for(n) for n in (700, 20_000, 1_000_000)]
    [256, 512, 1024]
    """
    enough = 1 << max(n // BIN_PIXELS, 1).bit_length() - 1
    return min(max(enough, FEWEST_BINS), MOST_BINS)


def parameters(
    setting: Setting, family: TreeFamily, quantile: float, mean: float, bins: int = FEWEST_BINS
) -> dict[str, Any]:
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
        "max_bin": bins,
        "max_cat_to_onehot": 1,
        "seed": setting.seed,
        "nthread": 1,
        "base_score": NEUTRAL.get(family, 0.0),
        **more,
    }


@dataclass(frozen=True)
class Training:
    """Pixels ready to grow forests on: quantised, their response on the scale that trees learn.

    Attributes
    ----------
    pixels, data : the pixels, and their bins with the response
    bins : most bins of a driver
    mean : of the response that trees learn
    centre, spread : what a prediction of 0 means on the link scale, and its unit
    """

    pixels: Pixels
    data: xgb.QuantileDMatrix
    bins: int
    mean: float
    centre: float
    spread: float

    @classmethod
    def of(cls, pixels: Pixels, like: xgb.QuantileDMatrix | None = None) -> Training:
        """Quantise pixels; `like` gives the bins of a matrix that holds them, so that none is sought."""
        bins = bins_for(pixels.n if like is None else like.num_row())
        y, family = pixels.response, pixels.family
        mean = float(np.average(y, weights=pixels.weights))
        if family in ("gaussian", "quantile"):
            centre = float(np.quantile(y, pixels.quantile)) if family == "quantile" else mean
            spread = float(y.std()) or 1.0
            return cls(pixels, quantise(pixels, (y - centre) / spread, bins, like), bins, 0.0, centre, spread)
        mean = max(mean, pixels.least_mean)
        if family == "binomial":
            mean = min(mean, 1.0 - pixels.least_mean)
            centre = float(np.log(mean / (1.0 - mean)))
            data = quantise(pixels, y, bins, like)
            data.set_base_margin(np.full(pixels.n, centre, dtype=np.float32))
            return cls(pixels, data, bins, mean, centre, 1.0)
        # In units of its mean the response has a curvature of 1, whatever its own unit.
        return cls(pixels, quantise(pixels, y / mean, bins, like), bins, 1.0, float(np.log(mean)), 1.0)


class Growing:
    """A forest that grows tree by tree."""

    def __init__(self, training: Training, setting: Setting) -> None:
        self.training = training
        pixels = training.pixels
        words = parameters(setting, pixels.family, pixels.quantile, training.mean, training.bins)
        self._booster = xgb.Booster(words, [training.data])
        self.n_trees = 0

    def grow(self, n_trees: int) -> None:
        """Grow on until there are so many trees."""
        for round_ in range(self.n_trees, n_trees):
            self._booster.update(self.training.data, round_)
        self.n_trees = max(self.n_trees, n_trees)

    def grown(self) -> Grown:
        """The forest as it is now."""
        of = self.training
        return Grown(self._booster, of.pixels.types, of.pixels.family, of.centre, of.spread, self.n_trees)


def quantise(
    pixels: Pixels, response: Array, bins: int, like: xgb.QuantileDMatrix | None = None
) -> xgb.QuantileDMatrix:
    """The pixels in bins, with a response (standardised where the family asks for it)."""
    return xgb.QuantileDMatrix(
        pixels.matrix,
        response.astype(np.float32),
        weight=None if pixels.weights is None else pixels.weights.astype(np.float32),
        feature_types=list(pixels.types),
        enable_categorical=True,
        max_bin=bins,
        ref=like,
        nthread=1,
    )


def grow_forest(pixels: Pixels, setting: Setting, n_trees: int) -> Grown:
    """A forest of so many trees on all of the pixels."""
    growing = Growing(Training.of(pixels), setting)
    growing.grow(n_trees)
    return growing.grown()


def between_values(grown: Grown, matrix: NDArray[np.float32]) -> Grown:
    """The forest with every threshold moved to the middle between two values of its pixels, as gbm has it.

    xgboost's thresholds are values of pixels; a map in single precision, or a table with fewer digits, would
    fall on either side of them. No pixel of the matrix changes sides.
    """
    model = grown.model()
    values: dict[int, NDArray[np.float32]] = {}
    for tree in model["learner"]["gradient_booster"]["model"]["trees"]:
        left, kinds, drivers = (
            np.array(tree[key]) for key in ("left_children", "split_type", "split_indices")
        )
        limits = np.array(tree["split_conditions"], dtype=np.float32)
        for node in np.flatnonzero((left >= 0) & (kinds == 0)).tolist():
            j = int(drivers[node])
            if j not in values:
                values[j] = np.unique(matrix[:, j][~np.isnan(matrix[:, j])])
            above = int(np.searchsorted(values[j], limits[node]))
            if 0 < above < len(values[j]):
                low, high = float(values[j][above - 1]), float(values[j][above])
                middle = np.float32(low + (high - low) / 2.0)
                limits[node] = middle if middle > low else high
        tree["split_conditions"] = limits.tolist()
    moved = xgb.Booster({"nthread": 1})
    moved.load_model(bytearray(json.dumps(model).encode()))
    return replace(grown, booster=moved)
