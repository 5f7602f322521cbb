"""A model of one response and its drivers (geodetector, brt): every name known, every rule kept."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import cast

from drivers.errors import Fault, propose
from drivers.spec.bound import Driver, DriverModel, TreeFamily
from drivers.spec.canonical import canonical, names_in
from drivers.spec.expand import expand
from drivers.spec.formula import ParsedEquation
from drivers.spec.lookup import LeftSide, Lookup
from drivers.spec.model import ModelFile
from drivers.spec.options import BrtOptions, GeodetectorOptions
from drivers.spec.places import KeyPath
from drivers.spec.terms import Call, Factor, Name, Span, Term
from drivers.spec.tokens import Refused
from drivers.spec.vocabulary import Vocabulary

_FOREIGN = {
    "<~": "`<~` (a composite) belongs to method `psem`",
    "=~": "`=~` (a latent variable) belongs to method `lsem`",
    "~~": "`~~` (correlated errors) belongs to method `psem`",
}


def bind_drivers(model: ModelFile, vocabulary: Vocabulary, faults: list[Fault]) -> DriverModel | None:
    """Bind `response ~ drivers`; what is wrong is added to `faults`, and None returned when anything is."""
    return _Binder(model, vocabulary, faults).bind()


class _Binder:
    def __init__(self, model: ModelFile, vocabulary: Vocabulary, faults: list[Fault]) -> None:
        assert isinstance(model.options, GeodetectorOptions | BrtOptions)
        self.options = model.options
        self.model = model
        self.words = vocabulary
        self.faults = faults
        self.lookup = Lookup(model, vocabulary, (), faults)

    def bind(self) -> DriverModel | None:
        before = len(self.faults)
        equation = self._only_equation()
        if equation is None:
            return None
        response = next(names_in(equation.left))
        known = self.lookup.node(response)
        if response.text in self.words.categorical:
            message = f"`{response.text}` is categorical; a {self.model.method} explains a number"
            self._fault(message, response)
        factors = self._drivers(equation, response.text)
        target = Factor(canonical(equation.left), equation.left, (response.text,))
        drivers = self._in_order(factors)
        columns = tuple(dict.fromkeys(name for d in drivers for name in d.factor.variables))
        self._check_options(drivers, (*columns, response.text))
        years = self._years((*columns, response.text), response)
        if len(self.faults) > before or not known or not self.model.whole:
            return None
        return DriverModel(
            name=self.model.name,
            method=self.model.method,
            title=self.model.title,
            formula=self.model.formula,
            response=response.text,
            columns=(*columns, response.text),
            categorical=self.words.categorical & set(columns),
            groups=self.words.groups,
            target=target,
            drivers=drivers,
            years=years,
            options=self.options,
            family=cast(TreeFamily, self.model.family),
        )

    def _fault(self, message: str, at: Name | Call | Span, hint: str = "") -> None:
        self.lookup.fault(message, at if isinstance(at, Span) else at.span, hint)

    def _only_equation(self) -> ParsedEquation | None:
        """The one equation; everything that only path models have is refused."""
        found = [line for line in self.model.equations if line.operator == "~"]
        for line in self.model.equations:
            if line.operator != "~":
                self._fault(
                    _FOREIGN[line.operator],
                    line.operator_span,
                    f"a {self.model.method} model is one equation `response ~ drivers`",
                )
        for line in found[1:]:
            self._fault(
                f"a {self.model.method} model has one equation, and this is another",
                line.left,
                "write a model file for each response",
            )
        if not found and self.model.whole and not self.faults:
            message = f"model `{self.model.name}` has no equation"
            self._fault(message, Span(0, 0), "write `response ~ drivers`")
        for line in found[:1]:
            if line.random is not None:
                self._fault(f"a {self.model.method} has no random intercept", line.random)
        return found[0] if found else None

    def _drivers(self, line: ParsedEquation, node: str) -> list[Factor]:
        left = LeftSide.of(node)

        def resolve(name: Name, function: str) -> tuple[str, ...]:
            return self.lookup.predictors(name, function, left)

        misses = self.lookup.misses
        try:
            terms = expand(line.right, resolve, self.words.categorical)
        except Refused as refused:
            self.faults.append(refused.fault(self.model.locate))
            return []
        if not terms and self.lookup.misses == misses:
            self._fault(f"nothing is left on the right of the equation for `{node}`", line.span)
        for term in terms:
            self._check_term(term, line)
        return [term.factors[0] for term in terms if len(term.factors) == 1]

    def _check_term(self, term: Term, line: ParsedEquation) -> None:
        names = [name for factor in term.factors for name in names_in(factor.expression)]
        span = Span(min(n.span.start for n in names), max(n.span.end for n in names))
        if len(term.factors) > 1:
            message = f"`{term.text}` is a product, and a {self.model.method} crosses drivers itself"
            self._fault(message, span, "leave it out: drivers are crossed anyway")
            return
        call = term.factors[0].expression
        if isinstance(call, Call) and call.function == "poly":
            self._fault(
                f"`{term.text}` is several columns; a {self.model.method} needs no powers",
                span,
                f"write `{names[0].text}`: any shape is found",
            )

    def _in_order(self, factors: Sequence[Factor]) -> tuple[Driver, ...]:
        """In the study's order, a column before its functions: the order of typing changes nothing."""
        position = {name: at for at, name in enumerate(self.words.variables)}
        groups = {member: group for group, members in self.words.groups for member in members}

        def rank(factor: Factor) -> tuple[int, bool, str]:
            first = min(position.get(name, len(position)) for name in factor.variables)
            return (first, not isinstance(factor.expression, Name), factor.text)

        made = []
        for factor in sorted(factors, key=rank):
            homes = {groups.get(name, "") for name in factor.variables}
            made.append(Driver(factor, homes.pop() if len(homes) == 1 else ""))
        return tuple(made)

    def _check_options(self, drivers: Sequence[Driver], columns: Collection[str]) -> None:
        weights = self.options.weights
        if weights is not None and weights in columns:
            message = f"`{weights}` is in the formula and cannot be the weights of the pixels"
            self.faults.append(Fault(message, self.model.places.value(("options", "weights"))))
        if isinstance(self.options, GeodetectorOptions):
            self._check_breaks(self.options, drivers)

    def _check_breaks(self, options: GeodetectorOptions, drivers: Sequence[Driver]) -> None:
        labels = [d.label for d in drivers]
        at: KeyPath = ("options", "discretize", "per_driver")
        categorical = {d.label for d in drivers if d.factor.categorical}
        for name, given in options.discretize.per_driver.items():
            place = self.model.places.key((*at, name))
            if name not in labels and self.model.whole and labels:
                message = f"`per_driver` names `{name}`, which is no driver of model `{self.model.name}`"
                self.faults.append(Fault(message, place, propose(name, labels)))
            if name in categorical:
                message = f"`{name}` is categorical and taken as it is: it needs no breaks"
                self.faults.append(Fault(message, place, "remove it from `per_driver`"))
            if given.breaks is not None and (given.methods or given.classes):
                message = f"`per_driver` gives `{name}` both breaks and a choice of rules"
                self.faults.append(Fault(message, place, "keep one of them"))

    def _years(
        self, columns: Sequence[str], response: Name
    ) -> tuple[tuple[int, tuple[tuple[str, str], ...]], ...]:
        """The columns of every year of `over_years`."""
        if not isinstance(self.options, GeodetectorOptions) or not self.options.over_years:
            return ()
        series = dict(self.words.series)
        place = self.model.places.key(("options", "over_years"))
        if response.text not in series:
            message = f"`over_years` needs `{response.text}` among the `series` of the study"
            hint = f'add `series: {{{response.text}: "{response.text}_{{year}}"}}` to the spec'
            self.faults.append(Fault(message, place, hint))
            return ()
        found = [name for name in columns if name in series]
        return tuple(
            (year, tuple((name, series[name].replace("{year}", str(year))) for name in found))
            for year in self.options.over_years
        )
