"""Natural breaks: the contiguous classes with the least sum of squares within, found exactly.

The usual dynamic programme takes k n² steps. Here it runs over coarse bins first, with costs lowered by
what snapping a break to the edge of its bin can lose at most. So it bounds the optimum from below, and a
bin through which even the lowered costs exceed a known partition cannot hold a break of the optimum. Only
the bins that are left are split again, until bound and partition meet.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Places = NDArray[np.intp]
Flags = NDArray[np.bool_]

COARSE = 224
"""Bins of the first pass. Its cost grows with the square; with fewer, k = 8 has too few bins per class."""

GRADE = 1.25
"""Ratio of neighbouring widths of the bins around a break. Loss by snapping and cost of moving a break both
grow with the square of the distance; up to about 1.4 the cost is the larger, for k up to 8."""

HALVINGS = 16
"""Rounds of halving wide bins, by count and by width, before the coarse bins are chosen; for long tails."""

REACH = np.arange(-6, 7)
"""Steps that the walk looks to either side."""

SHRINK = 5
"""Divisor of the walk's step from one round to the next."""

PIECES = 4
"""Parts into which a bin that is left is split; the widths around a break stay graded."""

REGRADE = 3
"""Where a pass makes the windows narrower by this factor, the next one covers them with graded bins anew."""

FEW = 24
"""Bins left per break up to which several numbers of classes are refined together, in `PIECES` parts."""

SPREAD = 2
"""Where the bins left lie further apart than this multiple of their number, there are rival partitions."""

MOST = 1024
"""Edges per break at which refining stops: partitions this close in quality are many, and the gap is tiny."""

ROUNDS = 40
"""Passes at most. Continuous columns of 1e6 values need 2 to 5."""

ROUNDING = 1e-12
"""Share of the total sum of squares within which bound and partition count as equal (rounding of sums)."""

BLOCK = 1024
"""Prefix sums are made in blocks of this length: their rounding grows with √n instead of n."""


@dataclass(frozen=True, slots=True)
class Natural:
    """The classes with the least sum of squares within, for one number of classes.

    `limits` has shape (k + 1,): the smallest value, then the largest value of each class. `within` is the sum
    of squares within classes as a share of the total. `gap` bounds how much lower that share could be: 0.0
    says that the optimum is proven, to a relative rounding of 1e-12.
    """

    limits: Array
    within: float
    gap: float


@dataclass(frozen=True, slots=True)
class Column:
    """Distinct values z, scaled to [0, 1] and centred; `weight` and `total` are sums over the places before."""

    z: Array
    weight: Array
    total: Array
    square: float

    def means(self, at: Places) -> Array:
        """Class means for places (..., m) of all limits, first and last included; empty classes give 0."""
        weight = np.diff(self.weight[at], axis=-1)
        return np.asarray(np.diff(self.total[at], axis=-1) / np.maximum(weight, 1.0))

    def between(self, at: Places) -> Array:
        """Sum of squares between classes for places (..., m) of all limits."""
        return np.asarray((self.means(at) * np.diff(self.total[at], axis=-1)).sum(axis=-1))


@dataclass(frozen=True, slots=True)
class Task:
    """Numbers of classes still open. Bins are (layers, batch, bins); a layer is a break."""

    ks: Places
    turn: int
    best: Places
    bound: Array
    low: Places
    high: Places
    left: Flags
    narrow: Flags


@dataclass(frozen=True, slots=True)
class Edges:
    """Places where a break may be put, shape (..., edges): sums before them, and what snapping may have moved.

    A break inside a bin is snapped to one of the bin's edges. `low` and `high` bound where it was; `moved` is
    Σ |z - mean| over the bin, or a bound of it (0 for bins of one value).
    """

    weight: Array
    total: Array
    low: Array
    high: Array
    moved: Array

    def __getitem__(self, at: int | slice) -> Edges:
        """Some of the layers."""
        return Edges(self.weight[at], self.total[at], self.low[at], self.high[at], self.moved[at])

    def rows(self, *batch: int) -> Edges:
        """The same edges in one row per member of the batch."""
        parts = (self.weight, self.total, self.low, self.high, self.moved)
        return Edges(*(part.reshape(*batch, -1) for part in parts))


