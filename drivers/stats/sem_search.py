"""The search for the optimum of a structural model, whatever its discrepancy function is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import Enum
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, optimize

from drivers.stats.sem_scaled import ScaledModel
from drivers.stats.sem_state import Numbers, State

Array = NDArray[np.float64]

GRADIENT = 1e-8
"""Largest slope of F at an optimum, by a parameter in the unit in which F has curvature one."""

MOST_STEPS = 80
"""Scoring and Newton steps, together."""

SCORING_STEPS, SLOW = 4, 0.1
"""Steps with expected information, after which that of the sample takes over where the gradient does not fall
to such a share of itself in a step."""

MANY, PATIENCE = 400, 20
"""Parameters from which eigenvalues take longer than steps do: where F is not convex, scoring then goes on in
place of Newton steps, up to so many."""

LONGEST = 3.0
"""Farthest that a parameter may move in one step, times the largest one, or one."""
RUNAWAY, FAR = 1e3, 30.0
"""A parameter that is so large in the model's units, in which it is of order one, grows without end; and one
that is so large where the search has failed."""

FLATTEST = 1e-7
"""Least curvature that a Newton step counts on, where parameters have unit expected curvature."""

FORBIDDEN = 1e10
"""F where an implied covariance is not positive definite, to a search that needs a number."""


class Outcome(Enum):
    """How a search ended."""

    CONVERGED = "converged"
    STEPS = "steps"  # the most that are made
    STUCK = "stuck"  # no step makes F smaller, and the gradient is not nil
    RUNAWAY = "runaway"  # parameters grow without end, and F falls all the while
    START = "start"  # no start implies a positive definite covariance


class Discrepancy(Protocol):
    """F of a model and its derivatives, which is how complete and incomplete rows differ."""

    def of(self, model: ScaledModel) -> Discrepancy:
        """The same data under another model in the same units."""

    def value(self, state: State) -> float:
        """F, or infinity where an implied covariance is not positive definite."""

    def gradient(self, point: Numbers) -> Numbers:
        """Of F, at points of shape (..., k), real or complex."""

    def information(self, state: State) -> Array:
        """Expected second derivatives of F, shape (k, k)."""

    def curvature(self, point: Array) -> Array:
        """Second derivatives of F, shape (k, k)."""


@dataclass(frozen=True, eq=False)
class Search:
    """Where a search ended: point in the model's units, shape (k,); steps; and largest scaled gradient."""

    point: Array
    value: float
    outcome: Outcome
    steps: int
    gradient: float


def minimise(scaled: ScaledModel, f: Discrepancy, starts: Iterable[Array]) -> Search:
    """The best that is found from several starts; later ones are tried where earlier ones fail."""
    best: Search | None = None
    point = np.zeros(scaled.structure.parameters)
    for point in starts:
        if not np.isfinite(f.value(scaled.state(point))):
            continue
        found = _descend(scaled, f, point)
        far = _size(scaled, found.point) > FAR
        if found.outcome is not Outcome.CONVERGED and not far:
            found = _by_bfgs(scaled, f, found)
            far = _size(scaled, found.point) > FAR
        if found.outcome is Outcome.CONVERGED:
            return found
        if far:
            found = replace(found, outcome=Outcome.RUNAWAY)
        best = found if best is None or found.value < best.value else best
    return best or Search(point, float("nan"), Outcome.START, 0, float("nan"))


def _size(scaled: ScaledModel, point: Array) -> float:
    """The largest parameter but for intercepts, which may be far out in groups that lie far apart."""
    return float(np.abs(point[~scaled.intercepts]).max(initial=0.0))


