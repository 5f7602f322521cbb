"""Pixels into bins, and sums of a response over the bins: the one pass that a geodetector makes.

All class limits that compete for a driver cut its values into fine bins. After the bins are summed, every
candidate's classes are runs of bins, and no pixel is looked at again.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Codes = NDArray[np.uint16]

CHUNK = 1 << 15
"""Pixels at a time: what a chunk needs fits into a core's cache."""

CELLS = 1 << 14
"""Equal cells of the table that finds a value's bin; it stays in cache, and few cells hold two limits."""

MOST_BINS = np.iinfo(np.uint16).max - 1
"""Bins that a code can name, the one of missing values aside."""


@dataclass(frozen=True, slots=True)
class BinSums:
    """Sums of a response over fine bins, by fold.

    Attributes
    ----------
    counts : pixels, shape (folds, bins)
    weights : their weights, shape (folds, bins); the counts without weights
    sums : weighted sums of the centred response, shape (folds, bins)
    squares : weighted sums of its squares, shape (folds, bins)
    """

    counts: Array
    weights: Array
    sums: Array
    squares: Array

    def pooled(self) -> BinSums:
        """All folds together, as one fold."""
        return BinSums(*(part.sum(axis=0, keepdims=True) for part in self._parts()))

    def without(self, fold: int) -> BinSums:
        """All folds but one, as one fold."""
        others = np.arange(len(self.counts)) != fold
        return BinSums(*(part[others].sum(axis=0, keepdims=True) for part in self._parts()))

    def only(self, fold: int) -> BinSums:
        """One fold."""
        return BinSums(*(part[fold : fold + 1] for part in self._parts()))

    def _parts(self) -> tuple[Array, Array, Array, Array]:
        return self.counts, self.weights, self.sums, self.squares


def bin_codes(values: Array, limits: Array) -> Codes:
    """The bin of every value; bins are closed on the right.

    Parameters
    ----------
    values : shape (n,); NaN where missing
    limits : inner limits of the bins, strictly ascending, shape (bins - 1,)

    Returns
    -------
    Codes of shape (n,): the number of limits below the value; `bins` for NaN.

    Notes
    -----
    A table of equal cells says how many limits lie below a cell; only inside the value's own cell is
    anything compared. Cell numbers rise with the value, so the answer is exact.

    Examples
    --------
    >>> bin_codes(np.array([0.5, 1.0, 1.5, 9.0, np.nan]), np.array([1.0, 2.0])).tolist()
    [0, 0, 1, 2, 3]
    """
    if len(limits) >= MOST_BINS:
        raise ValueError(f"{len(limits) + 1} bins; at most {MOST_BINS} are possible")
    out = np.empty(len(values), dtype=np.uint16)
    if len(limits) == 0:
        out[:] = 0
    else:
        find = _Finder(limits)
        for start in range(0, len(values), CHUNK):
            out[start : start + CHUNK] = find(values[start : start + CHUNK])
    missing = np.isnan(values)
    if missing.any():
        out[missing] = len(limits) + 1
    return out


class _Finder:
    """Finds bins by a table of equal cells between the first limit and the last.

    Skewed limits crowd into few cells; what falls there is looked up in a table of its own.
    """

    def __init__(self, limits: Array) -> None:
        self.limits = limits
        with np.errstate(all="ignore"):
            self.scale = np.float64(CELLS - 1) / (limits[-1] - limits[0])
        self.direct = not np.isfinite(self.scale) or len(limits) == 1
        if self.direct:
            return
        cells = self._cells(limits)
        self.below: NDArray[np.intp] = np.searchsorted(cells, np.arange(CELLS)).astype(np.intp)
        self.next = np.append(limits, np.inf)
        self.crowded = np.bincount(cells, minlength=CELLS) > 1
        within = np.flatnonzero(self.crowded[cells])
        self.crowd: _Finder | None = None
        if len(within):
            self.first = int(within[0])
            crowd = limits[self.first : within[-1] + 1]
            if len(crowd) == len(limits):
                self.direct = True  # one cell apart from all others would need no end of tables
            else:
                self.crowd = _Finder(crowd)

    def __call__(self, values: Array) -> NDArray[np.intp]:
        if self.direct:
            return np.asarray(np.searchsorted(self.limits, values), dtype=np.intp)
        cells = self._cells(values)
        codes = self.below[cells]
        codes += values > self.next[codes]
        if self.crowd is not None:
            hard = np.flatnonzero(self.crowded[cells])
            codes[hard] = self.first + self.crowd(values[hard])
        return codes

    def _cells(self, values: Array) -> NDArray[np.intp]:
        with np.errstate(all="ignore"):
            place = values - self.limits[0]
            place *= self.scale
            np.clip(place, 0.0, CELLS - 1.0, out=place)
            np.nan_to_num(place, copy=False)
        return np.asarray(place, dtype=np.intp)


def bin_sums(
    codes: Codes,
    bins: int,
    response: Array,
    *,
    weights: Array | None = None,
    folds: NDArray[np.uint8] | None = None,
    n_folds: int = 1,
) -> BinSums:
    """Sums of a response over bins; pixels with code `bins` are left out.

    Parameters
    ----------
    codes : shape (n,), from `bin_codes`
    bins : their number
    response : shape (n,), centred, or digits are lost
    weights : shape (n,)
    folds : fold of each pixel, shape (n,), below `n_folds`

    Examples
    --------
    >>> found = bin_sums(np.array([0, 1, 1], np.uint16), 2, np.array([-3.0, 1.0, 2.0]))
    >>> found.sums.tolist(), found.squares.tolist()
    ([[-3.0, 3.0]], [[9.0, 5.0]])
    """
    width = bins + 1
    size = width * n_folds
    total = np.zeros((4, size))
    for start in range(0, len(codes), CHUNK):
        part = slice(start, start + CHUNK)
        at = codes[part].astype(np.intp)
        if folds is not None:
            at += folds[part].astype(np.intp) * width
        add_sums(total, at, response[part], None if weights is None else weights[part])
    if weights is None:
        total[1] = total[0]
    return BinSums(*total.reshape(4, n_folds, width)[:, :, :bins])


def add_sums(
    total: Array, at: NDArray[np.intp], response: Array, weights: Array | None, *, with_squares: bool = True
) -> None:
    """Add a chunk of pixels to sums by code: counts, weights, sums and squares are the rows of `total`.

    Parameters
    ----------
    total : shape (4, codes), changed; without weights its second row is left alone
    at : codes of the pixels, shape (m,)
    response, weights : of the pixels, shape (m,)
    with_squares : whether the fourth row is wanted
    """
    size = total.shape[1]
    weighted = response if weights is None else weights * response
    total[0] += np.bincount(at, minlength=size)
    if weights is not None:
        total[1] += np.bincount(at, weights, size)
    total[2] += np.bincount(at, weighted, size)
    if with_squares:
        total[3] += np.bincount(at, weighted * response, size)


def response_sums(codes: Codes, bins: int, responses: Array) -> Array:
    """Sums of several responses over the same bins, shape (responses, bins); missing codes are left out."""
    out = np.zeros((len(responses), bins + 1))
    for start in range(0, len(codes), CHUNK):
        at = codes[start : start + CHUNK].astype(np.intp)
        for row, response in zip(out, responses, strict=True):
            row += np.bincount(at, response[start : start + CHUNK], bins + 1)
    return out[:, :bins]