def natural_breaks(ordered: Array, classes: Sequence[int]) -> tuple[Natural, ...]:
    """Fisher-Jenks classes (1-D k-means) of `ordered` for every number of classes asked, exactly.

    Parameters
    ----------
    ordered : finite values, ascending, shape (n,)
    classes : numbers of classes, each from 1 to the number of distinct values

    Notes
    -----
    Minimises Σ_h Σ_{i in h} (x_i - mean_h)² (Fisher 1958, doi:10.1080/01621459.1958.10501479). In the optimum
    the middle m of two neighbouring means a < b separates their classes. Snapping that break to the better
    edge of a bin around m therefore costs at most 2 (b - a) Σ |m - x|, summed over the bin's values on one
    side of m, and so at most (b - a) Σ |x - mean| over the bin. The lowered costs charge this to the
    two classes by their extent. Of several optima (symmetric values) one is given, always the same.

    Examples
    --------
    >>> two, three = natural_breaks(np.array([1.0, 2.0, 2.0, 9.0, 10.0, 30.0]), [2, 3])
    >>> two.limits.tolist(), three.limits.tolist(), three.gap
    ([1.0, 10.0, 30.0], [1.0, 2.0, 10.0, 30.0], 0.0)
    """
    values, column = _column(ordered)
    size = len(values)
    ks = np.unique(np.asarray(classes, dtype=np.intp))
    if not ks.size:
        return ()
    if ks[0] < 1 or ks[-1] > size:
        raise ValueError(f"natural breaks: {size} distinct values cannot make {ks[-1 if ks[0] > 0 else 0]} classes")
    found: dict[int, Natural] = {}
    for k, at, gap in _search(column, ks):
        limits = values[np.maximum(at - 1, 0)]
        within = 1.0 - float(column.between(at)) / column.square if column.square > 0 else 0.0
        found[k] = Natural(limits, max(within, 0.0), gap)
    return tuple(found[int(k)] for k in classes)


def _column(ordered: Array) -> tuple[Array, Column]:
    """The distinct values as they are, and scaled, centred and summed."""
    first = np.empty(len(ordered), dtype=bool)
    first[:1] = True
    np.not_equal(ordered[1:], ordered[:-1], out=first[1:])
    if first.all():
        values, weight = ordered, np.arange(len(ordered) + 1, dtype=np.float64)
    else:
        starts = np.flatnonzero(first)
        values, weight = ordered[starts], np.append(starts, len(ordered)).astype(np.float64)
    # Halves, so that the difference of the extremes of float64 does not overflow.
    half = 0.5 if abs(values[0]) > 1e300 or abs(values[-1]) > 1e300 else 1.0
    z = values * half
    z -= z[0]
    if z[-1] > 0:
        z /= z[-1]
    count = None if len(values) == len(ordered) else np.diff(weight)
    z -= z.mean() if count is None else count @ z / len(ordered)
    share = z if count is None else z * count
    return values, Column(z, weight, _prefix(share), float(share @ z))


def _prefix(share: Array) -> Array:
    """Sums over the places before each place, shape (n + 1,), the last exactly 0 as of centred values."""
    out = np.empty(len(share) + 1)
    out[0] = 0.0
    whole = len(share) // BLOCK * BLOCK
    blocks = out[1 : whole + 1].reshape(-1, BLOCK)
    np.cumsum(share[:whole].reshape(-1, BLOCK), axis=1, out=blocks)
    before = np.concatenate(([0.0], np.cumsum(blocks[:, -1])))
    blocks += before[:-1, None]
    np.cumsum(share[whole:], out=out[whole + 1 :])
    out[whole + 1 :] += before[-1]
    out[-1] = 0.0
    return out


def _plain(column: Column, places: Places) -> Edges:
    """Edges (..., edges) without bins."""
    nothing = np.zeros(places.shape)
    return Edges(column.weight[places], column.total[places], nothing, nothing, nothing)


