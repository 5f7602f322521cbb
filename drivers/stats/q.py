"""q, the share of a response's variance between classes, for every candidate partition of a driver.

Wang et al. 2010, doi:10.1080/13658810802443457; Wang, Zhang & Fu 2016,
doi:10.1016/j.ecolind.2016.02.052; choice among candidates: Song et al. 2020,
doi:10.1080/15481603.2020.1760434.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

from drivers.stats.binning import BinSums
from drivers.stats.tails import log_p_f

Array = NDArray[np.float64]
Indices = NDArray[np.intp]

FEWEST_IN_CLASS = 2
"""A class of one pixel explains itself; such a candidate cannot be chosen (GD's rule too)."""

ROUNDINGS = 8
"""Roundings of a mean square, beside those of its sum."""

SAME = 1e-12
"""q that differ by less come from the same classes."""


@dataclass(frozen=True, slots=True)
class ClassSums:
    """What classes hold: pixels, weight, sum and sum of squares of the centred response, each (K,)."""

    counts: Array
    weights: Array
    sums: Array
    squares: Array

    @property
    def means(self) -> Array:
        """Class means of the centred response, shape (K,)."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return self.sums / self.weights

    @property
    def total(self) -> float:
        """The total sum of squares about the mean."""
        return float(self.squares.sum() - self.sums.sum() ** 2 / self.weights.sum())

    @property
    def within(self) -> float:
        """The sum of squares within classes, never below 0."""
        held = self.weights > 0
        return max(float(self.squares.sum() - (self.sums[held] ** 2 / self.weights[held]).sum()), 0.0)

    @property
    def variances(self) -> Array:
        """Variances of the response in the classes, shape (K,); divisor n - 1, NaN for a single pixel.

        Weighted squares over the sum of weights, times n / (n - 1). What rounding leaves of a class of equal
        values is 0.
        """
        with np.errstate(invalid="ignore", divide="ignore"):
            square = self.squares / self.weights
            spread = square - self.means**2
            rounding = np.finfo(np.float64).eps * (ROUNDINGS + np.sqrt(self.counts)) * square
            spread = np.where(spread > rounding, spread, 0.0)
            return np.where(self.counts > 1, spread * self.counts / (self.counts - 1), np.nan)


@dataclass(frozen=True, slots=True)
class Cuts:
    """Candidate partitions of a driver's bins, laid end to end.

    Attributes
    ----------
    start, stop : first bin of every class, and the one behind its last; shape (classes of all candidates,)
    first : position of each candidate's first class, shape (candidates,)
    """

    start: Indices
    stop: Indices
    first: Indices

    @classmethod
    def of(cls, edges: Sequence[Indices]) -> Cuts:
        """From the edges of each candidate: k + 1 ascending bin positions for k classes."""
        sizes = [len(e) - 1 for e in edges]
        return cls(
            np.concatenate([e[:-1] for e in edges]),
            np.concatenate([e[1:] for e in edges]),
            np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.intp),
        )

    def over(self, bins: Array) -> Array:
        """Sums over the classes of sums over bins; the last axis is bins, then classes."""
        running = np.zeros((*bins.shape[:-1], bins.shape[-1] + 1))
        np.cumsum(bins, axis=-1, out=running[..., 1:])
        return np.asarray(running[..., self.stop] - running[..., self.start])

    def each(self, classes: Array) -> Array:
        """Sums over the candidates of numbers by class."""
        return np.asarray(np.add.reduceat(classes, self.first, axis=-1))


def candidate_q(bins: BinSums, cuts: Cuts) -> Array:
    """q of every candidate, shape (candidates,); NaN where a class is empty.

    q = 1 - Σ_h SS_h / SS. Bins that no class of a candidate holds count in SS alone, as in GD, whose
    geometric breaks can leave the largest values out; the rules of this package leave none out.

    Examples
    --------
    >>> bins = BinSums(*np.array([[[2.0, 2.0]], [[2.0, 2.0]], [[-4.0, 4.0]], [[8.5, 8.5]]]))
    >>> candidate_q(bins, Cuts.of([np.array([0, 1, 2])])).round(4).tolist()
    [0.9412]
    """
    whole = ClassSums(bins.counts[0], bins.weights[0], bins.sums[0], bins.squares[0])
    counts, weights, sums, squares = (
        cuts.over(part[0]) for part in (bins.counts, bins.weights, bins.sums, bins.squares)
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        within = cuts.each(squares) - cuts.each(np.where(weights > 0, sums**2 / weights, 0.0))
        q = np.clip(1.0 - within / whole.total, 0.0, 1.0)
    q[cuts.each((counts < 1).astype(np.float64)) > 0] = np.nan
    return np.asarray(q)


def smallest_class(bins: BinSums, cuts: Cuts) -> Array:
    """Pixels in the smallest class of every candidate, shape (candidates,)."""
    return np.asarray(np.minimum.reduceat(cuts.over(bins.counts[0]), cuts.first))


def best(q: Array, n_classes: Sequence[int], *, first: bool = False) -> int | None:
    """The candidate with the largest q; among equals the fewest classes, or simply the first, as in GD."""
    if np.isnan(q).all():
        return None
    if first:
        return int(np.nanargmax(q))
    equal = np.flatnonzero(q >= np.nanmax(q) - SAME)
    return min(equal.tolist(), key=lambda i: (n_classes[i], i))


def crossfit_q(bins: BinSums, choose: Sequence[tuple[BinSums, Indices | None]]) -> float:
    """q predicted for each fold by classes chosen, and means learnt, on the others.

    Parameters
    ----------
    bins : sums by fold, shape (F, bins)
    choose : for every fold the sums of the other folds, and the edges chosen on them (None: no classes)

    Returns
    -------
    1 - Σ_f Σ (y - ȳ_h without f)² / Σ_f Σ (y - ȳ without f)²; at most 1, below 0 where classes do not
    carry over. A class that the other folds do not have is predicted by their mean.
    """
    missed = spread = 0.0
    for fold, (train, edges) in enumerate(choose):
        held = bins.only(fold)
        weight = float(train.weights.sum())
        if weight == 0 or held.counts.sum() == 0:
            continue
        mean = float(train.sums.sum()) / weight
        cuts = Cuts.of([np.array([0, bins.counts.shape[1]]) if edges is None else edges])
        w, s, own_w, own_s = (
            cuts.over(part[0]) for part in (train.weights, train.sums, held.weights, held.sums)
        )
        guess = np.where(w > 0, s / np.where(w > 0, w, 1.0), mean)
        squares = float(held.squares.sum())
        missed += squares - 2 * float(guess @ own_s) + float(guess**2 @ own_w)
        spread += squares - 2 * mean * float(own_s.sum()) + mean**2 * float(own_w.sum())
    return 1.0 - missed / spread if spread > 0 else float("nan")


def surrogate_q(sums: Array, squares: Array, weights: Array, cuts: Cuts) -> Array:
    """The largest q over all candidates for each of several responses on the same bins, shape (B,).

    Parameters
    ----------
    sums : weighted sums of each response over the bins, shape (B, bins)
    squares : weighted sums of its squares, shape (B, bins); where every candidate holds every bin, only
        their total matters and shape (B, 1) is enough
    weights : of the bins, shape (bins,)
    cuts : the candidates that compete
    """
    in_class = cuts.over(weights)
    total = squares.sum(axis=1) - sums.sum(axis=1) ** 2 / weights.sum()
    between = cuts.each(np.where(in_class > 0, cuts.over(sums) ** 2 / np.maximum(in_class, 1e-300), 0.0))
    whole = squares.shape[1] == 1
    held = squares.sum(axis=1, keepdims=True) if whole else cuts.each(cuts.over(squares))
    return np.asarray((1.0 - (held - between) / total[:, None]).max(axis=1))


@dataclass(frozen=True, slots=True)
class QTest:
    """The F test of a q."""

    f_statistic: float
    df: float
    df_residual: float
    p_value: float
    log_p: float


def q_test(q: float, expected: float, df: float, df_residual: float) -> QTest:
    """The test that classes have no meaning: F = q / (1 - q) · (1 - E) / E, with E the expected q.

    For independent pixels E = (K - 1) / (n - 1), df = K - 1 and df_residual = n - K, and this is the F of
    a one-way analysis of variance. It is central, so adding a constant to the response changes nothing;
    the noncentral F of Wang et al. (2016) is `gd_p_value`.

    Examples
    --------
    >>> test = q_test(0.1411154166346643, 4 / 712, 4, 708)   # ndvi_40, Mining
    >>> round(test.f_statistic, 9), f"{test.p_value:.6e}"
    (29.08124005, '2.089813e-22')
    """
    if not (0 < expected < 1 and df > 0 and df_residual > 0) or np.isnan(q):
        return QTest(float("nan"), df, df_residual, float("nan"), float("nan"))
    f = q / (1.0 - q) * (1.0 - expected) / expected if q < 1 else float("inf")
    log_p = float(log_p_f(f, df, df_residual))
    return QTest(f, df, df_residual, float(np.exp(log_p)), log_p)


def adjusted_q(q: float, expected: float) -> float:
    """(q - E) / (1 - E): 0 on average for classes without meaning; may be negative."""
    return (q - expected) / (1.0 - expected) if expected < 1 else float("nan")


def gd_p_value(q: float, counts: Array, means: Array, variance: float, n: int, n_classes: int) -> float:
    """The p-value that GD prints: F against a noncentral F.

    λ = [Σ m_h² - (Σ √n_h m_h)² / n] / σ², from class means that are not weighted by n_h, so it changes when
    a constant is added to the response (PEERS, section 0). R has it to about 1e-9. Classes of one pixel
    are left out of the sums; n, the number of classes and the divisor of σ² still count them, as in GD.

    Parameters
    ----------
    q : of the classes that have two pixels or more
    counts, means : those classes' pixels and means of the response itself, shape (K,)
    variance : of the response on their pixels, divisor one less than their number
    n, n_classes : pixels and classes, single ones included

    Examples
    --------
    >>> counts, means = np.array([3.0, 4.0]), np.array([2.0, 5.5])   # 1 to 7, and 50 alone in a class
    >>> round(gd_p_value(0.75, counts, means, np.var([1, 2, 3, 4, 5, 6, 7], ddof=1), 8, 3), 9)
    0.097019148
    """
    df, df_residual = n_classes - 1, n - n_classes
    if df < 1 or df_residual < 1 or np.isnan(q) or variance == 0:
        return float("nan")
    if q >= 1:
        return 0.0
    f = df_residual / df * q / (1.0 - q)
    spread = variance * (n - 1) / n
    ncp = float(((means**2).sum() - (np.sqrt(counts) * means).sum() ** 2 / n) / spread)
    if ncp <= 0:
        return float(stats.f.sf(f, df, df_residual))
    return float(np.clip(1.0 - special.ncfdtr(df, df_residual, ncp, f), 0.0, 1.0))


def gd_factor(classes: ClassSums, whole: ClassSums, centre: float) -> tuple[float, float]:
    """q and p as GD's `gd` has them: classes of one pixel are in neither sum of squares.

    Parameters
    ----------
    classes : the classes
    whole : all pixels with a value, those in no class too: they count in the total alone
    centre : what was taken off the response, in its units

    Examples
    --------
    >>> y, at = np.array([1.0, 2, 3, 4, 5, 6, 7, 50]), np.array([0, 0, 0, 1, 1, 1, 1, 2])
    >>> sums = ClassSums(*(np.bincount(at, w) for w in (y * 0 + 1, y * 0 + 1, y, y * y)))
    >>> [round(v, 9) for v in gd_factor(sums, sums, 0.0)]
    [0.75, 0.097019148]
    """
    single = classes.counts == 1
    parts = (classes.counts, classes.weights, classes.sums, classes.squares)
    kept = ClassSums(*(part[~single] for part in parts))
    n = int(whole.counts.sum())
    m = n - int(single.sum())
    total = kept.squares.sum() + float(whole.squares.sum() - classes.squares.sum())
    mean = kept.sums.sum() + float(whole.sums.sum() - classes.sums.sum())
    spread = float(total - mean**2 / m)
    q = 1.0 - kept.within / spread if spread > 0 else float("nan")
    variance = spread / (m - 1) if m > 1 else 0.0
    return q, gd_p_value(q, kept.counts, kept.means + centre, variance, n, len(classes.counts))
