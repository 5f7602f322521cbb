"""The columns of a table: what comes from which layer, in which type, with which facts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from drivers.errors import Place
from drivers.spec.table_derive import DerivedSpec
from drivers.spec.table_spec import TableSpec
from drivers.spec.terms import Call
from drivers.table.rasters.derive import UNITS
from drivers.table.rasters.parquet import ColumnFacts
from drivers.table.rasters.series import LayerMaps, column_names
from drivers.table.rasters.stack import Stack


@dataclass(frozen=True, slots=True)
class FixedColumn:
    """Coordinates, area, a zone."""

    facts: ColumnFacts


@dataclass(frozen=True, slots=True)
class LayerColumn:
    """A layer or a derived column, in one year where it has years.

    Attributes
    ----------
    facts : name, type, unit
    source : the layer or derived column
    year : None where it has no years
    derived, categorical : what it is
    codes : what means no data in its files
    place : where the spec defines it
    """

    facts: ColumnFacts
    source: str
    year: int | None
    derived: bool
    categorical: bool
    codes: tuple[float, ...]
    place: Place


Column = FixedColumn | LayerColumn


def table_columns(
    spec: TableSpec,
    layers: Mapping[str, LayerMaps],
    years: Mapping[str, tuple[int, ...]],
    stack: Stack | None = None,
    zone_kinds: Mapping[str, str] | None = None,
) -> list[Column]:
    """The columns in order: coordinates, area, zones, layers and derived columns as the spec has them.

    Parameters
    ----------
    spec, layers, years
        What is wanted, which maps there are, and the years of every layer and derived column.
    stack
        Knows the types; without it all are float64, as far as anyone is told.
    zone_kinds
        text or int64, by zone.
    """
    found: list[Column] = []
    metre = "m" if stack is None or not stack.target.crs.is_geographic else "degree"
    for name, unit in (("easting", metre), ("northing", metre), ("cell_area", "m2")):
        found.append(FixedColumn(ColumnFacts(name, "float64", unit, {})))
    for zone in spec.grid.zones:
        kind = (zone_kinds or {}).get(zone.name, "text")
        about = {"zones": zone.file.name, "column": zone.column}
        found.append(FixedColumn(ColumnFacts(zone.name, kind, "", about)))
    for name, maps in layers.items():
        found += _of_layer(name, maps, stack)
    for item in spec.derived:
        found += _of_derived(item, years.get(item.name, ()))
    return found


def _of_layer(name: str, maps: LayerMaps, stack: Stack | None) -> list[LayerColumn]:
    layer, kind = maps.layer, "float64" if stack is None else stack.kind(name)
    made = []
    for column, year in maps.columns:
        planes = [p for (y, _), held in maps.maps.items() if y == year for p in held]
        first = planes[0]
        codes = tuple(dict.fromkeys(code for plane in planes for code in plane.missing))
        about: dict[str, object] = {
            "layer": name,
            "source": sorted({plane.path.name for plane in planes}),
            "resample": None if stack is None else stack.resampled(name),
            "nodata": list(codes),
            "scale": first.scale,
            "offset": first.offset,
            "categorical": layer.categorical,
        }
        about |= {"series": name, "year": year} if year is not None else {}
        about |= {"aggregate": layer.aggregate} if layer.aggregate else {}
        about |= {"band": first.index} if not first.variable else {"variable": first.variable}
        facts = ColumnFacts(column, kind, maps.unit, about)
        made.append(LayerColumn(facts, name, year, False, layer.categorical, codes, layer.place("source")))
    return made


def _of_derived(item: DerivedSpec, years: tuple[int, ...]) -> list[LayerColumn]:
    call = item.expression
    unit = item.unit or (UNITS.get(call.function, "") if isinstance(call, Call) else "")
    made = []
    for column, year in column_names(item.name, years):
        about: dict[str, object] = {"formula": item.text}
        about |= {"series": item.name, "year": year} if year is not None else {}
        facts = ColumnFacts(column, "float64", unit, about)
        made.append(LayerColumn(facts, item.name, year, True, False, (), item.place))
    return made
