"""Natural breaks: the contiguous classes with the least sum of squares within, found exactly.

The usual dynamic programme takes k n² steps. Here it runs over coarse bins first, with costs lowered by
what snapping a break to the edge of its bin can lose at most. So it bounds the optimum from below, and a
bin through which even the lowered costs exceed a known partition cannot hold a break of the optimum. Only
the bins that are left are split again, until bound and partition meet.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Places = NDArray[np.intp]
Flags = NDArray[np.bool_]

COARSE = 224
"""Bins of the first pass. Its cost grows with the square; with fewer, k = 8 has too few bins per class."""

HALVINGS = 16
"""Rounds of halving wide bins, by count and by width, before the coarse bins are chosen; for long tails."""

GRADE = 1.25
"""Ratio of the widths of neighbouring bins around a break. The loss by snapping and the cost of moving a
break both grow with the square of the distance; up to about 1.4 the cost is the larger, for k up to 8."""

REGRADE = 3
"""Where a pass narrows the windows by this factor, graded bins cover them anew; else its bins are split."""

SPREAD = 1.25
"""Where a window is wider than this multiple of the bins left, rivals stand apart and the bins are split."""

MOST = 256
"""Bins left per break at which the search stops with a gap: many partitions are then about as good."""

FEW = 24
"""Bins left per break up to which they are split in `PIECES`, for several numbers of classes together."""

PIECES = 4
"""Parts into which a bin that is left is split, if they are few; else 2."""

ROUNDS = 24
"""Passes at most. Continuous columns of 1e6 values need 2 to 8."""

REACH = np.arange(-6, 7)
"""Steps to either side among which the walk looks for a better place of each break, jointly."""

SHRINK = 5
"""Divisor of the walk's step from one round to the next; less than the reach, so that rounds overlap."""

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
    """Distinct values z, scaled to [0, 1] and centred; `weight` and `total` sum over the places before."""

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
class Open:
    """Numbers of classes still open after a pass. Bins are (layers, batch, bins); a layer is a break."""

    ks: Places
    best: Places
    """Places of the limits of the best partitions known, shape (batch, limits)."""
    bound: Array
    """What minus the sum of squares between cannot fall below, shape (batch,)."""
    low: Places
    high: Places
    left: Flags
    """Bins that may hold a break of the optimum."""
    width: Places
    """Places that the pass looked at, summed over layers, shape (batch,)."""


@dataclass(frozen=True, slots=True)
class Edges:
    """Places where a break may be put, shape (..., edges): sums before them, and what snapping may move.

    A break inside a bin is snapped to one of the bin's edges. `low` and `high` bound where it was; `moved` is
    Σ |z - mean| over the bin, or a bound of it (0 for bins of one value).
    """

    weight: Array
    total: Array
    low: Array
    high: Array
    moved: Array

    def layer(self, at: int | slice, *shape: int) -> Edges:
        """One layer, or several; all edges in rows of the batch where its shape is given."""
        parts = (self.weight, self.total, self.low, self.high, self.moved)
        return Edges(*(part[at].reshape(*shape, -1) if shape else part[at] for part in parts))


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
    ks = np.unique(np.asarray(classes, dtype=np.intp))
    if not ks.size:
        return ()
    values, column = _column(ordered)
    size = len(values)
    if ks[0] < 1 or ks[-1] > size:
        k = ks[0] if ks[0] < 1 else ks[-1]
        raise ValueError(f"{size} different values cannot make {k} classes: ask for 1 to {size}")
    found: dict[int, Natural] = {}
    one = [(1, np.array([0, size], dtype=np.intp), 0.0)] if ks[0] == 1 else []
    for k, at, gap in one + _search(column, ks[ks > 1]):
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


def _edges(column: Column, places: Places, bins: bool = True) -> Edges:
    """Edges (..., edges) of bins that are contiguous along the last axis, or edges without bins."""
    z, weight, total = column.z, column.weight[places], column.total[places]
    moved = np.zeros(weight.shape)
    if not bins:
        return Edges(weight, total, moved, moved, moved)
    low, high = z[np.minimum(places, len(z) - 1)], z[np.maximum(places - 1, 0)]
    mean = np.diff(total, axis=-1) / np.maximum(np.diff(weight, axis=-1), 1.0)
    middle = np.clip(np.searchsorted(z, mean, side="right"), places[..., :-1], places[..., 1:])
    above, beyond = column.weight[middle] - weight[..., :-1], column.total[middle] - total[..., :-1]
    # A bin of one value cannot be split; what the formula leaves there is rounding.
    away = np.where(np.diff(places, axis=-1) > 1, np.maximum(2.0 * (mean * above - beyond), 0.0), 0.0)
    low[..., 1:], high[..., :-1] = low[..., :-1].copy(), high[..., 1:].copy()
    moved[..., 1:] = away
    moved[..., :-1] = np.maximum(moved[..., :-1], away)
    return Edges(weight, total, low, high, moved)


