"""Forests of folds: each is grown without one fold and tried on it; folds run beside each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import xgboost as xgb
from numpy.typing import NDArray

from drivers.methods import boosting
from drivers.methods.boosting import (
    Growing,
    Grown,
    Pixels,
    Setting,
    Training,
    as_data,
    bins_for,
    quantise,
    response_scale,
)
from drivers.progress import NO_PARTS, Parts

Array = NDArray[np.float64]
Rows = NDArray[np.intp]

STEP = 25
"""Trees between two looks at the held-out error; gbm.step takes 50."""

PATIENCE = 12
"""Looks without a better mean error after which growing stops: 300 trees."""

BATCH = 4
"""Folds between two judgements of a setting. Fixed, so that what is given up does not depend on cores; four
paired differences of one sign are the least that a rank test can tell from chance (p = 1/16)."""

Verdict = Callable[[int, float], bool]
"""Told a fold and its least deviance, in order; False gives the setting up."""


@dataclass(frozen=True)
class FoldedPixels:
    """Pixels and their folds; the training part of each fold is quantised once for all settings.

    Attributes
    ----------
    pixels : the pixels
    folds : fold of each, 0 to n_folds - 1, shape (n,)
    n_folds : their number
    """

    pixels: Pixels
    folds: NDArray[np.uint8]
    n_folds: int

    def held(self, fold: int) -> Rows:
        """The pixels of a fold, shape (m,)."""
        return np.flatnonzero(self.folds == fold)

    @cached_property
    def training(self) -> tuple[Training, ...]:
        """The pixels outside each fold, in the bins of all pixels."""
        n = self.pixels.n
        whole = quantise(self.pixels, np.zeros(n), bins_for(n))  # its bins alone are wanted

        def outside(fold: int) -> Training:
            return Training.of(self.pixels.rows(np.flatnonzero(self.folds != fold)), whole)

        with ThreadPoolExecutor(boosting.WORKERS) as pool:
            return tuple(pool.map(outside, range(self.n_folds)))

    def fold_deviances(self, predicted: Array) -> Array:
        """Mean deviance of held-out predictions in every fold, shape (n_folds,)."""
        held = [self.held(fold) for fold in range(self.n_folds)]
        return np.array([self.pixels.rows(rows).deviance(predicted[rows]) for rows in held])


@dataclass(frozen=True)
class CrossValidated:
    """What the folds of one setting said.

    Attributes
    ----------
    n_trees : the number of trees chosen, or given
    predicted : held-out predictions on the scale of the response, shape (n,); NaN in folds not tried
    forests : those of the folds that were tried, in order; fewer than the folds where it was given up
    """

    n_trees: int
    predicted: Array
    forests: tuple[Grown, ...]


def cross_validate(
    folded: FoldedPixels,
    setting: Setting,
    *,
    n_trees: int | None,
    max_trees: int,
    parts: Parts = NO_PARTS,
    verdict: Verdict | None = None,
) -> CrossValidated:
    """Grow a forest without each fold in turn, and see how well it does there.

    Parameters
    ----------
    n_trees : their number; None for the one with the least mean deviance over folds
    max_trees : most trees, where they are not given
    parts : is told of every fold that is finished
    verdict : asked after every batch of folds whether to go on
    """
    batch = folded.n_folds if verdict is None else BATCH
    done: list[_Fold] = []
    chosen = n_trees or 0
    with ThreadPoolExecutor(boosting.WORKERS) as pool:
        for first in range(0, folded.n_folds, batch):
            new = [_Fold(folded, fold, setting) for fold in range(first, min(first + batch, folded.n_folds))]
            done += new
            if n_trees is None:
                chosen = _grow_all(done, pool, max_trees, parts)
                parts.finished(len(new))
            else:
                list(pool.map(lambda fold, n=n_trees: fold.grow(n, parts), new))
            if verdict is not None:
                said = [verdict(fold.number, fold.loss(chosen)) for fold in new]  # it is told of every fold
                if not all(said):
                    break
        forests = tuple(fold.growing.grown() for fold in done)
        predicted = np.full(folded.pixels.n, np.nan)
        guesses = pool.map(lambda fold: fold.growing.grown().predict(fold.pixels.matrix, chosen), done)
        for fold, guess in zip(done, guesses, strict=True):
            predicted[fold.held] = guess
    return CrossValidated(chosen, predicted, forests)


class _Fold:
    """A forest that grows outside a fold, and is looked at on it every `STEP` trees."""

    def __init__(self, folded: FoldedPixels, number: int, setting: Setting) -> None:
        self.number = number
        self.held = folded.held(number)
        self.pixels = folded.pixels.rows(self.held)
        self.growing = Growing(folded.training[number], setting)
        self.losses: list[float] = []
        self._margin = np.full(self.pixels.n, self.growing.training.centre)

    @cached_property
    def _data(self) -> xgb.DMatrix:
        return as_data(self.pixels.matrix, self.pixels.types)

    def grow(self, n_trees: int, parts: Parts) -> None:
        """Grow without a look."""
        self.growing.grow(n_trees)
        parts.finished()

    def look(self, looks: int, max_trees: int) -> None:
        """Grow until the fold was looked at so many times; the last look may come earlier, at `max_trees`."""
        while len(self.losses) < looks and self.growing.n_trees < max_trees:
            before = self.growing.n_trees
            self.growing.grow(min(before + STEP, max_trees))
            self._margin += self.growing.grown().trees(self._data, before, self.growing.n_trees)
            self.losses.append(self.pixels.deviance(response_scale(self._margin, self.pixels.family)))

    def loss(self, n_trees: int) -> float:
        """Mean deviance with so many trees."""
        if self.losses:
            return self.losses[-(-n_trees // STEP) - 1]
        return self.pixels.deviance(self.growing.grown().predict(self.pixels.matrix, n_trees))


def _grow_all(folds: Sequence[_Fold], pool: ThreadPoolExecutor, max_trees: int, parts: Parts) -> int:
    """Grow all folds until their mean deviance has not fallen for long; the number of trees of the least.

    All are looked at equally often: a fold that would stop early hides nothing of the others.
    """
    sizes = np.array([fold.pixels.n for fold in folds])
    looks = max(PATIENCE + 1, *(len(fold.losses) for fold in folds))  # those of a batch before are ahead
    while True:
        list(pool.map(lambda fold, looks=looks: fold.look(looks, max_trees), folds))
        mean = np.array([fold.losses for fold in folds]).T @ sizes
        best = int(np.argmin(mean)) + 1
        if len(mean) >= best + PATIENCE or len(mean) * STEP >= max_trees:
            return min(STEP * best, max_trees)
        parts.so_far(f"{len(mean) * STEP} trees")
        looks = max(best + PATIENCE, len(mean) + 1)
