"""Why methods rank a driver differently: reasons, each with its evidence in the tables of a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from drivers.cells import numbers, texts

Array = NDArray[np.float64]

NO_REASON = "no reason found in the tables"

HIGH_H = 0.1
"""Friedman's H from which on a pair interacts: its interaction is a tenth of its joint effect, in sds."""

STRONG_PAIR = 0.5
"""H of a weak pair is large by itself, so the pair must also be at least half as strong as the strongest."""

BEYOND_SUM = 0.05
"""Share of the response's variance that crossed classes must explain beyond the sum of both drivers."""

STRAIGHT = 0.75
"""A curve is nonlinear where a straight line accounts for less than this share of its variance."""

TURN = 0.25
"""A curve is non-monotone where it goes back by more than this share of its range."""

REDUNDANT = 0.1
"""A driver repeats another where, beside it, less than this share of its own q is left."""

UNMASKED = 1.25
"""A driver is masked by another beside which it adds more than so many times its own q."""

LEAST_UNMASKED = 0.01
"""And by this share of the response's variance at least, or noise in tiny q would mask."""

CANCELLED = 0.5
"""Direct and indirect effects cancel where their sum is below this share of the larger one."""

METHOD_TABLES = {
    "psem": ("effects",),
    "brt": ("curves", "tree_interactions"),
    "geodetector": ("risk_means", "q_interaction"),
}
"""The tables that hold the evidence of each method."""


@dataclass(frozen=True, eq=False)
class Evidence:
    """The rows of one stratum that can tell why ranks differ; any table may be missing.

    Attributes
    ----------
    response : the response, for effects
    tables : `effects` of the psem, `curves` and `tree_interactions` of the trees, `risk_means` and
        `q_interaction` of the geodetector
    terms : the term that stands for a driver in the psem, where it has another name
    """

    response: str
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    terms: Mapping[str, str] = field(default_factory=dict)

    def effect(self, driver: str, kind: str) -> float:
        """A standardised effect; nil where the tables hold none."""
        return self._effects.get((self.terms.get(driver, driver), kind), 0.0)

    @cached_property
    def _effects(self) -> dict[tuple[str, str], float]:
        """Standardised effects on the response by (term, kind)."""
        table = self.tables.get("effects")
        if table is None:
            return {}
        rows = table[texts(table, "response") == self.response]
        columns = (texts(rows, "driver"), texts(rows, "kind"), np.nan_to_num(numbers(rows, "std_estimate")))
        return {(term, kind): float(value) for term, kind, value in zip(*columns, strict=True)}

    def curve(self, driver: str) -> tuple[Array, Array, Array] | None:
        """A driver's curve as values, heights and weights: of the trees, or else the means of its classes."""
        table = self.tables.get("curves")
        if table is not None:
            mine = texts(table, "driver") == driver
            for kind in ("accumulated", "partial"):
                rows = table[mine & (texts(table, "kind") == kind)]
                x, height = numbers(rows, "x"), numbers(rows, "value")
                known = np.isfinite(x) & np.isfinite(height)
                if known.sum() > 2:
                    return x[known], height[known], np.ones(int(known.sum()))
        table = self.tables.get("risk_means")
        if table is not None:
            rows = table[texts(table, "driver") == driver]
            # Levels of a categorical driver have no limits, and no order.
            x = (numbers(rows, "lower") + numbers(rows, "upper")) / 2.0
            height, n = numbers(rows, "mean"), numbers(rows, "n")
            known = np.isfinite(x) & np.isfinite(height) & (n > 0)
            if known.sum() > 2:
                return x[known], height[known], n[known]
        return None


def bend(x: Array, height: Array, weight: Array) -> str:
    """What keeps a path from following a curve: `non-monotone`, `nonlinear`, or nothing.

    Examples
    --------
    >>> x = np.linspace(-1, 1, 21)
    >>> bend(x, x**2, np.ones(21)), bend(x, np.exp(9 * x), np.ones(21)), bend(x, 2 * x, np.ones(21))
    ('non-monotone', 'nonlinear', '')
    """
    order = np.argsort(x, kind="stable")
    x, height, weight = x[order], height[order], weight[order] / weight.sum()
    span = float(np.ptp(height))
    if span == 0.0:
        return ""
    upward = height if height[-1] >= height[0] else -height
    if float((np.maximum.accumulate(upward) - upward).max()) > TURN * span:
        return "non-monotone"
    dx, dy = x - weight @ x, height - weight @ height
    across = float(weight @ dx**2)
    straight = float(weight @ (dx * dy)) ** 2 / (across * float(weight @ dy**2)) if across > 0 else 1.0
    return "nonlinear" if straight < STRAIGHT else ""


