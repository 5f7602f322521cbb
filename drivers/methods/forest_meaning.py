"""What a forest says about its drivers: importance, interactions, curves, and where it applies."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from drivers.methods.boosting import Grown, Pixels
from drivers.methods.cross_validation import CrossValidated
from drivers.methods.driver_sample import DriverSample, Levels
from drivers.methods.neighbours import Folds
from drivers.progress import Parts
from drivers.spec.options import BrtOptions
from drivers.stats.applicability import AllAlike, Applicability, evenly, fit_applicability
from drivers.stats.dependence import LeafBoxes, accumulated_effects, leaf_boxes, partial_dependence
from drivers.stats.forest import forest_from_json, relative_influence
from drivers.stats.friedman import Interactions, h_statistic
from drivers.stats.jackknife import Jackknife, delete_group_jackknife
from drivers.stats.shapley import MeanAbsolute, group_shapley, mean_abs

Array = NDArray[np.float64]
Rows = NDArray[np.intp]
Members = list[NDArray[np.intp]]
"""The columns of each group."""

BACKGROUND = 300
"""Pixels over which partial dependence and H are averaged: their curves change by a few percent beyond."""

POINTS = 24
"""Points of a curve, at quantiles of the driver."""

FOLD_PIXELS = 200
"""Pixels of SHAP values for each fold's forest, whose spread is asked for, not their level."""

SHOWN = 300
"""Pixels whose SHAP values are written, for the report's dots."""

CROSSED_AT_ONCE = 1_000
"""Pixels whose SHAP interactions are held at once: 7 MB for 30 drivers."""

READINGS = 4
"""Parts of the work here: SHAP, permutations, interactions and curves, applicability."""

PERMUTED = 300
"""Held-out pixels of each fold whose drivers are permuted."""

JUDGED = 20_000
"""Pixels whose place in the area of applicability is looked up; the share inside is known to 0.3 %."""

MOST_GROUPS = 6
"""Groups of drivers whose game is played out."""


@dataclass(frozen=True, slots=True)
class Estimates:
    """A measure of some drivers or groups.

    Attributes
    ----------
    values : shape (k,)
    spread : standard deviation over the folds' forests, shape (k,), where it is known
    error : standard error for the pixels that were sampled, shape (k,), where they were
    share : standard error of the share of each in the sum of all, by leaving out folds, where it is known
    """

    values: Array
    spread: Array | None = None
    error: Array | None = None
    share: Jackknife | None = None


@dataclass(frozen=True, slots=True)
class Measured:
    """Importance by one measure, of drivers and of groups."""

    measure: str
    drivers: Estimates | None
    groups: Estimates
    n: int | None = None
    """How many pixels were sampled, where they were."""


@dataclass(frozen=True, slots=True)
class Curve:
    """How the prediction changes with one driver, on the link scale."""

    driver: int
    kind: str
    x: Array
    value: Array


@dataclass(frozen=True, slots=True)
class ShapValues:
    """SHAP values of some pixels: their places in the sample, shape (m,), and values, shape (m, d)."""

    rows: Rows
    values: Array


@dataclass(frozen=True, slots=True)
class ShapPairs:
    """SHAP interactions: pairs of columns, shape (p, 2), and mean |φ| of each over n pixels, shape (p,)."""

    pairs: NDArray[np.intp]
    found: MeanAbsolute


@dataclass(frozen=True)
class Meaning:
    """All of it."""

    groups: tuple[str, ...]
    measures: tuple[Measured, ...]
    interactions: Interactions | None
    shap_values: ShapValues | None
    shap_pairs: ShapPairs | None
    curves: tuple[Curve, ...]
    area: Applicability | None
    """Where the forest applies; None where no driver tells pixels apart."""
    applicable: float
    """Share of the pixels that are inside."""
    spread: float
    """From the forest's units to those of the link."""
    splits: bool
    """Whether any tree has a split."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What is read: the forest of all pixels, and those of the random folds.

    Attributes
    ----------
    grown, pixels, sample : the forest and the pixels
    cv, folds : the forests of the random folds, and the fold of each pixel of `train`
    train : pixels that take part in the folds
    far_folds : the strictest folds of `train` there are, for the area of applicability
    without : share of each driver in the gain of forests without one fold each, shape (K, d): the folds of
        blocks, or the random ones where there are none
    """

    grown: Grown
    pixels: Pixels
    sample: DriverSample
    cv: CrossValidated
    folds: Folds
    train: Rows
    far_folds: Folds
    without: Array


