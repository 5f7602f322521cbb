"""Derivatives of functions of the parameters of a structural model by complex steps."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from drivers.stats.sem_structure import DIRECTED, Structure

Array = NDArray[np.float64]

COMPLEX_STEP = 1e-30
"""Im f(x + ih)/h is f' to the last digit (Squire & Trapp 1998, doi:10.1137/S003614459631241X)."""


def along(function: Any, point: Array, steps: Array, size: int) -> Array:
    """Derivatives of a function of a batch of points along some steps, shape (steps, m).

    Parameters
    ----------
    function : (b, k) -> (b, m)
    point : where, shape (k,)
    steps : shape (steps, k)
    size : points at a time

    Examples
    --------
    >>> along(lambda t: t**2, np.array([1.0, 3.0]), np.eye(2), 1).tolist()
    [[2.0, 0.0], [0.0, 6.0]]
    """
    parts = [
        np.asarray(function(point + 1j * COMPLEX_STEP * steps[i : i + size])).imag / COMPLEX_STEP
        for i in range(0, max(len(steps), 1), size)
    ]
    return np.concatenate(parts)


def _by_group(s: Structure) -> tuple[NDArray[np.intp], list[NDArray[np.intp]]]:
    """Parameters of several groups, and those of each group alone."""
    listed = s.number >= 0
    pairs = np.unique(np.stack([s.number[listed], s.group[listed]]), axis=1)
    several = np.bincount(pairs[0], minlength=s.parameters) > 1
    home = np.zeros(s.parameters, dtype=np.intp)
    home[pairs[0]] = pairs[1]
    return np.flatnonzero(several), [np.flatnonzero(~several & (home == g)) for g in range(s.groups)]


def _steps(k: int, wide: NDArray[np.intp], by_group: list[NDArray[np.intp]]) -> Array:
    """One by one along the first, then along those of all groups together, shape (steps, k)."""
    found = np.zeros((len(wide) + max(map(len, by_group), default=0), k))
    found[np.arange(len(wide)), wide] = 1.0
    for own in by_group:
        found[len(wide) + np.arange(len(own)), own] = 1.0
    return found


def hessian(s: Structure, gradient: Any, point: Array, size: int) -> Array:
    """Second derivatives of a sum over groups of functions of their parameters, shape (k, k).

    Notes
    -----
    Parameters of different groups, which have nothing in common, take their steps together (Powell & Toint
    1979, doi:10.1137/0716078): what a parameter of several groups sees of such a step is a sum, and is taken
    from its own step instead.
    """
    wide, by_group = _by_group(s)
    seen = along(gradient, point, _steps(s.parameters, wide, by_group), size)
    found = np.zeros((s.parameters, s.parameters))
    for own in by_group:
        found[np.ix_(own, own)] = seen[len(wide) : len(wide) + len(own), own].T
    found[wide] = seen[: len(wide)]
    found[:, wide] = seen[: len(wide)].T
    return found


def intercepts_by_paths(s: Structure, raw: Any, point: Array, home: NDArray[np.intp], size: int) -> Array:
    """Derivatives of raw parameters by paths in the model's units, shape (k, k); own derivatives are not.

    Parameters
    ----------
    s : the structure
    raw : (b, k) -> (b, k); what is of a group follows paths of that group and of the first one
    point : where
    home : group of what is of a group, shape (k,)
    size : points at a time
    """
    path = np.zeros(s.parameters, dtype=bool)
    path[s.number[(s.matrix == DIRECTED) & (s.number >= 0)]] = True
    several, by_group = _by_group(s)
    single = np.union1d(several, by_group[0])
    wide, later = single[path[single]], [own[path[own]] for own in by_group[1:]]
    seen = along(raw, point, _steps(s.parameters, wide, later), size)
    found = np.zeros((s.parameters, s.parameters))
    found[:, wide] = seen[: len(wide)].T
    for g, own in enumerate(later, 1):
        of = np.flatnonzero(home == g)
        found[np.ix_(of, own)] = seen[len(wide) : len(wide) + len(own), of].T
    found[np.arange(s.parameters), np.arange(s.parameters)] = 0.0
    return found
