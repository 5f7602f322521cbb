"""The optimal-parameter geodetector (METHODS, section 7).

Wang et al. 2010, doi:10.1080/13658810802443457; Song et al. 2020, doi:10.1080/15481603.2020.1760434.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from drivers.errors import Fault, FitError, TableError
from drivers.methods.detection import Detection, detect
from drivers.methods.driver_sample import DriverSample, DriverTable, own_stream
from drivers.methods.geodetector_rows import (
    breaks_rows,
    ecological_rows,
    fit_row,
    geodetector_importance,
    geodetector_records,
    interaction_rows,
    q_rows,
    risk_rows,
)
from drivers.methods.positions import check_positions, lattice_of, positions_of
from drivers.methods.result import Importance, Summary, frame
from drivers.methods.scaling import coarser
from drivers.progress import SILENT, Reporter
from drivers.spec.bound import BoundModel, DriverModel
from drivers.spec.options import GeodetectorOptions
from drivers.stats.lattice import Lattice
from drivers.table import Partition, PixelTable, Stratum


@dataclass(frozen=True)
class GeodetectorResult:
    """A geodetector on one stratum.

    `tidy()` has a row per driver; `glance()` one row with the fit; `augment()` a row per pixel with the class
    of every driver. `breaks()`, `interactions()`, `risk()`, `ecological()` are the other tables.
    """

    stratum: str
    detection: Detection
    options: GeodetectorOptions
    scales: tuple[tuple[int, float, Detection], ...] = ()
    """(multiple, side of a cell, what was found there)."""
    years: tuple[tuple[int, Detection], ...] = ()
    notes: tuple[str, ...] = ()
    method: str = field(default="geodetector", init=False)

    @property
    def records(self) -> dict[str, list[dict[str, Any]]]:
        """The rows that the result adds to each table."""
        return geodetector_records(self.detection, self.options, self.scales, self.years, self.notes)

    def measured(self) -> list[Importance]:
        """q of every driver and group."""
        return geodetector_importance(self.detection)

    def tidy(self) -> pd.DataFrame:
        """The factor detector: a row per driver."""
        return frame("q", q_rows(self.detection))

    def glance(self) -> pd.DataFrame:
        """The fit of the whole model, one row."""
        return frame("fit", [fit_row(self.detection, self.notes)])

    def breaks(self) -> pd.DataFrame:
        """Every candidate of every driver."""
        return frame("breaks", breaks_rows(self.detection))

    def interactions(self) -> pd.DataFrame:
        """The interaction detector: a row per pair of drivers."""
        return frame("q_interaction", interaction_rows(self.detection))

    def risk(self) -> pd.DataFrame:
        """The risk detector: a row per pair of classes of a driver."""
        return frame("risk", risk_rows(self.detection))

    def ecological(self) -> pd.DataFrame:
        """The ecological detector: a row per pair of drivers."""
        return frame("ecological", ecological_rows(self.detection, self.options))

    def augment(self) -> pd.DataFrame:
        """The class of every driver for every pixel with a response; the index is the row of the table.

        Classes are numbered from 1, or are levels; a missing driver has a missing class.
        """
        sample = self.detection.sample
        out: dict[str, Any] = {}
        for factor in self.detection.factors:
            classes = factor.classes
            names = classes.labels or tuple(str(i + 1) for i in range(classes.n_classes))
            codes = classes.codes.astype(np.intp)
            codes[codes >= len(names)] = -1
            out[f"{factor.label}_class"] = pd.Categorical.from_codes(codes, categories=pd.Index(names))
        return pd.DataFrame(out, index=sample.rows)

    def _summary(self) -> Summary:
        title = f"Geodetector, {self.stratum}: {self.detection.sample.n} pixels"
        wanted = ["driver", "group", "method", "n_classes", "q", "p_value", "p_max", "q_crossfit"]
        return Summary(title, self.tidy()[wanted])

    def __repr__(self) -> str:
        return self._summary().text()

    def _repr_html_(self) -> str:
        return self._summary().html()


class GeodetectorFitter:
    """A geodetector prepared on a table."""

    def __init__(self, model: DriverModel, table: PixelTable, partition: Partition, seed: int) -> None:
        self._model = model
        assert isinstance(model.options, GeodetectorOptions)
        self._options: GeodetectorOptions = model.options
        self._table = table
        self._partition = partition
        self._seed = seed
        self._columns = DriverTable(model, table)
        check_positions(table)
        self._lattice: Lattice | None = None
        if self._options.scales:
            self._lattice = self._grid()
        self.warnings = self._warnings()

    def fit(self, stratum: Stratum, reporter: Reporter = SILENT) -> GeodetectorResult:
        """Fit one stratum.

        Raises
        ------
        FitError
            With the reason why the stratum cannot be fitted.
        """
        sample = self._columns.sample(self._partition, stratum)
        notes: list[str] = []
        reporter.part("classes and detectors", 0, 3)
        found = detect(sample, self._options, self._rng(stratum, "fit"))
        reporter.part("coarser cells", 1, 3)
        scales = self._scaled(sample, stratum, notes)
        reporter.part("single years", 2, 3)
        years = self._years(stratum, notes)
        return GeodetectorResult(stratum.label, found, self._options, scales, years, tuple(notes))

    def _rng(self, stratum: Stratum, task: str) -> np.random.Generator:
        return own_stream(self._seed, self._model.name, stratum.label, task)

    def _scaled(
        self, sample: DriverSample, stratum: Stratum, notes: list[str]
    ) -> tuple[tuple[int, float, Detection], ...]:
        """The detectors on coarser cells; chance is not tried again there."""
        if self._lattice is None:
            return ()
        plain = self._options.model_copy(update={"permutations": 0, "folds": 0})
        out = []
        for scale in self._options.scales:
            rng = self._rng(stratum, f"scale {scale}")
            side = scale * float(np.sqrt(self._lattice.height * self._lattice.width))
            try:
                coarse = coarser(sample, self._lattice, scale) if scale > 1 else sample
                out.append((scale, side, detect(coarse, plain, rng, crossed=False)))
            except FitError as error:
                notes.append(f"scale {scale}: {error}")
        return tuple(out)

    def _years(self, stratum: Stratum, notes: list[str]) -> tuple[tuple[int, Detection], ...]:
        """The detectors on the columns of each year."""
        options = self._options.model_copy(update={"folds": 0})
        out = []
        for year, columns in self._model.years:
            try:
                sample = self._columns.sample(self._partition, stratum, dict(columns))
                rng = self._rng(stratum, f"year {year}")
                out.append((year, detect(sample, options, rng, crossed=False)))
            except FitError as error:
                notes.append(f"{year}: {error}")
        return tuple(out)

    def _grid(self) -> Lattice:
        rows = np.arange(self._table.n)
        at = positions_of(self._table, rows)
        name = f"`scales` of model `{self._model.name}`"
        if at is None:
            hint = "name the columns under `pixel: {easting: ..., northing: ...}`"
            raise TableError(Fault(f"{name} needs the coordinates of every pixel", hint=hint))
        lattice = lattice_of(at)
        if not lattice.exact:
            raise TableError(
                Fault(
                    f"{name} needs pixels on a regular grid, and {self._table.source} has none",
                    hint="put the points on a grid first, or leave `scales` out",
                )
            )
        return lattice

    def _warnings(self) -> tuple[str, ...]:
        """What the user asked for and does not get."""
        table = self._table
        if self._options.errors == "effective" and (
            table.easting is None or positions_of(table, np.arange(table.n)) is None
        ):
            return ("`errors: effective` needs the coordinates of every pixel; p-values are classical",)
        return ()


def fitter(model: BoundModel, table: PixelTable, partition: Partition, seed: int = 0) -> GeodetectorFitter:
    """Prepare a geodetector."""
    assert isinstance(model, DriverModel)
    return GeodetectorFitter(model, table, partition, seed)
