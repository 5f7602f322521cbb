"""The class limits of the R package GD, for `compat: GD`: its numbers, its faults included.

For comparison with published results only. Formulas and rounding were inferred from the limits and counts
that GD 10.8 and 10.10 give (Song et al. 2020, doi:10.1080/15481603.2020.1760434).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

WHOLE_STEPS = 7
"""Up to this many limits GD counts in half standard deviations, beyond it in quarters."""

WIDEST = 400
"""Limits up to which the standard deviation rule is widened; GD itself would go on without end."""

RAISES = 2000
"""Numbers of quantiles tried where values repeat; GD itself would go on without end."""

ENDLESS = "GD would search for {k} classes without end: ask for fewer classes, or another method"
"""Why there are no limits where GD does not return."""

REPEATED = "GD's limits for {k} classes repeat, and it leaves such a candidate out: ask for fewer classes"
"""Why there are no limits where GD's own are not ascending."""

OPPOSITE = (
    "GD fails where the smallest and the largest value differ in sign only: "
    "use another method, or the rules of this package"
)
"""Why there are no geometric limits for -a ... a."""

BELOW_ZERO = "GD's geometric rule is not known where no value is above zero: use another method"
"""Why there are no geometric limits for values that are all negative or zero."""


def gd_equal(ordered: Array, k: int) -> Array:
    """Limits at equal distances.

    Examples
    --------
    >>> gd_equal(np.array([0.0, 1.0, 6.0]), 3).tolist()
    [0.0, 2.0, 4.0, 6.0]
    """
    return np.linspace(ordered[0], ordered[-1], k + 1)


def gd_quantile(ordered: Array, k: int, first: int) -> Array | str:
    """Type 7 quantiles; where they repeat, the different ones of more quantiles than were asked for.

    Below `first` quantiles there cannot be enough different limits.
    With ties the result may have more than k + 1 limits, and they are not k-quantiles.

    Examples
    --------
    >>> values = np.concatenate((np.zeros(60), np.arange(1.0, 41.0)))
    >>> gd_quantile(values, 3, 3).round(6).tolist()
    [0.0, 0.4, 20.2, 40.0]
    """
    for m in range(max(k, first), max(k, first) + RAISES):
        # The order of operations is R's: at an integer position rounding decides on the class of a value.
        place = (len(ordered) - 1) * (np.arange(m + 1) * (1.0 / m))
        place[-1] = len(ordered) - 1
        below = np.floor(place).astype(np.intp)
        above = np.ceil(place).astype(np.intp)
        part = place - below
        low, high = ordered[below], ordered[above]
        limits = np.unique(np.where(high > low, (1.0 - part) * low + part * high, low))
        if len(limits) > k:
            return limits
    return ENDLESS.format(k=k)


def gd_geometric(ordered: Array, k: int) -> Array | str:
    """Limits in geometric progression on x + 1: k of them, so k - 1 classes; with negative values k + 1.

    The last limit is rounded and may lie below the largest value, which is then in no class. With negative
    values both sides of zero have a progression of |x| + 1, in proportion to their extremes.

    Examples
    --------
    >>> gd_geometric(np.array([0.0, 2.0, 9.0]), 3).round(6).tolist()
    [0.0, 2.162278, 9.0]
    >>> gd_geometric(np.array([-3.0, -1.0, 0.0, 2.0, 9.0]), 4).round(6).tolist()
    [-3.0, -1.0, 1.154435, 3.641589, 9.0]
    """
    low, high = float(ordered[0]), float(ordered[-1])
    if low >= 0:
        return _progression(low + 1.0, high + 1.0, k)
    if high <= 0:
        return BELOW_ZERO
    if -low == high:
        return OPPOSITE
    larger = min(math.floor((k + 1) / (1.0 + min(-low, high) / max(-low, high))), k)
    above = larger if high > -low else k + 1 - larger
    below = k + 1 - above
    right = _progression(1.0, high + 1.0, above + 1)[1:]
    left = -_progression(1.0, 1.0 - low, below + 1)[:0:-1]
    return np.concatenate((left, right))


def _progression(low: float, high: float, count: int) -> Array:
    """`count` numbers from low to high in geometric progression, minus 1, with the rounding of GD."""
    ratio = math.pow(high / low, 1.0 / (count - 1))
    try:
        # R squares where the exponent is 2.
        powers = [ratio * ratio if i == 2 else math.pow(ratio, i) for i in range(1, count + 1)]
    except OverflowError:
        return np.full(count, np.nan)
    return np.array(powers) * (low / ratio) - 1.0


def gd_sd(ordered: Array, k: int) -> Array | str:
    """Cuts around the mean by standard deviations, more of them until there are k + 1 limits or one more.

    Examples
    --------
    >>> gd_sd(np.arange(1.0, 101.0), 4).round(6).tolist()
    [1.0, 21.488508, 50.5, 79.511492, 100.0]
    >>> len(gd_sd(np.arange(1.0, 101.0), 6))
    8
    """
    mean, sd = float(ordered.mean()), float(ordered.std(ddof=1))
    for m in range(k + 1, WIDEST):
        steps = np.arange(m % 2 + 1.0 if m % 2 == 0 else 0.0, m - 2, 2.0)
        away = steps / (2 if m <= WHOLE_STEPS else 4) * sd
        cuts = np.unique(np.concatenate((mean - away, mean + away)))
        cuts = cuts[(cuts > ordered[0]) & (cuts < ordered[-1])]
        if len(cuts) + 2 > k:
            return np.concatenate((ordered[:1], cuts, ordered[-1:]))
    return ENDLESS.format(k=k)
