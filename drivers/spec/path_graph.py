"""The graph of a path model: nodes in order, parents, the form in which each node enters, its claims."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from drivers.errors import Fault, SpecError
from drivers.spec.bound import Equation, PathModel
from drivers.spec.terms import Factor, Name, Span, Term
from drivers.stats.dag import ancestors, basis_set, topological_order

NOWHERE = Span(0, 0)


@dataclass(frozen=True, slots=True)
class ClaimTest:
    """One independence claim and how it is tested: `cause` added to the equation of `response`."""

    cause: str
    response: str
    both_ways: bool = False
    """Tested in both directions, keeping the smaller p (`conserve`)."""


@dataclass(frozen=True)
class PathGraph:
    """What the equations of a model say about the order of things; no data."""

    model: PathModel
    order: tuple[str, ...]
    """All nodes, causes before effects, exogenous first."""
    parents: dict[str, tuple[str, ...]]
    forms: dict[str, Term]
    """How a node stands when it is added to an equation: as its own equation or its effects have it."""
    claims: tuple[ClaimTest, ...]

    @cached_property
    def _by_node(self) -> dict[str, Equation]:
        return {e.node: e for e in self.model.equations}

    @cached_property
    def equations(self) -> tuple[Equation, ...]:
        """The equations, causes before effects."""
        return tuple(self._by_node[node] for node in self.order if node in self._by_node)

    def equation(self, node: str) -> Equation:
        """The equation of a node that has one."""
        return self._by_node[node]

    def has_equation(self, node: str) -> bool:
        """Whether a node is endogenous."""
        return node in self._by_node

    @cached_property
    def cache(self) -> dict[Any, Any]:
        """What strata with the same levels share, kept by whoever works it out."""
        return {}

    def given_text(self, claim: ClaimTest) -> str:
        """What a claim is conditioned on, as the tables show it."""
        return " + ".join(term.text for term in self.given(claim))

    @cached_property
    def _given(self) -> dict[ClaimTest, tuple[Term, ...]]:
        return {}

    def given(self, claim: ClaimTest) -> tuple[Term, ...]:
        """The terms that a claim is conditioned on: those of both sides' equations."""
        if claim not in self._given:
            terms = list(self.equation(claim.response).terms)
            if self.has_equation(claim.cause):
                terms += self.equation(claim.cause).terms
            self._given[claim] = tuple({term.text: term for term in terms}.values())
        return self._given[claim]

    def flipped(self, claim: ClaimTest) -> ClaimTest:
        """The claim with its sides changed."""
        return replace(claim, cause=claim.response, response=claim.cause)

    def without(self, response: str, term: str) -> PathGraph:
        """The graph with one term of one equation taken out."""
        return self._changed(response, lambda terms: tuple(t for t in terms if t.text != term))

    def with_path(self, response: str, cause: str) -> PathGraph:
        """The graph with one path more."""
        form = self.forms[cause]
        return self._changed(response, lambda terms: (*terms, form))

    def _changed(self, response: str, change: Callable[[tuple[Term, ...]], tuple[Term, ...]]) -> PathGraph:
        equations = tuple(
            replace(e, terms=change(e.terms)) if e.node == response else e for e in self.model.equations
        )
        return make_graph(replace(self.model, equations=equations), nodes=self.order, forms=self.forms)


def make_graph(
    model: PathModel, nodes: tuple[str, ...] | None = None, forms: dict[str, Term] | None = None
) -> PathGraph:
    """The graph of a model.

    Parameters
    ----------
    nodes, forms : those of a larger model that this one was pruned from, so that nothing is forgotten

    Raises
    ------
    SpecError
        If a claim has no natural direction (a non-Gaussian intermediate) and the options give none.
    """
    names = nodes if nodes is not None else _nodes(model)
    parents = {e.node: e.parents for e in model.equations}
    order = topological_order(names, parents)
    joined = _joined(model)
    claims, problems = _directed(
        model, [ClaimTest(c.cause, c.response) for c in basis_set(order, parents, joined)], parents
    )
    if problems:
        raise SpecError(Fault(problem.message, hint=problem.hint) for problem in problems)
    return PathGraph(
        model,
        order,
        parents,
        forms if forms is not None else {name: _form(model, name) for name in names},
        claims,
    )