def partner_in_trees(table: pd.DataFrame | None, driver: str) -> str:
    """The driver that interacts most with a driver in the trees; empty where none does.

    Examples
    --------
    >>> pairs = {"driver_a": ["TEM", "TEM"], "driver_b": ["PRE", "DEM"], "measure": "h_statistic"}
    >>> partner_in_trees(pd.DataFrame(pairs | {"value": [0.05, 0.3], "strength": [1.0, 4.0]}), "TEM")
    'DEM'
    """
    if table is None:
        return ""
    rows = table[texts(table, "measure") == "h_statistic"]
    value, strength = numbers(rows, "value"), numbers(rows, "strength")
    strength = strength if np.isfinite(strength).any() else value
    with_driver, other = _partners(rows, driver)
    if not with_driver.any():
        return ""
    # A NaN is no answer and never the largest.
    strong = np.nan_to_num(strength) >= STRONG_PAIR * np.nan_to_num(strength).max()
    kept = with_driver & strong & (np.nan_to_num(value) >= HIGH_H)
    return str(other[kept][np.argmax(strength[kept])]) if kept.any() else ""


def partner_in_classes(table: pd.DataFrame | None, driver: str) -> str:
    """The driver with which q goes furthest beyond the sum of both; empty where none does.

    q of crossed classes is the adjusted one where the table has it: more classes alone raise q.

    Examples
    --------
    >>> pairs = {"driver_a": ["TEM"], "driver_b": ["PRE"], "q_a": [0.1], "q_b": [0.1], "q_ab": [0.5]}
    >>> partner_in_classes(pd.DataFrame(pairs), "PRE")
    'TEM'
    """
    if table is None or not len(table):
        return ""
    with_driver, other = _partners(table, driver)
    beyond = _crossed(table) - numbers(table, "q_a") - numbers(table, "q_b")
    kept = with_driver & (np.nan_to_num(beyond) > BEYOND_SUM)
    return str(other[kept][np.argmax(beyond[kept])]) if kept.any() else ""


def repeated_by(table: pd.DataFrame | None, driver: str) -> str:
    """The driver beside whose classes a driver's own add next to nothing; empty where there is none.

    Examples
    --------
    >>> pairs = {"driver_a": ["TEM"], "driver_b": ["PET"], "q_a": [0.40], "q_b": [0.38], "q_ab": [0.41]}
    >>> repeated_by(pd.DataFrame(pairs), "PET"), repeated_by(pd.DataFrame(pairs), "TEM")
    ('TEM', '')
    """
    if table is None or not len(table):
        return ""
    pairs = _beside(table, driver)
    # The stronger of two that repeat each other is not the one whose signal is borrowed.
    kept = (pairs.own > 0) & (pairs.theirs > pairs.own) & (pairs.added < REDUNDANT * pairs.own)
    return str(pairs.other[kept][np.argmax(pairs.theirs[kept])]) if kept.any() else ""


def masked_by(table: pd.DataFrame | None, driver: str) -> str:
    """The driver beside whose classes a driver adds more than its q alone; empty where there is none.

    Two that rise together and act against each other hide each other from q, which looks at one at a time.

    Examples
    --------
    >>> pairs = {"driver_a": ["TEM"], "driver_b": ["PRE"], "q_a": [0.40], "q_b": [0.05], "q_ab": [0.48]}
    >>> masked_by(pd.DataFrame(pairs), "PRE"), masked_by(pd.DataFrame(pairs), "TEM")
    ('TEM', '')
    """
    if table is None or not len(table):
        return ""
    pairs = _beside(table, driver)
    kept = (pairs.added > UNMASKED * pairs.own) & (pairs.added - pairs.own > LEAST_UNMASKED)
    return str(pairs.other[kept][np.argmax(pairs.added[kept])]) if kept.any() else ""


