"""Estimates side by side as rows: differences of pairs, one test for all, agreement of ranks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from drivers.glossary import TABLES
from drivers.multiplicity import adjusted_p
from drivers.quantities import QUANTITIES
from drivers.stats.concordance import concordance_interval, kendalls_w
from drivers.stats.differences import omnibus_test, wald_differences
from drivers.stats.tails import t_quantile

Array = NDArray[np.float64]

LEVEL = 0.95
"""Of confidence intervals, as in all tables."""

RANKED = ("std_total_effect", "q", "influence")
"""The quantities whose sizes rank drivers: those without units."""

FEWEST_RANKED = 3
"""Two drivers have two orders: their agreement says next to nothing."""

DRAWS = 999
"""Of estimates about what was found, for the interval of Kendall's W."""

_NAMES = np.array([quantity.name for quantity in QUANTITIES], dtype=object)


@dataclass(frozen=True, eq=False)
class Panel:
    """Numbers of one model in k places, strata or runs, side by side.

    Attributes
    ----------
    model, stratum : what the rows say of it
    labels : the places, k of them
    keys : quantity (position in `QUANTITIES`), response, driver and group of m numbers, ordered by quantity
    estimates, variances, df : shape (k, m), NaN where a place has none
    apart : which two places may be taken as two samples, shape (k, k)
    composites : the drivers that are made of others
    """

    model: str
    stratum: str
    labels: tuple[str, ...]
    keys: pd.DataFrame
    estimates: Array
    variances: Array
    df: Array
    apart: NDArray[np.bool_]
    composites: frozenset[str] = frozenset()

    @property
    def separate(self) -> NDArray[np.intp]:
        """The places that share pixels with no other."""
        others = self.apart | np.eye(len(self.labels), dtype=np.bool_)
        return np.flatnonzero(others.all(axis=1))


def make_panel(
    model: str,
    stratum: str,
    labels: Sequence[str],
    found: pd.DataFrame,
    places: NDArray[np.intp],
    apart: NDArray[np.bool_] | None = None,
    composites: frozenset[str] = frozenset(),
) -> Panel:
    """Put the estimates of one model side by side.

    Parameters
    ----------
    found : rows of `read_estimates`, of one model
    places : which label each row belongs to, shape (rows,)
    apart : shape (k, k); by default all places are two samples
    """
    k = len(labels)
    # A group's row is told by its group; a driver's by its name, wherever its group is not known.
    whose = np.where(found["driver"] == "", found["group"], "")
    parts = [found["quantity"], found["response"], found["driver"], pd.Series(whose, index=found.index)]
    grouped = found.groupby(parts, sort=False)
    code = grouped.ngroup().to_numpy()
    keys = grouped[["quantity", "response", "driver", "group"]].max().reset_index(drop=True)
    order = np.argsort(keys["quantity"].to_numpy(), kind="stable")
    column = np.argsort(order)[code]
    shape = (k, len(keys))
    estimates, variances, df = (np.full(shape, np.nan) for _ in range(3))
    for array, name in ((estimates, "estimate"), (variances, "variance"), (df, "df")):
        array[places, column] = found[name]
    free = np.ones((k, k), dtype=np.bool_) if apart is None else apart
    sorted_keys = keys.iloc[order].reset_index(drop=True)
    return Panel(model, stratum, tuple(labels), sorted_keys, estimates, variances, df, free, composites)


def comparison_frame(panels: Sequence[Panel]) -> pd.DataFrame:
    """comparison.csv: a Wald test for every number and every pair of places that both have it.

    Notes
    -----
    `drivers.stats.differences.wald_differences`; the interval is difference ± t · standard error. A row
    without a standard error on either side, or without its degrees of freedom, has no test. p-values are
    adjusted over all rows of a quantity.
    """
    found = _stack("comparison", [_differences(panel) for panel in panels])
    found["p_adjusted"] = adjusted_p(found["log_p"], found["quantity"])
    return found


def _differences(panel: Panel) -> pd.DataFrame:
    first, second = np.triu_indices(len(panel.labels), 1)
    allowed = panel.apart[first, second]
    first, second = first[allowed], second[allowed]
    pair, key = np.nonzero(np.isfinite(panel.estimates[first]) & np.isfinite(panel.estimates[second]))
    order = np.lexsort((key, pair, panel.keys["quantity"].to_numpy()[key]))
    pair, key = pair[order], key[order]
    a, b = (first[pair], key), (second[pair], key)
    labels = np.array(panel.labels, dtype=object)
    keys = panel.keys.iloc[key].reset_index(drop=True)
    names = _NAMES[keys["quantity"].to_numpy(dtype=np.intp)]
    test = wald_differences(
        *(panel.estimates[a], panel.estimates[b], panel.variances[a], panel.variances[b]),
        *(panel.df[a], panel.df[b]),
    )
    tested = np.isfinite(test.log_p)
    half = t_quantile(test.df, LEVEL) * test.std_error
    return pd.DataFrame(
        {
            "model": panel.model,
            "stratum": panel.stratum,
            "driver": keys["driver"],
            "quantity": names,
            "stratum_a": labels[a[0]],
            "stratum_b": labels[b[0]],
            "estimate_a": panel.estimates[a],
            "estimate_b": panel.estimates[b],
            "difference": test.estimate,
            "std_error": test.std_error,
            "statistic": np.where(tested, test.statistic, np.nan),
            "p_value": np.exp(test.log_p),
            "response": keys["response"],
            "group": keys["group"],
            "df": np.where(tested & np.isfinite(test.df), test.df, np.nan),
            "log_p": test.log_p,
            "conf_low": np.where(tested, test.estimate - half, np.nan),
            "conf_high": np.where(tested, test.estimate + half, np.nan),
        }
    )