def read_forest(of: Reading, options: BrtOptions, rng: np.random.Generator, parts: Parts) -> Meaning:
    """Everything that the tables show of a forest beside its scores; `READINGS` parts."""
    drivers, pixels, cv = of.sample.drivers, of.pixels, of.cv
    homes = np.array([d.driver.group for d in drivers])
    names = tuple(dict.fromkeys(name for name in homes.tolist() if name))
    members = [np.flatnonzero(homes == name) for name in names]
    forest = forest_from_json(of.grown.model(), of.grown.n_trees)
    boxes, width = leaf_boxes(forest), len(drivers)
    gain = relative_influence(forest, width)
    folds = [forest.influence(cv.n_trees) for forest in cv.forests]
    measures, shown = [_summed("gain", gain, np.array(folds), of.without, members)], None
    parts.now("SHAP values")
    if options.shap_pixels:
        rows = _spaced(pixels, options.shap_pixels, rng)
        phi = of.grown.contributions(pixels.matrix[rows])[:, :-1]
        measures += _shap(of.grown, pixels, rows, phi, cv, members, boxes)
        few = evenly(np.arange(len(rows)), SHOWN)
        shown = ShapValues(rows[few], phi[few])
    parts.finished()
    parts.now("permutations")
    if options.permutations:
        measures.append(_permutation(pixels.rows(of.train), cv, of.folds, members, options.permutations, rng))
    parts.finished()
    parts.now("interactions and curves")
    background = pixels.matrix[_spaced(pixels, BACKGROUND, rng)].astype(np.float64)
    pairs = options.interactions and width > 1
    found_pairs = h_statistic(boxes, background) if pairs else None
    crossed = _shap_pairs(of.grown, pixels, options.shap_interactions, rng) if pairs else None
    curves = tuple(_curves(boxes, background, pixels, of.sample)) if options.curves else ()
    parts.finished()
    parts.now("area of applicability")
    area = _area(of, gain)
    applicable = float("nan") if area is None else _share_inside(area, pixels, rng)
    parts.finished()
    return Meaning(
        names,
        tuple(measures),
        found_pairs,
        shown,
        crossed,
        curves,
        area,
        applicable,
        of.grown.spread,
        bool(gain.any()),
    )


def _spaced(pixels: Pixels, size: int, rng: np.random.Generator) -> Rows:
    """A sample evenly over the order of the response, each pixel as likely as any; ascending rows."""
    if size >= pixels.n:
        return np.arange(pixels.n)
    order = np.argsort(pixels.response, kind="stable")
    places = (np.arange(size) + rng.uniform(size=size)) * pixels.n / size if size else np.empty(0)
    return np.sort(order[places.astype(np.intp)])


def _summed(measure: str, drivers: Array, folds: Array, without: Array, members: Members) -> Measured:
    """A measure whose groups are the sums of their drivers; `without` are the estimates of a jackknife."""

    def of_groups(found: Array) -> Array:
        return np.array([found[:, m].sum(axis=1) for m in members]).reshape(len(members), len(found)).T

    def estimates(value: Array, of_folds: Array, left_out: Array) -> Estimates:
        with np.errstate(invalid="ignore"):  # a forest without a split shares out nothing
            shares = left_out / left_out.sum(axis=1, keepdims=True)
        return Estimates(value, of_folds.std(axis=0, ddof=1), share=delete_group_jackknife(shares))

    groups = of_groups(drivers[None])[0]
    return Measured(
        measure, estimates(drivers, folds, without), estimates(groups, of_groups(folds), of_groups(without))
    )


def _shap(
    grown: Grown,
    pixels: Pixels,
    rows: Rows,
    phi: Array,
    cv: CrossValidated,
    members: Members,
    boxes: LeafBoxes,
) -> list[Measured]:
    """Mean |SHAP| of drivers; of groups, φ summed per pixel first; and the game that the groups play."""

    def sizes(phi: Array) -> tuple[MeanAbsolute, MeanAbsolute]:
        summed = np.array([phi[:, m].sum(axis=1) for m in members]).reshape(len(members), len(phi)).T
        return mean_abs(phi), mean_abs(summed)

    few = evenly(rows, FOLD_PIXELS)
    folds = [sizes(forest.contributions(pixels.matrix[few])[:, :-1]) for forest in cv.forests]
    spreads = [np.std([of[i].estimate for of in folds], axis=0, ddof=1) for i in (0, 1)]
    of_drivers, of_groups = (
        Estimates(size.estimate, spread, size.std_error)
        for size, spread in zip(sizes(phi), spreads, strict=True)
    )
    found = [Measured("shap", of_drivers, of_groups, len(rows))]
    if 1 < len(members) <= MOST_GROUPS and sum(map(len, members)) == pixels.matrix.shape[1]:
        matrix = pixels.matrix[rows].astype(np.float64)
        game = mean_abs(group_shapley(boxes, matrix, [m.tolist() for m in members]) * grown.spread)
        found.append(Measured("shapley", None, Estimates(game.estimate, None, game.std_error), len(rows)))
    return found


