"""A latent-variable model: every name known, every rule of covariance models kept."""

from __future__ import annotations

import re
from collections.abc import Iterator

from drivers.errors import Fault, propose
from drivers.spec.canonical import canonical, names_in
from drivers.spec.latent_formula import LatentLine, Part
from drivers.spec.latent_model import Defined, LatentModel, Link, LinkOperator, ParameterKey
from drivers.spec.lookup import LeftSide, Lookup
from drivers.spec.lsem_options import LsemOptions
from drivers.spec.model import ModelFile
from drivers.spec.terms import Call, Factor, Name, Span, Term
from drivers.spec.vocabulary import Vocabulary

MAX_NODES = 100
"""Variables in one model: 100 make 5,050 covariances, and the test of fit works on squares of them."""


def bind_latent(model: ModelFile, vocabulary: Vocabulary, faults: list[Fault]) -> LatentModel | None:
    """Bind a latent model; what is wrong is added to `faults`, and None returned when anything is."""
    return _Binder(model, vocabulary, faults).bind()


class _Binder:
    def __init__(self, model: ModelFile, vocabulary: Vocabulary, faults: list[Fault]) -> None:
        assert isinstance(model.options, LsemOptions)
        self.model, self.words, self.faults, self.options = model, vocabulary, faults, model.options
        self.lines = model.latent.lines
        self.latents = dict.fromkeys(
            line.left.text for line in self.lines if line.operator == "=~" and isinstance(line.left, Name)
        )
        self.lookup = Lookup(model, vocabulary, tuple(self.latents), faults, "=~")
        self.observed: dict[str, Term] = {}
        self.links: dict[tuple[LinkOperator, str, str], Link] = {}

    def bind(self) -> LatentModel | None:
        before = len(self.faults)
        self._check_latents()
        for line in self.lines:
            for link in self._links(line):
                self._add(link)
        self._check_labels()
        definitions = self._definitions()
        partial = self._partial()
        self._check_whole(before)
        if len(self.faults) > before or not self.model.whole:
            return None
        ranks = self._ranks()
        links = sorted(self.links.values(), key=lambda link: self._place(link, ranks))
        terms = sorted(self.observed.values(), key=lambda term: ranks[term.text])
        columns = [v for v in self.words.variables if any(v in term.variables for term in terms)]
        return LatentModel(
            name=self.model.name,
            method=self.model.method,
            title=self.model.title,
            formula=self.model.formula,
            response=self._response(columns),
            columns=tuple(columns),
            categorical=self.words.categorical & set(columns),
            groups=self.words.groups,
            observed=tuple(terms),
            latents=tuple(sorted(self.latents, key=lambda name: ranks[name])),
            links=tuple(links),
            definitions=definitions,
            partial=partial,
            options=self.options,
        )

    def _fault(self, message: str, span: Span, hint: str = "") -> None:
        self.lookup.fault(message, span, hint)

    def _check_latents(self) -> None:
        for line in self.lines:
            if line.operator != "=~" or not isinstance(line.left, Name) or line.left.text not in self.words:
                continue
            message = (
                f"`{line.left.text}` is both a latent variable of model `{self.model.name}` and a column"
            )
            self._fault(
                f"{message} that {self.words.label} defines", line.left.span, "rename the latent variable"
            )

    # Lines to links.

    def _links(self, line: LatentLine) -> Iterator[Link]:
        left = self._node(line.left, explained=line.operator != "~~")
        for part in line.right:
            if part.expression is None:
                if left is not None:
                    yield self._link("~1", left, "", part)
                continue
            nodes = self._right(line, part)
            if len(nodes) > 1 and (part.label or part.value is not None):
                message = "a label or value stands before one variable"
                self._fault(f"{message}, and this name stands for {len(nodes)}", part.span)
            for node in nodes:
                if left is not None:
                    yield self._link(line.operator, left, node, part)

    @staticmethod
    def _link(operator: LinkOperator, left: str, right: str, part: Part) -> Link:
        return Link(operator, left, right, part.value, part.label, part.free, part.span)

    def _right(self, line: LatentLine, part: Part) -> list[str]:
        """The nodes that a name on the right stands for; a group's name stands for its drivers."""
        found = part.expression
        assert found is not None
        if isinstance(found, Call) or line.operator == "~~":
            node = self._node(found, explained=line.operator == "=~")
            return [] if node is None else [node]
        own = next(names_in(line.left)).text
        if line.operator == "=~" and self.words.members(found.text) is not None:
            names = self.lookup.members(found, "", own)
        else:
            names = self.lookup.predictors(found, "", LeftSide.of(own))
        nodes = [self._node(Name(name, found.span), explained=line.operator == "=~") for name in names]
        return [node for node in nodes if node is not None]

    def _node(self, expression: Name | Call, *, explained: bool) -> str | None:
        """The node of a variable, known from now on; None where it is wrong."""
        if isinstance(expression, Name) and expression.text in self.latents:
            return expression.text
        names = list(names_in(expression))
        known = [self.lookup.node(name) for name in names]
        if not all(known):
            return None
        for name in names:
            if name.text in self.latents:
                self._fault(f"the latent variable `{name.text}` cannot be transformed", expression.span)
                return None
            if name.text in self.words.categorical and (explained or isinstance(expression, Call)):
                message = f"`{name.text}` is categorical; in a latent model it can only be a cause"
                self._fault(message, expression.span)
                return None
        variables = tuple(dict.fromkeys(name.text for name in names))
        categorical = isinstance(expression, Name) and expression.text in self.words.categorical
        factor = Factor(canonical(expression), expression, variables, categorical)
        self.observed.setdefault(factor.text, Term((factor,)))
        return factor.text

    def _add(self, link: Link) -> None:
        ends = (link.left, link.right)
        key: tuple[LinkOperator, str, str] = (link.operator, *ends)
        if link.operator == "~~":
            first, second = sorted(ends)
            key = (link.operator, first, second)
        if link.operator in ("=~", "~") and link.left == link.right:
            self._fault(f"`{link.text}` joins a variable with itself", link.span)
            return
        if key in self.links:
            self._fault(f"`{link.text}` stands twice in model `{self.model.name}`", link.span)
            return
        # A loading is the path of the latent variable on its indicator.
        same: tuple[LinkOperator, str, str] = ("~" if link.operator == "=~" else "=~", link.right, link.left)
        if link.operator in ("=~", "~") and same in self.links:
            self._fault(f"`{link.text}` is `{self.links[same].text}` once more", link.span)
            return
        if link.operator == "~~" and any(self._categorical(node) for node in ends):
            self._fault("a categorical variable has no covariance", link.span)
            return
        self.links[key] = link

    def _categorical(self, node: str) -> bool:
        return node in self.observed and self.observed[node].factors[0].categorical

    # Labels and definitions.

    def _check_labels(self) -> None:
        for line in self.lines:
            for part in line.right:
                if part.label is None or part.label_span is None:
                    continue
                what = self._known_as(part.label)
                if what:
                    right = "1" if part.expression is None else canonical(part.expression)
                    message = f"`{part.label}*{right}`: `*` follows a label, and `{part.label}` is {what}"
                    hint = f"a product of two columns is `I({part.label} * {right})`"
                    self._fault(message, part.label_span, hint)

    def _known_as(self, name: str) -> str:
        """What a name is already, so that it cannot name a parameter; empty for nothing."""
        if name in self.words:
            return "a column"
        if name in self.latents:
            return "a latent variable"
        return "a driver group" if self.words.members(name) is not None else ""

    def _definitions(self) -> tuple[Defined, ...]:
        labels = {link.label for link in self.links.values() if link.label and not self._known_as(link.label)}
        found: dict[str, Defined] = {}
        later = {definition.name.text for definition in self.model.latent.definitions}
        for definition in self.model.latent.definitions:
            name = definition.name
            if name.text in labels or name.text in found:
                self._fault(f"`{name.text}` is already the name of a parameter", name.span)
            elif what := self._known_as(name.text):
                self._fault(f"`{name.text}` is {what} and cannot be defined", name.span)
            for used in names_in(definition.expression):
                if used.text in labels or used.text in found:
                    continue
                hint = (
                    propose(used.text, [*labels, *found]) or f"`{used.text}*x` gives a parameter this label"
                )
                if used.text in later:
                    hint = f"`{used.text}` is defined further down; move it up"
                self._fault(f"`{used.text}` is no label of model `{self.model.name}`", used.span, hint)
            found[name.text] = Defined(name.text, definition.expression)
        return tuple(found.values())

    def _partial(self) -> frozenset[ParameterKey]:
        """The parameters that stay free in every step of the ladder."""
        known: dict[str, ParameterKey] = {
            link.text: (link.operator, link.left, link.right) for link in self.links.values()
        }
        known |= {f"{node} ~ 1": ("~1", node, "") for node in self.observed}
        found: set[ParameterKey] = set()
        for i, text in enumerate(self.options.partial):
            wanted = re.sub(r"\s*(=~|~)\s*", r" \1 ", " ".join(text.split()), count=1)
            if wanted in known:
                found.add(known[wanted])
                continue
            place = self.model.places.value(("options", "partial", i))
            message = f"`{text}` is no parameter of model `{self.model.name}`"
            self.faults.append(Fault(message, place, propose(wanted, sorted(known))))
        return frozenset(found)

    # The model as a whole.

    def _check_whole(self, before: int) -> None:
        if not self.model.whole or len(self.faults) > before:
            return
        count = len(self.observed) + len(self.latents)
        if count > MAX_NODES:
            message = f"model `{self.model.name}` has {count} variables; at most {MAX_NODES} can be"
            self._fault(message, Span(0, 0))
        for name in self.latents:
            if not any(link.operator == "=~" and link.left == name for link in self.links.values()):
                self._fault(f"the latent variable `{name}` has no indicator", Span(0, 0))
        explained = {link.right for link in self.links.values() if link.operator == "=~"}
        explained |= {link.left for link in self.links.values() if link.operator == "~"}
        for link in self.links.values():
            if (link.operator != "=~" and self._categorical(link.left)) or (
                self._categorical(link.right) and link.right in explained
            ):
                self._fault(f"`{link.left}` is categorical; an equation explains a number", link.span)

    def _ranks(self) -> dict[str, tuple[int, int, str]]:
        position = {name: at for at, name in enumerate(self.words.variables)}
        ranks = {
            text: (min(position[v] for v in term.variables), 1 + (not term.factors[0].plain), text)
            for text, term in self.observed.items()
        }
        for name in self.latents:
            own = [
                ranks[link.right][0]
                for link in self.links.values()
                if link.operator == "=~" and link.left == name and link.right in ranks
            ]
            ranks.setdefault(name, (min(own, default=len(position)), 0, name))
        return ranks

    def _place(self, link: Link, ranks: dict[str, tuple[int, int, str]]) -> tuple[object, ...]:
        order = {"=~": 0, "~": 1, "~~": 2, "~1": 3}[link.operator]
        typed = list(self.links.values()).index(link) if link.operator == "=~" else 0
        right = ranks.get(link.right, (0, 0, ""))
        if link.operator == "~":
            return (order, ranks[link.left], 0, right)
        return (order, ranks[link.left], typed, right)

    def _response(self, columns: list[str]) -> str:
        explained = [
            v
            for link in self.links.values()
            if link.operator == "~" and link.left in self.observed
            for v in self.observed[link.left].variables
        ]
        declared = [name for name in self.words.responses if name in columns]
        return next((name for name in declared if name in explained), (declared or explained or columns)[-1])
