"""Expressions -> their one canonical text, and the names inside them."""

from __future__ import annotations

from collections.abc import Iterator

from drivers.spec.terms import Call, Expression, Name, Number, Operation, Text
from drivers.spec.tokens import quoted_name

_BINDING = {
    "or": 1, "and": 2, "not": 3,
    "<": 4, "<=": 4, ">": 4, ">=": 4, "==": 4, "!=": 4,
    "+": 5, "-": 5, "*": 6, "/": 6, ":": 7, "^": 9,
}  # fmt: skip
_SIGN_BINDING = 8
_ATOM = 10
_TIGHT = {":"}
"""Operators without blanks around them, as R prints an interaction."""


def canonical(expression: Expression) -> str:
    """The text of an expression with R's spelling: blanks around operators, parentheses where needed.

    >>> from drivers.spec.terms import Span
    >>> here = Span(0, 0)
    >>> canonical(Call("I", (Operation("^", (Name("TEM", here), Number(2.0, "2.0", here)), here),), here))
    'I(TEM ^ 2)'
    """
    match expression:
        case Name(text):
            return quoted_name(text)
        case Number(value):
            return number_text(value)
        case Text(value):
            return f"'{value}'" if "'" not in value else f'"{value}"'
        case Call(function, arguments):
            return f"{function}({', '.join(canonical(argument) for argument in arguments)})"
        case Operation(operator, operands):
            return _operation(operator, operands)


def number_text(value: float) -> str:
    """A number as short as it can be without losing anything.

    >>> number_text(2.0), number_text(0.50), number_text(1e-9)
    ('2', '0.5', '1e-09')
    """
    text = repr(value)
    return text.removesuffix(".0")


def names_in(expression: Expression) -> Iterator[Name]:
    """Every name of an expression, from left to right."""
    match expression:
        case Name():
            yield expression
        case Call(_, parts) | Operation(_, parts):
            for part in parts:
                yield from names_in(part)
        case _:
            return


def _binding(expression: Expression) -> int:
    if not isinstance(expression, Operation):
        return _ATOM
    if len(expression.operands) == 1 and expression.operator != "not":
        return _SIGN_BINDING
    return _BINDING[expression.operator]


def _operation(operator: str, operands: tuple[Expression, ...]) -> str:
    if len(operands) == 1:
        sign = "not " if operator == "not" else operator
        return sign + _operand(operands[0], _BINDING["not"] if operator == "not" else _SIGN_BINDING)
    binding = _BINDING[operator]
    left, right = operands
    # `^` groups to the right and comparisons do not group at all; everything else groups to the left.
    before = binding + (operator == "^" or binding == _BINDING["<"])
    after = binding + (operator != "^")
    gap = "" if operator in _TIGHT else " "
    return f"{_operand(left, before)}{gap}{operator}{gap}{_operand(right, after)}"


def _operand(expression: Expression, least: int) -> str:
    text = canonical(expression)
    return text if _binding(expression) >= least else f"({text})"
