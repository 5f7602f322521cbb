"""Change over years of a study: one pass over the pixels, then a row per stratum and class, year or pair."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from drivers.change.areas import pixel_areas
from drivers.change.centre import CentreWork, check_coordinates
from drivers.change.correlation import CorrelationWork
from drivers.change.description import description
from drivers.change.distribution import DistributionWork
from drivers.change.frequency import FrequencyWork
from drivers.change.ground import Ground, Rows, Work, some
from drivers.change.moments import SeriesMoments
from drivers.change.persistence import NOTE, PersistenceWork
from drivers.change.transfer import TransferWork
from drivers.change.trend import TrendWork, mean_trends
from drivers.change.years import Reading, YearSeries, transfer_years, year_series
from drivers.progress import SILENT, Reporter
from drivers.spec.change import CHANGE, Change
from drivers.spec.change_shapes import METHODS, TrendOptions
from drivers.spec.study import StudySpec
from drivers.table import Partition, PixelTable

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Changed:
    """What a study found about change over years.

    Attributes
    ----------
    rows : by table; `model` is `change`, for they come from no model file, and an empty cell would say that
        something is missing
    pixels : a row per pixel in table order, with the columns of every series asked; its index counts from 0
    warnings : what the user should know
    facts : for run.json
    """

    rows: Mapping[str, Rows]
    pixels: pd.DataFrame
    warnings: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)


def check_change(study: StudySpec, table: PixelTable) -> None:
    """Everything about change that can be wrong with a table, before anything is computed.

    Raises
    ------
    TableError
        series without columns, no coordinates for a centre, areas that are none
    """
    change = study.change
    if change is None:
        return
    year_series(change, table.source, table.columns)
    if change.centre is not None:
        check_coordinates(table, change.places["centre"])
    pixel_areas(table)


def run_change(
    study: StudySpec, table: PixelTable, partition: Partition, reporter: Reporter = SILENT
) -> Changed:
    """Do what a study asks about change over years.

    Parameters
    ----------
    study : whose `change` is not None
    table : with the columns that `change_columns` names
    partition : whose strata hold those of `study.change.over`
    reporter : told once that the work starts and ends, and of every chunk of pixels

    Raises
    ------
    TableError
        as `check_change`; and `levels` that name no class of the table

    Notes
    -----
    Pixels are read once, a chunk at a time, by all methods together. What is of strata is summed by cell of
    the partition; what is of pixels is kept. Memory beyond these results does not grow with the pixels.
    """
    change = study.change
    if change is None:
        return Changed({}, pd.DataFrame(index=range(table.n)))
    check_change(study, table)
    reporter.start("change over years")
    ground = Ground.of(table, partition, pixel_areas(table), change.over)
    series = {one.name: one for one in year_series(change, table.source, table.columns)}
    plan = _Plan(ground, series, change)
    readings = {name: Reading(table, series[name].columns) for name in plan.read}
    chunks = list(ground.chunks())
    for i, rows in enumerate(chunks):
        reporter.part("change over years", i, len(chunks))
        values = {name: reading.chunk(rows) for name, reading in readings.items()}
        for work in plan.works:
            work.take(rows, values)
    for work in plan.works:
        work.finish()
    found: dict[str, Rows] = defaultdict(list)
    for name, rows_ in plan.tables():
        found[name] += [{"model": CHANGE, **row} for row in rows_]
    columns = dict(chain.from_iterable(work.columns().items() for work in plan.shown))
    warnings = [
        f"change: {text}"
        for text in (*_gaps(one for name, one in series.items() if name in plan.read), *plan.warnings())
    ]
    reporter.done()
    return Changed(
        dict(found),
        pd.DataFrame(columns, index=range(table.n)),
        tuple(warnings),
        _facts(change, series, ground),
    )


class _Plan:
    """The works of a study: which series each takes, and which tables they fill."""

    def __init__(self, ground: Ground, series: Mapping[str, YearSeries], change: Change) -> None:
        self._ground, self._change = ground, change
        self.moments: dict[str, SeriesMoments] = {}
        self.works: list[Work] = []
        """All, in the order in which they take a chunk."""
        self.shown: list[Work] = []
        """Those of them that were asked for; a trend is also made for the classes of persistence."""
        self._described = _names(change.describe)
        self._trends = dict.fromkeys((*_names(change.trend), *self._described))
        pairs = change.correlation.pairs if change.correlation is not None else ()
        for name in dict.fromkeys((*self._trends, *chain.from_iterable(pairs))):
            self.moments[name] = SeriesMoments(ground, series[name])
            self.works.append(self.moments[name])
        for name in self._described:
            self._add(DistributionWork(ground, series[name]))
        trends: dict[str, TrendWork] = {}
        for name in dict.fromkeys((*_names(change.trend), *_names(change.persistence))):
            trends[name] = TrendWork(ground, series[name], self.trend_options(name))
            self._add(trends[name], shown=name in _names(change.trend))
        if change.persistence is not None:
            for name in change.persistence.names:
                self._add(PersistenceWork(ground, series[name], change.persistence, trends[name]))
        if change.frequency is not None:
            for name in change.frequency.names:
                self._add(FrequencyWork(ground, series[name], change.frequency))
        if change.correlation is not None:
            for one, other in pairs:
                both = (self.moments[one], self.moments[other])
                self._add(CorrelationWork(ground, *both, change.correlation))
        if change.centre is not None:
            for name in change.centre.names:
                self._add(CentreWork(ground, series[name], change.centre))
        if change.transfer is not None:
            for name in change.transfer.names:
                years = transfer_years(series[name], change)
                self._add(TransferWork(ground, series[name], years, change.places["transfer"]))

    def _add(self, work: Work, *, shown: bool = True) -> None:
        self.works.append(work)
        if shown:
            self.shown.append(work)

    def trend_options(self, name: str) -> TrendOptions:
        """The options of a series' trend: those asked for, or the defaults where nobody asked."""
        asked = self._change.trend
        return asked if asked is not None and name in asked.names else TrendOptions(series=name)

    @property
    def read(self) -> tuple[str, ...]:
        """The series whose values are read, each once."""
        return tuple(dict.fromkeys(name for work in self.works for name in work.series))

    def tables(self) -> Iterable[tuple[str, Rows]]:
        """Rows by table, without `model`; a table may come in several parts."""
        for work in self.shown:
            yield from work.tables().items()
        for name in self._trends:
            yield from self.moments[name].tables().items()
            yield "series_trend", mean_trends(self._ground, self.moments[name], self.trend_options(name))
        for name in self._described:
            yield "description", description(self._ground, self.moments[name])

    def warnings(self) -> list[str]:
        """What all works say, and strata without pixels."""
        empty = [stratum.label for stratum in self._ground.strata if not stratum.rows]
        said = [f"{some(empty)} {'have' if len(empty) > 1 else 'has'} no pixels"] if empty else []
        return [*said, *(text for work in (*self.moments.values(), *self.shown) for text in work.warnings())]


def _names(asked: Any) -> tuple[str, ...]:
    return () if asked is None else tuple(asked.names)


def _gaps(series: Iterable[YearSeries]) -> list[str]:
    return [
        f"`{one.name}` has no column between {', '.join(f'{a} and {b}' for a, b in one.gaps)}: these are no "
        "neighbouring years, and slopes count the years between them"
        for one in series
        if one.gaps
    ]


def _facts(change: Change, series: Mapping[str, YearSeries], ground: Ground) -> dict[str, Any]:
    """What run.json says about it."""
    asked = {name: options for name in METHODS if (options := getattr(change, name)) is not None}
    return {
        "asked": {name: options.model_dump(mode="json") for name, options in asked.items()},
        "strata": [stratum.label for stratum in ground.strata],
        "zones": [zone.name for zone in change.zones],
        "series": [
            {
                "name": one.name,
                "unit": one.spec.unit,
                "columns": one.spec.template,
                "years": list(one.years),
            }
            for one in series.values()
        ],
        "area_unit": ground.areas.unit,
        "notes": [NOTE] if change.persistence is not None else [],
    }
