"""From a file, a data frame or a simulated world to a `PixelTable`, checked against what a study needs."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from drivers.errors import Fault, Place, TableError
from drivers.table.columns import Kind, Role, Row, faults_of, holds_classes, plain, row_number
from drivers.table.files import EASTING, NORTHING, TableFile, open_table, read_columns
from drivers.table.pixels import PixelTable, missing_column

SAME_SIDE = 1e-6
"""Share of a cell's side by which sides that are the same may differ in print."""


def load(
    path: str | Path | None = None,
    *,
    world: str | None = None,
    pixels: int | None = None,
    seed: int = 0,
    needed: Mapping[str, Place | None],
    responses: Collection[str] = (),
    categorical: Collection[str] = (),
    labels: Collection[str] = (),
    units: Mapping[str, str] | None = None,
    easting: str | None = None,
    northing: str | None = None,
    crs: str | None = None,
    cell_size: float | None = None,
    place: Place | None = None,
    pixel_place: Place | None = None,
) -> PixelTable:
    """The table of a study: the columns it needs, read once and checked, with all faults at once.

    Parameters
    ----------
    path : str or Path, optional
        A table file; or
    world, pixels, seed : str, int, int
        a simulated world of about so many pixels.
    needed : mapping of str to Place
        Every column that any model, stratum or change method uses, and where the spec asks for it.
    responses, categorical : collection of str
        Which of them are responses, and which are declared categorical.
    labels : collection of str
        Columns that only tell pixels apart (strata, groups of a random intercept): text or numbers.
    units : mapping of str to str
        The unit of each column that has one.
    easting, northing, crs, cell_size
        The `pixel:` part of a spec. What it does not say, a GeoParquet file or one of `drivers table` does.
    place, pixel_place : Place, optional
        Where the spec names the table, and where it says where the pixels lie.

    Returns
    -------
    PixelTable
        Holding the needed columns and the coordinates only.
    """
    roles = {
        name: Role(
            name, where, name in responses, name in (easting, northing), name in categorical, name in labels
        )
        for name, where in needed.items()
    }
    for name in (easting, northing):
        if name is not None:
            roles.setdefault(name, Role(name, place, coordinate=True))
    described = PixelTable(
        pd.DataFrame(), "", dict(units or {}), easting, northing, crs, cell_size, frozenset(categorical)
    )
    if path is not None:
        return _from_file(open_table(path, place), roles, described, place, pixel_place=pixel_place)
    if world is None:
        raise TypeError("load needs a path or a world")
    from drivers.simulate import simulate  # only the simulated studies need it

    try:
        made = simulate(world, pixels=pixels, seed=seed) if pixels is not None else simulate(world, seed=seed)
    except TableError as error:
        raise TableError([replace(fault, place=fault.place or place) for fault in error.faults]) from None
    described = replace(described, simulated=made.note, planted=made.planted)
    return _from_frame(made.frame, roles, replace(described, source=f"the simulated world `{world}`"))


def read_table(
    path: str | Path,
    *,
    columns: Sequence[str] | None = None,
    categorical: Collection[str] | None = None,
    units: Mapping[str, str] | None = None,
    easting: str | None = None,
    northing: str | None = None,
    crs: str | None = None,
    cell_size: float | None = None,
) -> PixelTable:
    """Read a table file: CSV, Parquet, GeoParquet or Feather.

    Parameters
    ----------
    path : str or Path
        The file; the end of its name says the format.
    columns : sequence of str, optional
        The columns to read and to check. By default all are read, and each is checked when it is used.
    categorical : collection of str, optional
        The columns that hold classes. By default every column of text.
    units, easting, northing, crs, cell_size
        What the table itself does not say.

    Returns
    -------
    PixelTable

    Raises
    ------
    TableError
        With every fault of the table.
    """
    table = open_table(path)
    described = PixelTable(
        pd.DataFrame(), "", dict(units or {}), easting, northing, crs, cell_size, frozenset(categorical or ())
    )
    roles = _roles(columns, categorical, easting, northing)
    kept = table.columns if columns is None else ()
    return _from_file(table, roles, described, None, kept, categorical is None)


