"""What is known before the first pixel is read: the grid, every map and how it lies on the grid."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from drivers.errors import Fault, TableError
from drivers.spec.table_spec import TableSpec
from drivers.table.rasters.columns import table_columns
from drivers.table.rasters.derive import derived_years
from drivers.table.rasters.grid import RasterGrid
from drivers.table.rasters.parquet import check_target
from drivers.table.rasters.resample import Fit, fit_map
from drivers.table.rasters.series import LayerMaps, find_maps
from drivers.table.rasters.target import area_note, check_size, target_grid
from drivers.table.rasters.zones import Polygons

Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class Plan:
    """All that is known before the first pixel is read.

    Attributes
    ----------
    target : the grid
    layers : every layer's maps, by its name
    fits : how a map lies on the grid, by layer and the map's own grid
    mask, zones : polygons
    years : of layers and derived columns; empty for those without
    notes : what was left out, and other things to know
    """

    target: RasterGrid
    layers: dict[str, LayerMaps]
    fits: dict[tuple[str, RasterGrid], Fit]
    mask: Polygons | None
    zones: tuple[tuple[str, Polygons], ...]
    years: dict[str, tuple[int, ...]]
    notes: tuple[str, ...]


def make_plan(spec: TableSpec) -> Plan:
    """Open every file, check that all fits together, and say all that does not at once.

    Raises
    ------
    TableError
        With every fault of grid, rasters, vector files and output.
    """
    faults: list[Fault] = []
    target = _guarded(partial(target_grid, spec.grid), faults)
    said = {fault.message for fault in faults}
    layers: dict[str, LayerMaps] = {}
    for layer in spec.layers:
        maps = _guarded(partial(find_maps, layer, spec.grid.like, spec.grid.crs), faults)
        if maps is not None:
            layers[layer.name] = maps
    # A layer from the raster of the grid lacks what that lacks, and is mended with it.
    faults = [fault for i, fault in enumerate(faults) if not i or fault.message not in said]
    blocked = check_target(spec.output, spec.output_place)
    faults += [blocked] if blocked is not None else []
    notes = [note for maps in layers.values() for note in maps.notes]
    years = {name: maps.years for name, maps in layers.items()}
    if len(layers) == len(spec.layers):
        derived = _guarded(partial(derived_years, spec.derived, years), faults)
        if derived is not None:
            years, more = derived
            notes += more
            faults += _twice(spec, layers, years)
    if target is None:
        raise TableError(faults)
    if not faults:
        # A grid that is out of all proportion is said before the trouble that comes of it.
        faults += _too_large(spec, target, layers, years)
    fits = {} if faults else _fits(target, layers, faults)
    mask, zones = _polygons(spec, target, faults)
    if faults:
        raise TableError(faults)
    note = area_note(target)
    return Plan(target, layers, fits, mask, zones, years, (*notes, *([note] if note else [])))


def _guarded(look: Callable[[], Found], faults: list[Fault]) -> Found | None:
    try:
        return look()
    except TableError as error:
        faults.extend(error.faults)
        return None


def _fits(
    target: RasterGrid, layers: dict[str, LayerMaps], faults: list[Fault]
) -> dict[tuple[str, RasterGrid], Fit]:
    found: dict[tuple[str, RasterGrid], Fit] = {}
    for name, maps in layers.items():
        for grid, plane in {plane.grid: plane for plane in maps.planes}.items():
            fit = _guarded(partial(fit_map, maps.layer, plane, target), faults)
            if fit is not None:
                found[name, grid] = fit
    return found


def _polygons(
    spec: TableSpec, target: RasterGrid, faults: list[Fault]
) -> tuple[Polygons | None, tuple[tuple[str, Polygons], ...]]:
    grid, mask = spec.grid, None
    if grid.mask is not None:
        place = grid.place("mask")
        mask = _guarded(partial(Polygons, grid.mask, None, target, place, place), faults)
    zones = []
    for zone in grid.zones:
        read = partial(Polygons, zone.file, zone.column, target, zone.file_place, zone.column_place)
        found = _guarded(read, faults)
        zones += [(zone.name, found)] if found is not None else []
    return mask, tuple(zones)


def _too_large(
    spec: TableSpec, target: RasterGrid, layers: dict[str, LayerMaps], years: dict[str, tuple[int, ...]]
) -> list[Fault]:
    grids = [plane.grid for maps in layers.values() for plane in maps.planes]
    alike = [grid for grid in grids if grid.crs.is_geographic == target.crs.is_geographic]
    finest = min(alike, key=lambda grid: grid.width, default=None)
    large = check_size(spec.grid, target, len(table_columns(spec, layers, years)), finest)
    return [large] if large is not None else []


def _twice(spec: TableSpec, layers: dict[str, LayerMaps], years: dict[str, tuple[int, ...]]) -> list[Fault]:
    """A layer `NPP_2001` beside the year 2001 of a layer `NPP`."""
    places = {layer.name: layer.place() for layer in spec.layers}
    places |= {item.name: item.place for item in spec.derived}
    names = [column.facts.name for column in table_columns(spec, layers, years)]
    return [
        Fault(f"two columns would be called `{name}`", places.get(name), "give one of them another name")
        for name in dict.fromkeys(name for i, name in enumerate(names) if name in names[:i])
    ]
