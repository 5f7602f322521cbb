"""Sentences on change over years: what rose and fell, how sure that is, and what a test cannot say."""

from __future__ import annotations

from collections.abc import Sequence

from drivers.report.change_rows import (
    OfSeries,
    SureShares,
    area_text,
    asked_option,
    series_of,
    sure_shares,
    way_of,
)
from drivers.report.geodetector_wording import listed
from drivers.report.numbers import coefficient, count, is_missing, number, p_phrase, percent, stratum_label
from drivers.report.run_tables import Row, RunTables, text
from drivers.report.scale_bar import compass, length_words

INTRO = (
    "Each series is read pixel by pixel and as the mean of each stratum. A slope is the Theil–Sen slope, the "
    "median of the slopes between all pairs of years; its test is Mann–Kendall’s, which takes the years as "
    "independent: where one year carries over to the next, it finds too many trends. Shares are shares of "
    "the area."
)
FDR = (
    "With a test in every pixel some come out significant by chance alone. “After FDR” are the pixels that "
    "remain when the false discovery rate over all pixels of the table is held at {alpha} (Benjamini–"
    "Hochberg): of these at most about {alpha} are expected to be false."
)
MEMORY = (
    "The Hurst exponent by rescaled range (R/S) is inflated by trends: a series that rises or falls looks "
    "persistent by its trend alone, so “persistent” beside a significant trend says no more than the trend. "
    "It speaks of memory only where there is no trend."
)
HALF = (
    "An exponent above 0.5 is no sign of memory by itself: short series without any memory mostly have one "
    "(their mean is about 0.6 over 21 years). The classes here come from a test against such series."
)
TWO_TRENDS = (
    "Two series that both have a trend correlate through their trends alone; a correlation here need not "
    "mean that one acts on the other from year to year."
)
SWAP = (
    "Gain is the area that came from other classes, loss what went to others, net their difference. Swap is "
    "the area lost in one place and made up for in another, counted in both: change that net hides."
)
MOST_NAMED = 4
"""Series that the lead names."""
ASKED = {
    "description": "description",
    "trend": "trend",
    "persistence": "persistence",
    "frequency": "years that rose and fell",
    "centre": "centre of gravity",
    "transfer": "transfers between classes",
}
"""Table -> what was asked."""
DASHED = "A dashed line is not significant."
EACH_OWN = "All panels span the same range, each about its own level: slopes can be compared by eye."


def changed_words(run: RunTables) -> str:
    """`NEP and LUCC changed from 2001 to 2020`; empty where the run says nothing of change."""
    found = series_of(run)
    if not found:
        return ""
    names = [f"{s.name} ({s.unit})" if s.unit else s.name for s in found]
    of = listed(names) if len(names) <= MOST_NAMED else f"{len(names)} series"
    years = [year for s in found for year in s.years]
    when = f" from {min(years)} to {max(years)}" if years else ""
    return f"{of} changed{when}"


def asked_words(series: OfSeries) -> dict[str, str]:
    """A series in the list of what was asked: its years, where they are, and what was made of them."""
    years, columns = series.years, text(series.facts.get("columns"))
    when = f"{years[0]} to {years[-1]}, {len(years)} years" if len(years) > 1 else ""
    made = [word for table, word in ASKED.items() if series.rows(table)]
    partners = list(dict.fromkeys(text(row.get("partner")) for row in series.rows("correlation")))
    if partners:
        made.append(f"correlation with {listed(partners)}")
    said = [part for part in (when, f"columns {columns}" if columns else "") if part]
    return {
        "name": series.name,
        "unit": series.unit,
        "words": "; ".join([", ".join(said), listed(made) if made else ""]).strip("; "),
    }


