"""How far the parameters of a structural model are known: information, scores of blocks, robust errors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from drivers.stats.blas import one_blas_thread
from drivers.stats.block_moments import BlockMoments
from drivers.stats.sem_fit import Fit
from drivers.stats.sem_moments import SINGULAR

Array = NDArray[np.float64]

Information = Literal["expected", "observed"]

Robust = Literal["huber_white", "satorra_bentler"]

CHUNK = 4096
"""Rows whose products are in memory at once."""


@dataclass(frozen=True, eq=False)
class BlockSums:
    """Sums over the rows of B blocks of one group, about one point.

    Attributes
    ----------
    count : rows (or sums of weights), shape (B,)
    total : Σ (x - centre), shape (B, p)
    cross : Σ (x - centre)(x - centre)', shape (B, p, p)
    centre : shape (p,); near the mean, or digits are lost
    """

    count: Array
    total: Array
    cross: Array
    centre: Array


Data = Sequence[Array | BlockSums]
"""Of each group its rows, shape (n, p), every one a block by itself, or the sums of its blocks."""


def block_sums(blocks: BlockMoments, columns: Sequence[int] | None = None) -> BlockSums:
    """Sums of blocks from their moments; `columns` are those of the model, in its order."""
    index = np.arange(len(blocks.scale)) if columns is None else np.asarray(columns, dtype=np.intp)
    scale = blocks.scale[index]
    return BlockSums(
        blocks.products[:, 0, 0],
        blocks.products[:, 0, index + 1] * scale,
        blocks.products[:, index[:, None] + 1, index + 1] * np.outer(scale, scale),
        blocks.whole.mean[index],
    )


def predicted(fit: Fit, g: int) -> tuple[Array, NDArray[np.intp]] | None:
    """Slopes of all variables of a group on its fixed exogenous ones, and these; None without any."""
    x = np.asarray(fit.structure.fixed, dtype=np.intp)
    s = fit.sample.covariance[g]
    return (np.linalg.solve(s[np.ix_(x, x)], s[x]).T, x) if len(x) else None


def chunks(
    data: Array | BlockSums, centre: Array, less: tuple[Array, NDArray[np.intp]] | None = None
) -> Iterator[BlockSums]:
    """The blocks of a group, about a point; rows some thousands at a time.

    With `less` = (b, x) the sums of z = x - centre become Σ z - b z_x and Σ zz' - b z_x z_x'b': what is left
    of moments when exogenous variables are held fixed, which is how lavaan's robust.sem takes them.
    """
    for part in _chunks(data, centre):
        if less is None:
            yield part
        else:
            b, x = less
            own = b @ part.cross[:, x[:, None], x] @ b.T
            yield BlockSums(part.count, part.total - part.total[:, x] @ b.T, part.cross - own, centre)


def _chunks(data: Array | BlockSums, centre: Array) -> Iterator[BlockSums]:
    if isinstance(data, BlockSums):
        away = data.centre - centre
        total = data.total + data.count[:, None] * away
        first = data.total[:, :, None] * away
        square = data.count[:, None, None] * np.outer(away, away)
        yield BlockSums(data.count, total, data.cross + first + first.swapaxes(1, 2) + square, centre)
        return
    for begin in range(0, len(data), CHUNK):
        away = data[begin : begin + CHUNK] - centre
        yield BlockSums(np.ones(len(away)), away, away[:, :, None] * away[:, None, :], centre)


def information(fit: Fit, kind: Information = "expected") -> Array:
    """Information of all rows about the parameters, in the model's units (`Fit.jacobian`), shape (k, k).

    Notes
    -----
    Expected: n/2 tr Σ⁻¹D_k Σ⁻¹D_l + n μ_k'Σ⁻¹μ_l. Observed: -∂²ln L, exact (`Discrepancy.curvature`),
    without the errors of differences.
    """
    if not np.isfinite(fit.chisq):  # no start
        return np.full((fit.structure.parameters, fit.structure.parameters), np.nan)
    if kind == "expected":
        return np.asarray(fit.discrepancy.information(fit.state) * fit.multiplier / 2.0)
    found = fit.discrepancy.curvature(fit.search.point)
    return np.asarray((found + found.T) * fit.multiplier / 4.0)


@one_blas_thread()
def parameter_covariance(fit: Fit, kind: Information = "expected") -> Array:
    """Covariance of the estimates, raw units, shape (k, k): the inverse of the information.

    NaN where the information is singular (`unidentified` says why) or there was no start; the observed one
    may also have negative eigenvalues where the search has not converged.

    Examples
    --------
    >>> from drivers.stats.sem_fit import fit_moments
    >>> from drivers.stats.sem_moments import sample_moments
    >>> from drivers.stats.sem_structure import Cell, DIRECTED, SYMMETRIC, structure
    >>> model = structure(2, 0, [Cell(DIRECTED, 0, 1, number=0), Cell(SYMMETRIC, 0, 0, number=1)],
    ...                   exogenous=[1], fixed_x=True)
    >>> fit = fit_moments(model, sample_moments(50, [0, 0], [[3.0, 1.0], [1.0, 2.0]]))
    >>> parameter_covariance(fit).round(12).tolist()
    [[0.025, 0.0], [0.0, 0.25]]
    """
    inverse = _inverse(information(fit, kind))
    return np.asarray(fit.jacobian @ inverse @ fit.jacobian.T)


def _inverse(found: Array) -> Array:
    with np.errstate(all="ignore"):
        unit = np.sqrt(np.abs(np.diag(found)))
        scaled = found / np.outer(unit, unit)
    if not np.isfinite(scaled).all() or np.abs(np.linalg.eigvalsh(scaled)).min(initial=1.0) < SINGULAR:
        return np.full_like(found, np.nan)
    return np.asarray(np.linalg.inv(scaled) / np.outer(unit, unit))


@dataclass(frozen=True, eq=False)
class QuadraticForms:
    """A parameter's error as a mean over pixels of a quadratic form.

    Attributes
    ----------
    quadratic, linear, expected : shapes (G, k, p, p), (G, k, p), (G, k)
    mean : μ of each group, shape (G, p)

    Notes
    -----
    θ̂_k - θ_k ≈ Σ_g 1/n_g Σ_i [z'Q_gk z + l_gk'z - e_gk], z = x_i - μ_g.
    """

    quadratic: Array
    linear: Array
    expected: Array
    mean: Array


def quadratic_forms(fit: Fit, kind: Information = "expected") -> QuadraticForms:
    """What each pixel adds to the error of each raw parameter, as a quadratic form in its variables.

    The score of a pixel is 1/2 tr Σ⁻¹(zz' - Σ)Σ⁻¹D_k + μ_k'Σ⁻¹z; the inverse information makes errors of it.
    Without means in the model they are the sample's, and there is no linear term.
    """
    s, p = fit.structure, fit.structure.observed
    inverse = fit.jacobian @ _inverse(information(fit, kind))
    quadratic = np.zeros((s.groups, s.parameters, p, p))
    linear = np.zeros((s.groups, s.parameters, p))
    expected = np.zeros((s.groups, s.parameters))
    unit = fit.scaled.scale[:p]
    for g in range(s.groups):
        active, forms, levels, means = _score_forms(fit, g)
        weight = inverse[:, active] * fit.sample.n[g]
        quadratic[g] = np.tensordot(weight, forms, 1) / np.outer(unit, unit)
        linear[g] = weight @ levels / unit
        expected[g] = weight @ means
    return QuadraticForms(quadratic, linear, expected, fit.mean)


def _score_forms(fit: Fit, g: int) -> tuple[NDArray[np.intp], Array, Array, Array]:
    """Parameters of a group and the forms of their scores: quadratic, linear, and the former's mean."""
    slopes = fit.scaled.slopes(fit.state, g)
    sigma = fit.scaled.moments(fit.state)[0][g]
    inverse = np.linalg.inv(sigma)
    forms = 0.5 * inverse @ slopes.covariance @ inverse
    return slopes.active, forms, slopes.mean @ inverse, np.einsum("apq,pq->a", forms, sigma)


@dataclass(frozen=True, eq=False)
class Scores:
    """Gradient of the log-likelihood by the raw parameters, one row per block, groups one after another.

    Attributes
    ----------
    values : shape (B, k)
    count : rows of each block, shape (B,)
    group : shape (B,)
    """

    values: Array
    count: Array
    group: NDArray[np.intp]

    @property
    def centred(self) -> Array:
        """Less the mean of the group per row, shape (B, k): nil sums in every group."""
        found = self.values.copy()
        for g in np.unique(self.group):
            of = self.group == g
            found[of] -= np.outer(self.count[of], self.values[of].sum(axis=0) / self.count[of].sum())
        return found


@one_blas_thread()
def scores(fit: Fit, data: Data, *, given_x: bool = False) -> Scores:
    """Scores of blocks (or rows) of complete data.

    Parameters
    ----------
    fit : from the moments of these very rows
    data : of each group
    given_x : take from the products of rows those of what fixed exogenous variables predict (`chunks`)

    Raises
    ------
    ValueError
        one group of data is missing, the likelihood is Wishart's, or rows hold NaN (see `incomplete_scores`)
    """
    s, p = fit.structure, fit.structure.observed
    if len(data) != s.groups:
        raise ValueError(f"data of {len(data)} groups, a model of {s.groups}")
    if fit.wishart:
        raise ValueError("a row has no score of its own under the Wishart likelihood")
    unit = fit.scaled.scale[:p]
    values, counts, groups = [], [], []
    for g, part in enumerate(data):
        active, forms, levels, means = _score_forms(fit, g)
        flat = (forms / np.outer(unit, unit)).reshape(len(active), p * p).T
        for chunk in chunks(part, fit.mean[g], predicted(fit, g) if given_x else None):
            if not np.isfinite(chunk.total).all():
                raise ValueError(f"group {g}: rows that are not finite")
            found = np.zeros((len(chunk.count), s.parameters))
            found[:, active] = chunk.cross.reshape(-1, p * p) @ flat - chunk.count[:, None] * means
            found[:, active] += (chunk.total / unit) @ levels.T
            values.append(found)
            counts.append(chunk.count)
            groups.append(np.full(len(chunk.count), g))
    whole = np.concatenate(values)
    return Scores(by_raw(fit, whole), np.concatenate(counts), np.concatenate(groups))


def by_raw(fit: Fit, derivatives: Array) -> Array:
    """Derivatives by the raw parameters, from those in the model's units, parameters last in both."""
    return np.asarray(np.linalg.solve(fit.jacobian.T, derivatives.T).T)


def influence(fit: Fit, values: Array, kind: Information = "observed") -> Array:
    """What each block adds to the error of each raw parameter, shape (B, k), from scores of that shape.

    Its cross-product is the sandwich; `sandwich.influence_errors` weights neighbouring blocks.
    """
    return np.asarray(values @ parameter_covariance(fit, kind))


def robust_covariance(fit: Fit, data: Data, kind: Robust = "huber_white") -> Array:
    """Sandwich covariance of the estimates, raw units, shape (k, k).

    Parameters
    ----------
    fit : the optimum
    data : of each group its rows, or sums of blocks of rows that may be alike
    kind : `huber_white`: lavaan's MLR (Huber 1967; White 1982, doi:10.2307/1912526), observed information
        and scores; `satorra_bentler`: its MLM (Satorra & Bentler 1994), expected information and the
        covariance of moments, exogenous variables held fixed
    """
    if kind == "huber_white":
        each = influence(fit, scores(fit, data).values)
    else:
        each = influence(fit, scores(fit, data, given_x=True).centred, "expected")
    return np.asarray(each.T @ each)
