"""Function calls of a formula and the arithmetic inside them, from tokens to expressions."""

from __future__ import annotations

from drivers.errors import propose
from drivers.spec.canonical import names_in
from drivers.spec.terms import FUNCTIONS, Call, Expression, Name, Number, Operation, Span
from drivers.spec.tokens import Cursor, Refused, Token

_WIDE_FUNCTIONS = ("C", "poly")
"""Functions that make several columns, so they cannot stand inside another one."""

POLY_DEGREES = range(1, 6)
"""Degrees of `poly()`: past 5 a polynomial of a driver is no longer an explanation."""


def read_operand(cursor: Cursor) -> Expression | None:
    """A name, a number or a function call, if one of them comes next."""
    token = cursor.token
    if token.kind == "number":
        cursor.take()
        return Number(token.value, token.text, token.span)
    if token.kind != "name":
        return None
    after = cursor.ahead(1)
    if after.kind == "operator" and after.text == "(":
        return _call(cursor)
    cursor.take()
    return Name(token.text, token.span)


def binary(cursor: Cursor, operator: str, left: Expression, right: Expression) -> Operation:
    """An operation of two operands, counted."""
    span = Span(left.span.start, right.span.end)
    cursor.count(span)
    return Operation(operator, (left, right), span)


def _call(cursor: Cursor) -> Call:
    token = cursor.take()
    if token.text not in FUNCTIONS:
        message = f"`{token.text}(...)` is no function of the formula language"
        raise Refused(message, token.span, propose(token.text, FUNCTIONS))
    opened = cursor.take().span
    with cursor.nested(token.span):
        cursor.count(token.span)
        arguments = [_argument(cursor, token)]
        while cursor.at(","):
            cursor.take()
            arguments.append(_argument(cursor, token))
        closing = cursor.expect(")", opened)
    call = Call(token.text, tuple(arguments), Span(token.span.start, closing.span.end))
    _check_call(call)
    return call


def _argument(cursor: Cursor, function: Token) -> Expression:
    if cursor.at(")"):
        raise Refused(f"`{function.text}()` needs a variable", function.span)
    return _sum(cursor)


def _check_call(call: Call) -> None:
    wanted = 2 if call.function == "poly" else 1
    if len(call.arguments) != wanted:
        usage = "poly(x, degree)" if wanted == 2 else f"{call.function}(x)"
        raise Refused(f"`{call.function}` is used as `{usage}`", call.span)
    first = call.arguments[0]
    if call.function == "C" and not isinstance(first, Name):
        raise Refused("`C()` takes one variable", first.span)
    if next(names_in(first), None) is None:
        raise Refused(f"`{call.function}()` needs a variable", call.span)
    if call.function == "poly":
        degree = call.arguments[1]
        if not isinstance(degree, Number) or degree.value not in POLY_DEGREES:
            low, high = POLY_DEGREES[0], POLY_DEGREES[-1]
            raise Refused(f"the degree of `poly()` is a whole number from {low} to {high}", degree.span)
    for argument in call.arguments:
        _check_inner(argument)


def _check_inner(argument: Expression) -> None:
    if isinstance(argument, Call) and argument.function in _WIDE_FUNCTIONS:
        raise Refused(f"`{argument.function}()` cannot stand inside another function", argument.span)
    if isinstance(argument, Name) and argument.text == ".":
        raise Refused("`.` stands for all drivers; a function takes one variable", argument.span)
    if isinstance(argument, Operation):
        for operand in argument.operands:
            _check_inner(operand)


def _sum(cursor: Cursor) -> Expression:
    value = _quotient(cursor)
    while cursor.at("+", "-"):
        value = binary(cursor, cursor.take().text, value, _quotient(cursor))
    return value


def _quotient(cursor: Cursor) -> Expression:
    value = _signed(cursor)
    while cursor.at("*", "/"):
        value = binary(cursor, cursor.take().text, value, _signed(cursor))
    return value


def _signed(cursor: Cursor) -> Expression:
    if not cursor.at("+", "-"):
        return _raised(cursor)
    sign = cursor.take()
    with cursor.nested(sign.span):
        value = _signed(cursor)
    if sign.text == "+":
        return value
    cursor.count(sign.span)
    return Operation("-", (value,), Span(sign.span.start, value.span.end))


def _raised(cursor: Cursor) -> Expression:
    base = _operand(cursor)
    if not cursor.at("^", "**"):
        return base
    sign = cursor.take()
    with cursor.nested(sign.span):
        return binary(cursor, "^", base, _signed(cursor))


def _operand(cursor: Cursor) -> Expression:
    operand = read_operand(cursor)
    if operand is not None:
        return operand
    if not cursor.at("("):
        raise cursor.unexpected("where a variable or a number should be")
    opened = cursor.take().span
    with cursor.nested(opened):
        inner = _sum(cursor)
        cursor.expect(")", opened)
    return inner
