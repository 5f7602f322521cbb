"""Which pixels satisfy a condition: its expression evaluated with numpy, never as code.

A comparison with a missing value has no answer, so the pixel is in no stratum of that condition,
also under `not` and `!=` (pandas would put it into the complement).
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drivers.errors import Fault, Place, TableError
from drivers.spec.condition import COMPARISONS, Condition
from drivers.spec.terms import Expression, Name, Number, Operation, Text
from drivers.table.levels import match_level
from drivers.table.pixels import PixelTable, missing_column

Mask = NDArray[np.bool_]
Numbers = NDArray[np.float64] | float

_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}
_COMPUTE: dict[str, Callable[[Any, Any], Any]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
}


@dataclass(frozen=True, slots=True)
class _Classes:
    """A column of classes, by name: compared with texts only."""

    name: str


def select(table: PixelTable, condition: Condition, place: Place | None = None) -> Mask:
    """The pixels that satisfy a condition, shape (n,).

    Raises
    ------
    TableError
        Where the condition names a column that is not there, or compares text with numbers.
    """
    absent = [name for name in condition.variables if name not in table.columns]
    if absent:
        faults = [missing_column(name, table.source, table.columns) for name in absent]
        raise TableError(
            Fault(f"the condition `{condition.text}` cannot be evaluated: {f.message}", place, f.hint)
            for f in faults
        )
    evaluation = _Evaluation(table, condition, place)
    with np.errstate(all="ignore"):  # 1 / 0 is infinite and 0 / 0 undefined, as IEEE says; both compare
        chosen = np.broadcast_to(evaluation.truth(condition.expression), table.n)
    return chosen & ~evaluation.undefined if evaluation.undefined is not None else chosen.copy()


class _Evaluation:
    """One condition on one table; `undefined` collects the pixels of which a comparison has no answer."""

    def __init__(self, table: PixelTable, condition: Condition, place: Place | None) -> None:
        self.table = table
        self.condition = condition
        self.place = place
        self.undefined: Mask | None = None

    def truth(self, expression: Expression) -> Mask | bool:
        if isinstance(expression, Operation):
            sign, operands = expression.operator, expression.operands
            if sign == "not":
                return np.logical_not(self.truth(operands[0]))
            if sign == "and":
                return np.logical_and(self.truth(operands[0]), self.truth(operands[1]))
            if sign == "or":
                return np.logical_or(self.truth(operands[0]), self.truth(operands[1]))
            if sign in COMPARISONS:
                return self._compare(sign, operands[0], operands[1])
        raise self._fault("is no comparison")

    def _compare(self, sign: str, left: Expression, right: Expression) -> Mask | bool:
        a, b = self._operand(left, right), self._operand(right, left)
        if isinstance(a, str | _Classes) != isinstance(b, str | _Classes):
            raise self._mixture(left, right)
        if isinstance(a, str | _Classes) and isinstance(b, str | _Classes):
            if sign not in ("==", "!="):
                raise self._fault(f"compares text by `{sign}`", "text is compared by `==` and `!=`")
            same = self._same_class(a, b)
            return np.logical_not(same) if sign == "!=" else same
        self._note_undefined(a)
        self._note_undefined(b)
        result: Mask | bool = _COMPARE[sign](a, b)
        return result

    def _operand(self, expression: Expression, other: Expression) -> Numbers | str | _Classes:
        """A side of a comparison: numbers, a text, or a column that is compared as classes."""
        if isinstance(expression, Text):
            return expression.value
        if isinstance(expression, Name):
            name = expression.text
            coded = name in self.table.categorical and isinstance(other, Text)
            if coded or self.table.holds_text(name):
                return _Classes(name)
        return self._numbers(expression)

    def _numbers(self, expression: Expression) -> Numbers:
        if isinstance(expression, Number):
            return expression.value
        if isinstance(expression, Name):
            if self.table.holds_text(expression.text):
                raise self._fault(f"computes with `{expression.text}`, which holds text")
            return self.table.values(expression.text)
        if isinstance(expression, Operation):
            sign, operands = expression.operator, expression.operands
            if sign == "-" and len(operands) == 1:
                return -self._numbers(operands[0])
            if sign in _COMPUTE:
                result: Numbers = _COMPUTE[sign](self._numbers(operands[0]), self._numbers(operands[1]))
                return result
        raise self._fault("compares what is not a number")

    def _same_class(self, a: str | _Classes, b: str | _Classes) -> Mask | bool:
        if isinstance(a, str) and isinstance(b, str):
            return a == b
        if isinstance(a, str):
            a, b = b, a
        assert isinstance(a, _Classes)
        codes, labels = self.table.codes(a.name), self.table.levels(a.name)
        self._note(codes < 0)
        if isinstance(b, str):
            position = match_level(b, labels)
            return codes == position if position is not None else np.zeros(self.table.n, dtype=np.bool_)
        others, names = self.table.codes(b.name), self.table.levels(b.name)
        self._note(others < 0)
        place = {name: i for i, name in enumerate(names)}
        # -2 for a class that the other column lacks; the last element stands for missing.
        translated = np.array([*(place.get(label, -2) for label in labels), -1], dtype=np.int32)
        return np.equal(translated[codes], others)

    def _note_undefined(self, numbers: object) -> None:
        if isinstance(numbers, np.ndarray):
            self._note(np.isnan(numbers))

    def _note(self, missing: Mask) -> None:
        if missing.any():
            self.undefined = missing if self.undefined is None else self.undefined | missing

    def _mixture(self, left: Expression, right: Expression) -> TableError:
        """Text against numbers: name the column, and say how its values are written."""
        for side, other in ((left, right), (right, left)):
            if isinstance(side, Name):
                if self.table.holds_text(side.text) and not isinstance(other, Text):
                    labels = self.table.levels(side.text)[:3]
                    shown = ", ".join(f"`'{label}'`" for label in labels)
                    return self._fault(
                        f"compares `{side.text}`, which holds text, with a number", f"its levels: {shown}"
                    )
                if isinstance(other, Text):
                    return self._fault(
                        f"compares `{side.text}`, which holds numbers, with the text '{other.value}'",
                        "write numbers without quotes, or declare the column categorical",
                    )
        return self._fault("compares text with numbers")

    def _fault(self, what: str, hint: str = "") -> TableError:
        return TableError(Fault(f"the condition `{self.condition.text}` {what}", self.place, hint))
