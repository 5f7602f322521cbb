"""What every number of change stands on: pixels, their cells, their areas, and the strata asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from drivers.change.areas import PixelAreas
from drivers.table import Partition, PixelTable, Stratum
from drivers.table.levels import Codes

Array = NDArray[np.float64]
Counts = NDArray[np.int64]
Classes = NDArray[np.integer]
Rows = list[dict[str, Any]]

FEW = 3
"""Strata that a warning names."""

CHUNK_PIXELS = 32_768
"""Pixels at a time: a series of 21 years takes 5.5 MB."""


@dataclass(frozen=True, eq=False)
class Ground:
    """Pixels of a table as change sees them.

    Attributes
    ----------
    table : the pixels
    codes : cell of the partition of each pixel, shape (n,)
    cells : how many there are
    strata : those that are asked for, each once; a stratum is a few cells
    areas : of the pixels
    """

    table: PixelTable
    codes: Codes
    cells: int
    strata: tuple[Stratum, ...]
    areas: PixelAreas

    @classmethod
    def of(
        cls, table: PixelTable, partition: Partition, areas: PixelAreas, overs: Sequence[tuple[str, ...]]
    ) -> Ground:
        """The ground of the strata of some crossings of families."""
        strata = {s.label: s for over in overs for s in partition.over(over)}
        return cls(table, partition.codes, partition.cells, tuple(strata.values()), areas)

    @property
    def n(self) -> int:
        """The number of pixels."""
        return len(self.codes)

    def chunks(self) -> Iterator[slice]:
        """All pixels in order, a part at a time; the parts are the same on every machine."""
        for start in range(0, self.n, CHUNK_PIXELS):
            yield slice(start, min(start + CHUNK_PIXELS, self.n))

    def tally(self, classes: Classes, n_classes: int, *values: NDArray[np.floating] | Classes) -> Tally:
        """Pixels and weight by cell and class, and weighted sums of further values.

        Parameters
        ----------
        classes : 0 to K - 1, or -1 for unknown, shape (n,)
        n_classes : K
        values : by pixel, shape (n,), NaN only where the class is unknown
        """
        size = (n_classes + 1) * self.cells
        pixels, weight = np.zeros(size, dtype=np.int64), np.zeros(size)
        sums = np.zeros((len(values), size))
        for rows in self.chunks():
            # A class ahead of the others holds what is unknown.
            code = self.codes[rows].astype(np.int64) * (n_classes + 1) + (classes[rows].astype(np.int64) + 1)
            own = self.areas.of(rows)
            pixels += np.bincount(code, minlength=size)
            weight += np.bincount(code, own, minlength=size)
            for sum_, value in zip(sums, values, strict=True):
                known = np.where(classes[rows] >= 0, value[rows], 0.0)
                sum_ += np.bincount(code, own * known, minlength=size)
        shape = (self.cells, n_classes + 1)
        return Tally(pixels.reshape(shape), weight.reshape(shape), sums.reshape(len(values), *shape))


@dataclass(frozen=True, eq=False)
class Tally:
    """Sums by cell and class; those of a stratum are the sums over its cells.

    Attributes
    ----------
    pixels, weight : shape (cells, K + 1), the unknown first
    sums : weighted sums of further values, shape (values, cells, K + 1)
    """

    pixels: Counts
    weight: Array
    sums: Array

    def of(self, stratum: Stratum) -> Tally:
        """The sums of a stratum, with a single cell."""
        cells = list(stratum.cells)
        return Tally(
            self.pixels[cells].sum(axis=0, keepdims=True),
            self.weight[cells].sum(axis=0, keepdims=True),
            self.sums[:, cells].sum(axis=1, keepdims=True),
        )

    def shares(self) -> Array:
        """Share of each class in the known weight of all cells, shape (K,); NaN where none is known."""
        known = self.weight[:, 1:].sum(axis=0)
        total = known.sum()
        return np.asarray(known / total if total > 0 else np.full(len(known), np.nan))


class Work(Protocol):
    """One method on one series: it takes the pixels chunk by chunk, then says what it found."""

    @property
    def series(self) -> tuple[str, ...]:
        """The series whose values it takes."""

    def take(self, rows: slice, values: Mapping[str, Array]) -> None:
        """Some pixels: for each series an array of shape (years, rows)."""

    def finish(self) -> None:
        """All pixels were taken."""

    def tables(self) -> Mapping[str, Rows]:
        """Rows by table, without `model`."""

    def columns(self) -> Mapping[str, pd.Series | NDArray[Any]]:
        """Columns by pixel, each of shape (n,)."""

    def warnings(self) -> list[str]:
        """What the user should know, whatever the stratum."""


class Plain:
    """What most works have nothing of."""

    def finish(self) -> None:
        """Nothing is left to do."""

    def columns(self) -> Mapping[str, pd.Series | NDArray[Any]]:
        """None."""
        return {}

    def warnings(self) -> list[str]:
        """None."""
        return []


def class_column(codes: Classes, names: Sequence[str]) -> pd.Series:
    """Codes of classes as a column by pixel: ordered categories, missing for -1."""
    return pd.Series(pd.Categorical.from_codes(codes.astype(np.int64), pd.Index(names), ordered=True))


def some(labels: Sequence[str]) -> str:
    """Strata in a warning: each of a few, the first of many.

    >>> some(["all"]), some(["a=1", "a=2"]), some(["a=1", "a=2", "a=3", "a=4", "a=5"])
    ('all', 'a=1, a=2', 'a=1, a=2, a=3 and 2 more')
    """
    more = f" and {len(labels) - FEW} more" if len(labels) > FEW else ""
    return ", ".join(labels[:FEW]) + more


def ratio(part: float, whole: float) -> float:
    """part / whole; NaN for nothing of nothing."""
    return part / whole if whole != 0 else float("nan")
