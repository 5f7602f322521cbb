"""What the pixels of a stratum share with their neighbours: over distance, and over blocks.

Made once per stratum from its rows; every equation, claim and composite then costs small matrices.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from drivers.methods.positions import Positions, lattice_of
from drivers.stats.block_bootstrap import resample_counts
from drivers.stats.block_moments import BlockMoments
from drivers.stats.blocks import FEWEST_BLOCKS, MOST_BLOCKS, BlockGrid, lattice_blocks
from drivers.stats.effective import Dependence, EffectiveN, effective_ns, error_correlation
from drivers.stats.lagged import cell_order
from drivers.stats.lattice import Lattice
from drivers.stats.sandwich import Sandwich, border_weights, sandwich

Array = NDArray[np.float64]
Rows = NDArray[np.intp]
Codes = NDArray[np.int64]
Equation = tuple[int, tuple[int, ...]]
"""A response and its predictors, as columns."""

_Found = TypeVar("_Found")

STEP = 1.02
"""Least growth of the side of the finest blocks while there are too many of them."""


@dataclass(frozen=True, slots=True, eq=False)
class Blocks:
    """Square blocks of one side over the whole table.

    Attributes
    ----------
    side : in units of the coordinates (km for longitude and latitude)
    label : block of each of the finest blocks, shape (F,)
    borders : what neighbouring blocks share counts too, shape (B, B); each borders on eight others at most
    counts : how often each draw of the bootstrap takes each block, shape (draws, B)
    """

    side: float
    label: Codes
    borders: sparse.csr_array
    counts: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Space:
    """Where the complete pixels of a table lie, and the finest blocks they are cut into.

    Attributes
    ----------
    order : that of the pixels here, in which their cells rise, shape (n,); None where it is that of the table
    lattice : of all complete pixels, shape (n,)
    finest : their finest blocks; those of a stratum are made of them
    side : of the finest blocks
    given : whether the side was asked for, and so is final
    """

    order: Rows | None
    lattice: Lattice
    finest: BlockGrid
    side: float
    given: bool

    def blocks(self, reach: float, draws: int, rng: np.random.Generator) -> Blocks:
        """Blocks about as wide as `reach`, made of whole finest blocks; at least `FEWEST_BLOCKS` if possible.

        Parameters
        ----------
        reach : the distance from which errors share nothing
        draws : of the bootstrap
        """
        times = 1 if self.given else max(1, math.ceil(reach / self.side))
        while times > 1 and len(self._wider(times)[0]) < FEWEST_BLOCKS:
            times -= 1
        places, label = self._wider(times)
        borders = sparse.csr_array(border_weights(places[:, 0], places[:, 1]))
        return Blocks(times * self.side, label, borders, resample_counts(len(places), draws, rng))

    def _wider(self, times: int) -> tuple[Codes, Codes]:
        """Grid places of the blocks that are `times` as wide, and the block of each finest one."""
        places = np.column_stack([self.finest.row // times, self.finest.column // times])
        found, label = np.unique(places, axis=0, return_inverse=True)
        return found.astype(np.int64), label.ravel().astype(np.int64)


def make_space(at: Positions, side: float | None) -> Space | None:
    """The space of pixels at these positions; None where all lie in one place.

    Parameters
    ----------
    side : of the blocks, in units of the coordinates (km for longitude and latitude); by default the
        finest are as wide as to be at most `MOST_BLOCKS`
    """
    lattice = lattice_of(at)
    if lattice.shape == (1, 1):
        return None
    order = cell_order(lattice.cell)
    if order is not None:
        lattice = replace(lattice, row=lattice.row[order], column=lattice.column[order])
    # The lattice's own places: empty land is narrowed there, and longitude and latitude are km.
    if side is not None:
        return Space(order, lattice, lattice_blocks(lattice, side), side, True)
    cells = min(len(lattice), lattice.shape[0] * lattice.shape[1])
    finest = max(math.sqrt(cells * lattice.height * lattice.width / MOST_BLOCKS), 1e-300)
    while len((grid := lattice_blocks(lattice, finest)).row) > MOST_BLOCKS:
        finest *= max(math.sqrt(len(grid.row) / MOST_BLOCKS), STEP)
    return Space(order, lattice, grid, finest, False)


@dataclass(frozen=True, eq=False)
class Vicinity:
    """One stratum's columns over distance and over blocks; columns count as in its moments.

    Attributes
    ----------
    dependence : lagged products of the columns
    moments : of the blocks that hold pixels of the stratum
    blocks : those of the whole table
    """

    dependence: Dependence
    moments: BlockMoments
    blocks: Blocks
    _effective: dict[int | None, dict[Equation, EffectiveN]] = field(default_factory=dict, repr=False)
    _sandwich: dict[int | None, dict[Equation, Sandwich]] = field(default_factory=dict, repr=False)

    @cached_property
    def borders(self) -> sparse.csr_array:
        """Weights between the blocks of the stratum, shape (G, G)."""
        labels = self.moments.labels
        return sparse.csr_array(self.blocks.borders[labels][:, labels])

    @property
    def counts(self) -> NDArray[np.int64]:
        """How often each draw takes each block of the stratum, shape (draws, G)."""
        return self.blocks.counts[:, self.moments.labels]

    def extend(self, weights: Array) -> Vicinity:
        """The same with linear combinations of the columns as further columns; `weights` of shape (c, p)."""
        return Vicinity(self.dependence.extend(weights), self.moments.extend(weights), self.blocks)

    def effective(self, response: int, predictors: Sequence[int]) -> EffectiveN:
        """Independent pixels behind the slopes of a regression; NaN where there is no telling."""
        return self.effectives([(response, tuple(predictors))])[0]

    def effectives(self, equations: Sequence[Equation], *, first: int | None = None) -> list[EffectiveN]:
        """The same of several regressions, together; of their first so many predictors, by default of all."""

        def unknown(equation: Equation) -> EffectiveN:
            nan = np.full(len(equation[1][:first]), np.nan)
            return EffectiveN(nan, self.dependence.lagged.n, nan, nan, nan)

        return _known(
            self._effective.setdefault(first, {}),
            equations,
            lambda new: effective_ns(self.dependence, new, first=first),
            unknown,
        )

    def sandwich(self, response: int, predictors: Sequence[int]) -> Sandwich:
        """Slopes of a regression with errors over blocks; NaN where there is no telling."""
        return self.sandwiches([(response, tuple(predictors))])[0]

    def sandwiches(self, equations: Sequence[Equation], *, first: int | None = None) -> list[Sandwich]:
        """The same of several regressions, together; of their first so many predictors, by default of all."""

        def made(new: Sequence[Equation]) -> list[Sandwich]:
            found = sandwich(self.moments, new, first=first, correction="CR2", borders=self.borders)
            counts = [len(predictors[:first]) for _, predictors in new]
            stops = np.cumsum(counts).tolist()
            return [found.part(stop - count, count) for stop, count in zip(stops, counts, strict=True)]

        def unknown(equation: Equation) -> Sandwich:
            nan = np.full(len(equation[1][:first]), np.nan)
            none = np.full((self.moments.n_blocks, len(nan)), np.nan)
            return Sandwich(nan, nan, none, none, nan, nan, self.moments.labels)

        return _known(self._sandwich.setdefault(first, {}), equations, made, unknown)


def _known(
    cache: dict[Equation, _Found],
    equations: Sequence[Equation],
    made: Callable[[Sequence[Equation]], list[_Found]],
    unknown: Callable[[Equation], _Found],
) -> list[_Found]:
    """What a cache holds of some regressions; what it lacks is made, together unless one has no answer."""
    new = [equation for equation in dict.fromkeys(equations) if equation not in cache]
    try:
        found = made(new) if new else []
    except np.linalg.LinAlgError:
        found = []
        for equation in new:
            try:
                found += made([equation])
            except np.linalg.LinAlgError:
                found.append(unknown(equation))
    cache.update(zip(new, found, strict=True))
    return [cache[equation] for equation in equations]


def widest_reach(dependence: Dependence, equations: Sequence[Equation]) -> float:
    """How far the errors of any of some equations reach: the longest practical range."""
    found = [0.0]
    for response, predictors in equations:
        try:
            found.append(error_correlation(dependence, response, predictors).practical_range)
        except np.linalg.LinAlgError:
            continue
    return float(np.nanmax(found))
