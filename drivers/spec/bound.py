"""A model whose names are known: what `methods/` receive. Made by `bind.py`; holds no data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from drivers.spec.options import PsemOptions
from drivers.spec.terms import Factor, Term

Family = Literal["gaussian", "binomial", "poisson"]


@dataclass(frozen=True, slots=True)
class Equation:
    """`response ~ terms`, with its family and, for a random intercept, the grouping column."""

    response: Factor
    terms: tuple[Term, ...]
    family: Family = "gaussian"
    random: str | None = None

    @property
    def node(self) -> str:
        """The variable or composite that the equation is about (`NEP` of `log(NEP) ~ ...`)."""
        return self.response.variables[0]

    @property
    def parents(self) -> tuple[str, ...]:
        """The variables and composites on the right, each once, as typed."""
        return tuple(dict.fromkeys(name for term in self.terms for name in term.variables))


@dataclass(frozen=True, slots=True)
class Composite:
    """`name <~ members`, and how its weights are found (METHODS, section 3)."""

    name: str
    members: tuple[Term, ...]
    how: Literal["regression", "pc1", "equal", "fixed"] = "regression"
    weights: tuple[float, ...] = ()
    """For `fixed` only: one weight per member."""


@dataclass(frozen=True, slots=True)
class BoundModel:
    """A path model in the vocabulary of one study.

    `order` is the canonical order of everything: drivers as the spec declares them, then responses,
    then grouping columns; nothing may depend on the order in which equations are typed.
    """

    name: str
    method: str
    title: str
    formula: str
    equations: tuple[Equation, ...]
    composites: tuple[Composite, ...]
    covariances: tuple[tuple[str, str], ...]
    """Pairs of nodes joined by `~~`, each pair in canonical order, sorted."""
    isolated: tuple[str, ...]
    """Nodes that are named without predictors (`age ~ 1`): in the graph, but with no equation."""
    response: str
    """The study's response: the one the composites' weights and the report are about."""
    columns: tuple[str, ...]
    """The table's columns that the model needs, in canonical order (no composites)."""
    categorical: frozenset[str]
    groups: tuple[tuple[str, tuple[str, ...]], ...]
    """The driver groups of the study: (group, its drivers) in the spec's order."""
    options: PsemOptions

    def group_of(self, name: str) -> str:
        """The driver group of a column or composite; empty when it belongs to none."""
        for group, members in self.groups:
            if name in members:
                return group
        for composite in self.composites:
            if composite.name == name:
                homes = {self.group_of(v) for member in composite.members for v in member.variables}
                return homes.pop() if len(homes) == 1 else ""
        return ""
