"""The cells of a partition, cut by blocks where pixels have a place: one pass serves strata and blocks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from drivers.errors import FitError
from drivers.methods.design import Design
from drivers.methods.positions import positions_of
from drivers.methods.vicinity import Blocks, Equation, Space, Vicinity, make_space, widest_reach
from drivers.stats.block_moments import cross_blocks, gather_blocks
from drivers.stats.effective import Dependence
from drivers.stats.lagged import LaggedMoments, begin_lagged
from drivers.stats.lattice import WORKERS
from drivers.stats.moments import Moments
from drivers.stats.pixel_rows import PixelRows, pixel_rows
from drivers.table import Partition, Stratum

Array = NDArray[np.float64]

AHEAD = 2
"""Strata whose pairs are summed while another is fitted: as many as threads have time for."""

PROBES = 1000
"""Pixels whose mean the columns are counted from: any number near it will do."""


class BlockedCells:
    """Moments of a design in every cell of a partition and, where pixels have a place, in every block.

    Attributes
    ----------
    space : where the complete pixels lie; None where the table does not say so for all of them
    """

    def __init__(
        self, design: Design, partition: Partition, side: float | None, *, extremes: bool = False
    ) -> None:
        self._design, self._partition = design, partition
        self._rows = np.flatnonzero(design.complete)
        at = positions_of(design.table, self._rows) if len(self._rows) else None
        self.space: Space | None = None if at is None else make_space(at, side)
        codes, count = partition.codes, partition.cells
        if self.space is not None:
            if self.space.order is not None:
                self._rows = self._rows[self.space.order]
            finest = np.full(design.table.n, -1, dtype=np.int32)
            finest[self._rows] = self.space.finest.codes
            cut = cross_blocks(partition.codes, finest)
            codes, count = cut.codes, len(cut.cell)
            self._cut = cut
        self._dependence: dict[str, Dependence] = {}
        self._begun: dict[str, Callable[[], LaggedMoments]] = {}
        self._moments = design.moments(codes, count, extremes=extremes)

    def blocks(
        self,
        regressions: Callable[[Stratum], tuple[Sequence[Equation], Array | None]],
        draws: int,
        rng: np.random.Generator,
    ) -> Blocks | None:
        """Blocks of one side for all strata, so that these can be compared; None without coordinates.

        Parameters
        ----------
        regressions : whose errors tell how wide blocks must be, of the largest stratum that does not raise a
            FitError; and weights of further columns that they use, shape (c, p)
        draws, rng : of the bootstrap
        """
        if self.space is None:
            return None
        reach, strata = 0.0, sorted(self._partition.strata, key=lambda s: -s.rows)
        for stratum in () if self.space.given else strata:
            try:
                equations, weights = regressions(stratum)
            except FitError:
                continue
            dependence = self.dependence(stratum)
            reach = widest_reach(dependence if weights is None else dependence.extend(weights), equations)
            break
        return self.space.blocks(reach, draws, rng)

    def moments(self, stratum: Stratum) -> Moments:
        """Moments of the complete pixels of a stratum."""
        return self._moments.merged(self._members(stratum))

    def vicinity(self, stratum: Stratum, blocks: Blocks) -> Vicinity | None:
        """What the pixels of a stratum share; None where a column is not finite for some of them."""
        members = self._members(stratum)
        if not np.isfinite(np.diag(self._moments.merged(members).cross)).all():
            return None
        found = gather_blocks(self._moments, blocks.label[self._cut.block], members)
        return Vicinity(self.dependence(stratum), found, blocks)

    def dependence(self, stratum: Stratum) -> Dependence:
        """Lagged products of the columns of a stratum; that of the stratum asked for last is kept.

        Those of the next strata are begun: threads sum their pairs while one is fitted.
        """
        assert self.space is not None
        if stratum.label not in self._dependence:
            found = self._begin(stratum)
            strata = self._partition.strata
            after = next((i for i, s in enumerate(strata, start=1) if s.label == stratum.label), len(strata))
            for following in strata[after : after + AHEAD]:
                if self._moments.rows[self._members(following)].any():
                    self._begun[following.label] = self._begin(following)
            self._dependence = {stratum.label: Dependence(found())}
            self._begun.pop(stratum.label, None)
            if after == len(strata):
                # Whoever asks for another stratum now has it read again.
                self.__dict__.pop("_pixels", None)
        return self._dependence[stratum.label]

    def _begin(self, stratum: Stratum) -> Callable[[], LaggedMoments]:
        if stratum.label in self._begun:
            return self._begun[stratum.label]
        return begin_lagged(self._pixels, self._partition.cells_of(stratum), self._pool)

    @cached_property
    def _pool(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(WORKERS)

    @cached_property
    def _pixels(self) -> PixelRows:
        """The columns of all complete pixels, about their means as far as a sample tells them."""
        assert self.space is not None
        rows = self._rows
        sample = self._design.columns_at(rows[:: max(len(rows) // PROBES, 1)])
        with np.errstate(all="ignore"):
            centre = np.nan_to_num([values.mean() for values in sample], posinf=0.0, neginf=0.0)
        return pixel_rows(
            lambda start, stop: self._design.columns_at(rows[start:stop]),
            self.space.lattice,
            centre,
            self._partition.codes[rows],
        )

    def _members(self, stratum: Stratum) -> list[int]:
        """The cells that make up a stratum."""
        found: list[int] = list(stratum.cells)
        if self.space is not None:
            found = self._cut.within(stratum.cells).tolist()
        return found
