"""What a structural model would gain from a further free cell, or from an equality less: score tests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, sparse

from drivers.stats.blas import one_blas_thread
from drivers.stats.sem_fit import Fit
from drivers.stats.sem_moments import SINGULAR
from drivers.stats.sem_scaled import ScaledModel
from drivers.stats.sem_structure import DIRECTED, MEAN, SYMMETRIC, Cell, Structure

Array = NDArray[np.float64]

NOTHING_NEW = 1e-8
"""Share of a candidate's information that the parameters leave, below which it would not be identified."""


@dataclass(frozen=True, eq=False)
class Modification:
    """Score tests of c candidates, one at a time, each on one degree of freedom.

    Attributes
    ----------
    cells : the candidates
    index : expected fall of χ², shape (c,); NaN where the cell would not be identified
    change : expected change of the cell from where it is fixed, raw units, shape (c,)
    change_lv, change_all : of the standardised cell: latent variables only, or all
    """

    cells: tuple[Cell, ...]
    index: Array
    change: Array
    change_lv: Array
    change_all: Array


@one_blas_thread()
def modification_indices(fit: Fit, candidates: Sequence[Cell]) -> Modification:
    """Modification indices and expected parameter changes.

    Parameters
    ----------
    fit : the optimum
    candidates : cells that are not free now; of each only the place is used

    Notes
    -----
    With score s of the new cell and expected information partitioned into it (n) and the free parameters
    (k): MI = s² / V, EPC = s / V, V = I_nn - I_nk I_kk⁻¹ I_kn (Sörbom 1989, doi:10.1007/BF02294623; Saris,
    Satorra & Sörbom 1987, doi:10.2307/271030). A path to a fixed exogenous variable is judged with that
    variable's moments estimated.

    Raises
    ------
    ValueError
        a candidate is free already, or listed twice
    """
    s = fit.structure
    listed = {_place(s.cell(i)): s.cell(i) for i in range(len(s.matrix))}
    if len({_place(c) for c in candidates}) < len(candidates):
        raise ValueError("a candidate is listed twice")
    current = []
    for c in candidates:
        known = listed.get(_place(c))
        if known is not None and known.number >= 0:
            raise ValueError(f"{c} is free already")
        current.append(0.0 if known is None else known.value)
    base = s.with_free_x()
    k = base.parameters
    new = [c._replace(value=float("nan"), number=k + i) for i, c in enumerate(candidates)]
    values = np.concatenate([_with_x(fit, base), current])
    basis = np.eye(k + len(new), k)
    return _score_tests(fit, base.widened(new), values, basis, k + np.arange(len(new)), candidates)


@one_blas_thread()
def release_tests(fit: Fit) -> Modification:
    """Which cell of those that share a parameter would rather have its own: score tests, one cell at a time.

    `cells` are all cells with a shared parameter, with its number; `change` is what the cell would differ by
    from the others. Of two that share one, both have the same index.
    """
    s = fit.structure
    size = np.bincount(s.number[s.number >= 0], minlength=s.parameters)
    shared = [s.cell(i) for i in range(len(s.matrix)) if s.number[i] >= 0 and size[s.number[i]] > 1]
    # Every shared cell on its own, and what they are together as a combination: all tests from one matrix.
    base = s.with_free_x()
    k = base.parameters
    kept = [n for n in range(k) if n >= s.parameters or size[n] == 1]
    place = {n: i for i, n in enumerate(kept)}
    cells = [base.cell(i) for i in range(len(base.matrix))]
    own = {_place(c): len(kept) + i for i, c in enumerate(shared)}
    basis = np.zeros((len(kept) + len(shared), k))
    basis[np.arange(len(kept)), kept] = 1.0
    split = []
    for c in cells:
        if c.number >= 0:
            number = own.get(_place(c), place.get(c.number, -1))
            basis[number, c.number] = 1.0
            split.append(c._replace(number=number))
    values = basis @ _with_x(fit, base)
    index = len(kept) + np.arange(len(shared))
    return _score_tests(fit, base.widened(split), values, basis, index, shared)