def _edges(column: Column, places: Places) -> Edges:
    """Edges (..., edges) of bins that are contiguous along the last axis."""
    z, weight, total = column.z, column.weight[places], column.total[places]
    first, last = z[np.minimum(places, len(z) - 1)], z[np.maximum(places - 1, 0)]
    count = np.diff(weight, axis=-1)
    mean = np.diff(total, axis=-1) / np.maximum(count, 1.0)
    middle = np.clip(np.searchsorted(z, mean, side="right"), places[..., :-1], places[..., 1:])
    moved = 2.0 * (mean * (column.weight[middle] - weight[..., :-1]) - (column.total[middle] - total[..., :-1]))
    # A bin of one value cannot be split; what the formula leaves there is rounding.
    moved = np.where(np.diff(places, axis=-1) > 1, np.maximum(moved, 0.0), 0.0)
    low, high, most = first.copy(), last.copy(), np.zeros_like(first)
    low[..., 1:] = first[..., :-1]
    high[..., :-1] = last[..., 1:]
    most[..., 1:] = moved
    most[..., :-1] = np.maximum(most[..., :-1], moved)
    return Edges(weight, total, low, high, most)


def _costs(left: Edges, right: Edges) -> Array:
    """Minus the sum of squares between, lowered by the loss of snapping, for classes from edge to edge."""
    weight = right.weight[..., None, :] - left.weight[..., :, None]
    cost = right.total[..., None, :] - left.total[..., :, None]
    cost *= cost
    backwards = bool(weight.min() < 0) and weight < 0
    cost /= np.maximum(weight, 1.0, out=weight)
    if left.moved.any() or right.moved.any():
        extent = np.subtract(right.high[..., None, :], left.low[..., :, None], out=weight)
        extent *= np.maximum(right.moved[..., None, :], left.moved[..., :, None])
        cost += extent
    np.negative(cost, out=cost)
    if backwards is not False:
        cost[backwards] = np.inf
    return cost



def _sweeps(costs: list[Array]) -> tuple[list[Array], list[Array]]:
    """Least cost from the start to each edge of each layer, and from there to the end."""
    forward, backward = [costs[0][..., 0, :]], [costs[-1][..., :, 0]]
    for cost in costs[1:-1]:
        forward.append((forward[-1][..., :, None] + cost).min(axis=-2))
    for cost in costs[-2:0:-1]:
        backward.append((cost + backward[-1][..., None, :]).min(axis=-1))
    return forward, backward[::-1]


def _trace(forward: list[Array], costs: list[Array]) -> Places:
    """Edge numbers of the cheapest way, shape (layers, batch)."""
    at = np.argmin(forward[-1] + costs[-1][..., 0], axis=-1)
    way = [at]
    batch = np.arange(len(at))
    for before, cost in zip(forward[-2::-1], costs[-2:0:-1], strict=True):
        at = np.argmin(before + cost[batch, :, at], axis=-1)
        way.append(at)
    return np.array(way[::-1])


