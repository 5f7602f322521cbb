"""A latent model on the columns of one stratum: which cells of its matrices are free, fixed or equal.

What the formula leaves open is set as lavaan's `sem()` sets it (Rosseel 2012, doi:10.18637/jss.v048.i02).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from drivers.methods.sample import Sample
from drivers.spec.latent_model import LatentModel, Link, LinkOperator, ParameterKey
from drivers.stats.sem_structure import DIRECTED, MEAN, SYMMETRIC, Cell, Structure, structure

FREE = float("nan")


@dataclass(frozen=True, slots=True)
class Entry:
    """One parameter of the model, named or set by rule.

    Attributes
    ----------
    operator : `=~`, `~`, `~~` or `~1`
    left, right : variables as numbers; for `=~` the left is the latent variable, for `~1` both are the same
    value : where it is fixed; NaN where it is free
    label : parameters of one label are equal; empty for none
    typed : whether the formula names it
    """

    operator: LinkOperator
    left: int
    right: int
    value: float = FREE
    label: str = ""
    typed: bool = False

    @property
    def free(self) -> bool:
        """Whether it is estimated."""
        return bool(np.isnan(self.value))

    def cell(self, number: int, group: int = 0) -> Cell:
        """Its cell, as parameter `number`."""
        value, number = (FREE, number) if self.free else (self.value, -1)
        if self.operator == "=~":
            return Cell(DIRECTED, self.right, self.left, value, number, group)
        if self.operator == "~":
            return Cell(DIRECTED, self.left, self.right, value, number, group)
        if self.operator == "~~":
            return Cell(SYMMETRIC, self.left, self.right, value, number, group)
        return Cell(MEAN, self.left, self.left, value, number, group)


@dataclass(frozen=True, slots=True)
class Layout:
    """A latent model on some columns.

    Attributes
    ----------
    names : of the observed variables, then of the latent ones, as tables show them
    nodes : the node of the model that each variable stands for
    columns : the design columns of the observed variables
    entries : every parameter, in the order of the tables
    exogenous : observed variables that nothing explains
    fixed_x, means : as `Structure`
    """

    names: tuple[str, ...]
    nodes: tuple[str, ...]
    columns: tuple[int, ...]
    entries: tuple[Entry, ...]
    exogenous: tuple[int, ...]
    fixed_x: bool
    means: bool

    @property
    def observed(self) -> int:
        """How many variables are observed."""
        return len(self.columns)

    def numbers(self) -> list[int]:
        """The parameter of every entry, from 0; -1 where it is fixed."""
        known: dict[str, int] = {}
        found: list[int] = []
        count = 0
        for entry in self.entries:
            if not entry.free:
                found.append(-1)
            elif entry.label in known:
                found.append(known[entry.label])
            else:
                if entry.label:
                    known[entry.label] = count
                found.append(count)
                count += 1
        return found

    def structure(self) -> Structure:
        """The model as cells."""
        cells = [entry.cell(number) for entry, number in zip(self.entries, self.numbers(), strict=True)]
        return self.with_cells(cells, 1)

    def with_cells(self, cells: Sequence[Cell], groups: int) -> Structure:
        """The same variables with given cells, in several groups."""
        return structure(
            self.observed,
            len(self.names) - self.observed,
            cells,
            groups=groups,
            means=self.means,
            exogenous=self.exogenous,
            fixed_x=self.fixed_x,
        )

    def key(self, entry: Entry) -> ParameterKey:
        """An entry by the nodes of the model."""
        right = "" if entry.operator == "~1" else self.nodes[entry.right]
        return entry.operator, self.nodes[entry.left], right

    def text(self, entry: Entry) -> str:
        """An entry as lavaan writes it."""
        if entry.operator == "~1":
            return f"{self.names[entry.left]} ~ 1"
        return f"{self.names[entry.left]} {entry.operator} {self.names[entry.right]}"


def make_layout(model: LatentModel, sample: Sample) -> Layout:
    """The model on the columns that a stratum has.

    Raises
    ------
    FitError
        a column is constant or not finite in the stratum, or a class is alone
    """
    selected = [sample.select([term]) for term in model.observed]
    columns = tuple(c for found in selected for c in found.columns)
    nodes = [term.text for term, found in zip(model.observed, selected, strict=True) for _ in found.columns]
    names = [*(sample.label(c) for c in columns), *model.latents]
    nodes += model.latents
    places: dict[str, list[int]] = {}
    for i, node in enumerate(nodes):
        places.setdefault(node, []).append(i)
    typed = [entry for link in model.links for entry in _typed(link, places)]
    return _completed(model, tuple(names), tuple(nodes), columns, typed)


def _typed(link: Link, places: Mapping[str, Sequence[int]]) -> list[Entry]:
    """The entries of a link: several where its right is a variable of several columns."""
    (left,) = places[link.left]
    value = FREE if link.value is None else link.value
    rights = places[link.right] if link.right else [left]
    return [Entry(link.operator, left, right, value, link.label or "", True) for right in rights]


def _completed(
    model: LatentModel,
    names: tuple[str, ...],
    nodes: tuple[str, ...],
    columns: tuple[int, ...],
    typed: list[Entry],
) -> Layout:
    """The entries of the formula and those that are set by rule."""
    p, v = len(columns), len(names)
    latents = range(p, v)
    free_marks = {(link.left, link.right) for link in model.links if link.free}
    loadings = [e for e in typed if e.operator == "=~"]
    regressions = [e for e in typed if e.operator == "~"]
    indicators = {e.right for e in loadings}
    explained = indicators | {e.left for e in regressions}
    given = {frozenset((e.left, e.right)) for e in typed if e.operator == "~~"}
    given_means = {e.left for e in typed if e.operator == "~1"}
    # A cause whose moments the formula names is a variable like any other, as in lavaan.
    named = {i for pair in given for i in pair} | given_means
    exogenous = [i for i in range(p) if i not in explained and (i not in named or not model.options.fixed_x)]
    unit = model.options.scale == "unit"

    if not unit:
        marked: set[int] = set()
        for at, entry in enumerate(typed):
            if entry.operator != "=~" or entry.left in marked:
                continue
            marked.add(entry.left)
            if entry.free and not entry.label and (nodes[entry.left], nodes[entry.right]) not in free_marks:
                typed[at] = Entry("=~", entry.left, entry.right, 1.0, "", True)
    alone = {e.right for e in loadings if sum(o.left == e.left for o in loadings) == 1 and e.right < p}
    added: list[Entry] = []
    for i in range(v):
        if frozenset((i,)) in given or (i in exogenous and model.options.fixed_x):
            continue
        value = 1.0 if unit and i >= p else 0.0 if i in alone else FREE
        added.append(Entry("~~", i, i, value))
    pairs = list(combinations([i for i in latents if i not in explained], 2))
    pairs += combinations(_last_explained(regressions, indicators), 2)
    if not model.options.fixed_x:
        pairs += combinations(exogenous, 2)
    added += [Entry("~~", i, j) for i, j in pairs if frozenset((i, j)) not in given]
    if model.intercepts:
        kept = [i for i in range(p) if i not in given_means]
        added += [Entry("~1", i, i) for i in kept if not (i in exogenous and model.options.fixed_x)]
    order = {"=~": 0, "~": 1, "~~": 2, "~1": 3}
    entries = sorted([*typed, *added], key=lambda e: order[e.operator])
    return Layout(
        names, nodes, columns, tuple(entries), tuple(exogenous), model.options.fixed_x, model.intercepts
    )


def _last_explained(regressions: Sequence[Entry], indicators: Collection[int]) -> list[int]:
    """Variables that are explained and explain nothing: their errors covary, as lavaan has it."""
    causes = {e.right for e in regressions}
    lefts = dict.fromkeys(e.left for e in regressions)
    return sorted(i for i in lefts if i not in causes and i not in indicators)
