"""What `scale()` learns on the table that a model is fitted on, kept for tables that it predicts.

A function of columns is worked out here by walking its checked expression; nothing is evaluated as code.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drivers.methods.transforms import TRANSFORMS, Scale
from drivers.spec.bound import DriverModel
from drivers.spec.terms import Call, Expression, Factor, Name, Number, Operation
from drivers.stats.moments import CHUNK_ROWS
from drivers.table import PixelTable

Array = NDArray[np.float64]
Column = Callable[[str], Array]
"""A variable's name -> its values at some pixels."""

Constants = tuple[tuple[float, float], ...]
"""(mean, standard deviation) of every `scale()` of an expression, an inner one before the one around it."""

OPERATORS: Mapping[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "^": operator.pow,
}


@dataclass(frozen=True, slots=True)
class Learnt:
    """What a model takes from the whole of its table, whatever the stratum.

    Attributes
    ----------
    unit : of the response; empty where it has none, or is a function of a column
    constants : of every driver with a `scale()`, by the factor's text
    """

    unit: str
    constants: Mapping[str, Constants]

    @classmethod
    def of(cls, model: DriverModel, table: PixelTable) -> Learnt:
        """Learn as `methods.design` does: from all pixels that have a value in the driver's variables."""
        plain = isinstance(model.target.expression, Name)
        constants: dict[str, Constants] = {}
        for driver in model.drivers:
            factor = driver.factor
            if scales_in(factor.expression):
                constants[factor.text] = _learn(factor.expression, _chunks(factor, table))
        return cls(table.units.get(model.response, "") if plain else "", constants)


class _Telling(Scale):
    """A `scale()` that says what it has learnt."""

    def constants(self) -> tuple[float, float]:
        """Mean and standard deviation; NaN of fewer than two values."""
        if self._n < 2:
            return float("nan"), float("nan")
        return self._mean, float(np.sqrt(self._m2 / (self._n - 1)))


def _chunks(factor: Factor, table: PixelTable) -> Callable[[], Iterator[Column]]:
    """The complete pixels in the chunks of `methods.design`: sums over others differ in the last digit."""
    rows = np.flatnonzero(table.complete(factor.variables))

    def chunks() -> Iterator[Column]:
        for start in range(0, len(rows), CHUNK_ROWS):
            some = rows[start : start + CHUNK_ROWS]
            yield lambda name, some=some: table.values(name)[some]  # type: ignore[misc]

    return chunks


def _learn(expression: Expression, chunks: Callable[[], Iterator[Column]]) -> Constants:
    match expression:
        case Call("scale", (inner,)):
            before = _learn(inner, chunks)
            scale = _Telling()
            with np.errstate(all="ignore"):
                for column in chunks():
                    scale.memorize_chunk(_worked_out(inner, column, iter(before)))
            return (*before, scale.constants())
        case Call(_, parts) | Operation(_, parts):
            return tuple(found for part in parts for found in _learn(part, chunks))
        case _:
            return ()


def scales_in(expression: Expression) -> int:
    """How many `scale()` an expression has."""
    match expression:
        case Call(function, parts):
            return (function == "scale") + sum(map(scales_in, parts))
        case Operation(_, parts):
            return sum(map(scales_in, parts))
        case _:
            return 0


def factor_values(factor: Factor, column: Column, constants: Iterable[tuple[float, float]] = ()) -> Array:
    """A numeric factor at some pixels, shape (m,).

    NaN where a variable is missing; where all are there and the function has no finite value, infinite.

    Examples
    --------
    >>> from drivers.spec.terms import Span
    >>> at = Span(0, 0)
    >>> scaled = Factor("scale(x)", Call("scale", (Name("x", at),), at), ("x",))
    >>> factor_values(scaled, lambda name: np.array([3.0, 5.0, np.nan]), [(1.0, 2.0)]).tolist()
    [1.0, 2.0, nan]
    """
    if factor.plain:
        return column(factor.variables[0])
    with np.errstate(all="ignore"):
        made = np.array(_worked_out(factor.expression, column, iter(constants)), dtype=np.float64)
    missing = np.zeros(made.shape, dtype=np.bool_)
    for name in factor.variables:
        missing |= np.isnan(column(name))
    made[np.isnan(made)] = np.inf
    made[missing] = np.nan  # also where the function forgets it, as `I(x ^ 0)` does
    return made


def _worked_out(expression: Expression, column: Column, constants: Iterator[tuple[float, float]]) -> Any:
    """The value of an expression: an array, or a number where no variable is in it."""
    match expression:
        case Name(text):
            return column(text)
        case Number(value):
            return value
        case Call("I", (inner,)):
            return _worked_out(inner, column, constants)
        case Call("scale", (inner,)):
            values = _worked_out(inner, column, constants)
            mean, sd = next(constants)
            return (values - mean) / sd
        case Call(function, (inner,)) if function in TRANSFORMS:
            return TRANSFORMS[function](_worked_out(inner, column, constants))
        case Operation("-", (inner,)):
            return -_worked_out(inner, column, constants)
        case Operation(sign, (left, right)) if sign in OPERATORS:
            first = _worked_out(left, column, constants)
            return OPERATORS[sign](first, _worked_out(right, column, constants))
        case _:
            raise TypeError(f"not an expression of one column: {expression!r}")
