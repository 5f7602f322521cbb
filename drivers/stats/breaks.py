"""Class limits of one column by five rules: where a continuous driver is cut for the geodetector.

Classes are closed on the right and the first holds the smallest value too: [b0, b1], (b1, b2], ...
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from drivers.stats.gd_breaks import REPEATED, gd_equal, gd_geometric, gd_quantile, gd_sd
from drivers.stats.natural import natural_breaks

Array = NDArray[np.float64]

METHODS: tuple[str, ...] = ("equal", "natural", "quantile", "geometric", "sd")
"""The rules, in the order in which GD tries them."""

TRIES = 200
"""Numbers of quantiles tried where values repeat."""

MANY = 1000
"""Quantiles per class at most where values repeat; finer ones would separate single values of millions."""

EMPTY = "there are no values"
"""Why an empty column has no limits."""

CONSTANT = "all values are equal, so there is nothing to divide: leave this driver out"
"""Why a constant column has no limits."""

FEW = "{k} classes need {k} different values and there are {distinct}: ask for at most {distinct} classes"
"""Why a column of few different values has no limits."""

TIED = "equal values keep quantiles from making exactly {k} classes: ask for fewer, or use natural breaks"
"""Why the quantile rule gives none."""

OUTSIDE = (
    "the cuts for {k} classes reach {reach} standard deviations from the mean, beyond the values: "
    "ask for fewer classes, or another method"
)
"""Why the standard deviation rule gives none."""

CLOSE = "{k} different limits do not fit between values this close together: ask for fewer classes"
"""Why limits that rounding has made equal are not given."""


@dataclass(frozen=True, slots=True)
class Breaks:
    """Class limits that one rule gives for one number of classes.

    `values` has shape (n_classes + 1,) and ascends strictly, from the smallest value to the largest; GD's may
    be more or fewer and end below the largest. It is None where the rule gives none, and `reason` says why.
    `gap`, of natural breaks only, bounds how far the sum of squares within classes is from the least
    possible, as a share of the total; 0.0 says that it is the least.
    """

    method: str
    n_classes: int
    values: Array | None
    reason: str = ""
    gap: float = 0.0


def rule_breaks(
    ordered: Array, methods: Sequence[str], classes: Sequence[int], *, gd: bool = False
) -> tuple[Breaks, ...]:
    """Class limits by every method and number of classes, in the order methods × classes.

    Parameters
    ----------
    ordered : finite values, ascending, shape (n,), in any unit
    methods : some of `METHODS`
    classes : numbers of classes, each at least 2
    gd : the limits of the R package GD instead, faults included

    Notes
    -----
    With k classes, i = 1..k-1, smallest value a and largest b:

    - equal: a + (b - a) i/k
    - natural: the least sum of squares within classes (`natural_breaks`)
    - quantile: type 7 (Hyndman & Fan 1996, doi:10.1080/00031305.1996.10473566). Where values repeat, the
      least m > k is taken whose m-quantiles, without repetitions and without those that close an empty
      class, make k classes. Values equal to the smallest are in the first class with what follows them.
    - geometric: (a + 1) ((b + 1)/(a + 1))^(i/k) - 1. With values on both sides of zero, ⌊(k + 1)/(1 + r)⌋ of
      the k + 1 limits are on the side with the larger extreme, r being the ratio of the smaller extreme to
      the larger; each side is the progression of |x| + 1 from zero to its extreme, without zero itself.
      Values that are all below zero are mirrored.
    - sd: mean + (i - k/2) sd, only where all of these lie inside (a, b)

    Examples
    --------
    >>> values = np.array([1.0, 2.0, 2.0, 3.0, 7.0, 9.0, 31.0])
    >>> for b in rule_breaks(values, METHODS, [3]):
    ...     print(b.method, b.values.round(3).tolist())
    equal [1.0, 11.0, 21.0, 31.0]
    natural [1.0, 3.0, 9.0, 31.0]
    quantile [1.0, 2.0, 7.0, 31.0]
    geometric [1.0, 4.04, 11.699, 31.0]
    sd [1.0, 2.547, 13.168, 31.0]
    """
    unknown = [m for m in methods if m not in METHODS]
    if unknown:
        raise ValueError(f"no rule of breaks is called `{unknown[0]}`; known: {', '.join(METHODS)}")
    if any(k < 2 for k in classes):
        raise ValueError(f"{min(classes)} classes divide nothing: ask for at least 2")
    # Extreme values may overflow on the way; what comes of it is seen in the limits.
    with np.errstate(all="ignore"):
        column = _Column(np.asarray(ordered, dtype=np.float64), gd)
        found = {m: column.rule(m, classes) for m in methods}
    return tuple(b for m in methods for b in found[m])


class _Column:
    """One column with what several rules need of it, each found once."""

    def __init__(self, ordered: Array, gd: bool) -> None:
        self.gd = gd
        self.ordered = ordered
        self.distinct = 0 if not len(ordered) else 1 + int(np.count_nonzero(ordered[1:] != ordered[:-1]))
        # A range beyond float64: a quarter of everything has one inside it.
        self.factor = 1.0 if self.distinct < 2 or np.isfinite(ordered[-1] - ordered[0]) else 4.0
        self.inside = ordered if self.factor == 1.0 else ordered / self.factor

    def rule(self, method: str, classes: Sequence[int]) -> list[Breaks]:
        """The limits of one rule."""
        if method == "natural":
            return self.natural(classes)
        return [self.checked(method, k) for k in classes]

    def few(self, k: int) -> str:
        """Why k classes cannot be made of so few different values; empty where they can."""
        if self.distinct < 2:
            return CONSTANT if self.distinct else EMPTY
        return FEW.format(k=k, distinct=self.distinct) if self.distinct < k else ""

    def natural(self, classes: Sequence[int]) -> list[Breaks]:
        """Natural breaks, all numbers of classes in one search; GD's are the same."""
        possible = [k for k in classes if not self.few(k)]
        found = dict(zip(possible, natural_breaks(self.ordered, possible), strict=True))
        out = []
        for k in classes:
            if k not in found:
                out.append(Breaks("natural", k, None, self.few(k)))
            else:
                limits = found[k].limits if self.gd else self.apart(found[k].limits)
                out.append(self.ascending("natural", k, limits, found[k].gap))
        return out

    def apart(self, limits: Array) -> Array:
        """The limits; a first class of the smallest value alone is made to end midway to the next."""
        if limits[1] > limits[0]:
            return limits
        above = self.ordered[np.searchsorted(self.ordered, limits[0], side="right")]
        return np.concatenate((limits[:1], [limits[0] / 2 + above / 2], limits[2:]))

    def checked(self, method: str, k: int) -> Breaks:
        """The limits of a rule that looks at one number of classes at a time."""
        few = self.few(k) if self.distinct < 2 or not self.gd else ""
        if few:
            return Breaks(method, k, None, few)
        limits = self.gd_limits(method, k) if self.gd else RULES[method](self, k)
        if isinstance(limits, str):
            return Breaks(method, k, None, limits)
        return self.ascending(method, k, limits)

    def ascending(self, method: str, k: int, limits: Array, gap: float = 0.0) -> Breaks:
        """The limits, or the reason why rounding or GD spoils them."""
        if np.isfinite(limits).all() and (limits[1:] > limits[:-1]).all():
            return Breaks(method, k, limits, "", gap)
        return Breaks(method, k, None, (REPEATED if self.gd else CLOSE).format(k=k))

    def gd_limits(self, method: str, k: int) -> Array | str:
        """GD's limits."""
        if method == "equal":
            return gd_equal(self.ordered, k)
        if method == "quantile":
            return gd_quantile(self.ordered, k, self.fewest_quantiles(k))
        return gd_geometric(self.ordered, k) if method == "geometric" else gd_sd(self.ordered, k)

    def outer(self, cuts: Array) -> Array:
        """The cuts, in the scale of `inside`, between the smallest and the largest value."""
        return np.concatenate((self.ordered[:1], cuts * self.factor, self.ordered[-1:]))

    def equal(self, k: int) -> Array | str:
        """Equal distances."""
        low, high = self.inside[0], self.inside[-1]
        return self.outer(low + (high - low) * (np.arange(1, k) / k))

    @cached_property
    def spread(self) -> tuple[float, float]:
        """Mean and sd as shares of the range: squares of tiny or huge values vanish or overflow."""
        share = self.inside - self.inside[0]
        share /= self.inside[-1] - self.inside[0]
        mean = float(share.mean())
        share -= mean
        return mean, float(np.sqrt(share @ share / (len(share) - 1)))

    def sd(self, k: int) -> Array | str:
        """Distances of one standard deviation, symmetric about the mean."""
        low, high = self.inside[0], self.inside[-1]
        mean, spread = self.spread
        cuts = mean + (np.arange(1, k) - k / 2) * spread
        if cuts[0] <= 0 or cuts[-1] >= 1:
            return OUTSIDE.format(k=k, reach=f"{k / 2 - 1:g}")
        return self.outer(low + (high - low) * cuts)

    def geometric(self, k: int) -> Array | str:
        """Geometric progression of |x| + 1, from zero to both sides where there are negative values."""
        low, high = self.ordered[0], self.ordered[-1]
        if low >= 0:
            return np.concatenate(([low], _progression(low, high, k)[1:-1], [high]))
        if high <= 0:
            return -np.concatenate(([-high], _progression(-high, -low, k)[1:-1], [-low]))[::-1]
        ratio = min(-low, high) / max(-low, high)
        # At least the extreme itself is on the smaller side.
        larger = min(int((k + 1) / (1.0 + ratio)), k)
        above = larger if high >= -low else k + 1 - larger
        right = _progression(0.0, high, above)[1:-1]
        left = -_progression(0.0, -low, k + 1 - above)[-2:0:-1]
        return np.concatenate(([low], left, right, [high]))

    def quantile(self, k: int) -> Array | str:
        """Equal numbers of values, as far as ties let them."""
        limits = self.quantiles(k)
        if len(limits) == k + 1:
            return limits
        first = max(k + 1, self.fewest_quantiles(k))
        for m in range(first, min(first + TRIES, MANY * k)):
            limits = self.quantiles(m)
            if len(limits) == k + 1:
                return limits
        return TIED.format(k=k)

    def quantiles(self, m: int) -> Array:
        """Different m-quantiles, without those that close an empty class."""
        below, rest = np.divmod(np.arange(m + 1) * (len(self.ordered) - 1), m)
        low, high = self.inside[below], self.inside[np.minimum(below + 1, len(self.ordered) - 1)]
        # Between equal neighbours, and at a value itself, nothing may be rounded away from it.
        limits = np.where(rest > 0, np.clip(low + (high - low) * (rest / m), low, high), low)
        limits = limits[np.append(True, np.diff(limits) > 0)]
        # The first class holds its lower limit too.
        held = np.diff(np.append(0, np.searchsorted(self.inside, limits[1:], side="right")))
        limits = limits[np.append(True, held > 0)] * self.factor
        return np.asarray(limits)

    def fewest_quantiles(self, k: int) -> int:
        """Quantiles below which the longest run of equal values leaves fewer than k + 1 limits."""
        if self.distinct == len(self.ordered):
            return k
        starts = np.flatnonzero(np.append(True, self.ordered[1:] != self.ordered[:-1]))
        run = int(np.diff(np.append(starts, len(self.ordered))).max()) - 1
        return max(k, int((k - 2) / (1.0 - run / (len(self.ordered) - 1))) - 1)


RULES: dict[str, Callable[[_Column, int], Array | str]] = {
    "equal": _Column.equal,
    "quantile": _Column.quantile,
    "geometric": _Column.geometric,
    "sd": _Column.sd,
}
"""The rules that look at one number of classes at a time."""


def _progression(low: float, high: float, steps: int) -> Array:
    """Numbers from low to high in `steps` steps, x + 1 in geometric progression."""
    start, stop = np.log1p(low), np.log1p(high)
    return np.asarray(np.expm1(start + (stop - start) * np.arange(steps + 1) / max(steps, 1)))
