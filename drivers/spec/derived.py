"""The closed grammar of derived columns: `NPP - RH`, `slope(DEM)`, `rh(TEM, PRE, variant='product')`.

Arithmetic over layers and the functions below; nothing else can be written, so nothing else can be run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import get_args

from drivers.errors import propose
from drivers.spec.canonical import names_in
from drivers.spec.terms import Call, Expression, Name, Number, Operation, Span, Text
from drivers.spec.tokens import Cursor, Language, Refused, Token
from drivers.stats.respiration import Variant

VARIANTS: tuple[str, ...] = get_args(Variant)
"""The published forms of heterotrophic respiration."""

ELEMENTWISE = ("abs", "exp", "log", "sqrt")
EXTREMES = ("max", "min")
TERRAIN = ("slope", "aspect", "northness")
OVER_YEARS = ("mean", "sum")
RESPIRATION = "rh"

FUNCTIONS = (*ELEMENTWISE, *EXTREMES, *OVER_YEARS, *TERRAIN, RESPIRATION)
"""The closed list of functions."""

_USAGE = {
    **{name: f"{name}(x)" for name in ELEMENTWISE},
    **{name: f"{name}(a, b)" for name in EXTREMES},
    **{name: f"{name}(DEM)" for name in TERRAIN},
    **{name: f"{name}(X), over the years of X" for name in OVER_YEARS},
    RESPIRATION: "rh(TEM, PRE, variant='...')",
}
_LANGUAGE = Language(
    "a derived column", ("+", "-", "*", "/", "^", "**", "(", ")", ",", "="), quotes=True, lines=False
)
_VARIANT = "variant"

MOST_ARGUMENTS = 40
"""Of `min` and `max`: more than anyone writes by hand."""


@dataclass(frozen=True, slots=True)
class Operand:
    """What a name of a derived column stands for."""

    yearly: bool
    """Whether it has a value for every year."""
    monthly: bool = False
    """Whether it is read by month."""
    annual: bool = True
    """Whether months become years (`aggregate:`); true where there are no months."""
    categorical: bool = False


def parse_derived(text: str) -> Expression:
    """Read the formula of a derived column; `Refused` says what the grammar does not hold.

    >>> from drivers.spec.canonical import canonical
    >>> canonical(parse_derived("-NPP*0.1 + rh(TEM, PRE, variant='product')"))
    "-NPP * 0.1 + rh(TEM, PRE, 'product')"
    """
    tokens = list(_LANGUAGE.tokens(text))
    if not tokens:
        raise Refused("the formula is empty", Span(0, len(text)), "write a formula such as `NPP - RH`")
    parser = _Parser(tokens, len(text))
    expression = parser.sum()
    if parser.cursor.token.kind != "end":
        raise parser.cursor.unexpected("where an operator or the end should be")
    if next(names_in(expression), None) is None:
        raise Refused("the formula names no layer", expression.span)
    return expression


def is_yearly(expression: Expression, operands: Mapping[str, Operand]) -> bool:
    """Whether an expression has a value for every year; `Refused` says what it does that cannot be.

    Parameters
    ----------
    expression : as `parse_derived` gives it
    operands : the layers and the other derived columns, by name

    Examples
    --------
    >>> known = {"NPP": Operand(yearly=True), "DEM": Operand(yearly=False)}
    >>> is_yearly(parse_derived("NPP * DEM"), known), is_yearly(parse_derived("mean(NPP)"), known)
    (True, False)
    """
    match expression:
        case Name(text):
            return _operand(expression, operands, text).yearly
        case Operation(_, parts):
            return max([is_yearly(part, operands) for part in parts])  # all parts are looked at
        case Call(function, parts):
            if function == RESPIRATION:
                return _respires(expression, operands)
            found = max([is_yearly(part, operands) for part in parts])
            if function in OVER_YEARS and not found:
                message = f"`{function}()` goes over years, and what stands in it has none"
                raise Refused(message, parts[0].span)
            return found and function not in OVER_YEARS
    return False


def _operand(name: Name, operands: Mapping[str, Operand], text: str) -> Operand:
    found = _known(name, operands, text)
    if found.categorical:
        raise Refused(f"`{text}` is categorical, and classes cannot be computed with", name.span)
    if not found.annual:
        hint = f"add `aggregate: mean` or `aggregate: sum` to the layer `{text}`"
        raise Refused(f"`{text}` is monthly, and nothing says how months become a year", name.span, hint)
    return found


def _known(name: Name, operands: Mapping[str, Operand], text: str) -> Operand:
    found = operands.get(text)
    if found is None:
        message = f"`{text}` is neither a layer nor a derived column"
        raise Refused(message, name.span, propose(text, list(operands)))
    return found


def _respires(call: Call, operands: Mapping[str, Operand]) -> bool:
    for argument in call.arguments[:2]:
        assert isinstance(argument, Name)
        if not _known(argument, operands, argument.text).monthly:
            hint = "give it `{month}` in its source, or `time: month`"
            message = f"`rh()` sums months to years, and `{argument.text}` is not monthly"
            raise Refused(message, argument.span, hint)
    return True


class _Parser:
    """Recursive descent, loosest operator first."""

    def __init__(self, tokens: list[Token], end: int) -> None:
        self.cursor = Cursor(tokens, "the formula", end)

    def sum(self) -> Expression:
        value = self._product()
        while self.cursor.at("+", "-"):
            value = self._binary(self.cursor.take().text, value, self._product())
        return value

    def _product(self) -> Expression:
        value = self._signed()
        while self.cursor.at("*", "/"):
            value = self._binary(self.cursor.take().text, value, self._signed())
        return value

    def _signed(self) -> Expression:
        if not self.cursor.at("+", "-"):
            return self._power()
        sign = self.cursor.take()
        with self.cursor.nested(sign.span):
            value = self._signed()
        if sign.text == "+":
            return value
        self.cursor.count(sign.span)
        return Operation("-", (value,), Span(sign.span.start, value.span.end))

    def _power(self) -> Expression:
        base = self._atom()
        if not self.cursor.at("^", "**"):
            return base
        sign = self.cursor.take()
        with self.cursor.nested(sign.span):
            return self._binary("^", base, self._signed())

    def _atom(self) -> Expression:
        cursor = self.cursor
        token = cursor.token
        if token.kind == "number":
            cursor.take()
            return Number(token.value, token.text, token.span)
        if token.kind == "name":
            cursor.take()
            if cursor.at("("):
                return self._call(token)
            if token.text == ".":
                raise Refused("`.` has no meaning in a derived column", token.span)
            return Name(token.text, token.span)
        if cursor.at("("):
            cursor.take()
            with cursor.nested(token.span):
                inner = self.sum()
                cursor.expect(")", token.span)
            return inner
        raise cursor.unexpected("where a layer or a number should be")

    def _call(self, function: Token) -> Call:
        cursor = self.cursor
        if function.text not in FUNCTIONS:
            message = f"`{function.text}(...)` is no function of derived columns"
            raise Refused(message, function.span, propose(function.text, FUNCTIONS))
        opened = cursor.take().span
        arguments: list[Expression] = []
        variant: Text | None = None
        with cursor.nested(function.span):
            cursor.count(function.span)
            while not cursor.at(")"):
                if variant is not None or (arguments and not cursor.at(",")):
                    break
                if arguments:
                    cursor.take()
                if function.text == RESPIRATION and cursor.token.text == _VARIANT and len(arguments) == 2:
                    variant = self._variant()
                else:
                    arguments.append(self.sum())
            closing = cursor.expect(")", opened)
        span = Span(function.span.start, closing.span.end)
        if function.text == RESPIRATION:
            return _respiration(arguments, variant, span)
        few, many = (2, MOST_ARGUMENTS) if function.text in EXTREMES else (1, 1)
        if not few <= len(arguments) <= many:
            raise Refused(f"`{function.text}` is used as `{_USAGE[function.text]}`", span)
        return Call(function.text, tuple(arguments), span)

    def _variant(self) -> Text:
        """`variant='...'`, of which there is no default: the variants differ sixfold and more."""
        cursor = self.cursor
        cursor.take()
        cursor.expect("=")
        token = cursor.token
        if token.kind != "text":
            hint = "known: " + ", ".join(f"'{name}'" for name in VARIANTS)
            raise Refused("the variant of `rh()` is a text in quotes", token.span, hint)
        cursor.take()
        if token.text not in VARIANTS:
            raise Refused(f"`rh()` has no variant `{token.text}`", token.span, propose(token.text, VARIANTS))
        return Text(token.text, token.span)

    def _binary(self, operator: str, left: Expression, right: Expression) -> Operation:
        span = Span(left.span.start, right.span.end)
        self.cursor.count(span)
        return Operation(operator, (left, right), span)


def _respiration(arguments: list[Expression], variant: Text | None, span: Span) -> Call:
    if len(arguments) != 2 or not all(isinstance(argument, Name) for argument in arguments):
        raise Refused(f"`rh` is used as `{_USAGE[RESPIRATION]}`, on two layers", span)
    if variant is None:
        choices = " or ".join(f"variant='{name}'" for name in VARIANTS)
        hint = f"add {choices}; they differ sixfold and more, so there is no default"
        raise Refused("`rh()` needs its variant", span, hint)
    return Call(RESPIRATION, (*arguments, variant), span)
