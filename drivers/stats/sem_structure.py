"""What a covariance-based SEM assumes, as numbers: which cells of its matrices are free, fixed or equal.

The reticular action model (McArdle & McDonald 1984, doi:10.1111/j.2044-8317.1984.tb00802.x): v = p + q
variables, the p observed ones first, obey x = A x + e with A[j, i] the direct effect of i on j, S the
covariance of e and m its mean, so that cov(x) = (I - A)⁻¹ S (I - A)⁻ᵀ and E x = (I - A)⁻¹ m.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Codes = NDArray[np.intp]

DIRECTED, SYMMETRIC, MEAN = 0, 1, 2
"""Codes of the matrices A, S and m."""


class Cell(NamedTuple):
    """A cell of A, S or m.

    Attributes
    ----------
    matrix : `DIRECTED`, `SYMMETRIC` or `MEAN`
    row, column : variables; A[row, column] is the effect of column on row; of a mean, column is not used;
        a symmetric cell is listed once
    value : where it is fixed, raw units; NaN where it is free
    number : of its parameter, from 0; -1 where it is fixed. Cells of one number are equal
    group : from 0
    """

    matrix: int
    row: int
    column: int
    value: float = float("nan")
    number: int = -1
    group: int = 0


@dataclass(frozen=True, eq=False)
class Structure:
    """Cells of A, S and m of G groups; cells that are not listed are 0. Made by `structure`.

    Attributes
    ----------
    observed, latent : p and q
    groups : G
    matrix, group, row, column, number : as `Cell`, shape (cells,)
    value : as `Cell`, shape (cells,)
    means : whether means are part of the model; otherwise they are the sample's and nothing counts them
    exogenous : observed variables that nothing in the model explains
    fixed_x : whether the (co)variances and means of `exogenous` are the sample's, and not counted
    """

    observed: int
    latent: int
    groups: int
    matrix: Codes
    group: Codes
    row: Codes
    column: Codes
    value: Array
    number: Codes
    means: bool
    exogenous: tuple[int, ...]
    fixed_x: bool

    @property
    def variables(self) -> int:
        """All variables, v = p + q."""
        return self.observed + self.latent

    @cached_property
    def parameters(self) -> int:
        """Free parameters, k."""
        return int(self.number.max(initial=-1)) + 1

    @property
    def fixed(self) -> tuple[int, ...]:
        """The variables whose moments are the sample's."""
        return self.exogenous if self.fixed_x else ()

    @property
    def moments(self) -> int:
        """Sample moments, all groups: p(p + 1)/2, and p means where they are modelled."""
        p = self.observed
        return self.groups * (p * (p + 1) // 2 + (p if self.means else 0))

    @property
    def df(self) -> int:
        """Degrees of freedom: moments, less those of fixed exogenous variables, less free parameters."""
        x = len(self.fixed)
        taken = self.groups * (x * (x + 1) // 2 + (x if self.means else 0))
        return self.moments - taken - self.parameters

    def cell(self, i: int) -> Cell:
        """Cell `i` of the list."""
        return Cell(
            int(self.matrix[i]),
            int(self.row[i]),
            int(self.column[i]),
            float(self.value[i]),
            int(self.number[i]),
            int(self.group[i]),
        )

    def with_free_x(self) -> Structure:
        """The same with the moments of fixed exogenous variables as parameters, numbered after the others."""
        cells = [self.cell(i) for i in range(len(self.matrix))]
        count = self.parameters
        for g in range(self.groups):
            for a, i in enumerate(self.fixed):
                for j in self.fixed[: a + 1]:
                    cells.append(Cell(SYMMETRIC, i, j, number=count, group=g))
                    count += 1
                if self.means:
                    cells.append(Cell(MEAN, i, i, number=count, group=g))
                    count += 1
        return replace(self, fixed_x=False, **_columns(cells))  # type: ignore[arg-type]

    def widened(self, cells: Sequence[Cell]) -> Structure:
        """With further or other cells, unchecked: a path to a fixed exogenous variable may be among them."""
        kept = {_key(c): c for c in map(self.cell, range(len(self.matrix)))}
        kept.update({_key(c): c for c in cells})
        return replace(self, **_columns(list(kept.values())))  # type: ignore[arg-type]


def structure(
    observed: int,
    latent: int,
    cells: Sequence[Cell],
    *,
    groups: int = 1,
    means: bool = False,
    exogenous: Sequence[int] = (),
    fixed_x: bool = False,
) -> Structure:
    """A checked structure.

    Parameters
    ----------
    observed, latent : p and q; variables are numbered 0 … p - 1 and p … p + q - 1
    cells : those that are free, or fixed at something other than 0
    groups, means, exogenous, fixed_x : as `Structure`

    Raises
    ------
    ValueError
        a cell names a variable or group that does not exist, is listed twice, is both fixed and free, or is
        neither; parameters are not numbered 0 … k - 1; a variable has a path to itself; a mean is listed
        without `means`; a fixed exogenous variable is explained or has a cell in S or m

    Examples
    --------
    y on x, with x fixed: a slope and an error variance.

    >>> found = structure(2, 0, [Cell(DIRECTED, 0, 1, number=0), Cell(SYMMETRIC, 0, 0, number=1)],
    ...                   exogenous=[1], fixed_x=True)
    >>> found.parameters, found.df
    (2, 0)
    """
    cells = list(cells)
    found = Structure(
        observed,
        latent,
        groups,
        means=means,
        exogenous=tuple(exogenous),
        fixed_x=fixed_x,
        **_columns(cells),  # type: ignore[arg-type]
    )
    if observed < 1 or latent < 0 or groups < 1:
        raise ValueError(f"a model of {observed} observed and {latent} latent variables in {groups} groups")
    if any(not 0 <= x < observed for x in exogenous) or len(set(exogenous)) < len(exogenous):
        raise ValueError(f"exogenous variables {list(exogenous)} of {observed} observed ones")
    for cell in cells:
        _check(cell, found)
    if len({_key(c) for c in cells}) < len(cells):
        keys = [_key(c) for c in cells]
        twice = next(c for c in cells if keys.count(_key(c)) > 1)
        raise ValueError(f"{twice} is listed twice")
    free = set(found.number[found.number >= 0].tolist())
    if free != set(range(len(free))):
        raise ValueError(f"parameters must be numbered 0 to {len(free) - 1}, not {sorted(free)}")
    return found


def independence(model: Structure) -> Structure:
    """The baseline of relative indices: uncorrelated variables, but free moments among the exogenous ones.

    Groups share nothing; means are free where they are modelled.

    Examples
    --------
    >>> found = structure(3, 0, [Cell(DIRECTED, 0, 1, number=0), Cell(SYMMETRIC, 0, 0, number=1)],
    ...                   exogenous=[1, 2], fixed_x=True)
    >>> independence(found).df
    2
    """
    cells: list[Cell] = []
    for g in range(model.groups):
        for i in (i for i in range(model.observed) if i not in model.fixed):
            cells.append(Cell(SYMMETRIC, i, i, number=len(cells), group=g))
            if model.means:
                cells.append(Cell(MEAN, i, i, number=len(cells), group=g))
        for a, i in enumerate(model.exogenous if not model.fixed_x else ()):
            for j in model.exogenous[:a]:
                cells.append(Cell(SYMMETRIC, i, j, number=len(cells), group=g))
    return structure(
        model.observed,
        0,
        cells,
        groups=model.groups,
        means=model.means,
        exogenous=model.exogenous,
        fixed_x=model.fixed_x,
    )


def _columns(cells: list[Cell]) -> dict[str, Codes | Array]:
    names = ("matrix", "group", "row", "column", "number")
    found: dict[str, Codes | Array] = {
        n: np.array([getattr(c, n) for c in cells], dtype=np.intp) for n in names
    }
    found["value"] = np.array([c.value for c in cells], dtype=np.float64)
    return found


def _key(cell: Cell) -> tuple[int, int, int, int]:
    if cell.matrix == DIRECTED:
        return cell.matrix, cell.group, cell.row, cell.column
    if cell.matrix == MEAN:
        return cell.matrix, cell.group, cell.row, cell.row
    return cell.matrix, cell.group, max(cell.row, cell.column), min(cell.row, cell.column)


def _check(cell: Cell, model: Structure) -> None:
    v = model.variables
    column = cell.row if cell.matrix == MEAN else cell.column
    if cell.matrix not in (DIRECTED, SYMMETRIC, MEAN):
        raise ValueError(f"{cell}: no such matrix")
    if not (0 <= cell.row < v and 0 <= column < v and 0 <= cell.group < model.groups):
        raise ValueError(f"{cell}: there are {v} variables and {model.groups} groups")
    if (cell.number >= 0) == np.isfinite(cell.value) or cell.number < -1:
        raise ValueError(f"{cell}: a cell has a number or a finite value, and not both")
    if cell.matrix == DIRECTED and cell.row == cell.column:
        raise ValueError(f"{cell}: a variable cannot have a path to itself")
    if cell.matrix == MEAN and not model.means:
        raise ValueError(f"{cell}: means are not part of this model")
    touched = {cell.row} if cell.matrix == DIRECTED else {cell.row, column}
    if touched & set(model.fixed):
        raise ValueError(f"{cell}: a fixed exogenous variable is not explained, its moments are the sample's")
    if cell.matrix == DIRECTED and cell.row in model.exogenous:
        raise ValueError(f"{cell}: an exogenous variable is not explained")