def mean_sentences(series: OfSeries) -> list[str]:
    """The slope of the mean of all pixels, and how strata differ."""
    rows = [row for row in series.rows("series_trend") if not is_missing(row.get("sen_slope"))]
    if not rows:
        return [
            f"No stratum’s mean has a trend: {text(row.get('note'))}."
            for row in series.rows("series_trend")[:1]
            if text(row.get("note"))
        ]
    first, found = rows[0], []
    slope = float(first["sen_slope"])
    years = f"{series.years[0]} to {series.years[-1]}" if series.years else "the first to the last year"
    moved = "rose by" if slope > 0 else "fell by" if slope < 0 else "changed by"
    where = "all pixels" if text(first.get("stratum")) == "all" else stratum_label(first.get("stratum"))
    found.append(
        f"The mean {series.name} of {where} {moved} {number(abs(slope))} {series.per_year} from {years} "
        f"({_test(first)}): {_sure_words(text(first.get('trend_class')))}."
    )
    others = rows[1:]
    if len(others) > 1:
        sure = [row for row in others if _sure(row)]
        up = sum(float(row["sen_slope"]) > 0 for row in sure)
        ordered = sorted(others, key=lambda row: float(row["sen_slope"]))
        found.append(
            f"Of the {len(others)} other strata the mean rose significantly in {up or 'none'} and fell "
            f"significantly in {len(sure) - up or 'none'}. The slope is largest in {_at(ordered[-1])} and "
            f"smallest in {_at(ordered[0])}."
        )
    return found


def _at(row: Row) -> str:
    return f"{stratum_label(row.get('stratum'))} ({number(row.get('sen_slope'))})"


def _sure(row: Row) -> bool:
    name = text(row.get("trend_class"))
    return bool(name) and not name.startswith(("non-", "weakly", "no change", "unknown"))


def _sure_words(name: str) -> str:
    if name.startswith("non-significant"):
        return "not significant, it may be chance"
    if name in ("unknown", ""):
        return "too few years for a test"
    return f"{'an' if name[0] in 'aeio' else 'a'} {name}" if name != "no change" else "no change"


def _test(row: Row) -> str:
    if is_missing(row.get("mk_p")):
        return "not tested"
    return f"Mann–Kendall Z = {coefficient(row.get('mk_z'))}, {p_phrase(row.get('mk_p'))}"


def panel_words(row: Row) -> str:
    """Slope, Z and p of a panel."""
    if is_missing(row.get("sen_slope")):
        return text(row.get("note")) or "no slope"
    slope = number(row.get("sen_slope"))
    signed = slope if slope.startswith("−") or slope == "0" else f"+{slope}"
    if is_missing(row.get("mk_p")):
        return f"slope {signed}, not tested"
    p = p_phrase(row.get("mk_p")).replace("P", "p", 1)
    return f"slope {signed}, Z = {coefficient(row.get('mk_z'))}, {p}"


def trend_sentences(series: OfSeries) -> list[str]:
    """Shares of pixels with a trend, each for itself and after control of the false discovery rate."""
    by = series.by_stratum("trend")
    found = []
    for stratum, rows in list(by.items())[:1]:
        shares = sure_shares(series, rows)
        if shares is None:
            return ["No pixel has a trend: its years are too few."]
        where = "the area" if stratum == "all" else f"the area of {stratum_label(stratum)}"
        found.append(
            f"Each pixel tested for itself, {series.name} rises significantly on {percent(shares.rising)} of "
            f"{where} and falls significantly on {percent(shares.falling)} (|Z| of "
            f"{number(series.sure_from)} or more). {_left(shares)}"
        )
    unknown = sum(int(r["pixels"]) for r in next(iter(by.values()), []) if r.get("trend_class") == "unknown")
    if unknown:
        found.append(f"{count(unknown)} pixels have too few years and are in no share.")
    return found


def _left(shares: SureShares) -> str:
    both = shares.falling_fdr + shares.rising_fdr
    if both <= 0:
        return "After control of the false discovery rate none of it is left: all of it may be chance."
    ways = f"{percent(shares.rising_fdr)} rising and {percent(shares.falling_fdr)} falling"
    return f"After control of the false discovery rate {ways} are left."


def fdr_note(series: OfSeries, method: str = "trend") -> str:
    """What control of the false discovery rate is."""
    alpha = asked_option(series.run, method, "alpha")
    return FDR.format(alpha=percent(0.05 if is_missing(alpha) else alpha).replace(".0", ""))


def memory_sentences(series: OfSeries) -> list[str]:
    """Shares of persistent pixels, with and without a trend of their own."""
    stratum, rows = next(iter(series.by_stratum("persistence").items()), ("", []))
    known = [row for row in rows if not is_missing(row.get("share"))]
    if not known:
        return ["No pixel has a Hurst exponent: its years are too few."]
    by_class = {
        name: sum(float(r["share"]) for r in known if text(r.get("persistence_class")) == name)
        for name in ("persistent", "anti-persistent")
    }
    above = sum(float(r["share"]) * _zero(r.get("hurst_above_half")) for r in known)
    sure = sum(
        float(r["share"]) for r in known if text(r.get("persistence_class")) == "persistent" and _sure(r)
    )
    where = "the area" if stratum == "all" else f"the area of {stratum_label(stratum)}"
    found = [
        f"{percent(by_class['persistent'])} of {where} is persistent by a test against series without "
        f"memory, {percent(by_class['anti-persistent'])} anti-persistent. The exponent is above 0.5 on "
        f"{percent(above)}, which papers read as persistent."
    ]
    if by_class["persistent"] > 0:
        found.append(
            f"Of the persistent area, {percent(sure / by_class['persistent'])} has a significant trend, "
            "which makes it look persistent."
        )
    return found


