"""Pixels on a regular grid: which cell each pixel is in, so that sums over pairs of pixels become FFTs."""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

Array = NDArray[np.float64]

EARTH_RADIUS = 6371.0088
"""Mean radius of the Earth in km (IUGG; Moritz 2000, doi:10.1007/s001900050278)."""

OFF_GRID = 0.02
"""A coordinate may miss its grid line by this share of a cell: single-precision degrees at 1 km miss by
0.001, coordinates rounded to a hundredth of a cell by 0.005, and random points fail at the first few."""

JUMP = 10.0
"""Differences of neighbouring coordinates that grow by this factor may separate float noise from the step."""

FINER = 6
"""The step may be a fraction of the smallest difference, down to a sixth: columns 0, 2, 5 lie one apart."""

SPARSEST = 200
"""Most cells per pixel of a grid that is kept as it is. Scattered points written with four decimals lie on a
grid too, of 1e5 cells per point: that one says how they were written, not how they were sampled."""

SMALL_GRID = 65_536
"""A grid of no more cells is kept whatever its share of pixels: an FFT of it costs a millisecond."""

NEIGHBOUR = 4
"""Scattered points: a cell is the median distance to the fourth nearest point, which is 1.0 spacing on a
square grid and 1.09 / √density for points at random; so about one point per cell either way, and cells
follow the density where the points are, not the empty land between clusters."""

SHORT_GAP = 100
"""Empty lines that are never narrowed: a grid of a few pixels may be as wide."""

PROBES = 20_000
"""Points whose neighbours are looked up for that median; more do not change its second digit."""


WORKERS = min(2, os.cpu_count() or 1)
"""Threads of an FFT. Lines are transformed one by one, so the numbers do not depend on it."""

SMALL = 65_536
"""Grids of fewer cells are transformed by one thread: starting a second costs more than it saves."""


@dataclass(frozen=True, slots=True, eq=False)
class Lattice:
    """Pixels on a regular grid: the cell of each one, and the size of a cell.

    Attributes
    ----------
    row, column : cell of each pixel, counted from the lowest northing and easting, shape (n,)
    shape : rows and columns of the smallest grid that holds all pixels
    height, width : of a cell, in units of the coordinates (km for longitude and latitude)
    exact : False when pixels were put into the nearest cell (scattered points, or a grid made coarser)
    """

    row: NDArray[np.intp]
    column: NDArray[np.intp]
    shape: tuple[int, int]
    height: float
    width: float
    exact: bool

    def __len__(self) -> int:
        return len(self.row)

    @property
    def cell(self) -> NDArray[np.intp]:
        """Number of each pixel's cell in row order, shape (n,)."""
        return self.row * self.shape[1] + self.column


def workers(size: int) -> int:
    """Threads for an FFT of `size` cells."""
    return WORKERS if size > SMALL else 1


def flat_coordinates(easting: Array, northing: Array, *, geographic: bool = False) -> tuple[Array, Array]:
    """Coordinates on a plane, shape (n,) each; longitude and latitude in degrees become km.

    Longitudes are shrunk by the cosine of the mean latitude (equirectangular projection), which is right to
    1 % over 500 km at 40° of latitude. Pixels on both sides of the date line are kept together.

    Raises
    ------
    ValueError
        shapes differ, there is no pixel, a coordinate is not finite, or a latitude lies beyond 90°

    Examples
    --------
    >>> x, y = flat_coordinates(np.array([179.5, -179.5]), np.array([0.0, 0.0]), geographic=True)
    >>> (x - x[0]).round(1).tolist()
    [0.0, 111.2]
    """
    x, y = np.asarray(easting, dtype=np.float64), np.asarray(northing, dtype=np.float64)
    if x.ndim != 1 or x.shape != y.shape or not len(x):
        raise ValueError(f"easting {x.shape} and northing {y.shape} must be (n,) each, with n >= 1")
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise ValueError("a coordinate is NaN or infinite: drop these pixels first")
    if not geographic:
        return x, y
    if np.abs(y).max() > 90.0:
        raise ValueError(f"latitude {y[np.abs(y).argmax()]:g} lies beyond 90 degrees")
    eastwards = np.where(x < 0.0, x + 360.0, x)
    if np.ptp(eastwards) < np.ptp(x):
        x = eastwards
    degree = np.deg2rad(EARTH_RADIUS)
    return x * (degree * np.cos(np.deg2rad(y.mean()))), y * degree


