"""The interaction detector: q of the crossed classes of every pair of drivers.

Pairs of pairs are counted together: one pass over the pixels for the cells of up to four drivers serves
all pairs among them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from drivers.stats.binning import CHUNK
from drivers.stats.q import ClassSums

Array = NDArray[np.float64]
Codes = NDArray[np.uint16]

MOST_CELLS = 1 << 15
"""Cells of crossed drivers counted at once: their sums stay in cache."""

INDEPENDENT = 1e-9
"""q_ab within this of q_a + q_b is independence; GD asks for equality, which numbers never have."""

TYPES = ("Weaken, nonlinear", "Weaken, uni-", "Enhance, bi-", "Independent", "Enhance, nonlinear")
"""What an interaction can be (Wang et al. 2010), from the weakest to the strongest."""


@dataclass(frozen=True, slots=True)
class PairSums:
    """The cells of two drivers: counts, weights, sums and squares of the response, each (K_a, K_b)."""

    a: int
    b: int
    counts: Array
    weights: Array
    sums: Array
    squares: Array

    def cells(self) -> ClassSums:
        """The crossed classes that hold pixels."""
        held = self.counts > 0
        return ClassSums(self.counts[held], self.weights[held], self.sums[held], self.squares[held])

    def margin(self, axis: int) -> ClassSums:
        """The classes of one driver on the pixels of the pair; axis 0 is the first driver."""
        parts = [part.sum(axis=1 - axis) for part in (self.counts, self.weights, self.sums, self.squares)]
        held = parts[0] > 0
        return ClassSums(*(part[held] for part in parts))


def pair_sums(
    codes: Sequence[Codes],
    sizes: Sequence[int],
    response: Array,
    weights: Array | None = None,
) -> Iterator[PairSums]:
    """The cells of every pair of drivers, in the order (0, 1), (0, 2), ..., (1, 2), ...

    Parameters
    ----------
    codes : for every driver the class of each pixel, shape (n,); its size where missing
    sizes : number of classes of every driver
    response : centred, shape (n,)
    weights : shape (n,)

    Examples
    --------
    >>> a, b = np.array([0, 0, 1, 1], np.uint16), np.array([0, 1, 0, 2], np.uint16)   # b misses one
    >>> (pair,) = pair_sums([a, b], [2, 2], np.array([1.0, 2.0, 3.0, 4.0]))
    >>> pair.sums.tolist()
    [[1.0, 2.0], [3.0, 0.0]]
    """
    widths = [size + 1 for size in sizes]
    blocks = _blocks(widths)
    found: dict[tuple[int, int], PairSums] = {}
    joined = list(combinations(range(len(blocks)), 2)) or [(0, 0)] * (len(blocks) == 1)
    for one, other in joined:
        members = list(dict.fromkeys((*blocks[one], *blocks[other])))
        missing = [pair for pair in combinations(members, 2) if pair not in found]
        if missing:
            table = _crossed([codes[m] for m in members], [widths[m] for m in members], response, weights)
            for a, b in missing:
                found[a, b] = _pair(table, members, a, b)
    for pair in combinations(range(len(codes)), 2):
        yield found[pair]


def _blocks(widths: Sequence[int]) -> list[tuple[int, ...]]:
    """Drivers in twos where four of them can be crossed, and alone otherwise."""
    blocks: list[tuple[int, ...]] = []
    limit = int(MOST_CELLS**0.5)
    for i, width in enumerate(widths):
        if blocks and len(blocks[-1]) == 1 and widths[blocks[-1][0]] * width <= limit:
            blocks[-1] = (*blocks[-1], i)
        else:
            blocks.append((i,))
    return blocks


def _crossed(codes: Sequence[Codes], widths: Sequence[int], response: Array, weights: Array | None) -> Array:
    """Counts, weights, sums and squares in the cells of some drivers, shape (4, *widths)."""
    size = int(np.prod(widths))
    total = np.zeros((4, size))
    for start in range(0, len(response), CHUNK):
        part = slice(start, start + CHUNK)
        at = codes[0][part].astype(np.intp)
        for code, width in zip(codes[1:], widths[1:], strict=True):
            at *= width
            at += code[part]
        y = response[part]
        total[0] += np.bincount(at, minlength=size)
        if weights is None:
            total[2] += np.bincount(at, y, size)
            total[3] += np.bincount(at, y * y, size)
        else:
            wy = weights[part] * y
            total[1] += np.bincount(at, weights[part], size)
            total[2] += np.bincount(at, wy, size)
            total[3] += np.bincount(at, wy * y, size)
    if weights is None:
        total[1] = total[0]
    return total.reshape(4, *widths)


def _pair(table: Array, members: Sequence[int], a: int, b: int) -> PairSums:
    """Two drivers of a crossed table, without their missing values."""
    others = tuple(1 + i for i, m in enumerate(members) if m not in (a, b))
    cells = table.sum(axis=others)
    if members.index(a) > members.index(b):
        cells = cells.swapaxes(1, 2)
    return PairSums(a, b, *cells[:, :-1, :-1])


def interaction_type(q_a: float, q_b: float, q_ab: float) -> str:
    """How two drivers act together, from their q alone and crossed (Wang et al. 2010).

    Examples
    --------
    >>> [interaction_type(0.2, 0.3, q) for q in (0.1, 0.25, 0.4, 0.5, 0.6)]
    ['Weaken, nonlinear', 'Weaken, uni-', 'Enhance, bi-', 'Independent', 'Enhance, nonlinear']
    """
    weak, strong, both = min(q_a, q_b), max(q_a, q_b), q_a + q_b
    if q_ab < weak:
        return TYPES[0]
    if q_ab <= strong:
        return TYPES[1]
    if abs(q_ab - both) <= INDEPENDENT:
        return TYPES[3]
    return TYPES[2] if q_ab < both else TYPES[4]
