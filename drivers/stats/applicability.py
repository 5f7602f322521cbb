"""Area of applicability: where the drivers are like those that a model was trained and validated on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.distance import pdist

from drivers.stats.knndm import other_fold_distances, query_threads, search_tree

Array = NDArray[np.float64]

MOST_REFERENCE = 20_000
"""Training pixels that others are compared with. A query in 13 drivers then costs 10 to 100 µs, and it is
exact for as many; see `fit_applicability` for what it changes with more."""

DISTANCE_SAMPLE = 4_000
"""Training pixels whose 8 million pairs give the mean distance, to about half a percent."""

WHISKER = 1.5
"""Interquartile ranges above the third quartile where outliers begin (Meyer & Pebesma 2021, after Tukey)."""

CONSTANT = 1e-12
"""A driver whose standard deviation is this share of its largest value, or less, has float noise only."""

CHUNK = 200_000
"""Pixels whose distances are computed at a time: 20 MB in 13 drivers."""


class AllAlike(ValueError):
    """No driver that matters tells the training pixels apart."""


@dataclass(frozen=True, slots=True, eq=False)
class Applicability:
    """What the training pixels say about which pixels a model applies to.

    Attributes
    ----------
    mean, sd : of each driver over the training pixels (n - 1 in the denominator), shape (d,); NaN for classes
    weights : importance of each driver, the largest 1, shape (d,); 0 for drivers that dropped out
    levels : codes of each driver's classes in order, d arrays; empty for numbers
    shares : share of training pixels in each class, d arrays
    mean_distance : mean distance between two training pixels, in weighted standard deviations
    threshold : largest dissimilarity index inside the area
    train_di : index of the reference pixels, each to the nearest one of another fold, shape (n_reference,)
    reference : their rows in the training matrix, in order, shape (n_reference,)
    coordinates : their weighted coordinates, shape (n_reference, c)
    """

    mean: Array
    sd: Array
    weights: Array
    levels: tuple[Array, ...]
    shares: tuple[Array, ...]
    mean_distance: float
    threshold: float
    train_di: Array
    reference: NDArray[np.int64]
    coordinates: Array

    @property
    def n_reference(self) -> int:
        """Training pixels that others are compared with; fewer than n beyond `MOST_REFERENCE`."""
        return len(self.reference)

    def dissimilarity(self, matrix: ArrayLike) -> Array:
        """Dissimilarity index of pixels, shape (m,): 0 for a training pixel, 1 at the mean distance of two.

        Parameters
        ----------
        matrix : drivers of the pixels in the order of the training, NaN where missing, shape (m, d)

        Raises
        ------
        ValueError
            the matrix has another number of drivers, or an infinite value
        """
        drivers = table(matrix, len(self.mean))
        tree = search_tree(np.unique(self.coordinates, axis=0))
        nearest = np.empty(len(drivers))
        for start in range(0, len(drivers), CHUNK):
            rows = slice(start, start + CHUNK)
            place = weighted_coordinates(
                drivers[rows], self.mean, self.sd, self.weights, self.levels, self.shares
            )
            nearest[rows] = tree.query(place, workers=query_threads(*place.shape))[0]
        return nearest / self.mean_distance

    def inside(self, matrix: ArrayLike) -> NDArray[np.bool_]:
        """Whether pixels are in the area of applicability, shape (m,): index <= threshold."""
        return self.dissimilarity(matrix) <= self.threshold


def fit_applicability(
    train: ArrayLike, importance: ArrayLike, folds: ArrayLike, categorical: ArrayLike | None = None
) -> Applicability:
    """The dissimilarity index and its threshold, from training pixels and the folds of the validation.

    Parameters
    ----------
    train : drivers of the training pixels, NaN where missing, shape (n, d)
    importance : of the drivers on any scale, shape (d,); negative is 0
    folds : fold in which each pixel was held out, any integers, shape (n,)
    categorical : True for drivers that are codes of classes, shape (d,); None for none

    Raises
    ------
    ValueError
        shapes do not fit, a value is infinite, or fewer than two folds
    AllAlike
        no driver has both importance and variation, or nearly all training pixels are the same

    Notes
    -----
    Drivers are standardised and multiplied by their importance; with d the Euclidean distance of such rows
    and d̄ its mean over pairs of training pixels (of `DISTANCE_SAMPLE`), DI_k = min_i d(k, i) / d̄. For a
    training pixel the minimum is over pixels of other folds. The threshold is Q3 + 1.5 IQR of these (Meyer &
    Pebesma 2021, doi:10.1111/2041-210X.13650), at most their largest, as in CAST.

    - Two classes are one standard deviation apart: a class is a dummy column of 1/√2, so two pixels of
      different classes differ by √(½ + ½) = 1, times the importance. (CAST standardises the dummies, which
      sets rare classes farther apart.) A class without a training pixel is as far from all of them.
    - A missing value is at the mean of the training pixels: 0, or for a class the shares of the classes.
    - A driver without importance or variation drops out: new values of it do not count.
    - Beyond `MOST_REFERENCE` pixels, those are compared with that are evenly spaced in the order of folds,
      within them of the most important driver, then the next: the same pixels whatever the order of rows. The
      nearest reference is farther than the nearest training pixel, by about (n / n_reference)^(1/c) in c
      dimensions that matter (1.35 for a million pixels in 13), for training and new pixels alike, so the
      threshold grows with the index. Still pixels near it change sides. Measured with 13 normal drivers and
      new pixels of 1.3 times their spread: 2 to 8 % of them with every second training pixel as a reference,
      the share inside changing by 0 to 2 points; 4 to 13 %, and 2 to 6 points, with every fiftieth. A
      training pixel that is no reference has an index above 0.

    Examples
    --------
    >>> train = np.array([[0.0, 5.0], [1.0, 5.0], [2.0, 5.0], [3.0, 5.0], [4.0, 5.0]])
    >>> area = fit_applicability(train, [2.0, 1.0], [0, 1, 0, 1, 0])   # the second driver is constant
    >>> area.weights.tolist(), area.train_di.tolist(), area.threshold
    ([1.0, 0.0], [0.5, 0.5, 0.5, 0.5, 0.5], 0.5)
    >>> area.dissimilarity([[1.0, 5.0], [4.5, 0.0], [8.0, 5.0]]).round(9).tolist()
    [0.0, 0.25, 2.0]
    >>> area.inside([[1.0, 5.0], [4.5, 0.0], [8.0, 5.0]]).tolist()
    [True, True, False]
    """
    drivers = table(train)
    n, d = drivers.shape
    labels, wish = np.asarray(folds), np.asarray(importance, dtype=np.float64)
    classes = np.zeros(d, dtype=bool) if categorical is None else np.asarray(categorical, dtype=bool)
    if labels.shape != (n,) or wish.shape != (d,) or classes.shape != (d,):
        raise ValueError(
            f"train {drivers.shape}, importance {wish.shape}, folds {labels.shape} and categorical "
            f"{classes.shape} must be (n, d), (d,), (n,) and (d,)"
        )
    if not np.isfinite(wish).all():
        raise ValueError("an importance is NaN or infinite: give drivers without one a 0")
    if n < 2 or (labels == labels[0]).all():
        raise ValueError("all training pixels are in one fold: the threshold needs at least two folds")
    mean, sd = np.full(d, np.nan), np.full(d, np.nan)
    levels, shares = [np.empty(0)] * d, [np.empty(0)] * d
    weights = np.maximum(wish, 0.0)
    for j, column in enumerate(drivers.T):
        known = column[~np.isnan(column)]
        if classes[j]:
            levels[j], counts = np.unique(known, return_counts=True)
            shares[j] = counts / max(len(known), 1)
            varies = len(counts) > 1
        else:
            varies, mean[j], sd[j] = spread(known)
        weights[j] *= varies
    if not weights.any():
        raise AllAlike("no driver has both importance and variation: nothing tells pixels apart")
    weights /= weights.max()
    order = driver_order(drivers, weights, labels)
    reference = np.sort(evenly(order, MOST_REFERENCE))
    encoding = (mean, sd, weights, tuple(levels), tuple(shares))
    coordinates = weighted_coordinates(drivers[reference], *encoding)
    sample = drivers[evenly(order, DISTANCE_SAMPLE)]
    mean_distance = float(pdist(weighted_coordinates(sample, *encoding)).mean())
    if mean_distance == 0.0:
        raise AllAlike("all training pixels but a few are the same: nothing tells pixels apart")
    # Many pixels may share a place (classes, few levels), and trees are slow where they do.
    distinct, which = np.unique(
        np.column_stack([labels[reference], coordinates]), axis=0, return_inverse=True
    )
    train_di = other_fold_distances(distinct[:, 1:], distinct[:, 0])[which.ravel()] / mean_distance
    lower, upper = np.quantile(train_di, [0.25, 0.75])
    threshold = float(min(upper + WHISKER * (upper - lower), train_di.max()))
    return Applicability(*encoding, mean_distance, threshold, train_di, reference, coordinates)


def table(matrix: ArrayLike, drivers: int | None = None) -> Array:
    """Drivers as floats of shape (m, d), with NaN but nothing infinite."""
    values = np.asarray(matrix, dtype=np.float64)
    if values.ndim != 2 or (drivers is not None and values.shape[1] != drivers):
        raise ValueError(f"drivers {values.shape} must be (m, {'d' if drivers is None else drivers})")
    if np.isinf(values).any():
        raise ValueError("a driver is infinite: make it missing (NaN) or drop these pixels")
    return values


def spread(known: Array) -> tuple[bool, float, float]:
    """Whether a driver varies, its mean and its standard deviation; NaN where there are too few values."""
    if len(known) < 2:
        return False, float(known.mean()) if len(known) else np.nan, np.nan
    sd = float(known.std(ddof=1))
    return sd > CONSTANT * float(np.abs(known).max()), float(known.mean()), sd


def driver_order(drivers: Array, weights: Array, folds: NDArray[np.integer]) -> NDArray[np.int64]:
    """Rows in order of fold, then of the most important driver, then of the next, shape (n,)."""
    falling = np.argsort(-weights, kind="stable")[: np.count_nonzero(weights)]
    return np.lexsort([*(drivers[:, j] for j in falling[::-1]), folds])


def evenly(order: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """All rows, or `most` of them at even steps, with the first and the last, so that two folds remain."""
    if len(order) <= most:
        return order
    return order[np.linspace(0, len(order) - 1, most).round().astype(np.int64)]


def weighted_coordinates(
    drivers: Array,
    mean: Array,
    sd: Array,
    weights: Array,
    levels: tuple[Array, ...],
    shares: tuple[Array, ...],
) -> Array:
    """Coordinates whose Euclidean distance is that of the index, shape (m, c).

    A number has one column, a driver of L classes L + 1 (the last for classes that the training lacks). All
    columns are centred, so that 0 is the mean, where missing values go.
    """
    columns = []
    for j in np.flatnonzero(weights):
        values = drivers[:, j]
        if not len(levels[j]):
            columns.append((values - mean[j]) / sd[j] * weights[j])
            continue
        among = values[:, None] == levels[j]
        dummies = np.column_stack([among, ~among.any(axis=1)]) - np.append(shares[j], 0.0)
        dummies[np.isnan(values)] = 0.0
        columns.extend((dummies * (weights[j] * np.sqrt(0.5))).T)
    place = np.column_stack(columns)
    place[np.isnan(place)] = 0.0
    return place