def make_lattice(
    easting: Array,
    northing: Array,
    *,
    geographic: bool = False,
    cell_size: float | None = None,
    most_cells: int = 1_000_000,
) -> Lattice:
    """The grid that the pixels lie on, or a grid fine enough for scattered points.

    Parameters
    ----------
    easting, northing : coordinates, shape (n,); longitude and latitude in degrees if `geographic`
    cell_size : side of a square cell in units of the coordinates (km if `geographic`); None finds it
    most_cells : a larger grid is made coarser, several pixels sharing a cell

    Raises
    ------
    ValueError
        coordinates are not (n,) finite numbers, or `cell_size` or `most_cells` is not positive

    Notes
    -----
    The step of each axis is found from the differences of its distinct coordinates, so order, gaps and
    missing rows do not matter. Where there is none (see `OFF_GRID`, `SPARSEST`), the cell is the median
    distance to the fourth nearest point. Empty land wider than all the land with pixels is narrowed to that:
    a stray coordinate then costs nothing, and islands seem nearer than they are, which errs on the safe side.

    Examples
    --------
    >>> grid = make_lattice(np.array([30.0, 10.0, 10.0]), np.array([0.5, 0.5, 2.0]))
    >>> grid.shape, grid.height, grid.width, grid.column.tolist(), grid.exact
    ((2, 2), 1.5, 20.0, [1, 0, 0], True)
    """
    if cell_size is not None and not cell_size > 0.0:
        raise ValueError(f"cell_size must be positive, not {cell_size:g}")
    if most_cells < 1:
        raise ValueError(f"most_cells must be at least 1, not {most_cells}")
    x, y = flat_coordinates(easting, northing, geographic=geographic)
    distinct = _distinct(x), _distinct(y)
    if cell_size is not None:
        steps = (cell_size, cell_size)
        exact = on_grid(distinct[0], cell_size) and on_grid(distinct[1], cell_size)
    else:
        steps, exact = find_steps(*distinct)
        room = max(SMALL_GRID, SPARSEST * len(x))
        closed = [close_gaps(v, step, v) for v, step in zip(distinct, steps, strict=True)]
        if not exact or cells(closed[0], closed[1], *steps) > room:
            size = scattered_cell(x, y)
            steps, exact = (size, size), False
    width, height = steps
    x, y = close_gaps(x, width, distinct[0]), close_gaps(y, height, distinct[1])
    times = 1
    while cells(x, y, width * times, height * times) > most_cells:
        # Whole multiples keep the number of pixels per cell even on a regular grid.
        times = max(times + 1, int(times * np.sqrt(cells(x, y, width * times, height * times) / most_cells)))
    width, height = width * times, height * times
    column, row = (place(v, s / times, times, exact) for v, s in ((x, width), (y, height)))
    shape = (int(row.max()) + 1, int(column.max()) + 1)
    return Lattice(row, column, shape, float(height), float(width), exact and times == 1)


def close_gaps(values: Array, step: float, distinct: Array) -> Array:
    """Coordinates whose empty stretches are no longer than all stretches with pixels together, shape (n,).

    Nor shorter than `SHORT_GAP` steps, where they were longer. `distinct` are those that occur, ascending.

    Examples
    --------
    >>> values = np.array([0.0, 1.0, 2.0, 1e6])
    >>> close_gaps(values, 1.0, values).tolist()
    [0.0, 1.0, 2.0, 102.0]
    """
    lines = np.unique(np.rint((distinct - distinct[0]) / step))
    excess = np.maximum(np.diff(lines) - max(len(lines) + 1, SHORT_GAP), 0.0) * step
    if not excess.any():
        return values
    line = np.searchsorted(lines, np.rint((values - distinct[0]) / step))
    return np.asarray(values - np.concatenate([[0.0], np.cumsum(excess)])[line])


