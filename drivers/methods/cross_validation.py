"""Forests of folds: each is grown without one fold and tried on it; folds run beside each other."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property

import numpy as np
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

Array = NDArray[np.float64]
Rows = NDArray[np.intp]

STEP = 25
"""Trees between two looks at the held-out error; gbm.step takes 50."""

PATIENCE = 12
"""Looks without a better error after which a fold stops growing: 300 trees."""

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
    finished: Callable[[], None] = lambda: None,
    verdict: Verdict | None = None,
) -> CrossValidated:
    """Grow a forest without each fold in turn, and see how well it does there.

    Parameters
    ----------
    n_trees : their number; None for the one with the least mean deviance over folds
    max_trees : most trees, where they are not given
    finished : called for every fold that is finished
    verdict : asked after every batch of folds whether to go on
    """
    training = folded.training

    def one(fold: int) -> tuple[Growing, list[float]]:
        growing = Growing(training[fold], setting)
        held = folded.pixels.rows(folded.held(fold))
        if n_trees is None:
            losses = _until_it_stops(growing, held, max_trees)
        else:
            growing.grow(n_trees)
            guess = growing.grown().predict(held.matrix)
            losses = [held.deviance(guess)]
        finished()
        return growing, losses

    batch = folded.n_folds if verdict is None else BATCH
    done: list[tuple[Growing, list[float]]] = []
    with ThreadPoolExecutor(boosting.WORKERS) as pool:
        for first in range(0, folded.n_folds, batch):
            some = range(first, min(first + batch, folded.n_folds))
            done += pool.map(one, some)
            if verdict is not None:
                said = [verdict(fold, min(done[fold][1])) for fold in some]  # it is told of every fold
                if not all(said):
                    break
    rows = [folded.held(fold) for fold in range(len(done))]
    chosen = n_trees
    if chosen is None:
        reached = min(len(losses) for _, losses in done)
        table = np.array([losses[:reached] for _, losses in done]).T
        chosen = min(STEP * (int(np.argmin(table @ np.array([len(r) for r in rows]))) + 1), max_trees)
    forests = tuple(growing.grown() for growing, _ in done)
    predicted = np.full(folded.pixels.n, np.nan)
    for forest, held in zip(forests, rows, strict=True):
        predicted[held] = forest.predict(folded.pixels.matrix[held], chosen)
    return CrossValidated(chosen, predicted, forests)


def _until_it_stops(growing: Growing, held: Pixels, max_trees: int) -> list[float]:
    """Grow while the held-out loss falls; the loss after every `STEP` trees."""
    margin = np.full(held.n, growing.training.centre)
    losses: list[float] = []
    data = as_data(held.matrix, held.types)
    while growing.n_trees < max_trees:
        before = growing.n_trees
        growing.grow(min(before + STEP, max_trees))
        margin += growing.grown().trees(data, before, growing.n_trees)
        losses.append(held.deviance(response_scale(margin, held.family)))
        if len(losses) - 1 - int(np.argmin(losses)) >= PATIENCE:
            break
    return losses
