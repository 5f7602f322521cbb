"""Boosted regression trees (METHODS, section 6).

Friedman 2001, doi:10.1214/aos/1013203451; Elith, Leathwick & Hastie 2008,
doi:10.1111/j.1365-2656.2008.01390.x; trees by xgboost (Chen & Guestrin 2016, doi:10.1145/2939672.2939785).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from drivers.errors import FitError
from drivers.methods.boosting import Pixels, between_values, grow_forest
from drivers.methods.brt_result import BrtResult
from drivers.methods.cross_validation import FoldedPixels
from drivers.methods.driver_sample import DriverSample, DriverTable, Levels, own_stream, power_of_two
from drivers.methods.forest_meaning import READINGS, Reading, read_forest
from drivers.methods.held_out import Settled, Validation, block_folds, deal, matched_folds
from drivers.methods.learnt import Learnt
from drivers.methods.positions import check_positions, positions_of
from drivers.methods.simplification import Simplified, simplify
from drivers.methods.tree_scale import TreeScale
from drivers.methods.tuning import settings_of, tune
from drivers.progress import SILENT, Parts, Reporter
from drivers.spec.bound import BoundModel, DriverModel, TreeFamily
from drivers.spec.options import BrtOptions
from drivers.stats.knndm import Knndm
from drivers.table import Partition, PixelTable, Stratum

Array = NDArray[np.float64]
Rows = NDArray[np.intp]

FEWEST_IN_FOLD = 2
"""Pixels per fold, at least: one has no spread to be explained."""

LARGEST = 1e100
"""Responses beyond it, or all below its inverse, have no squares."""

FEWEST_LEAK = 3
"""Pixels on which two variables can agree by chance no longer."""

LEAK = 1e-12
"""1 - r² below which a driver is the response in other units."""


class BrtFitter:
    """Boosted trees prepared on a table."""

    def __init__(self, model: DriverModel, table: PixelTable, partition: Partition, seed: int) -> None:
        assert isinstance(model.options, BrtOptions)
        self._model = model
        self._options: BrtOptions = model.options
        self._table = table
        self._partition = partition
        self._seed = seed
        self._columns = DriverTable(model, table)
        check_positions(table)
        self._learnt = Learnt.of(model, table)
        self.warnings = tuple(self._ignored(table))

    def fit(self, stratum: Stratum, reporter: Reporter = SILENT) -> BrtResult:
        """Fit one stratum.

        Raises
        ------
        FitError
            With the reason why the stratum cannot be fitted.
        """
        options, model = self._options, self._model
        sample = self._columns.sample(self._partition, stratum)
        pixels = self._pixels(sample)
        notes = _remarks(sample, model.target.label)
        parts = Parts(reporter, self._parts(sample))
        rng = own_stream(self._seed, stratum.label)  # models are compared on the same folds
        train, held, folds = deal(pixels, options.train, options.folds, rng)
        folded = FoldedPixels(pixels.rows(train), folds, options.folds)
        tuned = tune(folded, options, int(rng.integers(2**31)), parts)
        setting, chosen = tuned.setting, tuned.found
        simplified: Simplified | None = None
        if options.simplify:
            simplified = simplify(folded, setting, chosen, parts)
            chosen = simplified.found
            if len(simplified.kept) < len(sample.drivers):
                notes.append(_dropped(sample, simplified))
                sample = replace(sample, drivers=tuple(sample.drivers[j] for j in simplified.kept))
                pixels = pixels.columns(simplified.kept)
        settled = Settled(pixels.rows(train), train, setting, chosen.n_trees)
        validations = [Validation.of_folds("random", train, folded, chosen)]
        if len(held):
            parts.now("holdout")
            validations.insert(0, settled.on_holdout(held, pixels.matrix[held]))
        parts.finished()
        residuals = settled.pixels.response - chosen.predicted
        blocks = block_folds(sample, train, options.folds, options.block, residuals, rng)
        if blocks is not None:
            parts.now("folds of blocks")
            validations.append(settled.on_folds("block", blocks.folds, blocks.n_folds, parts))
        elif sample.positions is not None:
            notes.append("no block folds: the pixels fill fewer than two blocks")
        if options.knndm:
            matched = self._matched(sample.rows[train], stratum, rng, notes)
            if matched is not None:
                parts.now("kNNDM folds")
                validations.append(settled.on_folds("knndm", matched.folds, matched.n_folds, parts))
        parts.now("all pixels")
        grown = between_values(grow_forest(pixels, setting, chosen.n_trees), pixels.matrix)
        parts.finished()
        notes += _cautions(validations, pixels, options, chosen.n_trees)
        far = folds if blocks is None else blocks.folds
        # Folds of blocks where there are some: a share's error counts what neighbours have in common.
        by_scheme = {v.scheme: v.influence for v in validations if v.influence is not None}
        without = by_scheme.get("block", by_scheme["random"])
        reading = Reading(grown, pixels, sample, chosen, folds, train, far, without)
        meaning = read_forest(reading, options, rng, parts)
        if not meaning.splits:
            notes.append("no tree has a split: the drivers tell nothing, or leaves are too large")
        return BrtResult(
            stratum=stratum.label,
            sample=sample,
            model=model,
            grown=grown,
            validations=tuple(validations),
            trials=tuned.trials,
            simplified=simplified,
            block_side=None if blocks is None else blocks.side,
            meaning=meaning,
            learnt=self._learnt,
            notes=tuple(notes),
        )

    def _ignored(self, table: PixelTable) -> list[str]:
        """Options that were given and have no effect."""
        given = self._options.model_fields_set
        out = []
        if "block" in given and table.easting is None:
            out.append("`block` has no effect: the table has no coordinates")
        if "quantile" in given and self._model.family != "quantile":
            out.append(
                f"`quantile` has no effect on a {self._model.family} response: write `family: quantile`"
            )
        return out

    def _parts(self, sample: DriverSample) -> int:
        """How many forests will be grown at most, and readings made."""
        options = self._options
        tried = options.tune.trials if options.tune else len(settings_of(options, 0))
        tried += options.simplify * (len(sample.drivers) - 1)
        tried += (sample.positions is not None) * (1 + options.knndm)
        return tried * options.folds + 2 + READINGS

    def _pixels(self, sample: DriverSample) -> Pixels:
        """The sample as trees see it; refuses a response or a size that trees cannot work with."""
        options, family = self._options, self._model.family
        self._require_pixels(sample.n)
        check_response(sample.response, self._model.target.label, family)
        flags = tuple(isinstance(d, Levels) for d in sample.drivers)
        matrix = TreeScale.of(sample).matrix(sample.drivers)
        weights = sample.weights
        if weights is not None:
            weights = weights / weights.mean()  # `min_node` counts pixels of mean weight, in any unit
        return Pixels(
            matrix, flags, sample.response, weights, family, options.quantile, half_an_event(sample.response)
        )

    def _require_pixels(self, n: int) -> None:
        """Refuse so few pixels that trees on a bag of a fold's training pixels cannot split, as gbm does."""
        options = self._options
        bag = options.bag_fraction
        if options.tune is not None and "bag_fraction" not in options.model_fields_set:
            bag = options.tune.bag_fraction
        smallest = min(bag) if isinstance(bag, list) else bag
        inside = options.train * (1.0 - 1.0 / options.folds) * smallest
        fewest = max((2 * options.min_node + 2) / inside, FEWEST_IN_FOLD * options.folds / options.train)
        if n < fewest:
            raise FitError(
                f"too few pixels: {n}, and {int(np.ceil(fewest))} are needed for {options.folds} folds of "
                f"trees with {options.min_node} pixels in a leaf and a bag of {smallest:g}"
            )

    def _matched(
        self, trained: Rows, stratum: Stratum, rng: np.random.Generator, notes: list[str]
    ) -> Knndm | None:
        """kNNDM folds of some rows: the stratum's pixels, those without a response too, are the map."""
        rows = np.flatnonzero(self._partition.rows_of(stratum))
        positions = positions_of(self._table, rows)
        if positions is None:
            notes.append("no kNNDM folds: the table has no coordinates")
            return None
        found = matched_folds(positions, np.searchsorted(rows, trained), self._options.folds, rng)
        if found is None:
            notes.append("no kNNDM folds: the response is known in one place")
        elif found.random:
            notes.append("kNNDM folds are random: the pixels to be predicted lie among those learnt from")
        return found


