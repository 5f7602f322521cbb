"""From terms to columns: what a model needs of the pixels, made in one pass.

A plain variable is read as it stands. Everything else (functions, interactions, dummies) becomes
columns through patsy, from code that is written here out of the checked expression, never from the
user's text. A categorical factor gives a column for every level; which of them an equation uses
(treatment coding within a stratum) is a choice of columns made afterwards.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import patsy
from numpy.typing import NDArray

from drivers.methods.transforms import TRANSFORMS
from drivers.spec.terms import Call, Expression, Factor, Name, Number, Operation, Term
from drivers.stats.moments import CHUNK_ROWS, Block, CellMoments, cell_moments
from drivers.table import PixelTable

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Column:
    """One design column: its label, its term, and the level of each categorical factor in it."""

    label: str
    term: Term
    levels: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Design:
    """The design columns of a set of terms on one table."""

    table: PixelTable
    columns: tuple[Column, ...]
    places: dict[str, tuple[int, ...]]
    """For every term's text, the indices of its columns."""
    variables: tuple[str, ...]
    complete: NDArray[np.bool_]
    """Pixels that have a value in every variable, shape (n,)."""
    _plain: dict[int, str] = field(repr=False)
    _infos: tuple[tuple[tuple[int, ...], Any], ...] = field(repr=False)
    """(indices of the columns, patsy's DesignInfo) of every term that is not plain."""
    _categories: dict[str, tuple[str, ...]] = field(repr=False)
    selections: dict[Any, Any] = field(default_factory=dict, repr=False)
    """Which columns a set of terms uses, by the levels that a stratum has: strata mostly agree."""

    @property
    def width(self) -> int:
        """The number of columns p."""
        return len(self.columns)

    def moments(self, codes: NDArray[np.int32], cells: int, *, extremes: bool = False) -> CellMoments:
        """Moments of all columns in every cell, over complete pixels, in one pass.

        Parameters
        ----------
        codes : cell of each row of the table, -1 for none, shape (n,)
        cells : number of cells
        """
        all_complete = bool(self.complete.all())

        def read(start: int, stop: int) -> Block:
            own = codes[start:stop]
            if not self._infos:
                if not all_complete:
                    own = np.where(self.complete[start:stop], own, -1)
                plain = [self.table.values(self._plain[j])[start:stop] for j in range(self.width)]
                return plain, own, None
            kept = np.flatnonzero(self.complete[start:stop]) + start
            return list(self.matrix(kept)), codes[kept], None

        return cell_moments(read, self.table.n, cells, self.width, extremes=extremes)

    def columns_at(self, rows: NDArray[np.intp]) -> Sequence[Array] | Array:
        """The columns at some complete rows, shape (m,) each; plain ones of successive rows are no copies."""
        if self._infos:
            return self.matrix(rows)
        successive = np.arange(rows[0], rows[0] + len(rows))
        part = slice(rows[0], rows[0] + len(rows)) if np.array_equal(rows, successive) else rows
        return [self.table.values(self._plain[j])[part] for j in range(self.width)]

    def matrix(self, rows: NDArray[np.intp]) -> Array:
        """All columns at some complete rows, shape (p, m); a variable is contiguous."""
        out = np.empty((self.width, len(rows)))
        for j, name in self._plain.items():
            np.take(self.table.values(name), rows, out=out[j])
        if self._infos:
            data = _data(self.table, self._categories, self.variables, rows)
            with np.errstate(all="ignore"):
                made = patsy.build_design_matrices([info for _, info in self._infos], data, NA_action=_KEEP)
            for (indices, _), matrix in zip(self._infos, made, strict=True):
                out[list(indices)] = np.asarray(matrix).T
        return out


_KEEP = patsy.NAAction(NA_types=[])
"""Rows are complete before patsy sees them; what a function makes of them is judged afterwards."""


def make_design(table: PixelTable, terms: Iterable[Term], also: Sequence[str] = ()) -> Design:
    """The design of some terms; `also` names columns that must be complete too (random intercepts)."""
    wanted = list({term.text: term for term in _with_margins(terms)}.values())
    variables = tuple(dict.fromkeys(name for term in wanted for name in term.variables))
    categories = {
        name: table.levels(name)
        for term in wanted
        for factor in term.factors
        if factor.categorical
        for name in factor.variables
    }
    complete = table.complete(dict.fromkeys([*variables, *also]))
    columns: list[Column] = []
    places: dict[str, tuple[int, ...]] = {}
    plain: dict[int, str] = {}
    derived: list[Term] = []
    for term in wanted:
        made = _columns(term, categories)
        places[term.text] = tuple(range(len(columns), len(columns) + len(made)))
        if len(term.factors) == 1 and term.factors[0].plain:
            plain[len(columns)] = term.variables[0]
        else:
            derived.append(term)
        columns += made
    infos = _patsy_infos(table, derived, categories, variables, complete)
    return Design(
        table,
        tuple(columns),
        places,
        variables,
        complete,
        plain,
        tuple((places[t.text], info) for t, info in zip(derived, infos, strict=True)),
        categories,
    )


