"""Friedman's H: how much of what two drivers do, they do only together.

Leaves that bound only one of the two drivers cancel from the difference of partial dependences. So only
leaves that bound both are computed for a pair, and a pair that never shares a path has H = 0 exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from drivers.stats.dependence import LeafBoxes, boxes_of, leaf_sum
from drivers.stats.forest import Forest, checked_matrix

Array = NDArray[np.float64]

FLAT = 1e-9
"""Below this part of the spread of the predictions, what a pair does is rounding: its H is 0, not 0 / 0."""


@dataclass(frozen=True, slots=True, eq=False)
class Interactions:
    """How strongly every pair of drivers interacts in a forest.

    Attributes
    ----------
    pairs : the two drivers, in the order (0, 1), (0, 2), ..., (1, 2), ..., shape (p, 2)
    h : H, between 0 and 1, shape (p,); 0 where the pair does nothing
    strength : root mean square of what the pair does only together, link scale, shape (p,)
    spread : root mean square of all that the pair does, link scale, shape (p,)
    """

    pairs: NDArray[np.intp]
    h: Array
    strength: Array
    spread: Array


def h_statistic(forest: Forest | LeafBoxes, background: ArrayLike) -> Interactions:
    """H of every pair of drivers, at the pixels of a background sample.

    Parameters
    ----------
    forest : or its `leaf_boxes`
    background : pixels, shape (n, d); the averages are over them, and they are the points of the sum. Held
        at once are n times as many bytes as the forest has leaves, and as many again for each split of a path

    Notes
    -----
    H²_jk = Σ_i [PD_jk - PD_j - PD_k]² / Σ_i PD_jk², each PD at pixel i and centred over the pixels (Friedman
    & Popescu 2008, section 8.1, doi:10.1214/07-AOAS148). `strength` is the root of the numerator / n, and
    `spread` of the denominator / n: a large H of a pair with a small spread matters little. Where drivers go
    together, the three PD are not orthogonal at the pixels, and the ratio may exceed 1: then H is 1, and
    strength / spread still has the ratio. H is 0 where the spread is no more than rounding (`FLAT`).

    Examples
    --------
    >>> import json
    >>> import xgboost
    >>> from drivers.stats.forest import forest_from_json
    >>> a, b = (v.ravel() for v in np.meshgrid([0.0, 1.0], [0.0, 1.0]))
    >>> options = {"max_depth": 2, "eta": 1, "reg_lambda": 0, "min_child_weight": 0, "base_score": 0}
    >>> model = xgboost.train(options, xgboost.DMatrix(np.c_[a, b], a * b), 1)
    >>> found = h_statistic(forest_from_json(json.loads(model.save_raw("json"))), np.c_[a, b])
    >>> found.h.round(6).tolist(), found.strength.tolist(), found.spread.round(6).tolist()
    ([0.57735], [0.25], [0.433013])
    """
    boxes = boxes_of(forest)
    x = checked_matrix(background, len(boxes.drivers) - 1)
    if len(x) == 0:
        raise ValueError("no background to average over: give at least one pixel")
    d = x.shape[1]
    outside = [boxes.outside(f, x[:, f]) for f in range(d)]
    leaves = [boxes.leaf[boxes.conditions(f)] for f in range(d)]
    # Position of a leaf among the conditions on a driver; -1 where it has none.
    row = np.full((d, len(boxes.value)), -1)
    misses = np.zeros((len(boxes.value), len(x)), dtype=np.uint8)
    for f in range(d):
        row[f, leaves[f]] = np.arange(len(leaves[f]))
        misses[leaves[f]] += outside[f]

    def weight(leaf: NDArray[np.intp], missed: NDArray[np.integer | np.bool_]) -> Array:
        """Value of some leaves times the share of pixels that miss them on no other driver."""
        return np.asarray(boxes.value[leaf] * np.count_nonzero(misses[leaf] == missed, axis=1) / len(x))

    weights = [weight(leaves[f], outside[f]) for f in range(d)]
    alone = [_centred(leaf_sum(weights[f], ~outside[f])) for f in range(d)]
    floor = FLAT * _root_mean_square(_centred(leaf_sum(boxes.value, misses == 0)))
    pairs = list(combinations(range(d), 2))
    strength, spread = np.zeros(len(pairs)), np.zeros(len(pairs))
    for p, (j, k) in enumerate(pairs):
        at_j = np.flatnonzero(row[k, leaves[j]] >= 0)
        both = leaves[j][at_j]
        at_k = row[k, both]
        out_j, out_k = outside[j][at_j], outside[k][at_k]
        shared = leaf_sum(weight(both, np.add(out_j, out_k, dtype=np.uint8)), ~(out_j | out_k))
        single = leaf_sum(weights[j][at_j], ~out_j) + leaf_sum(weights[k][at_k], ~out_k)
        together = _centred(shared - single)
        strength[p] = _root_mean_square(together)
        spread[p] = _root_mean_square(alone[j] + alone[k] + together)
    h = np.divide(strength, spread, out=np.zeros(len(pairs)), where=spread > floor)
    return Interactions(np.array(pairs, dtype=np.intp).reshape(-1, 2), np.minimum(h, 1.0), strength, spread)


def _centred(values: Array) -> Array:
    return np.asarray(values - values.mean())


def _root_mean_square(values: Array) -> float:
    return float(np.sqrt(np.mean(values**2)))
