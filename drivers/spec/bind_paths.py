"""A path model: every name known, every rule of path models kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import cast

from drivers.errors import Fault, propose
from drivers.spec.bound import Composite, Equation, Family, PathModel
from drivers.spec.canonical import canonical, names_in
from drivers.spec.composites import check_choices, read_composite
from drivers.spec.directions import check_directions
from drivers.spec.expand import expand
from drivers.spec.formula import ParsedEquation
from drivers.spec.graph import causal_order, cycles
from drivers.spec.lookup import LeftSide, Lookup
from drivers.spec.model import ModelFile
from drivers.spec.options import PsemOptions
from drivers.spec.path_graph import direction_problems
from drivers.spec.terms import Call, Factor, Name, Span, Term
from drivers.spec.tokens import Refused, quoted_name
from drivers.spec.vocabulary import Vocabulary

MAX_NODES = 200
"""Variables in one model: d-separation tests every pair, and 200 make 20,000 of them."""


def bind_paths(model: ModelFile, vocabulary: Vocabulary, faults: list[Fault]) -> PathModel | None:
    """Bind a path model; what is wrong is added to `faults`, and None returned when anything is."""
    return _Binder(model, vocabulary, faults).bind()


@dataclass(frozen=True, slots=True)
class _Bound:
    """An equation that is bound, with the line it comes from."""

    equation: Equation
    parsed: ParsedEquation


class _Binder:
    def __init__(self, model: ModelFile, vocabulary: Vocabulary, faults: list[Fault]) -> None:
        self.model = model
        assert isinstance(model.options, PsemOptions)
        self.options = model.options
        self.words = vocabulary
        self.faults = faults
        self.composite_lines: dict[str, ParsedEquation] = {}
        self.composites: dict[str, Composite] = {}
        self.about: dict[str, ParsedEquation] = {}
        """Every node on the left of a `~`, with its line."""
        self.equations: dict[str, _Bound] = {}
        self.isolated: list[str] = []
        self.covariances: set[tuple[str, str]] = set()
        self.edges: dict[tuple[str, str], Span] = {}
        for line in model.equations:
            if line.operator in ("<~", "=~"):
                self.composite_lines.setdefault(line.left.text if isinstance(line.left, Name) else "", line)
        self.lookup = Lookup(model, vocabulary, tuple(self.composite_lines), faults)

    def bind(self) -> PathModel | None:
        for operator, reader in (
            ("=~", self._latent),
            ("<~", self._composite),
            ("~", self._equation),
            ("~~", self._covariance),
        ):
            for line in self.model.equations:
                if line.operator == operator:
                    reader(line)
        check_choices(self.model, tuple(self.composite_lines), self.faults)
        self._check_families()
        ranks = self._ranks()
        parents = self._parents()
        check_directions(self.model, self.options.direction, parents, self.faults)
        self._check_graph(parents, ranks)
        if self.model.whole and not self.equations and not self.faults:
            self._fault(
                f"model `{self.model.name}` has no equation", Span(0, 0), "write `response ~ drivers`"
            )
        self._check_regression()
        if self.faults or not self.model.whole:
            return None
        bound = self._finish(parents, ranks)
        self._check_claims(bound)
        return None if self.faults else bound

    def _check_claims(self, bound: PathModel) -> None:
        """What only the whole model tells: claims without direction, options that do not suit it."""
        name = self.model.name
        for problem in direction_problems(bound):
            span = self.about[problem.node].span if problem.node in self.about else Span(0, 0)
            self._fault(f"model `{name}`: {problem.message}", span, problem.hint)
        if bound.options.standardize == "range" and bound.composites:
            message = "`standardize: range` needs variables with a range; a composite has none"
            span = self.composite_lines[bound.composites[0].name].span
            self._fault(f"model `{name}`: {message}", span, "use `standardize: scale`")

    def _fault(self, message: str, span: Span, hint: str = "") -> None:
        self.lookup.fault(message, span, hint)

    def _line(self, line: ParsedEquation) -> int | None:
        return self.model.locate(line.span).line

    def _check_twice(self, what: str, first: ParsedEquation, second: ParsedEquation) -> bool:
        if first is second:
            return False
        one, two = self._line(first), self._line(second)
        where = f"lines {one} and {two}" if one != two else f"line {one}"
        self._fault(f"model `{self.model.name}` has two {what}, on {where}", second.left.span)
        return True

    # Composites.

    def _latent(self, line: ParsedEquation) -> None:
        self._fault(
            "`=~` (a latent variable) belongs to method `lsem`",
            line.operator_span,
            "`<~` makes a composite of measured variables",
        )

    def _composite(self, line: ParsedEquation) -> None:
        assert isinstance(line.left, Name)  # the parser allows nothing else left of `<~`
        name = line.left.text
        if name in self.words:
            message = f"`{name}` is both a composite of model `{self.model.name}` and a column"
            self._fault(f"{message} that {self.words.label} defines", line.left.span, "rename the composite")
            return
        if self._check_twice(f"composites `{name}`", self.composite_lines[name], line):
            return
        composite = read_composite(line, self.model, self.words, self.lookup, self.faults)
        if composite is None:
            return
        self.composites[name] = composite
        for variable in composite_columns(composite):
            self.edges[variable, name] = line.left.span

    # Equations.

    def _equation(self, line: ParsedEquation) -> None:
        response = next(names_in(line.left))
        node = response.text
        if not self.lookup.node(response):
            self._names_of(line, LeftSide.of(node))
            return
        if self._check_twice(f"equations for `{node}`", self.about.setdefault(node, line), line):
            return
        self._check_response(line, response)
        composite = self.composites.get(node)
        left = LeftSide.of(node, composite_columns(composite) if composite is not None else ())
        before = self.lookup.misses
        terms = self._names_of(line, left)
        self._check_random(line, node)
        if terms is None or self.lookup.misses > before:
            return
        if not terms:
            if not line.right and line.random is None:
                self.isolated.append(node)
            else:
                self._fault(f"nothing is left on the right of the equation for `{node}`", line.span)
            return
        factor = Factor(canonical(line.left), line.left, (node,))
        equation = Equation(factor, terms, self._family(node), line.random.text if line.random else None)
        self.equations[node] = _Bound(equation, line)
        for term in terms:
            for name in _term_names(term):
                self.edges.setdefault((name.text, node), name.span)

    def _names_of(self, line: ParsedEquation, left: LeftSide) -> tuple[Term, ...] | None:
        """The terms on the right; None when they are more than anyone can read."""

        def resolve(name: Name, function: str) -> tuple[str, ...]:
            return self.lookup.predictors(name, function, left)

        try:
            terms = expand(line.right, resolve, self.words.categorical)
        except Refused as refused:
            self.faults.append(refused.fault(self.model.locate))
            return None
        crossed = {
            name.text: name
            for term in terms
            if len(term.factors) > 1
            for name in _term_names(term)
            if name.text in self.composite_lines
        }
        for name in crossed.values():
            self.lookup.crossed_composite(name)
        return terms

    def _check_response(self, line: ParsedEquation, response: Name) -> None:
        name, family = response.text, self._family(response.text)
        if name in self.words.categorical:
            self._fault(f"`{name}` is categorical; an equation explains a number", response.span)
        if isinstance(line.left, Call) and name in self.composite_lines:
            self._fault(f"the composite `{name}` cannot be transformed", line.left.span)
        if family == "gaussian":
            return
        if name in self.composite_lines:
            self._fault(f"the composite `{name}` cannot be {family}: it is a weighted sum", response.span)
        elif isinstance(line.left, Call):
            hint = f"a {family} equation has its own link; write `{quoted_name(name)} ~ ...`"
            self._fault(f"`{canonical(line.left)}` cannot be {family}", line.left.span, hint)

    def _check_random(self, line: ParsedEquation, node: str) -> None:
        group = line.random
        if group is None:
            return
        if group.text in self.composite_lines or group.text == node:
            self._fault(f"`{group.text}` cannot group the pixels of a random intercept", group.span)
        elif not line.right:
            message = f"the equation for `{node}` has a random intercept and no predictor"
            self._fault(message, group.span)

    # Correlated errors.

    def _covariance(self, line: ParsedEquation) -> None:
        left = line.left
        assert isinstance(left, Name)  # the parser allows nothing else left of `~~`
        known = self.lookup.node(left)
        for summand in line.right:
            right = summand.expression
            if not isinstance(right, Name) or not self.lookup.node(right) or not known:
                continue
            if right.text == left.text:
                self._fault(f"`{left.text} ~~ {right.text}` joins a variable with itself", right.span)
                continue
            self._check_pair(left, right)
            ranks = self._ranks()
            first, second = sorted((left.text, right.text), key=lambda name: ranks[name])
            self.covariances.add((first, second))

    def _check_pair(self, left: Name, right: Name) -> None:
        nodes = {node for edge in self.edges for node in edge} | self.about.keys()
        for name in (left, right):
            if name.text in self.words.categorical:
                self._fault(f"`{name.text}` is categorical and cannot be joined by `~~`", name.span)
            elif name.text not in nodes and self.model.whole and not self.faults:
                self._fault(f"`{name.text}` is in no equation, so `~~` cannot join it", name.span)
        if {(left.text, right.text), (right.text, left.text)} & self.edges.keys():
            self._fault(f"`{left.text}` and `{right.text}` are already joined by a path", right.span)

    # The model as a whole.

    def _family(self, node: str) -> Family:
        family = self.model.family
        return family.get(node, "gaussian") if isinstance(family, Mapping) else cast(Family, family)

    def _check_families(self) -> None:
        if not isinstance(self.model.family, Mapping) or not self.model.whole:
            return
        for node in self.model.family:
            if node not in self.about:
                message = f"`family` names `{node}`, for which model `{self.model.name}` has no equation"
                place = self.model.places.key((*self.model.family_at, node))
                self.faults.append(Fault(message, place, propose(node, list(self.about))))

    def _ranks(self) -> dict[str, tuple[int, int, str]]:
        """Canonical order: drivers as declared, then responses; a composite before its first member."""
        position = {name: at for at, name in enumerate(self.words.variables)}
        ranks = {name: (at, 1, name) for name, at in position.items()}
        for name in self.composite_lines:
            composite = self.composites.get(name)
            columns = composite_columns(composite) if composite is not None else ()
            ranks.setdefault(name, (min((position[c] for c in columns), default=len(position)), 0, name))
        return ranks

    def _parents(self) -> dict[str, list[str]]:
        nodes = [*self.about, *(node for edge in self.edges for node in edge)]
        nodes += [name for pair in self.covariances for name in pair]
        parents: dict[str, list[str]] = {node: [] for node in nodes}
        for parent, child in self.edges:
            parents[child].append(parent)
        return parents

    def _check_graph(
        self, parents: Mapping[str, list[str]], ranks: Mapping[str, tuple[int, int, str]]
    ) -> None:
        name = self.model.name
        if len(parents) > MAX_NODES:
            self._fault(
                f"model `{name}` has {len(parents)} variables; at most {MAX_NODES} can be", Span(0, 0)
            )
        for cycle in cycles(parents, ranks, self.words.responses):
            hint = "paths run one way; drop one, or join two variables with `~~`"
            span = self.edges[cycle[-2], cycle[-1]]
            self._fault(f"model `{name}` has a cycle: {' -> '.join(cycle)}", span, hint)

    def _check_regression(self) -> None:
        """Weights by regression need the equation of the response, and members that are not the response."""
        response = self._study_response()
        self._check_shared(response)
        for name, composite in self.composites.items():
            if composite.how != "regression" or not self.words.responses:
                continue
            message = f"the composite `{name}` gets its weights from a regression of the study's response"
            span = self.composite_lines[name].span
            if response is None and self.model.whole and not self.faults:
                wanted = " or ".join(f"`{r}`" for r in self.words.responses)
                hint = "add one, or choose `composite: pc1` or `equal`"
                self._fault(f"{message}, and there is no equation for {wanted}", span, hint)
            elif response in composite_columns(composite):
                self._fault(f"{message}, so `{response}` cannot be a member", span)

    def _check_shared(self, response: str | None) -> None:
        """A member has one coefficient in the regression; in two places it would count twice."""
        homes: dict[str, str] = {}
        used = self.equations[response].equation.parents if response in self.equations else ()
        for name, composite in self.composites.items():
            if composite.how != "regression":
                continue
            span = self.composite_lines[name].span
            for column in composite_columns(composite):
                other = homes.setdefault(column, name)
                if other != name:
                    message = f"`{column}` is a member of `{other}` and of `{name}`"
                    hint = "a regression weight belongs to one composite; choose other weights or one home"
                    self._fault(message, span, hint)
                elif column in used:
                    message = f"`{column}` is a member of `{name}` and stands by itself in `{response} ~ ...`"
                    hint = "its regression weight holds all of its effect; leave out one of the two"
                    self._fault(message, span, hint)

    def _study_response(self) -> str | None:
        return next((name for name in self.words.responses if name in self.equations), None)

    def _finish(
        self, parents: Mapping[str, list[str]], ranks: Mapping[str, tuple[int, int, str]]
    ) -> PathModel:
        order = causal_order(parents, ranks)
        equations = tuple(self.equations[node].equation for node in order if node in self.equations)
        last = [e.node for e in equations if e.node not in self.composites] or [e.node for e in equations]
        composites = sorted(self.composites.values(), key=lambda c: ranks[c.name])
        columns = [node for node in sorted(parents, key=lambda n: ranks[n]) if node not in self.composites]
        random = sorted({e.random for e in equations if e.random is not None} - set(columns))
        return PathModel(
            name=self.model.name,
            method=self.model.method,
            title=self.model.title,
            formula=self.model.formula,
            equations=equations,
            composites=tuple(composites),
            covariances=tuple(sorted(self.covariances, key=lambda pair: (ranks[pair[0]], ranks[pair[1]]))),
            isolated=tuple(sorted(self.isolated, key=lambda n: ranks[n])),
            response=self._study_response() or last[-1],
            columns=(*columns, *random),
            categorical=self.words.categorical & {*columns, *random},
            groups=self.words.groups,
            options=self.options,
        )


def composite_columns(composite: Composite) -> tuple[str, ...]:
    """The columns that make up a composite, each once."""
    return tuple(dict.fromkeys(name for member in composite.members for name in member.variables))


def _term_names(term: Term) -> Iterator[Name]:
    return (name for factor in term.factors for name in names_in(factor.expression))
