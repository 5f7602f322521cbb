"""Boosted regression trees (METHODS, section 6).

Friedman 2001, doi:10.1214/aos/1013203451; Elith, Leathwick & Hastie 2008,
doi:10.1111/j.1365-2656.2008.01390.x; trees by xgboost (Chen & Guestrin 2016, doi:10.1145/2939672.2939785).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from drivers.errors import FitError
from drivers.methods.boosting import (
    CrossValidated,
    Grown,
    Pixels,
    Setting,
    cross_validate,
    grow_forest,
)
from drivers.methods.brt_rows import brt_records, cv_rows, fit_row, importance_of
from drivers.methods.driver_sample import DriverSample, DriverTable, Levels, Numbers, own_stream, power_of_two
from drivers.methods.forest_meaning import Meaning, Reading, read_forest
from drivers.methods.neighbours import Folds, find_neighbours, spatial_folds
from drivers.methods.result import Importance, Summary, frame, importance_rows
from drivers.progress import SILENT, Reporter
from drivers.spec.bound import BoundModel, DriverModel, TreeFamily
from drivers.spec.options import BrtOptions
from drivers.stats.scores import pooled_scores
from drivers.table import Partition, PixelTable, Stratum, pixel_table_from_frame

Array = NDArray[np.float64]
Rows = NDArray[np.intp]

FEWEST_IN_FOLD = 2
"""Pixels per fold, at least: one has no spread to be explained."""

LARGEST = 1e100
"""Responses beyond it, or all below its inverse, have no squares."""

LEAK = 1e-12
"""1 - r² below which a driver is the response in other units."""


@dataclass(frozen=True)
class Validation:
    """Held-out predictions by one scheme.

    Attributes
    ----------
    scheme : holdout, random or block
    rows : pixels of the sample that take part, shape (m,)
    folds : fold of each of them, shape (m,); all 0 for the holdout
    n_folds : their number
    predicted : held-out predictions, shape (m,)
    n_train : pixels behind the predictions of each fold, shape (n_folds,)
    """

    scheme: str
    rows: Rows
    folds: Folds
    n_folds: int
    predicted: Array
    n_train: NDArray[np.intp]


@dataclass(frozen=True)
class Trial:
    """A setting that was tried, with its out-of-fold predictions."""

    setting: Setting
    n_trees: int
    deviance: float
    rmse: float
    r2: float
    chosen: bool


@dataclass(frozen=True)
class BrtResult:
    """Boosted regression trees on one stratum.

    `tidy()` has a row per driver and measure of importance; `glance()` one row with the fit; `augment()` a
    row per pixel with fitted and out-of-fold values; `predict(frame)` gives the response elsewhere.
    """

    stratum: str
    sample: DriverSample
    model: DriverModel
    grown: Grown
    validations: tuple[Validation, ...]
    trials: tuple[Trial, ...]
    meaning: Meaning
    notes: tuple[str, ...] = ()
    method: str = field(default="brt", init=False)

    @cached_property
    def scale(self) -> TreeScale:
        """From the drivers to the numbers in the trees."""
        return TreeScale.of(self.sample)

    @property
    def records(self) -> dict[str, list[dict[str, Any]]]:
        """The rows that the result adds to each table."""
        return brt_records(self)

    def measured(self) -> list[Importance]:
        """Importance of every driver and group by every measure."""
        return importance_of(self)

    def tidy(self) -> pd.DataFrame:
        """Importance: a row per driver or group and measure."""
        return frame("importance", importance_rows(self.measured()))

    def glance(self) -> pd.DataFrame:
        """The fit of the whole model, one row."""
        return frame("fit", [fit_row(self)])

    def validation(self) -> pd.DataFrame:
        """Scores by fold and pooled, for every way of holding pixels out."""
        return frame("cv", cv_rows(self))

    def predict(self, data: pd.DataFrame | PixelTable) -> Array:
        """The response that the trees expect, shape (n,).

        Columns are those of the drivers. Missing values, and levels that were not seen, go where the trees
        send missing ones.

        Raises
        ------
        TableError
            If a column is not there or holds what a number cannot be.
        """
        table = data if isinstance(data, PixelTable) else pixel_table_from_frame(data)
        columns = DriverTable(self.model, table)
        rows, found = np.arange(table.n), []
        for column in self.sample.drivers:
            here = columns.driver(column.driver, rows)
            if isinstance(here, Levels) and isinstance(column, Levels):
                place = {label: i for i, label in enumerate(column.labels)}
                codes = np.array([*(place.get(label, -1) for label in here.labels), -1], dtype=np.int32)
                here = replace(column, codes=codes[here.codes])
            found.append(here)
        return self.grown.predict(self.scale.matrix(found))

    def augment(self) -> pd.DataFrame:
        """Fitted and out-of-fold values of every pixel with a response; the index is the row of the table."""
        fitted = self.grown.predict(self.scale.matrix(self.sample.drivers))
        out: dict[str, Array] = {"observed": self.sample.response, "fitted": fitted}
        for validation in self.validations:
            held = np.full(self.sample.n, np.nan)
            held[validation.rows] = validation.predicted
            out[f"predicted_{validation.scheme}"] = held
        return pd.DataFrame(out, index=self.sample.rows)

    def _summary(self) -> Summary:
        fit = fit_row(self)
        parts = [
            f"{name} {fit[f'r2_{name}']:.3f}" for name in ("holdout", "random", "block") if fit[f"r2_{name}"]
        ]
        title = (
            f"Boosted regression trees, {self.stratum}: {self.sample.n} pixels, {self.grown.n_trees} trees; "
            f"R²: {', '.join(parts)}"
        )
        gain = self.tidy().query("measure == 'gain' and driver.notna()")
        return Summary(title, gain[["driver", "group", "share", "rank"]])

    def __repr__(self) -> str:
        return self._summary().text()

    def _repr_html_(self) -> str:
        return self._summary().html()


class BrtFitter:
    """Boosted trees prepared on a table."""

    warnings: tuple[str, ...] = ()

    def __init__(self, model: DriverModel, table: PixelTable, partition: Partition, seed: int) -> None:
        assert isinstance(model.options, BrtOptions)
        self._model = model
        self._options: BrtOptions = model.options
        self._partition = partition
        self._seed = seed
        self._columns = DriverTable(model, table)
        self._columns.check_positions()

    def fit(self, stratum: Stratum, reporter: Reporter = SILENT) -> BrtResult:
        """Fit one stratum.

        Raises
        ------
        FitError
            With the reason why the stratum cannot be fitted.
        """
        options = self._options
        sample = self._columns.sample(self._partition, stratum)
        pixels = self._pixels(sample)
        rng = own_stream(self._seed, self._model.name, stratum.label)
        order = rng.permutation(sample.n)
        n_train = round(options.train * sample.n)
        train, held = np.sort(order[:n_train]), np.sort(order[n_train:])
        inside = pixels.rows(train)
        folds = np.asarray(rng.permutation(np.arange(n_train) % options.folds), dtype=np.uint8)
        trials, setting, chosen = self._try(inside, folds, int(rng.integers(2**31)))
        validations = [_validation("random", train, folds, options.folds, chosen)]
        if len(held):
            forest = grow_forest(inside, setting, chosen.n_trees)
            guess = forest.predict(pixels.matrix[held])
            one = np.zeros(len(held), dtype=np.uint8)
            validations.insert(0, Validation("holdout", held, one, 1, guess, np.array([n_train])))
        blocks = self._blocks(sample, train, rng)
        if blocks is not None:
            far = self._cross_validate(inside, *blocks, setting, chosen.n_trees)
            validations.append(_validation("block", train, *blocks, far))
        grown = grow_forest(pixels, setting, chosen.n_trees)
        reading = Reading(grown, pixels, sample, chosen, folds, train, validations[-1].folds)
        meaning = read_forest(reading, options, rng)
        notes = _remarks(sample, self._model.target.label, placed=blocks is not None)
        return BrtResult(
            stratum.label, sample, self._model, grown, tuple(validations), trials, meaning, tuple(notes)
        )

    def _pixels(self, sample: DriverSample) -> Pixels:
        """The sample as trees see it; refuses a response or a size that trees cannot work with."""
        options, family = self._options, self._model.family
        check_response(sample.response, self._model.target.label, family)
        fewest = max(2 * options.min_node, FEWEST_IN_FOLD * options.folds)
        if round(options.train * sample.n) < fewest:
            raise FitError(
                f"too few pixels: {sample.n}, and {options.folds} folds of trees with {options.min_node} "
                f"pixels in a leaf need {int(np.ceil(fewest / options.train))}"
            )
        flags = tuple(isinstance(d, Levels) for d in sample.drivers)
        matrix = TreeScale.of(sample).matrix(sample.drivers)
        return Pixels(matrix, flags, sample.response, sample.weights, family, options.quantile)

    def _try(
        self, pixels: Pixels, folds: Folds, seed: int
    ) -> tuple[tuple[Trial, ...], Setting, CrossValidated]:
        """Cross-validate every setting; the one with the least held-out deviance is chosen."""
        given = self._options.n_trees
        n_trees = None if given == "auto" else given
        tried = [
            (setting, self._cross_validate(pixels, folds, self._options.folds, setting, n_trees))
            for setting in self._settings(seed)
        ]
        losses = [pixels.deviance(found.predicted) for _, found in tried]
        best = int(np.argmin(losses))
        trials = []
        for i, (setting, found) in enumerate(tried):
            scores = pooled_scores(pixels.response, found.predicted, pixels.weights)
            trials.append(Trial(setting, found.n_trees, losses[i], scores.rmse, scores.r2, i == best))
        return tuple(trials), *tried[best]

    def _cross_validate(
        self, pixels: Pixels, folds: Folds, n_folds: int, setting: Setting, n_trees: int | None
    ) -> CrossValidated:
        most = self._options.max_trees
        return cross_validate(pixels, folds, n_folds, setting, n_trees=n_trees, max_trees=most)

    def _settings(self, seed: int) -> list[Setting]:
        """Every combination of the settings that were given as lists."""
        o = self._options
        lists = [
            v if isinstance(v, list) else [v] for v in (o.tree_complexity, o.learning_rate, o.bag_fraction)
        ]
        return [Setting(int(j), rate, bag, o.min_node, seed) for j, rate, bag in product(*lists)]

    def _blocks(
        self, sample: DriverSample, train: Rows, rng: np.random.Generator
    ) -> tuple[Folds, int] | None:
        """Folds of whole spatial blocks, where the table has coordinates."""
        if sample.positions is None:
            return None
        neighbours = find_neighbours(sample)
        if neighbours.lattice is None:
            return None
        found = spatial_folds(sample.n, neighbours, self._options.folds, self._options.block, rng)
        if found is None:
            return None
        _, codes = np.unique(found[0][train], return_inverse=True)
        count = int(codes.max()) + 1
        return (codes.astype(np.uint8), count) if count > 1 else None


def fitter(model: BoundModel, table: PixelTable, partition: Partition, seed: int = 0) -> BrtFitter:
    """Prepare boosted regression trees."""
    assert isinstance(model, DriverModel)
    return BrtFitter(model, table, partition, seed)


@dataclass(frozen=True, slots=True)
class TreeScale:
    """Where the drivers are moved to before trees see them in single precision, which has seven digits.

    Attributes
    ----------
    centre, unit : of every driver, shape (d,); 0 and 1 for levels
    """

    centre: Array
    unit: Array

    @classmethod
    def of(cls, sample: DriverSample) -> TreeScale:
        """Means, and powers of two as large as the deviations: no digit is lost."""
        centre, unit = np.zeros(len(sample.drivers)), np.ones(len(sample.drivers))
        for j, column in enumerate(sample.drivers):
            if not isinstance(column, Levels) and not np.isnan(column.values).all():
                top = power_of_two(column.values)
                centre[j] = float(np.nanmean(column.values / top)) * top
                unit[j] = power_of_two(column.values - centre[j])
        return cls(centre, unit)

    def matrix(self, drivers: Sequence[Numbers | Levels]) -> NDArray[np.float32]:
        """Drivers as trees see them, shape (n, d): numbers, codes of levels, NaN where missing."""
        columns = [
            np.where(d.codes < 0, np.nan, d.codes)
            if isinstance(d, Levels)
            else (d.values - self.centre[j]) / self.unit[j]
            for j, d in enumerate(drivers)
        ]
        return np.column_stack(columns).astype(np.float32)


def check_response(response: Array, name: str, family: TreeFamily) -> None:
    """Raise a FitError where a response does not vary or does not suit its family."""
    if np.ptp(response) == 0:
        raise FitError("the response is constant here")
    size = float(np.abs(response).max())
    if not LARGEST**-1 < size < LARGEST:
        raise FitError(f"`{name}` reaches {size:.3g}, whose square is no number: give it in other units")
    fits, words = {
        "binomial": (np.isin(response, (0.0, 1.0)), "0 or 1"),
        "poisson": (response >= 0, "0 or more"),
        "tweedie": (response >= 0, "0 or more"),
        "gamma": (response > 0, "above 0"),
    }.get(family, (np.ones(1, dtype=bool), ""))
    if not fits.all():
        bad = int((~fits).sum())
        raise FitError(f"`{name}` must be {words} in a {family} model, and is not for {bad} pixels")


def _validation(scheme: str, rows: Rows, folds: Folds, n_folds: int, found: CrossValidated) -> Validation:
    sizes = np.bincount(folds, minlength=n_folds)
    return Validation(scheme, rows, folds, n_folds, found.predicted, len(rows) - sizes)


def _remarks(sample: DriverSample, name: str, *, placed: bool) -> list[str]:
    """What a reader of the numbers must know."""
    out = []
    if sample.dropped:
        out.append(f"{sample.dropped} pixels have no response")
    for column in sample.drivers:
        label = column.driver.label
        missing = column.codes < 0 if isinstance(column, Levels) else np.isnan(column.values)
        if missing.any():
            out.append(f"`{label}`: {int(missing.sum())} pixels have no value")
        elif not isinstance(column, Levels) and np.ptp(column.values) > 0:
            x = column.values - column.values.mean()
            x = x / power_of_two(x)
            r = float(x @ sample.centred) / float(np.sqrt((x @ x) * (sample.centred @ sample.centred)))
            if 1.0 - r * r < LEAK:
                out.append(f"`{label}` is `{name}` in other units, and explains nothing")
    if sample.positions is not None and not placed:
        out.append("no block folds: the pixels fill fewer than two blocks")
    return out
