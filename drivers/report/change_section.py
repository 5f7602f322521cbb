"""The part of the page on change over years: a part per series."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from drivers.report import change_wording as words
from drivers.report.change_figures import MOST_SINGLE, change_figures, figure_name, partners
from drivers.report.change_rows import (
    TABLES,
    UNKNOWN,
    OfSeries,
    area_unit,
    between,
    series_of,
    year_pairs,
)
from drivers.report.distribution_section import spread, spread_rows
from drivers.report.numbers import count, exact, is_missing, number, percent
from drivers.report.picture import stride
from drivers.report.run_tables import Row, RunTables, number_or_none, text
from drivers.report.templating import figure_of, render

AMOUNTS = {
    "before": "before",
    "after": "after",
    "stayed": "stayed",
    "gain": "gain",
    "loss": "loss",
    "net": "net",
    "swap": "swap",
}
MOST_TABLES = 12
"""Strata whose tables stand on the page; the files have all."""

Drawn = Mapping[str, str]


class ChangeOverYears:
    """Means with their slopes, trends and memory of pixels, centres, transfers, correlations."""

    slug = "change-over-years"
    title = "Change over years"
    tables: tuple[str, ...] = TABLES

    def figures(self, run: RunTables) -> dict[str, str]:
        """The figures of every series."""
        return change_figures(run)

    def links(self, run: RunTables) -> list[tuple[str, str]]:
        """The series, for the contents of the page."""
        return [(part_slug(k), series.name) for k, series in enumerate(series_of(run))]

    def render(self, run: RunTables, figures: Drawn) -> Markup:
        """A part per series; nothing where the run says nothing of change."""
        parts = [_part(k, series, figures) for k, series in enumerate(series_of(run))]
        return render("change.html", intro=words.INTRO, parts=parts) if parts else Markup("")


def part_slug(k: int) -> str:
    """Where the part of a series is on the page."""
    return f"{ChangeOverYears.slug}--{k + 1}"


def _part(k: int, series: OfSeries, figures: Drawn) -> dict[str, Any]:
    def drawn(kind: str) -> list[dict[str, Any]]:
        begin = f"{figure_name(k, series.name, kind)}-"
        found = [name for name in figures if name.startswith(begin) and name[len(begin) : -4].isdigit()]
        return [figure_of(figures[name]) for name in found]

    has = {table: bool(series.rows(table)) for table in TABLES}
    years = series.years
    return {
        "slug": part_slug(k),
        "name": series.name,
        "unit": series.unit,
        "years": f"{years[0]} to {years[-1]}" if years else "",
        "means": {"sentences": words.mean_sentences(series), "figures": drawn("means")}
        if has["series_trend"] or has["series"]
        else None,
        "description": series.rows("description"),
        "spread": spread(series.run, series.name, drawn("spread"))
        if spread_rows(series.run, series.name)
        else None,
        "trend": {
            "sentences": words.trend_sentences(series),
            "note": words.fdr_note(series),
            "maps": drawn("trend-map"),
            "maps_words": _map_words(series),
            "figures": drawn("trend"),
        }
        if has["trend"]
        else None,
        "memory": {
            "sentences": words.memory_sentences(series),
            "caution": words.MEMORY,
            "note": words.HALF,
            "maps": drawn("persistence-map"),
            "maps_words": _map_words(series),
            "tables": [
                _memory(series, stratum, rows)
                for stratum, rows in list(series.by_stratum("persistence").items())[:MOST_TABLES]
            ],
        }
        if has["persistence"]
        else None,
        "frequency": {"sentences": words.frequency_sentences(series), "rows": series.rows("frequency")}
        if has["frequency"]
        else None,
        "correlations": [
            {
                "partner": partner,
                "sentences": [words.correlation_sentence(series, _with(series, partner))],
                "figures": drawn(f"correlation-{j + 1}"),
                "note": f"{words.TWO_TRENDS} {words.fdr_note(series, 'correlation')}",
            }
            for j, partner in enumerate(partners(series))
        ],
        "centre": {
            "sentences": words.centre_sentences(series),
            "figures": drawn("centre"),
            "left_out": max(len(series.strata("centre")) - MOST_SINGLE, 0),
        }
        if has["centre"]
        else None,
        "transfers": [
            _transfer(series, pair, drawn(f"transfer-{pair[0]}-{pair[1]}")) for pair in year_pairs(series)
        ],
    }


def _map_words(series: OfSeries) -> str:
    """What a pixel of the maps is."""
    every = max((stride(m.codes) for m in series.run.maps), default=1)
    on_disk = (series.run.meta.get("table") or {}).get("crs")
    files = " The folder maps/ has all columns of change as GeoTIFF." if on_disk else ""
    if every == 1:
        return f"A pixel of the map is a pixel of the table.{files}"
    return f"One pixel of the map stands for {every} by {every} of the table: the one in their middle.{files}"


def _with(series: OfSeries, partner: str) -> list[Row]:
    return [row for row in series.rows("correlation") if text(row.get("partner")) == partner]


def _memory(series: OfSeries, stratum: str, rows: Sequence[Row]) -> dict[str, Any]:
    """Shares of trend × persistence in a stratum; classes of trends without any pixel are left out."""
    known = [row for row in rows if text(row.get("persistence_class")) != UNKNOWN]
    columns = list(dict.fromkeys(text(row.get("persistence_class")) for row in known))
    lines = []
    for name in series.trend_classes:
        mine = {text(r.get("persistence_class")): r for r in known if text(r.get("trend_class")) == name}
        shares = [mine.get(column, {}).get("share") for column in columns]
        sums = [float(share) for share in shares if share is not None and not is_missing(share)]
        if sum(sums) > 0:
            weighed = [
                (float(r["share"]), float(r["hurst"]))
                for r in mine.values()
                if not is_missing(r.get("share")) and not is_missing(r.get("hurst"))
            ]
            hurst = sum(w * h for w, h in weighed) / (sum(w for w, _ in weighed) or 1.0) if weighed else None
            lines.append({"name": name, "shares": shares, "together": sum(sums), "hurst": hurst})
    return {"stratum": stratum, "columns": columns, "rows": lines}


def _transfer(series: OfSeries, pair: tuple[str, str], figures: list[dict[str, Any]]) -> dict[str, Any]:
    run = series.run
    flows = [between(rows, pair) for rows in series.by_stratum("transfer").values()]
    margins = {s: between(rows, pair) for s, rows in series.by_stratum("transfer_classes").items()}
    known = any(not is_missing(row.get("before")) for rows in margins.values() for row in rows)
    more = len({(r.get("year_from"), r.get("year_to")) for r in series.rows("transfer")}) - 1
    measured = f" in {area_unit(run)}" if known else " as shares of the area"
    note = f"All{measured}. {words.SWAP}"
    if more:
        note += f" tables/transfer.csv has {more} more pairs of years."
    return {
        "years": f"{pair[0]} to {pair[1]}",
        "sentences": [words.transfer_sentence(series, flows[0])] if flows and flows[0] else [],
        "figures": figures,
        "heads": [*AMOUNTS.values(), "net, of before"] if known else ["before", "after", "gain", "loss"],
        "tables": [
            {"stratum": stratum, "rows": [_margin(row, known) for row in rows if row.get("before") != 0
                                          or row.get("after") != 0]}
            for stratum, rows in list(margins.items())[:MOST_TABLES]
        ],
        "note": note,
    }  # fmt: skip


def _margin(row: Row, known: bool) -> dict[str, Any]:
    """A class: its areas, or its shares where areas are not known."""
    if not known:
        cells = [row.get(f"share_{name}") for name in ("before", "after", "gain", "loss")]
        shown = [{"shown": percent(cell), "told": exact(cell)} for cell in cells]
    else:
        shown = [{"shown": _amount(row.get(name)), "told": exact(row.get(name))} for name in AMOUNTS]
        before, net = (number_or_none(row.get(name)) for name in ("before", "net"))
        rate = None if not before or net is None else net / before
        shown.append({"shown": percent(rate), "told": exact(rate)})
    return {"name": text(row.get("class")), "cells": shown}


def _amount(value: Any) -> str:
    if is_missing(value):
        return number(value)
    return count(value) if abs(float(value)) >= 100 or float(value).is_integer() else number(value)