def fitter(model: BoundModel, table: PixelTable, partition: Partition, seed: int = 0) -> BrtFitter:
    """Prepare boosted regression trees."""
    assert isinstance(model, DriverModel)
    return BrtFitter(model, table, partition, seed)


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


def _dropped(sample: DriverSample, simplified: Simplified) -> str:
    kept = set(simplified.kept.tolist())
    names = [f"`{d.driver.label}`" for j, d in enumerate(sample.drivers) if j not in kept]
    return f"dropped: {', '.join(names)}"


def _cautions(
    validations: Sequence[Validation], pixels: Pixels, options: BrtOptions, n_trees: int
) -> list[str]:
    """What the folds and forests say about themselves."""
    out = []
    if options.n_trees == "auto" and n_trees >= options.max_trees:
        out.append(f"all {n_trees} trees of `max_trees` are used, and more might predict better")
    if pixels.family == "binomial":
        for v in validations:
            y = pixels.response[v.rows]
            alone = [f for f in range(v.n_folds) if v.n_folds > 1 and np.ptp(y[v.folds != f]) == 0]
            if alone:
                out.append(f"{len(alone)} of {v.n_folds} {v.scheme} folds learnt from one class alone")
    return out


def _remarks(sample: DriverSample, name: str) -> list[str]:
    """What a reader of the numbers must know."""
    out = []
    if sample.dropped:
        out.append(f"{sample.dropped} pixels have no response")
    for column in sample.drivers:
        label = column.driver.label
        missing = column.codes < 0 if isinstance(column, Levels) else np.isnan(column.values)
        if missing.any():
            out.append(f"`{label}`: {int(missing.sum())} pixels have no value")
        if not isinstance(column, Levels) and is_leak(column.values[~missing], sample.centred[~missing]):
            out.append(f"`{label}` is `{name}` in other units, and explains nothing")
    return out


def is_leak(driver: Array, response: Array) -> bool:
    """Whether a driver is the response in other units; both complete, shape (n,)."""
    if len(driver) < FEWEST_LEAK or np.ptp(driver) == 0:
        return False
    x, y = driver - driver.mean(), response - response.mean()
    x = x / power_of_two(x)
    r = float(x @ y) / float(np.sqrt((x @ x) * (y @ y)) or 1.0)
    return 1.0 - r * r < LEAK


def half_an_event(response: Array) -> float:
    """The mean of pixels of which one has half of a mean event, amount or count."""
    events = response[response > 0]
    return 0.5 * float(events.mean()) / len(response) if len(events) else 0.0