def _walk(column: Column, best: Places, ks: Places, step: int) -> Places:
    """Partitions (batch, limits) after a joint search near their breaks, in steps that shrink to one place."""
    inner = (np.arange(1, best.shape[1] - 1) < ks[:, None])[..., None]
    while True:
        around = best[:, 1:-1, None] + step * REACH
        places = np.where(inner, np.clip(around, 0, len(column.z)), best[:, 1:-1, None])
        layers = _plain(column, places.transpose(1, 0, 2))
        start, stop = _plain(column, best[:, :1]), _plain(column, best[:, -1:])
        inside = _costs(layers[:-1], layers[1:])
        costs = [_costs(start, layers[0]), *inside, _costs(layers[-1], stop)]
        way = _trace(_sweeps(costs)[0], costs).T
        best = best.copy()
        best[:, 1:-1] = np.take_along_axis(places, way[..., None], axis=2)[..., 0]
        if step == 1:
            return best
        step = max(step // SHRINK, 1)


def _better(column: Column, best: Places, other: Places, ks: Places) -> Places:
    """Row by row the partition with the larger sum of squares between, `other` only with all its classes."""
    classes = np.arange(best.shape[1] - 1) < ks[:, None]
    full = ((np.diff(other, axis=1) > 0) | ~classes).all(axis=1)
    better = full & (column.between(other) > column.between(best))
    return np.where(better[:, None], other, best)


def _search(column: Column, ks: Places) -> list[tuple[int, Places, float]]:
    """For each k > 1: the places of its k + 1 limits, and the gap that is left."""
    done: list[tuple[int, Places, float]] = []
    todo = [Task(ks, 0, *_coarse_pass(column, ks))]
    while todo:
        task = todo.pop()
        gap = -column.between(task.best) - task.bound
        proven = gap <= ROUNDING * column.square
        ready = proven | (task.turn == ROUNDS)
        for i in np.flatnonzero(ready):
            share = 0.0 if proven[i] else float(gap[i] / column.square)
            done.append((int(task.ks[i]), task.best[i, : task.ks[i] + 1], share))
        for rows, bins in _split(task, np.flatnonzero(~ready)):
            result = _fine_pass(column, task.ks[rows], task.best[rows], bins)
            todo.append(Task(task.ks[rows], task.turn + 1, *result))
    return done


def _split(task: Task, rows: Places) -> list[tuple[Places, Places]]:
    """Batches of rows with their next bins (layers, batch, groups, edges)."""
    batches: list[tuple[Places, Places]] = []
    graded = rows[task.narrow[rows]]
    if graded.size:
        batches.append((graded, _graded(task, graded)))
    rest = rows[~task.narrow[rows]]
    count = task.left.sum(axis=2).max(axis=0)
    few = count[rest] <= FEW
    for batch in ([rest[few]] if few.any() else []) + [rest[i : i + 1] for i in np.flatnonzero(~few)]:
        most = int(count[batch].max())
        left = task.left[:, batch]
        order = np.argsort(~left, axis=2, kind="stable")[:, :, :most]
        low = np.take_along_axis(task.low[:, batch], order, axis=2)
        high = np.take_along_axis(task.high[:, batch], order, axis=2)
        # Where fewer are left, bins without width stand in; a break may lie there too, so they do no harm.
        high = np.where(np.take_along_axis(left, order, axis=2), high, low)
        pieces = PIECES if most <= FEW else 2
        batches.append((batch, low[..., None] + (high - low)[..., None] * np.arange(pieces + 1) // pieces))
    return batches


def _coarse_pass(column: Column, ks: Places) -> tuple[Places, Array, Places, Places, Flags, Flags]:
    """All k over one set of bins: best partitions, lower bounds, and graded bins around each break."""
    size, most = len(column.z), int(ks[-1])
    places = _coarse_places(column, max(COARSE, 4 * most))
    start, edges, stop = (_edges(column, at[None]) for at in (np.array([0]), places, np.array([size])))
    inside = _costs(edges, edges)
    costs = [_costs(start, edges), *[inside] * (most - 2), _costs(edges, stop)]
    forward, backward = _sweeps(costs)

    best = np.full((len(ks), most + 1), size)
    ways = best.copy()
    for i, k in enumerate(ks):
        best[i, :k] = np.arange(k) * size // k
        ways[i, 0] = 0
        ways[i, 1:k] = places[_trace(forward[: k - 1], [*costs[: k - 1], costs[-1]])[:, 0]]
    best = _better(column, best, _walk(column, ways, ks, _step(places)), ks)
    limit = -column.between(best) + ROUNDING * column.square

    bound = np.empty(len(ks))
    left = np.zeros((most - 1, len(ks), len(places) - 1), dtype=bool)
    for i, k in enumerate(ks):
        through = np.array(forward[: k - 1])[:, 0] + np.array(backward[most - k :])[:, 0]
        bound[i] = through[0].min()
        near = through <= limit[i]
        left[: k - 1, i] = near[:, 1:] | near[:, :-1]
    # Breaks that a smaller k does not have stay at the end of the values, where they cost nothing.
    real = (np.arange(most - 1)[:, None] < ks - 1)[..., None]
    low, high = (np.where(real, at, size) for at in (places[:-1], places[1:]))
    return best, bound, low, high, left, (_hull(left) <= SPREAD * np.maximum(left.sum(2), 8)).all(0) & (left.sum(2) <= FEW).all(0)


def _hull(left: Flags) -> Places:
    """Number of bins from the first to the last that is left, along the last axis."""
    last = left.shape[-1] - left[..., ::-1].argmax(axis=-1)
    return np.where(left.any(axis=-1), last - left.argmax(axis=-1), 0)


def _step(places: Places) -> int:
    """First step of a walk that starts on edges of bins."""
    return max(int(np.diff(places).max(initial=0)) // int(REACH[-1]), 1)


def _graded(task: Task, rows: Places) -> Places:
    """Bins (layers, rows, 1, edges) over what is left, the narrower the nearer to the best break."""
    middle = task.best[rows].T[1:-1, :, None]
    left = task.left[:, rows]
    below = np.maximum(middle - np.where(left, task.low[:, rows], middle).min(axis=2, keepdims=True), 0)
    above = np.maximum(np.where(left, task.high[:, rows], middle).max(axis=2, keepdims=True) - middle, 0)
    bins = max(int(np.ceil(np.log1p(max(below.max(), above.max())) / np.log(GRADE))), 1)
    steps = np.linspace(0.0, 1.0, bins + 1)
    down = np.rint(np.expm1(steps[::-1] * np.log1p(below))).astype(np.intp)
    up = np.rint(np.expm1(steps[1:] * np.log1p(above))).astype(np.intp)
    return np.concatenate((middle - down, middle + up), axis=2)[:, :, None]


def _coarse_places(column: Column, bins: int) -> Places:
    """About `bins` + 1 places with as many bins in each class of a good partition, tails included.

    The classes of a good partition have n · width² about equal (Panter & Dite 1951,
    doi:10.1109/JRPROC.1951.230419), so the bins get equal shares of the sum of ∛(n · width²) over a fine grid.
    """
    size, z = len(column.z), column.z
    if size <= bins:
        return np.arange(size + 1)
    grid = np.append(np.arange(bins) * size // bins, size)
    for _ in range(HALVINGS):
        width = z[grid[1:] - 1] - z[grid[:-1]]
        share = np.cbrt(np.diff(column.weight[grid]) * width**2)
        wide = share > share.sum() / (2 * bins)
        low, high = grid[:-1][wide], grid[1:][wide]
        middle = np.searchsorted(z, (z[low] + z[high - 1]) / 2, side="right")
        more = np.unique(np.concatenate((grid, (low + high) // 2, middle)))
        if len(more) == len(grid):
            break
        grid = more
    # Here with the gap to the next bin: two values far apart do not belong into one bin.
    width = np.diff(z[np.minimum(grid, size - 1)])
    count = np.diff(column.weight[grid])
    root, cube = np.sqrt(count * width), np.cbrt(count * width**2)
    share = np.append(0.0, np.cumsum(cube / cube.sum() + root / root.sum()))
    chosen = np.searchsorted(share, np.linspace(0.0, share[-1], bins + 1)[1:-1])
    return grid[np.unique(np.concatenate(([0], chosen, [len(grid) - 1])))]


def _fine_pass(
    column: Column, ks: Places, best: Places, bins: Places
) -> tuple[Places, Array, Places, Places, Flags, Flags]:
    """One pass over bins (layers, batch, groups, edges): better partitions and bounds, and the bins left, split."""
    layers, batch, groups, length = bins.shape
    size = len(column.z)
    ends = [_edges(column, np.full((batch, 1), at)) for at in (0, size)]
    flat = bins.reshape(layers, batch, -1)
    edges = _edges(column, bins).rows(layers, batch)
    ladder = [ends[0], *(edges[h] for h in range(layers)), ends[1]]
    costs = [_costs(left, right) for left, right in zip(ladder[:-1], ladder[1:], strict=True)]
    forward, backward = _sweeps(costs)
    bound = (forward[0] + backward[0]).min(axis=-1)
    ways = best.copy()
    ways[:, 1:-1] = np.take_along_axis(flat, _trace(forward, costs)[..., None], axis=2)[..., 0].T
    best = _better(column, best, _walk(column, ways, ks, 1), ks)
    limit = -column.between(best) + ROUNDING * column.square

    through = (np.array(forward) + np.array(backward) <= limit[:, None]).reshape(bins.shape)
    left = ((through[..., 1:] | through[..., :-1]) & (np.diff(bins) > 0)).reshape(layers, batch, -1)
    low, high = (part.reshape(layers, batch, -1) for part in (bins[..., :-1], bins[..., 1:]))
    some = left.any(axis=2)
    ends_left = np.where(left, high, 0).max(axis=2) - np.where(left, low, size).min(axis=2)
    narrower = np.where(some, ends_left, 0).sum(axis=0) * REGRADE <= np.ptp(flat, axis=2).sum(axis=0)
    narrow = narrower & (left.sum(axis=2).max(axis=0) > 4) & (np.where(some, ends_left, 0) <= SPREAD * np.where(left, high - low, 0).sum(2)).all(0)
    return best, bound, low, high, left, narrow
