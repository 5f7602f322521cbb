"""Masks and zones: polygons burnt into the grid; a cell belongs to the polygon that holds its centre."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.features import rasterize

from drivers.errors import Fault, Place, TableError, propose
from drivers.spec.places import shown
from drivers.table.rasters.grid import RasterGrid

_MAGIC: dict[str, tuple[bytes, ...]] = {
    ".gpkg": (b"SQLite format 3\0",),
    ".shp": (b"\x00\x00\x27\x0a",),
    ".geojson": (b"{",),
    ".json": (b"{",),
    ".fgb": (b"fgb",),
    ".parquet": (b"PAR1",),
    ".geoparquet": (b"PAR1",),
}
"""How a file of each kind begins: a text that names other sources under such a name is not opened."""

_POLYGONS = ("Polygon", "MultiPolygon")


class Polygons:
    """Polygons in the coordinates of the grid, each with the value of its column."""

    def __init__(self, path: Path, column: str | None, target: RasterGrid, place: Place, at: Place) -> None:
        """Read the file.

        Parameters
        ----------
        path : a vector file
        column : whose values name the polygons; None for a mask
        target : the grid
        place, at : where the spec names the file and the column

        Raises
        ------
        TableError
            If the file cannot be read, has no such column, no polygons, or lies elsewhere.
        """
        frame = _read(path, column, place, at)
        if frame.crs is None:
            message = f"{shown(path)} does not say its coordinate system"
            raise TableError(Fault(message, place, "give it one with `ogr2ogr -a_srs EPSG:...`"))
        frame = frame[frame.geometry.notna() & ~frame.geometry.is_empty]
        kinds = set(frame.geometry.geom_type)
        if not kinds or not kinds <= set(_POLYGONS):
            message = (
                f"{shown(path)} holds {', '.join(sorted(kinds - set(_POLYGONS))) or 'nothing'}, not polygons"
            )
            raise TableError(Fault(message, place))
        if column is not None:
            frame = frame[frame[column].notna()]
        frame = frame.to_crs(target.crs)
        self._shapes: list[Any] = list(frame.geometry)
        self._bounds: NDArray[np.float64] = frame.geometry.bounds.to_numpy(dtype=np.float64)
        west, south, east, north = target.bounds
        box = self._bounds
        near = (box[:, 0] < east) & (box[:, 2] > west) & (box[:, 1] < north) & (box[:, 3] > south)
        if not near.any():
            raise TableError(Fault(f"{shown(path)} does not overlap the grid", place))
        self.values: list[object] = [] if column is None else [_plain(v) for v in frame[column]]
        self._target = target

    @property
    def kind(self) -> str:
        """Whether the values are whole numbers or text."""
        return "int64" if all(isinstance(value, int) for value in self.values) else "text"

    def burn(self, start: int, stop: int) -> NDArray[np.int32]:
        """The number of the polygon of each cell of some rows, -1 outside; of several the last."""
        target = self._target
        shape = (stop - start, target.columns)
        top, bottom = target.north - start * target.height, target.north - stop * target.height
        near = np.flatnonzero((self._bounds[:, 1] < top) & (self._bounds[:, 3] > bottom))
        if not len(near):
            return np.full(shape, -1, dtype=np.int32)
        burnt = rasterize(
            ((self._shapes[i], int(i) + 1) for i in near),
            out_shape=shape,
            transform=target.window(start, 0),
            fill=0,
            dtype="int32",
        )
        return np.asarray(burnt - 1, dtype=np.int32)


def _plain(value: object) -> object:
    """Text, or a whole number."""
    if isinstance(value, (float, np.floating)) and float(value).is_integer():
        return int(value)
    return int(value) if isinstance(value, (int, np.integer)) else str(value)


def _read(path: Path, column: str | None, place: Place, at: Place) -> Any:
    if not path.is_file():
        raise TableError(Fault(f"there is no file {shown(path)}", place))
    with path.open("rb") as stream:
        head = stream.read(64).removeprefix(b"\xef\xbb\xbf").lstrip(b" \t\r\n")
    begins = _MAGIC.get(path.suffix.lower(), ())
    if not head.startswith(begins):
        message = f"{shown(path)} is not what its name says: it does not begin as a {path.suffix} file"
        raise TableError(Fault(message, place))
    import geopandas  # heavy, and most grids have neither mask nor zones

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # several layers: the first counts
            if begins == (b"PAR1",):
                frame = geopandas.read_parquet(path)
            else:
                frame = geopandas.read_file(path.absolute(), engine="pyogrio")
    except Exception as error:  # GDAL, pyogrio, shapely and pyarrow each throw their own
        said = " ".join(str(error).split())
        raise TableError(Fault(f"{shown(path)} cannot be read: {said}", place)) from None
    if not isinstance(frame, geopandas.GeoDataFrame):
        raise TableError(Fault(f"{shown(path)} holds no geometry", place))
    known = [str(name) for name in frame.columns if name != frame.geometry.name]
    if column is not None and column not in known:
        raise TableError(Fault(f"{shown(path)} has no column `{column}`", at, propose(column, known)))
    return frame
