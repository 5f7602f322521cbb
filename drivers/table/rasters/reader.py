"""Open raster files, a few at a time, and windows of their maps."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drivers.errors import Place
from drivers.spec.table_spec import RASTER_FORMATS
from drivers.table.rasters import geotiff, netcdf
from drivers.table.rasters.planes import Plane, Raw

MOST_OPEN = 48
"""Files that are open at once: systems allow some hundred, and twenty years of months are 240."""


class Reader:
    """Reads windows of maps; closes its files when it is closed."""

    def __init__(self) -> None:
        self._open: OrderedDict[Path, Any] = OrderedDict()

    def __enter__(self) -> Reader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        while self._open:
            self._open.popitem()[1].close()

    def read(self, plane: Plane, rows: slice, columns: slice, place: Place) -> tuple[Raw, NDArray[np.bool_]]:
        """A window as it is stored, north up, and which of its numbers are values."""
        layout, (height, width) = plane.layout, plane.grid.shape
        pieces = [
            self._piece(plane, layout.rows(rows, height), part, place)
            for part in layout.columns(columns, width)
        ]
        raw = pieces[0][0] if len(pieces) == 1 else np.concatenate([piece[0] for piece in pieces], axis=1)
        mask = None
        if plane.masked:
            mask = np.concatenate([piece[1] for piece in pieces], axis=1)
        known = plane.known(raw, mask)
        return (raw[::-1], known[::-1]) if layout.upside_down else (raw, known)

    def _piece(self, plane: Plane, rows: slice, columns: slice, place: Place) -> tuple[Raw, Any]:
        format = RASTER_FORMATS[plane.path.suffix.lower()]
        if format == "geotiff":
            with geotiff.reading(plane.path, place):
                return geotiff.read_geotiff(self._file(plane.path, format), plane, rows, columns)
        with netcdf.reading(plane.path, place):
            return netcdf.read_netcdf(self._file(plane.path, format), plane, rows, columns), None

    def _file(self, path: Path, format: Any) -> Any:
        if path in self._open:
            self._open.move_to_end(path)
            return self._open[path]
        while len(self._open) >= MOST_OPEN:
            self._open.popitem(last=False)[1].close()
        held = geotiff.open_geotiff(path) if format == "geotiff" else netcdf.open_dataset(path, format)
        self._open[path] = held
        return held
