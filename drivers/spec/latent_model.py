"""A latent-variable model whose names are known: nodes, and the links between them as they are typed."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Literal

from drivers.spec.bound import BoundModel
from drivers.spec.lsem_options import LsemOptions
from drivers.spec.terms import Expression, Span, Term

LinkOperator = Literal["=~", "~", "~~", "~1"]

ParameterKey = tuple[LinkOperator, str, str]
"""Operator, left and right node of a parameter."""


@dataclass(frozen=True, slots=True)
class Link:
    """One parameter that the formula names.

    `left` and `right` are nodes: a latent variable's name, or the canonical text of an observed one. For `=~`
    the left is the latent variable and the right its indicator; for `~1` the right is empty. `value` fixes
    the parameter, equal labels make equal parameters, and `free` undoes a value that would be set.
    """

    operator: LinkOperator
    left: str
    right: str
    value: float | None = None
    label: str | None = None
    free: bool = False
    span: Span = field(default=Span(0, 0), compare=False, repr=False)

    @property
    def text(self) -> str:
        """The link as lavaan writes it: `soil =~ TN`, `TN ~ 1`."""
        return f"{self.left} ~ 1" if self.operator == "~1" else f"{self.left} {self.operator} {self.right}"


@dataclass(frozen=True, slots=True)
class Defined:
    """`name := expression` of labels and of what was defined before."""

    name: str
    expression: Expression


@dataclass(frozen=True, slots=True, kw_only=True)
class LatentModel(BoundModel):
    """A covariance model in the vocabulary of one study.

    Everything is in canonical order (drivers as the spec declares them, then responses; a latent variable
    before its first indicator), but for the indicators of a latent variable: the first one typed gives it
    its unit.
    """

    observed: tuple[Term, ...]
    """Every observed variable, a term of one factor each."""
    latents: tuple[str, ...]
    links: tuple[Link, ...]
    definitions: tuple[Defined, ...]
    partial: frozenset[ParameterKey]
    """What stays free where strata are fitted together."""
    options: LsemOptions

    @property
    def intercepts(self) -> bool:
        """Whether means are modelled too."""
        own = self.options
        return own.intercepts or own.missing == "ml" or any(link.operator == "~1" for link in self.links)

    def indicators(self, latent: str) -> list[str]:
        """What a latent variable is measured by, as typed."""
        return [link.right for link in self.links if link.operator == "=~" and link.left == latent]

    def group_of(self, name: str) -> str:
        """The driver group of a column, or of a latent variable whose indicators all belong to one."""
        found = BoundModel.group_of(self, name)
        if found or name not in self.latents:
            return found
        homes = {self.group_of(variable) for variable in self._columns_of(name)}
        return homes.pop() if len(homes) == 1 else ""

    def _columns_of(self, latent: str) -> list[str]:
        variables = {term.text: term.variables for term in self.observed}
        return [v for node in self.indicators(latent) for v in variables.get(node, (node,)) if v != latent]

    def subjects(self, declared: Collection[str]) -> list[str]:
        """The declared responses that have an equation; or those in the model; or the last node explained."""
        labels = {term.text: term.label for term in self.observed}
        variables = {term.text: term.variables for term in self.observed}
        explained = list(dict.fromkeys(link.left for link in self.links if link.operator == "~"))
        about = [node for node in explained if set(variables.get(node, ())) & set(declared)]
        about = about or [node for node in variables if set(variables[node]) & set(declared)]
        return [labels.get(node, node) for node in (about or explained[-1:] or list(self.latents[:1]))]
