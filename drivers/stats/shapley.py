"""Shapley values of driver groups: what each group adds to the prediction of each pixel.

Two answers, which differ where interactions cross groups: the sum of the drivers' own values
(`group_sums`), and the game whose players are the groups themselves (`group_shapley`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from drivers.stats.dependence import LeafBoxes, boxes_of
from drivers.stats.forest import Forest, checked_matrix, parts

Array = NDArray[np.float64]

MOST_PLAYERS = 12
"""Groups on one path. A leaf keeps 2^m numbers for each of its m groups; trees of 11 leaves have m <= 10."""


@dataclass(frozen=True, slots=True, eq=False)
class MeanAbsolute:
    """Importance by mean absolute contribution.

    Attributes
    ----------
    estimate : mean |φ| over the pixels, link scale, shape (g,); NaN without pixels
    std_error : of that mean, shape (g,); NaN for fewer than two pixels
    n : pixels
    """

    estimate: Array
    std_error: Array
    n: int


def mean_abs(contributions: ArrayLike) -> MeanAbsolute:
    """Mean absolute contribution of every group (or driver), with its standard error over the pixels.

    Parameters
    ----------
    contributions : φ per pixel, shape (n, g), from `group_shapley` or `group_sums`

    Notes
    -----
    mean_i |φ_ig| (Lundberg et al. 2020, doi:10.1038/s42256-019-0138-9), with standard deviation / √n. The
    error is that of a random sample of pixels from a given forest: not of the forest, and too small for
    pixels that are neighbours.

    Examples
    --------
    >>> found = mean_abs([[1.0, 0.0], [-3.0, 0.0]])
    >>> found.estimate.tolist(), found.std_error.tolist()
    ([2.0, 0.0], [1.0, 0.0])
    """
    size = np.abs(np.asarray(contributions, dtype=np.float64))
    n, unknown = len(size), np.full(size.shape[1], np.nan)
    return MeanAbsolute(
        estimate=size.mean(axis=0) if n else unknown,
        std_error=np.asarray(size.std(axis=0, ddof=1) / np.sqrt(n)) if n > 1 else unknown,
        n=n,
    )


def group_sums(contributions: ArrayLike, groups: Sequence[Sequence[int]]) -> Array:
    """Sum of the drivers' own Shapley values in each group, per pixel, shape (n, g).

    Parameters
    ----------
    contributions : φ of every driver, shape (n, d), without the bias
    groups : drivers of each group

    Raises
    ------
    ValueError : a driver in two groups, or one that contributes anything in none

    Examples
    --------
    >>> group_sums([[1.0, -2.0, 0.5]], [(0, 1), (2,)]).tolist()
    [[-1.0, 0.5]]
    """
    phi = np.asarray(contributions, dtype=np.float64)
    member = _members(groups, phi.shape[1], np.flatnonzero((phi != 0).any(axis=0)).tolist())
    sums = [phi[:, member == g].sum(axis=1) for g in range(len(groups))]
    return np.stack(sums, axis=1) if sums else np.empty((len(phi), 0))


def expected_value(forest: Forest | LeafBoxes) -> float:
    """The prediction when no driver is known, link scale: the mean of the leaves by cover, plus the base.

    It is xgboost's bias in `pred_contribs`, and what all contributions of a pixel start from.
    """
    boxes = boxes_of(forest)
    reach = np.ones(len(boxes.value))
    np.multiply.at(reach, boxes.leaf, boxes.share)
    return boxes.base + float(np.sum(boxes.value * reach))


def product_game(known: Array, unknown: Array) -> Array:
    """Shapley values of the game v(S) = Π_s∈S known_s · Π_s∉S unknown_s, shape (..., m).

    Parameters
    ----------
    known, unknown : a player's factor when it joins and when it does not, shapes that broadcast to (..., m)

    Notes
    -----
    φ_s = (known_s - unknown_s) Σ_T⊆others |T|! (m - 1 - |T|)! / m! Π_t∈T known_t Π_t∉T unknown_t
    = (known_s - unknown_s) ∫ Π_t≠s [u known_t + (1 - u) unknown_t] du over 0 < u < 1: the multilinear
    extension of the game (Owen 1972, doi:10.1287/mnsc.18.5.64). Its integrand is a polynomial of degree
    m - 1, for which a Gauss-Legendre rule of ⌈m / 2⌉ nodes is exact, so that no coalition is enumerated.

    Examples
    --------
    >>> product_game(np.array([1.0, 1.0]), np.array([0.5, 0.25])).round(6).tolist()   # v: 1/8, 1/4, 1/2, 1
    [0.3125, 0.5625]
    """
    known, unknown = np.broadcast_arrays(known, unknown)
    m = known.shape[-1]
    nodes, weights = np.polynomial.legendre.leggauss(max((m + 1) // 2, 1))
    out = np.zeros(known.shape)
    for u, w in zip((nodes + 1) / 2, weights / 2, strict=True):
        factor = u * known + (1 - u) * unknown
        for s in range(m):
            out[..., s] += w * np.delete(factor, s, axis=-1).prod(axis=-1)
    return np.asarray((known - unknown) * out)


def group_shapley(forest: Forest | LeafBoxes, matrix: ArrayLike, groups: Sequence[Sequence[int]]) -> Array:
    """Shapley values of the game whose players are groups of drivers, link scale, shape (n, g).

    A pixel's values add up to its prediction minus `expected_value`. With one driver in each group they are
    TreeSHAP's.

    Parameters
    ----------
    forest : or its `leaf_boxes`
    matrix : pixels, shape (n, d)
    groups : drivers of each group; any number of groups. A driver on which the forest never splits may be
        left out

    Raises
    ------
    ValueError : a driver in two groups; a driver that the forest splits on in none (make it a group of its
        own: its part would be lost, or silently given to others); more than `MOST_PLAYERS` groups on a path

    Notes
    -----
    The value of a coalition S is E[f | x_S] of path-dependent TreeSHAP (Lundberg et al. 2020, algorithm 1,
    doi:10.1038/s42256-019-0138-9): splits on known drivers are followed, at all others both branches count
    with their cover. So each leaf is a game of products, v(S) = value Π_g∈S 1[x inside on g's drivers]
    Π_g∉S (share of cover on g's drivers), for the groups on its path; the others are dummies. As a pixel
    is inside or outside, a leaf has 2^m cases: their Shapley values (`product_game`) are tabulated once
    and looked up for every pixel.

    Examples
    --------
    >>> import json
    >>> import xgboost
    >>> from drivers.stats.forest import forest_from_json
    >>> a, b = (v.ravel() for v in np.meshgrid([0.0, 1.0], [0.0, 1.0]))
    >>> options = {"max_depth": 2, "eta": 1, "reg_lambda": 0, "min_child_weight": 0, "base_score": 0}
    >>> model = xgboost.train(options, xgboost.DMatrix(np.c_[a, b], a * b), 1)
    >>> forest = forest_from_json(json.loads(model.save_raw("json")))
    >>> expected_value(forest), group_shapley(forest, [[1.0, 1.0], [1.0, 0.0]], [(0,), (1,)]).tolist()
    (0.25, [[0.375, 0.375], [0.125, -0.375]])
    """
    boxes = boxes_of(forest)
    x = checked_matrix(matrix, len(boxes.drivers) - 1)
    used = [f for f in boxes.drivers if boxes.start[f] < boxes.start[f + 1]]
    member = _members(groups, x.shape[1], used)
    games = _leaf_games(boxes, member, len(groups))
    phi = np.zeros((len(x), len(groups)))
    for rows in parts(len(x), len(games.leaf)):
        part = x[rows]
        inside = np.ones((len(games.leaf), len(part)), dtype=np.bool_)
        for f in used:
            inside[games.player[boxes.conditions(f)]] &= ~boxes.outside(f, part[:, f])
        case = np.zeros((len(boxes.value), len(part)), dtype=np.int32)
        for s in range(int(games.slot.max(initial=-1)) + 1):
            at = games.slot == s
            case[games.leaf[at]] |= inside[at].astype(np.int32) << s
        for g in range(len(groups)):
            at = games.group == g
            phi[rows, g] = games.table[games.first[at][:, None] + case[games.leaf[at]]].sum(axis=0)
    return phi


@dataclass(frozen=True, slots=True, eq=False)
class _LeafGames:
    """The games of all leaves; a player is a group on the path of a leaf, shape (players,).

    Attributes
    ----------
    leaf, group : of a player
    slot : which bit of its leaf's case a player has
    first : where a player's 2^m Shapley values begin in the table
    table : Shapley values of all players in all cases
    player : of each condition of the boxes, (conditions,)
    """

    leaf: NDArray[np.intp]
    group: NDArray[np.intp]
    slot: NDArray[np.intp]
    first: NDArray[np.intp]
    table: Array
    player: NDArray[np.intp]


def _leaf_games(boxes: LeafBoxes, member: NDArray[np.intp], n_groups: int) -> _LeafGames:
    driver = np.repeat(np.arange(len(boxes.drivers)), np.diff(boxes.start))
    both, player = np.unique(boxes.leaf * n_groups + member[driver], return_inverse=True)
    leaf, group = np.divmod(both, max(n_groups, 1))
    share = np.ones(len(leaf))
    np.multiply.at(share, player, boxes.share)
    players = np.bincount(leaf, minlength=len(boxes.value))
    most = int(players.max(initial=0))
    if most > MOST_PLAYERS:
        raise ValueError(
            f"a path of the forest crosses {most} groups, more than {MOST_PLAYERS}: "
            "make the groups fewer, or the trees smaller"
        )
    slot = np.arange(len(leaf)) - np.repeat(np.cumsum(players) - players, players)
    first = np.append(0, np.cumsum(1 << players[leaf]))
    table = np.zeros(int(first[-1]))
    for m in range(1, most + 1):
        at = np.flatnonzero(players[leaf] == m).reshape(-1, m)
        known = ((np.arange(1 << m)[:, None] >> np.arange(m)) & 1).astype(np.float64)
        for rows in parts(len(at), m << m):
            own = at[rows]
            values = product_game(known, share[own][:, None, :]) * boxes.value[leaf[own[:, 0]], None, None]
            table[first[own][:, :, None] + np.arange(1 << m)] = values.swapaxes(1, 2)
    return _LeafGames(leaf, group, slot, first[:-1], table, player.ravel())


def _members(groups: Sequence[Sequence[int]], n_drivers: int, needed: Sequence[int]) -> NDArray[np.intp]:
    """The group of each driver, shape (n_drivers,); -1 for none."""
    member = np.full(n_drivers, -1)
    for g, drivers in enumerate(groups):
        for driver in drivers:
            if not 0 <= driver < n_drivers:
                raise ValueError(f"group {g} names driver {driver}; the matrix has {n_drivers} columns")
            if member[driver] >= 0:
                raise ValueError(f"driver {driver} is in group {member[driver]} and in group {g}")
            member[driver] = g
    alone = [driver for driver in needed if member[driver] < 0]
    if alone:
        raise ValueError(f"driver {alone[0]} contributes and is in no group: give it one, if only its own")
    return member