def pixel_table_from_frame(
    frame: pd.DataFrame,
    *,
    columns: Sequence[str] | None = None,
    categorical: Collection[str] | None = None,
    units: Mapping[str, str] | None = None,
    easting: str | None = None,
    northing: str | None = None,
    crs: str | None = None,
    cell_size: float | None = None,
) -> PixelTable:
    """A data frame as a pixel table; parameters as in `read_table`.

    >>> frame = pd.DataFrame({"NEP": [1.5, -0.5, 2.0], "zone": ["wet", "dry", "wet"]})
    >>> table = pixel_table_from_frame(frame)
    >>> table.levels("zone"), table.codes("zone").tolist(), sorted(table.categorical)
    (('dry', 'wet'), [1, 0, 1], ['zone'])
    """
    described = PixelTable(
        pd.DataFrame(),
        "the data frame",
        dict(units or {}),
        easting,
        northing,
        crs,
        cell_size,
        frozenset(categorical or ()),
    )
    kept = [str(name) for name in frame.columns] if columns is None else ()
    roles = _roles(columns, categorical, easting, northing)
    return _from_frame(frame, roles, described, kept, categorical is None)


def _roles(
    columns: Sequence[str] | None,
    categorical: Collection[str] | None,
    easting: str | None,
    northing: str | None,
) -> dict[str, Role]:
    classes = list(categorical or ())
    coordinates = [name for name in (easting, northing) if name is not None]
    names = dict.fromkeys([*(columns or ()), *classes, *coordinates])
    return {name: Role(name, None, False, name in coordinates, name in classes) for name in names}


def _from_file(
    table: TableFile,
    roles: dict[str, Role],
    described: PixelTable,
    place: Place | None,
    kept: Sequence[str] = (),
    find_classes: bool = False,
    pixel_place: Place | None = None,
) -> PixelTable:
    from_geometry = False
    agreed, side = agreed_grid(table, described.crs, described.cell_size, pixel_place or place)
    described = replace(described, crs=agreed, cell_size=side)
    unplaced = described.easting is None and described.northing is None
    if table.gridded and unplaced and {EASTING, NORTHING} <= set(table.columns):
        described = replace(described, easting=EASTING, northing=NORTHING)
        for name in (EASTING, NORTHING):
            roles[name] = replace(roles.get(name, Role(name, place)), coordinate=True)
    if table.geometry is not None and described.easting is None and described.northing is None:
        there = {EASTING, NORTHING} & set(table.columns)
        from_geometry = not there
        if len(there) != 1:
            described = replace(described, easting=EASTING, northing=NORTHING)
            for name in (EASTING, NORTHING):
                roles[name] = replace(roles.get(name, Role(name, place)), coordinate=True)
    known = set(table.columns)
    names = [name for name in dict.fromkeys([*kept, *roles]) if name in known]
    if not names and not from_geometry:
        raise TableError(_absent(roles, table.path.name, table.columns))
    contents = read_columns(table, names, place, from_geometry)
    described = replace(described, source=table.path.name, sha256=contents.sha256)
    return _checked(contents.frame, roles, described, table.columns, table.row, find_classes)


def _from_frame(
    frame: pd.DataFrame,
    roles: dict[str, Role],
    described: PixelTable,
    kept: Sequence[str] = (),
    find_classes: bool = False,
) -> PixelTable:
    names = [str(name) for name in frame.columns]
    repeated = [name for i, name in enumerate(names) if name in names[:i]]
    if repeated:
        raise TableError(
            [Fault(f"{described.source} has several columns `{n}`") for n in dict.fromkeys(repeated)]
        )
    if len(frame) == 0 or not names:
        raise TableError(Fault(f"{described.source} has no {'columns' if not names else 'rows'}"))
    wanted = {*kept, *roles}
    positions = [i for i, name in enumerate(names) if name in wanted]
    held = frame.iloc[:, positions].set_axis([names[i] for i in positions], axis="columns")
    held = held.reset_index(drop=True)
    checked = _checked(held, roles, described, names, row_number, find_classes)
    # Fitted values and residuals are handed back under the labels of the rows that came in.
    checked.frame.index = frame.index
    return replace(checked, sha256=_content_sha256(checked.frame))


