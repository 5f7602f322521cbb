"""The contiguous classes of a driver that explain most of the response, found exactly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Cuts = NDArray[np.intp]


WIDTH = 64
"""Last bins taken together: what is read for each of k classes then stays in the processor's cache."""


@dataclass(frozen=True, slots=True)
class _Ends:
    """The classes that end with one of `width` neighbouring bins, shape (width, first bins)."""

    start: int
    stop: int
    per_weight: Array
    """1 / weight; 0 where the class may not be."""

    forbidden: Array
    """0.0, or inf where the class is empty, without weight or too small."""


def optimal_partition(
    weights: Array, sums: Array, counts: Array, classes: Sequence[int], smallest: int = 2
) -> tuple[Cuts | None, ...]:
    """The k classes of neighbouring bins with the largest q, for every k asked.

    Parameters
    ----------
    weights : total weight of the pixels in each bin of the driver, in order of the driver, shape (bins,)
    sums : their weighted sum of the response, shape (bins,); centre the response first, or digits are lost
    counts : their number, shape (bins,)
    classes : numbers of classes
    smallest : pixels that each class must hold at least

    Returns
    -------
    For each k the k - 1 places where a class ends: class h holds the bins from cut h - 1 up to, without it,
    cut h. None where no such classes exist. Of equally good partitions one is given, always the same.

    Notes
    -----
    q = Σ_h S_h² / W_h / SST for a centred response, and SST does not depend on the classes. The largest sum
    over classes that end before bin j is D_h(j) = max_i D_{h-1}(i) + S_ij² / W_ij (Fisher 1958,
    doi:10.1080/01621459.1958.10501479, on the response in the order of the driver).

    Examples
    --------
    >>> response = np.array([-2.0, -2.0, 1.0, 1.0, 1.0, 1.0])
    >>> two, seven = optimal_partition(np.ones(6), response, np.ones(6), [2, 7], smallest=1)
    >>> two.tolist(), seven
    ([2], None)
    """
    ends = _ends(weights, counts, smallest)
    layers = _layers(ends, sums, max(classes, default=0))
    return tuple(_cuts(ends, sums, layers, k) for k in classes)


def optimal_between(
    weights: Array, sums: Array, counts: Array, classes: Sequence[int], smallest: int = 2
) -> Array:
    """The largest sum of squares between k classes of neighbouring bins, for many responses.

    As `optimal_partition` for `sums` of shape (responses, bins), values only: shape (responses, classes), in
    units of the response squared times weight. NaN where no such classes exist.

    Examples
    --------
    >>> sums = np.array([[-2.0, -2.0, 1.0, 1.0, 1.0, 1.0], [1.0, -2.0, 1.0, 1.0, -2.0, 1.0]])
    >>> optimal_between(np.ones(6), sums, np.ones(6), [2, 3], smallest=1).round(6).tolist()
    [[12.0, 12.0], [1.2, 5.25]]
    """
    ends = _ends(weights, counts, smallest)
    most = max(classes, default=0)
    out = np.full((len(sums), len(classes)), np.nan)
    for row, response in zip(out, sums, strict=True):
        layers = _layers(ends, response, most)
        for at, k in enumerate(classes):
            if _possible(layers, k):
                row[at] = layers[k - 1, -1]
    return out


def _ends(weights: Array, counts: Array, smallest: int) -> list[_Ends]:
    """What does not depend on the response, once for all permutations."""
    weight, count = (np.append(0.0, np.cumsum(v, dtype=np.float64)) for v in (weights, counts))
    out = []
    for start in range(0, len(weights), WIDTH):
        stop = min(start + WIDTH, len(weights))
        width = weight[start + 1 : stop + 1, None] - weight[:stop]
        bad = (count[start + 1 : stop + 1, None] - count[:stop] < max(smallest, 1)) | (width <= 0)
        per_weight = np.where(bad, 0.0, 1.0 / np.where(bad, 1.0, width))
        out.append(_Ends(start, stop, per_weight, np.where(bad, np.inf, 0.0)))
    return out


def _gain(ends: _Ends, before: Array, rows: slice | int) -> Array:
    """Sum of squares of the classes that end with one of the bins, -inf where there may be none."""
    gain = np.subtract.outer(before[ends.start + 1 : ends.stop + 1][rows], before[: ends.stop])
    gain *= gain
    gain *= ends.per_weight[rows]
    gain -= ends.forbidden[rows]
    return np.asarray(gain)


def _layers(ends: list[_Ends], sums: Array, most: int) -> Array:
    """Largest sums of 1, 2, ... classes that end with each bin, shape (classes, bins)."""
    before = np.append(0.0, np.cumsum(sums))
    layers = np.full((min(most, len(sums)), len(sums)), -np.inf)
    for e in ends:
        gain = _gain(e, before, slice(None))
        layers[:1, e.start : e.stop] = gain[:, 0]
        gain = gain[:, 1:]
        room = np.empty(gain.shape)
        for ended, layer in pairwise(layers):
            np.add(gain, ended[: e.stop - 1], out=room)
            layer[e.start : e.stop] = room.max(axis=1, initial=-np.inf)
    return layers


def _possible(layers: Array, k: int) -> bool:
    """Whether k classes reach the last bin."""
    return 0 < k <= len(layers) and bool(np.isfinite(layers[k - 1, -1]))


def _cuts(ends: list[_Ends], sums: Array, layers: Array, k: int) -> Cuts | None:
    """The way back from the last bin through k classes."""
    if not _possible(layers, k):
        return None
    before = np.append(0.0, np.cumsum(sums))
    cuts = [len(sums)]
    for ended in layers[: k - 1][::-1]:
        last = cuts[-1] - 1
        e = ends[last // WIDTH]
        cuts.append(1 + int(np.argmax(ended[: e.stop - 1] + _gain(e, before, last - e.start)[1:])))
    return np.array(cuts[:0:-1], dtype=np.intp)