@dataclass(frozen=True, slots=True)
class Problem:
    """A claim that cannot be tested as the options stand: about which node, what, and what to do."""

    node: str
    message: str
    hint: str


def direction_problems(model: PathModel) -> tuple[Problem, ...]:
    """The claims of a model that have no natural direction and are given none."""
    names = _nodes(model)
    parents = {e.node: e.parents for e in model.equations}
    order = topological_order(names, parents)
    claims = basis_set(order, parents, _joined(model))
    return _directed(model, [ClaimTest(c.cause, c.response) for c in claims], parents)[1]


def _joined(model: PathModel) -> set[frozenset[str]]:
    """Pairs that nothing is claimed of: correlated errors, and composites with their members."""
    members = {frozenset((c.name, v)) for c in model.composites for t in c.members for v in t.variables}
    return {frozenset(pair) for pair in model.covariances} | members


def _nodes(model: PathModel) -> tuple[str, ...]:
    """Every node, in the canonical order of the study."""
    used = {name for e in model.equations for name in (e.node, *e.parents)}
    used |= set(model.isolated) | {name for pair in model.covariances for name in pair}
    places = {name: (i, 0) for i, name in enumerate(model.columns)}
    for composite in model.composites:
        first = min(places[v] for t in composite.members for v in t.variables)
        places[composite.name] = (first[0], 1)
    return tuple(sorted(used, key=lambda name: (places[name], name)))


def _form(model: PathModel, name: str) -> Term:
    for equation in model.equations:
        if equation.node == name:
            return Term((equation.response,))
    alone = [
        term
        for equation in model.equations
        for term in equation.terms
        if len(term.factors) == 1 and term.variables == (name,)
    ]
    if alone:
        # Sorted, so that the form does not depend on the order of the equations.
        return min(alone, key=lambda term: (term.text != name, term.text))
    factor = Factor(name, Name(name, NOWHERE), (name,), name in model.categorical)
    return Term((factor,))


def _directed(
    model: PathModel, claims: list[ClaimTest], parents: dict[str, tuple[str, ...]]
) -> tuple[tuple[ClaimTest, ...], tuple[Problem, ...]]:
    """Give every claim its direction; a Gaussian pair's test is the same either way."""
    linear = {e.node for e in model.equations if e.family == "gaussian"}
    wanted = {frozenset(pair): pair for pair in map(_arrow, model.options.direction)}
    causes = {name for e in model.equations for name in e.parents}
    made, problems = [], []
    for claim in claims:
        pair = frozenset((claim.cause, claim.response))
        curved = {n for n in pair if n in parents and n not in linear}
        if pair in wanted:
            response, cause = wanted[pair]
            if response not in parents:
                message = f"direction `{response} <- {cause}` needs an equation of `{response}`"
                problems.append(Problem(claim.response, message, "turn the arrow round, or leave it out"))
            made.append(ClaimTest(cause, response))
        elif not curved & causes or pair - set(parents) or claim.cause in ancestors(claim.response, parents):
            made.append(claim)
        elif model.options.conserve:
            made.append(replace(claim, both_ways=True))
        else:
            a, b = claim.cause, claim.response
            curve = min(curved & causes)
            message = (
                f"the claim that `{a}` and `{b}` are independent has no natural direction, and `{curve}` is "
                "not Gaussian, so its two tests differ"
            )
            hint = (
                f"add to options `direction: [{b} <- {a}]` or `direction: [{a} <- {b}]`, or "
                f"`conserve: true` for the smaller p of both, or join them: `{a} ~~ {b}`"
            )
            problems.append(Problem(curve, message, hint))
    return tuple(made), tuple(problems)


def _arrow(text: str) -> tuple[str, str]:
    """`rich <- hetero` as (response, cause); its grammar was checked with the model file."""
    response, _, cause = text.partition("<-")
    return response.strip().strip("`"), cause.strip().strip("`")
