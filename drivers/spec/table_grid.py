"""The grid of a table spec: cells of a raster, or bounds and a resolution; masks and zones."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from drivers.errors import Fault, Place
from drivers.spec.places import KeyPath, Places
from drivers.spec.table_shapes import MAX_GB, GridShape

VECTOR_SUFFIXES = (".gpkg", ".shp", ".geojson", ".json", ".fgb", ".parquet", ".geoparquet")
"""Vector files that are read; none of them names further sources."""


@dataclass(frozen=True, slots=True)
class ZoneSpec:
    """Polygons that give every pixel a name."""

    name: str
    file: Path
    column: str
    file_place: Place = field(compare=False)
    column_place: Place = field(compare=False)


@dataclass(frozen=True, slots=True)
class GridSpec:
    """The cells that become pixels: those of `like`, or of `crs`, `resolution` and `bounds`."""

    like: Path | None
    crs: str | None
    resolution: tuple[float, float] | None
    """Width and height of a cell in units of the CRS."""
    bounds: tuple[float, float, float, float] | None
    """West, south, east, north."""
    mask: Path | None
    zones: tuple[ZoneSpec, ...]
    max_gb: float
    places: dict[str, Place] = field(compare=False, repr=False)
    """Key -> where its value stands; `""` for the grid itself."""

    def place(self, *keys: str) -> Place:
        """Where the first of these keys that is given stands."""
        return next((self.places[key] for key in keys if key in self.places), self.places[""])


def read_grid(grid: GridShape, places: Places, folder: Path, faults: list[Fault], *, sound: bool) -> GridSpec:
    """The grid of a document; what is wrong is added to `faults`.

    Parameters
    ----------
    grid, places
        What the document says, and where.
    folder
        What paths are relative to.
    faults
        Grows by what is wrong.
    sound
        Whether the shape of the grid was right; if not, nothing is said about what is missing.
    """
    at: KeyPath = ("grid",)
    held = {"": places.key(at)}
    for key in GridShape.model_fields:
        if getattr(grid, key) is not None and key in grid.model_fields_set:
            held[key] = places.value((*at, key))

    def fault(message: str, key: str, hint: str = "") -> None:
        faults.append(Fault(message, held.get(key, held[""]), hint))

    own = [key for key in ("crs", "resolution", "bounds") if getattr(grid, key) is not None]
    if grid.like is not None:
        for key in own:
            if key != "crs":
                fault(f"`grid` has both `like` and `{key}`", key, f"remove `{key}`, or `like`")
    elif sound:
        missing = [key for key in ("crs", "resolution", "bounds") if key not in own]
        if missing:
            said = ", ".join(f"`{key}`" for key in missing)
            hint = "write `like: RASTER`, or `crs`, `resolution` and `bounds`"
            fault(f"`grid` does not say which cells: {said} missing", "", hint)
    if grid.bounds is not None:
        west, south, east, north = grid.bounds
        if west >= east or south >= north:
            fault("`bounds` are not [west, south, east, north]", "bounds", "west < east and south < north")
    zones = []
    for name, zone in (grid.zones or {}).items():
        spots = [places.value((*at, "zones", name, key)) for key in ("file", "column")]
        zones.append(
            ZoneSpec(name, _vector(zone.file, folder, spots[0], faults), zone.column, spots[0], spots[1])
        )
    mask = None if grid.mask is None else _vector(grid.mask, folder, held["mask"], faults)
    resolution = grid.resolution if isinstance(grid.resolution, list) else [grid.resolution, grid.resolution]
    bounds = grid.bounds
    return GridSpec(
        None if grid.like is None else Path(os.path.normpath(folder / grid.like)),
        as_crs(grid.crs, held.get("crs", held[""]), faults),
        None if resolution[0] is None or resolution[1] is None else (resolution[0], resolution[1]),
        None if bounds is None else (bounds[0], bounds[1], bounds[2], bounds[3]),
        mask,
        tuple(zones),
        grid.max_gb or MAX_GB,
        held,
    )


def as_crs(given: str | int | None, place: Place, faults: list[Fault]) -> str | None:
    """A coordinate system as text that pyproj reads; a bare number is an EPSG code."""
    if given is None:
        return None
    from pyproj import CRS  # it takes a tenth of a second, and not every spec names one
    from pyproj.exceptions import CRSError

    text = f"EPSG:{given}" if isinstance(given, int) else given
    try:
        crs = CRS.from_user_input(text)
    except CRSError:
        faults.append(Fault(f"`{text}` is not a coordinate system", place, "write it as `EPSG:32651`"))
        return None
    if not (crs.is_projected or crs.is_geographic):
        faults.append(Fault(f"`{text}` has no horizontal coordinates", place, "write it as `EPSG:32651`"))
        return None
    return text


def _vector(text: str, folder: Path, place: Place, faults: list[Fault]) -> Path:
    if Path(text).suffix.lower() not in VECTOR_SUFFIXES:
        hint = "vector files are GeoPackage, Shapefile, GeoJSON, FlatGeobuf and GeoParquet"
        faults.append(Fault(f"`{text}` is no vector file that is read", place, hint))
    return Path(os.path.normpath(folder / text))