def place(values: Array, step: float, times: int, exact: bool) -> NDArray[np.intp]:
    """Cell along one axis, shape (n,): `times` grid lines to a cell; between lines where there is no grid."""
    lines = values - values.min()
    lines /= step
    # Cells of points off the lines begin at a line, so that a coarser grid has equally many in each.
    line = (np.rint(lines, out=lines) if exact else np.floor(lines + OFF_GRID)).astype(np.intp)
    return line if times == 1 else np.asarray(line // times, dtype=np.intp)


def _distinct(values: Array) -> Array:
    """The values that occur, ascending; one of those that follow each other is looked at."""
    return np.unique(values[np.concatenate([[True], values[1:] != values[:-1]])])


def cells(x: Array, y: Array, width: float, height: float) -> float:
    """How many cells a grid over all pixels has."""
    return float((np.ptp(x) // width + 1.0) * (np.ptp(y) // height + 1.0))


def find_steps(x: Array, y: Array) -> tuple[tuple[float, float], bool]:
    """Steps of the two axes, and whether the coordinates lie on them; a line takes its only step twice."""
    width, height = find_step(np.unique(x)), find_step(np.unique(y))
    if width is None or height is None:
        return (1.0, 1.0), False
    either = max(width, height) or 1.0
    return (width or either, height or either), True


def find_step(distinct: Array) -> float | None:
    """Step of one axis from its distinct sorted coordinates, 0.0 for a single one, None without a step.

    Coordinates may carry noise, so the smallest difference need not be the step: every difference after a
    jump in their sizes is tried, and fractions of it, until all coordinates lie on the lines.
    """
    scale = float(np.abs(distinct).max())
    differences = np.diff(distinct)
    # Differences below the resolution of the numbers are noise at any rate.
    differences = np.sort(differences[differences > 16.0 * np.finfo(np.float64).eps * scale])
    if not len(differences):
        return 0.0
    jumps = np.flatnonzero(differences[1:] > JUMP * differences[:-1]) + 1
    for start in (0, *jumps):
        smallest = differences[start]
        for parts in range(1, FINER + 1):
            step = refine(distinct, smallest / parts)
            if on_grid(distinct, step):
                return step
    return None


def refine(distinct: Array, step: float) -> float:
    """The step that fits all coordinates best: a difference of two neighbours has lost digits."""
    offsets = distinct - distinct[0]
    for reach in np.geomspace(8.0 * step, max(offsets[-1], 8.0 * step), 4):
        near = offsets[offsets <= reach]
        lines = np.rint(near / step)
        if lines[-1] > 0:
            step = float((lines @ near) / (lines @ lines))
    return step


def on_grid(distinct: Array, step: float) -> bool:
    """Whether every coordinate lies on a line within `OFF_GRID` of a step."""
    lines = (distinct - distinct[0]) / step
    # The first coordinate has noise of its own, so lines are counted from the average offset.
    miss = lines - np.rint(lines)
    return bool(np.abs(miss - miss.mean()).max() <= OFF_GRID)


def scattered_cell(x: Array, y: Array) -> float:
    """Side of a cell for scattered points: about one point per cell where the points are."""
    points = np.unique(np.column_stack([x, y]), axis=0)
    if len(points) == 1:
        return 1.0
    probes = points[:: max(len(points) // PROBES, 1)]
    nearest, _ = cKDTree(points).query(probes, k=[min(NEIGHBOUR + 1, len(points))])
    return float(np.median(nearest))