def omnibus_frame(panels: Sequence[Panel]) -> pd.DataFrame:
    """comparison_omnibus.csv: is a number the same in all places that share no pixels?

    Notes
    -----
    `drivers.stats.differences.omnibus_test`: F, or χ² where `df_residual` is empty, and then `statistic` is
    χ² itself. Places without a standard error are left out; `n_strata` counts the others.
    """
    found = _stack("comparison_omnibus", [_omnibus(panel) for panel in panels])
    found["p_adjusted"] = adjusted_p(found["log_p"], found["quantity"])
    return found


def _omnibus(panel: Panel) -> pd.DataFrame:
    rows = panel.separate
    if len(rows) < 2 or not len(panel.keys):
        return pd.DataFrame()
    test = omnibus_test(panel.estimates[rows], panel.variances[rows], panel.df[rows])
    known = np.isfinite(test.log_p)
    finite = np.isfinite(test.df_residual)
    keys = panel.keys[known]
    return pd.DataFrame(
        {
            "model": panel.model,
            "stratum": panel.stratum,
            "driver": keys["driver"],
            "quantity": _NAMES[keys["quantity"].to_numpy(dtype=np.intp)],
            "response": keys["response"],
            "group": keys["group"],
            "n_strata": (test.df[known] + 1.0).astype(np.int64),
            "pooled": test.pooled[known],
            "statistic": np.where(finite, test.statistic, test.statistic * test.df)[known],
            "df": test.df[known],
            "df_residual": np.where(finite, test.df_residual, np.nan)[known],
            "p_value": np.exp(test.log_p[known]),
            "log_p": test.log_p[known],
        }
    )


def agreement_frame(panels: Sequence[Panel], rng: np.random.Generator) -> pd.DataFrame:
    """rank_agreement.csv: do the places rank drivers alike?

    Notes
    -----
    Kendall's W of the sizes of estimates, over the drivers that every place has, places that share no pixels
    only. Composites and groups are left out: they are their members. A response's effects are ranked by
    themselves.
    """
    found = [row for panel in panels for row in _agreements(panel, rng)]
    return pd.DataFrame(found, columns=list(TABLES["rank_agreement"]))


def _agreements(panel: Panel, rng: np.random.Generator) -> list[dict[str, object]]:
    found: list[dict[str, object]] = []
    keys, separate = panel.keys, panel.separate
    single = (keys["driver"] != "") & ~keys["driver"].isin(panel.composites)
    for position, quantity in enumerate(QUANTITIES):
        if quantity.name not in RANKED:
            continue
        of_kind = single & (keys["quantity"] == position)
        for response in dict.fromkeys(keys.loc[of_kind, "response"]):
            columns = np.flatnonzero(of_kind & (keys["response"] == response))
            block = panel.estimates[np.ix_(separate, columns)]
            rows = np.isfinite(block).any(axis=1)
            common = np.isfinite(block[rows]).all(axis=0)
            index = np.ix_(separate[rows], columns[common])
            if rows.sum() < 2 or common.sum() < FEWEST_RANKED:
                continue
            made = rank_agreement(panel.estimates[index], np.sqrt(panel.variances[index]), rng)
            key = {"model": panel.model, "stratum": panel.stratum, "quantity": quantity.name}
            found.append({**key, "response": response, **made})
    return found


def rank_agreement(estimates: Array, errors: Array, rng: np.random.Generator) -> dict[str, object]:
    """Kendall's W of the sizes of estimates with an interval, as cells of rank_agreement.csv.

    Parameters
    ----------
    estimates, errors : by m raters of n items, shape (m, n); without an interval where an error is NaN
    rng : draws the estimates anew, each about what was found

    Notes
    -----
    The interval is the percentile one of W of |estimate + error · z|, z standard normal. Draws add noise to
    estimates that have noise already, so it leans towards the agreement of chance, W = 1/m.

    Examples
    --------
    >>> found = rank_agreement(np.array([[3.0, -2, 1], [3, 1, 2]]), np.full((2, 3), np.nan), None)
    >>> found["n_raters"], found["n_items"], found["w"], found["w_low"]
    (2, 3, 0.75, nan)
    """
    m, n = estimates.shape
    agreement = kendalls_w(np.abs(estimates))
    low = high = np.nan
    if np.isfinite(errors).all():
        draws = np.abs(estimates + errors * rng.standard_normal((DRAWS, m, n)))
        interval = concordance_interval(np.abs(estimates), draws, LEVEL)
        low, high = interval.low, interval.high
    p_value = float(np.exp(agreement.log_p))
    return {
        **{"n_raters": m, "n_items": n, "w": float(agreement.w)},
        **{"w_low": low, "w_high": high, "p_value": p_value},
    }


def _stack(table: str, parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """The parts under each other, in the glossary's columns."""
    filled = [part for part in parts if len(part)]
    columns = list(TABLES[table])
    if not filled:
        return pd.DataFrame({name: pd.Series(dtype=np.float64) for name in columns})
    return pd.concat(filled, ignore_index=True).reindex(columns=columns)
