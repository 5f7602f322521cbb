"""Effects of drivers and of groups in the section of a path model: bars, and a line for each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from drivers.report.bars import Effect, effect_bars
from drivers.report.numbers import stratum_label, unit
from drivers.report.psem_graph import driver_effects, group_effects
from drivers.report.run_tables import Row, RunTables, text

BARS = (("drivers", driver_effects), ("groups", group_effects))
"""Whose effects are drawn and listed, and where they come from."""


def effect_figures(
    run: RunTables, model: str, stratum: str, responses: Sequence[str], colours: Mapping[str, str]
) -> dict[str, str]:
    """The bars of each response, of drivers and of groups, where there are effects."""
    found = {}
    for k, response in enumerate(responses):
        on = f" on {response}" if len(responses) > 1 else ""
        for who, effects_of in BARS:
            if effects := effects_of(run, model, stratum, response):
                title = f"Effects of the {who}{on} — {stratum_label(stratum)}"
                found[_bars(who, k)] = effect_bars(effects, title=title, response=response, colours=colours)
    return found


def effect_blocks(
    run: RunTables, model: str, stratum: str, responses: Sequence[str], figures: Mapping[str, str]
) -> list[dict[str, Any]]:
    """What the tables hold of each response's effects: bars, and a line per group and per driver."""
    found = []
    for k, response in enumerate(responses):
        rows = run.rows("effects", model=model, stratum=stratum, response=response)
        if rows:
            block = {who: _totals(run, of(run, model, stratum, response), rows) for who, of in BARS}
            bars = [_bars(who, k) for who, _ in BARS if _bars(who, k) in figures]
            found.append({"response": response, "bars": bars, **block})
    return found


def total_effects(
    run: RunTables, model: str, strata: Sequence[str], responses: Iterable[str]
) -> list[tuple[str, list[tuple[str, list[tuple[Any, Any]]]]]]:
    """The total effects on each response, groups before drivers: a heading, then rows by stratum."""
    found = []
    for response in responses:
        for who, effects_of in reversed(BARS):
            columns = [{e.name: e for e in effects_of(run, model, s, response)} for s in strata]
            heading = f"Total effects of the {who} on {response}"
            found.append((heading, side_by_side(columns, lambda e: (e.total, e.p_value))))
    return found


def side_by_side(
    columns: list[dict[str, Any]], pick: Callable[[Any], tuple[Any, Any]]
) -> list[tuple[str, list[tuple[Any, Any]]]]:
    """Rows by name in order of first appearance; a stratum without the row has an empty cell."""
    names = dict.fromkeys(name for column in columns for name in column)
    return [
        (name, [pick(column[name]) if name in column else (None, None) for column in columns])
        for name in names
    ]


def _bars(who: str, k: int) -> str:
    """The file name of the bars of the k-th response; the first needs no number."""
    return f"effects-{who}-{k + 1}.svg" if k else f"effects-{who}.svg"


def _totals(run: RunTables, effects: list[Effect], rows: list[Row]) -> list[dict[str, Any]]:
    """One line per driver: standardised effects, and the total in the units of the table."""
    units = {str(d.get("name")): unit(d.get("unit")) for d in run.meta.get("drivers") or []}
    response = text(rows[0].get("response"))
    measure = unit((run.meta.get("response") or {}).get("unit")) or "1"
    if response != run.response:  # `log(rich)`, or another variable: its unit is not the response's
        measure = units.get(response) or response
    lines = []
    for effect in sorted(effects, key=lambda e: -abs(e.total or 0.0)):
        raw = next(
            (
                r
                for r in rows
                if r.get("kind") == "total"
                and effect.name
                in (text(r.get("driver")), "" if text(r.get("driver")) else text(r.get("group")))
            ),
            {},
        )
        per = units.get(effect.name, "")
        lines.append({"effect": effect, "raw": raw, "unit": f"{measure} per {per}" if per else ""})
    return lines
