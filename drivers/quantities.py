"""What can be set side by side: numbers of finished tables, each with its error and degrees of freedom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from drivers.cells import numbers, texts


@dataclass(frozen=True, slots=True)
class Quantity:
    """One comparable number, and where the tables hold it."""

    name: str
    table: str
    where: tuple[str, str] | None
    """The column and the value that its rows have."""
    driver: str
    """The column of the driver."""
    estimate: str
    error: str
    """The column of the standard error."""
    df: str
    """The column of the degrees of freedom; empty for a z test."""
    raw: bool = False
    """Whether it has units, those of response and driver."""
    refusable: bool = False
    """Whether a row without a p-value is one that was refused: too few independent pixels for any test."""
    groups: bool = False
    """Whether rows of driver groups (no driver) are compared too."""


_PATH = ("op", "~")
_LOADING = ("op", "=~")
_TOTAL = ("kind", "total")

QUANTITIES = (
    Quantity("path", "coefficients", _PATH, "term", "estimate", "std_error", "df", True, True),
    Quantity(
        "std_path", "coefficients", _PATH, "term", "std_estimate", "std_estimate_error", "df", refusable=True
    ),
    Quantity("total_effect", "effects", _TOTAL, "driver", "estimate", "std_error", "df", True, True),
    Quantity(
        "std_total_effect",
        "effects",
        _TOTAL,
        "driver",
        "std_estimate",
        "std_estimate_error",
        "df",
        refusable=True,
    ),
    Quantity("q", "q", None, "driver", "q", "std_error", ""),
    Quantity(
        *("influence", "importance", ("measure", "gain"), "driver"),
        *("share", "share_error", "share_error_df"),
        groups=True,
    ),
    Quantity("loading", "coefficients", _LOADING, "term", "estimate", "std_error", "df", True, True),
    Quantity(
        "std_loading",
        "coefficients",
        _LOADING,
        "term",
        "std_estimate",
        "std_estimate_error",
        "df",
        refusable=True,
    ),
)
"""In the order of the tables.

Effects of a group are not among them: a group's sheaf coefficient is a length along a direction that every
stratum chooses anew, so it is never negative and the difference of two compares different things. Shares of
influence add up, so those of a group do compare.
"""

JACKKNIFED = frozenset({"influence"})
"""Quantities whose error rests on a few folds: without its degrees of freedom there is no test."""


def read_estimates(
    tables: Mapping[str, pd.DataFrame], responses: Mapping[str, Sequence[str]] | None = None
) -> pd.DataFrame:
    """Every comparable number of a run, one a row.

    Parameters
    ----------
    tables : `coefficients, effects, q, importance`, as the CSVs hold them; any may be missing or empty
    responses : the responses of each model, for q.csv and importance.csv, which do not name theirs

    Returns
    -------
    Columns model, stratum, quantity (position in `QUANTITIES`), response, driver, group, estimate, variance
    and df; rows without an estimate (joint rows of factors) are left out. The variance is NaN where no
    standard error is known; df is infinite for a z test and NaN where it is not known.

    Examples
    --------
    >>> q = pd.DataFrame({"model": "m", "stratum": "all", "driver": ["TEM"], "q": [0.4], "std_error": [0.1]})
    >>> found = read_estimates({"q": q}, {"m": ["NEP"]})
    >>> found[["quantity", "response", "driver", "estimate", "df"]].values.tolist()
    [[4, 'NEP', 'TEM', 0.4, inf]]
    """
    parts = [
        _read(position, quantity, tables[quantity.table], responses or {})
        for position, quantity in enumerate(QUANTITIES)
        if quantity.table in tables
    ]
    names = ["model", "stratum", "quantity", "response", "driver", "group", "estimate", "variance", "df"]
    filled = [part for part in parts if len(part)]
    return pd.concat(filled, ignore_index=True) if filled else pd.DataFrame(columns=names)


def _read(
    position: int, quantity: Quantity, table: pd.DataFrame, responses: Mapping[str, Sequence[str]]
) -> pd.DataFrame:
    """The rows of one quantity."""
    if quantity.where is not None:
        column, value = quantity.where
        table = table[texts(table, column) == value]
    model = texts(table, "model")
    if "response" in table.columns:
        response = texts(table, "response")
    else:
        # A model of trees or of q has one response; where it had several, none could be told.
        sole = {name: listed[0] for name, listed in responses.items() if len(listed) == 1}
        response = np.array([sole.get(name, "") for name in model], dtype=object)
    df = numbers(table, quantity.df) if quantity.df else np.full(len(table), np.inf)
    if quantity.name not in JACKKNIFED:
        df = np.where(np.isnan(df), np.inf, df)
    error = numbers(table, quantity.error)
    if quantity.refusable and "p_value" in table.columns:
        error = np.where(np.isnan(numbers(table, "p_value")), np.nan, error)
    found = pd.DataFrame(
        {
            "model": model,
            "stratum": texts(table, "stratum"),
            "quantity": position,
            "response": response,
            "driver": texts(table, quantity.driver),
            "group": texts(table, "group"),
            "estimate": numbers(table, quantity.estimate),
            "variance": error**2,
            "df": df,
        }
    )
    named = (found["driver"] != "") | (quantity.groups & (found["group"] != ""))
    kept: pd.DataFrame = found[np.isfinite(found["estimate"]) & named]
    return kept


Weights = dict[str, dict[str, float]]
"""Of every composite its members' weights."""


def composite_weights(coefficients: pd.DataFrame | None) -> dict[tuple[str, str], Weights]:
    """The weights of every composite, by (model, stratum).

    Examples
    --------
    >>> rows = {"model": "m", "stratum": "all", "response": "climate", "op": "<~", "term": ["TEM", "PRE"]}
    >>> composite_weights(pd.DataFrame(rows | {"estimate": [-2.0, 0.5]}))
    {('m', 'all'): {'climate': {'TEM': -2.0, 'PRE': 0.5}}}
    """
    found: dict[tuple[str, str], Weights] = {}
    if coefficients is None:
        return found
    rows = coefficients[texts(coefficients, "op") == "<~"]
    columns = (texts(rows, name) for name in ("model", "stratum", "response", "term"))
    for model, stratum, composite, member, weight in zip(*columns, numbers(rows, "estimate"), strict=True):
        found.setdefault((model, stratum), {}).setdefault(composite, {})[member] = float(weight)
    return found


SAME_WEIGHT = 1e-9
"""Weights closer than this are one: rounding of a CSV or of another order of sums."""


def differing_composites(weights: Sequence[Weights]) -> list[str]:
    """The composites that are not the same sum of their members everywhere, so have no common unit.

    Examples
    --------
    >>> differing_composites([{"climate": {"TEM": 1.0}, "soil": {"PH": 2.0}}, {"climate": {"TEM": 3.0}}])
    ['climate']
    """
    found = []
    for name in dict.fromkeys(name for made in weights for name in made):
        first, *others = [made[name] for made in weights if name in made]
        if any(
            set(other) != set(first)
            or not np.allclose(
                [other[m] for m in first], [first[m] for m in first], rtol=SAME_WEIGHT, atol=0.0
            )
            for other in others
        ):
            found.append(name)
    return found
