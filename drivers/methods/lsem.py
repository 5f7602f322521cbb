"""Latent-variable structural equation models by maximum likelihood from covariances (METHODS, section 4).

All parameters at once, from the moments of one pass over the pixels (Jöreskog 1969; Bollen 1989).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from drivers.errors import FitError
from drivers.methods.blocked_cells import BlockedCells
from drivers.methods.design import make_design
from drivers.methods.driver_sample import own_stream
from drivers.methods.latent_fit import LatentFit, fit_latent
from drivers.methods.latent_groups import group_records
from drivers.methods.latent_layout import make_layout
from drivers.methods.latent_rows import latent_records
from drivers.methods.positions import check_positions
from drivers.methods.result import Records, Result, Shown, Summary, frame
from drivers.methods.sample import Sample, listed
from drivers.methods.vicinity import Blocks, Equation
from drivers.progress import SILENT, Reporter
from drivers.spec.bound import BoundModel
from drivers.spec.latent_model import LatentModel
from drivers.stats.blas import one_blas_thread
from drivers.stats.moments import Moments, moments
from drivers.stats.sem_patterns import filled_with_means
from drivers.table import Partition, PixelTable, Stratum


@dataclass(frozen=True, repr=False)
class LsemResult(Shown):
    """A latent-variable SEM on one stratum.

    `tidy()` has a row per parameter and definition; `glance()` one row with the fit; `residuals()` what the
    model leaves of every correlation; `modification_indices()` what freeing a parameter would gain.
    """

    fit: LatentFit
    method: str = field(default="lsem", init=False)

    @property
    def stratum(self) -> str:
        """The stratum's label."""
        return self.fit.sample.stratum.label

    @cached_property
    def records(self) -> dict[str, list[dict[str, Any]]]:
        """The rows that the result adds to each table (effects.csv comes from `drivers.effects`)."""
        return latent_records(self.fit)

    def residuals(self) -> pd.DataFrame:
        """What the model leaves of every correlation of observed variables."""
        return frame("residual_correlations", self.records["residual_correlations"])

    def modification_indices(self) -> pd.DataFrame:
        """What freeing a parameter would gain, the largest first."""
        return frame("modification_indices", self.records["modification_indices"])

    def _summary(self) -> Summary:
        m = self.fit.measures
        test = (
            f"χ² = {m.chisq:.4g} on {m.df} df, p = {np.exp(self.fit.test.log_p):.4g}, CFI {m.cfi:.3f}, "
            f"RMSEA {m.rmsea.rmsea:.3f}, SRMR {m.srmr:.3f}"
            if m.df
            else "saturated: nothing to test"
        )
        title = f"Latent-variable SEM, {self.stratum}: {self.fit.n} pixels; {test}"
        wanted = ["response", "op", "term", "estimate", "std_error", "p_value", "std_estimate"]
        return Summary(title, self.tidy()[wanted])


class LsemFitter:
    """A latent model prepared on a table: the pixels have been read, strata cost small matrices."""

    def __init__(self, model: LatentModel, table: PixelTable, partition: Partition, seed: int = 0) -> None:
        self._model, self._partition, self._seed = model, partition, seed
        self._design = make_design(table, model.observed)
        check_positions(table)
        self._cells = BlockedCells(self._design, partition, model.options.block)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the user asked for and does not get, whatever the stratum."""
        asked = self._model.options.errors
        if asked in ("effective", "block"):
            if self._cells.space is None:
                return (f"`errors: {asked}` needs the coordinates of every pixel; p-values are classical",)
            if self._model.options.missing == "ml":
                return (f"`errors: {asked}` is not there for `missing: ml`; p-values are classical",)
        return ()

    @one_blas_thread()
    def fit(self, stratum: Stratum, reporter: Reporter = SILENT) -> LsemResult:
        """Fit one stratum.

        Raises
        ------
        FitError
            With the reason why the stratum cannot be fitted.
        """
        return LsemResult(fit_latent(self._model, self._sample(stratum, self._blocks)))

    def together(self, results: Sequence[Result]) -> Records:
        """Tests of what strata of one family share: the rows of group_ladder and group_release."""
        fits = [result.fit for result in results if isinstance(result, LsemResult)]
        return group_records(fits)

    def _sample(self, stratum: Stratum, blocks: Blocks | None) -> Sample:
        gaps = self._model.options.missing == "ml"
        if stratum.rows == 0:
            raise FitError("no pixels in this stratum")
        found = self._with_gaps(stratum) if gaps else self._cells.moments(stratum)
        if found.rows == 0:
            few = "any variable" if gaps else "every variable"
            raise FitError(f"none of the {stratum.rows} pixels of this stratum has a value in {few}")
        sample = Sample(self._design, self._partition, stratum, found)
        if gaps:
            return sample
        return sample if blocks is None else replace(sample, vicinity=self._cells.vicinity(stratum, blocks))

    def _with_gaps(self, stratum: Stratum) -> Moments:
        """Moments that tell which columns vary and which levels there are, gaps filled with means.

        Raises
        ------
        FitError
            If a column has no value at all.
        """
        inside = self._partition.rows_of(stratum)
        inside &= self._design.table.complete(self._model.categorical)
        matrix = self._design.matrix(np.flatnonzero(inside))
        there = ~np.isnan(matrix)
        matrix, there = matrix[:, there.any(axis=0)], there[:, there.any(axis=0)]
        if matrix.shape[1] and not there.any(axis=1).all():
            names = [self._design.columns[i].label for i in np.flatnonzero(~there.any(axis=1))]
            raise FitError(f"{listed(names)} {'has' if len(names) == 1 else 'have'} no value here")
        return moments(filled_with_means(matrix))

    @cached_property
    def _blocks(self) -> Blocks | None:
        return self._cells.blocks(self._residuals, 0, own_stream(self._seed, "blocks"))

    def _residuals(self, stratum: Stratum) -> tuple[list[Equation], None]:
        """Every variable on all others."""
        columns = make_layout(self._model, self._sample(stratum, None)).columns
        return [(c, tuple(o for o in columns if o != c)) for c in columns], None


def fitter(model: BoundModel, table: PixelTable, partition: Partition, seed: int = 0) -> LsemFitter:
    """Prepare a latent model; reads every pixel once, for all strata."""
    assert isinstance(model, LatentModel)
    return LsemFitter(model, table, partition, seed)
