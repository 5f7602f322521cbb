"""The years of a study's series: which columns of a table they are, and what is wrong with them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from drivers.change.areas import CELL_AREA
from drivers.errors import Fault, Place, TableError, propose
from drivers.spec.change import Change
from drivers.spec.series import YEAR, Series
from drivers.spec.study import StudySpec
from drivers.stats.frequency import adjacent_years
from drivers.table import PixelTable
from drivers.table.files import open_table

Array = NDArray[np.float64]

_YEAR = re.compile(r"(?<!\d)[1-9]\d{3}(?!\d)")

FEWEST = 2
"""Years that make a series."""

FEWEST_SIMULATED = 100
"""Pixels of the smallest simulated table: all tables of a world have the same columns."""


@dataclass(frozen=True, slots=True)
class YearSeries:
    """A series with its years.

    Attributes
    ----------
    spec : what the study says about it
    years : ascending
    columns : of the table, one a year
    """

    spec: Series
    years: tuple[int, ...]
    columns: tuple[str, ...]

    @property
    def name(self) -> str:
        """Its name."""
        return self.spec.name

    @property
    def gaps(self) -> list[tuple[int, int]]:
        """Years that follow each other in the table and are no neighbours; every fifth year is no gap."""
        follows = adjacent_years(self.years, len(self.years)).tolist()
        return [pair for pair, near in zip(pairwise(self.years), follows, strict=True) if not near]


@dataclass(frozen=True, slots=True)
class ChangeColumns:
    """What `table.load` has to read for change over years.

    Attributes
    ----------
    needed : column -> where the spec asks for it
    categorical : those of them that hold classes
    units : column -> its unit
    """

    needed: dict[str, Place | None]
    categorical: frozenset[str]
    units: dict[str, str]


def change_columns(study: StudySpec, header: tuple[str, Sequence[str]] | None = None) -> ChangeColumns:
    """The columns that the `change` of a study needs, from the table's header alone; none without `change`.

    Parameters
    ----------
    study : the study
    header : the table as messages name it, and its columns, where it is not made yet

    Raises
    ------
    TableError
        a series without columns, or with too few; all faults at once
    """
    if study.change is None:
        return ChangeColumns({}, frozenset(), {})
    source, known = header or _header(study)
    series = year_series(study.change, source, known)
    needed: dict[str, Place | None] = {
        column: one.spec.place for one in series for column in columns_read(one, study.change)
    }
    if CELL_AREA in known:
        needed.setdefault(CELL_AREA, study.table.place)
    classes = [one for one in series if takes_classes(one.name, study.change)]
    return ChangeColumns(
        needed,
        frozenset(column for one in classes for column in one.columns if column in needed),
        {column: one.spec.unit for one in series for column in one.columns if one.spec.unit},
    )


def year_series(change: Change, source: str, columns: Iterable[str]) -> tuple[YearSeries, ...]:
    """The series that `change` names, with the years that a table has.

    Parameters
    ----------
    change : what is asked
    source : the table, as messages name it
    columns : of the table

    Raises
    ------
    TableError
        with every fault of every series
    """
    known = list(columns)
    faults: list[Fault] = []
    found: list[YearSeries] = []
    owners: dict[str, str] = {}
    for spec in change.series:
        there = spec.years_in(known)
        faults += _faults(spec, there, source, known, limits=not _years_given(spec.name, change))
        for column in there.values():
            if owners.setdefault(column, spec.name) != spec.name:
                message = f"column `{column}` is of two series, `{owners[column]}` and `{spec.name}`"
                faults.append(Fault(message, spec.place, "a column is of one series"))
                break
        found.append(YearSeries(spec, tuple(there), tuple(there.values())))
    faults += _transfer_faults(change, found, source)
    if faults:
        raise TableError(faults)
    return tuple(found)


def takes_classes(name: str, change: Change) -> bool:
    """Whether a series is asked for as classes."""
    return change.transfer is not None and name in change.transfer.names


def _years_given(name: str, change: Change) -> bool:
    """Whether only some years of a series count, those that a transfer names."""
    return takes_classes(name, change) and change.transfer is not None and bool(change.transfer.years)


def transfer_years(series: YearSeries, change: Change) -> tuple[int, ...]:
    """The years between which transfers are taken: by default the first and the last."""
    asked = change.transfer.years if change.transfer is not None else None
    return tuple(asked) if asked is not None else (series.years[0], series.years[-1])


def columns_read(series: YearSeries, change: Change) -> tuple[str, ...]:
    """The columns that are needed of a series: of classes only those of some years."""
    if not takes_classes(series.name, change):
        return series.columns
    return tuple(series.spec.column(year) for year in transfer_years(series, change))


class Reading:
    """The values of a series by chunks of pixels; never more than one chunk is made into numbers.

    Parameters
    ----------
    table : that holds the columns
    columns : one a year
    """

    def __init__(self, table: PixelTable, columns: Sequence[str]) -> None:
        # Views: the columns stay what they are in the table.
        self._columns = [table.frame[name].to_numpy() for name in columns]

    def chunk(self, rows: slice) -> Array:
        """The values of some pixels, shape (years, rows), NaN where missing."""
        values = np.empty((len(self._columns), rows.stop - rows.start))
        for row, column in zip(values, self._columns, strict=True):
            row[:] = column[rows]
        return values


def _header(study: StudySpec) -> tuple[str, Sequence[str]]:
    """The table as messages name it, and its columns."""
    source = study.table
    if source.path is not None:
        table = open_table(source.path, source.place)
        return table.path.name, list(table.columns)
    from drivers.simulate import simulate  # only simulated studies need it

    world = simulate(source.simulate, pixels=FEWEST_SIMULATED)
    return f"the simulated world `{source.simulate}`", [str(name) for name in world.frame.columns]


def _faults(
    spec: Series, there: dict[int, str], source: str, known: Sequence[str], *, limits: bool
) -> list[Fault]:
    """What is wrong with the years of a series; its limits have to be there, unless other years are given."""
    of = f"the series `{spec.name}`"
    if not there and (spec.years is None or not limits):
        like = dict.fromkeys(_YEAR.sub(YEAR, name, 1) for name in known if _YEAR.search(name))
        hint = propose(spec.template, list(like) or known)
        return [Fault(f"{of}: {source} has no column like `{spec.template}`", spec.place, hint)]
    missing = [year for year in spec.years or () if limits and year not in there]
    if missing:
        column = spec.column(missing[0])
        return [Fault(f"{of}: {source} has no column `{column}`", spec.place, propose(column, known))]
    if len(there) < FEWEST:
        message = f"{of} has one column in {source}, `{next(iter(there.values()))}`"
        return [Fault(message, spec.place, "a series has two years or more")]
    return []


def _transfer_faults(change: Change, found: Sequence[YearSeries], source: str) -> list[Fault]:
    faults: list[Fault] = []
    for one in found:
        if not takes_classes(one.name, change) or len(one.years) < FEWEST:
            continue
        for year in transfer_years(one, change):
            if year not in one.years:
                message = f"`transfer` asks for {year}: {source} has no column `{one.spec.column(year)}`"
                years = ", ".join(map(str, one.years))
                faults.append(Fault(message, change.places["transfer"], f"years of `{one.name}`: {years}"))
    return faults
