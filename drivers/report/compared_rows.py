"""From the tables of comparison to panels: one number of every driver, in all strata of a family."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from drivers.report.numbers import is_missing
from drivers.report.psem_graph import standardised_interval
from drivers.report.run_tables import Row, RunTables, first, number_or_none, text, truth

COMPARED = ("std_total_effect", "q", "influence", "std_path")
"""The quantities of comparison.csv that the page shows, in its order; the table has raw ones too."""
LEVEL = 0.05
"""The false discovery rate at which a difference counts."""
ERRORS_EITHER_SIDE = 2.0
"""Standard errors that a whisker goes to each side, of numbers whose tables hold no interval."""

Name = tuple[bool, str]
"""Whether it is a group (or a composite that stands for one), and its name."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number in a stratum, and how far its whisker goes."""

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Panel:
    """One quantity of one model in the strata of one family.

    Attributes
    ----------
    strata : their labels, in the order of the run
    estimates : by name, then by stratum; largest first, groups before drivers
    groups : the group of each name
    differences, omnibus : the rows of comparison.csv and of comparison_omnibus.csv, each with its `name`
    agreement : the row of rank_agreement.csv; empty where there is none
    """

    model: str
    family: str
    quantity: str
    response: str
    strata: tuple[str, ...]
    estimates: Mapping[Name, Mapping[str, Estimate]]
    groups: Mapping[Name, str]
    differences: Sequence[Row]
    omnibus: Sequence[Row]
    agreement: Row

    @property
    def tested(self) -> list[Row]:
        """The differences that have a test."""
        return [row for row in self.differences if not is_missing(row.get("p_adjusted"))]

    @property
    def remaining(self) -> list[Row]:
        """The differences that remain after adjustment, largest first."""
        kept = [row for row in self.tested if float(row["p_adjusted"]) < LEVEL]
        return sorted(kept, key=lambda row: -abs(float(row["difference"])))

    def leaders(self, groups: bool) -> dict[str, list[str]]:
        """The strongest groups or drivers, each with the strata in which it is the strongest."""
        found: dict[str, list[str]] = {}
        for stratum in self.strata:
            best = self.leader(stratum, groups)
            if best is not None:
                found.setdefault(best, []).append(stratum)
        return found

    def leader(self, stratum: str, groups: bool) -> str | None:
        """The group or driver with the largest size in a stratum; None where there are not two of them."""
        sizes = {
            name: abs(mine[stratum].value)
            for (is_group, name), mine in self.estimates.items()
            if is_group == groups and stratum in mine
        }
        return max(sizes, key=lambda name: sizes[name]) if len(sizes) > 1 else None


def panels_of(run: RunTables) -> list[Panel]:
    """All panels, by model, family and quantity, in the order of the tables."""
    found: dict[tuple[str, str, str, str], list[Row]] = {}
    for row in run.rows("comparison"):
        if not is_missing(row.get("difference")):
            key = (text(row.get("model")), text(row.get("stratum")), text(row.get("quantity")))
            response = text(row.get("response")) if key[2] != "std_path" else ""
            found.setdefault((*key, response), []).append(row)
    order = {quantity: k for k, quantity in enumerate(COMPARED)}
    models = {str(model["name"]): k for k, model in enumerate(run.models)}
    families = {family: k for k, family in enumerate(dict.fromkeys(key[1] for key in found))}
    wanted = [key for key in found if key[2] in order and _is_shown(run, key)]
    wanted.sort(key=lambda key: (models.get(key[0], len(models)), families[key[1]], order[key[2]]))
    return [_panel(run, key, found[key]) for key in wanted]


def _is_shown(run: RunTables, key: tuple[str, str, str, str]) -> bool:
    """Total effects on what the model is about; those on what stands between are in the table."""
    model, _, quantity, response = key
    wanted = run.effect_responses(model)
    return quantity != "std_total_effect" or not wanted or response in wanted


