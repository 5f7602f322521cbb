"""A layer's maps in time: which years are whole, which are missing, which are left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from drivers.errors import Fault, TableError
from drivers.spec.table_spec import LayerSpec
from drivers.table.rasters.files import DatedFile, dated, find_files
from drivers.table.rasters.geotiff import geotiff_grid, geotiff_planes
from drivers.table.rasters.netcdf import netcdf_planes
from drivers.table.rasters.planes import Plane, Step, can_hold

MONTHS = 12
DAILY = 28
"""Maps in a month from which on they are days, so that months differ."""


@dataclass(frozen=True, slots=True)
class LayerMaps:
    """Where the numbers of a layer are.

    Attributes
    ----------
    layer : as the spec has it
    maps : (year, month) -> the maps of that time, several where months hold several
    years : those that are whole; empty for a layer without years
    notes : what was left out, and other things to know
    """

    layer: LayerSpec
    maps: Mapping[Step, tuple[Plane, ...]]
    years: tuple[int, ...]
    notes: tuple[str, ...]

    @property
    def planes(self) -> list[Plane]:
        """All maps that are used."""
        kept = set(self.years)
        return [
            plane
            for step, planes in self.maps.items()
            if step[0] is None or step[0] in kept
            for plane in planes
        ]

    @property
    def unit(self) -> str:
        """By the spec, or by the file."""
        return self.planes[0].unit

    @property
    def columns(self) -> tuple[tuple[str, int | None], ...]:
        """Name and year of each column; none for months that do not become years."""
        if not self.layer.has_column:
            return ()
        return tuple(column_names(self.layer.name, self.years))


def column_names(name: str, years: Sequence[int]) -> list[tuple[str, int | None]]:
    """Columns and their years.

    >>> column_names("NPP", [2001, 2002]), column_names("DEM", [])
    ([('NPP_2001', 2001), ('NPP_2002', 2002)], [('DEM', None)])
    """
    return [(f"{name}_{year}", year) for year in years] or [(name, None)]


def find_maps(layer: LayerSpec, like: Path | None, like_crs: str | None) -> LayerMaps:
    """Open every file of a layer, read what it says of itself, and order its maps in time.

    Parameters
    ----------
    layer : as the spec has it
    like, like_crs : the raster of the grid, and the coordinate system that the spec gives it: a layer from
        the same file has the same

    Raises
    ------
    TableError
        With what is wrong in the files.
    """
    found: dict[Step, list[Plane]] = {}
    faults: list[Fault] = []
    # The time axis of a NetCDF file tells what its name does not, as of `pr_19500101-19991231.nc`.
    many = layer.time is not None and layer.format != "geotiff"
    for file in find_files(layer.source, layer.place("source"), layer.years, many=many):
        try:
            for step, plane in _planes(layer, file, like, like_crs):
                found.setdefault(step, []).append(plane)
        except TableError as error:
            faults.extend(error.faults)
    if faults:
        raise TableError(faults)
    maps = {step: tuple(planes) for step, planes in sorted(found.items(), key=lambda item: _order(item[0]))}
    notes = _idle_codes(layer, maps)
    if not layer.yearly:
        return LayerMaps(layer, maps, (), tuple(notes))
    years = _months(layer, maps, notes) if layer.monthly else _years(layer, maps, notes)
    return LayerMaps(layer, maps, years, tuple(notes))


def ranges(years: Iterable[int]) -> str:
    """Years as people write them.

    >>> ranges([2001, 2002, 2003, 2005])
    '2001-2003, 2005'
    """
    spans: list[list[int]] = []
    for year in sorted(years):
        if spans and year == spans[-1][1] + 1:
            spans[-1][1] = year
        else:
            spans.append([year, year])
    return ", ".join(str(low) if low == high else f"{low}-{high}" for low, high in spans)


def _order(step: Step) -> tuple[int, int]:
    return step[0] or 0, step[1] or 0


def _planes(
    layer: LayerSpec, file: DatedFile, like: Path | None, like_crs: str | None
) -> list[tuple[Step, Plane]]:
    same = like is not None and like_crs is not None and like.exists() and file.path.samefile(like)
    crs = layer.crs or (like_crs if same else None)
    hint = f"add it to the layer: `{layer.name}: {{source: {layer.source.name}, crs: EPSG:...}}`"
    if layer.format != "geotiff":
        return netcdf_planes(layer, file, crs, hint)
    grid, layout = geotiff_grid(file.path, crs, layer.place("crs", "source"), hint)
    return geotiff_planes(layer, file, grid, layout)


def _idle_codes(layer: LayerSpec, maps: Mapping[Step, tuple[Plane, ...]]) -> list[str]:
    """Codes for no data that no file of the layer can hold."""
    types = {plane.dtype for planes in maps.values() for plane in planes}
    stored = ", ".join(sorted(map(str, types)))
    return [
        f"`{layer.name}`: `nodata: {code:g}` can never occur, since {layer.source.name} stores {stored}"
        for code in layer.nodata
        if types and not any(can_hold(dtype, code) for dtype in types)
    ]


def _years(layer: LayerSpec, maps: Mapping[Step, tuple[Plane, ...]], notes: list[str]) -> tuple[int, ...]:
    there = [year for year, _ in maps if year is not None]
    for (year, _), planes in maps.items():
        if len(planes) > 1:
            message = f"layer `{layer.name}` has {len(planes)} maps of {year}"
            hint = "if they are months, say `time: month` and `aggregate: mean` or `sum`"
            raise TableError(Fault(message, layer.place("time", "source"), hint))
    _check_wanted(layer, there)
    gaps = set(range(there[0], there[-1] + 1)) - set(there) if there else set()
    # Land use every five years has gaps by design; a hole in an unbroken row has not.
    if gaps and len(gaps) < len(there) and layer.years is None:
        notes.append(f"`{layer.name}` has no map of {ranges(gaps)}; there are {ranges(there)}")
    return tuple(there)


def _check_wanted(layer: LayerSpec, there: Iterable[int]) -> None:
    present = list(there)
    missing = [year for year in layer.years or () if year not in present]
    if missing or not present:
        message = f"layer `{layer.name}` has no map of {ranges(missing) if missing else 'any year'}"
        hint = f"there are {ranges(present)}" if present else ""
        years = layer.years or ()
        if len(years) > 2 and present[:1] == [years[0]] and present[-1] == years[-1]:
            step = years[-1] - years[0]
            alone = f"{{from: {years[0]}, to: {years[-1]}, step: {step}}}"
            hint += f"; for the first and the last alone write {alone}"
        raise TableError(Fault(message, layer.place("years", "source"), hint))


def _months(layer: LayerSpec, maps: Mapping[Step, tuple[Plane, ...]], notes: list[str]) -> tuple[int, ...]:
    counts = {(year, month): len(planes) for (year, month), planes in maps.items() if year and month}
    if not counts:
        _check_wanted(layer, [])
    each = Counter(counts.values()).most_common(1)[0][0]
    if each > 1 and layer.aggregate is None:
        message = f"layer `{layer.name}` has {each} maps in a month, and nothing says how they become one"
        hint = f"add `aggregate: mean` or `aggregate: sum` to the layer `{layer.name}`"
        raise TableError(Fault(message, layer.place("time", "source"), hint))
    present = sorted({year for year, _ in counts})
    months = range(1, MONTHS + 1)
    whole = [year for year in present if all(_full(counts.get((year, m), 0), each) for m in months)]
    partial = [year for year in present if year not in whole]
    inner = [year for year in partial if whole and whole[0] < year < whole[-1]]
    faulty = partial if layer.years is not None else inner
    if faulty or not whole:
        lacking = [
            dated(year, month)
            for year in (faulty or present)
            for month in months
            if not _full(counts.get((year, month), 0), each)
        ]
        more = f" and {len(lacking) - MONTHS} more months" if len(lacking) > MONTHS else ""
        message = f"layer `{layer.name}` has no map of {', '.join(lacking[:MONTHS])}{more}"
        hint = f"whole years: {ranges(whole)}" if whole else "no year is whole"
        raise TableError(Fault(message, layer.place("years", "source"), hint))
    for year in partial:
        held = sum(count for (y, _), count in counts.items() if y == year)
        lacks = f"only {held} of its {each * MONTHS} maps are there"
        notes.append(f"`{layer.name}`: {year} is left out, since {lacks}")
    _check_wanted(layer, whole)
    gaps = set(range(whole[0], whole[-1] + 1)) - set(whole)
    if gaps:
        notes.append(f"`{layer.name}` has no map of {ranges(gaps)}; there are {ranges(whole)}")
    return tuple(whole)


def _full(count: int, each: int) -> bool:
    return count >= DAILY if each >= DAILY else count == each
