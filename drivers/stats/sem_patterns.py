"""Rows with missing values by what is missing, and the likelihood of a structural model of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from drivers.stats.sem_scaled import Numbers, ScaledModel, State

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Pattern:
    """The rows of a group that have the same columns.

    Attributes
    ----------
    group : which
    columns : that are there, shape (o,)
    rows : which rows of the group, shape (n,)
    mean, covariance : with divisor n, shapes (o,) and (o, o)
    """

    group: int
    columns: NDArray[np.intp]
    rows: NDArray[np.intp]
    mean: Array
    covariance: Array

    @property
    def n(self) -> int:
        """Number of rows."""
        return len(self.rows)


def patterns(rows: Sequence[Array]) -> list[Pattern]:
    """Rows of every group, shape (n, p) with NaN for missing, by what is missing; rows without any value not.

    Examples
    --------
    >>> found = patterns([np.array([[1.0, 2.0], [3.0, np.nan], [3.0, 4.0], [np.nan, np.nan]])])
    >>> [(p.columns.tolist(), p.rows.tolist(), p.mean.tolist()) for p in found]
    [([0], [1], [3.0]), ([0, 1], [0, 2], [2.0, 3.0])]
    """
    found = []
    for g, table in enumerate(rows):
        seen, which = np.unique(~np.isnan(table), axis=0, return_inverse=True)
        for i, there in enumerate(seen):
            if not there.any():
                continue
            at = np.flatnonzero(which.ravel() == i)
            columns = np.flatnonzero(there)
            part = table[np.ix_(at, columns)]
            away = part - part.mean(axis=0)
            found.append(Pattern(g, columns, at, part.mean(axis=0), away.T @ away / len(at)))
    return found


@dataclass(frozen=True, eq=False)
class PatternDiscrepancy:
    """F = Σ over patterns n_o/N [ln|Σ_oo| + tr Σ_oo⁻¹ T_o], less that of the unrestricted model.

    Attributes
    ----------
    model : the scaled model
    patterns : moments in the model's units, about its centre
    groups : G
    unrestricted : what is taken off each group, weighted, shape (G,)
    """

    model: ScaledModel
    patterns: tuple[Pattern, ...]
    groups: int
    unrestricted: Array

    def of(self, model: ScaledModel) -> PatternDiscrepancy:
        """The same data under another model in the same units."""
        return replace(self, model=model)

    @cached_property
    def n(self) -> float:
        """Rows."""
        return float(sum(o.n for o in self.patterns))

    @cached_property
    def constant(self) -> Array:
        """What -2 ln L of each group has beyond F: units, and 2π, shape (G,)."""
        unit, found = self.model.scale, np.zeros(self.groups)
        for o in self.patterns:
            found[o.group] += o.n * (
                2.0 * np.log(unit[o.columns]).sum() + len(o.columns) * np.log(2.0 * np.pi)
            )
        return found

    def by_group(self, state: State) -> Array:
        """F of every group, weighted by its share of the rows, shape (G,)."""
        sigma, mu = self.model.moments(state)
        found = -self.unrestricted
        for o in self.patterns:
            part = sigma[o.group][np.ix_(o.columns, o.columns)]
            away = o.mean - mu[o.group, o.columns]
            try:
                lower = np.linalg.cholesky(part)
            except np.linalg.LinAlgError:
                return np.full(self.groups, np.inf)
            trace = np.trace(np.linalg.solve(part, o.covariance + np.outer(away, away)))
            found[o.group] += o.n / self.n * (2.0 * np.log(np.diag(lower)).sum() + float(trace))
        return found

    def value(self, state: State) -> float:
        """F."""
        return float(self.by_group(state).sum())

    def gradient(self, point: Numbers) -> Numbers:
        """Of F, at points of shape (..., k)."""
        state = self.model.state(point)
        sigma, mu = self.model.moments(state)
        by_covariance, by_mean = np.zeros_like(sigma), np.zeros_like(mu)
        for o in self.patterns:
            block = (..., o.group, o.columns[:, None], o.columns)
            inverse = np.linalg.inv(sigma[block])
            away = o.mean - mu[..., o.group, o.columns]
            total = o.covariance + away[..., :, None] * away[..., None, :]
            w = o.n / self.n
            by_covariance[block] -= w * (inverse @ (total - sigma[block]) @ inverse)
            by_mean[..., o.group, o.columns] -= 2.0 * w * (inverse @ away[..., None])[..., 0]
        return self.model.pull(state, by_covariance, by_mean)

    def information(self, state: State) -> Array:
        """Expected second derivatives of F, given what is missing, shape (k, k)."""
        k = self.model.structure.parameters
        found = np.zeros((k, k))
        sigma, _ = self.model.moments(state)
        slopes = [self.model.slopes(state, g) for g in range(self.groups)]
        for o in self.patterns:
            own = slopes[o.group]
            root = np.linalg.inv(np.linalg.cholesky(sigma[o.group][np.ix_(o.columns, o.columns)]))
            white = root @ own.covariance[:, o.columns[:, None], o.columns] @ root.T
            flat = white.reshape(len(own.active), len(o.columns) ** 2)
            level = own.mean[:, o.columns] @ root.T
            both = flat @ flat.T + 2.0 * level @ level.T
            found[np.ix_(own.active, own.active)] += o.n / self.n * both
        return found


def pattern_discrepancy(scaled: ScaledModel, found: Sequence[Pattern], groups: int) -> PatternDiscrepancy:
    """F of a model from patterns in raw units, nothing taken off."""
    p = scaled.structure.observed
    unit, centre = scaled.scale[:p], scaled.centre[:p]
    own = tuple(
        replace(
            o,
            mean=(o.mean - centre[o.columns]) / unit[o.columns],
            covariance=o.covariance / np.outer(unit[o.columns], unit[o.columns]),
        )
        for o in found
    )
    return PatternDiscrepancy(scaled, own, groups, np.zeros(groups))