def _checked(
    frame: pd.DataFrame,
    roles: Mapping[str, Role],
    described: PixelTable,
    known: Sequence[str],
    row: Row,
    find_classes: bool,
) -> PixelTable:
    """The table, once every column is in plain form and fits its role."""
    held: dict[str, pd.Series] = {}
    kinds: dict[str, Kind] = {}
    classes = set(described.categorical)
    for name in map(str, frame.columns):
        held[name], kinds[name] = plain(frame[name])
        declares_itself = isinstance(frame[name].dtype, pd.CategoricalDtype)
        if find_classes and kinds[name] == "text" and (declares_itself or holds_classes(held[name])):
            classes.add(name)
    faults = _absent(
        {name: role for name, role in roles.items() if name not in held}, described.source, known
    )
    for name, role in roles.items():
        if name in held:
            whole = replace(role, categorical=role.categorical or (name in classes and not role.coordinate))
            faults += faults_of(held[name], kinds[name], whole, described.source, row)
    if faults:
        raise TableError(faults)
    return replace(
        described,
        frame=pd.DataFrame(held, copy=False),
        categorical=frozenset(classes),
        missing={name: int(column.isna().sum()) for name, column in held.items()},
    )


def _absent(roles: Mapping[str, Role], source: str, known: Sequence[str]) -> list[Fault]:
    return [replace(missing_column(name, source, known), place=role.place) for name, role in roles.items()]


def agreed_grid(
    table: TableFile, crs: str | None, size: float | None, place: Place | None
) -> tuple[str | None, float | None]:
    """The CRS and the side of a cell of a table, of what a spec and the file say.

    Raises
    ------
    TableError
        Where they contradict each other, or the spec names no CRS.
    """
    faults: list[Fault] = []
    agreed = _agreed_crs(table, crs, place, faults), _agreed_size(table, size, place, faults)
    if faults:
        raise TableError(faults)
    return agreed


def _agreed_crs(table: TableFile, named: str | None, place: Place | None, faults: list[Fault]) -> str | None:
    """The CRS that the spec names, which may not contradict the file's."""
    if named is None:
        return table.crs
    import pyproj  # takes a moment, and only a table with a CRS needs it

    from drivers.table.crs import crs_label, same_crs

    try:
        wanted = pyproj.CRS.from_user_input(named)
    except pyproj.exceptions.CRSError:
        faults.append(Fault(f"`{named}` is not a known CRS", place, "write it as EPSG:32651"))
        return None
    held = pyproj.CRS.from_user_input(table.crs) if table.crs is not None else wanted
    if not same_crs(wanted, held):
        message = f"{table.path.name} has its coordinates in {crs_label(held)}, not in {named}"
        faults.append(Fault(message, place, "leave `crs:` out"))
    return named


def _agreed_size(
    table: TableFile, given: float | None, place: Place | None, faults: list[Fault]
) -> float | None:
    """The side of a cell, which may not contradict the grid that the file was made on.

    Cells that are not square have none: they are found from the coordinates, their areas from `cell_area`.
    """
    if table.cell is None:
        return given
    width, height = table.cell
    if given is None:
        return width if abs(width - height) <= SAME_SIDE * width else None
    if max(abs(given - width), abs(given - height)) > SAME_SIDE * given:
        message = f"the cells of {table.path.name} are {width:.10g} by {height:.10g}, not {given:.10g}"
        faults.append(Fault(message, place, "leave `size:` out"))
    return given


def _content_sha256(frame: pd.DataFrame) -> str:
    """Of names, types and values, whatever the frame's memory looks like."""
    digest = hashlib.sha256()
    for name in frame.columns:
        column = frame[name]
        digest.update(f"{name}\0{column.dtype}\0".encode())
        if isinstance(column.dtype, pd.CategoricalDtype):
            digest.update("\0".join(map(str, column.cat.categories)).encode())
            digest.update(np.ascontiguousarray(column.cat.codes, dtype=np.int32).tobytes())
        elif isinstance(column.dtype, np.dtype) and column.dtype.kind in "biuf":
            digest.update(np.ascontiguousarray(column.to_numpy()).data)
        else:  # dates, lists and the like: carried along, and refused where a study needs them
            digest.update("\0".join(map(repr, column)).encode())
    return digest.hexdigest()
