"""A model whose names are known: what `methods/` receive. Made by `bind.py`; holds no data."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from drivers.spec.options import BrtOptions, GeodetectorOptions, Options, PsemOptions
from drivers.spec.terms import Factor, Term

Family = Literal["gaussian", "binomial", "poisson"]
TreeFamily = Literal["gaussian", "binomial", "poisson", "gamma", "tweedie", "quantile"]


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


@dataclass(frozen=True, slots=True, kw_only=True)
class BoundModel:
    """What every bound model has, whatever its method."""

    name: str
    method: str
    title: str
    formula: str
    response: str
    """The column, or for a path model the node, that the report is about."""
    columns: tuple[str, ...]
    """The table's columns that the model needs, in canonical order (no composites)."""
    categorical: frozenset[str]
    groups: tuple[tuple[str, tuple[str, ...]], ...]
    """The driver groups of the study: (group, its drivers) in the spec's order."""
    options: Options

    def group_of(self, name: str) -> str:
        """The driver group of a column; empty when it belongs to none."""
        return next((group for group, members in self.groups if name in members), "")

    def subjects(self, declared: Collection[str]) -> list[str]:
        """What a report on the model is about, as its tables name it, among the declared responses."""
        raise NotImplementedError

    def labels(self) -> tuple[str, ...]:
        """Columns outside the study's roles that the model reads as labels."""
        return ()

    def said(self) -> dict[str, object]:
        """What the model's file says beside its formula, without defaults, as run.json keeps it."""
        return self.options.model_dump(mode="json", exclude_defaults=True)

    def quantities(self) -> tuple[str, ...]:
        """Columns outside the study's roles that the model reads as numbers."""
        return ()

    def year_columns(self) -> dict[str, str]:
        """Columns of single years -> the variable that each one is."""
        return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class PathModel(BoundModel):
    """A path model in the vocabulary of one study.

    Everything is in canonical order: drivers as the spec declares them, then responses, then grouping
    columns; nothing may depend on the order in which equations are typed. `response` is the one that the
    composites' weights and the report are about.
    """

    equations: tuple[Equation, ...]
    composites: tuple[Composite, ...]
    covariances: tuple[tuple[str, str], ...]
    """Pairs of nodes joined by `~~`, each pair in canonical order, sorted."""
    isolated: tuple[str, ...]
    """Nodes that are named without predictors (`age ~ 1`): in the graph, but with no equation."""
    options: PsemOptions

    def group_of(self, name: str) -> str:
        """The driver group of a column or composite; empty when it belongs to none."""
        found = BoundModel.group_of(self, name)
        if found:
            return found
        for composite in self.composites:
            if composite.name == name:
                homes = {self.group_of(v) for member in composite.members for v in member.variables}
                return homes.pop() if len(homes) == 1 else ""
        return ""

    def subjects(self, declared: Collection[str]) -> list[str]:
        """The declared responses that have an equation, or else the last one that has."""
        about = [e.response.label for e in self.equations if e.node in declared]
        return about or [e.response.label for e in self.equations if e.node == self.response]

    def labels(self) -> tuple[str, ...]:
        """The columns that group the pixels of random intercepts."""
        return tuple(dict.fromkeys(e.random for e in self.equations if e.random is not None))


@dataclass(frozen=True, slots=True)
class Driver:
    """A driver as a model of one response sees it: a column, or a function of columns."""

    factor: Factor
    group: str
    """Its driver group; empty when its columns belong to none, or to several."""

    @property
    def label(self) -> str:
        """The driver as the tables show it."""
        return self.factor.label


@dataclass(frozen=True, slots=True, kw_only=True)
class DriverModel(BoundModel):
    """`response ~ drivers`: what methods without paths fit."""

    target: Factor
    """The response as the formula has it (`log(NEP)`)."""
    drivers: tuple[Driver, ...]
    """Each once, in the study's order, a column before its functions."""
    years: tuple[tuple[int, tuple[tuple[str, str], ...]], ...] = ()
    """For every year of `over_years`: (variable, its column in that year)."""
    options: GeodetectorOptions | BrtOptions
    family: TreeFamily = "gaussian"
    """brt only."""

    def subjects(self, declared: Collection[str]) -> list[str]:
        """Its one response."""
        return [self.target.label]

    def quantities(self) -> tuple[str, ...]:
        """The column of the pixels' weights."""
        return () if self.options.weights is None else (self.options.weights,)

    def said(self) -> dict[str, object]:
        """Options, and the family of trees."""
        family = {"family": self.family} if self.method == "brt" else {}
        return {**family, **BoundModel.said(self)}

    def year_columns(self) -> dict[str, str]:
        """Columns of the years of `over_years`."""
        return {column: name for _, columns in self.years for name, column in columns}
