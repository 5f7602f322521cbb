"""What is wrong with a fitted structural model: parameters that nothing determines, improper estimates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from drivers.stats.sem_errors import information
from drivers.stats.sem_fit import Fit
from drivers.stats.sem_moments import BLAMED
from drivers.stats.sem_structure import SYMMETRIC

Array = NDArray[np.float64]

FLAT = 1e-9
"""Information in a direction, as a share of what its parameters would have alone, that counts as none."""

NOTHING = 1e-16
"""Information of a row about a parameter, in units in which it is of order one, that counts as none."""

ROUNDING = 1e-8
"""How far beyond a bound an estimate may lie by rounding, in units of standard variables."""


def unidentified(fit: Fit) -> tuple[int, ...]:
    """Parameters that the moments do not determine at the estimates; empty for an identified model.

    Notes
    -----
    Where the information is singular the model is locally not identified (Rothenberg 1971,
    doi:10.2307/1913267); parameters with a part in its null space are those that can move without any change
    of the implied moments. More parameters than moments is one way to that.

    The answer is one about a point. At an optimum it is about the model. Where a search ran away or got stuck
    it may name what only that point leaves open: paths of a latent variable whose loadings or variance have
    gone to nil, in a model that is identified elsewhere. What is known badly but is known, as from nearly
    collinear indicators, is not named: standard errors tell of it. Empty, too, where there is no information
    because no start was found.
    """
    try:
        found = information(fit)
    except np.linalg.LinAlgError:  # implied moments that are no covariances
        return ()
    if not np.isfinite(found).all() or not len(found):
        return ()
    unit = np.sqrt(np.maximum(np.diag(found), 0.0))
    # Not a share of the largest: that of a variance near nil is without bound.
    none = ~(unit > np.sqrt(NOTHING * fit.multiplier))
    kept = np.flatnonzero(~none)
    scaled = found[np.ix_(kept, kept)] / np.outer(unit[kept], unit[kept])
    try:
        # Far cheaper than eigenvalues, and all that is needed where none is small.
        np.linalg.cholesky(scaled - FLAT * np.eye(len(kept)))
        return tuple(np.flatnonzero(none).tolist())
    except np.linalg.LinAlgError:
        values, vectors = np.linalg.eigh(scaled)
    size = np.sqrt((vectors[:, values < FLAT] ** 2).sum(axis=1))
    return tuple(sorted([*np.flatnonzero(none).tolist(), *kept[size > BLAMED].tolist()]))


@dataclass(frozen=True, slots=True)
class Improper:
    """Estimates that no population could have; every entry starts with the group.

    Attributes
    ----------
    negative_variance : (group, variable): Heywood cases
    correlation : (group, variable, variable): errors, or exogenous variables, that correlate beyond 1
    errors : groups whose S is not positive semidefinite
    latent : groups whose implied covariance of latent variables is not
    explained : (group, variable): R² above 1
    """

    negative_variance: tuple[tuple[int, int], ...]
    correlation: tuple[tuple[int, int, int], ...]
    errors: tuple[int, ...]
    latent: tuple[int, ...]
    explained: tuple[tuple[int, int], ...]

    @property
    def any(self) -> bool:
        """Whether there is any."""
        return any((self.negative_variance, self.correlation, self.errors, self.latent, self.explained))


def improper(fit: Fit) -> Improper:
    """Heywood cases and matrices that are no covariances (Kolenikov & Bollen 2012,
    doi:10.1177/0049124112442138).
    """
    s, p = fit.structure, fit.structure.observed
    negative: list[tuple[int, int]] = []
    explained: list[tuple[int, int]] = []
    beyond: list[tuple[int, int, int]] = []
    errors, latent = [], []
    for g in range(s.groups):
        spread = np.sqrt(np.abs(np.diag(fit.full_covariance[g])))
        spread = np.where(spread > 0, spread, 1.0)
        unit = fit.symmetric[g] / np.outer(spread, spread)
        own = np.diag(unit)
        bad = np.flatnonzero(own < -ROUNDING)
        negative.extend((g, int(i)) for i in bad)
        paths = fit.directed[g].any(axis=1)
        explained.extend((g, int(i)) for i in bad if paths[i])
        pairs = (s.matrix == SYMMETRIC) & (s.group == g) & (s.row != s.column)
        for i, j in zip(s.row[pairs].tolist(), s.column[pairs].tolist(), strict=True):
            if unit[i, j] ** 2 > max(own[i] * own[j], 0.0) + ROUNDING:
                beyond.append((g, i, j))
        if _indefinite(unit):
            errors.append(g)
        if s.latent and _indefinite((fit.full_covariance[g] / np.outer(spread, spread))[p:, p:]):
            latent.append(g)
    return Improper(tuple(negative), tuple(beyond), tuple(errors), tuple(latent), tuple(explained))


def _indefinite(matrix: Array) -> bool:
    return bool(not np.isfinite(matrix).all() or np.linalg.eigvalsh(matrix)[0] < -ROUNDING)
