"""A forest that predicts without the table it grew on: what a run saves, and what `drivers predict` uses."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from drivers.errors import Fault, FitError, TableError
from drivers.methods.boosting import Grown
from drivers.methods.driver_sample import DriverSample, Levels, Numbers
from drivers.methods.forest_file import WORDS, ForestWords, read_forest_files, write_forest
from drivers.methods.known_driver import KnownDriver, known_driver, words_of
from drivers.methods.learnt import Learnt
from drivers.methods.raster_cells import SOURCE, RasterCells
from drivers.methods.tree_scale import TreeScale
from drivers.progress import SILENT, Reporter
from drivers.spec.bound import DriverModel
from drivers.stats.applicability import Applicability
from drivers.table import PixelTable
from drivers.table.columns import Role, Row, faults_of, holds_classes, plain, row_number
from drivers.table.pixels import missing_column

if TYPE_CHECKING:
    import xarray as xr

Array = NDArray[np.float64]
Bools = NDArray[np.bool_]
Found = list[Numbers | Levels]
"""The drivers of some pixels; a level that was not seen has the code after the last one."""

CHUNK = 200_000
"""Pixels at a time: 20 MB in 13 drivers, beside the table."""

FRAME = "the data frame"

DISSIMILARITY, APPLICABLE = "dissimilarity", "applicable"
"""The columns that `augment` adds beside the prediction."""


@dataclass(frozen=True, eq=False, repr=False)
class Predictor:
    """A forest with all that it needs to predict.

    Attributes
    ----------
    model, stratum : where it comes from
    response, unit : what it predicts, as the tables call it (`NEP`, `log(NEP)`), and its unit or nothing
    drivers : in the order of the forest's columns
    scale : from the drivers to the numbers in the trees
    grown : the trees
    area : where the forest applies; None where no driver matters
    """

    model: str
    stratum: str
    response: str
    unit: str
    drivers: tuple[KnownDriver, ...]
    scale: TreeScale
    grown: Grown
    area: Applicability | None

    @classmethod
    def of(
        cls,
        model: DriverModel,
        stratum: str,
        sample: DriverSample,
        grown: Grown,
        area: Applicability | None,
        learnt: Learnt,
    ) -> Predictor:
        """From a fit: `sample` has the drivers that the forest uses, `learnt` is of the whole table."""
        known = tuple(
            KnownDriver(
                column.driver,
                column.labels if isinstance(column, Levels) else (),
                learnt.constants.get(column.driver.factor.text, ()),
                bool(_absent(column).any()),
            )
            for column in sample.drivers
        )
        scale = TreeScale.of(sample)
        return cls(model.name, stratum, model.target.label, learnt.unit, known, scale, grown, area)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that a table must have, each once."""
        return tuple(dict.fromkeys(name for d in self.drivers for name in d.driver.factor.variables))

    @property
    def predicted(self) -> str:
        """The name of the column of predictions."""
        return f"predicted_{self.response}"

    @overload
    def predict(self, data: pd.DataFrame | PixelTable, reporter: Reporter = ...) -> Array: ...
    @overload
    def predict(self, data: xr.Dataset, reporter: Reporter = ...) -> xr.DataArray: ...
    def predict(self, data: Any, reporter: Reporter = SILENT) -> Any:
        """The response that the trees expect.

        Parameters
        ----------
        data : a table with the drivers' columns, or a Dataset whose variables are the drivers, all of the
            same dims; other columns and variables are left alone
        reporter : is told how many pixels are done

        Returns
        -------
        An array of shape (n,), or for a Dataset a DataArray on its dims and coordinates; in `unit`.

        Raises
        ------
        TableError
            With every column that is not there or holds what a number cannot be; where a driver is infinite
            or a function of it has no value; where the drivers of a Dataset differ in their dims.

        Notes
        -----
        A pixel without a value of a driver, or with a level that was not seen, goes where the trees send
        missing ones. Where no pixel of the training lacked the driver they have not learnt that: then it has
        no prediction (NaN), and is not in the area of applicability. A cell of a
        Dataset without a value of any driver lies outside the map and has no prediction.
        """
        return self._answer(data, self._expected, self.predicted, self.unit, reporter)

    @overload
    def dissimilarity(self, data: pd.DataFrame | PixelTable, reporter: Reporter = ...) -> Array: ...
    @overload
    def dissimilarity(self, data: xr.Dataset, reporter: Reporter = ...) -> xr.DataArray: ...
    def dissimilarity(self, data: Any, reporter: Reporter = SILENT) -> Any:
        """How unlike the training pixels others are; data, shapes and errors as in `predict`.

        0 for a training pixel, 1 at the mean distance between two of them (Meyer & Pebesma 2021,
        doi:10.1111/2041-210X.13650); NaN where there is no prediction. Of drivers that pixels of the training
        lacked too, a missing value counts as the mean, a level that was not seen as far from all.

        Raises
        ------
        FitError
            If the forest has no area of applicability.
        """
        self._require_area()
        return self._answer(data, self._index, DISSIMILARITY, "", reporter)

    @overload
    def applicable(self, data: pd.DataFrame | PixelTable, reporter: Reporter = ...) -> Bools: ...
    @overload
    def applicable(self, data: xr.Dataset, reporter: Reporter = ...) -> xr.DataArray: ...
    def applicable(self, data: Any, reporter: Reporter = SILENT) -> Any:
        """Whether pixels are in the area of applicability: dissimilarity at most the threshold.

        Data, shapes and errors as in `dissimilarity`; cells outside the map are not.
        """
        threshold = self._require_area().threshold
        found = self.dissimilarity(data, reporter) <= threshold
        return found if isinstance(found, np.ndarray) else found.rename(APPLICABLE)

    def augment(self, data: pd.DataFrame | PixelTable, reporter: Reporter = SILENT) -> pd.DataFrame:
        """A row per pixel, with the index of `data`: `predicted_<response>`, `dissimilarity`, `applicable`.

        Without an area of applicability the last two are missing. Errors as in `predict`.
        """
        table = self._table(data)
        both = self._of_table(table, self._expected_and_index, 2, row_number, reporter)
        index = both[:, 1]
        inside = np.zeros(table.n, dtype=np.bool_) if self.area is None else index <= self.area.threshold
        flags = pd.arrays.BooleanArray(inside, np.full(table.n, self.area is None))
        columns = {self.predicted: both[:, 0], DISSIMILARITY: index, APPLICABLE: flags}
        return pd.DataFrame(columns, index=(data if isinstance(data, pd.DataFrame) else table.frame).index)

    def save(self, folder: Path) -> None:
        """Write the forest into a folder, which is made: words and trees as JSON, the area as plain arrays.

        The same forest gives the same bytes.

        Raises
        ------
        OSError
            When the folder cannot be written.
        """
        words = ForestWords(
            model=self.model,
            stratum=self.stratum,
            response=self.response,
            unit=self.unit,
            family=self.grown.family,
            centre=self.grown.centre,
            spread=self.grown.spread,
            n_trees=self.grown.n_trees,
            drivers=tuple(
                words_of(known, float(centre), float(unit))
                for known, centre, unit in zip(self.drivers, self.scale.centre, self.scale.unit, strict=True)
            ),
        )
        write_forest(folder, words, self.grown.booster, self.area)

    @classmethod
    def load(cls, folder: Path) -> Predictor:
        """Read a forest that `save` wrote; it predicts the same to the last bit.

        Raises
        ------
        TableError
            When a file is missing or damaged, or was written by a newer ecodrivers.
        """
        words, booster, area = read_forest_files(folder)
        drivers = tuple(known_driver(d, folder / WORDS) for d in words.drivers)
        scale = TreeScale(
            np.array([d.centre for d in words.drivers]), np.array([d.unit for d in words.drivers])
        )
        types = tuple("c" if d.categorical else "q" for d in words.drivers)
        grown = Grown(booster, types, words.family, words.centre, words.spread, words.n_trees)
        return cls(words.model, words.stratum, words.response, words.unit, drivers, scale, grown, area)

    def __repr__(self) -> str:
        unit = f" ({self.unit})" if self.unit else ""
        return (
            f"<Predictor {self.model} on {self.stratum}: {self.response}{unit} from {len(self.drivers)} "
            f"drivers, {self.grown.n_trees} trees>"
        )

    # From a table to answers, chunk by chunk.

    def _answer(
        self, data: Any, ask: Callable[[Found], Array], name: str, unit: str, reporter: Reporter
    ) -> Any:
        if isinstance(data, pd.DataFrame | PixelTable):
            return self._of_table(self._table(data), ask, 1, row_number, reporter)[:, 0]
        cells = RasterCells(data, self.columns)
        out = np.full(cells.shape, np.nan)
        done = 0
        for block in cells.blocks(CHUNK):
            if len(block.frame):
                table = self._checked(_plain_table(block.frame, SOURCE))
                out[block.at][block.inside] = self._of_table(table, ask, 1, block.cell, SILENT)[:, 0]
            done += block.inside.size
            reporter.part("cells predicted", done, out.size)
        return cells.array(out, name, unit)

    def _of_table(
        self, table: PixelTable, ask: Callable[[Found], Array], width: int, row: Row, reporter: Reporter
    ) -> Array:
        """What `ask` says of every pixel, shape (n, width)."""
        out = np.empty((table.n, width))
        for start in range(0, table.n, CHUNK):
            rows = slice(start, min(start + CHUNK, table.n))
            out[rows] = ask([known.at(table, rows, row) for known in self.drivers]).reshape(-1, width)
            reporter.part("pixels predicted", rows.stop, table.n)
        return out

    def unpredicted(self, data: pd.DataFrame | PixelTable) -> dict[str, tuple[int, int]]:
        """Pixels that have no prediction, by driver: how many lack a value, how many have an unseen level."""
        table = self._table(data)
        out: dict[str, tuple[int, int]] = {}
        for known in self.drivers:
            lacking = unseen = 0
            for start in range(0, table.n if not known.missing else 0, CHUNK):
                rows = slice(start, min(start + CHUNK, table.n))
                here = known.at(table, rows, row_number)
                both = int(_absent(here).sum())
                unseen += int((here.codes >= 0)[_absent(here)].sum()) if isinstance(here, Levels) else 0
                lacking += both
            if lacking:
                out[known.driver.label] = (lacking - unseen, unseen)
        return out

    def _known(self, found: Found) -> Bools:
        """Which pixels the trees have learnt to place."""
        told = np.ones(len(found[0].codes if isinstance(found[0], Levels) else found[0].values), dtype=bool)
        for column, known in zip(found, self.drivers, strict=True):
            if not known.missing:
                told &= ~_absent(column)
        return told

    def _expected(self, found: Found) -> Array:
        seen = [
            replace(d, codes=np.where(_absent(d), -1, d.codes)) if isinstance(d, Levels) else d for d in found
        ]
        return np.where(self._known(found), self.grown.predict(self.scale.matrix(seen)), np.nan)

    def _index(self, found: Found) -> Array:
        matrix = self.scale.matrix(found).astype(np.float64)
        return np.where(self._known(found), self._require_area().dissimilarity(matrix), np.nan)

    def _expected_and_index(self, found: Found) -> Array:
        expected = self._expected(found)
        index = np.full(len(expected), np.nan) if self.area is None else self._index(found)
        return np.column_stack([expected, index])

    def _require_area(self) -> Applicability:
        if self.area is None:
            raise FitError("the forest has no area of applicability: none of its drivers matters")
        return self.area

    def _table(self, data: pd.DataFrame | PixelTable) -> PixelTable:
        """The columns that are needed, as far as they are there, checked."""
        if isinstance(data, PixelTable):
            return self._checked(data)
        names = [str(name) for name in data.columns]
        needed = [i for i, name in enumerate(names) if name in self.columns]
        held = data.iloc[:, needed].reset_index(drop=True)
        held.columns = pd.Index([names[i] for i in needed])
        twice = [name for name in self.columns if names.count(name) > 1]
        if twice:
            raise TableError([Fault(f"{FRAME} has several columns `{name}`") for name in twice])
        self._require_columns(names, FRAME)
        return self._checked(_plain_table(held, FRAME))

    def _require_columns(self, known: list[str], source: str) -> None:
        absent = [missing_column(name, source, known) for name in self.columns if name not in known]
        if absent:
            raise TableError(absent)

    def _checked(self, table: PixelTable) -> PixelTable:
        """Every column that is not there, or that has no numeric value where one is needed, at once."""
        self._require_columns(list(table.columns), table.source)
        faults: list[Fault] = []
        for name in self._numeric():
            if table.holds_text(name):
                faults += _not_numbers(table.frame[name], name, table.source)
        if faults:
            raise TableError(faults)
        return table

    def _numeric(self) -> Iterator[str]:
        factors = [d.driver.factor for d in self.drivers]
        yield from dict.fromkeys(v for f in factors if not f.categorical for v in f.variables)


def _absent(column: Numbers | Levels) -> Bools:
    """Which pixels lack a value, or have a level that was not seen."""
    if isinstance(column, Levels):
        return (column.codes < 0) | (column.codes >= len(column.labels))
    return np.isnan(column.values)


def _plain_table(frame: pd.DataFrame, source: str) -> PixelTable:
    held = {str(name): plain(frame[name])[0] for name in frame.columns}
    return PixelTable(pd.DataFrame(held, index=frame.index, copy=False), source)


def _not_numbers(column: pd.Series, name: str, source: str) -> list[Fault]:
    held, kind = plain(column)
    if kind == "text" and holds_classes(held):
        shown = ", ".join(f"`{value}`" for value in held.dropna().drop_duplicates().iloc[:3])
        hint = f"the forest has learnt `{name}` as numbers"
        return [Fault(f"column `{name}` of {source} holds text ({shown})", hint=hint)]
    return faults_of(held, kind, Role(name), source, row_number)
