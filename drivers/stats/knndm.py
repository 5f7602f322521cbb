"""Folds whose held-out pixels are as far from training pixels as the pixels to be predicted (kNNDM)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from scipy.stats import wasserstein_distance

from drivers.stats.blocks import block_folds
from drivers.stats.lattice import WORKERS

Array = NDArray[np.float64]
Labels = NDArray[np.int64]

CANDIDATES = 16
"""Numbers of clusters that are tried at first, from the number of folds to the number of pixels: each 1.4 to
2 times the one before, the distance to other folds, which goes with the square root, 1.2 to 1.4 times."""

FINER = 10
"""Numbers of clusters that are then tried between the neighbours of the best, in steps of 8 to 17 %: where
the pixels lie in clusters, a few numbers near that of those match far better than others."""

SAMPLE = 4_000
"""Training pixels that k-means looks at; the rest join the nearest centre. Folds need the outline of the
clusters, which 4000 points draw as well as a million."""

HELD_OUT = 4_000
"""Distances that stand for each of the two distributions: their means are then known to 1 or 2 %."""

ROUNDS = 10
"""Rounds of k-means. The clusters need not be the best ones: how well their folds match is measured."""

UNEVEN = 2.0
"""A fold may have this many times its even share of pixels, or that fraction of it. Beyond, folds train on
too different numbers of pixels to be compared, and such candidates are passed over."""

FLAT = 3
"""Most dimensions in which a query costs so little that the number of trees counts."""

FEW_TREES = 2
"""Base of the digits of fold numbers (see `other_fold_distances`) in few dimensions."""

FEW_QUERIES = 16
"""The same in more dimensions, where a query costs much: up to 16 folds have one tree each."""

SMALL = 20_000
"""Queries that one thread answers in few dimensions (20 ms): a second one costs more than it saves."""

SMALL_HIGH = 1_000
"""The same in more dimensions."""

LEAF = 64
"""Points in a leaf of a tree in more dimensions: most leaves are read anyway, and larger ones faster."""


@dataclass(frozen=True, slots=True, eq=False)
class Knndm:
    """Folds by nearest-neighbour distance matching, and how well they match.

    Attributes
    ----------
    folds : fold of each training pixel, 0 to k - 1, shape (n,); k is the number asked for, or that of the
        distinct places where there are fewer
    w : Wasserstein-1 distance between the two distributions of distances, in units of the coordinates
    w_random : the same for random folds
    n_clusters : clusters of pixels that the folds were merged from; n for random folds
    """

    folds: NDArray[np.uint8]
    n_folds: int
    w: float
    w_random: float
    n_clusters: int

    @property
    def random(self) -> bool:
        """Whether the folds are random ones, no clusters matching better."""
        return self.n_clusters == len(self.folds)


def knndm_folds(train_xy: Array, predict_xy: Array, folds: int, rng: np.random.Generator) -> Knndm:
    """Folds whose held-out pixels lie as far from their training pixels as the map does from all of them.

    Parameters
    ----------
    train_xy : coordinates of the training pixels on a plane, shape (n, 2); for longitude and latitude see
        `drivers.stats.lattice.flat_coordinates`
    predict_xy : coordinates of the pixels to be predicted, same units, shape (m, 2)
    folds : 2 to 255, at most n

    Raises
    ------
    ValueError
        coordinates are not (n, 2) finite numbers, or `folds` is out of bounds

    Notes
    -----
    Clusters of training pixels (k-means on at most `SAMPLE` of them, the rest join the nearest centre) are
    merged, largest first, each into the fold with fewest pixels. Of the numbers of clusters tried, that one
    is taken whose folds make W = ∫ |G_j*(r) - G_ij(r)| dr smallest, where G_j* is the distribution of the
    distance from a pixel to the nearest one of another fold, and G_ij from a pixel to be predicted to the
    nearest training pixel (Linnenbrink et al. 2024, doi:10.5194/gmd-17-5897-2024). Both are taken at no more
    than `HELD_OUT` pixels, but neighbours are sought among all of them. Random folds come back when their
    held-out pixels are already as far on average as the map: clusters would only put them farther, and chance
    would choose among the closest. CAST has a Kolmogorov-Smirnov test there. Elsewhere they never do, however
    close: pixels of one place would be held out and learnt from.
    Folds are kept even (`UNEVEN`) where they can be; CAST lets one hold half the pixels.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> plots = np.repeat(rng.random((20, 2)) * 100.0, 25, axis=0) + rng.normal(size=(500, 2))
    >>> country = rng.random((1000, 2)) * 100.0
    >>> found = knndm_folds(plots, country, 5, rng)
    >>> found.random, found.w < 0.5 * found.w_random
    (False, True)
    >>> knndm_folds(country, country + 0.1, 5, rng).random
    True
    """
    train, predict = plane(train_xy, "train_xy"), plane(predict_xy, "predict_xy")
    n = len(train)
    if not 2 <= folds <= min(255, n):
        raise ValueError(f"folds must be 2 to {min(255, n)} ({n} training pixels), not {folds}")
    folds = max(min(folds, len(np.unique(train, axis=0))), 2)
    held_out = some_rows(n, HELD_OUT, rng)
    asked = predict[some_rows(len(predict), HELD_OUT, rng)]
    to_train = np.asarray(search_tree(train).query(asked)[0])

    chance = (rng.permutation(n) % folds).astype(np.uint8)
    by_chance = other_fold_distances(train, chance, held_out)
    w_random = float(wasserstein_distance(by_chance, to_train))
    random = Knndm(chance, folds, w_random, w_random, n)
    if by_chance.mean() >= to_train.mean():
        return random

    def closest(best: Knndm | None, numbers: Labels, *, uneven: bool = False) -> Knndm | None:
        for wanted in numbers[numbers < n]:
            clusters = cluster(train, int(wanted), rng)
            found = int(clusters.max()) + 1
            if found < folds:
                continue
            candidate = block_folds(clusters, folds, rng)
            if not (uneven or even(candidate, folds)):
                continue
            w = float(wasserstein_distance(other_fold_distances(train, candidate, held_out), to_train))
            if best is None or w < best.w:
                best = Knndm(candidate, folds, w, w_random, found)
        return best

    tried = geometric(folds, n, CANDIDATES)
    # Few places, or one that holds most pixels: uneven folds are the only ones there are.
    best = closest(None, tried) or closest(None, tried, uneven=True)
    if best is None:
        return random
    place = int(np.searchsorted(tried, best.n_clusters))
    between = geometric(int(tried[max(place - 1, 0)]), int(tried[min(place + 1, len(tried) - 1)]), FINER)
    return closest(best, between) or best


def geometric(low: int, high: int, many: int) -> Labels:
    """About `many` different whole numbers from `low` to `high` with equal ratios."""
    return np.unique(np.geomspace(low, high, many).round().astype(np.int64))


def plane(points: Array, name: str) -> Array:
    """Coordinates as floats of shape (n, 2)."""
    xy = np.asarray(points, dtype=np.float64)
    if xy.ndim != 2 or xy.shape[1] != 2 or not len(xy):
        raise ValueError(f"{name} {xy.shape} must be (n, 2), with n >= 1")
    if not np.isfinite(xy).all():
        raise ValueError(f"a coordinate of {name} is NaN or infinite: drop these pixels first")
    return xy


def some_rows(n: int, most: int, rng: np.random.Generator) -> Labels:
    """All rows, or `most` of them at random."""
    return np.arange(n) if n <= most else rng.choice(n, most, replace=False)


def even(folds: NDArray[np.uint8], k: int) -> bool:
    """Whether no fold is larger or smaller than its share of pixels by more than `UNEVEN`."""
    sizes = np.bincount(folds, minlength=k)
    share = len(folds) / k
    return bool(sizes.max() <= UNEVEN * share and sizes.min() >= share / UNEVEN)


def cluster(points: Array, wanted: int, rng: np.random.Generator) -> Labels:
    """Cluster of each point, shape (n,), 0 to q - 1 without gaps; q <= `wanted`.

    Centres come from k-means with the seeding of Arthur & Vassilvitskii (2007, k-means++) on at most `SAMPLE`
    points. More clusters than that are the surroundings of random points: k-means would hardly move them.
    """
    if wanted > SAMPLE:
        centres = points[rng.choice(len(points), wanted, replace=False)]
    else:
        sample = points[some_rows(len(points), SAMPLE, rng)]
        centres = spread_seeds(sample, wanted, rng)
        for _ in range(ROUNDS):
            label = nearest(centres, sample)
            size = np.bincount(label, minlength=len(centres))
            sums = [np.bincount(label, sample[:, axis], len(centres)) for axis in (0, 1)]
            centres = (np.column_stack(sums)[size > 0]) / size[size > 0, None]
    return np.unique(nearest(centres, points), return_inverse=True)[1].astype(np.int64)


def nearest(centres: Array, points: Array) -> Labels:
    """The nearest centre of each point, shape (n,)."""
    found = search_tree(centres).query(points, workers=query_threads(len(points), 2))[1]
    return np.asarray(found, dtype=np.int64)


def spread_seeds(points: Array, wanted: int, rng: np.random.Generator) -> Array:
    """Up to `wanted` different points, drawn by the square of their distance to those drawn before."""
    x, y = points.T.copy()
    chosen = [int(rng.integers(len(points)))]
    left = (x - x[chosen[0]]) ** 2 + (y - y[chosen[0]]) ** 2
    while len(chosen) < wanted:
        total = np.cumsum(left)
        if total[-1] == 0.0:
            break
        # The first sum above the draw belongs to a point that is not yet a seed.
        following = int(np.searchsorted(total, rng.random() * total[-1], side="right"))
        chosen.append(min(following, len(points) - 1))
        left = np.minimum(left, (x - x[chosen[-1]]) ** 2 + (y - y[chosen[-1]]) ** 2)
    return points[chosen]


def search_tree(points: Array) -> cKDTree:
    """A tree for exact nearest neighbours: quick to make in few dimensions, quick to ask in many."""
    if points.shape[1] <= FLAT:
        return cKDTree(points, balanced_tree=False)
    return cKDTree(points, leafsize=LEAF)


def query_threads(queries: int, dimensions: int) -> int:
    """Threads for so many queries of a tree. Each is answered by itself: results do not depend on it."""
    return WORKERS if queries > (SMALL if dimensions <= FLAT else SMALL_HIGH) else 1


def other_fold_distances(points: Array, folds: NDArray[Any], rows: Labels | None = None) -> Array:
    """Distance from each point to the nearest point of another fold, shape (n,) or (len(rows),), exact.

    Infinite when all points are in one fold.

    Parameters
    ----------
    points : coordinates, finite, shape (n, d)
    folds : fold of each point, any whole numbers, shape (n,)
    rows : points that are asked for; None for all

    Notes
    -----
    Two different fold numbers differ in a digit. So the nearest point of another fold is the nearest among
    the points with another first digit, or another second one, and so on: F folds take base · log F trees, of
    n points at most, and each point log F queries, to base `FEW_TREES` or `FEW_QUERIES`. So n folds of a
    single point are as possible as ten blocks.

    Examples
    --------
    >>> line = np.array([[0.0], [1.0], [3.0], [7.0]])
    >>> other_fold_distances(line, np.array([5, 5, 9, 9])).tolist()
    [3.0, 2.0, 2.0, 6.0]
    """
    labels = np.unique(folds, return_inverse=True)[1]
    asked = np.arange(len(points)) if rows is None else rows
    base = FEW_TREES if points.shape[1] <= FLAT else FEW_QUERIES
    threads = query_threads(len(asked), points.shape[1])
    distance = np.full(len(asked), np.inf)
    unit, last = 1, int(labels.max(initial=0))
    while unit <= last:
        digit = labels // unit % base
        own = digit[asked]
        for value in np.unique(own):
            others, mine = points[digit != value], np.flatnonzero(own == value)
            if len(others):
                there = search_tree(others).query(points[asked[mine]], workers=threads)[0]
                distance[mine] = np.minimum(distance[mine], there)
        unit *= base
    return distance
