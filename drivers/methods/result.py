"""What every method hands back: records for the tables, and the verbs tidy, glance, augment."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import pandas as pd

from drivers.glossary import TABLES
from drivers.progress import SILENT, Reporter

Records = Mapping[str, Sequence[Mapping[str, Any]]]
"""For every table its rows, without the columns `model` and `stratum`."""


class Result(Protocol):
    """One model fitted on one stratum."""

    @property
    def method(self) -> str:
        """The method's name."""

    @property
    def stratum(self) -> str:
        """The stratum's label."""

    @property
    def records(self) -> Records:
        """The rows that the result adds to each table."""


class Fitter(Protocol):
    """A model prepared on a table: `fit` gives one stratum's result or raises a FitError."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the user asked for and does not get, whatever the stratum."""

    def fit(self, stratum: Any, reporter: Reporter = SILENT) -> Result:
        """Fit one stratum of the partition that the fitter was made with."""


@runtime_checkable
class Together(Protocol):
    """A fitter that also fits strata of one family together."""

    def together(self, results: Sequence[Result]) -> Records:
        """Rows of tables whose `stratum` is a family; the results are those that `fit` returned."""


@dataclass(frozen=True, slots=True)
class Importance:
    """How important a driver is, or a group where `driver` is empty."""

    driver: str
    group: str
    measure: str
    """What `value` is, such as `q`."""
    value: float
    spread: float = float("nan")
    """Standard deviation over the forests of folds, where there are any."""
    std_error: float = float("nan")
    """Of the value, for the pixels that were sampled."""
    n: int | None = None
    """How many pixels were sampled."""
    share_error: float = float("nan")
    """Standard error of the share among its rivals, where forests of folds tell it."""
    share_error_df: int | None = None
    """Its degrees of freedom."""


def importance_rows(found: Sequence[Importance]) -> list[dict[str, Any]]:
    """Rows of importance.csv: shares and ranks among the drivers, and among the groups, of each measure.

    A share is the value over the sum of values; negative values have no share in it.

    Examples
    --------
    >>> found = [Importance("TEM", "climate", "q", 0.3), Importance("PRE", "climate", "q", 0.1)]
    >>> rows = importance_rows(found)
    >>> [(row["driver"], round(row["share"], 3), row["rank"]) for row in rows]
    [('TEM', 0.75, 1), ('PRE', 0.25, 2)]
    """
    rows = []
    for item in found:
        rivals = [
            other.value
            for other in found
            if other.measure == item.measure and bool(other.driver) == bool(item.driver)
        ]
        total = sum(max(value, 0.0) for value in rivals)
        rows.append(
            {
                "driver": item.driver or None,
                "group": item.group,
                "measure": item.measure,
                "value": item.value,
                "share": max(item.value, 0.0) / total if total > 0 else None,
                "rank": 1 + sum(value > item.value for value in rivals),
                "spread": item.spread,
                "std_error": item.std_error,
                "n": item.n,
                "share_error": item.share_error,
                "share_error_df": item.share_error_df,
            }
        )
    return rows


class Shown:
    """What the results of both SEMs share: `tidy()`, `glance()`, and how they show themselves."""

    __slots__ = ()

    @property
    def records(self) -> Records:
        """The rows that the result adds to each table (effects.csv comes from `drivers.effects`)."""
        raise NotImplementedError

    def _summary(self) -> Summary:
        raise NotImplementedError

    def tidy(self) -> pd.DataFrame:
        """Coefficients: a row per path, loading, covariance, weight and definition."""
        return frame("coefficients", self.records["coefficients"])

    def glance(self) -> pd.DataFrame:
        """The fit of the whole model, one row."""
        return frame("fit", self.records["fit"])

    def __repr__(self) -> str:
        return self._summary().text()

    def _repr_html_(self) -> str:
        return self._summary().html()


def frame(table: str, rows: Sequence[Mapping[str, Any]], *, keys: bool = False) -> pd.DataFrame:
    """Rows as a table in the glossary's order; without `model` and `stratum` unless `keys`."""
    columns = [c for c in TABLES[table] if keys or c not in ("model", "stratum")]
    return pd.DataFrame(list(rows), columns=columns)


@dataclass(frozen=True, slots=True)
class Summary:
    """How a result shows itself: a title line and a table, as text or HTML."""

    title: str
    table: pd.DataFrame

    def text(self) -> str:
        """For a terminal."""
        return f"{self.title}\n{self.table.to_string(index=False, float_format='{:.4g}'.format, na_rep='')}"

    def html(self) -> str:
        """For a notebook."""
        body = self.table.to_html(index=False, float_format="{:.4g}".format, na_rep="", border=0)
        return f"<div><p>{html.escape(self.title)}</p>{body}</div>"
