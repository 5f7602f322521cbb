"""Points about which the variables of a structural model are taken, so that far means do no harm.

A latent variable that nothing but its causes gives a mean has that of its causes: γ x̄, which is as far out
as they are. Taken about that point its intercept is nil, and the free intercepts of what it acts on, about
theirs, do not know of γ. The point moves with γ, which changes nothing where it is not seen: where whatever
the variable acts on has an intercept of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from drivers.stats.sem_state import Numbers
from drivers.stats.sem_structure import DIRECTED, MEAN, Structure

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

ALIKE = 1e-9
"""Difference of points, as a share of the farthest one, that is rounding."""


@dataclass(frozen=True, eq=False)
class Centres:
    """Which centres there are; everything in the model's units.

    Attributes
    ----------
    constant : of the variables whose centre does not move, shape (v,)
    moving : latent variables whose centre is what their causes make of it, shape (v,)
    intercept : fixed intercepts, shape (G, v)
    copied : where the centre of a moving one is that of the first group, as its mean is free, shape (G, v)
    inside : rows whose intercept is about the centres: free ones, and nil of moving variables, shape (G, v)
    """

    constant: Array
    moving: Flags
    intercept: Array
    copied: Flags
    inside: Flags

    def of(self, directed: Numbers) -> Numbers:
        """Centres at given A, shape (..., G, v, v), of shape (..., G, v)."""
        found = np.array(np.broadcast_to(self.constant, directed.shape[:-1]), dtype=directed.dtype)
        f, rest = np.flatnonzero(self.moving), np.flatnonzero(~self.moving)
        if not len(f):
            return found
        among = directed[..., f[:, None], f]
        given = self.intercept[:, f] + directed[..., f[:, None], rest] @ self.constant[rest]
        eye, copied = np.eye(len(f)), self.copied[:, f]
        first = np.linalg.solve(eye - among[..., :1, :, :], given[..., :1, :, None])
        given = np.where(copied, first[..., 0], given)
        among = np.where(copied[:, :, None], 0.0, among)
        found[..., f] = np.linalg.solve(eye - among, given[..., None])[..., 0]
        return found


def away(directed: Numbers, about: Numbers) -> Numbers:
    """(I - A) c, what raw intercepts have beyond those about centres c, shape (..., G, v)."""
    return np.asarray(about - (directed @ about[..., None])[..., 0])


def centres(
    s: Structure,
    constant: Array,
    intercept: Array,
    own: NDArray[np.intp],
    level: NDArray[np.intp],
    at: Numbers,
) -> Centres:
    """Centres of a structure.

    Parameters
    ----------
    s : the structure
    constant : of observed variables, and of latent ones where they do not move, shape (v,)
    intercept : fixed intercepts, shape (G, v)
    own, level : see `ScaledModel`
    at : A at any point that is in no way special, shape (G, v, v): what agrees there always agrees
    """
    moving = np.zeros(s.variables, dtype=bool)
    moving[s.observed :] = s.means
    free = np.zeros((s.groups, s.variables), dtype=bool)
    shared = np.full((s.groups, s.variables), -1)
    listed = (s.matrix == MEAN) & (s.number >= 0)
    free[s.group[listed], s.row[listed]] = True
    shared[s.group[listed], s.row[listed]] = np.where(level[s.number[listed]] >= 0, s.number[listed], -1)
    paths = (s.matrix == DIRECTED) & ((s.number >= 0) | (s.value != 0))
    later = (np.arange(s.groups) > 0)[:, None]
    while True:
        found = Centres(constant, moving, intercept, free & later & moving, (own >= 0) | (~free & moving))
        about = found.of(at)
        beyond = away(at, about)
        inside = found.inside.copy()
        for n in np.unique(shared[shared >= 0]):
            where = shared == n
            if np.ptp(beyond[where]) <= ALIKE * np.abs(about).max(initial=0.0):
                inside |= where
        found = Centres(constant, moving, intercept, found.copied, inside)
        # What a moving variable acts on, and it itself, must not see where its centre is.
        seen = np.zeros(s.variables, dtype=bool)
        seen[s.column[paths & ~inside[s.group, s.row]]] = True
        seen |= (~inside).any(axis=0)
        if not (seen & moving).any():
            return found
        moving = moving & ~seen


def anchored(s: Structure, centre: Array) -> Array:
    """Centres in raw units, shape (v,), with those of latent variables of free means whose marker has none.

    Such a variable is on its marker's scale altogether: its centre is (that of the marker - ν) / λ.
    """
    found = centre.copy()
    markers: dict[int, float] = {}
    free = {(int(g), int(r)) for g, r in zip(s.group[_free(s)], s.row[_free(s)], strict=True)}
    level = {(int(s.group[i]), int(s.row[i])): float(s.value[i]) for i in np.flatnonzero(_fixed(s, MEAN))}
    for i in np.flatnonzero(_fixed(s, DIRECTED) & (s.value != 0) & (s.row < s.observed)):
        g, j, f = int(s.group[i]), int(s.row[i]), int(s.column[i])
        if f >= s.observed and (g, f) in free and (g, j) not in free:
            markers.setdefault(f, (found[j] - level.get((g, j), 0.0)) / float(s.value[i]))
    for f, value in markers.items():
        if all((g, f) in free for g in range(s.groups)):
            found[f] = value
    return found


def _free(s: Structure) -> Flags:
    return np.asarray((s.matrix == MEAN) & (s.number >= 0))


def _fixed(s: Structure, matrix: int) -> Flags:
    return np.asarray((s.matrix == matrix) & (s.number < 0))