def _with_x(fit: Fit, base: Structure) -> Array:
    """Estimates, and the moments of fixed exogenous variables, which are parameters of `base`.

    A path to such a variable leaves it an error, so that its moments are not given any more.
    """
    x = [base.cell(i) for i in range(len(fit.structure.matrix), len(base.matrix))]
    level, cov = fit.sample.mean, fit.sample.covariance
    moments = [level[c.group, c.row] if c.matrix == MEAN else cov[c.group, c.row, c.column] for c in x]
    return np.concatenate([fit.estimates, moments])


def _score_tests(
    fit: Fit,
    wide: Structure,
    values: Array,
    basis: Array,
    own: NDArray[np.intp],
    cells: Sequence[Cell],
) -> Modification:
    """Tests of parameters `own` of a wider model, each beside the model's: combinations `basis` of all."""
    old = fit.scaled
    scaled = ScaledModel(wide, old.scale, old.centre, old.x_covariance[:, :0, :0], old.x_mean[:, :0])
    f = fit.discrepancy.of(scaled)
    point = scaled.scaled(values)
    # Most of these matrices are nil between groups.
    information = sparse.csr_array(f.information(scaled.state(point)) * fit.multiplier / 2.0)
    score = -np.asarray(f.gradient(point)) * fit.multiplier / 2.0
    back = sparse.csr_array(scaled.inverse_jacobian(point))
    # Raw units need not be alike; those of the wider model's are, whichever it combines.
    typical = scaled.unit[np.argmax(basis != 0, axis=0)]
    model = back @ sparse.csr_array(basis * typical)
    each = sparse.csr_array(back[:, own] * scaled.unit[own])
    inner = (model.T @ information @ model).toarray()
    unit = np.sqrt(np.diag(inner))
    across = (model.T @ information @ each).toarray() / unit[:, None]
    slopes = _solve(inner / np.outer(unit, unit), across)
    total = np.asarray((each * (information @ each)).sum(axis=0))
    left = total - (across * slopes).sum(axis=0)
    # The model's scores are nil but for rounding; what they are is taken along.
    score = each.T @ score - (model.T @ score / unit) @ slopes
    with np.errstate(all="ignore"):
        known = left > NOTHING_NEW * total
        index = np.where(known, score**2 / left, np.nan)
        change = np.where(known, score / left, np.nan) * scaled.unit[own]
    return Modification(
        tuple(cells), index, change, change * _factor(fit, cells, True), change * _factor(fit, cells)
    )


def _solve(inner: Array, across: Array) -> Array:
    """Slopes on the model's parameters; of least size where they are not identified."""
    try:
        factor = linalg.cho_factor(inner, check_finite=False)
        if np.diag(factor[0]).min() ** 2 > SINGULAR:
            return np.asarray(linalg.cho_solve(factor, across, check_finite=False))
    except linalg.LinAlgError:
        pass
    return np.asarray(np.linalg.lstsq(inner, across)[0])


def _factor(fit: Fit, cells: Sequence[Cell], latent_only: bool = False) -> Array:
    """What standardises a change, shape (c,)."""
    with np.errstate(invalid="ignore"):
        sd = np.sqrt(np.diagonal(fit.full_covariance, axis1=1, axis2=2)).copy()
        root = np.sqrt(np.diagonal(fit.symmetric, axis1=1, axis2=2)).copy()
    if latent_only:
        sd[:, : fit.structure.observed] = root[:, : fit.structure.observed] = 1.0
    found = np.empty(len(cells))
    for i, c in enumerate(cells):
        if c.matrix == DIRECTED:
            found[i] = sd[c.group, c.column] / sd[c.group, c.row]
        elif c.matrix == MEAN:
            found[i] = 1.0 / sd[c.group, c.row]
        elif c.row == c.column:
            found[i] = 1.0 / sd[c.group, c.row] ** 2
        else:
            found[i] = 1.0 / (root[c.group, c.row] * root[c.group, c.column])
    return found


def _place(cell: Cell) -> tuple[int, int, int, int]:
    row, column = cell.row, cell.row if cell.matrix == MEAN else cell.column
    if cell.matrix == SYMMETRIC:
        row, column = max(row, column), min(row, column)
    return cell.matrix, cell.group, row, column
