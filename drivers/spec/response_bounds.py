"""What a condition says about one variable alone: the interval to which it confines it."""

from __future__ import annotations

import math

from drivers.spec.canonical import names_in
from drivers.spec.condition import Condition
from drivers.spec.terms import Expression, Name, Number, Operation

_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "=="}
"""Comparisons that bound, each as it reads from the right."""


def bounds(condition: Condition, name: str) -> tuple[float, float] | None:
    """The interval to which a condition confines a variable.

    Whether an end belongs to the interval is not told: for a continuous variable that is the same.

    Parameters
    ----------
    condition : of a stratum
    name : a column

    Returns
    -------
    (low, high), infinite where nothing bounds it: (-inf, inf) for a variable that is not mentioned. `==`
    gives low = high, and low > high is a condition that no pixel meets. None where an interval cannot say
    what the condition does: the variable stands under `or`, `not` or `!=`, in arithmetic, or beside another
    variable or a text.

    Examples
    --------
    >>> from drivers.spec.condition import parse_condition
    >>> bounds(parse_condition("0 < NEP <= 50 and NEP < 40 and (LUCC == 1 or DEM > 500)"), "NEP")
    (0.0, 40.0)
    >>> bounds(parse_condition("NEP > 0 or DEM > 500"), "NEP") is None
    True
    """
    low, high = -math.inf, math.inf
    for part in _conjuncts(condition.expression):
        if all(found.text != name for found in names_in(part)):
            continue
        limits = _limits(part, name)
        if limits is None:
            return None
        low, high = max(low, limits[0]), min(high, limits[1])
    return low, high


def _conjuncts(expression: Expression) -> list[Expression]:
    """The parts that must all hold."""
    found, left = [], [expression]
    while left:  # no recursion: a condition may chain hundreds of comparisons
        part = left.pop()
        if isinstance(part, Operation) and part.operator == "and":
            left += part.operands
        else:
            found.append(part)
    return found


def _limits(part: Expression, name: str) -> tuple[float, float] | None:
    """The interval of one comparison of the variable with a constant; None for anything else."""
    if not isinstance(part, Operation) or part.operator not in _MIRRORED:
        return None
    (left, right), operator = part.operands, part.operator
    if not isinstance(left, Name):
        left, right, operator = right, left, _MIRRORED[operator]
    value = _constant(right)
    if not isinstance(left, Name) or left.text != name or value is None:
        return None
    return (
        value if operator in (">", ">=", "==") else -math.inf,
        value if operator in ("<", "<=", "==") else math.inf,
    )


def _constant(expression: Expression) -> float | None:
    """The value of an expression of numbers alone; None of any other, and where it has no value."""
    if isinstance(expression, Number):
        return expression.value
    if not isinstance(expression, Operation):
        return None
    values = [_constant(operand) for operand in expression.operands]
    if any(value is None for value in values):
        return None
    a, *rest = [value for value in values if value is not None]
    if not rest:
        return -a if expression.operator == "-" else None
    b = rest[0]
    match expression.operator:
        case "+":
            return a + b
        case "-":
            return a - b
        case "*":
            return a * b
        case "/" if b != 0:
            return a / b
        case _:
            return None
