"""What boosted regression trees on one stratum found."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from drivers.methods.boosting import Grown
from drivers.methods.brt_rows import brt_records, cv_rows, fit_row, importance_of
from drivers.methods.driver_sample import DriverSample
from drivers.methods.forest_meaning import Meaning
from drivers.methods.held_out import Validation
from drivers.methods.learnt import Learnt
from drivers.methods.predictor import Predictor
from drivers.methods.result import Importance, Summary, frame, importance_rows
from drivers.methods.simplification import Simplified
from drivers.methods.tree_scale import TreeScale
from drivers.methods.tuning import Trial
from drivers.spec.bound import DriverModel
from drivers.table import PixelTable

Array = NDArray[np.float64]


@dataclass(frozen=True)
class BrtResult:
    """Boosted regression trees on one stratum.

    `tidy()` has a row per driver and measure of importance; `glance()` one row with the fit; `augment()` a
    row per pixel with fitted and out-of-fold values; `predict(frame)` gives the response elsewhere.
    """

    stratum: str
    sample: DriverSample
    """With the drivers that the forest uses; the model's, less those that were dropped."""
    model: DriverModel
    grown: Grown
    validations: tuple[Validation, ...]
    trials: tuple[Trial, ...]
    simplified: Simplified | None
    block_side: float | None
    meaning: Meaning
    learnt: Learnt
    notes: tuple[str, ...] = ()
    method: str = field(default="brt", init=False)

    @property
    def scale(self) -> TreeScale:
        """From the drivers to the numbers in the trees."""
        return self.predictor.scale

    @cached_property
    def predictor(self) -> Predictor:
        """The forest with all that it needs to predict other tables; a run saves it."""
        return Predictor.of(self.model, self.stratum, self.sample, self.grown, self.meaning.area, self.learnt)

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
        return self.predictor.predict(data)

    def augment(self) -> pd.DataFrame:
        """Fitted and out-of-fold values of every pixel with a response; the index is the row of the table."""
        fitted = self.grown.predict(self.scale.matrix(self.sample.drivers))
        out: dict[str, Array] = {"observed": self.sample.response, "fitted": fitted}
        for validation in self.validations:
            held = np.full(self.sample.n, np.nan)
            held[validation.rows] = validation.predicted
            out[f"predicted_{validation.scheme}"] = held
        return pd.DataFrame(out, index=self.sample.rows)

    def pixel_columns(self) -> pd.DataFrame:
        """What the option `pixels` asks for; the index is the row of the table.

        `fitted` and the held-out `predicted_*`; `dissimilarity`, 0 for a pixel that trained, and
        `applicable`; `shap_DRIVER` on the link scale.
        """
        asked = getattr(self.model.options, "pixels", ())
        matrix = self.scale.matrix(self.sample.drivers) if asked else np.empty((0, 0), dtype=np.float32)
        out = pd.DataFrame(index=self.sample.rows)
        if "fitted" in asked:
            out = self.augment().drop(columns="observed")
        if "applicability" in asked and self.meaning.area is not None:
            area = self.meaning.area
            out["dissimilarity"] = area.dissimilarity(matrix.astype(np.float64))
            out["applicable"] = out.dissimilarity <= area.threshold
        if "shap" in asked:
            found = self.grown.contributions(matrix)
            for j, column in enumerate(self.sample.drivers):
                out[f"shap_{column.driver.label}"] = found[:, j]
        return out

    def _summary(self) -> Summary:
        fit = fit_row(self)
        schemes = ("holdout", "random", "block", "knndm")
        parts = [f"{name} {fit[f'r2_{name}']:.3f}" for name in schemes if fit[f"r2_{name}"] is not None]
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
