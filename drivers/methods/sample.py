"""The pixels of one stratum as a method sees them: moments first, rows only where there is no other way."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from drivers.errors import FitError
from drivers.methods.design import Design
from drivers.methods.slope_errors import Kind
from drivers.methods.vicinity import Vicinity
from drivers.spec.terms import Term
from drivers.stats.linear import aliased
from drivers.stats.moments import Moments
from drivers.table import Partition, Stratum

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Selection:
    """The columns that a set of terms uses in a stratum, in the order of the terms."""

    columns: tuple[int, ...]
    terms: tuple[str, ...]
    """The term that each column belongs to."""


@dataclass(frozen=True)
class Sample:
    """A stratum's complete pixels. Columns p, p + 1, ... are the composites, once they have weights."""

    design: Design
    partition: Partition
    stratum: Stratum
    moments: Moments
    composites: tuple[str, ...] = ()
    weights: Array | None = None
    """Weights of the composites on the design columns, shape (c, p)."""
    vicinity: Vicinity | None = None
    """What its pixels share with their neighbours; None where they have no place."""
    errors: Kind = "classical"
    """The errors that p-values and intervals rest on."""

    @property
    def n(self) -> int:
        """The number of complete pixels."""
        return self.moments.rows

    def label(self, column: int) -> str:
        """The name of a column as the tables show it."""
        p = self.design.width
        return self.design.columns[column].label if column < p else self.composites[column - p]

    def with_composites(self, names: Sequence[str], weights: Array) -> Sample:
        """The same pixels with composites as further columns; `weights` has shape (c, p)."""
        near = None if self.vicinity is None else self.vicinity.extend(weights)
        return replace(
            self,
            moments=self.moments.extend(weights),
            composites=tuple(names),
            weights=weights,
            vicinity=near,
        )

    def select(self, terms: Sequence[Term]) -> Selection:
        """The columns of some terms in an equation with an intercept.

        A categorical factor is coded by treatment: the first level that the stratum has is the
        reference. In a product it is coded in full where its margin is not in the equation, as R does.

        Raises
        ------
        FitError
            If a categorical variable has one level, or a column is constant or not finite.
        """
        texts = tuple(term.text for term in terms)
        key = (texts, self.composites, self.signature)
        selection: Selection | None = self.design.selections.get(key)
        if selection is None:
            selection = self._select(terms, set(texts))
            self.design.selections[key] = selection
        self.require(selection.columns)
        return selection

    def require(self, columns: Collection[int]) -> None:
        """Raise a FitError if some column is not finite or does not vary."""
        if not self._sound[list(columns)].all():
            self._explain(sorted(columns))

    @cached_property
    def signature(self) -> bytes:
        """Which levels of which categorical columns occur."""
        coded = [i for i, column in enumerate(self.design.columns) if column.levels]
        return bytes(np.packbits(self.moments.mean[coded] != 0)) if coded else b""

    @cached_property
    def _sound(self) -> NDArray[np.bool_]:
        """Which columns are finite and vary."""
        return np.isfinite(np.diag(self.moments.cross)) & ~self.moments.constant

    def _select(self, terms: Sequence[Term], present: set[str]) -> Selection:
        columns: list[int] = []
        owners: list[str] = []
        for term in terms:
            if len(term.factors) == 1 and term.text in self.composites:
                columns.append(self.design.width + self.composites.index(term.text))
                owners.append(term.text)
                continue
            kept = [c for c in self.design.places[term.text] if self._codes_in(c, present)]
            if _fills(term, present):
                kept = kept[1:]
            columns += kept
            owners += [term.text] * len(kept)
        return Selection(tuple(columns), tuple(owners))

    def _codes_in(self, column: int, present: set[str]) -> bool:
        """Whether treatment coding keeps a column in this stratum."""
        made = self.design.columns[column]
        if not made.levels:
            return True
        levels = dict(made.levels)
        for factor in made.term.factors:
            if not factor.categorical:
                continue
            here = self.levels(factor.text)
            level = levels[factor.variables[0]]
            if level not in here:
                return False
            if len(here) == 1:
                only = self.design.table.levels(factor.variables[0])[here[0]]
                raise FitError(
                    f"`{factor.variables[0]}` has a single level (`{only}`) here; leave it out of the "
                    "model, or do not cut strata on it"
                )
            margin = Term(tuple(f for f in made.term.factors if f.text != factor.text))
            reduced = not margin.factors or margin.text in present
            if reduced and level == here[0]:
                return False
        # A combination of levels that no pixel has makes a column of zeros, which says nothing.
        return bool(self.moments.cross[column, column] > 0 or self.moments.mean[column] != 0)

    def levels(self, factor: str) -> list[int]:
        """The levels of a categorical factor that occur in the stratum, by position."""
        places = self.design.places[factor]
        return [i for i, column in enumerate(places) if self.moments.mean[column] > 0.25 / self.n]

    def _explain(self, columns: Sequence[int]) -> None:
        """Raise the FitError that says which columns are not finite or do not vary."""
        index = np.asarray(columns, dtype=np.intp)
        infinite = index[~np.isfinite(np.diag(self.moments.cross)[index])]
        if len(infinite):
            labels = [self.label(c) for c in dict.fromkeys(infinite.tolist())]
            verb = "is" if len(labels) == 1 else "are"
            raise FitError(
                f"{listed(labels)} {verb} infinite or undefined for some pixels: a logarithm or root of "
                "zero or less, a division by zero, or an overflow"
            )
        flat = index[self.moments.constant[index]]
        if len(flat):
            labels = [self.label(c) for c in dict.fromkeys(flat.tolist())]
            verb, has = ("is", "it has") if len(labels) == 1 else ("are", "they have")
            raise FitError(f"{listed(labels)} {verb} constant here: {has} no effect that could be estimated")

    def explain_collinearity(self, columns: Sequence[int], where: str) -> FitError:
        """The error that names which columns are combinations of which."""
        found = aliased(self.moments, columns)
        if not found:
            # Nothing among the predictors: then it is the response that they make up.
            return FitError(f"the predictors in {where} reproduce it exactly; one of them is made from it")
        reasons = [f"`{self.label(c)}` is a combination of {listed(map(self.label, of))}" for c, of in found]
        return FitError(f"collinear columns in {where}: {'; '.join(reasons)}; leave one of them out")

    def rows(self) -> NDArray[np.intp]:
        """The table's rows that are in the stratum and complete."""
        return np.flatnonzero(self.partition.rows_of(self.stratum) & self.design.complete)

    def matrix(self, rows: NDArray[np.intp]) -> Array:
        """All columns, composites included, at some rows; shape (p + c, m)."""
        own = self.design.matrix(rows)
        return own if self.weights is None else np.vstack([own, self.weights @ own])


def _fills(term: Term, present: set[str]) -> bool:
    """Whether a product of classes is coded in full on all sides, so that its columns add up to 1."""
    if len(term.factors) < 2 or not all(factor.categorical for factor in term.factors):
        return False
    margins = (Term(tuple(f for f in term.factors if f is not factor)) for factor in term.factors)
    return not any(margin.text in present for margin in margins)


def listed(names: Iterable[str]) -> str:
    """`a`, `b` and `c`."""
    quoted = [f"`{name}`" for name in names]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} and {quoted[-1]}"
