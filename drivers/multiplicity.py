"""Many tests in one study: p-values adjusted for the false discovery rate over all tests of a kind."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from drivers.cells import numbers, texts
from drivers.stats.differences import benjamini_hochberg

KINDS: Mapping[str, str] = {"coefficients": "op", "dsep": "", "effects": "kind", "q": "", "ecological": ""}
"""The tables whose tests are adjusted, each with the column that tells the kinds of its tests apart.

risk.csv is not among them: its pairs are adjusted within a driver (Holm), as the field does.
"""


def adjusted_p(log_p: ArrayLike, kinds: ArrayLike) -> NDArray[np.float64]:
    """p-values adjusted over all tests of their kind (Benjamini & Hochberg 1995).

    Parameters
    ----------
    log_p : ln of the p-values, shape (n,); NaN is no test, stays NaN and counts for nothing
    kinds : the kind of each test, shape (n,)

    Returns
    -------
    shape (n,); 0 where the adjusted p-value is below the smallest double

    Examples
    --------
    >>> adjusted_p(np.log([0.01, 0.04, 0.03]), ["path", "path", "q"]).round(12).tolist()
    [0.02, 0.04, 0.03]
    """
    logs, groups = np.asarray(log_p, dtype=np.float64), np.asarray(kinds)
    found = np.full(logs.shape, np.nan)
    for kind in dict.fromkeys(groups.tolist()):
        mine = groups == kind
        found[mine] = np.exp(benjamini_hochberg(logs[mine]))
    return found


def adjust(tables: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Fill `p_adjusted` in the tables of a whole study.

    Parameters
    ----------
    tables : the tables of a run by name, as its CSVs hold them, `model` and `stratum` included

    Returns
    -------
    The same tables; those with tests (`KINDS`) as new frames, the others untouched. The column is added
    where a table does not have it.

    Notes
    -----
    A kind is a table, in coefficients.csv also the `op` and in effects.csv the `kind`: over every model and
    stratum of the study, because that is how many tests its reader looks through. Every row with a p-value
    is a test, the joint row of a categorical driver too, but not a variance or an intercept. Tests of one
    study depend on each other (strata nest, effects share coefficients); Benjamini-Hochberg holds its rate
    where that dependence is positive (Benjamini & Yekutieli 2001, doi:10.1214/aos/1013699998).

    Where a table has `log_p`, that is used, so that p-values below 1e-308 keep their order.

    Examples
    --------
    >>> q = pd.DataFrame({"model": "m", "stratum": ["all", "a"], "driver": "TEM", "p_value": [0.01, 0.04]})
    >>> adjust({"q": q})["q"]["p_adjusted"].round(12).tolist()
    [0.02, 0.04]
    """
    found = dict(tables)
    for name, column in KINDS.items():
        if name in tables:
            table = tables[name]
            kinds = texts(table, column) if column else np.zeros(len(table))
            logs = np.where(_no_hypothesis(table), np.nan, _log_p(table)) if column == "op" else _log_p(table)
            found[name] = table.assign(p_adjusted=adjusted_p(logs, kinds))
    return found


def _log_p(table: pd.DataFrame) -> NDArray[np.float64]:
    """ln p of every row: `log_p`, or else the logarithm of `p_value`."""
    log_p = numbers(table, "log_p")
    with np.errstate(divide="ignore"):
        return np.where(np.isnan(log_p), np.log(numbers(table, "p_value")), log_p)


def _no_hypothesis(table: pd.DataFrame) -> NDArray[np.bool_]:
    """Rows whose test nobody asks for: a variance and an intercept are never thought to be nil."""
    op = texts(table, "op")
    return np.asarray(((op == "~~") & (texts(table, "response") == texts(table, "term"))) | (op == "~1"))
