"""What a forest says about its drivers: importance, interactions, curves, and where it applies."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from drivers.methods.boosting import CrossValidated, Grown, Pixels
from drivers.methods.driver_sample import DriverSample, Levels
from drivers.methods.neighbours import Folds
from drivers.spec.options import BrtOptions
from drivers.stats.applicability import fit_applicability
from drivers.stats.dependence import LeafBoxes, accumulated_effects, leaf_boxes, partial_dependence
from drivers.stats.forest import forest_from_json, relative_influence
from drivers.stats.friedman import Interactions, h_statistic
from drivers.stats.shapley import group_shapley, mean_abs

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

PERMUTED = 300
"""Held-out pixels of each fold whose drivers are permuted."""

JUDGED = 20_000
"""Pixels whose place in the area of applicability is looked up; the share inside is known to 0.3 %."""

MOST_GROUPS = 6
"""Groups of drivers whose game is played out."""


@dataclass(frozen=True, slots=True)
class Measured:
    """Importance by one measure: of drivers, then of groups, with its spread over the folds' forests."""

    measure: str
    drivers: Array | None
    groups: Array | None
    drivers_spread: Array | None
    groups_spread: Array | None


@dataclass(frozen=True, slots=True)
class Curve:
    """How the prediction changes with one driver, on the link scale."""

    driver: int
    kind: str
    x: Array
    value: Array


@dataclass(frozen=True)
class Meaning:
    """All of it."""

    groups: tuple[str, ...]
    measures: tuple[Measured, ...]
    interactions: Interactions | None
    curves: tuple[Curve, ...]
    applicable: float
    spread: float
    """From the forest's units to those of the link."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What is read: the forest of all pixels, and those of the random folds.

    Attributes
    ----------
    grown, pixels, sample : the forest and the pixels
    cv, folds : the forests of the random folds, and the fold of each pixel of `train`
    train : pixels that take part in the folds
    far_folds : the strictest folds of `train` there are, for the area of applicability
    """

    grown: Grown
    pixels: Pixels
    sample: DriverSample
    cv: CrossValidated
    folds: Folds
    train: Rows
    far_folds: Folds


def read_forest(of: Reading, options: BrtOptions, rng: np.random.Generator) -> Meaning:
    """Everything that the tables show of a forest beside its scores."""
    drivers, pixels, cv = of.sample.drivers, of.pixels, of.cv
    homes = np.array([d.driver.group for d in drivers])
    names = tuple(dict.fromkeys(name for name in homes.tolist() if name))
    members = [np.flatnonzero(homes == name) for name in names]
    forest = forest_from_json(of.grown.model(), of.grown.n_trees)
    boxes, width = leaf_boxes(forest), len(drivers)
    gain = relative_influence(forest, width)
    folds = [relative_influence(forest_from_json(f.model(), cv.n_trees), width) for f in cv.forests]
    measures = [_summed("gain", gain, np.array(folds), members)]
    if options.shap_pixels:
        rows = _spaced(pixels, options.shap_pixels, rng)
        measures += _shap(of.grown, pixels, rows, cv, members, boxes)
    if options.permutations:
        measures.append(_permutation(pixels.rows(of.train), cv, of.folds, members, options.permutations, rng))
    background = pixels.matrix[_spaced(pixels, BACKGROUND, rng)].astype(np.float64)
    return Meaning(
        names,
        tuple(measures),
        h_statistic(boxes, background) if options.interactions and width > 1 else None,
        tuple(_curves(boxes, background, pixels, of.sample)) if options.curves else (),
        _applicable(of, gain, rng),
        of.grown.spread,
    )


def _spaced(pixels: Pixels, size: int, rng: np.random.Generator) -> Rows:
    """A sample evenly over the order of the response, each pixel as likely as any; ascending rows."""
    if size >= pixels.n:
        return np.arange(pixels.n)
    order = np.argsort(pixels.response, kind="stable")
    places = (np.arange(size) + rng.uniform(size=size)) * pixels.n / size if size else np.empty(0)
    return np.sort(order[places.astype(np.intp)])


def _summed(measure: str, drivers: Array, folds: Array, members: Members) -> Measured:
    """A measure whose groups are the sums of their drivers."""
    groups = np.array([drivers[m].sum() for m in members])
    of_folds = np.array([folds[:, m].sum(axis=1) for m in members]).reshape(len(members), len(folds))
    return Measured(measure, drivers, groups, folds.std(axis=0, ddof=1), of_folds.std(axis=1, ddof=1))


def _shap(
    grown: Grown, pixels: Pixels, rows: Rows, cv: CrossValidated, members: Members, boxes: LeafBoxes
) -> list[Measured]:
    """Mean |SHAP| of drivers; of groups, φ summed per pixel first; and the game that the groups play."""

    def sizes(forest: Grown, matrix: NDArray[np.float32]) -> tuple[Array, Array]:
        phi = forest.contributions(matrix)[:, :-1]
        summed = np.array([phi[:, m].sum(axis=1) for m in members]).reshape(len(members), len(phi)).T
        return mean_abs(phi).estimate, mean_abs(summed).estimate

    drivers, groups = sizes(grown, pixels.matrix[rows])
    few = rows[:: max(1, len(rows) // FOLD_PIXELS)]
    folds = [sizes(forest, pixels.matrix[few]) for forest in cv.forests]
    spreads = [np.std([of[i] for of in folds], axis=0, ddof=1) for i in (0, 1)]
    found = [Measured("shap", drivers, groups, spreads[0], spreads[1])]
    if 1 < len(members) <= MOST_GROUPS and sum(map(len, members)) == pixels.matrix.shape[1]:
        game = group_shapley(boxes, pixels.matrix[rows].astype(np.float64), [m.tolist() for m in members])
        found.append(Measured("shapley", None, mean_abs(game).estimate * grown.spread, None, None))
    return found


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
    return Measured("permutation", mean[:width], mean[width:], spread[:width], spread[width:])


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


def _applicable(of: Reading, gain: Array, rng: np.random.Generator) -> float:
    """Share of the pixels that are no less like training pixels than these are like those of other folds."""
    if not gain.any():
        return float("nan")
    matrix = of.pixels.matrix.astype(np.float64)
    flags = np.array([isinstance(d, Levels) for d in of.sample.drivers])
    area = fit_applicability(matrix[of.train], gain, of.far_folds, flags)
    n = of.pixels.n
    rows = np.arange(n) if n <= JUDGED else np.sort(rng.choice(n, JUDGED, replace=False))
    return float(area.inside(matrix[rows]).mean())
