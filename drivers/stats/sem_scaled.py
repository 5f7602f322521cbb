"""A structural model in units of its own variables: implied moments and their derivatives.

Observed variables are taken about a centre and in units of their spread, latent ones in units of their
markers. What an optimiser sees is then of order one whatever the columns' units are, and an intercept is
that of centred variables, so that it is not the shadow of slopes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drivers.stats.sem_centre import Centres, away, centres
from drivers.stats.sem_state import Numbers, Slopes, State
from drivers.stats.sem_steps import along, hessian, intercepts_by_paths
from drivers.stats.sem_structure import DIRECTED, MEAN, SYMMETRIC, Structure

Array = NDArray[np.float64]
BATCH = 1_000_000
"""Cells of A of all groups and points that are in memory at once."""


@dataclass(frozen=True, eq=False)
class ScaledModel:
    """A structure with units.

    Attributes
    ----------
    structure : the model
    scale : unit of every variable, shape (v,)
    centre : point about which every variable is taken, raw units, shape (v,); that of a latent one may move
        with the parameters instead (`about`)
    x_covariance, x_mean : of the fixed exogenous variables, raw units, shapes (G, x, x) and (G, x)
    """

    structure: Structure
    scale: Array
    centre: Array
    x_covariance: Array
    x_mean: Array

    @cached_property
    def factor(self) -> Array:
        """A cell in the model's units is so many times the raw one, shape (cells,)."""
        s = self.structure
        d = self.scale
        return np.where(
            s.matrix == DIRECTED,
            d[s.column] / d[s.row],
            np.where(s.matrix == SYMMETRIC, 1.0 / (d[s.row] * d[s.column]), 1.0 / d[s.row]),
        )

    @cached_property
    def unit(self) -> Array:
        """A raw parameter is so many times the one in the model's units, shape (k,); geometric over cells."""
        s, free = self.structure, self.structure.number >= 0
        size = np.bincount(s.number[free], minlength=s.parameters)
        logs = np.bincount(s.number[free], np.log(self.factor[free]), minlength=s.parameters)
        return np.asarray(np.exp(-logs / size))

    @cached_property
    def _free(self) -> NDArray[np.intp]:
        return np.flatnonzero(self.structure.number >= 0)

    @cached_property
    def _times(self) -> Array:
        """Free cells per parameter, both in the model's units, shape (free cells,)."""
        return self.factor[self._free] * self.unit[self.structure.number[self._free]]

    @cached_property
    def own_intercept(self) -> NDArray[np.intp]:
        """Parameter that is the intercept of each variable and of nothing else, or -1, shape (G, v)."""
        s = self.structure
        once = np.bincount(s.number[self._free], minlength=s.parameters) == 1
        found = np.full((s.groups, s.variables), -1, dtype=np.intp)
        for i in self._free:
            if s.matrix[i] == MEAN and once[s.number[i]]:
                found[s.group[i], s.row[i]] = s.number[i]
        return found

    @cached_property
    def level(self) -> NDArray[np.intp]:
        """Variable whose intercept in several groups a parameter is, and nothing else, or -1, shape (k,)."""
        s, free = self.structure, self._free
        number, row = s.number[free], s.row[free]
        size = np.bincount(number, minlength=s.parameters)
        first = np.zeros(s.parameters, dtype=np.intp)
        first[number] = row
        same = (s.matrix[free] == MEAN) & (row == first[number])
        alike = np.bincount(number, same, minlength=s.parameters) == size
        return np.where(alike & (size > 1), first, -1)

    @cached_property
    def intercepts(self) -> NDArray[np.bool_]:
        """Parameters that are intercepts, shape (k,)."""
        s = self.structure
        found = np.zeros(s.parameters, dtype=bool)
        found[s.number[self._free[s.matrix[self._free] == MEAN]]] = True
        return found

    @cached_property
    def centres(self) -> Centres:
        """Which variables are taken about points that move with their causes."""
        s = self.structure
        point = np.random.default_rng(0).normal(0.0, 0.5, s.parameters)
        return centres(
            s,
            self.centre / self.scale,
            self._constant[2],
            self.own_intercept,
            self.level,
            self._directed(point),
        )

    def about(self, directed: Numbers) -> Numbers:
        """Centres of all variables in the model's units at given A, shape (..., G, v)."""
        return self.centres.of(directed)

    @cached_property
    def offset(self) -> Array:
        """centre / scale where an intercept is not about the centre already, else 0, shape (G, v)."""
        s = self.structure
        raw = ~self.centres.inside & s.means
        at = self._free[self.level[s.number[self._free]] >= 0]
        raw[s.group[at], s.row[at]] = False
        return np.where(raw, self.centre / self.scale, 0.0)

    @cached_property
    def _constant(self) -> tuple[Array, Array, Array]:
        """A, S, m with what is fixed, in the model's units; m without the shift to the centre."""
        s, v, d = self.structure, self.structure.variables, self.scale
        a, c, m = np.zeros((s.groups, v, v)), np.zeros((s.groups, v, v)), np.zeros((s.groups, v))
        x = list(s.fixed)
        c[:, np.ix_(x, x)[0], np.ix_(x, x)[1]] = self.x_covariance / np.outer(d[x], d[x])
        if s.means:
            m[:, x] = self.x_mean / d[x]
        for i in np.flatnonzero(s.number < 0):
            g, r, k, value = s.group[i], s.row[i], s.column[i], s.value[i] * self.factor[i]
            if s.matrix[i] == DIRECTED:
                a[g, r, k] = value
            elif s.matrix[i] == SYMMETRIC:
                c[g, r, k] = c[g, k, r] = value
            else:
                m[g, r] = value
        return a, c, m

    @cached_property
    def _places(self) -> list[tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]]:
        """For A, S, m: which of the free cells are in it, and their groups, rows and columns."""
        s = self.structure
        found = []
        for matrix in (DIRECTED, SYMMETRIC, MEAN):
            at = np.flatnonzero(s.matrix[self._free] == matrix)
            i = self._free[at]
            found.append((at, s.group[i], s.row[i], s.column[i]))
        return found

    @cached_property
    def _shifted(self) -> Array:
        """centre / scale where the intercept is not about the centres, else 0, by row, shape (G, v, v)."""
        if not self.structure.means:
            return np.zeros((self.structure.groups, self.structure.variables, self.structure.variables))
        raw = (~self.centres.inside).astype(np.float64)
        return raw[:, :, None] * (self.centre / self.scale)

    @cached_property
    def _nil(self) -> NDArray[np.bool_]:
        """Where a fixed intercept is what makes the centre, so that none is left, shape (G, v)."""
        found = np.broadcast_to(self.centres.moving, self._constant[2].shape).copy()
        _, groups, rows, _ = self._places[2]
        found[groups, rows] = False
        return found

    def _directed(self, point: Numbers) -> Numbers:
        """A at parameters of shape (..., k)."""
        base, (at, groups, rows, columns) = self._constant[0], self._places[0]
        found = np.array(np.broadcast_to(base, point.shape[:-1] + base.shape), dtype=point.dtype)
        i = self._free[at]
        found[..., groups, rows, columns] = point[..., self.structure.number[i]] * self._times[at]
        return found

    def state(self, point: Numbers) -> State:
        """Matrices and moments at parameters of shape (..., k), in the model's units."""
        base, number = self._constant, self.structure.number[self._free]
        lead = point.shape[:-1]
        a, c, m = (np.array(np.broadcast_to(b, lead + b.shape), dtype=point.dtype) for b in base)
        values = point[..., number] * self._times
        (ia, ga, ra, ka), (ic, gc, rc, kc), (im, gm, rm, _) = self._places
        a[..., ga, ra, ka] = values[..., ia]
        c[..., gc, rc, kc] = values[..., ic]
        c[..., gc, kc, rc] = values[..., ic]
        m[..., gm, rm] = values[..., im]
        if self.structure.means:
            shift = self._shifted
            m = np.where(self._nil, 0.0, m) + (a * shift).sum(axis=-1) - self.offset
        inverse = np.linalg.inv(np.eye(a.shape[-1]) - a)
        covariance = inverse @ c @ np.swapaxes(inverse, -1, -2)
        mean = (inverse @ m[..., None])[..., 0]
        return State(a, c, m, inverse, covariance, mean)

    def moments(self, state: State) -> tuple[Numbers, Numbers]:
        """Implied covariance and mean of the observed variables, shapes (..., G, p, p) and (..., G, p)."""
        p = self.structure.observed
        return state.covariance[..., :p, :p], state.mean[..., :p]

    def pull(self, state: State, by_covariance: Numbers, by_mean: Numbers) -> Numbers:
        """Gradient by the parameters of a function with given gradients by the moments, shape (..., k).

        Parameters
        ----------
        state : where
        by_covariance : Q with dF = tr(Q dΣ), symmetric, shape (..., G, p, p)
        by_mean : shape (..., G, p)

        Notes
        -----
        With U = the observed rows of (I - A)⁻¹ and W those of the covariance of all variables, a path from c
        to r moves Σ by u_r w_c' + w_c u_r' and μ by u_r E(x_c); a cell of S by u_r u_c' + u_c u_r'.
        """
        p = self.structure.observed
        up = np.swapaxes(state.inverse[..., :p, :], -1, -2)
        left = up @ by_covariance
        (ia, ga, ra, ka), (ic, gc, rc, kc), (im, gm, rm, _) = self._places
        cells = np.zeros((*state.mean.shape[:-2], len(self._free)), dtype=left.dtype)
        by_path = left @ state.covariance[..., :p, :]
        by_pair = left @ np.swapaxes(up, -1, -2)
        level = (up @ by_mean[..., None])[..., 0]
        mean = state.mean[..., ga, ka] + self._shifted[ga, ra, ka]
        cells[..., ia] = 2.0 * by_path[..., ga, ra, ka] + level[..., ga, ra] * mean
        cells[..., ic] = np.where(rc == kc, 1.0, 2.0) * by_pair[..., gc, rc, kc]
        cells[..., im] = level[..., gm, rm]
        order, begin = self._order
        return np.asarray(np.add.reduceat((cells * self._times)[..., order], begin, axis=-1))

    @cached_property
    def _order(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Free cells by parameter, and where each parameter begins: every one has a cell."""
        number = self.structure.number[self._free]
        order = np.argsort(number, kind="stable")
        return order, np.searchsorted(number[order], np.arange(self.structure.parameters))

    @cached_property
    def _by_group(self) -> list[tuple[NDArray[np.intp], NDArray[np.intp], Array]]:
        """Per group: its free cells, its parameters, and parameters per cell, shape (a, free cells)."""
        s, found = self.structure, []
        for g in range(s.groups):
            at = np.flatnonzero(s.group[self._free] == g)
            active, place = np.unique(s.number[self._free[at]], return_inverse=True)
            incidence = np.zeros((len(active), len(at)))
            incidence[place, np.arange(len(at))] = self._times[at]
            found.append((at, active, incidence))
        return found

    def slopes(self, state: State, group: int) -> Slopes:
        """Derivatives of the moments of a group by its parameters."""
        p, s = self.structure.observed, self.structure
        at, active, incidence = self._by_group[group]
        i = self._free[at]
        kind, row, column = s.matrix[i], s.row[i], s.column[i]
        first = state.inverse[group, :p][:, row].T
        column = np.where(kind == MEAN, row, column)
        second = np.where(
            (kind == DIRECTED)[:, None],
            state.covariance[group, :p][:, column].T,
            state.inverse[group, :p][:, column].T,
        )
        half = np.where(kind == MEAN, 0.0, np.where((kind == SYMMETRIC) & (row == column), 0.5, 1.0))
        # Parameters add up cells first: the outer products are the greater part of the work.
        outer = (first * half[:, None])[:, :, None] * second[:, None, :]
        total = (incidence @ outer.reshape(len(i), p * p)).reshape(len(active), p, p)
        mean = state.mean[group, column] + self._shifted[group, row, column]
        level = np.where(kind == DIRECTED, mean, np.where(kind == MEAN, 1.0, 0.0))
        return Slopes(active, total + np.swapaxes(total, 1, 2), incidence @ (first * level[:, None]))

    def raw(self, point: Numbers) -> Numbers:
        """Parameters in raw units, shape (..., k), from those in the model's units."""
        found = point * self.unit
        if not self.structure.means:
            return found
        a = self._directed(point)
        beyond = away(a, self.about(a)) * self.scale
        groups, rows = np.nonzero(self.own_intercept >= 0)
        found[..., self.own_intercept[groups, rows]] += beyond[..., groups, rows]
        s, shared = self.structure, np.flatnonzero(self.level >= 0)
        order, begin = self._order
        i = self._free[order[begin[shared]]]
        g, r = s.group[i], s.row[i]
        found[..., shared] += np.where(self.centres.inside[g, r], beyond[..., g, r], self.centre[r])
        return found

    def scaled(self, parameters: Array) -> Array:
        """Parameters in the model's units, shape (k,), from raw ones."""
        found = parameters / self.unit
        return np.asarray(found - (self.raw(found) - parameters) / self.unit)

    def jacobian(self, point: Array) -> Array:
        """Derivatives of raw parameters by those in the model's units, shape (k, k)."""
        return np.diag(self.unit) + self._follows(point)

    def inverse_jacobian(self, point: Array) -> Array:
        """Its inverse: intercepts follow paths, which follow nothing."""
        return np.asarray(np.diag(1.0 / self.unit) - self._follows(point) / np.outer(self.unit, self.unit))

    def _follows(self, point: Array) -> Array:
        s = self.structure
        if not s.means:
            return np.zeros((s.parameters, s.parameters))
        order, begin = self._order
        home = s.group[self._free[order[begin]]]
        return intercepts_by_paths(s, self.raw, point, home, self._part)

    def derivative(self, gradient: Any, point: Array) -> Array:
        """Derivatives of a function of a batch of points (b, k) -> (b, m), by complex steps, shape (m, k)."""
        return along(gradient, point, np.eye(len(point)), self._part).T

    def hessian(self, gradient: Any, point: Array) -> Array:
        """Second derivatives of a sum over groups of functions of their moments, shape (k, k).

        Parameters
        ----------
        gradient : of a batch of points (b, k) -> (b, k)
        point : where
        """
        return hessian(self.structure, gradient, point, self._part)

    @property
    def _part(self) -> int:
        """Points at a time: what they take stays within some tens of megabytes."""
        return max(1, BATCH // (self.structure.groups * self.structure.variables**2))

    def raw_matrices(self, point: Numbers) -> tuple[Numbers, Numbers, Numbers]:
        """A, S and m in raw units, shapes (..., G, v, v), (..., G, v, v) and (..., G, v)."""
        state, d = self.state(point), self.scale
        m = state.intercept * d
        if self.structure.means:
            # The state's intercepts are all about the centres: m_raw = m + (I - A) centre.
            about = self.about(state.directed)
            m = np.where(self._nil, self._constant[2] * d, m + d * away(state.directed, about))
        return state.directed * d[:, None] / d, state.symmetric * np.outer(d, d), m
