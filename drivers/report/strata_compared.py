"""The part of the page that sets strata side by side, with tests of difference."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from drivers.report.compared_rows import Panel, panels_of
from drivers.report.compared_wording import INTRO, NAMED, QUANTITIES, family_cautions, sentences
from drivers.report.numbers import exact, is_missing, level_of, percent
from drivers.report.run_tables import Row, RunTables, text
from drivers.report.strata_dots import Dot, strata_dots
from drivers.report.svg import group_colours
from drivers.report.templating import figure_of, render

MOST_STRATA = 8
"""Strata in one figure; more go into further figures."""
MOST_ROWS = 24
"""Groups and drivers in a figure, the largest; the tables have all."""
MOST_PAIRS, OPEN_PAIRS = 60, 12
"""Differences on the page, largest first, and how many of them may stand open."""


class StrataCompared:
    """Estimates by stratum, one test for all strata, and the differences that remain."""

    slug = "strata-compared"
    title = "Strata compared"
    tables: tuple[str, ...] = ("comparison",)

    def figures(self, run: RunTables) -> dict[str, str]:
        """The estimates of each model, family and quantity; paths have none."""
        found: dict[str, str] = {}
        colours = group_colours(g for g in run.groups.values() if g)
        for k, panel in enumerate(panels_of(run)):
            if panel.quantity != "std_path":
                dots = {stratum: _dots(panel, stratum) for stratum in panel.strata}
                for j, strata in enumerate(_paged(panel.strata)):
                    found[_file(panel, k, j)] = _figure(panel, strata, dots, colours)
        return found

    def links(self, run: RunTables) -> list[tuple[str, str]]:
        """None: the section is one part."""
        return []

    def render(self, run: RunTables, figures: Mapping[str, str]) -> Markup:
        """A block per model and family; nothing where the run compares nothing."""
        panels = panels_of(run)
        blocks: dict[tuple[str, str], dict[str, Any]] = {}
        for k, panel in enumerate(panels):
            key = (panel.model, panel.family)
            if key not in blocks:
                blocks[key] = _block(run, panel, [p for p in panels if (p.model, p.family) == key])
            blocks[key]["panels"].append(_shown(panel, k, figures))
        if not blocks:
            return Markup("")
        return render(
            "strata_compared.html", intro=INTRO, blocks=list(blocks.values()), open_pairs=OPEN_PAIRS
        )


def _block(run: RunTables, panel: Panel, mine: list[Panel]) -> dict[str, Any]:
    strata = list(dict.fromkeys(s for p in mine for s in p.strata))
    title = next((text(m.get("title")) for m in run.models if m["name"] == panel.model), "") or panel.model
    return {
        "title": title,
        "family": panel.family,
        "strata": ", ".join(level_of(s, panel.family) for s in strata)
        if len(strata) <= NAMED
        else f"{len(strata)} strata",
        "cautions": family_cautions(run, panel.model, panel.family, strata),
        "panels": [],
    }


def _paged(strata: tuple[str, ...]) -> list[tuple[str, ...]]:
    """The strata in lots of about the same size."""
    lots = -(-len(strata) // MOST_STRATA)
    size = -(-len(strata) // max(lots, 1))
    return [strata[k : k + size] for k in range(0, len(strata), max(size, 1))]


def _file(panel: Panel, k: int, page: int) -> str:
    """A short file name; the number of the panel keeps apart what differs in signs only."""
    parts = (re.sub(r"[^A-Za-z0-9_]+", "-", part).strip("-")[:40] for part in (panel.model, panel.family))
    return "--".join([f"{k + 1:02d}", *parts, panel.quantity]) + (f"-{page + 1}" if page else "") + ".svg"


def _dots(panel: Panel, stratum: str) -> dict[int, Dot]:
    """The numbers of a stratum by row of the figure."""
    words = QUANTITIES[panel.quantity]
    leaders = {(is_group, panel.leader(stratum, is_group)) for is_group in (True, False)}
    dots = {}
    for k, name in enumerate(list(panel.estimates)[:MOST_ROWS]):
        found = panel.estimates[name].get(stratum)
        if found is not None:
            told = [f"{name[1]}, {stratum}: {exact(found.value)}"]
            if found.low is not None and found.high is not None:
                told.append(f"{words.whiskers} {exact(found.low)} to {exact(found.high)}")
            shown, ends = words.shown(found.value), (found.low, found.high)
            dots[k] = Dot(found.value, shown, "\n".join(told), *ends, name in leaders)
    return dots


def _figure(
    panel: Panel,
    strata: Sequence[str],
    dots: Mapping[str, Mapping[int, Dot]],
    colours: Mapping[str, str],
) -> str:
    words = QUANTITIES[panel.quantity]
    names = list(panel.estimates)[:MOST_ROWS]
    heading = words.heading.format(response=panel.response or "the response")
    return strata_dots(
        {stratum: dots[stratum] for stratum in strata},
        [(name, panel.groups[is_group, name]) for is_group, name in names],
        title=f"{heading} — {panel.model}, {panel.family.replace('*', ' × ')}",
        caption=words.caption,
        whiskers=words.whiskers,
        colours=colours,
        groups=sum(1 for is_group, _ in names if is_group),
        beside=[dot for column in dots.values() for dot in column.values()],
    )


def _shown(panel: Panel, k: int, figures: Mapping[str, str]) -> dict[str, Any]:
    words = QUANTITIES[panel.quantity]
    files = [_file(panel, k, page) for page in range(len(_paged(panel.strata)))]
    remaining = panel.remaining
    omnibus = [row for row in panel.omnibus if not is_missing(row.get("p_value"))]
    return {
        "heading": words.heading.format(response=panel.response or "the response"),
        "many": words.many,
        "sentences": sentences(panel),
        "figures": [figure_of(figures[name]) for name in files if name in figures],
        "left_out": max(len(panel.estimates) - MOST_ROWS, 0) if panel.quantity != "std_path" else 0,
        "rows": MOST_ROWS,
        "pairs": [_pair(panel, row) for row in remaining[:MOST_PAIRS]],
        "remaining": len(remaining),
        "omnibus": sorted(omnibus, key=_significance) if len(panel.strata) > 2 else [],
        "points": words.shown is percent,
        "shown": words.shown,
    }


def _pair(panel: Panel, row: Row) -> dict[str, Any]:
    ends = {end: level_of(text(row.get(f"stratum_{end}")), panel.family) for end in "ab"}
    return {**row, "at": ends}


def _significance(row: Row) -> float:
    """ln p, which does not underflow."""
    return float(row["log_p"] if not is_missing(row.get("log_p")) else row["p_value"])
