"""A structural model at a point: its matrices, moments and their slopes."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Numbers = NDArray[Any]
"""Real, or complex where a derivative is taken by a complex step."""


class State(NamedTuple):
    """The model at a point, in its own units; leading axes `...` are any, then the G groups.

    Attributes
    ----------
    directed, symmetric : A, S, shape (..., G, v, v)
    intercept : m, shape (..., G, v)
    inverse : (I - A)⁻¹, shape (..., G, v, v)
    covariance : of all variables, shape (..., G, v, v)
    mean : of all variables about their centres (`ScaledModel.about`), shape (..., G, v)
    """

    directed: Numbers
    symmetric: Numbers
    intercept: Numbers
    inverse: Numbers
    covariance: Numbers
    mean: Numbers


class Slopes(NamedTuple):
    """Derivatives of a group's moments by the parameters that it has, shape (a,): `active`.

    Attributes
    ----------
    active : numbers of the parameters, shape (a,)
    covariance : shape (a, p, p)
    mean : shape (a, p)
    """

    active: NDArray[np.intp]
    covariance: Array
    mean: Array
