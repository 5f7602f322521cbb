"""The closed grammar of strata conditions: `NEP > 0`, `300 <= DEM < 500 and LUCC != 'water'`."""

from __future__ import annotations

from dataclasses import dataclass, field

from drivers.spec.canonical import canonical, names_in
from drivers.spec.terms import Expression, Name, Number, Operation, Span, Text
from drivers.spec.tokens import LOGIC, Cursor, Language, Refused, Token

COMPARISONS = ("<", "<=", ">", ">=", "==", "!=")

_LANGUAGE = Language(
    "a condition", (*COMPARISONS, "&", "|", "!", "+", "-", "*", "/", "(", ")"), quotes=True, lines=False
)
_SPELLINGS = {"&": "and", "|": "or", "!": "not"}


@dataclass(frozen=True, slots=True)
class Condition:
    """What a pixel must satisfy to be in a stratum.

    `expression` is made of `Operation`s with the operators `and or not < <= > >= == != + - * /` over names,
    numbers and texts; a chain `a <= x < b` has become `a <= x and x < b`.
    """

    text: str
    expression: Expression
    variables: tuple[str, ...] = field(compare=False)
    """The columns it uses, each once, in order."""


def parse_condition(text: str) -> Condition:
    """Read a condition; `Refused` says what the grammar does not hold.

    >>> condition = parse_condition("300 <= DEM < 500")
    >>> canonical(condition.expression), condition.variables
    ('300 <= DEM and DEM < 500', ('DEM',))
    """
    tokens = [_keyword(token, text) for token in _LANGUAGE.tokens(text)]
    if not tokens:
        raise Refused("the condition is empty", Span(0, len(text)), "write a comparison such as `NEP > 0`")
    parser = _Parser(tokens, len(text))
    expression = parser.disjunction()
    if parser.cursor.token.kind != "end":
        raise parser.cursor.unexpected("where an operator or the end should be")
    _check_logical(expression)
    variables = tuple(dict.fromkeys(name.text for name in names_in(expression)))
    if not variables:
        raise Refused("the condition names no column", expression.span)
    return Condition(text.strip(), expression, variables)


def _keyword(token: Token, text: str) -> Token:
    """Words and signs of logic become one kind of operator; a name in backticks stays a name."""
    if token.kind == "name" and token.text in LOGIC and text[token.span.start] != "`":
        return Token("operator", token.text, token.span)
    if token.kind == "operator" and token.text in _SPELLINGS:
        return Token("operator", _SPELLINGS[token.text], token.span)
    return token


def _is_logical(expression: Expression) -> bool:
    return isinstance(expression, Operation) and expression.operator in (*COMPARISONS, *LOGIC)


def _check_logical(expression: Expression) -> None:
    if not _is_logical(expression):
        shown = canonical(expression)
        raise Refused(f"`{shown}` is no comparison", expression.span, "a condition compares, as in `NEP > 0`")


def _check_value(expression: Expression, operator: str) -> None:
    if _is_logical(expression):
        raise Refused(f"a comparison cannot stand beside `{operator}`", expression.span)


def _check_number(expression: Expression, operator: str) -> None:
    _check_value(expression, operator)
    if isinstance(expression, Text):
        raise Refused(f"a text cannot stand beside `{operator}`", expression.span)


class _Parser:
    """Recursive descent, loosest operator first."""

    def __init__(self, tokens: list[Token], end: int) -> None:
        self.cursor = Cursor(tokens, "the condition", end)

    def disjunction(self) -> Expression:
        value = self._conjunction()
        while self.cursor.at("or"):
            value = self._logic(value, self.cursor.take(), self._conjunction())
        return value

    def _conjunction(self) -> Expression:
        value = self._negation()
        while self.cursor.at("and"):
            value = self._logic(value, self.cursor.take(), self._negation())
        return value

    def _logic(self, left: Expression, sign: Token, right: Expression) -> Expression:
        _check_logical(left)
        _check_logical(right)
        return self._binary(sign.text, left, right)

    def _negation(self) -> Expression:
        if not self.cursor.at("not"):
            return self._comparison()
        sign = self.cursor.take()
        with self.cursor.nested(sign.span):
            value = self._negation()
        _check_logical(value)
        self.cursor.count(sign.span)
        return Operation("not", (value,), Span(sign.span.start, value.span.end))

    def _comparison(self) -> Expression:
        left = self._sum()
        links: Expression | None = None
        while self.cursor.at(*COMPARISONS):
            sign = self.cursor.take()
            right = self._sum()
            _check_value(left, sign.text)
            _check_value(right, sign.text)
            link = self._binary(sign.text, left, right)
            links = link if links is None else self._binary("and", links, link)
            left = right
        return left if links is None else links

    def _sum(self) -> Expression:
        value = self._product()
        while self.cursor.at("+", "-"):
            value = self._arithmetic(value, self.cursor.take(), self._product())
        return value

    def _product(self) -> Expression:
        value = self._signed()
        while self.cursor.at("*", "/"):
            value = self._arithmetic(value, self.cursor.take(), self._signed())
        return value

    def _arithmetic(self, left: Expression, sign: Token, right: Expression) -> Expression:
        _check_number(left, sign.text)
        _check_number(right, sign.text)
        return self._binary(sign.text, left, right)

    def _signed(self) -> Expression:
        if not self.cursor.at("+", "-"):
            return self._operand()
        sign = self.cursor.take()
        with self.cursor.nested(sign.span):
            value = self._signed()
        _check_number(value, sign.text)
        if sign.text == "+":
            return value
        self.cursor.count(sign.span)
        return Operation("-", (value,), Span(sign.span.start, value.span.end))

    def _operand(self) -> Expression:
        cursor = self.cursor
        token = cursor.token
        if token.kind == "name":
            cursor.take()
            if cursor.at("("):
                raise Refused(f"`{token.text}(...)`: a condition calls no functions", token.span)
            if token.text == ".":
                raise Refused("`.` has no meaning in a condition", token.span)
            return Name(token.text, token.span)
        if token.kind == "number":
            cursor.take()
            return Number(token.value, token.text, token.span)
        if token.kind == "text":
            cursor.take()
            return Text(token.text, token.span)
        if cursor.at("("):
            cursor.take()
            with cursor.nested(token.span):
                inner = self.disjunction()
                cursor.expect(")", token.span)
            return inner
        raise cursor.unexpected("where a column or a value should be")

    def _binary(self, operator: str, left: Expression, right: Expression) -> Operation:
        span = Span(left.span.start, right.span.end)
        self.cursor.count(span)
        return Operation(operator, (left, right), span)
