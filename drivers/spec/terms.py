"""The words of a formula: expressions, factors, terms; every one knows its place in the text.

A formula is read in three steps: text -> expressions (`formula.py`), expressions -> terms once the
names are known (`bind.py`), terms -> design columns (`methods/design.py`, through patsy). This file
holds what passes between the steps.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

FUNCTIONS = ("C", "I", "exp", "log", "log1p", "poly", "scale", "sqrt")
"""The closed list of functions of the formula language."""


@dataclass(frozen=True, slots=True)
class Span:
    """Offsets into the text of a formula or condition: [start, end)."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Name:
    """A variable, a driver group, a composite, or `.`."""

    text: str
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Number:
    """A number as it is typed."""

    value: float
    text: str
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Text:
    """A quoted string (conditions only)."""

    value: str
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Call:
    """A function of the closed list with its arguments."""

    function: str
    arguments: tuple[Expression, ...]
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Operation:
    """An operator with one or two operands: `+ - * : ^ /`; in conditions also comparisons and logic."""

    operator: str
    operands: tuple[Expression, ...]
    span: Span = field(compare=False)


Expression = Name | Number | Text | Call | Operation


@dataclass(frozen=True, slots=True)
class Factor:
    """One variable or one function of variables, as it stands in a term.

    `text` is canonical (`log1p(GDP)`, `I(TEM ^ 2)`, `C(LUCC)`), so equal factors have equal text.
    `categorical` is true for `C(...)` and for variables that the spec declares categorical.
    """

    text: str
    expression: Expression = field(compare=False)
    variables: tuple[str, ...] = field(compare=False)
    categorical: bool = field(compare=False, default=False)

    @property
    def label(self) -> str:
        """The factor as the tables show it: a variable by its bare name."""
        return self.expression.text if isinstance(self.expression, Name) else self.text

    @property
    def plain(self) -> bool:
        """Whether the factor is one numeric variable as it stands in the table."""
        return isinstance(self.expression, Name) and not self.categorical


@dataclass(frozen=True)
class Term:
    """A product of factors; one factor for a main effect, several for an interaction."""

    factors: tuple[Factor, ...]

    @cached_property
    def text(self) -> str:
        """The factors joined by `:`, as in R."""
        return ":".join(factor.text for factor in self.factors)

    @cached_property
    def label(self) -> str:
        """The term as the tables show it: variables by their bare names."""
        return ":".join(factor.label for factor in self.factors)

    @cached_property
    def variables(self) -> tuple[str, ...]:
        """The variables of all factors, each once, in order."""
        return tuple(dict.fromkeys(name for factor in self.factors for name in factor.variables))
