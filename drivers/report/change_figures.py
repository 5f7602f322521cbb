"""The figures of change over years, by short file names that tell the section what they belong to."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from drivers.maps import ClassMap
from drivers.report.centre_track import Stop, centre_track
from drivers.report.change_rows import (
    OfSeries,
    area_text,
    between,
    series_of,
    sure_shares,
    way_of,
    year_pairs,
)
from drivers.report.change_wording import DASHED, EACH_OWN, panel_words
from drivers.report.class_bars import Beside, class_bars
from drivers.report.class_colours import FALLING, RISING, class_colour
from drivers.report.distribution_section import violin_figures
from drivers.report.flow import Flow, Side, flow
from drivers.report.numbers import exact, is_missing, percent, stratum_label
from drivers.report.picture import picture
from drivers.report.run_tables import Row, RunTables, number_or_none, text
from drivers.report.scale_bar import compass, length_words
from drivers.report.series_panels import Panel, series_panels, span_of

MOST_PANELS, MOST_BARS = 12, 24
"""Strata in one figure; more go into further figures."""
MOST_SINGLE = 12
"""Strata that have a track or a flow of their own on the page."""
SIGNS = (
    ("significant negative", FALLING[2]),
    ("negative", FALLING[0]),
    ("positive", RISING[0]),
    ("significant positive", RISING[2]),
)


def figure_name(k: int, series: str, kind: str) -> str:
    """How the names of the figures of a kind begin; `k` keeps apart series that differ in signs only.

    >>> figure_name(0, "NEP (<b>)", "means")
    '01--NEP-b--means'
    """
    plain = re.sub(r"[^A-Za-z0-9_]+", "-", series).strip("-")[:30] or "x"
    return f"{k + 1:02d}--{plain}--{kind}"


def change_figures(run: RunTables) -> dict[str, str]:
    """All figures of all series."""
    found: dict[str, str] = {}
    for k, series in enumerate(series_of(run)):
        kinds: dict[str, Iterable[str]] = {
            "means": _means(series),
            "trend": _trend(series),
            "trend-map": _maps(series, "trend_class", "Trend of"),
            "persistence-map": _maps(series, "persistence_class", "Persistence of"),
            "centre": _centres(series),
            **{f"correlation-{j + 1}": _signs(series, p) for j, p in enumerate(partners(series))},
            **{f"transfer-{a}-{b}": _flows(series, a, b) for a, b in year_pairs(series)},
        }
        found |= violin_figures(run, series.name, figure_name(k, series.name, "spread"), series.unit)
        for kind, drawn in kinds.items():
            begin = figure_name(k, series.name, kind)
            found |= {f"{begin}-{j + 1}.svg": figure for j, figure in enumerate(drawn)}
    return found


def partners(series: OfSeries) -> list[str]:
    """The series that one is correlated with."""
    return list(dict.fromkeys(text(row.get("partner")) for row in series.rows("correlation")))


def lots(strata: Sequence[str], most: int) -> list[list[str]]:
    """Strata in lots of about the same size, none larger than `most`.

    >>> [len(lot) for lot in lots([str(k) for k in range(14)], 12)]
    [7, 7]
    """
    many = -(-len(strata) // most)
    size = -(-len(strata) // max(many, 1))
    return [list(strata[k : k + size]) for k in range(0, len(strata), max(size, 1))]


def _means(series: OfSeries) -> list[str]:
    means, trends = series.by_stratum("series"), series.by_stratum("series_trend")
    panels = [_panel(stratum, rows, (trends.get(stratum) or [{}])[0]) for stratum, rows in means.items()]
    panels = [panel for panel in panels if panel.years]
    span = span_of(panels)
    said = [f"{series.unit}." if series.unit else "", EACH_OWN if len(panels) > 1 else "", DASHED]
    caption = " ".join(part for part in said if part)
    of = {panel.stratum: panel for panel in panels}
    return [
        series_panels([of[s] for s in lot], title=f"{series.name} over years", caption=caption, span=span)
        for lot in lots(list(of), MOST_PANELS)
    ]


def _panel(stratum: str, rows: Sequence[Row], trend: Row) -> Panel:
    known = sorted((r for r in rows if not is_missing(r.get("year"))), key=lambda r: float(r["year"]))
    p = number_or_none(trend.get("mk_p"))
    words = panel_words(trend) if trend else ""
    return Panel(
        stratum,
        [float(r["year"]) for r in known],
        [number_or_none(r.get("area_mean")) for r in known],
        number_or_none(trend.get("sen_slope")),
        number_or_none(trend.get("sen_intercept")),
        words,
        p is not None and p <= 0.05,
        f"{stratum}: {words}" if words else stratum,
    )


def _trend(series: OfSeries) -> list[str]:
    classes = series.trend_classes
    shares, left = {}, {}
    for stratum, rows in series.by_stratum("trend").items():
        of = {text(r.get("trend_class")): number_or_none(r.get("share")) for r in rows}
        known = any(of.get(name) is not None for name in classes)
        shares[stratum] = [of.get(name) or 0.0 for name in classes] if known else []
        left[stratum] = sure_shares(series, rows)
    return [
        class_bars(
            {s: shares[s] for s in lot},
            [(name, class_colour(name)) for name in classes],
            title=f"Trend of {series.name}: shares of the area",
            beside=[
                Beside("falling", {s: percent(v.falling_fdr) for s in lot if (v := left[s]) is not None}),
                Beside("rising", {s: percent(v.rising_fdr) for s in lot if (v := left[s]) is not None}),
            ],
            over="left after FDR",
        )
        for lot in lots(list(shares), MOST_BARS)
        if classes
    ]


def _signs(series: OfSeries, partner: str) -> list[str]:
    rows = {
        text(r.get("stratum")): r for r in series.rows("correlation") if text(r.get("partner")) == partner
    }

    def shares(row: Row) -> list[float]:
        names = ("significant_negative", "negative", "positive", "significant_positive")
        down, negative, positive, up = (number_or_none(row.get(name)) or 0.0 for name in names)
        known = not is_missing(row.get("positive"))
        return [down, max(negative - down, 0.0), max(positive - up, 0.0), up] if known else []

    return [
        class_bars(
            {s: shares(rows[s]) for s in lot},
            SIGNS,
            title=f"Correlation of {series.name} and {partner}: shares of the area",
            beside=[
                Beside(word, {s: percent(rows[s].get(f"fdr_{word}")) for s in lot})
                for word in ("negative", "positive")
            ],
            over="significant after FDR",
        )
        for lot in lots(list(rows), MOST_BARS)
    ]


def _maps(series: OfSeries, kind: str, words: str) -> list[str]:
    shown = next((m for m in series.run.maps if m.name == f"{series.name}_{kind}"), None)
    if shown is None or not (shown.codes > ClassMap.UNKNOWN).any():
        return []
    return [picture(shown, title=f"{words} {series.name}", measure="km" if shown.in_km else "units")]


def single_strata(series: OfSeries, table: str) -> list[str]:
    """The strata that have a figure of their own."""
    return series.strata(table)[:MOST_SINGLE]


def _centres(series: OfSeries) -> list[str]:
    by = series.by_stratum("centre")
    found = []
    for stratum in single_strata(series, "centre"):
        way = way_of(series.run, by[stratum])
        if way is None:
            continue
        stops = [
            Stop(int(row["year"]), east, north, _stop_words(row, way.scale, way.measure))
            for row, (east, north) in zip(way.rows, way.flat(), strict=True)
        ]
        to = f" to the {compass(way.azimuth)}" if way.azimuth is not None else ""
        direct, path = (length_words(length, way.measure) for length in (way.direct, way.path))
        caption = f"{direct}{to}, {path} step by step"
        title = f"{series.name}, {stratum_label(stratum)}"
        found.append(centre_track(stops, title=title, caption=caption, measure=way.measure))
    return found


def _stop_words(row: Row, scale: float, measure: str) -> str:
    words = f"{int(row['year'])}: easting {exact(row.get('easting'))}, northing {exact(row.get('northing'))}"
    step = number_or_none(row.get("distance"))
    if step is None:
        return words
    azimuth = number_or_none(row.get("azimuth"))
    to = f" to the {compass(azimuth)}" if azimuth is not None else ""
    return f"{words}\n{length_words(step * scale, measure)}{to} from the year before"


def _flows(series: OfSeries, first: str, last: str) -> list[str]:
    flows, margins = series.by_stratum("transfer"), series.by_stratum("transfer_classes")
    classes = list(dict.fromkeys(text(r.get("class")) for r in series.rows("transfer_classes")))
    found = []
    for stratum in single_strata(series, "transfer"):
        rows = between(flows[stratum], (first, last))
        both = [text(r.get(end)) for r in rows for end in ("from", "to")]
        if rows and any(not is_missing(r.get("share")) for r in rows):
            known = between(margins.get(stratum, []), (first, last))
            found.append(
                flow(
                    list(dict.fromkeys([*classes, *both])),
                    [_flow(series.run, row) for row in rows],
                    Side(first, _labels(series.run, known, "before")),
                    Side(last, _labels(series.run, known, "after")),
                    title=f"{series.name}, {stratum_label(stratum)}",
                )
            )
    return found


def _flow(run: RunTables, row: Row) -> Flow:
    origin, end = text(row.get("from")), text(row.get("to"))
    size = percent(row.get("share"))
    if not is_missing(row.get("area")):
        size = f"{area_text(run, row.get('area'))}, {size}"
    words = f"{origin} stayed" if origin == end else f"{origin} → {end}"
    return Flow(origin, end, number_or_none(row.get("share")) or 0.0, f"{words}: {size}")


def _labels(run: RunTables, rows: Sequence[Row], when: str) -> Mapping[str, str]:
    found = {}
    for row in rows:
        area, share = row.get(when), row.get(f"share_{when}")
        size = percent(share) if is_missing(area) else area_text(run, area)
        found[text(row.get("class"))] = f"{text(row.get('class'))}  {size}"
    return found
