"""Codes for no data that nobody declared: values that pile up at the edge of the range, far from the rest."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import product

import numpy as np
from numpy.typing import NDArray

from drivers.table.nodata import FEWEST, NODATA_CODES
from drivers.table.rasters.planes import Raw

DEEP = 4
"""Distinct values at each end that are looked at: products write several codes, as 65533, 65534, 65535."""

NEAR = 0.1
"""A well-known code is suspected when it is this share of the range away from the next value; any other value
must be further away than the whole range of the rest."""

_CODES = frozenset((*NODATA_CODES, -9999.9, -999.0, -3000.0, 255.0, 65533.0, 65534.0, 32766.0))


@dataclass
class Watch:
    """The outermost values of a layer and how often each came, over all that was read of it.

    Examples
    --------
    >>> watch = Watch()
    >>> stored = np.array([120, 7000, 65533, 65533, 65533, 12000], dtype=np.uint16)
    >>> watch.see(stored, np.ones(6, dtype=np.bool_))
    >>> watch.suspects()
    [(65533.0, 3)]
    """

    low: dict[float, int] = field(default_factory=dict)
    high: dict[float, int] = field(default_factory=dict)
    classes: bool = False
    """Whether the values are classes: these may lie anywhere, so only well-known codes are suspected."""

    def see(self, raw: Raw, known: NDArray[np.bool_]) -> None:
        """Take in numbers as they are stored."""
        values = raw[known]
        if not len(values):
            return
        if values.dtype.kind in "bu" and values.dtype.itemsize == 1:
            counts = np.bincount(values.view(np.uint8), minlength=1)
            present = np.flatnonzero(counts)
            low = [(float(v), int(counts[v])) for v in present[:DEEP]]
            high = [(float(v), int(counts[v])) for v in present[::-1][:DEEP]]
        else:
            low, high = _outermost(values, lowest=True), _outermost(values, lowest=False)
        self.low = _merged(self.low, low, lowest=True)
        self.high = _merged(self.high, high, lowest=False)

    def suspects(self) -> list[tuple[float, int]]:
        """Values that are probably codes, and how often each came."""
        low, high = list(self.low.items()), list(self.high.items())
        best: list[tuple[float, int]] = []
        for i, j in product(range(len(low)), range(len(high))):
            rest = high[j][0] - low[i][0]
            if rest <= 0.0:
                continue
            codes = [*low[:i], *high[:j]]
            far = (i == 0 or self._far(low[i - 1], low[i][0] - low[i - 1][0], rest)) and (
                j == 0 or self._far(high[j - 1], high[j - 1][0] - high[j][0], rest)
            )
            if far and len(codes) > len(best) and all(count >= FEWEST for _, count in codes):
                best = codes
        return best

    def _far(self, code: tuple[float, int], gap: float, rest: float) -> bool:
        return (gap > rest and not self.classes) or (code[0] in _CODES and gap > NEAR * rest)


def _outermost(values: Raw, *, lowest: bool) -> list[tuple[float, int]]:
    """The first few distinct values from one end, with their counts."""
    found: list[tuple[float, int]] = []
    left = values
    while len(left) and len(found) < DEEP:
        edge = left.min() if lowest else left.max()
        beyond = left != edge
        inside = left[beyond]
        found.append((float(edge), len(left) - len(inside)))
        left = inside
    return found


def _merged(held: dict[float, int], more: list[tuple[float, int]], *, lowest: bool) -> dict[float, int]:
    together = dict(held)
    for value, count in more:
        together[value] = together.get(value, 0) + count
    return {value: together[value] for value in sorted(together, reverse=not lowest)[:DEEP]}
