"""What the tables say of a geodetector's drivers, as values that figures and templates share."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from drivers.report.numbers import is_missing, stars, unit
from drivers.report.run_tables import Row, RunTables, number_or_none, text, truth

NOT_SIGNIFICANT = "ns"


@dataclass(frozen=True, slots=True)
class FactorRow:
    """One row of q.csv, with the breaks of the chosen candidate; None where a cell is empty."""

    name: str
    group: str = ""
    method: str = ""
    n_classes: int | None = None
    q: float | None = None
    p_value: float | None = None
    p_max: float | None = None
    q_adjusted: float | None = None
    q_crossfit: float | None = None
    n: float | None = None
    n_effective: float | None = None
    rank: float | None = None
    breaks: str = ""
    reason: str = ""

    @property
    def p(self) -> float | None:
        """The p-value that stars rest on: that of the maximum, where it was computed."""
        return self.p_value if self.p_max is None else self.p_max

    @property
    def constant(self) -> bool:
        """Whether the driver has one class only, so that there is nothing to test."""
        return self.n_classes == 1

    @property
    def classes(self) -> str:
        """`natural, 6`; the levels of a categorical driver are counted the same way."""
        if self.q is None or self.constant or not self.method:
            return ""
        return self.method if self.n_classes is None else f"{self.method}, {self.n_classes}"


def star_mark(p: Any) -> str:
    """Stars, `ns` at 0.05 and above, nothing without a p-value.

    >>> star_mark(0.004), star_mark(0.05), star_mark(None)
    ('**', 'ns', '')
    """
    return "" if is_missing(p) else stars(p) or NOT_SIGNIFICANT


def finite(value: Any) -> float | None:
    """A cell as a float; None when it is missing or infinite."""
    found = number_or_none(value)
    return found if found is not None and math.isfinite(found) else None


def factor_rows(run: RunTables, model: str, stratum: str) -> list[FactorRow]:
    """The drivers of a stratum from the largest q to the smallest, those without q last."""
    chosen: dict[str, Row] = {}
    reasons: dict[str, str] = {}
    for row in run.rows("breaks", model=model, stratum=stratum):
        name = text(row.get("driver"))
        if truth(row.get("chosen")):
            chosen[name] = row
        if text(row.get("reason")):
            reasons.setdefault(name, text(row.get("reason")))
    found = []
    for cells in run.rows("q", model=model, stratum=stratum):
        name = text(cells.get("driver"))
        classes = finite(cells.get("n_classes"))
        q = finite(cells.get("q"))
        found.append(
            FactorRow(
                name,
                text(cells.get("group")) or run.groups.get(name, ""),
                text(cells.get("method")),
                None if classes is None else round(classes),
                q,
                **{key: finite(cells.get(key)) for key in ("p_value", "p_max", "q_adjusted", "q_crossfit")},
                **{key: finite(cells.get(key)) for key in ("n", "n_effective", "rank")},
                breaks=text(chosen.get(name, {}).get("breaks")),
                reason=reasons.get(name, "") if q is None else "",
            )
        )
    return by_size(found)


def by_size(rows: Sequence[FactorRow]) -> list[FactorRow]:
    """From the largest q to the smallest, without q last; ties keep their order."""
    return sorted(rows, key=lambda r: (r.q is None, -(r.q or 0.0)))


def by_group(run: RunTables, rows: Sequence[FactorRow]) -> list[FactorRow]:
    """In the order of the study: groups in turn, drivers in turn within them."""
    order = list(run.groups)
    groups = list(dict.fromkeys([*run.groups.values(), *(r.group for r in rows)]))
    place = {name: k for k, name in enumerate(order)}
    return sorted(rows, key=lambda r: (groups.index(r.group), place.get(r.name, len(order))))


def group_rows(run: RunTables, model: str, stratum: str) -> list[FactorRow]:
    """The groups of importance.csv as bars; their classes are those of the two best drivers, crossed."""
    best: dict[str, list[str]] = {}
    for driver in factor_rows(run, model, stratum):
        if driver.q is not None and driver.q > 0:
            best.setdefault(driver.group, []).append(driver.name)
    found = []
    for row in run.rows("importance", model=model, stratum=stratum):
        group = text(row.get("group"))
        if group and not text(row.get("driver")) and text(row.get("measure")) in ("q", ""):
            members = " × ".join(best.get(group, [])[:2])
            found.append(FactorRow(group, group, members, q=finite(row.get("value"))))
    return by_size(found)


def units(run: RunTables) -> dict[str, str]:
    """The unit of every driver, as print shows it."""
    return {str(d.get("name")): unit(d.get("unit")) for d in run.meta.get("drivers") or []}


def response_name(run: RunTables, model: str) -> str:
    """The response of a model, as its tables name it."""
    return (run.responses(model) or [""])[0] or run.response or "the response"


def response_caption(run: RunTables, model: str) -> str:
    """`NEP (g C m⁻² yr⁻¹)`: the response with its unit, where it is the study's own."""
    name = response_name(run, model)
    measure = unit((run.meta.get("response") or {}).get("unit")) if name == run.response else ""
    return f"{name} ({measure})" if measure else name


def with_unit(name: str, of: Mapping[str, str]) -> str:
    """`TEM (°C)`, or the name alone."""
    return f"{name} ({of[name]})" if of.get(name) else name
