"""The cells of a raster stack (an xarray Dataset) as rows of drivers, block by block, and back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from drivers.errors import Fault, TableError, propose

if TYPE_CHECKING:
    import xarray as xr

SOURCE = "the Dataset"
"""How messages call it."""


@dataclass(frozen=True, slots=True)
class Block:
    """Some cells of a raster.

    Attributes
    ----------
    at : where they are in an array of the raster's shape
    inside : cells with a value of at least one driver; the others lie outside the map
    frame : the drivers of the cells inside, one row each
    """

    at: tuple[Any, ...]
    inside: NDArray[np.bool_]
    frame: pd.DataFrame

    def cell(self, row: int) -> str:
        """A row of the frame as messages name it; indices count from 0."""
        starts = [part.start or 0 if isinstance(part, slice) else 0 for part in self.at]
        where = np.argwhere(self.inside)[row]
        return f"cell ({', '.join(str(start + int(i)) for start, i in zip(starts, where, strict=False))})"


class RasterCells:
    """The drivers of a Dataset, which share their dims."""

    def __init__(self, data: Any, names: Sequence[str]) -> None:
        """Check that all drivers are there, on the same dims.

        Raises
        ------
        TableError
            If the data are no Dataset, lack a variable, or have drivers of different dims.
        """
        import xarray as xr  # takes a moment, and few predictions are of rasters

        if not isinstance(data, xr.Dataset):
            message = f"a data frame, a pixel table or an xarray Dataset is needed, not {type(data).__name__}"
            hint = '`.to_dataset("band")` makes a Dataset' if isinstance(data, xr.DataArray) else ""
            raise TableError(Fault(message, hint=hint))
        known = {str(name): name for name in data.variables}  # bands may be numbers
        absent = [name for name in names if name not in known]
        if absent:
            faults = [
                Fault(f"{SOURCE} has no variable `{name}`", hint=propose(name, list(known)))
                for name in absent
            ]
            raise TableError(faults)
        self._arrays: dict[str, xr.DataArray] = {name: data[known[name]] for name in names}
        self._like = self._arrays[names[0]]
        self.dims = self._like.dims
        faults = [
            Fault(
                f"`{name}` has the dims {_said(array.dims)}, and `{names[0]}` {_said(self.dims)}",
                hint="give all drivers the same dims, for example with xarray.broadcast",
            )
            for name, array in self._arrays.items()
            if set(array.dims) != set(self.dims)
        ]
        if faults:
            raise TableError(faults)

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the raster."""
        return self._like.shape

    def blocks(self, cells: int) -> Iterator[Block]:
        """All cells, so many at a time; what is read lazily is read block by block."""
        for at in _parts(self.shape, cells):
            held = {name: _values(array.transpose(*self.dims)[at]) for name, array in self._arrays.items()}
            inside = np.zeros(next(iter(held.values())).shape, dtype=np.bool_)
            for values in held.values():
                inside |= ~np.asarray(pd.isna(values))
            yield Block(at, inside, pd.DataFrame({name: values[inside] for name, values in held.items()}))

    def array(self, values: NDArray[Any], name: str, unit: str = "") -> xr.DataArray:
        """Values of the raster's shape on its dims and coordinates."""
        import xarray as xr

        coords = {key: c for key, c in self._like.coords.items() if key != name}
        return xr.DataArray(values, coords, self.dims, name, {"units": unit} if unit else {})


def _parts(shape: tuple[int, ...], cells: int) -> Iterator[tuple[Any, ...]]:
    """Slabs across the longest dimension, of so many cells, and at least one thick."""
    if not shape:
        yield (...,)
        return
    longest = int(np.argmax(shape))
    across = int(np.prod(shape)) // max(shape[longest], 1)
    step = max(1, cells // max(across, 1))
    for start in range(0, shape[longest], step):
        stop = min(start + step, shape[longest])
        yield tuple(slice(start, stop) if i == longest else slice(None) for i in range(len(shape)))


def _values(array: xr.DataArray) -> NDArray[Any]:
    """The cells of a variable; what its `_FillValue` marks is missing."""
    values = np.asarray(array.values)
    fill = array.attrs.get("_FillValue")
    if fill is None or values.dtype.kind not in "iuf":
        return values
    return np.where(values == fill, np.nan, values)


def _said(dims: tuple[Any, ...]) -> str:
    return f"({', '.join(map(str, dims))})"
