"""Formula text -> equations made of expressions; nothing is looked up here and nothing is evaluated.

The grammar is closed: names, numbers, the operators below and the functions of `terms.FUNCTIONS`. Whatever
else a text holds (attributes, subscripts, quotes, calls of other functions) is refused with its place.

Outside functions the operators are R's formula algebra; inside `I()` and the other functions they are
arithmetic.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from drivers.errors import Fault
from drivers.spec.canonical import names_in
from drivers.spec.functions import binary, read_operand
from drivers.spec.statements import statements
from drivers.spec.terms import Call, Expression, Name, Number, Operation, Span
from drivers.spec.tokens import Cursor, Language, Locate, Refused, Token

EquationOperator = Literal["~", "~~", "<~", "=~"]

_EQUATION = ("~", "~~", "<~", "=~", ":=")
_ALGEBRA = ("+", "-", ":", "*", "^", "**", "/")
_CONTINUES = (*_EQUATION, *_ALGEBRA, "|", ",")
_LANGUAGE = Language("a formula", (*_CONTINUES, "(", ")", ";"), quotes=False, lines=True)

_LEFT_FUNCTIONS = ("I", "exp", "log", "log1p", "scale", "sqrt")

_NO_INTERCEPT = "an equation always has its intercept; it cannot be removed"
_RANDOM_HELP = "supported: one random intercept per equation, as in `y ~ x + (1 | site)`"


@dataclass(frozen=True, slots=True)
class Summand:
    """One part of a right side: added or, after `-`, removed; with its weight in `<~`."""

    expression: Expression
    removed: bool = False
    weight: float | None = None


@dataclass(frozen=True, slots=True)
class ParsedEquation:
    """One equation as it is typed."""

    operator: EquationOperator
    left: Name | Call
    right: tuple[Summand, ...]
    random: Name | None
    text: str = field(compare=False)
    span: Span = field(compare=False)
    operator_span: Span = field(compare=False)


def parse_formula(text: str, locate: Locate, faults: list[Fault]) -> tuple[ParsedEquation, ...]:
    """Read all equations of a formula; what is wrong is added to `faults`, one fault per bad equation.

    Parameters
    ----------
    text
        One equation per line or `;`; `#` starts a comment.
    locate
        Turns offsets of `text` into a place in the user's file.
    faults
        Grows by what is wrong.

    Examples
    --------
    >>> from drivers.errors import Place
    >>> faults = []
    >>> [e.left.text for e in parse_formula("rich ~ cover; cover ~ log(age)", lambda s: Place("f"), faults)]
    ['rich', 'cover']
    """
    equations: list[ParsedEquation] = []
    before = len(faults)
    for tokens in statements(list(_LANGUAGE.tokens(text)), _EQUATION, _CONTINUES):
        try:
            equations.append(_Parser(text, tokens).equation())
        except Refused as refused:
            faults.append(refused.fault(locate))
    if not equations and len(faults) == before:
        faults.append(
            Fault("the formula is empty", locate(Span(0, 0)), "write equations such as `y ~ x1 + x2`")
        )
    return tuple(equations)


class _Parser:
    """Recursive descent over the tokens of one equation."""

    def __init__(self, text: str, tokens: Sequence[Token]) -> None:
        self._tokens = tokens
        self._span = Span(tokens[0].span.start, tokens[-1].span.end)
        self._text = text[self._span.start : self._span.end]
        self._operator: str = "~"
        self._cursor = Cursor(tokens, "the equation", self._span.end)

    def equation(self) -> ParsedEquation:
        at = next(
            (i for i, t in enumerate(self._tokens) if t.kind == "operator" and t.text in _EQUATION), None
        )
        if at is None:
            bad = next((t for t in self._tokens if t.kind == "bad"), None)
            if bad is not None:
                raise Refused(bad.text, bad.span)
            raise Refused(
                "a line of the formula is no equation: it has no `~`",
                self._span,
                "write `response ~ drivers`",
            )
        sign = self._tokens[at]
        self._operator = sign.text
        if sign.text == ":=":
            raise Refused(
                "`:=` (a defined parameter) belongs to method `lsem`",
                sign.span,
                "direct, indirect and total effects are always in effects.csv",
            )
        if at == 0:
            raise Refused(f"nothing stands left of `{sign.text}`", sign.span)
        left = self._left(Cursor(self._tokens[:at], "the left side", sign.span.start), sign)
        self._cursor = Cursor(self._tokens[at + 1 :], "the equation", self._span.end)
        if self._cursor.token.kind == "end":
            raise Refused(f"nothing stands right of `{sign.text}`", sign.span)
        right, random = self._right()
        operator: EquationOperator = (
            "~~" if sign.text == "~~" else "<~" if sign.text == "<~" else "=~" if sign.text == "=~" else "~"
        )
        if operator == "<~":
            self._check_weights(right)
        return ParsedEquation(operator, left, right, random, self._text, self._span, sign.span)

    def _left(self, cursor: Cursor, sign: Token) -> Name | Call:
        self._cursor = cursor
        left = self._atom()
        if cursor.token.kind != "end":
            raise cursor.unexpected(f"left of `{sign.text}`, where one name should be alone")
        if isinstance(left, Name) and left.text != ".":
            return left
        if isinstance(left, Call) and sign.text == "~" and left.function in _LEFT_FUNCTIONS:
            names = {name.text for name in names_in(left)}
            if len(names) == 1:
                return left
            raise Refused("the left side of an equation is about one variable", left.span)
        allowed = "a name" if sign.text != "~" else "a name or a transformed name such as `log(NEP)`"
        raise Refused(f"left of `{sign.text}` stands {allowed}", left.span)

    # The right side, in R's formula algebra.

    def _right(self) -> tuple[tuple[Summand, ...], Name | None]:
        cursor = self._cursor
        summands: list[Summand] = []
        random: Name | None = None
        removed = cursor.at("+", "-") and cursor.take().text == "-"
        while True:
            cursor.restart_count()
            group = self._random()
            if group is not None:
                if random is not None or removed or self._operator != "~":
                    raise Refused("this random term is not supported", group.span, _RANDOM_HELP)
                random = group
            else:
                summand = self._summand(removed)
                if summand is not None:
                    summands.append(summand)
            if cursor.token.kind == "end":
                return tuple(summands), random
            if not cursor.at("+", "-"):
                raise self._no_operator()
            removed = cursor.take().text == "-"

    def _summand(self, removed: bool) -> Summand | None:
        cursor = self._cursor
        if self._operator == "<~" and cursor.token.kind == "number" and cursor.ahead(1).text == "*":
            weight = cursor.take().value
            cursor.take()
            return Summand(self._atom(), weight=-weight if removed else weight)
        expression = self._product()
        if isinstance(expression, Number):
            self._check_intercept(expression, removed)
            return None
        if self._operator in ("~~", "=~") and (removed or not isinstance(expression, Name)):
            raise Refused(f"right of `{self._operator}` stand names joined by `+`", expression.span)
        return Summand(expression, removed)

    def _check_intercept(self, number: Number, removed: bool) -> None:
        if self._operator != "~":
            raise Refused("a number is no variable", number.span)
        if number.value == 0 or (number.value == 1 and removed):
            raise Refused(_NO_INTERCEPT, number.span)
        if number.value != 1:
            raise Refused("a number is no variable", number.span, "arithmetic stands inside `I()`")

    def _random(self) -> Name | None:
        """`(1 | g)`, or None; other random terms are met, and refused, as a stray `|`."""
        cursor = self._cursor
        words = [cursor.ahead(i) for i in range(5)]
        kinds = ["operator", "number", "operator", "name", "operator"]
        shape = ["(", "1", "|", words[3].text, ")"]
        if [w.text for w in words] != shape or [w.kind for w in words] != kinds or words[3].text == ".":
            return None
        for _ in words:
            cursor.take()
        return Name(words[3].text, words[3].span)

    def _sum(self) -> Expression:
        cursor = self._cursor
        first = cursor.take() if cursor.at("+", "-") else None
        value = self._product()
        self._check_nested_number(value, first is not None and first.text == "-")
        if first is not None and first.text == "-":
            cursor.count(first.span)
            value = Operation("-", (value,), Span(first.span.start, value.span.end))
        while cursor.at("+", "-"):
            sign = cursor.take()
            right = self._product()
            self._check_nested_number(right, sign.text == "-")
            value = binary(self._cursor, sign.text, value, right)
        return value

    def _check_nested_number(self, value: Expression, removed: bool) -> None:
        if isinstance(value, Number):
            self._check_intercept(value, removed)

    def _product(self) -> Expression:
        value = self._interaction()
        while self._cursor.at("*", "/"):
            sign = self._cursor.take()
            if sign.text == "/":
                raise Refused("`/` works only inside `I()`", sign.span, "write the ratio as `I(a / b)`")
            value = self._algebra("*", value, self._interaction())
        return value

    def _interaction(self) -> Expression:
        value = self._power()
        while self._cursor.at(":"):
            self._cursor.take()
            value = self._algebra(":", value, self._power())
        return value

    def _power(self) -> Expression:
        value = self._atom()
        while self._cursor.at("^", "**"):
            sign = self._cursor.take()
            token = self._cursor.token
            if token.kind != "number" or token.value < 1 or token.value != int(token.value):
                raise Refused(
                    "the power of a term is a whole number, as in `(a + b)^2`",
                    token.span if token.kind != "end" else sign.span,
                    "a squared variable is `I(x^2)`",
                )
            self._cursor.take()
            value = self._algebra("^", value, Number(token.value, token.text, token.span))
        return value

    def _algebra(self, operator: str, left: Expression, right: Expression) -> Operation:
        for operand in (left, right) if operator != "^" else (left,):
            if isinstance(operand, Number):
                raise Refused(
                    f"a number cannot stand beside `{operator}`",
                    operand.span,
                    "arithmetic stands inside `I()`",
                )
        return binary(self._cursor, operator, left, right)

    def _atom(self) -> Expression:
        cursor = self._cursor
        token = cursor.token
        operand = read_operand(cursor)
        if operand is not None:
            return operand
        if cursor.at("("):
            cursor.take()
            with cursor.nested(token.span):
                inner = self._sum()
                if cursor.at("|"):
                    raise Refused("this random term is not supported", cursor.token.span, _RANDOM_HELP)
                cursor.expect(")", token.span)
            return inner
        raise cursor.unexpected("where a variable should be")

    def _no_operator(self) -> Refused:
        token = self._cursor.token
        if token.kind == "operator" and token.text in _EQUATION:
            return Refused(f"a second `{token.text}` in one equation", token.span, "one equation per line")
        if token.kind == "operator" and token.text == ")":
            return Refused("a parenthesis is closed that was never opened", token.span)
        return self._cursor.unexpected("where an operator such as `+` should be")

    def _check_weights(self, right: tuple[Summand, ...]) -> None:
        bare = [s for s in right if s.weight is None and not s.removed]
        if bare and len(bare) < len(right) and any(s.weight is not None for s in right):
            raise Refused(
                "either all members of a composite have a weight or none",
                bare[0].expression.span,
                "as in `human <~ 0.5*GDP + 0.5*HFP`",
            )
