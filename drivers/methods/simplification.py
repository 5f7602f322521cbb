"""Fewer drivers that predict as well: backward removal, as gbm.simplify of dismo."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from drivers.methods.boosting import Setting
from drivers.methods.cross_validation import CrossValidated, FoldedPixels, cross_validate
from drivers.progress import Parts
from drivers.stats.scores import pooled_scores

Rows = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Step:
    """The forests with some drivers less.

    Attributes
    ----------
    dropped : column of the driver that this step dropped, None in the first
    n_drivers : drivers that are left
    deviance, r2 : held out, by the random folds
    change : the deviance less that of the first step
    chosen : whether these drivers are the ones that are kept
    """

    dropped: int | None
    n_drivers: int
    deviance: float
    r2: float
    change: float
    chosen: bool


@dataclass(frozen=True, slots=True)
class Simplified:
    """What was dropped, and what the folds say of the rest.

    Attributes
    ----------
    steps : the trail; the last one may be the step that went too far
    kept : columns of the drivers that are left, in order
    deviance_se : standard error of the first step's mean deviance over folds
    found : the forests of the folds with the kept drivers
    """

    steps: tuple[Step, ...]
    kept: Rows
    deviance_se: float
    found: CrossValidated


def simplify(folded: FoldedPixels, setting: Setting, found: CrossValidated, parts: Parts) -> Simplified:
    """Drop the driver with the least influence again and again, while the deviance hardly rises.

    Hardly: above the least so far by no more than the standard error over folds of the deviance with all
    drivers. Elith, Leathwick & Hastie 2008 (doi:10.1111/j.1365-2656.2008.01390.x) compare with all drivers;
    but fewer often do better, and then the better is what must not be lost. Influence is the mean over the
    folds' forests, none of which saw the pixels that judge; still the folds choose, and their own R² is a
    little too good then. Settings and number of trees stay. Every fold of every driver but one is a part.
    """
    pixels = folded.pixels
    kept = np.arange(pixels.matrix.shape[1])
    losses = folded.fold_deviances(found.predicted)
    deviance_se = float(losses.std(ddof=1) / np.sqrt(len(losses)))
    begun = pixels.deviance(found.predicted)
    r2 = pooled_scores(pixels.response, found.predicted, pixels.weights).r2
    steps = [Step(None, len(kept), begun, r2, 0.0, True)]
    best, budget = found, (len(kept) - 1) * folded.n_folds
    while len(kept) > 1:
        parts.now(f"fewer drivers: {len(kept) - 1} of {pixels.matrix.shape[1]}")
        shares = np.array([forest.influence(found.n_trees) for forest in best.forests])
        last = int(np.argmin(shares.mean(axis=0)))
        rest = np.delete(kept, last)
        fewer = FoldedPixels(pixels.columns(rest), folded.folds, folded.n_folds)
        tried = cross_validate(fewer, setting, n_trees=found.n_trees, max_trees=found.n_trees, parts=parts)
        budget -= folded.n_folds
        deviance = pixels.deviance(tried.predicted)
        r2 = pooled_scores(pixels.response, tried.predicted, pixels.weights).r2
        least = min(step.deviance for step in steps)
        held = deviance - least <= deviance_se
        steps.append(Step(int(kept[last]), len(rest), deviance, r2, deviance - begun, held))
        if not held:
            break
        kept, best = rest, tried
    parts.finished(budget)
    return Simplified(_last_chosen(steps), kept, deviance_se, best)


def _last_chosen(steps: Sequence[Step]) -> tuple[Step, ...]:
    """Only the last step that held is the one that is kept."""
    last = max(i for i, step in enumerate(steps) if step.chosen)
    return tuple(
        Step(s.dropped, s.n_drivers, s.deviance, s.r2, s.change, i == last) for i, s in enumerate(steps)
    )