def _shap_pairs(grown: Grown, pixels: Pixels, size: int, rng: np.random.Generator) -> ShapPairs | None:
    """Mean |SHAP interaction| of every pair of drivers, both of its halves."""
    if not size:
        return None
    rows = _spaced(pixels, size, rng)
    upper = np.triu_indices(pixels.matrix.shape[1], 1)
    both = []
    for start in range(0, len(rows), CROSSED_AT_ONCE):
        found = grown.interactions(pixels.matrix[rows[start : start + CROSSED_AT_ONCE]])
        both.append(found[:, *upper] + found[:, *upper[::-1]])
    return ShapPairs(np.column_stack(upper), mean_abs(np.concatenate(both)))


def _permutation(
    pixels: Pixels,
    cv: CrossValidated,
    folds: Folds,
    members: Members,
    repeats: int,
    rng: np.random.Generator,
) -> Measured:
    """How much the held-out deviance rises when a driver, or a whole group, is shuffled among pixels."""
    width = pixels.matrix.shape[1]
    sets = [*(np.array([j]) for j in range(width)), *members]
    rises = np.zeros((len(cv.forests), len(sets)))
    for fold, forest in enumerate(cv.forests):
        rows = np.flatnonzero(folds == fold)
        if len(rows) > PERMUTED:
            rows = np.sort(rng.choice(rows, PERMUTED, replace=False))
        held = pixels.rows(rows)
        before = held.deviance(forest.predict(held.matrix, cv.n_trees))
        for i, columns in enumerate(sets):
            # All repeats in one call: what a prediction costs is mostly its beginning.
            stacked = np.tile(held.matrix, (repeats, 1))
            for k in range(repeats):
                part = slice(k * held.n, (k + 1) * held.n)
                stacked[part, columns] = held.matrix[np.ix_(rng.permutation(held.n), columns)]
            guesses = forest.predict(stacked, cv.n_trees).reshape(repeats, held.n)
            rises[fold, i] = np.mean([held.deviance(guess) for guess in guesses]) - before
    mean, spread = rises.mean(axis=0), rises.std(axis=0, ddof=1)
    of_drivers, of_groups = (Estimates(mean[k], spread[k]) for k in (slice(width), slice(width, None)))
    return Measured("permutation", of_drivers, of_groups)


def _curves(boxes: LeafBoxes, background: Array, pixels: Pixels, sample: DriverSample) -> list[Curve]:
    """Partial dependence of every driver, and accumulated local effects of the numeric ones."""
    out = []
    for j, column in enumerate(sample.drivers):
        if isinstance(column, Levels):
            grid = np.arange(len(column.labels), dtype=np.float64)
        else:
            values = pixels.matrix[:, j].astype(np.float64)
            values = values[~np.isnan(values)]
            if len(values) == 0:
                continue
            grid = np.unique(np.quantile(values, np.linspace(0, 1, POINTS), method="nearest"))
        out.append(Curve(j, "partial", grid, partial_dependence(boxes, background, j, grid)))
        if not isinstance(column, Levels) and len(grid) > 1 and all(a < b for a, b in pairwise(grid)):
            effects = accumulated_effects(boxes, background, j, grid)
            out.append(Curve(j, "accumulated", grid, effects))
    return out


def _area(of: Reading, gain: Array) -> Applicability | None:
    """Where pixels are no less like training pixels than these are like those of other folds."""
    matrix = of.pixels.matrix[of.train].astype(np.float64)
    try:
        return fit_applicability(matrix, gain, of.far_folds, np.array(of.pixels.categorical))
    except AllAlike:
        return None


def _share_inside(area: Applicability, pixels: Pixels, rng: np.random.Generator) -> float:
    n = pixels.n
    rows = np.arange(n) if n <= JUDGED else np.sort(rng.choice(n, JUDGED, replace=False))
    return float(area.inside(pixels.matrix[rows].astype(np.float64)).mean())