def _panel(run: RunTables, key: tuple[str, str, str, str], rows: list[Row]) -> Panel:
    model, family, quantity, response = key
    strata = _in_order(run, (text(row.get(end)) for row in rows for end in ("stratum_a", "stratum_b")))
    composites = {
        text(row.get("response")) for row in run.rows("coefficients", model=model) if row.get("op") == "<~"
    }
    sources = {stratum: _intervals(run, model, stratum, quantity, response) for stratum in strata}
    found: dict[Name, dict[str, Estimate]] = {}
    groups: dict[Name, str] = {}
    rows = [_named(row, quantity, composites) for row in rows]
    for row in rows:
        name = (bool(row["is_group"]), str(row["name"]))
        groups.setdefault(name, text(row.get("group")))
        for end in "ab":
            stratum, value = text(row.get(f"stratum_{end}")), number_or_none(row.get(f"estimate_{end}"))
            if value is not None:
                low, high = sources[stratum].get(name[1], (None, None))
                found.setdefault(name, {})[stratum] = Estimate(value, low, high)
    order = sorted(found, key=lambda n: (not n[0], -max(abs(e.value) for e in found[n].values())))

    def matching(table: str) -> list[Row]:
        mine = run.rows(table, model=model, stratum=family, quantity=quantity)
        kept = [row for row in mine if quantity == "std_path" or text(row.get("response")) == response]
        return [_named(row, quantity, composites) for row in kept]

    return Panel(
        *(model, family, quantity, response, strata),
        {name: found[name] for name in order},
        groups,
        rows,
        matching("comparison_omnibus"),
        first(matching("rank_agreement")) if quantity != "std_path" else {},
    )


def _in_order(run: RunTables, labels: Iterable[str]) -> tuple[str, ...]:
    """Each once, in the order of the run; what the run does not know (another run) comes as it appears."""
    seen = dict.fromkeys(labels)
    known = [stratum for stratum in run.strata if stratum in seen]
    return (*known, *(label for label in seen if label not in known))


def _named(row: Row, quantity: str, composites: set[str]) -> Row:
    """The row with `name`, its driver, group or path, and `is_group`."""
    driver = text(row.get("driver"))
    name = driver or text(row.get("group"))
    if quantity == "std_path":
        return {**row, "name": f"{name} → {text(row.get('response'))}", "is_group": False}
    return {**row, "name": name, "is_group": not driver or driver in composites}


def _intervals(
    run: RunTables, model: str, stratum: str, quantity: str, response: str
) -> dict[str, tuple[float | None, float | None]]:
    """How far the whisker of every driver goes in a stratum, by name."""
    found: dict[str, tuple[float | None, float | None]] = {}
    if quantity == "std_total_effect":
        for row in run.rows("effects", model=model, stratum=stratum, response=response, kind="total"):
            found[text(row.get("driver"))] = standardised_interval(row)
    elif quantity == "q":
        for row in run.rows("q", model=model, stratum=stratum):
            found[text(row.get("driver"))] = _either_side(row, "q", "std_error")
    elif quantity == "influence":
        for row in run.rows("importance", model=model, stratum=stratum, measure="gain"):
            name = text(row.get("driver")) or text(row.get("group"))
            found[name] = _either_side(row, "share", "share_error")
    return found


def _either_side(row: Row, value: str, error: str) -> tuple[float | None, float | None]:
    """Of numbers that are never negative."""
    at, se = number_or_none(row.get(value)), number_or_none(row.get(error))
    if at is None or se is None:
        return None, None
    return max(at - ERRORS_EITHER_SIDE * se, 0.0), at + ERRORS_EITHER_SIDE * se


def selecting(run: RunTables, strata: Sequence[str]) -> list[str]:
    """Those of some strata that are cut on the response."""
    cut = {text(row.get("stratum")) for row in run.rows("strata") if truth(row.get("selects_on_response"))}
    return [stratum for stratum in strata if stratum in cut]
