"""Standard errors that hold when pixels of a block are alike, from the moments of blocks.

The cluster-robust covariance needs of each block only X'X and X'y (Liang & Zeger 1986,
doi:10.1093/biomet/73.1.13), so it costs blocks × columns², whatever the number of pixels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.linalg import lapack

from drivers.stats.blas import one_blas_thread
from drivers.stats.block_moments import BlockMoments
from drivers.stats.linear import ALIASED

Array = NDArray[np.float64]
Codes = NDArray[np.int64]

Borders = Array | sparse.csr_array
"""Weights between blocks, shape (G, G)."""

Correction = Literal["CR0", "CR1", "CR2"]
"""`CR0`: none. `CR1`: times G/(G - 1) · (n - 1)/(n - k), as Stata and statsmodels do. `CR2`: unbiased if
pixels were independent (Bell & McCaffrey 2002); wider where few blocks decide a coefficient."""

FEWEST_FOR_ERRORS = 2
"""Blocks: the scores of one block add up to nil, whatever the error."""

SMALL_SHARE, NOTHING = 0.1, 1e-16
"""Of a block whose share in all directions together has a smaller norm the terms of a power series are added
up that are not below `NOTHING`, at most 16; of larger ones the eigenvalues are found, which takes ten times
as long."""

NIL = 1e-9
"""With borders a variance below this share of that of the blocks by themselves is nil but for rounding: along
as many combinations as borders leave undecided, where there are few blocks. It counts as negative."""

WHOLLY_IN_ONE = 1e-10
"""Where one block leaves less than this share of a direction to all others (a class that occurs in it alone),
its residuals along that direction are nil by construction and are left at that."""


@dataclass(frozen=True, eq=False)
class Sandwich:
    """Coefficients of several equations with their joint cluster-robust covariance; E slopes in all.

    Attributes
    ----------
    coefficients, standardised : slopes, raw and per standard deviations, shape (E,), by equation
    influence : what each block adds to each slope's error, small-sample factor included, shape (G, E)
    std_influence : the same of the standardised slopes, with the standard deviations estimated too
    std_error : of the raw slopes, shape (E,)
    df : degrees of freedom of the t of each slope, shape (E,)
    labels : which block each row of the influences is, shape (G,)
    borders : weights between blocks, shape (G, G); None where blocks count as independent

    Notes
    -----
    A smooth function of the slopes with gradient g has the influence `influence @ g`, and from that its error
    by `influence_errors`. That is √(g'Vg) of `covariance`; but with borders V need not be positive definite.
    """

    coefficients: Array
    standardised: Array
    influence: Array
    std_influence: Array
    std_error: Array
    df: Array
    labels: Codes
    borders: Borders | None = None

    def part(self, first: int, count: int) -> Sandwich:
        """Of `count` successive slopes only, those of one equation for example."""
        mine = slice(first, first + count)
        return Sandwich(
            self.coefficients[mine],
            self.standardised[mine],
            self.influence[:, mine],
            self.std_influence[:, mine],
            self.std_error[mine],
            self.df[mine],
            self.labels,
            self.borders,
        )

    @cached_property
    def covariance(self) -> Array:
        """Joint covariance of the raw slopes of all equations, shape (E, E)."""
        return _spanned(self.influence, self.borders)


@one_blas_thread()
def sandwich(
    blocks: BlockMoments,
    equations: Sequence[tuple[int, Sequence[int]]],
    *,
    first: int | None = None,
    correction: Correction = "CR1",
    effective_df: bool = False,
    borders: Borders | None = None,
) -> Sandwich:
    """Least squares of several equations, with a covariance that lets pixels of one block be alike.

    Parameters
    ----------
    blocks : moments of the G blocks
    equations : (response, predictors) as columns; an intercept is in each
    first : only the slopes of the first so many predictors of each equation; by default of all
    correction : for few blocks
    effective_df : t on as many degrees of freedom as the blocks that decide a slope, instead of G - 1
    borders : counts what neighbours share too (`border_weights`), shape (G, G); implies `effective_df`

    Raises
    ------
    numpy.linalg.LinAlgError
        predictors are collinear, or a column does not vary or is not finite; ask `linear.aliased` which

    Notes
    -----
    V = M Σ_g s_g s_g' M with M = (X'X)⁻¹ and s_g = X_g'(y_g - X_g b) = (X'y)_g - (X'X)_g b. Scores of all
    equations belong to the same blocks, so they have one joint covariance. For `CR1` (Cameron & Miller 2015,
    doi:10.3368/jhr.50.2.317) each equation has its own k, and two equations the root of both factors.
    `CR2` takes (I - H_gg)^(-1/2) e_g for e_g; since X'f(XMX') = f(X'XM)X' it needs no rows either (Bell &
    McCaffrey 2002, Survey Methodology 28:169; Pustejovsky & Tipton 2018, doi:10.1080/07350015.2016.1247004).
    t on G - 1 degrees of freedom: Cameron, Gelbach & Miller (2008, doi:10.1162/rest.90.3.414).
    With `borders` K, V = M Σ_gh K_gh s_g s_h' M (Conley 1999, doi:10.1016/S0304-4076(98)00084-0).
    With fewer than two blocks, all that is about errors is NaN. The rank of V is below G.

    Examples
    --------
    >>> from drivers.stats.block_moments import block_moments
    >>> y, x = np.array([[1.0, 2.5, 2.0, 4.5, 4.0, 7.0], [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]])
    >>> fit = sandwich(block_moments(np.array([y, x]), np.array([0, 0, 1, 1, 2, 2])), [(0, [1])])
    >>> fit.coefficients.round(6).tolist(), fit.std_error.round(6).tolist(), fit.df.tolist()
    ([1.057143], [0.118974], [2.0])
    """
    parts = [_equation(blocks, y, np.asarray(x, dtype=np.intp), correction, first) for y, x in equations]
    g, none = blocks.n_blocks, np.zeros(0)
    slopes, unit = (np.concatenate([none, *(part[i] for part in parts)]) for i in (0, 1))
    if g < FEWEST_FOR_ERRORS:
        unknown, nan = np.full((g, len(unit)), np.nan), np.full(len(unit), np.nan)
        return Sandwich(slopes * unit, slopes, unknown, unknown, nan, nan, blocks.labels, borders)
    shares, influence, spread = (
        np.concatenate([np.zeros((0, g)), *(part[i] for part in parts)]).T for i in (2, 3, 4)
    )
    # One product with the borders for the slopes of all equations.
    trust = small_sample(shares, borders)
    k = np.repeat([len(x) for _, x in equations], [len(part.slopes) for part in parts])
    factor = np.sqrt(_factor(correction, trust, blocks, k, borders))
    influence = factor * influence
    std_influence = influence + factor * spread
    df = trust.df if effective_df or borders is not None else np.full(len(unit), float(g - 1))
    error = influence_errors(influence, borders) * unit
    return Sandwich(slopes * unit, slopes, influence * unit, std_influence, error, df, blocks.labels, borders)


def border_weights(row: Codes, column: Codes) -> Array:
    """Weights of products of scores between blocks: 1 across a side, 1/2 across a corner, shape (G, G).

    Parameters
    ----------
    row, column : place of each block on the grid of blocks, shape (G,)

    Notes
    -----
    Pixels on two sides of a border are as alike as any neighbours. The variance from blocks of side L, which
    leaves them out, is too small by about c/L; from blocks of side 2L, averaged over their four positions
    (weights 1/2 and 1/4), by c/2L; twice the second less the first is free of c (Politis & Romano 1995,
    doi:10.1111/j.1467-9892.1995.tb00223.x).

    Examples
    --------
    >>> border_weights(np.array([0, 0, 1, 5]), np.array([0, 1, 1, 5]))[0].tolist()
    [1.0, 1.0, 0.5, 0.0]
    """
    apart = np.array([np.abs(v[:, None] - v) for v in (row, column)])
    near = np.maximum(1.0 - apart / 2.0, 0.0).prod(axis=0)
    return np.asarray(2.0 * near - np.eye(len(row)))


def influence_errors(influence: Array, borders: Borders | None = None) -> Array:
    """Standard errors of m numbers from what each block adds to them, shape (G, m) to (m,).

    With `borders` the sum of products can come out negative or nil; the blocks by themselves then stand.
    """
    own = (influence**2).sum(axis=0)
    if borders is None:
        return np.asarray(np.sqrt(own))
    across = (influence * (borders @ influence)).sum(axis=0)
    return np.asarray(np.sqrt(np.where(across > NIL * own, across, own)))


def positive_covariance(influence: Array, borders: Borders) -> Array:
    """Joint covariance of m numbers from what each block adds to them, shape (G, m) to (m, m), with borders.

    With borders the sum of products can come out negative or nil along some combination of the numbers: there
    the blocks by themselves stand, as in `influence_errors`.

    Examples
    --------
    >>> borders = border_weights(np.array([0, 0]), np.array([0, 1]))
    >>> positive_covariance(np.array([[1.0], [-1.0]]), borders).tolist()
    [[2.0]]
    """
    unit = np.sqrt((influence**2).sum(axis=0))
    scaled = influence / np.where(unit > 0.0, unit, 1.0)
    values, vectors = np.linalg.eigh(scaled.T @ scaled)
    spanned = values > WHOLLY_IN_ONE * values.max(initial=0.0)
    root = vectors[:, spanned] * np.sqrt(values[spanned])
    back = vectors[:, spanned] / np.sqrt(values[spanned])
    ratio, turn = np.linalg.eigh(back.T @ (scaled.T @ borders @ scaled) @ back)
    whole = root @ (turn * np.where(ratio > NIL, ratio, 1.0)) @ turn.T @ root.T
    return np.asarray(whole * np.outer(unit, unit))


@dataclass(frozen=True, slots=True)
class SmallSample:
    """How far a variance over blocks can be trusted; arrays have shape (m,).

    Attributes
    ----------
    bias : its expectation as a share of the variance it estimates
    df : degrees of freedom of the t that it makes
    """

    bias: Array
    df: Array


def small_sample(shares: Array, borders: Borders | None = None) -> SmallSample:
    """Bias and degrees of freedom of a variance from scores of blocks that add up to nil.

    Parameters
    ----------
    shares : the share d_g of each block in the variance if pixels were independent, shape (G, m)
    borders : as `sandwich`, K

    Notes
    -----
    Scores with variances d and nil sum have the covariance Q = diag(d) - dd'/D, D = Σ d; a quadratic form K
    in them has bias tr KQ / D and df = (tr KQ)² / tr KQKQ (Satterthwaite 1946, doi:10.2307/3002019). Without
    borders and with equal blocks that is 1 - 1/G and G - 1; with unequal ones about the effective number of
    clusters less one (Carter, Schnepel & Steigerwald 2017, doi:10.1162/REST_a_00639).

    Examples
    --------
    >>> found = small_sample(np.ones((10, 1)))
    >>> found.bias.round(12).tolist(), found.df.round(12).tolist()
    ([0.9], [9.0])
    """
    with np.errstate(all="ignore"):
        d = shares / shares.sum(axis=0)
        across, squared = (d, d) if borders is None else (borders @ d, borders**2 @ d)
        total = (d * across).sum(axis=0)
        spread = (d * squared).sum(axis=0) - 2.0 * (d * across**2).sum(axis=0) + total**2
        return SmallSample(1.0 - total, (1.0 - total) ** 2 / spread)


def _spanned(influence: Array, borders: Borders | None) -> Array:
    return np.asarray(influence.T @ (influence if borders is None else borders @ influence))


class _Equation(NamedTuple):
    """The w wanted slopes of an equation in scaled columns; sums over blocks are faster where they come last.

    slopes, unit : standardised slopes, and what makes raw ones of them, shape (w,)
    shares : of each block in a slope's variance if pixels were independent, shape (w, G)
    influence : what each block adds to a slope's error, shape (w, G)
    spread : what it adds to that of a standardised slope through the standard deviations, shape (w, G)
    """

    slopes: Array
    unit: Array
    shares: Array
    influence: Array
    spread: Array


def _equation(
    blocks: BlockMoments, response: int, x: NDArray[np.intp], correction: Correction, first: int | None
) -> _Equation:
    root = _root_of_inverse(blocks, response, x)
    index, entries, m = np.append(0, x + 1), blocks.entries, len(x) + 1
    inner = entries[index[:, None], index]
    to_response = entries[index, response + 1]
    slopes = root @ (root.T @ to_response.sum(axis=1))
    # L'(X'X)_g L of all blocks: eigenvalues in [0, 1], adding up to I over blocks.
    turned = (root.T @ inner.reshape(m, -1)).reshape(m, m, -1).swapaxes(0, 1).reshape(m, -1)
    leverage = (root.T @ turned).reshape(m, m, -1)
    along = root.T @ (to_response - (slopes @ inner.reshape(m, -1)).reshape(m, -1))
    if correction == "CR2":
        along = _inverse_root_times(leverage, along)
    wanted = x[:first]
    mine, slopes = root[1 : 1 + len(wanted)], slopes[1 : 1 + len(wanted)]
    both = (mine[:, :, None] * mine[:, None, :]).reshape(len(wanted), m * m)
    # d ln(s_x / s_y): squares in units of their own mean square; the block's weight cancels.
    squares = np.diagonal(entries).T[np.append(wanted, response) + 1] / blocks.whole.weight
    return _Equation(
        slopes,
        blocks.scale[response] / blocks.scale[wanted],
        both @ leverage.reshape(m * m, -1),
        mine @ along,
        slopes[:, None] * (0.5 * (squares[:-1] - squares[-1])),
    )


def _factor(
    correction: Correction,
    trust: SmallSample,
    blocks: BlockMoments,
    k: NDArray[np.intp],
    borders: Borders | None,
) -> Array | float:
    """What a variance is multiplied by, one or one per slope; k slopes are in its equation."""
    g, n = blocks.n_blocks, int(blocks.rows.sum())
    if correction == "CR0":
        return 1.0
    own = 1.0 - 1.0 / g
    few = np.asarray(own if borders is None else trust.bias)
    if correction == "CR2":
        return np.asarray(own / few)  # each block by itself is unbiased already
    with np.errstate(divide="ignore"):
        return np.asarray(np.where(n > k + 1, (n - 1) / (n - k - 1.0), np.nan) / few)


def _root_of_inverse(blocks: BlockMoments, response: int, x: NDArray[np.intp]) -> Array:
    """A root L of M = L L' = (X'X)⁻¹ in scaled columns, intercept first, shape (k + 1, k + 1)."""
    used = np.append(x, response)
    if not blocks.n_blocks:
        raise np.linalg.LinAlgError("no rows")
    if blocks.whole.constant[used].any() or not np.isfinite(np.diag(blocks.whole.cross)[used]).all():
        raise np.linalg.LinAlgError("a column does not vary, or is not finite")
    index, weight = np.append(0, x + 1), float(blocks.whole.weight)
    lower, fault = lapack.dpotrf(blocks.total[index[:, None], index] / weight, lower=1, clean=1)
    if fault or np.any(np.diag(lower) ** 2 < ALIASED):
        raise np.linalg.LinAlgError("collinear columns")
    return np.asarray(lapack.dtrtri(lower, lower=1)[0].T / math.sqrt(weight))


def _inverse_root_times(leverage: Array, along: Array) -> Array:
    """(I - H_g)^(-1/2) v_g of every block, shape (k + 1, G), for H of shape (k + 1, k + 1, G)."""
    norm = np.sqrt(np.einsum("ijg,ijg->g", leverage, leverage))
    small = norm < SMALL_SHARE
    found = along.copy()
    if small.any():
        # Eigenvalues lie below the norm, each term below its power.
        terms = math.ceil(math.log(NOTHING) / math.log(min(max(norm[small].max(), NOTHING), SMALL_SHARE)))
        # Blocks of a larger share would make the series diverge; theirs are found below.
        left = np.where(small, leverage, 0.0) if not small.all() else leverage
        # Σ c_j H^j with c_j = c_(j-1) (2j - 1)/(2j).
        term, factor = along, 1.0
        for j in range(1, terms):
            term = np.einsum("ijg,jg->ig", left, term)
            factor *= (2.0 * j - 1.0) / (2.0 * j)
            found += factor * term
    if not small.all():
        roots = _inverse_root(np.moveaxis(leverage[:, :, ~small], 2, 0))
        found[:, ~small] = (roots @ along.T[~small, :, None])[:, :, 0].T
    return found


def _inverse_root(shares: Array) -> Array:
    """(I - H_g)^(-1/2) of every block, shape (G, k + 1, k + 1); generalised where a block is all there is."""
    values, vectors = np.linalg.eigh(shares)
    left = 1.0 - values
    power = np.where(left > WHOLLY_IN_ONE, np.maximum(left, WHOLLY_IN_ONE) ** -0.5, 0.0)
    return np.asarray((vectors * power[:, None, :]) @ np.swapaxes(vectors, 1, 2))
