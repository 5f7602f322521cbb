"""What every method hands back: records for the tables, and the verbs tidy, glance, augment."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import pandas as pd

from drivers.glossary import TABLES

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

    def fit(self, stratum: Any) -> Result:
        """Fit one stratum of the partition that the fitter was made with."""


@dataclass(frozen=True, slots=True)
class Importance:
    """How important a driver is, or a group where `driver` is empty."""

    driver: str
    group: str
    measure: str
    """What `value` is, such as `q`."""
    value: float


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
