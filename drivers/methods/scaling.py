"""Pixels put together into larger cells: what a sample looks like at a coarser scale."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from drivers.errors import FitError
from drivers.methods.driver_sample import DriverSample, Levels, Numbers
from drivers.methods.positions import Positions
from drivers.stats.lattice import Lattice

Array = NDArray[np.float64]

FULLEST = 0.5
"""Share of a cell's pixels that must be there: less, and the mean stands for too little of the cell."""


def coarser(sample: DriverSample, lattice: Lattice, scale: int) -> DriverSample:
    """The sample on cells of `scale` × `scale` pixels.

    Numbers become means (weighted, where pixels have weights), classes the most frequent one (the first in
    order among equals); weights are added. A cell needs half of its pixels.

    Parameters
    ----------
    sample : the pixels of a stratum
    lattice : of the whole table
    scale : pixels along a side

    Raises
    ------
    FitError
        If no cell has enough pixels.
    """
    sample = _by_place(sample, lattice)
    rows, columns = lattice.row[sample.rows] // scale, lattice.column[sample.rows] // scale
    width = lattice.shape[1] // scale + 1
    cells, cell = np.unique(rows * width + columns, return_inverse=True)
    full = np.bincount(cell) >= FULLEST * scale**2
    if not full.any():
        raise FitError(f"no cell of {scale} × {scale} pixels has half of them in this stratum")
    place = np.where(full, np.cumsum(full) - 1, -1)
    at = place[cell]
    kept = at >= 0
    at, count = at[kept], int(full.sum())
    weights = np.ones(len(at)) if sample.weights is None else sample.weights[kept]

    def mean(values: Array) -> Array:
        found = values[kept]
        there = ~np.isnan(found)
        total = np.bincount(at[there], weights[there], count)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(np.bincount(at[there], (weights * found)[there], count) / total)

    def mode(column: Levels) -> Levels:
        found = column.codes[kept]
        there = found >= 0
        size = len(column.labels)
        seen = np.bincount(at[there] * size + found[there], weights[there], count * size).reshape(count, size)
        codes = np.where(seen.any(axis=1), seen.argmax(axis=1), -1).astype(np.int32)
        present = np.bincount(codes[codes >= 0], minlength=size) > 0
        number = np.append(np.cumsum(present) - 1, -1).astype(np.int32)
        labels = tuple(label for label, has in zip(column.labels, present, strict=True) if has)
        return replace(column, codes=number[codes], labels=labels)

    positions = sample.positions
    if positions is not None:
        size = None if positions.cell_size is None else positions.cell_size * scale
        positions = Positions(mean(positions.easting), mean(positions.northing), positions.geographic, size)
        positions = _on_grid(positions, cells[full], width)
    return DriverSample(
        rows=np.arange(count),
        response=mean(sample.response),
        drivers=tuple(
            replace(d, values=mean(d.values)) if isinstance(d, Numbers) else mode(d) for d in sample.drivers
        ),
        weights=None if sample.weights is None else np.bincount(at, weights, count).astype(np.float64),
        positions=positions,
        dropped=0,
    )


def _by_place(sample: DriverSample, lattice: Lattice) -> DriverSample:
    """The sample in the order of the map: sums, and so ties, then do not depend on the table's order."""
    order = np.argsort(lattice.cell[sample.rows], kind="stable")
    at = sample.positions
    if at is not None:
        at = replace(at, easting=at.easting[order], northing=at.northing[order])
    return DriverSample(
        rows=sample.rows[order],
        response=sample.response[order],
        drivers=tuple(
            replace(d, values=d.values[order]) if isinstance(d, Numbers) else replace(d, codes=d.codes[order])
            for d in sample.drivers
        ),
        weights=None if sample.weights is None else sample.weights[order],
        positions=at,
        dropped=sample.dropped,
    )


def _on_grid(at: Positions, cells: NDArray[np.intp], width: int) -> Positions:
    """The cells' centres on their own grid: the mean of the pixels of a ragged cell lies beside it."""
    row, column = np.divmod(cells, width)
    return replace(at, easting=_line(column, at.easting), northing=_line(row, at.northing))


def _line(number: NDArray[np.intp], coordinate: Array) -> Array:
    """The straight line through coordinates by cell number."""
    if np.ptp(number) == 0:
        return np.full(len(number), float(coordinate.mean()))
    slope, start = np.polyfit(number, coordinate, 1)
    return np.asarray(start + slope * number)
