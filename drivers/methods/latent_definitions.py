"""What `:=` defines: arithmetic of labelled parameters, with its gradient."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drivers.methods.latent_fit import LatentFit
from drivers.spec.terms import Call, Expression, Name, Number, Operation

Array = NDArray[np.float64]

SAME = 1e-9
"""Relative difference up to which two standardised parameters of one label are one."""


def definitions(found: LatentFit, values: Array, gradients: Array) -> tuple[Array, Array]:
    """Values and gradients of what `:=` defines, from those of the entries, shapes (d,) and (d, k).

    NaN where a definition is no number, or rests on parameters that one label does not make equal.
    """
    known: dict[str, tuple[float, Array]] = {}
    for entry, value, gradient in zip(found.layout.entries, values, gradients, strict=True):
        if not entry.label:
            continue
        first = known.setdefault(entry.label, (float(value), gradient))
        if abs(first[0] - float(value)) > SAME * abs(first[0]):
            # Equal parameters of different variables are not equal in standard deviations.
            known[entry.label] = (math.nan, np.full_like(gradient, np.nan))
    made = []
    for defined in found.model.definitions:
        known[defined.name] = _evaluate(defined.expression, known, gradients.shape[1])
        made.append(known[defined.name])
    if not made:
        return np.zeros(0), np.zeros((0, gradients.shape[1]))
    value = np.array([value for value, _ in made])
    # A logarithm of a negative number, or a division by nil, is no number and has no error.
    gradient = np.where(np.isfinite(value)[:, None], np.array([gradient for _, gradient in made]), np.nan)
    return np.where(np.isfinite(value), value, np.nan), gradient


def _evaluate(
    expression: Expression, known: Mapping[str, tuple[float, Array]], k: int
) -> tuple[float, Array]:
    """An expression of labels and its gradient, by the rules of differentiation."""
    match expression:
        case Name(text):
            return known[text]
        case Number(value):
            return value, np.zeros(k)
        case Call(function, (inner,)):
            x, dx = _evaluate(inner, known, k)
            with np.errstate(all="ignore"):
                value, slope = {
                    "exp": (np.exp(x), np.exp(x)),
                    "log": (np.log(np.float64(x)), 1.0 / np.float64(x)),
                    "sqrt": (np.sqrt(np.float64(x)), 0.5 / np.sqrt(np.float64(x))),
                }[function]
            return float(value), slope * dx
        case Operation("-", (inner,)):
            x, dx = _evaluate(inner, known, k)
            return -x, -dx
        case Operation(operator, (left, right)):
            x, dx = _evaluate(left, known, k)
            y, dy = _evaluate(right, known, k)
            return _combined(operator, np.float64(x), dx, np.float64(y), dy)
        case _:
            raise TypeError(f"not an expression of labels: {expression!r}")


def _combined(operator: str, x: Any, dx: Array, y: Any, dy: Array) -> tuple[float, Array]:
    with np.errstate(all="ignore"):
        if operator == "+":
            return float(x + y), dx + dy
        if operator == "-":
            return float(x - y), dx - dy
        if operator == "*":
            return float(x * y), dx * y + dy * x
        if operator == "/":
            return float(x / y), dx / y - dy * x / y**2
        return float(x**y), y * x ** (y - 1.0) * dx