def _descend(scaled: ScaledModel, f: Discrepancy, point: Array, before: int = 0) -> Search:
    """Fisher scoring with step halving, then Newton steps."""
    state = scaled.state(point)
    value, gradient = f.value(state), np.asarray(f.gradient(point))
    largest = before_last = np.inf
    slow = False
    for step in range(MOST_STEPS):
        curvature = f.information(state)
        unit = np.sqrt(np.maximum(np.diag(curvature), 1e-12))
        largest = float(np.abs(gradient / unit).max(initial=0.0))
        if largest <= GRADIENT:
            return Search(point, value, Outcome.CONVERGED, before + step, largest)
        if _size(scaled, point) > RUNAWAY:
            return Search(point, value, Outcome.RUNAWAY, before + step, largest)
        slow = slow or (step >= SCORING_STEPS and largest > SLOW * before_last)
        before_last = largest
        direction = None
        if slow:
            direction = _newton(f.curvature(point), unit, gradient, len(point) <= MANY or step >= PATIENCE)
        direction = -(_solve(curvature, unit, gradient) if direction is None else direction)
        slope = float(gradient @ direction)
        reach = LONGEST * max(1.0, float(np.abs(point).max()))
        length = min(1.0, reach / max(float(np.abs(direction).max()), 1e-300))
        while True:
            there = point + length * direction
            state = scaled.state(there)
            ahead = f.value(state) if np.isfinite(state.covariance).all() else np.inf
            if ahead <= value + 1e-4 * length * slope:
                break
            # Below the rounding of F its decrease cannot be seen, but the gradient's can.
            if abs(slope) < 1e-9 and np.isfinite(ahead) and ahead - value < 1e-12:
                new = np.asarray(f.gradient(there))
                if np.abs(new / unit).max() < 0.9 * largest:
                    break
            length /= 2.0
            if length < 1e-10:
                return Search(point, value, Outcome.STUCK, before + step, largest)
        point, value, gradient = there, ahead, np.asarray(f.gradient(there))
    return Search(point, value, Outcome.STEPS, before + MOST_STEPS, largest)


def _newton(observed: Array, unit: Array, gradient: Array, turn: bool) -> Array | None:
    """The Newton direction; along what curves downwards, or hardly, as if it curved upwards as much.

    None where there is such a direction and `turn` is false.
    """
    even = (observed + observed.T) / 2.0 / np.outer(unit, unit)
    try:
        # Far cheaper than eigenvalues, and the same where there is nothing to turn upwards.
        linalg.cholesky(even - FLATTEST * np.eye(len(unit)), check_finite=False)
        factor = linalg.cho_factor(even, check_finite=False)
        return np.asarray(linalg.cho_solve(factor, gradient / unit, check_finite=False)) / unit
    except linalg.LinAlgError:
        if not turn:
            return None
    values, vectors = np.linalg.eigh(even)
    size = np.maximum(np.abs(values), FLATTEST)
    return np.asarray(vectors @ ((vectors.T @ (gradient / unit)) / size)) / unit


def _solve(curvature: Array, unit: Array, gradient: Array) -> Array:
    """The Newton direction; where curvature is singular, with the least ridge that lets it be factored."""
    scaled = curvature / np.outer(unit, unit)
    eye = np.eye(len(unit))
    for ridge in (0.0, 1e-10, 1e-6, 1e-3, 1.0):
        try:
            factor = linalg.cho_factor(scaled + ridge * eye, check_finite=False)
        except linalg.LinAlgError:
            continue
        if np.diag(factor[0]).min() ** 2 > 1e-12:
            return np.asarray(linalg.cho_solve(factor, gradient / unit, check_finite=False)) / unit
    return np.asarray(gradient / unit**2)


def _by_bfgs(scaled: ScaledModel, f: Discrepancy, found: Search) -> Search:
    """A quasi-Newton search from where scoring stopped, and scoring from where that stops."""

    def value(point: Array) -> float:
        state = scaled.state(point)
        ahead = f.value(state)
        return ahead if np.isfinite(ahead) else FORBIDDEN

    def gradient(point: Array) -> Array:
        return np.asarray(f.gradient(point), dtype=np.float64)

    with np.errstate(all="ignore"):
        polished = optimize.minimize(
            value, found.point, jac=gradient, method="BFGS", options={"gtol": 1e-7, "maxiter": MOST_STEPS}
        )
    if not np.isfinite(polished.fun) or polished.fun >= FORBIDDEN:
        return found
    return _descend(scaled, f, np.asarray(polished.x), found.steps + int(polished.nit))
