"""All layers on one grid, read some rows at a time: by year, and by month where respiration needs it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from drivers.table.rasters.grid import RasterGrid
from drivers.table.rasters.planes import Floats, Plane
from drivers.table.rasters.reader import Reader
from drivers.table.rasters.resample import PICKS, Fit, on_grid
from drivers.table.rasters.series import MONTHS, LayerMaps
from drivers.table.rasters.suspected import Watch


class Stack:
    """The layers of a table on its grid."""

    def __init__(
        self,
        layers: Mapping[str, LayerMaps],
        fits: Mapping[tuple[str, RasterGrid], Fit],
        target: RasterGrid,
        reader: Reader,
    ) -> None:
        self.layers = layers
        self.target = target
        self.watches = {name: Watch(classes=maps.layer.categorical) for name, maps in layers.items()}
        self._fits = fits
        self._reader = reader

    def values(self, name: str, year: int | None, start: int, stop: int) -> Floats:
        """A layer in a year (None where it has no years) on some rows, shape (stop - start, columns).

        A year of months needs all of them: one that is missing makes the year missing, in that pixel.
        """
        maps = self.layers[name]
        if not maps.layer.monthly:
            return self._plane(name, maps.maps[year, None][0], start, stop)
        total = self.month(name, year, 1, start, stop).astype(np.float64)
        for month in range(2, MONTHS + 1):
            total += self.month(name, year, month, start, stop)
        return total / MONTHS if maps.layer.aggregate == "mean" else total

    def month(self, name: str, year: int | None, month: int, start: int, stop: int) -> Floats:
        """A layer in a month; half-months and days are summed or averaged as months are."""
        maps = self.layers[name]
        planes = maps.maps[year, month]
        if len(planes) == 1:
            return self._plane(name, planes[0], start, stop)
        total = self._plane(name, planes[0], start, stop).astype(np.float64)
        for plane in planes[1:]:
            total += self._plane(name, plane, start, stop)
        return total / len(planes) if maps.layer.aggregate == "mean" else total

    def kind(self, name: str) -> str:
        """The type of a layer's columns: int32, int64, float32 or float64, the least that is exact."""
        maps = self.layers[name]
        planes = maps.planes
        if maps.layer.categorical:
            return "int32" if all(p.dtype.itemsize <= 4 and p.dtype != np.uint32 for p in planes) else "int64"
        kept = maps.layer.resample in PICKS or all(
            self._fits[name, plane.grid].offset is not None for plane in planes
        )
        if maps.layer.monthly or not kept:
            return "float64"
        if all(plane.whole for plane in planes):
            wide = any(plane.dtype.itemsize > 4 or plane.dtype == np.uint32 for plane in planes)
            return "int64" if wide else "int32"
        return "float32" if all(plane.single for plane in planes) else "float64"

    def resampled(self, name: str) -> str | None:
        """How a layer came onto the grid; None where its cells are those of the grid."""
        maps = self.layers[name]
        own = all(self._fits[name, plane.grid].offset is not None for plane in maps.planes)
        return None if own else maps.layer.resample

    def _plane(self, name: str, plane: Plane, start: int, stop: int) -> Floats:
        layer, fit = self.layers[name].layer, self._fits[name, plane.grid]
        return on_grid(self._reader, layer, plane, fit, self.target, start, stop, self.watches[name])
