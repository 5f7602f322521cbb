"""Counts, means and centred cross-products: all that linear methods need of the pixels.

Moments add (Chan, Golub & LeVeque 1983, doi:10.1080/00031305.1983.10483115), so they are made in one
pass over fixed chunks of rows, per cell of a partition, and merged afterwards into any stratum.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

Block = tuple[Sequence[NDArray[np.generic]], NDArray[np.integer], Array | None]
"""Some rows of a table: its p columns, each of shape (m,); the cell of each row, -1 for none, shape (m,);
the weights, shape (m,), or None."""

CHUNK_ROWS = 131_072
"""Rows per chunk: 15 MB for 14 columns of doubles. Measured: 8,192 rows cost twice as much, because threads
then wait for each other more than they work; more rows cost memory and gain nothing. Every engine uses the
same chunks, so sums agree to the byte."""

CODE_TYPES = (np.int8, np.int16, np.int32)

CENTRE_FIRST = 1e3
"""Where mean² exceeds this many variances, Σxx' - n mean mean' would lose more than 3 of 16 digits,
so the rows are centred before they are multiplied."""

CONSTANT_ULPS = 8.0
"""A column whose standard deviation is below this many rounding units of its mean is constant: the
mean of a constant column is itself rounded."""


@dataclass(frozen=True)
class Moments:
    """Weighted moments of p columns.

    Attributes
    ----------
    rows : number of rows
    weight : sum of the weights (equal to `rows` when there are none)
    mean : means, shape (p,)
    cross : centred cross-products Σ w (x - mean)(x - mean)', shape (p, p)
    low, high : smallest and largest value of each column, shape (p,)
    residue : what rounding took from the means, shape (p,); without it merging columns such as 1e9 + small
        noise would lose the noise

    Examples
    --------
    >>> import numpy as np
    >>> m = moments(np.array([[1.0, 2.0, 3.0], [2.0, 4.0, 9.0]]))
    >>> m.rows, m.mean.tolist(), m.cross.tolist()
    (3, [2.0, 5.0], [[2.0, 7.0], [7.0, 26.0]])
    """

    rows: int
    weight: float
    mean: Array
    cross: Array
    low: Array
    high: Array
    residue: Array

    def __add__(self, other: Moments) -> Moments:
        """Moments of both sets of rows together."""
        return merge([self, other])

    @property
    def covariance(self) -> Array:
        """Covariance with divisor `weight` - 1, shape (p, p)."""
        return self.cross / (self.weight - 1.0)

    @cached_property
    def sd(self) -> Array:
        """Standard deviations with divisor `weight` - 1, shape (p,)."""
        with np.errstate(all="ignore"):
            return np.sqrt(np.diag(self.cross) / (self.weight - 1.0))

    @cached_property
    def correlation(self) -> Array:
        """Correlations, shape (p, p); NaN where a column does not vary."""
        with np.errstate(all="ignore"):
            scale = np.sqrt(np.diag(self.cross))
            return np.asarray(self.cross / np.outer(scale, scale))

    @cached_property
    def constant(self) -> NDArray[np.bool_]:
        """Which columns do not vary beyond the rounding of their mean, shape (p,)."""
        with np.errstate(all="ignore"):
            unit = CONSTANT_ULPS * np.finfo(np.float64).eps * np.abs(self.mean)
            flat: NDArray[np.bool_] = np.diag(self.cross) <= self.weight * unit**2
        return flat

    def extend(self, weights: Array) -> Moments:
        """Add linear combinations of the columns as further columns.

        Parameters
        ----------
        weights : shape (c, p); row i holds the weights of new column p + i.

        Notes
        -----
        The extremes of a combination are not a function of moments; they are NaN.
        """
        both = np.vstack([np.eye(len(self.mean)), weights])
        unknown = np.full(len(weights), np.nan)
        return Moments(
            self.rows,
            self.weight,
            both @ self.mean,
            both @ self.cross @ both.T,
            np.concatenate([self.low, unknown]),
            np.concatenate([self.high, unknown]),
            both @ self.residue,
        )


@dataclass(frozen=True, slots=True)
class CellMoments:
    """Moments of every cell of a partition: shapes (g,), (g,), (g, p), (g, p, p), then (g, p)."""

    rows: NDArray[np.int64]
    weight: Array
    mean: Array
    cross: Array
    low: Array
    high: Array
    residue: Array

    def merged(self, cells: Sequence[int]) -> Moments:
        """The moments of some cells taken together; empty cells count for nothing."""
        index = np.asarray([c for c in cells if self.weight[c] > 0], dtype=np.intp)
        with np.errstate(all="ignore"):
            return _merged(CellMoments(*(values[index] for values in self._arrays())))

    def _arrays(self) -> Iterator[NDArray[Any]]:
        return (getattr(self, field.name) for field in fields(self))

    def __add__(self, other: CellMoments) -> CellMoments:
        """Moments of the same cells over both sets of rows."""
        both = [list(self._arrays()), list(other._arrays())]
        parts = [
            merge([Moments(*(values[g] for values in arrays)) for arrays in both])
            for g in range(len(self.rows))
        ]
        return _stacked(parts)


def _stacked(parts: Sequence[Moments]) -> CellMoments:
    return CellMoments(
        *(np.array([getattr(part, field.name) for part in parts]) for field in fields(Moments))
    )


def moments(columns: Array, weights: Array | None = None) -> Moments:
    """Moments of columns given as rows of an array, shape (p, n); `weights` of shape (n,) if any."""
    n = columns.shape[1]
    codes = np.zeros(n, dtype=np.int64)

    def read(start: int, stop: int) -> Block:
        part = None if weights is None else weights[start:stop]
        return [c[start:stop] for c in columns], codes[start:stop], part

    return cell_moments(read, n, 1, len(columns), extremes=True).merged([0])


def merge(parts: Iterable[Moments]) -> Moments:
    """The moments of several sets of rows taken together.

    Notes
    -----
    mean = Σ w_g mean_g / W,  cross = Σ cross_g + Σ w_g (mean_g - mean)(mean_g - mean)'.
    """
    parts = list(parts)
    return _merged(_stacked([p for p in parts if p.weight > 0] or parts))


def _merged(cells: CellMoments) -> Moments:
    total = float(cells.weight.sum())
    if len(cells.rows) == 0 or total == 0:
        p = cells.mean.shape[1]
        nothing = np.full(p, np.nan)
        return Moments(0, 0.0, nothing, np.full((p, p), np.nan), nothing, nothing, nothing)
    # Deviations from the first mean, so that means near 1e9 lose nothing to the weighted sum.
    shift = (cells.mean - cells.mean[0]) + (cells.residue - cells.residue[0])
    centre = cells.weight @ shift / total
    apart = shift - centre
    mean, residue = _two_sum(cells.mean[0], cells.residue[0] + centre)
    return Moments(
        int(cells.rows.sum()),
        total,
        mean,
        cells.cross.sum(axis=0) + (apart * cells.weight[:, None]).T @ apart,
        cells.low.min(axis=0),
        cells.high.max(axis=0),
        residue,
    )


def _two_sum(a: Array, b: Array) -> tuple[Array, Array]:
    """a + b and what rounding took from it (Knuth 1997, The Art of Computer Programming 2, 4.2.2)."""
    whole = a + b
    part = whole - a
    return whole, (a - (whole - part)) + (b - part)


@dataclass(frozen=True, slots=True)
class _Part:
    """What one chunk adds: its cells and, for each, the arrays of `CellMoments`."""

    cells: NDArray[np.intp]
    rows: NDArray[np.int64]
    weight: Array
    mean: Array
    cross: Array
    low: Array
    high: Array
    residue: Array


def cell_moments(
    read: Callable[[int, int], Block], rows: int, cells: int, width: int, *, extremes: bool = False
) -> CellMoments:
    """Moments per cell in one pass over the rows.

    Parameters
    ----------
    read : gives rows [start, stop) of the table; called once per chunk, from several threads
    rows : number of rows of the table
    cells : number of cells g
    width : number of columns p
    extremes : whether to keep the smallest and largest values too; NaN otherwise

    Notes
    -----
    Chunks are independent and merged in table order, so the number of threads changes no bit.
    A column such as 1e9 + small noise keeps all digits of the noise (see `CENTRE_FIRST`).
    """
    starts = range(0, rows, CHUNK_ROWS)

    def work(start: int) -> _Part:
        # What overflows or is undefined shows as a moment that is not finite, and is judged there.
        with np.errstate(all="ignore"):
            return _chunk(read(start, min(start + CHUNK_ROWS, rows)), cells, width, extremes)

    total = CellMoments(
        np.zeros(cells, dtype=np.int64),
        np.zeros(cells),
        np.zeros((cells, width)),
        np.zeros((cells, width, width)),
        np.full((cells, width), np.inf if extremes else np.nan),
        np.full((cells, width), -np.inf if extremes else np.nan),
        np.zeros((cells, width)),
    )
    threads = min(os.cpu_count() or 1, len(starts))
    if threads < 2:
        for start in starts:
            _absorb(total, work(start))
    else:
        with ThreadPoolExecutor(threads) as pool:
            for part in pool.map(work, starts):
                _absorb(total, part)
    mean, residue = _two_sum(total.mean, total.residue)
    return replace(total, mean=mean, residue=residue)


def _absorb(total: CellMoments, part: _Part) -> None:
    """Add a chunk to running totals, in place (Chan, Golub & LeVeque, equations 1.4 and 1.5)."""
    g = part.cells
    with np.errstate(all="ignore"):
        _add(total, part, g)


def _add(total: CellMoments, part: _Part, g: NDArray[np.intp]) -> None:
    before = total.weight[g]
    new = before == 0
    # The mean stays the first chunk's; how far the chunks since have moved it goes into the residue.
    for of_total, of_part in (
        (total.mean, part.mean),
        (total.residue, part.residue),
        (total.cross, part.cross),
    ):
        of_total[g[new]] = of_part[new]
    again, old = g[~new], ~new
    before, weight = before[old], part.weight[old]
    both = before + weight
    apart = (part.mean[old] - total.mean[again]) + (part.residue[old] - total.residue[again])
    total.residue[again] += apart * (weight / both)[:, None]
    spread = (before * weight / both)[:, None, None]
    total.cross[again] += part.cross[old] + spread * apart[:, :, None] * apart[:, None, :]
    total.weight[g] += part.weight
    total.rows[g] += part.rows
    total.low[g] = np.minimum(total.low[g], part.low)
    total.high[g] = np.maximum(total.high[g], part.high)


def _chunk(block: Block, cells: int, width: int, extremes: bool) -> _Part:
    """Moments of the cells of one chunk."""
    columns, codes, weights = block
    # Codes of 8 or 16 bits are sorted by radix, several times faster than by comparison.
    codes = np.asarray(codes).astype(next(t for t in CODE_TYPES if cells < np.iinfo(t).max))
    counts = np.bincount(codes + codes.dtype.type(1), minlength=cells + 1)
    dropped, counts = int(counts[0]), counts[1:]
    present = np.flatnonzero(counts)
    kept = len(codes) - dropped
    # The first row is ones: sums come with the products.
    sorted_rows = np.empty((1 + width, kept + 72))[:, :kept]
    sorted_rows[0] = 1.0
    if len(present) > 1 or dropped:
        order = np.argsort(codes, kind="stable")[dropped:]
        for column, out in zip(columns, sorted_rows[1:], strict=True):
            np.take(np.asarray(column, dtype=np.float64), order, out=out, mode="clip")
        weights = None if weights is None else weights[order]
    else:
        for column, out in zip(columns, sorted_rows[1:], strict=True):
            out[:] = column
    k = len(present)
    stops = np.cumsum(counts[present])
    parts = [sorted_rows[:, stop - m : stop] for m, stop in zip(counts[present], stops, strict=True)]
    products = np.empty((k, width, 1 + width))
    # Two views, not one with itself: then numpy takes the product that is fast for a few hundred rows.
    if weights is None:
        weight = counts[present].astype(np.float64)
        for part, out in zip(parts, products, strict=True):
            np.matmul(part[1:], part.T, out=out)
    else:
        weighted = np.split(weights, stops[:-1])
        weight = np.array([w.sum() for w in weighted])
        for part, w, out in zip(parts, weighted, products, strict=True):
            np.matmul(part[1:] * w, part.T, out=out)
    residue = np.zeros((k, width))
    mean = np.where(weight[:, None] != 0, products[:, :, 0] / weight[:, None], 0.0)
    cross = 0.5 * (products[:, :, 1:] + products[:, :, 1:].swapaxes(1, 2))
    cross -= weight[:, None, None] * mean[:, :, None] * mean[:, None, :]
    spread = np.diagonal(cross, axis1=1, axis2=2)
    lossy = ~(weight[:, None] * mean**2 <= CENTRE_FIRST * spread).all(axis=1)
    for i in np.flatnonzero(lossy).tolist():
        w = np.ones(len(parts[i][0])) if weights is None else weighted[i]
        mean[i], cross[i], residue[i] = _centred(parts[i][1:], w, float(weight[i]))
    low, high = (np.full((k, width), np.nan) for _ in range(2))
    if extremes:
        for i, part in enumerate(parts):
            low[i], high[i] = part[1:].min(axis=1), part[1:].max(axis=1)
    alive = weight > 0
    return _Part(
        present[alive],
        counts[present][alive],
        weight[alive],
        mean[alive],
        cross[alive],
        low[alive],
        high[alive],
        residue[alive],
    )


def _centred(part: Array, w: Array, total: float) -> tuple[Array, Array, Array]:
    """Means, centred cross-products, and residues of the means, of columns of shape (p, m)."""
    if total == 0:
        return np.zeros(len(part)), np.zeros((len(part), len(part))), np.zeros(len(part))
    mean = part[:, 0] + (part - part[:, :1]) @ w / total
    apart = part - mean[:, None]
    left = apart @ w / total
    return mean, (apart * w) @ apart.T - total * (left[:, None] * left), left