def _costs(left: Edges, right: Edges) -> Array:
    """Minus the sum of squares between, lowered by the loss of snapping, for classes from edge to edge."""
    weight = right.weight[..., None, :] - left.weight[..., :, None]
    cost = right.total[..., None, :] - left.total[..., :, None]
    cost *= cost
    backwards = weight < 0
    cost /= np.maximum(weight, 1.0, out=weight)
    if left.moved.any() or right.moved.any():
        extent = np.subtract(right.high[..., None, :], left.low[..., :, None], out=weight)
        extent *= np.maximum(right.moved[..., None, :], left.moved[..., :, None])
        cost += extent
    np.negative(cost, out=cost)
    np.copyto(cost, np.inf, where=backwards)
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
    """Edge numbers of the cheapest way, shape (batch, layers)."""
    at = np.argmin(forward[-1] + costs[-1][..., 0], axis=-1)
    way = [at]
    batch = np.arange(len(at))
    for before, cost in zip(forward[-2::-1], costs[-2:0:-1], strict=True):
        at = np.argmin(before + cost[batch, :, at], axis=-1)
        way.append(at)
    return np.array(way[::-1]).T


def _walk(column: Column, best: Places, ways: Places, ks: Places, step: int) -> Places:
    """The better of `best` and of the partitions that a joint search finds from `ways` on, row by row.

    The search looks at places near all breaks at once, in steps that shrink to one place.
    """
    real = np.arange(1, best.shape[1]) < ks[:, None]
    while True:
        places = np.where(real[:, :-1, None], ways[:, 1:-1, None] + step * REACH, ways[:, 1:-1, None])
        places = np.clip(places, 0, len(column.z)).transpose(1, 0, 2)
        start, stop = (_edges(column, ways[:, at : at + 1], bins=False) for at in (0, best.shape[1] - 1))
        layers = _edges(column, places, bins=False)
        inside = _costs(layers.layer(slice(None, -1)), layers.layer(slice(1, None)))
        costs = [_costs(start, layers.layer(0)), *inside, _costs(layers.layer(-1), stop)]
        ways = ways.copy()
        way = _trace(_sweeps(costs)[0], costs)
        ways[:, 1:-1] = np.take_along_axis(places.transpose(1, 0, 2), way[..., None], axis=2)[..., 0]
        if step == 1:
            break
        step = max(step // SHRINK, 1)
    classes = np.column_stack((np.full(len(ks), True), real))[:, : best.shape[1] - 1]
    full = ((np.diff(ways, axis=1) > 0) | ~classes).all(axis=1)
    better = full & (column.between(ways) > column.between(best))
    return np.where(better[:, None], ways, best)


def _search(column: Column, ks: Places) -> list[tuple[int, Places, float]]:
    """For each k: the places of its k + 1 limits, and the gap that is left."""
    done: list[tuple[int, Places, float]] = []
    todo = [(0, _coarse_pass(column, ks))] if ks.size else []
    while todo:
        turn, state = todo.pop()
        gap = -column.between(state.best) - state.bound
        proven = gap <= ROUNDING * column.square
        ready = proven | (turn == ROUNDS) | (state.left.sum(axis=2).max(axis=0) > MOST)
        for i in np.flatnonzero(ready):
            share = 0.0 if proven[i] else float(gap[i] / column.square)
            done.append((int(state.ks[i]), state.best[i, : state.ks[i] + 1], share))
        for rows, bins in _split(state, np.flatnonzero(~ready)):
            todo.append((turn + 1, _fine_pass(column, state.ks[rows], state.best[rows], bins)))
    return done


def _coarse_pass(column: Column, ks: Places) -> Open:
    """All k over one set of bins."""
    size, most = len(column.z), int(ks[-1])
    places = _coarse_places(column, max(COARSE, 4 * most))
    start, edges, stop = (_edges(column, at[None]) for at in (np.array([0]), places, np.array([size])))
    costs = [_costs(start, edges), *[_costs(edges, edges)] * (most - 2), _costs(edges, stop)]
    forward, backward = _sweeps(costs)
    even = np.full((len(ks), most + 1), size)
    ways = even.copy()
    ways[:, 0] = 0
    for i, k in enumerate(ks):
        even[i, :k] = np.arange(k) * size // k
        ways[i, 1:k] = places[_trace(forward[: k - 1], [*costs[: k - 1], costs[-1]])]
    step = int(np.diff(places).max()) // int(REACH[-1])
    best = _walk(column, even, ways, ks, max(step, 1))
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
    return Open(ks, best, bound, low, high, left, size * (ks - 1))


def _coarse_places(column: Column, bins: int) -> Places:
    """About `bins` + 1 places, fit both for the classes of a good partition and for the loss by snapping.

    Those classes have n · width² about equal (Panter & Dite 1951, doi:10.1109/JRPROC.1951.230419), so half
    of the places share out the sum of ∛(n · width²) over a fine grid. The other half shares out √(n · width),
    because a bin of many values loses much where the column has a long tail.
    """
    size, z = len(column.z), column.z
    if size <= bins:
        return np.arange(size + 1)
    grid = np.append(np.arange(bins) * size // bins, size)
    for _ in range(HALVINGS):
        share = np.cbrt(np.diff(column.weight[grid]) * (z[grid[1:] - 1] - z[grid[:-1]]) ** 2)
        wide = share > share.sum() / (2 * bins)
        low, high = grid[:-1][wide], grid[1:][wide]
        middle = np.searchsorted(z, (z[low] + z[high - 1]) / 2, side="right")
        more = np.unique(np.concatenate((grid, (low + high) // 2, middle)))
        if len(more) == len(grid):
            break
        grid = more
    # Here with the gap to the next bin: two values far apart do not belong into one bin.
    width, count = np.diff(z[np.minimum(grid, size - 1)]), np.diff(column.weight[grid])
    root, cube = np.sqrt(count * width), np.cbrt(count * width**2)
    share = np.append(0.0, np.cumsum(cube / cube.sum() + root / root.sum()))
    chosen = np.searchsorted(share, np.linspace(0.0, share[-1], bins + 1)[1:-1])
    return np.asarray(grid[np.unique(np.concatenate(([0], chosen, [len(grid) - 1])))])


def _fine_pass(column: Column, ks: Places, best: Places, bins: Places) -> Open:
    """One pass over bins (layers, batch, groups, edges); the edges of a group are contiguous."""
    layers, batch = bins.shape[:2]
    start, stop = (_edges(column, np.full((batch, 1), at)) for at in (0, len(column.z)))
    edges = _edges(column, bins)
    ladder = [start, *(edges.layer(h, batch) for h in range(layers)), stop]
    costs = [_costs(left, right) for left, right in pairwise(ladder)]
    forward, backward = _sweeps(costs)
    ways = best.copy()
    flat = bins.reshape(layers, batch, -1)
    way = _trace(forward, costs).T[..., None]
    ways[:, 1:-1] = np.take_along_axis(flat, way, axis=2)[..., 0].T
    best = _walk(column, best, ways, ks, 1)
    limit = -column.between(best) + ROUNDING * column.square
    near = (np.array(forward) + np.array(backward) <= limit[:, None]).reshape(bins.shape)
    left = (near[..., 1:] | near[..., :-1]) & (np.diff(bins) > 0)
    low, high = (v.reshape(layers, batch, -1) for v in (bins[..., :-1], bins[..., 1:]))
    bound = (forward[0] + backward[0]).min(axis=-1)
    width = (flat.max(axis=2) - flat.min(axis=2)).sum(axis=0)
    return Open(ks, best, bound, low, high, left.reshape(low.shape), width)


def _split(state: Open, rows: Places) -> list[tuple[Places, Places]]:
    """Rows of the batch that are refined together, and their next bins (layers, rows, groups, edges)."""
    low, high, left = state.low[:, rows], state.high[:, rows], state.left[:, rows]
    middle = state.best[rows].T[1:-1, :, None]
    below = np.maximum(middle - np.where(left, low, middle).min(axis=2, keepdims=True), 0)
    above = np.maximum(np.where(left, high, middle).max(axis=2, keepdims=True) - middle, 0)
    extent, inside = (below + above)[..., 0], np.where(left, high - low, 0).sum(axis=2)
    graded = (extent <= SPREAD * inside).all(axis=0) & (extent.sum(axis=0) * REGRADE <= state.width[rows])
    out = []
    if graded.any():
        out.append((rows[graded], _graded(middle[:, graded], below[:, graded], above[:, graded])))
    count = left.sum(axis=2).max(axis=0)
    few = ~graded & (count <= FEW)
    for batch in ([few] if few.any() else []) + list(np.eye(len(rows), dtype=bool)[~graded & ~few]):
        most = int(count[batch].max())
        order = np.argsort(~left[:, batch], axis=2, kind="stable")[:, :, :most]
        lows = np.take_along_axis(low[:, batch], order, axis=2)
        highs = np.take_along_axis(high[:, batch], order, axis=2)
        held = np.take_along_axis(left[:, batch], order, axis=2)
        # Where fewer are left, bins without width stand in; a break may lie there too, so they do no harm.
        width = np.where(held, highs - lows, 0)[..., None]
        pieces = PIECES if most <= FEW else 2
        out.append((rows[batch], lows[..., None] + width * np.arange(pieces + 1) // pieces))
    return out


def _graded(middle: Places, below: Places, above: Places) -> Places:
    """Bins (layers, rows, 1, edges) from `below` to `above` a place, the narrower the nearer to it."""
    bins = max(int(np.ceil(np.log1p(max(below.max(), above.max())) / np.log(GRADE))), 1)
    steps = np.linspace(0.0, 1.0, bins + 1)
    down = np.rint(np.expm1(steps[::-1] * np.log1p(below))).astype(np.intp)
    up = np.rint(np.expm1(steps[1:] * np.log1p(above))).astype(np.intp)
    return np.concatenate((middle - down, middle + up), axis=2)[:, :, None]
