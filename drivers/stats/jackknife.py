"""Standard errors from estimates that each leave one fold out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Jackknife:
    """Errors of m numbers from K estimates of each.

    Attributes
    ----------
    std_error : shape (m,)
    df : degrees of freedom of the t that it makes, K - 1
    """

    std_error: Array
    df: int


def delete_group_jackknife(estimates: Array) -> Jackknife:
    """The delete-a-group jackknife.

    Parameters
    ----------
    estimates : m numbers, each found K times without one of K groups of like size, shape (K, m)

    Raises
    ------
    ValueError
        fewer than two groups

    Notes
    -----
    SE² = (K - 1)/K Σ_k (θ_k - θ̄)² (Kott 2001, Journal of Official Statistics 17:521; Efron 1982,
    doi:10.1137/1.9781611970319): estimates that share K - 2 of K groups differ little, and the factor makes
    up for it. So it does with what chance of its own each estimate has (the bags of a forest), and the error
    is then too large rather than too small. Where groups are blocks of neighbours, it counts what they share.

    Examples
    --------
    >>> found = delete_group_jackknife(np.array([[2.0], [3.0], [7.0]]))   # means of pairs of 8, 6, -2
    >>> found.std_error.round(6).tolist(), found.df   # √(28 / 3): the standard error of their mean
    ([3.05505], 2)
    """
    k = len(estimates)
    if k < 2:
        raise ValueError(f"the jackknife needs two groups, not {k}")
    apart = estimates - estimates.mean(axis=0)
    return Jackknife(np.sqrt((k - 1) / k * (apart**2).sum(axis=0)), k - 1)
