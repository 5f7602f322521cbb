"""What a study needs of its table: made from rasters where that is asked, read, checked, cut into strata."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from drivers.change import change_columns, check_change
from drivers.errors import Fault, Place, TableError, propose
from drivers.progress import Reporter
from drivers.spec import StudySpec
from drivers.table import (
    Partition,
    PixelTable,
    load,
    make_partition,
    nodata_warnings,
    table_columns,
    with_means,
)
from drivers.table.files import gridded_file
from drivers.table.read import agreed_grid

if TYPE_CHECKING:
    from drivers.table.rasters import BuiltTable
    from drivers.table.rasters.outlook import Outlook

Reporting = Callable[[int], AbstractContextManager[Reporter]]


@dataclass(frozen=True, slots=True)
class Needed:
    """The columns that a study reads.

    Attributes
    ----------
    columns : name -> where the spec asks for it
    categorical : those that hold classes
    labels : those that only tell pixels apart
    units : of those that have one
    means : variables that the table has by year only -> their columns
    """

    columns: Mapping[str, Place | None]
    categorical: Sequence[str]
    labels: frozenset[str]
    units: Mapping[str, str]
    means: Mapping[str, list[str]]


def outdated_table(study: StudySpec) -> str:
    """Why the table of a study has to be made from rasters first; empty if it is there, or no raster's."""
    if study.table.spec is None:
        return ""
    from drivers.table.rasters.outlook import outdated  # rasterio takes a second to import

    return outdated(study.table.spec)


def ready_table(study: StudySpec, reporting: Reporting) -> None:
    """Make the table of a study from its rasters where it is not there, or no longer theirs.

    Raises
    ------
    TableError
        With every fault of the rasters, or every column that the study would not find; nothing is written.
    """
    if outdated_table(study):
        build_due_table(study, reporting)


def build_due_table(study: StudySpec, reporting: Reporting) -> BuiltTable:
    """Make the table of a study from its rasters, after a look at whether it will do; as `ready_table`."""
    from drivers.table.rasters import build_table

    spec = study.table.spec
    assert spec is not None
    look_at_table(study)
    with reporting(1) as reporter:
        return build_table(spec, reporter)


def look_at_table(study: StudySpec) -> Outlook:
    """What the rasters of a study's table make, checked against what the study needs; no pixel is read.

    Raises
    ------
    TableError
        With every fault of the rasters, then with every column that the table will not have, and where
        `pixel:` contradicts its grid.
    """
    from drivers.table.rasters.outlook import look_ahead

    spec, pixel = study.table.spec, study.pixel
    assert spec is not None
    outlook = look_ahead(spec)
    grid, columns = outlook.grid, [column.name for column in outlook.columns]
    faults: list[Fault] = []
    try:
        if pixel is not None:
            file = gridded_file(spec.output, columns, grid.crs, (grid.width, grid.height))
            agreed_grid(file, pixel.crs, pixel.size, pixel.place)
    except TableError as error:
        faults += error.faults
    needed = dict(_needed(study, (spec.output.name, columns)).columns)
    for name in (pixel.easting, pixel.northing) if pixel is not None else ():
        if pixel is not None and name is not None:
            needed.setdefault(name, pixel.place)
    faults += [
        Fault(f"{spec.output.name} will have no column `{name}`", place, propose(name, columns))
        for name, place in needed.items()
        if name not in columns
    ]
    if faults:
        raise TableError(faults)
    return outlook


def load_table(study: StudySpec) -> PixelTable:
    """The columns that a study needs, checked."""
    found = _needed(study)
    pixel, source = study.pixel, study.table
    table = load(
        source.path,
        world=source.simulate or None,
        pixels=source.pixels,
        seed=study.seed if source.seed is None else source.seed,
        needed=found.columns,
        responses=[v.name for v in study.responses if v.name not in found.means],
        categorical=found.categorical,
        labels=found.labels,
        units=found.units,
        easting=pixel.easting if pixel else None,
        northing=pixel.northing if pixel else None,
        crs=pixel.crs if pixel else None,
        cell_size=pixel.size if pixel else None,
        place=source.place,
        pixel_place=pixel.place if pixel else None,
    )
    check_change(study, table)
    return with_means(table, found.means)


def _needed(study: StudySpec, header: tuple[str, Sequence[str]] | None = None) -> Needed:
    """What a study reads; `header` names the table and its columns where it is not made yet."""
    variables = [*study.drivers, *study.responses]
    needed: dict[str, Place | None] = {v.name: v.place for v in variables}
    labels: set[str] = set()
    yearly: dict[str, str] = {}
    classes = {v.name for v in variables if v.categorical}
    by_year = change_columns(study, header)
    for name, place in by_year.needed.items():
        needed.setdefault(name, place)
    for family in study.strata:
        for name in family.variables:
            if name not in needed:
                needed[name] = family.place
                labels.add(name)
    for model in study.models.values():
        files = [file for file, _ in study.documents[1:] if Path(file).stem == model.name]
        for name in (*model.labels(), *model.quantities()):
            if name not in needed:
                needed[name] = Place(files[0]) if files else None
                labels |= {name} & set(model.labels())
        for column, name in model.year_columns().items():
            needed.setdefault(column, Place(files[0]) if files else None)
            yearly[column] = name
    means = _means_of_years(study, None if header is None else header[1])
    for name in means:
        del needed[name]
    return Needed(
        needed,
        [
            *classes,
            *by_year.categorical,
            *(column for column, name in yearly.items() if name in classes),
        ],
        frozenset(labels),
        {**by_year.units, **{v.name: v.unit for v in variables if v.unit}},
        means,
    )


def _means_of_years(study: StudySpec, columns: Sequence[str] | None = None) -> dict[str, list[str]]:
    """Numeric variables of `over_years` that the table has by year only, with their columns."""
    yearly: dict[str, list[str]] = {}
    for model in study.models.values():
        for column, name in model.year_columns().items():
            if column not in yearly.setdefault(name, []):
                yearly[name].append(column)
    if not yearly or study.table.path is None:
        return {}
    if columns is None:
        columns = table_columns(study.table.path) if study.table.path.is_file() else list(yearly)
    there = set(columns)
    classes = {v.name for v in (*study.drivers, *study.responses) if v.categorical}
    return {name: columns for name, columns in yearly.items() if name not in there | classes}


def table_warnings(study: StudySpec, table: PixelTable) -> list[str]:
    """What in the table is allowed, and probably not meant."""
    means = [
        f"{study.documents[0][0]}: the table has `{name}` by year only; the mean of {', '.join(columns)} "
        "stands for it"
        for name, columns in _means_of_years(study).items()
    ]
    return [*means, *nodata_warnings(table, [v.name for v in (*study.drivers, *study.responses)])]


def study_partition(study: StudySpec, table: PixelTable) -> Partition:
    """The strata of a study, each once."""
    overs = list(dict.fromkeys(over for request in study.fits for over in request.over))
    if study.change is not None:
        overs = list(dict.fromkeys((*overs, *study.change.over)))
    responses = {v.name for v in study.responses}
    return make_partition(table, study.strata, overs, responses)
