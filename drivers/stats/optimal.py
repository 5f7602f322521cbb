"""The contiguous classes of a driver that explain most of the response, found exactly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Cuts = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class _Pairs:
    """Classes by first and last bin, shape (bins, bins): entry (i, j) holds the bins i ... j."""

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
    layers, gain = _layers(_pairs(weights, counts, smallest), sums, max(classes, default=0))
    return tuple(_cuts(layers, gain, k) for k in classes)


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
    pairs = _pairs(weights, counts, smallest)
    out = np.full((len(sums), len(classes)), np.nan)
    for row, response in zip(out, sums, strict=True):
        layers, _ = _layers(pairs, response, max(classes, default=0), last_only=True)
        for at, k in enumerate(classes):
            if 0 < k <= len(layers) and np.isfinite(layers[k - 1][-1]):
                row[at] = layers[k - 1][-1]
    return out


def _pairs(weights: Array, counts: Array, smallest: int) -> _Pairs:
    """What does not depend on the response, once for all permutations."""
    weight, count = (np.append(0.0, np.cumsum(v, dtype=np.float64)) for v in (weights, counts))
    per_weight = weight[None, 1:] - weight[:-1, None]
    bad = (count[None, 1:] - count[:-1, None] < max(smallest, 1)) | (per_weight <= 0)
    per_weight[bad] = np.inf
    return _Pairs(1.0 / per_weight, np.where(bad, np.inf, 0.0))


def _layers(pairs: _Pairs, sums: Array, most: int, last_only: bool = False) -> tuple[list[Array], Array]:
    """Largest sums of 1, 2, ... classes that end with each bin, and the sum of squares of each class.

    Of the numbers of classes that are only read at the last bin, `last_only` needs no other bin of the last
    layer.
    """
    before = np.append(0.0, np.cumsum(sums))
    gain = before[None, 1:] - before[:-1, None]
    gain *= gain
    gain *= pairs.per_weight
    gain -= pairs.forbidden
    layers = [gain[0]]
    room = np.empty_like(gain[1:])
    for k in range(2, min(most, len(gain)) + 1):
        ended = layers[-1][:-1]
        if last_only and k == most:
            layers.append((ended + gain[1:, -1]).max(keepdims=True))
            break
        layers.append(np.add(ended[:, None], gain[1:], out=room).max(axis=0))
    return layers, gain


def _cuts(layers: list[Array], gain: Array, k: int) -> Cuts | None:
    """The way back from the last bin through k classes."""
    if not 0 < k <= len(layers) or not np.isfinite(layers[k - 1][-1]):
        return None
    cuts = [len(gain)]
    for layer in layers[k - 2 :: -1] if k > 1 else []:
        cuts.append(1 + int(np.argmax(layer[:-1] + gain[1:, cuts[-1] - 1])))
    return np.array(cuts[:0:-1], dtype=np.intp)
