"""What the tables say of boosted trees, as values that figures, sentences and templates share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from drivers.report.geodetector_rows import finite
from drivers.report.run_tables import Row, RunTables, text, truth

MEASURES = ("gain", "shap", "permutation", "shapley")
"""How importance is measured, in the order of the page; the first that a stratum has leads."""


@dataclass(frozen=True, slots=True)
class ShareRow:
    """A driver or a group: its share by measure, and of the leading one rank and spread, as a share too.

    `errors` (in units of the value) and `sampled` (pixels) are those of measures on a sample of pixels.
    """

    name: str
    group: str = ""
    shares: Mapping[str, float] = field(default_factory=dict)
    values: Mapping[str, float] = field(default_factory=dict)
    rank: float | None = None
    spread: float | None = None
    errors: Mapping[str, float] = field(default_factory=dict)
    sampled: Mapping[str, float] = field(default_factory=dict)


def leading(rows: Sequence[ShareRow]) -> str:
    """The measure that the page goes by: relative influence, where it was computed."""
    return next((m for m in MEASURES if any(m in r.shares for r in rows)), MEASURES[0])


def share_rows(run: RunTables, model: str, stratum: str, *, groups: bool = False) -> list[ShareRow]:
    """The drivers of a stratum, or its groups, from the largest share to the smallest."""
    cells: dict[str, dict[str, Row]] = {}
    for row in run.rows("importance", model=model, stratum=stratum):
        driver = text(row.get("driver"))
        name = text(row.get("group")) if groups else driver
        if name and bool(driver) != groups:
            cells.setdefault(name, {})[text(row.get("measure"))] = row
    found = []
    for name, of in cells.items():
        shares, values, errors, sampled = (
            {m: v for m, r in of.items() if (v := finite(r.get(column))) is not None}
            for column in ("share", "value", "std_error", "n")
        )
        lead = next((m for m in MEASURES if m in shares), "")
        spread = finite(of[lead].get("spread")) if lead else None
        if spread is not None:  # in units of the value
            spread = spread * shares[lead] / values[lead] if values.get(lead) else None
        group = next((g for r in of.values() if (g := text(r.get("group")))), run.groups.get(name, ""))
        rank = finite(of[lead].get("rank")) if lead else None
        found.append(ShareRow(name, group, shares, values, rank, spread, errors, sampled))
    lead = leading(found)
    return sorted(found, key=lambda r: (lead not in r.shares, -r.shares.get(lead, 0.0)))


@dataclass(frozen=True, slots=True)
class PairRow:
    """Two drivers: Friedman's H with its strength, and the mean |SHAP interaction| of `sampled` pixels."""

    first: str
    second: str
    h: float | None = None
    strength: float | None = None
    shap: float | None = None
    error: float | None = None
    sampled: float | None = None

    @property
    def name(self) -> str:
        """`TEM × PRE`."""
        return f"{self.first} × {self.second}"


def pair_rows(run: RunTables, model: str, stratum: str) -> list[PairRow]:
    """The pairs of a stratum that have a number, from the one that moves most to the one that moves least.

    H of two weak drivers is large by itself, so its strength goes before it.
    """
    named: dict[frozenset[str], tuple[str, str]] = {}
    cells: dict[frozenset[str], dict[str, Row]] = {}
    for row in run.rows("tree_interactions", model=model, stratum=stratum):
        a, b = text(row.get("driver_a")), text(row.get("driver_b"))
        key = frozenset((a, b))
        named.setdefault(key, (a, b))
        # Tables from before there were SHAP interactions may not say what they measure.
        cells.setdefault(key, {})[text(row.get("measure")) or "h_statistic"] = row
    found = []
    for key, of in cells.items():
        h, shap = of.get("h_statistic", {}), of.get("shap", {})
        numbers = (h.get("value"), h.get("strength"), shap.get("value"), shap.get("std_error"), shap.get("n"))
        row_of = PairRow(*named[key], *(finite(value) for value in numbers))
        if row_of.h is not None or row_of.shap is not None:
            found.append(row_of)
    return sorted(found, key=lambda p: (-(p.strength or 0.0), -(p.shap or 0.0), -(p.h or 0.0)))


@dataclass(frozen=True, slots=True)
class Simplified:
    """From all drivers to those of the forest: the steps, which drivers went, and of how many."""

    steps: tuple[Row, ...]
    dropped: tuple[str, ...]
    total: int


def simplified(run: RunTables, model: str, stratum: str) -> Simplified | None:
    """The steps in which drivers were dropped; None where that was not tried, or no step was chosen."""
    rows = run.rows("simplify", model=model, stratum=stratum)
    steps = sorted(rows, key=lambda r: finite(r.get("step")) or 0.0)
    chosen = next((k for k, r in enumerate(steps) if truth(r.get("chosen"))), None)
    if chosen is None:
        return None
    dropped = tuple(name for r in steps[: chosen + 1] if (name := text(r.get("driver"))))
    left = finite(steps[chosen].get("n_drivers"))
    total = finite(steps[0].get("n_drivers")) if left is None else left + len(dropped)
    return Simplified(
        tuple({**r, "is_chosen": k == chosen} for k, r in enumerate(steps)), dropped, round(total or 0.0)
    )


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of trees to list, and how many were tried and given up on their first folds."""

    listed: tuple[Row, ...]
    tried: int
    given_up: int


def settings(rows: Sequence[Row], most: int) -> Settings:
    """All settings in their order; of more than `most` the best by deviance, and the chosen one in any case.

    A deviance of fewer folds is not to be compared with that of all, so what was given up stands last.
    """
    folds = [finite(r.get("folds")) for r in rows]
    whole = max((n for n in folds if n is not None), default=None)
    told = [
        {
            **row,
            "is_chosen": truth(row.get("chosen")),
            "given_up": None if n is None or whole is None or n >= whole else n,
        }
        for row, n in zip(rows, folds, strict=True)
    ]
    given_up = sum(r["given_up"] is not None for r in told)
    if len(told) <= most:
        return Settings(tuple(told), len(told), given_up)
    by = "deviance" if any(finite(r.get("deviance")) is not None for r in told) else "rmse"
    far = float("inf")

    def place(row: Row) -> tuple[bool, float]:
        value = finite(row.get(by))
        return row["given_up"] is not None, far if value is None else value

    ordered = sorted(told, key=place)
    late = [r for r in ordered[most:] if r["is_chosen"]]
    return Settings((*ordered[:most], *late), len(told), given_up)
