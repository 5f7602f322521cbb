"""What a forest says about one or two drivers on average: partial dependence and accumulated local effects.

Both come from the leaves as boxes (`LeafBoxes`). A leaf's indicator is a product over drivers, so that an
average over some drivers is a product of what the other drivers say and a share of the background, and no
pixel is ever sent through the trees again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from drivers.stats.forest import Forest, category_codes, checked_matrix, parts, single_precision

Array = NDArray[np.float64]
Bools = NDArray[np.bool_]

EVEN = 0.5
"""Share of either branch where no training pixel with any weight came by (both covers 0)."""


@dataclass(frozen=True, slots=True, eq=False)
class LeafBoxes:
    """Every leaf of a forest as a box: the product of one condition for each driver on its path.

    A pixel is in a leaf if it is inside on every driver of the box; what is known of some drivers only, and
    averages over others, are therefore products and sums over the leaves.

    Attributes
    ----------
    value : of the leaves, on the link scale, (leaves,)
    base : added to the sum of the leaves
    start : conditions on driver f are start[f] to start[f + 1], (drivers + 1,)
    leaf : of each condition, (conditions,); rising, each leaf once, within a driver
    lower, upper : lower <= x < upper is inside, single precision, (conditions,)
    missing : whether a missing value is inside, (conditions,)
    share : part of the training cover that is inside, at the splits of that driver, (conditions,)
    allowed : for a categorical driver the categories inside, (its conditions, categories + 1)
    """

    value: Array
    base: float
    start: NDArray[np.intp]
    leaf: NDArray[np.intp]
    lower: NDArray[np.float32]
    upper: NDArray[np.float32]
    missing: Bools
    share: Array
    allowed: Mapping[int, Bools]

    @property
    def drivers(self) -> range:
        """Drivers up to the last that is split on."""
        return range(len(self.start) - 1)

    def conditions(self, driver: int) -> slice:
        """Where the conditions on a driver are; nowhere if it was never split on."""
        return slice(*self.start[driver : driver + 2]) if driver in self.drivers else slice(0, 0)

    def outside(self, driver: int, values: ArrayLike) -> Bools:
        """Which values of a driver are outside of each of its conditions, (conditions of driver, n)."""
        part, x = self.conditions(driver), single_precision(values)
        if driver in self.allowed:
            allowed = self.allowed[driver]
            out: Bools = ~allowed[:, category_codes(x, allowed.shape[1])]
        else:
            out = x < self.lower[part, None]
            out |= x >= self.upper[part, None]
        unknown = np.isnan(x)
        if unknown.any():
            out[:, unknown] = ~self.missing[part, None]
        return out

    def misses(
        self, matrix: Array, drivers: Sequence[int], columns: Sequence[int] | None = None
    ) -> NDArray[np.uint8]:
        """On how many of some drivers each pixel is outside, (leaves, n); their columns if not the same."""
        total = np.zeros((len(self.value), len(matrix)), dtype=np.uint8)
        for driver, column in zip(drivers, drivers if columns is None else columns, strict=True):
            part = self.conditions(driver)
            if part.start < part.stop:
                total[self.leaf[part]] += self.outside(driver, matrix[:, column])
        return total

    def only(self, leaves: NDArray[np.intp]) -> LeafBoxes:
        """The boxes of some leaves, in rising order."""
        position = np.full(len(self.value), -1)
        position[leaves] = np.arange(len(leaves))
        at = position[self.leaf]
        held = at >= 0
        before = np.append(0, np.cumsum(held))
        return LeafBoxes(
            self.value[leaves],
            self.base,
            before[self.start],
            at[held],
            self.lower[held],
            self.upper[held],
            self.missing[held],
            self.share[held],
            {f: rows[held[self.conditions(f)]] for f, rows in self.allowed.items()},
        )


def leaf_boxes(forest: Forest) -> LeafBoxes:
    """The leaves of a forest as boxes.

    Raises
    ------
    ValueError : a driver is numeric in one split and categorical in another
    """
    inner = np.flatnonzero(forest.left >= 0)
    parent = np.full(len(forest.feature), -1)
    parent[forest.left[inner]] = parent[forest.right[inner]] = inner
    on_left = np.zeros(len(parent), dtype=np.bool_)
    on_left[forest.left[inner]] = True
    leaves = np.flatnonzero(forest.left < 0)
    # From all leaves at once up to the roots: one step for every split above a leaf.
    leaf, child = np.arange(len(leaves)), leaves
    steps = [(leaf[:0], leaf[:0])]
    while len(child):
        below = parent[child] >= 0
        leaf, child = leaf[below], child[below]
        steps.append((leaf, child))
        child = parent[child]
    step_leaf, step_child = (np.concatenate(s) for s in zip(*steps, strict=True))
    driver = forest.feature[parent[step_child]]
    order = np.lexsort((step_leaf, driver))
    step_leaf, step_child, driver = step_leaf[order], step_child[order], driver[order]
    new = np.append(True, (np.diff(driver) != 0) | (np.diff(step_leaf) != 0))[: len(driver)]
    first = np.flatnonzero(new)
    split, left = parent[step_child], on_left[step_child]
    named = forest.category_row[split] >= 0
    cut = forest.threshold[split]
    both = forest.cover[forest.left[split]] + forest.cover[forest.right[split]]
    share = np.divide(forest.cover[step_child], both, out=np.full(len(split), EVEN), where=both > 0)
    allowed: dict[int, Bools] = {}
    for f in np.unique(driver[named]).tolist():
        here = driver == f
        if not named[here].all():
            raise ValueError(f"driver {f} is numeric in one split and categorical in another")
        sets = forest.goes_right[forest.category_row[split[here]]] ^ left[here, None]
        allowed[f] = np.logical_and.reduceat(sets, np.flatnonzero(new[here]), axis=0)
    return LeafBoxes(
        value=forest.value[leaves],
        base=forest.base,
        start=np.searchsorted(driver[first], np.arange(int(driver.max(initial=-1)) + 2)),
        leaf=step_leaf[first],
        lower=_over(np.maximum, np.where(left | named, -np.inf, cut), first).astype(np.float32),
        upper=_over(np.minimum, np.where(left & ~named, cut, np.inf), first).astype(np.float32),
        missing=_over(np.logical_and, forest.default_left[split] == left, first),
        share=_over(np.multiply, share, first),
        allowed=allowed,
    )


def _over(combine: np.ufunc, values: NDArray[Any], first: NDArray[np.intp]) -> NDArray[Any]:
    return combine.reduceat(values, first) if len(first) else values


def boxes_of(forest: Forest | LeafBoxes) -> LeafBoxes:
    """The boxes of a forest, or the boxes themselves where a caller with many questions made them before."""
    return forest if isinstance(forest, LeafBoxes) else leaf_boxes(forest)


def partial_dependence(
    forest: Forest | LeafBoxes, background: ArrayLike, drivers: int | Sequence[int], grid: ArrayLike
) -> Array:
    """The mean prediction, link scale, when some drivers are set to given values everywhere, shape (p,).

    Parameters
    ----------
    forest : or its `leaf_boxes`, which serve any number of calls
    background : pixels to average over, shape (n, d)
    drivers : one driver, or k of them
    grid : where they are set, shape (p,) for one driver, (p, k) for several; NaN asks for missing values

    Raises
    ------
    ValueError : no background, a grid of another width, or a driver named twice

    Notes
    -----
    PD_S(x) = 1/n Σ_i f(x, x_i,\\S) (Friedman 2001, section 8.2, doi:10.1214/aos/1013203451)
    = base + Σ_leaves value · 1[x in box_S] · (share of the background in box_\\S).

    Examples
    --------
    >>> import json
    >>> import xgboost
    >>> from drivers.stats.forest import forest_from_json
    >>> a, b = (v.ravel() for v in np.meshgrid([0.0, 1.0], [0.0, 1.0, 2.0]))
    >>> options = {"max_depth": 2, "eta": 1, "reg_lambda": 0, "min_child_weight": 0, "base_score": 0}
    >>> model = xgboost.train(options, xgboost.DMatrix(np.c_[a, b], a * (b > 0)), 1)
    >>> boxes = leaf_boxes(forest_from_json(json.loads(model.save_raw("json"))))
    >>> partial_dependence(boxes, np.c_[a, b], 0, [0.0, 1.0]).round(6).tolist()
    [0.0, 0.666667]
    >>> partial_dependence(boxes, np.c_[a, b], (0, 1), [[1.0, 0.0], [1.0, 2.0]]).tolist()
    [0.0, 1.0]
    """
    boxes = boxes_of(forest)
    x = checked_matrix(background, len(boxes.drivers) - 1)
    chosen = (drivers,) if isinstance(drivers, int | np.integer) else tuple(drivers)
    points = np.asarray(grid, dtype=np.float64)
    points = points[:, None] if points.ndim == 1 else points
    if len(x) == 0:
        raise ValueError("no background to average over: give at least one pixel")
    if points.ndim != 2 or points.shape[1] != len(chosen) or len(set(chosen)) != len(chosen):
        raise ValueError(f"a grid of shape {points.shape} does not give one column to each of {chosen}")
    weight = boxes.value * share_inside(boxes, x, [f for f in boxes.drivers if f not in chosen])
    out = np.full(len(points), boxes.base)
    for rows in parts(len(points), len(weight)):
        out[rows] += leaf_sum(weight, boxes.misses(points[rows], chosen, range(len(chosen))) == 0)
    return out


def leaf_sum(weights: Array, inside: Bools) -> Array:
    """Sum of the weights of the leaves (or conditions) that each of n pixels is inside of, shape (n,).

    Not by matrix product: BLAS adds in an order that depends on the number of threads.
    """
    return np.asarray(np.einsum("l,ln->n", weights, inside))


def share_inside(boxes: LeafBoxes, matrix: Array, drivers: Sequence[int]) -> Array:
    """Share of the pixels that each box holds, as far as some drivers tell, shape (leaves,)."""
    count = np.zeros(len(boxes.value))
    for rows in parts(len(matrix), len(boxes.value)):
        count += np.count_nonzero(boxes.misses(matrix[rows], drivers) == 0, axis=1)
    return count / len(matrix)


def accumulated_effects(
    forest: Forest | LeafBoxes, matrix: ArrayLike, driver: int, limits: ArrayLike
) -> Array:
    """The accumulated local effect of a numeric driver, link scale, at the limits of its intervals, (K + 1,).

    Unlike partial dependence it moves every pixel only within its own interval, so that drivers which go
    together are never combined as they do not occur.

    Parameters
    ----------
    forest : or its `leaf_boxes`
    matrix : pixels, shape (n, d); those whose driver is missing or beyond the limits are left out
    driver : which
    limits : rising limits z_0 to z_K, shape (K + 1,); quantiles of the driver, say

    Raises
    ------
    ValueError : limits that do not rise, a categorical driver (its classes have no order), or no pixel
        within the limits

    Notes
    -----
    g(z_k) = Σ_j≤k mean over the pixels in (z_j-1, z_j] of f(z_j, x_i,\\S) - f(z_j-1, x_i,\\S), minus its mean
    over the pixels (Apley & Zhu 2020, doi:10.1111/rssb.12377); for that mean a pixel counts with
    the middle of its interval's two ends. z_0 belongs to the first interval; an interval without pixels
    adds nothing.

    Examples
    --------
    >>> import json
    >>> import xgboost
    >>> from drivers.stats.forest import forest_from_json
    >>> x, y = np.arange(8.0)[:, None], np.arange(8.0) > 3
    >>> options = {"max_depth": 1, "eta": 1, "reg_lambda": 0, "base_score": 0}
    >>> model = xgboost.train(options, xgboost.DMatrix(x, y), 1)
    >>> accumulated_effects(forest_from_json(json.loads(model.save_raw("json"))), x, 0, [0, 3.5, 7]).tolist()
    [-0.25, -0.25, 0.75]
    """
    boxes = boxes_of(forest)
    x = checked_matrix(matrix, max(len(boxes.drivers) - 1, driver))
    z = np.asarray(limits, dtype=np.float64)
    if z.ndim != 1 or len(z) < 2 or not (np.diff(z) > 0).all():
        raise ValueError("the limits of the intervals must rise, and be two at least")
    if driver in boxes.allowed:
        raise ValueError(
            f"driver {driver} is categorical: its classes have no order along which to accumulate"
        )
    interval = np.searchsorted(z, x[:, driver]) - 1
    interval[x[:, driver] == z[0]] = 0
    within = (interval >= 0) & (interval < len(z) - 1)  # NaN sorts after the last limit
    if not within.any():
        raise ValueError(f"no pixel has its driver {driver} within the limits {z[0]:g} to {z[-1]:g}")
    x, interval = x[within], interval[within]
    outside = boxes.outside(driver, z).astype(np.int8)
    enters = outside[:, :-1] - outside[:, 1:]  # 1 where a box begins within the interval, -1 where it ends
    boxes = boxes.only(boxes.leaf[boxes.conditions(driver)])  # in the order of their conditions, as enters
    others = [f for f in boxes.drivers if f != driver]
    steps = np.zeros(len(z) - 1)
    for k in np.unique(interval).tolist():
        moved = np.flatnonzero(enters[:, k])
        part = boxes.only(moved)
        steps[k] = np.sum(part.value * enters[moved, k] * share_inside(part, x[interval == k], others))
    effect = np.append(0.0, np.cumsum(steps))
    middle = (effect[:-1] + effect[1:]) / 2
    return np.asarray(effect - middle[interval].mean())
