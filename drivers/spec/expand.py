"""Right sides -> terms: R's formula algebra over names that a resolver knows.

The algebra is that of R's `terms.formula`: `a*b` is `a + b + a:b`, `(a + b)^2` has all pairs, a repeated
factor collapses, a removed term goes, and terms stand by order of interaction, otherwise as typed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence

from drivers.spec.canonical import canonical, names_in
from drivers.spec.formula import Summand
from drivers.spec.terms import Call, Expression, Factor, Name, Number, Operation, Term
from drivers.spec.tokens import Refused

MAX_TERMS = 500
"""Terms on one right side: `(.)^3` over 14 drivers has 469; more than that nobody reads."""

Resolve = Callable[[Name, str], Sequence[str]]
"""A name, and the function it stands in (or empty) -> the variables it stands for."""

_Terms = dict[frozenset[str], Term]
"""Terms by the texts of their factors, in the order in which they appear."""


def expand(summands: Iterable[Summand], resolve: Resolve, categorical: Collection[str]) -> tuple[Term, ...]:
    """The terms of a right side.

    Parameters
    ----------
    summands
        The parsed right side.
    resolve
        Says which variables a name stands for; inside a function it has to be one. Names without any
        variable (because they are unknown) leave no term.
    categorical
        The variables that are categorical.

    Raises
    ------
    Refused
        When the terms are more than anyone can read.
    """
    expander = _Expander(resolve, categorical)
    terms: _Terms = {}
    for summand in summands:
        part = expander.terms(summand.expression)
        _put(terms, part, summand.removed, summand.expression)
    return tuple(sorted(terms.values(), key=lambda term: len(term.factors)))


def _put(terms: _Terms, part: _Terms, removed: bool, where: Expression) -> None:
    for key, term in part.items():
        if removed:
            terms.pop(key, None)
        else:
            terms.setdefault(key, term)
    _check_size(terms, where)


def _check_size(terms: _Terms, where: Expression) -> None:
    if len(terms) > MAX_TERMS:
        raise Refused(f"more than {MAX_TERMS} terms in one equation", where.span, "use a lower power")


def _key(term: Term) -> frozenset[str]:
    return frozenset(factor.text for factor in term.factors)


class _Expander:
    def __init__(self, resolve: Resolve, categorical: Collection[str]) -> None:
        self._resolve = resolve
        self._categorical = categorical

    def terms(self, expression: Expression) -> _Terms:
        match expression:
            case Name():
                factors = (self._variable(expression, name) for name in self._resolve(expression, ""))
                return {frozenset((factor.text,)): Term((factor,)) for factor in factors}
            case Call():
                called = self._called(expression)
                return {} if called is None else {frozenset((called.text,)): Term((called,))}
            case Operation("-", (operand,)):
                self.terms(operand)  # removes nothing, but its names have to be known
                return {}
            case Operation("^", (base, Number(power))):
                return self._power(self.terms(base), int(power), expression)
            case Operation(operator, (left, right)):
                return self._binary(operator, self.terms(left), self.terms(right), expression)
            case _:
                return {}  # `1`, the intercept, which is always there

    def _binary(self, operator: str, left: _Terms, right: _Terms, where: Expression) -> _Terms:
        if operator == ":":
            return self._product(left, right, where)
        terms = dict(left)
        _put(terms, right, operator == "-", where)
        if operator == "*":
            _put(terms, self._product(left, right, where), False, where)
        return terms

    def _power(self, base: _Terms, power: int, where: Expression) -> _Terms:
        terms = base
        for _ in range(power - 1):
            larger = dict(terms)
            _put(larger, self._product(terms, base, where), False, where)
            if len(larger) == len(terms):
                break
            terms = larger
        return terms

    def _product(self, left: _Terms, right: _Terms, where: Expression) -> _Terms:
        terms: _Terms = {}
        for a in left.values():
            for b in right.values():
                term = Term(tuple(dict.fromkeys((*a.factors, *b.factors))))
                terms.setdefault(_key(term), term)
            _check_size(terms, where)
        return terms

    def _variable(self, name: Name, variable: str) -> Factor:
        expression = Name(variable, name.span)
        return Factor(canonical(expression), expression, (variable,), variable in self._categorical)

    def _called(self, call: Call) -> Factor | None:
        variables: dict[str, None] = {}
        for name in names_in(call):
            found = self._resolve(name, call.function)
            if not found:
                return None
            variables.update(dict.fromkeys(found))
        return Factor(canonical(call), call, tuple(variables), call.function == "C")
