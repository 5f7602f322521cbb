"""Moments of the groups of a structural model, judged before they are used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

SINGULAR = 1e-10
"""Smallest eigenvalue of a correlation matrix that counts as positive definite; see `linear.ALIASED`."""

TINY = 1e-280
"""Variance below which a number has lost its digits, or soon will have."""

BLAMED = 0.1
"""Entry of a null vector, of length one, from which its variable or parameter has to do with it."""


class SingularCovariance(ValueError):
    """A sample covariance that is not positive definite, or has no more rows than columns.

    Attributes
    ----------
    group : which
    columns : those that are to blame; all where there are too few rows
    """

    def __init__(self, group: int, columns: tuple[int, ...], why: str) -> None:
        super().__init__(f"group {group}: {why}; columns {list(columns)}")
        self.group = group
        self.columns = columns


@dataclass(frozen=True, eq=False)
class SampleMoments:
    """Moments of G groups.

    Attributes
    ----------
    n : rows (or sums of weights), shape (G,)
    mean : shape (G, p)
    covariance : with divisor n, shape (G, p, p)
    """

    n: Array
    mean: Array
    covariance: Array


def sample_moments(n: ArrayLike, mean: ArrayLike, covariance: ArrayLike) -> SampleMoments:
    """Checked moments, of one group (a number, shapes (p,) and (p, p)) or of several.

    Raises
    ------
    ValueError
        shapes do not go together
    SingularCovariance
        a column is constant or not finite, columns are linear combinations of others, or n <= p
    """
    count = np.atleast_1d(np.asarray(n, dtype=np.float64))
    middle = np.atleast_2d(np.asarray(mean, dtype=np.float64))
    cov = np.asarray(covariance, dtype=np.float64)
    cov = cov[None] if cov.ndim == 2 else cov
    p = cov.shape[-1]
    if cov.shape != (len(count), p, p) or middle.shape != (len(count), p):
        raise ValueError(f"n, mean and covariance of shapes {count.shape}, {middle.shape} and {cov.shape}")
    for g in range(len(count)):
        if not count[g] > p:
            raise SingularCovariance(g, tuple(range(p)), f"{count[g]:g} rows for {p} columns")
        variance = np.diag(cov[g])
        with np.errstate(invalid="ignore"):
            bad = ~(np.isfinite(cov[g]).all(axis=1) & np.isfinite(middle[g]) & (variance > TINY))
        if bad.any():
            alone = bad & ~((variance > TINY) & np.isfinite(variance))
            blamed = np.flatnonzero(alone if alone.any() else bad)
            raise SingularCovariance(g, tuple(blamed.tolist()), "no variance, or not finite")
        spread = np.sqrt(variance)
        correlation = cov[g] / spread[:, None] / spread  # products of variances may be out of range
        values, vectors = np.linalg.eigh(correlation)
        null = values < SINGULAR
        if null.any():
            blamed = np.flatnonzero(np.abs(vectors[:, null]).max(axis=1) > BLAMED)
            raise SingularCovariance(g, tuple(blamed.tolist()), "linearly dependent, or not a covariance")
    return SampleMoments(count, middle, cov)


def normal_log_likelihood(sample: SampleMoments, columns: Sequence[int] | None = None) -> float:
    """Of the unrestricted model, over some columns: -1/2 Σ n (c ln 2π + ln|S| + c)."""
    index = np.arange(sample.mean.shape[1]) if columns is None else np.asarray(columns, dtype=np.intp)
    part = sample.covariance[:, index][:, :, index]
    spread = np.sqrt(np.diagonal(part, axis1=1, axis2=2))
    unit = part / (spread[:, :, None] * spread[:, None, :])
    log_det = np.linalg.slogdet(unit)[1] + 2.0 * np.log(spread).sum(axis=1)
    return float(-0.5 * sample.n @ (len(index) * (np.log(2.0 * np.pi) + 1.0) + log_det))
