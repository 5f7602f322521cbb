"""Rows with missing values by what is missing, and the likelihood of a structural model of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from drivers.stats.sem_scaled import ScaledModel
from drivers.stats.sem_state import Numbers, State

Array = NDArray[np.float64]

CELLS = 2_000_000
"""Cells of matrices of patterns that are in memory at once."""


def filled_with_means(matrix: Array) -> Array:
    """Variables with gaps, shape (p, n), each gap filled with the mean of what is there; 0 where nothing is.

    Good enough to tell which columns vary, and for nothing else: variances come out too small.

    Examples
    --------
    >>> filled_with_means(np.array([[1.0, np.nan, 3.0]])).tolist()
    [[1.0, 2.0, 3.0]]
    """
    there = ~np.isnan(matrix)
    means = np.where(there, matrix, 0.0).sum(axis=1) / np.maximum(there.sum(axis=1), 1)
    return np.where(there, matrix, means[:, None])


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
class Folded:
    """B patterns in arrays of one size, with nothing where a value is missing.

    Attributes
    ----------
    group, n : shape (B,)
    there : which columns there are, shape (B, p)
    mean : shape (B, p)
    several : patterns with a covariance, as those of one row have not, shape (s,)
    covariance : of these, shape (s, p, p)
    """

    group: NDArray[np.intp]
    n: Array
    there: NDArray[np.bool_]
    mean: Array
    several: NDArray[np.intp]
    covariance: Array

    def of(self, sigma: Numbers, mu: Numbers) -> tuple[Numbers, Numbers]:
        """Σ_oo, with ones for what is missing, and x̄ - μ, shapes (..., B, p, p) and (..., B, p)."""
        both = self.there[:, :, None] & self.there[:, None, :]
        block = np.where(both, sigma[..., self.group, :, :], np.eye(sigma.shape[-1]))
        return block, np.where(self.there, self.mean - mu[..., self.group, :], 0.0)

    def inverse(self, sigma: Numbers, mu: Numbers) -> tuple[Numbers, Numbers]:
        """Σ_oo⁻¹, nil for what is missing, and x̄ - μ."""
        block, away = self.of(sigma, mu)
        both = self.there[:, :, None] & self.there[:, None, :]
        return np.where(both, np.linalg.inv(block), 0.0), away


def folded(found: Sequence[Pattern], p: int, points: int = 1) -> Iterator[Folded]:
    """Patterns some at a time, so many that their matrices at `points` points stay in memory."""
    size = max(1, CELLS // (points * p * p))
    for begin in range(0, len(found), size):
        part = found[begin : begin + size]
        there, mean = np.zeros((len(part), p), dtype=bool), np.zeros((len(part), p))
        several = np.array([i for i, o in enumerate(part) if o.covariance.any()], dtype=np.intp)
        covariance = np.zeros((len(several), p, p))
        for i, o in enumerate(part):
            there[i, o.columns], mean[i, o.columns] = True, o.mean
        for c, i in zip(covariance, several.tolist(), strict=True):
            c[part[i].columns[:, None], part[i].columns] = part[i].covariance
        group = np.array([o.group for o in part], dtype=np.intp)
        n = np.array([o.n for o in part], dtype=np.float64)
        yield Folded(group, n, there, mean, several, covariance)


def residual_sums(found: Sequence[Pattern], sigma: Numbers, mu: Numbers) -> tuple[Numbers, Numbers]:
    """Σ n W(T - Σ)W and Σ n W(x̄ - μ) of each group, W = Σ_oo⁻¹, shapes (..., G, p, p) and (..., G, p).

    They are what the gradient of ln L, and a step of the EM algorithm, consist of.
    """
    second, first = np.zeros_like(sigma), np.zeros_like(mu)
    p = sigma.shape[-1]
    points = int(np.prod(sigma.shape[:-3]))
    for part in folded(found, p, points):
        inverse, away = part.inverse(sigma, mu)
        r = (inverse @ away[..., None])[..., 0]
        some = inverse[..., part.several, :, :]
        inner = some @ part.covariance @ some
        for g in np.unique(part.group):
            at = part.group == g
            own = at[part.several]
            n, weight = part.n[at], part.n[part.several][own]
            mine = r[..., at, :]
            second[..., g, :, :] += np.swapaxes(mine * n[:, None], -1, -2) @ mine
            second[..., g, :, :] -= np.einsum("b,...bij->...ij", n, inverse[..., at, :, :])
            second[..., g, :, :] += np.einsum("b,...bij->...ij", weight, inner[..., own, :, :])
            first[..., g, :] += np.einsum("b,...bi->...i", n, mine)
    return second, first


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
        for part in folded(self.patterns, self.model.structure.observed):
            block, away = part.of(sigma, mu)
            try:
                lower = np.linalg.cholesky(block)
            except np.linalg.LinAlgError:
                return np.full(self.groups, np.inf)
            each = 2.0 * np.log(np.diagonal(lower, axis1=1, axis2=2)).sum(axis=1)
            each += (away * np.linalg.solve(block, away[..., None])[..., 0]).sum(axis=1)
            several = part.several
            solved = np.linalg.solve(block[several], part.covariance)
            each[several] += np.trace(solved, axis1=1, axis2=2)
            found += np.bincount(part.group, part.n * each / self.n, minlength=self.groups)
        return found

    def value(self, state: State) -> float:
        """F."""
        return float(self.by_group(state).sum())

    def gradient(self, point: Numbers) -> Numbers:
        """Of F, at points of shape (..., k)."""
        state = self.model.state(point)
        sigma, mu = self.model.moments(state)
        second, first = residual_sums(self.patterns, sigma, mu)
        return self.model.pull(state, -second / self.n, -2.0 * first / self.n)

    def information(self, state: State) -> Array:
        """Expected second derivatives of F, given what is missing, shape (k, k)."""
        return self._second(state, observed=False)

    def curvature(self, point: Array) -> Array:
        """Second derivatives of F, shape (k, k).

        Notes
        -----
        With W = Σ_oo⁻¹, nil where a value is missing, T as above, R = W T W and r = W d, F has second
        derivatives -tr W D_k W D_l + 2 tr D_k W D_l R + 2 μ_k'W D_l r + 2 μ_l'W D_k r + 2 μ_k'W μ_l by the
        moments. Sums over patterns of products of cells of W, R and r do for all parameters.
        """
        state = self.model.state(point)
        sigma, mu = self.model.moments(state)
        second, first = residual_sums(self.patterns, sigma, mu)
        pulled = (-second / self.n, -2.0 * first / self.n)
        curved = self.model.hessian(lambda t: self.model.pull(self.model.state(t), *pulled), point)
        return self._second(state, observed=True) + (curved + curved.T) / 2.0

    def _second(self, state: State, *, observed: bool) -> Array:
        """Second derivatives by the moments, or their expectation, taken to the parameters."""
        k, p = self.model.structure.parameters, self.model.structure.observed
        found = np.zeros((k, k))
        sigma, mu = self.model.moments(state)
        half = np.tril_indices(p)
        for g in range(self.groups):
            own = [o for o in self.patterns if o.group == g]
            square, cross, total = (
                np.zeros((len(half[0]),) * 2),
                np.zeros((len(half[0]), p)),
                np.zeros((p, p)),
            )
            for part in folded(own, p):
                w, (inverse, away) = part.n / self.n, part.inverse(sigma, mu)
                flat = inverse[:, half[0], half[1]]
                weighted = flat * w[:, None]
                total += np.tensordot(w, inverse, 1)
                if observed:
                    r = (inverse @ away[..., None])[..., 0]
                    outer = r[:, :, None] * r[:, None, :]
                    some = inverse[part.several]
                    outer[part.several] += some @ part.covariance @ some
                    square += weighted.T @ (2.0 * outer[:, half[0], half[1]] - flat)
                    cross += weighted.T @ r
                else:
                    square += weighted.T @ flat
            slopes = self.model.slopes(state, g)
            whole = np.empty((p, p), dtype=np.intp)
            whole[half] = whole[half[::-1]] = np.arange(len(half[0]))
            flat_d = slopes.covariance.reshape(len(slopes.active), p * p)
            left = np.zeros_like(flat_d)
            for i in range(p):  # from (i, k), (j, l) to (i, j), (k, l), which at once would take p⁴ numbers
                pairs = square[whole[i]][:, whole].transpose(1, 0, 2).reshape(p, p * p)
                left += slopes.covariance[:, i] @ pairs
            block = left @ flat_d.T
            block = (block + block.T) / 2.0 + 2.0 * slopes.mean @ total @ slopes.mean.T
            if observed:
                by_mean = np.tensordot(slopes.mean, cross[whole], 1).reshape(len(slopes.active), p * p)
                mixed = 2.0 * by_mean @ flat_d.T
                block += mixed + mixed.T
            found[np.ix_(slopes.active, slopes.active)] += block
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