def _with_margins(terms: Iterable[Term]) -> Iterator[Term]:
    """Each term, and each of its categorical factors alone: their counts tell which levels a stratum has."""
    for term in terms:
        yield term
        yield from (Term((f,)) for f in term.factors if f.categorical)


def _columns(term: Term, categories: dict[str, tuple[str, ...]]) -> list[Column]:
    """The columns of a term; the first factor varies fastest, as in patsy."""
    choices: list[list[tuple[str, tuple[str, int] | None]]] = []
    for factor in term.factors:
        if factor.categorical:
            name = factor.variables[0]
            choices.append([(f"{factor.label}[{v}]", (name, i)) for i, v in enumerate(categories[name])])
        else:
            width = _width(factor)
            texts = [factor.label] if width == 1 else [f"{factor.label}{d}" for d in range(1, width + 1)]
            choices.append([(text, None) for text in texts])
    made = []
    for combination in product(*reversed(choices)):
        parts = combination[::-1]
        levels = tuple(level for _, level in parts if level is not None)
        made.append(Column(":".join(text for text, _ in parts), term, levels))
    return made


def _width(factor: Factor) -> int:
    call = factor.expression
    if isinstance(call, Call) and call.function == "poly" and isinstance(call.arguments[1], Number):
        return int(call.arguments[1].value)
    return 1


def _patsy_infos(
    table: PixelTable,
    terms: Sequence[Term],
    categories: dict[str, tuple[str, ...]],
    variables: Sequence[str],
    complete: NDArray[np.bool_],
) -> list[Any]:
    if not terms:
        return []
    names = {name: f"v{i}" for i, name in enumerate(variables)}
    term_lists = [[patsy.Term([patsy.EvalFactor(_code(f, names)) for f in t.factors])] for t in terms]
    rows = np.flatnonzero(complete)

    def chunks() -> Iterator[dict[str, Any]]:
        # At least one chunk, or patsy could not tell numbers from categories in an empty table.
        for start in range(0, max(len(rows), 1), CHUNK_ROWS):
            yield _data(table, categories, variables, rows[start : start + CHUNK_ROWS])

    with np.errstate(all="ignore"):
        infos: list[Any] = patsy.design_matrix_builders(
            term_lists, chunks, patsy.EvalEnvironment([TRANSFORMS]), NA_action=_KEEP
        )
    return infos


def _data(
    table: PixelTable,
    categories: dict[str, tuple[str, ...]],
    variables: Sequence[str],
    rows: NDArray[np.intp],
) -> dict[str, Any]:
    """The rows of every variable under the names that patsy's code uses."""
    data: dict[str, Any] = {}
    for i, name in enumerate(variables):
        if name not in categories or not table.holds_text(name):
            data[f"v{i}"] = table.values(name)[rows]
        if name in categories:
            levels = pd.Index(categories[name])
            data[f"v{i}_levels"] = pd.Categorical.from_codes(table.codes(name)[rows], categories=levels)
    return data


def _code(factor: Factor, names: dict[str, str]) -> str:
    """Python code of a factor; made of our own names, the closed functions and numbers only."""
    if factor.categorical:
        return f"{names[factor.variables[0]]}_levels"
    return _expression_code(factor.expression, names)


def _expression_code(expression: Expression, names: dict[str, str]) -> str:
    match expression:
        case Name(text):
            return names[text]
        case Number(value):
            return repr(value)
        case Call("poly", (inner, Number(degree))):
            return f"poly({_expression_code(inner, names)}, {int(degree)})"
        case Call("I", (inner,)):
            return f"({_expression_code(inner, names)})"
        case Call(function, arguments) if function in TRANSFORMS:
            return f"{function}({', '.join(_expression_code(a, names) for a in arguments)})"
        case Operation(operator, (inner,)):
            return f"({operator}{_expression_code(inner, names)})"
        case Operation(operator, (left, right)) if operator in {"+", "-", "*", "/", "^"}:
            sign = "**" if operator == "^" else operator
            return f"({_expression_code(left, names)} {sign} {_expression_code(right, names)})"
        case _:
            raise TypeError(f"not an expression of the formula language: {expression!r}")