def _zero(value: object) -> float:
    return 0.0 if is_missing(value) else float(str(value))


def frequency_sentences(series: OfSeries) -> list[str]:
    """How often the mean and the pixels rose and fell."""
    row = next(iter(series.rows("frequency")), None)
    if row is None or is_missing(row.get("steps")):
        return []
    return [
        f"From year to year the mean rose in {count(row.get('rising'))} and fell in "
        f"{count(row.get('falling'))} of {count(row.get('steps'))} steps; a pixel rose in "
        f"{number(row.get('mean_rising'))} of them on average. {percent(row.get('mostly_rising'))} of the "
        f"area rose in more years than it fell, {percent(row.get('mostly_falling'))} fell in more."
    ]


def centre_sentences(series: OfSeries) -> list[str]:
    """How far the centre of gravity moved, and where to."""
    stratum, rows = next(iter(series.by_stratum("centre").items()), ("", []))
    way = way_of(series.run, rows)
    if way is None:
        why = next((text(r.get("note")) for r in rows if text(r.get("note"))), "")
        return [f"There is no centre of gravity: {why}."] if why else []
    first, last = (int(way.rows[k]["year"]) for k in (0, -1))
    of = "" if stratum == "all" else f" in {stratum_label(stratum)}"
    direct, path = (length_words(length, way.measure) for length in (way.direct, way.path))
    towards = f" to the {compass(way.azimuth)}" if way.azimuth is not None else ""
    found = [
        f"The centre of gravity of {series.name}{of} moved {direct}{towards} from {first} to {last}; its "
        f"steps from year to year add up to {path}."
    ]
    if asked_option(series.run, "centre", "weights") == "positive":
        found.append("Only values above 0 weigh: it is the centre of what lies above 0.")
    missing = next((r.get("missing") for r in way.rows if not is_missing(r.get("missing"))), 0)
    if missing:
        found.append(f"{count(missing)} pixels with a hole in any year are left out of all years.")
    return found


def correlation_sentence(series: OfSeries, rows: Sequence[Row]) -> str:
    """The first stratum of a pair of series."""
    row = rows[0]
    partner = text(row.get("partner"))
    if is_missing(row.get("positive")):
        return f"No pixel has a correlation of {series.name} and {partner}."
    found = (
        f"{series.name} and {partner} rise and fall together on {percent(row.get('positive'))} of the area, "
        f"significantly on {percent(row.get('significant_positive'))} ({percent(row.get('fdr_positive'))} "
        f"after FDR); they run against each other on {percent(row.get('negative'))}, significantly on "
        f"{percent(row.get('significant_negative'))} ({percent(row.get('fdr_negative'))} after FDR)."
    )
    if not is_missing(row.get("region_r")):
        found += f" Their means over the years correlate with r = {number(row.get('region_r'))}."
    return found


def transfer_sentence(series: OfSeries, rows: Sequence[Row]) -> str:
    """How much of the area changed its class, and the largest transfer."""
    moved = [row for row in rows if text(row.get("from")) != text(row.get("to"))]
    first, last = rows[0].get("year_from"), rows[0].get("year_to")
    total = sum(_zero(row.get("share")) for row in moved)
    if not moved:
        return f"No pixel changed its class of {series.name} from {first} to {last}."
    known = [row for row in moved if not is_missing(row.get("area"))]
    area = f" ({area_text(series.run, sum(float(r['area']) for r in known))})" if known else ""
    largest = max(moved, key=lambda row: _zero(row.get("share")))
    size = area_text(series.run, largest.get("area")) if known else percent(largest.get("share"))
    return (
        f"From {first} to {last} {percent(total)} of the area{area} changed its class of {series.name}. The "
        f"largest transfer is from {text(largest.get('from'))} to {text(largest.get('to'))}: {size}."
    )
