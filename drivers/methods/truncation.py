"""Strata that are cut on the response: slopes that allow for the cut, and how slopes move with it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from drivers.methods.equations import Fitted
from drivers.methods.sample import Sample
from drivers.stats.linear import least_squares
from drivers.stats.moments import Moments
from drivers.stats.truncated import truncated_regression

Array = NDArray[np.float64]

MOST_PIXELS = 50_000
"""Pixels behind a truncated slope, evenly spaced in table order: more of them change no digit of use."""

SWEPT_PIXELS = 5_000
"""Pixels behind the truncated slopes of one threshold of a sweep."""

THRESHOLDS = 19
"""Thresholds of a sweep: the quantiles 0.05 to 0.95 of the response."""


@dataclass(frozen=True, slots=True)
class TruncatedSlopes:
    """Slopes of an equation that allow for the cut, shape (k,); NaN where these do not exist.

    `reason` says why, and is empty where they do.
    """

    estimate: Array
    std_error: Array
    reason: str


def limits_of(fitted: Fitted, sample: Sample) -> tuple[float, float] | None:
    """The interval to which a stratum confines an equation's response; None where it does not."""
    factor = fitted.equation.response
    if not factor.plain or fitted.response is None or fitted.equation.random is not None:
        return None
    found = sample.stratum.limits.get(factor.variables[0])
    return found if found is not None and np.isfinite(found).any() else None


def truncated_slopes(fitted: Fitted, limits: tuple[float, float]) -> TruncatedSlopes:
    """The slopes of an equation on the pixels that a cut on its response has left.

    Notes
    -----
    Errors are those of `drivers.stats.truncated.truncated_regression`, as much larger as neighbours make
    those of the plain slopes.
    """
    sample = fitted.sample
    rows = _thinned(sample.rows(), MOST_PIXELS)
    matrix = sample.matrix(rows)
    assert fitted.response is not None
    found = truncated_regression(
        matrix[fitted.response], [matrix[c] for c in fitted.selection.columns], limits[0], limits[1]
    )
    wider = fitted.std_error / fitted.classical.std_error * math.sqrt(len(rows) / sample.n)
    return TruncatedSlopes(found.coefficients, found.std_error * wider, found.reason)


@dataclass(frozen=True, slots=True)
class Swept:
    """One equation on the pixels on one side of a threshold; arrays have shape (k,)."""

    threshold: float
    side: str
    n: int
    estimate: Array
    std_estimate: Array
    r2: float
    truncated: Array


def sweep(fitted: Fitted, limits: tuple[float, float]) -> list[Swept]:
    """The equation of a stratum that is cut on its response at one end, with the cut elsewhere.

    Thresholds are the quantiles of the response over the whole table, and the stratum's own. Pixels are those
    of the table on the stratum's side of each; composites keep the stratum's weights. Nothing for a stratum
    that is cut by anything else too, or at both ends.
    """
    sample = fitted.sample
    own = [value for value in limits if np.isfinite(value)]
    if len(own) != 1 or len(sample.stratum.levels) != 1:
        return []
    side = "above" if np.isfinite(limits[0]) else "below"
    design, rows = sample.design, np.flatnonzero(sample.design.complete)
    y = design.table.values(fitted.equation.response.variables[0])[rows]
    if np.count_nonzero(y > own[0] if side == "above" else y <= own[0]) != sample.n:
        return []
    shares = np.arange(1, THRESHOLDS + 1) / (THRESHOLDS + 1)
    thresholds = np.unique(np.append(np.quantile(y, shares), own))
    # Pixels at a threshold lie below it, as those of a stratum `y > 0` and its counterpart `y <= 0` do.
    codes = np.full(design.table.n, -1, dtype=np.int32)
    codes[rows] = np.searchsorted(thresholds, y, side="left")
    cells = design.moments(codes, len(thresholds) + 1)
    found = []
    for i, threshold in enumerate(thresholds.tolist()):
        members = range(i + 1, len(thresholds) + 1) if side == "above" else range(i + 1)
        moments = cells.merged(list(members))
        if sample.weights is not None:
            moments = moments.extend(sample.weights)
        inside = rows[(y > threshold) if side == "above" else (y <= threshold)]
        made = _one_side(fitted, moments, inside, threshold, side)
        found += [made] if made is not None else []
    return found


def _one_side(
    fitted: Fitted, moments: Moments, inside: NDArray[np.intp], threshold: float, side: str
) -> Swept | None:
    """The equation on some pixels; None where these do not allow it."""
    columns, response = fitted.selection.columns, fitted.response
    assert response is not None
    if moments.rows < len(columns) + 2:
        return None
    try:
        plain = least_squares(moments, response, columns)
    except np.linalg.LinAlgError:
        return None
    matrix = fitted.sample.matrix(_thinned(inside, SWEPT_PIXELS))
    low, high = (threshold, math.inf) if side == "above" else (-math.inf, threshold)
    allowed = truncated_regression(matrix[response], [matrix[c] for c in columns], low, high)
    unit = moments.sd[list(columns)] / moments.sd[response]
    return Swept(
        threshold,
        side,
        moments.rows,
        plain.coefficients,
        plain.coefficients * unit,
        plain.r2,
        allowed.coefficients,
    )


def _thinned(rows: NDArray[np.intp], most: int) -> NDArray[np.intp]:
    """At most so many rows, evenly spaced."""
    return rows if len(rows) <= most else rows[np.linspace(0, len(rows) - 1, most).astype(np.intp)]