@dataclass(frozen=True, slots=True)
class _Pairs:
    """The pairs that a driver is in; arrays have shape (pairs,).

    Attributes
    ----------
    other : the other driver
    own, theirs : q of the driver and of the other
    added : what the driver's classes add to q beside those of the other
    """

    other: NDArray[np.object_]
    own: Array
    theirs: Array
    added: Array


def _beside(table: pd.DataFrame, driver: str) -> _Pairs:
    """A driver beside every other, from rows of q_interaction."""
    mine, other = _partners(table, driver)
    first = texts(table, "driver_a") == driver
    q_a, q_b = numbers(table, "q_a"), numbers(table, "q_b")
    own, theirs = np.where(first, q_a, q_b), np.where(first, q_b, q_a)
    return _Pairs(other[mine], own[mine], theirs[mine], (_crossed(table) - theirs)[mine])


def _partners(table: pd.DataFrame, driver: str) -> tuple[NDArray[np.bool_], NDArray[np.object_]]:
    """The pairs that a driver is in, and the other driver of each."""
    a, b = texts(table, "driver_a"), texts(table, "driver_b")
    return (a == driver) | (b == driver), np.where(a == driver, b, a)


def _crossed(table: pd.DataFrame) -> Array:
    adjusted = numbers(table, "q_adjusted")
    return np.where(np.isfinite(adjusted), adjusted, numbers(table, "q_ab"))


def reason(driver: str, ranks: Mapping[str, int], n: int, evidence: Evidence) -> str:
    """Why methods rank a driver differently.

    Parameters
    ----------
    driver : its name
    ranks : by method (`psem`, `brt`, `geodetector`), 1 for the strongest
    n : how many drivers are ranked
    evidence : of the same stratum

    Returns
    -------
    Empty where no two ranks differ by more than max(1, n/4); else the reasons that the tables give
    evidence of, joined by `; `, or `NO_REASON`.

    Notes
    -----
    A reason must explain the direction of the disagreement. Trees hold mediators fixed, so mediation and
    cancelled effects can part psem from brt; q is of one driver alone, so it misses what only a pair does and
    counts what a driver shares with others, and is blind to what another hides; paths are straight, so a
    bent curve hides from them.

    Examples
    --------
    >>> effects = {"driver": "GDP", "response": "NEP", "kind": ["direct", "total_indirect", "total"]}
    >>> found = Evidence("NEP", {"effects": pd.DataFrame(effects | {"std_estimate": [0.02, 0.5, 0.52]})})
    >>> reason("GDP", {"psem": 1, "brt": 6}, 8, found)
    'mediated: most of its effect is indirect'
    """
    limit = max(1.0, n / 4.0)

    def above(high: str, low: str) -> bool:
        return high in ranks and low in ranks and ranks[low] - ranks[high] > limit

    if max(ranks.values()) - min(ranks.values()) <= limit:
        return ""
    direct, indirect, total = (
        evidence.effect(driver, kind) for kind in ("direct", "total_indirect", "total")
    )
    found = []
    if above("psem", "brt") and abs(indirect) > abs(direct):
        found.append("mediated: most of its effect is indirect")
    if above("brt", "psem") or above("geodetector", "psem"):
        if direct * indirect < 0 and abs(total) < CANCELLED * max(abs(direct), abs(indirect)):
            found.append("direct and indirect effects cancel")
        curve = evidence.curve(driver)
        if curve is not None:
            shape = bend(*curve)
            found += [f"{shape}: a straight path does not follow its curve"] if shape else []
        elif above("brt", "psem") and above("geodetector", "psem"):
            found.append("non-monotone or nonlinear: high q and influence, small path")
    if above("brt", "psem") or above("brt", "geodetector"):
        pairs = evidence.tables.get("tree_interactions")
        if partner := partner_in_trees(pairs, driver):
            found.append(f"interaction: high H with {partner}")
        elif partner := partner_in_classes(evidence.tables.get("q_interaction"), driver):
            found.append(f"interaction: Enhance, nonlinear with {partner}")
    if above("geodetector", "psem") or above("geodetector", "brt"):
        partner = repeated_by(evidence.tables.get("q_interaction"), driver)
        found += [f"shares its signal with {partner}"] if partner else []
    if above("psem", "geodetector"):
        partner = masked_by(evidence.tables.get("q_interaction"), driver)
        found += [f"masked by {partner}: beside it, it adds more to q than alone"] if partner else []
    return "; ".join(found) or NO_REASON
