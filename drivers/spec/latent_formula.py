"""Text of a latent model -> its lines; nothing is looked up here and nothing is evaluated.

lavaan's operators (Rosseel 2012, doi:10.18637/jss.v048.i02): `=~` measured by, `~` regressed on, `~~`
covaries with, `~ 1` an intercept, `:=` defined as. `*` puts a label or a fixed value before a variable;
equal labels make equal parameters. The grammar is closed, as that of `formula.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from drivers.errors import Fault
from drivers.spec.functions import binary, read_operand
from drivers.spec.statements import statements
from drivers.spec.terms import Call, Expression, Name, Number, Operation, Span
from drivers.spec.tokens import Cursor, Language, Locate, Refused, Token

LatentOperator = Literal["=~", "~", "~~"]

_LINE = ("=~", "~~", "~", "<~", ":=", "==")
_CONTINUES = (*_LINE, "+", "-", "*", "/", "^", "**", ":", ",")
_LANGUAGE = Language("a formula", (*_CONTINUES, "(", ")", ";", "<", ">"), quotes=False, lines=True)

_FREE = "NA"
"""Before a variable: no value, although one would be fixed (lavaan's `NA*x`)."""

_WIDE = ("C", "poly")


@dataclass(frozen=True, slots=True)
class Part:
    """One variable right of an operator, with what stands before it.

    `expression` is None for an intercept (`~ 1`). At most one of `value` and `label` is given.
    """

    expression: Name | Call | None
    span: Span = field(compare=False)
    value: float | None = None
    label: str | None = None
    label_span: Span | None = field(default=None, compare=False)
    free: bool = False


@dataclass(frozen=True, slots=True)
class LatentLine:
    """One line as it is typed: a measurement, a regression, or covariances."""

    operator: LatentOperator
    left: Name | Call
    right: tuple[Part, ...]
    text: str = field(compare=False)
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Definition:
    """`name := expression` of labels."""

    name: Name
    expression: Expression
    text: str = field(compare=False)
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class LatentFormula:
    """All lines of a latent model."""

    lines: tuple[LatentLine, ...] = ()
    definitions: tuple[Definition, ...] = ()


def parse_latent(text: str, locate: Locate, faults: list[Fault]) -> LatentFormula:
    """Read the formula of a latent model; what is wrong is added to `faults`, one fault per bad line.

    Parameters
    ----------
    text : one line or `;` each; `#` starts a comment
    locate : turns offsets of `text` into a place in the user's file
    faults : grows by what is wrong

    Examples
    --------
    >>> from drivers.errors import Place
    >>> faults = []
    >>> found = parse_latent("soil =~ SOM + a*TN; NEP ~ b*soil; ab := a*b", lambda s: Place("f"), faults)
    >>> [line.operator for line in found.lines], [d.name.text for d in found.definitions], faults
    (['=~', '~'], ['ab'], [])
    """
    lines: list[LatentLine] = []
    definitions: list[Definition] = []
    before = len(faults)
    for tokens in statements(list(_LANGUAGE.tokens(text)), _LINE, _CONTINUES):
        try:
            found = _Parser(text, tokens).line()
        except Refused as refused:
            faults.append(refused.fault(locate))
            continue
        if isinstance(found, Definition):
            definitions.append(found)
        else:
            lines.append(found)
    if not lines and len(faults) == before:
        message, hint = "the formula is empty", "write lines such as `soil =~ SOM + TN` and `NEP ~ soil`"
        faults.append(Fault(message, locate(Span(0, 0)), hint))
    return LatentFormula(tuple(lines), tuple(definitions))


class _Parser:
    """Recursive descent over the tokens of one line."""

    def __init__(self, text: str, tokens: Sequence[Token]) -> None:
        self._tokens = tokens
        self._span = Span(tokens[0].span.start, tokens[-1].span.end)
        self._text = text[self._span.start : self._span.end]
        self._cursor = Cursor(tokens, "the line", self._span.end)
        self._operator = "~"

    def line(self) -> LatentLine | Definition:
        at = next((i for i, t in enumerate(self._tokens) if t.kind == "operator" and t.text in _LINE), None)
        if at is None:
            raise self._no_line()
        sign = self._tokens[at]
        self._operator = sign.text
        if sign.text in ("<~", "=="):
            message, hint = _FOREIGN[sign.text]
            raise Refused(message, sign.span, hint)
        if at == 0:
            raise Refused(f"nothing stands left of `{sign.text}`", sign.span)
        left = self._left(Cursor(self._tokens[:at], "the left side", sign.span.start))
        self._cursor = Cursor(self._tokens[at + 1 :], "the line", self._span.end)
        if self._cursor.token.kind == "end":
            raise Refused(f"nothing stands right of `{sign.text}`", sign.span)
        if sign.text == ":=":
            return self._definition(left)
        operator: LatentOperator = "=~" if sign.text == "=~" else "~~" if sign.text == "~~" else "~"
        if operator == "=~" and not isinstance(left, Name):
            raise Refused("left of `=~` stands the name of a latent variable", left.span)
        return LatentLine(operator, left, self._right(), self._text, self._span)

    def _definition(self, left: Name | Call) -> Definition:
        if not isinstance(left, Name):
            raise Refused("left of `:=` stands a new name", left.span)
        expression = self._sum()
        if self._cursor.token.kind != "end":
            raise self._cursor.unexpected("where an operator such as `*` should be")
        return Definition(left, expression, self._text, self._span)

    def _no_line(self) -> Refused:
        bad = next((t for t in self._tokens if t.kind == "bad"), None)
        if bad is not None:
            return Refused(bad.text, bad.span)
        sign = next((t for t in self._tokens if t.kind == "operator" and t.text in "<>"), None)
        if sign is not None:
            message, hint = "inequalities between parameters are not supported", "fix a value as in `0.5*x`"
            return Refused(message, sign.span, hint)
        message = "a line of the formula has none of `=~`, `~`, `~~`, `:=`"
        return Refused(message, self._span, "write `latent =~ indicators` or `response ~ drivers`")

    def _left(self, cursor: Cursor) -> Name | Call:
        self._cursor = cursor
        left = self._variable()
        if cursor.token.kind != "end":
            raise cursor.unexpected(f"left of `{self._operator}`, where one name should be alone")
        return left

    def _variable(self) -> Name | Call:
        """A name, or a function of one variable."""
        cursor = self._cursor
        found = read_operand(cursor)
        if found is None:
            raise cursor.unexpected("where a variable should be")
        if isinstance(found, Name) and found.text != ".":
            return found
        if isinstance(found, Call) and found.function not in _WIDE:
            return found
        if isinstance(found, Number):
            raise Refused("a number is no variable", found.span)
        if isinstance(found, Call):
            raise Refused(
                f"`{found.function}()` makes several columns",
                found.span,
                "a column of classes is declared in the spec",
            )
        if self._operator == "~" and isinstance(found, Name):
            return found
        raise Refused("`.` stands for all drivers and only right of `~`", found.span)

    def _right(self) -> tuple[Part, ...]:
        cursor = self._cursor
        parts: list[Part] = []
        while True:
            cursor.restart_count()
            parts.append(self._part())
            if cursor.token.kind == "end":
                return tuple(parts)
            if cursor.at(":"):
                message = "products of variables are not terms of a latent model"
                raise Refused(message, cursor.token.span, "write the product as a column, `I(a * b)`")
            if not cursor.at("+"):
                raise cursor.unexpected("where `+` should be")
            cursor.take()

    def _part(self) -> Part:
        cursor = self._cursor
        first = cursor.token
        sign = 1.0
        if cursor.at("-"):
            cursor.take()
            sign = -1.0
        token, after = cursor.token, cursor.ahead(1)
        starred = after.kind == "operator" and after.text == "*"
        if token.kind == "number" and starred:
            cursor.take()
            cursor.take()
            return self._of(first, value=sign * token.value)
        if sign < 0:
            message = "`-` removes nothing here; a fixed value may be negative, as in `-0.5*x`"
            raise Refused(message, first.span)
        if token.kind == "number":
            return self._intercept()
        if token.kind == "name" and starred:
            cursor.take()
            cursor.take()
            if token.text == _FREE:
                return self._of(first, free=True)
            return self._of(first, label=token)
        if token.kind == "name" and after.text == "(" and token.text in ("c", "start", "equal"):
            raise Refused(f"`{token.text}()` before a variable is not supported", token.span, _PER_GROUP)
        return self._of(first)

    def _of(
        self, first: Token, *, value: float | None = None, label: Token | None = None, free: bool = False
    ) -> Part:
        """The variable after what stands before it."""
        cursor = self._cursor
        if cursor.token.kind == "number" and cursor.token.value == 1 and self._operator == "~":
            cursor.take()
            variable = None
            end = cursor.ahead(-1).span.end
        else:
            variable = self._variable()
            end = variable.span.end
        if cursor.at("*"):
            raise Refused("one label or value stands before a variable", cursor.token.span)
        name, at = (None, None) if label is None else (label.text, label.span)
        return Part(variable, Span(first.span.start, end), value, name, at, free)

    def _intercept(self) -> Part:
        token = self._cursor.token
        if self._operator != "~" or token.value != 1:
            hint = "`1` is the intercept; a fixed one is `0*1`" if self._operator == "~" else ""
            raise Refused("a number is no variable", token.span, hint)
        self._cursor.take()
        return Part(None, token.span)

    # The right side of `:=`, arithmetic of labels.

    def _sum(self) -> Expression:
        cursor = self._cursor
        negative = cursor.take() if cursor.at("-") else None
        value = self._product()
        if negative is not None:
            cursor.count(negative.span)
            value = Operation("-", (value,), Span(negative.span.start, value.span.end))
        while cursor.at("+", "-"):
            value = binary(cursor, cursor.take().text, value, self._product())
        return value

    def _product(self) -> Expression:
        cursor = self._cursor
        value = self._power()
        while cursor.at("*", "/"):
            value = binary(cursor, cursor.take().text, value, self._power())
        return value

    def _power(self) -> Expression:
        cursor = self._cursor
        value = self._atom()
        if not cursor.at("^", "**"):
            return value
        cursor.take()
        power = cursor.token
        if power.kind != "number":
            raise cursor.unexpected("where a number should be")
        cursor.take()
        return binary(cursor, "^", value, Number(power.value, power.text, power.span))

    def _atom(self) -> Expression:
        cursor = self._cursor
        token = cursor.token
        if cursor.at("("):
            cursor.take()
            with cursor.nested(token.span):
                inner = self._sum()
                cursor.expect(")", token.span)
            return inner
        found = read_operand(cursor)
        if isinstance(found, Call) and (found.function not in ("exp", "log", "sqrt")):
            raise Refused(f"`{found.function}()` has no meaning among labels", found.span)
        if found is None or (isinstance(found, Name) and found.text == "."):
            raise (
                cursor.unexpected("where a label should be")
                if found is None
                else Refused("`.` is no label", found.span)
            )
        return found


_PER_GROUP = "every stratum has parameters of its own; `options: equal` says which are held equal in the end"

_FOREIGN = {
    "<~": (
        "`<~` (a composite) belongs to method `psem`",
        "a composite inside a covariance model is not identified without restrictions; in a psem model its "
        "weights are found by regression, pc1, equal or fixed",
    ),
    "==": (
        "constraints between parameters are made by labels",
        "write the same label before both, as in `y ~ a*x1 + a*x2`",
    ),
}
