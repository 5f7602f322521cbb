"""The interaction detector: q of the crossed classes of every pair of drivers.

Pairs of pairs are counted together: one pass over the pixels for the cells of up to four drivers serves
all pairs among them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from drivers.stats.binning import CHUNK, add_sums

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
    """The cells of two drivers.

    Attributes
    ----------
    a, b : positions of the two drivers
    counts, weights, sums : pixels, their weights, and weighted sums of the centred response; (K_a, K_b)
    squares : weighted sum of squares of the centred response over all cells
    """

    a: int
    b: int
    counts: Array
    weights: Array
    sums: Array
    squares: float

    def q(self) -> float:
        """q of the crossed classes; NaN where the response does not vary."""
        return _q(self.weights, self.sums, self.squares)

    def q_of(self, axis: int) -> float:
        """q of one driver alone on the pixels of the pair; axis 0 is the first."""
        return _q(self.weights.sum(axis=1 - axis), self.sums.sum(axis=1 - axis), self.squares)

    def q_without_singles(self) -> float:
        """q of the crossed classes without the pixels that are alone in a cell, as GD has it."""
        single = self.counts == 1
        alone = float((self.sums[single] ** 2 / self.weights[single]).sum())
        return _q(np.where(single, 0.0, self.weights), np.where(single, 0.0, self.sums), self.squares - alone)


def _q(weights: Array, sums: Array, squares: float) -> float:
    held = weights > 0
    if not held.any():
        return float("nan")
    total = squares - sums.sum() ** 2 / weights.sum()
    within = squares - (sums[held] ** 2 / weights[held]).sum()
    return float(np.clip(1.0 - within / total, 0.0, 1.0)) if total > 0 else float("nan")


def pair_sums(
    codes: Sequence[Codes],
    sizes: Sequence[int],
    response: Array,
    weights: Array | None = None,
    *,
    complete: bool = False,
    each: Callable[..., Iterable[Array]] = map,
) -> list[PairSums]:
    """The cells of every pair of drivers, in the order (0, 1), (0, 2), ..., (1, 2), ...

    Parameters
    ----------
    codes : for every driver the class of each pixel, shape (n,); its size where missing
    sizes : number of classes of every driver
    response : centred, shape (n,)
    weights : shape (n,)
    complete : whether no driver has missing pixels; one sum of squares then serves all pairs
    each : `map`, or that of a thread pool

    Examples
    --------
    >>> a, b = np.array([0, 0, 1, 1], np.uint16), np.array([0, 1, 0, 2], np.uint16)   # b misses one
    >>> (pair,) = pair_sums([a, b], [2, 2], np.array([1.0, 2.0, 3.0, 4.0]))
    >>> pair.sums.tolist(), pair.squares
    ([[1.0, 2.0], [3.0, 0.0]], 14.0)
    """
    widths = [size + 1 for size in sizes]
    tasks: list[tuple[list[int], list[tuple[int, int]]]] = []
    planned: set[tuple[int, int]] = set()
    blocks = _blocks(widths)
    for one, other in [*combinations(range(len(blocks)), 2), *([(0, 0)] if len(blocks) == 1 else [])]:
        members = list(dict.fromkeys((*blocks[one], *blocks[other])))
        pairs = [pair for pair in combinations(members, 2) if pair not in planned]
        planned.update(pairs)
        if pairs:
            tasks.append((members, pairs))
    squares = None
    if complete:
        wy = response if weights is None else weights * response
        squares = float(wy @ response)

    def crossed(task: tuple[list[int], list[tuple[int, int]]]) -> Array:
        members = task[0]
        return _crossed(
            [codes[m] for m in members], [widths[m] for m in members], response, weights, not complete
        )

    found: dict[tuple[int, int], PairSums] = {}
    for (members, pairs), table in zip(tasks, each(crossed, tasks), strict=True):
        for a, b in pairs:
            found[a, b] = _pair(table, members, a, b, squares)
    return [found[pair] for pair in combinations(range(len(codes)), 2)]


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


def _crossed(
    codes: Sequence[Codes],
    widths: Sequence[int],
    response: Array,
    weights: Array | None,
    with_squares: bool,
) -> Array:
    """Counts, weights, sums and (if wanted) squares in the cells of some drivers, shape (4, *widths)."""
    size = int(np.prod(widths))
    total = np.zeros((4, size))
    for start in range(0, len(response), CHUNK):
        part = slice(start, start + CHUNK)
        at = codes[0][part].astype(np.intp)
        for code, width in zip(codes[1:], widths[1:], strict=True):
            at *= width
            at += code[part]
        own = None if weights is None else weights[part]
        add_sums(total, at, response[part], own, with_squares=with_squares)
    if weights is None:
        total[1] = total[0]
    return total.reshape(4, *widths)


def _pair(table: Array, members: Sequence[int], a: int, b: int, squares: float | None) -> PairSums:
    """Two drivers of a crossed table, without their missing values."""
    others = tuple(1 + i for i, m in enumerate(members) if m not in (a, b))
    cells = table.sum(axis=others)
    if members.index(a) > members.index(b):
        cells = cells.swapaxes(1, 2)
    counts, weights, sums, own = cells[:, :-1, :-1]
    return PairSums(a, b, counts, weights, sums, float(own.sum()) if squares is None else squares)


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
