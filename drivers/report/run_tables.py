"""What a report is made of: finished tables and the facts of the run. No fit objects, no pixels.

Maps of classes come along in a run; a report that was read back has none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import pandas as pd

from drivers.maps import ClassMap
from drivers.report.numbers import is_missing

Row = dict[str, Any]
"""One row of a table, cells as they are (missing included)."""


@dataclass(frozen=True)
class RunTables:
    """The tables of a run, as its CSVs hold them, and the contents of its run.json.

    Attributes
    ----------
    tables
        `strata, coefficients, dsep, fit, r2, effects, trail, planted, q, breaks` and whatever else
        methods bring; any may be missing or empty.
    meta
        Study, title, response, drivers, groups, table, models, seed, versions, sha256, warnings,
        timings.
    maps
        Classes of the pixels on their grid, for pictures; no part of what is written as tables.
    """

    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    meta: Mapping[str, Any] = field(default_factory=dict)
    maps: tuple[ClassMap, ...] = field(default=(), repr=False, compare=False)
    _rows: dict[str, dict[tuple[Any, Any], list[Row]]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def rows(self, table: str, **where: str) -> list[Row]:
        """The rows of a table whose columns equal `where`; empty when there is no such table or column."""
        model, stratum = where.pop("model", None), where.pop("stratum", None)
        found = [
            row
            for (m, s), rows in self._by_fit(table).items()
            if (model is None or m == model) and (stratum is None or s == stratum)
            for row in rows
        ]
        return [row for row in found if all(row.get(name) == value for name, value in where.items())]

    def _by_fit(self, table: str) -> dict[tuple[Any, Any], list[Row]]:
        """Rows by (model, stratum), made once per table: a page asks hundreds of times."""
        if table not in self._rows:
            grouped: dict[tuple[Any, Any], list[Row]] = {}
            self._rows[table] = grouped
            frame = self.tables.get(table)
            if frame is not None:
                names = [str(name) for name in frame.columns]
                for cells in zip(*(frame[name].tolist() for name in frame.columns), strict=True):
                    row = dict(zip(names, cells, strict=True))
                    grouped.setdefault((row.get("model"), row.get("stratum")), []).append(row)
        return self._rows[table]

    @property
    def response(self) -> str:
        """The study's response."""
        return text((self.meta.get("response") or {}).get("name"))

    def responses(self, model: str) -> list[str]:
        """The responses that the section of a model is about, as its tables name them.

        The study's response may be transformed in a model (`log(rich)`), stand beside another, or not
        be in it; the run says which ones are meant. Where it does not: the study's response if the
        model has it, else the one that stands last.
        """
        told = next((m.get("responses") for m in self.models if m["name"] == model), None)
        if isinstance(told, list | tuple) and told:
            return list(dict.fromkeys(str(name) for name in told))
        found = self._modelled(model)
        return [self.response] if self.response in found or not found else found[-1:]

    def effect_responses(self, model: str) -> list[str]:
        """Those of `responses` on which the tables hold effects; others only when there are none of them."""
        found = list(dict.fromkeys(text(row.get("response")) for row in self.rows("effects", model=model)))
        return [name for name in self.responses(model) if name in found] or found[-1:]

    def _modelled(self, model: str) -> list[str]:
        """The responses of a model in the order of its tables."""
        paths = [row for row in self.rows("coefficients", model=model) if row.get("op") != "<~"]
        rows = self.rows("effects", model=model) or paths
        return [name for name in dict.fromkeys(text(row.get("response")) for row in rows) if name]

    @property
    def strata(self) -> list[str]:
        """The strata in the order of the run."""
        listed = [text(row.get("stratum")) for row in self.rows("strata")]
        fitted = [text(row.get("stratum")) for row in self.rows("fit")]
        return [name for name in dict.fromkeys([*listed, *fitted]) if name]

    @property
    def models(self) -> list[Mapping[str, Any]]:
        """The models in the order of the run, each with at least a name."""
        models = [m for m in self.meta.get("models") or [] if m.get("name")]
        known = {m["name"] for m in models}
        extra = dict.fromkeys(text(row.get("model")) for row in self.rows("fit"))
        return [*models, *({"name": name} for name in extra if name and name not in known)]

    def title(self, model: str) -> str:
        """What a model is called: its title, else its name."""
        return next((text(m.get("title")) for m in self.models if m["name"] == model), "") or model

    def fitted(self, model: str) -> list[str]:
        """The strata that a model was asked to fit."""
        found = {text(row.get("stratum")) for row in self.rows("fit", model=model)}
        return [name for name in self.strata if name in found]

    def fit(self, model: str, stratum: str) -> Row:
        """The row of fit.csv of one model on one stratum; empty when there is none."""
        return next(iter(self.rows("fit", model=model, stratum=stratum)), {})

    def method(self, model: str) -> str:
        """The method of a model, from the run's facts or from fit.csv."""
        for m in self.models:
            if m["name"] == model and m.get("method"):
                return str(m["method"])
        return next((text(r.get("method")) for r in self.rows("fit", model=model) if r.get("method")), "")

    @property
    def geographic(self) -> bool:
        """Whether the coordinates are longitude and latitude."""
        return truth((self.meta.get("table") or {}).get("geographic"))

    @cached_property
    def groups(self) -> dict[str, str]:
        """The group of every driver, in the order of the study."""
        found = {
            str(d["name"]): text(d.get("group")) for d in self.meta.get("drivers") or [] if d.get("name")
        }
        named = (("coefficients", "term"), *((t, "driver") for t in ("effects", "q", "importance")))
        for table, column in named:
            for row in self.rows(table):
                name, group = text(row.get(column)), text(row.get("group"))
                if name and group:
                    found.setdefault(name, group)
        return found


def text(value: Any) -> str:
    """A cell as text; empty when it is missing."""
    return "" if is_missing(value) else str(value)


def truth(value: Any) -> bool:
    """A cell as a truth value, also when it came back from a CSV as text."""
    return not is_missing(value) and str(value).strip().casefold() in ("true", "1", "1.0", "yes")


def number_or_none(value: Any) -> float | None:
    """A cell as a float; None when it is missing."""
    return None if is_missing(value) else float(value)


def first(rows: Iterable[Row]) -> Row:
    """The first row, or an empty one."""
    return next(iter(rows), {})
