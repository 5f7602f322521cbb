"""Slope and aspect of a grid of elevations, after Horn 1981, doi:10.1109/PROC.1981.11918."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
Floats = NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class Terrain:
    """Slope and aspect of a grid, each of shape (rows, columns).

    Attributes
    ----------
    slope : degrees, 0 to 90; NaN on the border of the grid and beside a missing cell
    aspect : direction that the slope faces (downhill), degrees clockwise from north, 0 to 360; NaN where the
        slope is NaN or exactly 0
    """

    slope: Array
    aspect: Array


def slope_and_aspect(elevation: Floats, width: ArrayLike, height: ArrayLike) -> Terrain:
    """Slope and aspect of every cell from its eight neighbours.

    Parameters
    ----------
    elevation : shape (rows, columns), rows from north to south, columns from west to east; NaN where missing
    width, height : of a cell, in the units of the elevation; a number, or one per row, shape (rows,), as on a
        geographic grid, whose cells narrow towards the poles

    Raises
    ------
    ValueError
        a grid that is not two-dimensional, or cells whose sides are not positive

    Notes
    -----
    With rows abc, def, ghi around e: east = [(c + 2f + i) - (a + 2d + g)] / (8 width),
    north = [(a + 2b + c) - (g + 2h + i)] / (8 height); slope = atan √(east² + north²),
    aspect = atan2(-east, -north), clockwise from north. A cell with a missing neighbour has neither, as in
    `gdaldem` without `-compute_edges`.

    Examples
    --------
    >>> tilted = np.add.outer([0.0, 10.0, 20.0], [0.0, 0.0, 0.0])    # rises to the south, so faces north
    >>> found = slope_and_aspect(tilted, 30.0, 10.0)
    >>> round(found.slope[1, 1], 9), found.aspect[1, 1], found.slope[0, 0]
    (np.float64(45.0), np.float64(0.0), np.float64(nan))
    """
    z = np.asarray(elevation, dtype=np.float64)
    if z.ndim != 2:
        raise ValueError(f"elevation has shape {z.shape}; need (rows, columns)")
    across, down = (_sides(side, name, len(z)) for side, name in ((width, "width"), (height, "height")))
    slope, aspect = np.full(z.shape, np.nan), np.full(z.shape, np.nan)
    if min(z.shape) < 3:
        return Terrain(slope, aspect)
    by_row = z[:-2] + 2.0 * z[1:-1] + z[2:]
    by_column = z[:, :-2] + 2.0 * z[:, 1:-1] + z[:, 2:]
    east = (by_row[:, 2:] - by_row[:, :-2]) / (8.0 * across[1:-1, None])
    north = (by_column[:-2] - by_column[2:]) / (8.0 * down[1:-1, None])
    # The middle cell is in neither difference, but where it is missing there is nothing to describe.
    steep = np.where(np.isnan(z[1:-1, 1:-1]), np.nan, np.hypot(east, north))
    slope[1:-1, 1:-1] = np.degrees(np.arctan(steep))
    # A full turn less a hair is rounded to 360 by the remainder; that is north.
    faces = np.degrees(np.arctan2(-east, -north)) % 360.0
    aspect[1:-1, 1:-1] = np.where(steep > 0, np.where(faces == 360.0, 0.0, faces), np.nan)
    return Terrain(slope, aspect)


def northness(aspect: Array) -> Array:
    """Cosine of the aspect: 1 faces north, -1 south, 0 east or west; NaN stays NaN, flat cells included.

    An aspect cannot enter a linear equation itself, since 359 and 1 degrees are the same direction.

    Examples
    --------
    >>> northness(np.array([0.0, 60.0, 180.0, 270.0])).round(12).tolist()
    [1.0, 0.5, -1.0, -0.0]
    """
    return np.asarray(np.cos(np.radians(aspect)))


def _sides(side: ArrayLike, name: str, rows: int) -> Array:
    """A side of the cells of every row, shape (rows,)."""
    found = np.asarray(side, dtype=np.float64)
    if found.shape not in ((), (rows,)):
        raise ValueError(f"{name} has shape {found.shape}; need one number, or one for each of {rows} rows")
    if not (np.isfinite(found).all() and (found > 0).all()):
        raise ValueError(f"{name} of a cell must be positive")
    return np.broadcast_to(found, (rows,))
