"""What the tables of change say of one series: rows by stratum, and the numbers that figures draw."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from drivers.report.numbers import MISSING, is_missing, unit
from drivers.report.run_tables import Row, RunTables, number_or_none, text

TABLES = (
    *("series_trend", "series", "description", "trend", "persistence", "frequency", "frequency_years"),
    *("centre", "transfer", "transfer_classes", "correlation"),
)
"""The tables of change; any of them makes a part of the page."""
UNKNOWN = "unknown"
EARTH_RADIUS = 6371.0088
AREA_UNITS = {"km2": "km²", "squared units of the coordinates": "squared units of the coordinates"}


@dataclass(frozen=True)
class OfSeries:
    """One series of a run.

    Attributes
    ----------
    run : the tables
    name : of the series
    """

    run: RunTables
    name: str

    def rows(self, table: str) -> list[Row]:
        """The rows of a table that are about the series."""
        return [row for row in self.run.rows(table) if text(row.get("series")) == self.name]

    @cached_property
    def facts(self) -> Mapping[str, object]:
        """What run.json says of the series."""
        return next((s for s in _facts(self.run).get("series") or [] if s.get("name") == self.name), {})

    @property
    def unit(self) -> str:
        """Of its values, as print shows it."""
        return unit(self.facts.get("unit"))

    @property
    def per_year(self) -> str:
        """Of its slopes."""
        return f"{self.unit} per year" if self.unit else "per year"

    @property
    def years(self) -> list[int]:
        """All years of the series."""
        told = self.facts.get("years")
        if isinstance(told, list) and told:
            return [int(year) for year in told]
        found = {int(r[c]) for t, c in (("series", "year"), ("centre", "year"), ("transfer", "year_from"),
                                        ("transfer", "year_to"))
                 for r in self.rows(t) if not is_missing(r.get(c))}  # fmt: skip
        return sorted(found)

    def strata(self, table: str) -> list[str]:
        """The strata of a table in its order."""
        return list(dict.fromkeys(text(row.get("stratum")) for row in self.rows(table)))

    def by_stratum(self, table: str) -> dict[str, list[Row]]:
        """Its rows by stratum."""
        found: dict[str, list[Row]] = {}
        for row in self.rows(table):
            found.setdefault(text(row.get("stratum")), []).append(row)
        return found

    @cached_property
    def trend_classes(self) -> list[str]:
        """Classes of trends from the surest decrease to the surest increase, without `unknown`."""
        rows = self.rows("trend") or self.rows("persistence")
        names = dict.fromkeys(text(row.get("trend_class")) for row in rows)
        return [name for name in names if name != UNKNOWN]

    @property
    def sure_from(self) -> float | None:
        """|Z| from which on a pixel counts as significant: where the class of that name begins."""
        found = [
            float(row["z_from"])
            for row in self.rows("trend")
            if text(row.get("trend_class")) in ("significant decrease", "significant increase")
            and not is_missing(row.get("z_from"))
        ]
        return min(found, default=None)


def _facts(run: RunTables) -> Mapping[str, list[Mapping[str, object]]]:
    found = run.meta.get("change")
    return found if isinstance(found, Mapping) else {}


def series_of(run: RunTables) -> list[OfSeries]:
    """The series that the tables have something on, in the order of the study."""
    told = [str(s.get("name")) for s in _facts(run).get("series") or []]
    there = dict.fromkeys(text(row.get("series")) for table in TABLES for row in run.rows(table))
    return [OfSeries(run, name) for name in dict.fromkeys([*told, *there]) if name in there and name]


def asked_option(run: RunTables, method: str, option: str) -> object:
    """What the study asked of a method of change; None where run.json does not say."""
    asked = (run.meta.get("change") or {}).get("asked") or {}
    return (asked.get(method) or {}).get(option)


def area_unit(run: RunTables) -> str:
    """The unit of areas; empty where they are not known."""
    found = text((run.meta.get("change") or {}).get("area_unit"))
    return AREA_UNITS.get(found, found)


def area_text(run: RunTables, value: object) -> str:
    """An area with its unit; missing where it is not known."""
    known = number_or_none(value)
    if known is None or not math.isfinite(known):
        return MISSING
    from drivers.report.numbers import count, number

    words = count(known) if abs(known) >= 100 or float(known).is_integer() else number(known)
    return f"{words} {area_unit(run)}".rstrip()


def year_pairs(series: OfSeries) -> list[tuple[str, str]]:
    """The years whose transfers the page shows: the first and the last."""
    rows = [r for r in series.rows("transfer") if not is_missing(r.get("year_from"))]
    pairs = {(int(r["year_from"]), int(r["year_to"])) for r in rows}
    if not pairs:
        return []
    first, last = max(pairs, key=lambda pair: (pair[1] - pair[0], -pair[0]))
    return [(str(first), str(last))]


def between(rows: Iterable[Row], years: tuple[str, str]) -> list[Row]:
    """The rows of a pair of years."""
    return [row for row in rows if (text_of(row, "year_from"), text_of(row, "year_to")) == years]


def text_of(row: Row, column: str) -> str:
    """A year as text, whole also where missing years beside it made it a double."""
    value = row.get(column)
    return "" if is_missing(value) else str(int(float(str(value))))


def changed_classes(run: RunTables) -> list[Row]:
    """Classes of the first stratum of every series, between the first and the last year that were compared.

    Areas, or shares of the area where these are not known.
    """
    found: list[Row] = []
    for series in series_of(run):
        strata = series.strata("transfer_classes")
        for pair in year_pairs(series):
            rows = [r for r in series.rows("transfer_classes") if text(r.get("stratum")) == strata[0]]
            found += between(rows, pair)
    return found


@dataclass(frozen=True, slots=True)
class SureShares:
    """Shares of the area of a stratum with a significant trend: each pixel for itself, and after FDR."""

    falling: float
    rising: float
    falling_fdr: float
    rising_fdr: float


def sure_shares(series: OfSeries, rows: Sequence[Row]) -> SureShares | None:
    """The sums over the significant classes of a stratum; None where no pixel has a trend."""
    least = series.sure_from
    known = [row for row in rows if not is_missing(row.get("share"))]
    if least is None or not known:
        return None
    found = {}
    for way in ("decrease", "increase"):
        mine = [row for row in known if text(row.get("trend_class")).endswith(way)]
        sure = [row for row in mine if not is_missing(row.get("z_from")) and float(row["z_from"]) >= least]
        found[way] = sum(float(row["share"]) for row in sure)
        found[f"{way} fdr"] = sum(number_or_none(row.get("share_fdr")) or 0.0 for row in mine)
    return SureShares(found["decrease"], found["increase"], found["decrease fdr"], found["increase fdr"])


@dataclass(frozen=True, slots=True)
class Way:
    """A centre's way over the years.

    Attributes
    ----------
    rows : of the years with a centre, in their order
    measure : unit of the distances
    scale : of a unit of the coordinates, and of `distance`, in `measure`
    direct : from the first to the last centre
    azimuth : of that, in degrees; None without movement
    path : all steps together
    """

    rows: list[Row]
    measure: str
    scale: float
    direct: float
    azimuth: float | None
    path: float
    geographic: bool

    def flat(self) -> list[tuple[float, float]]:
        """East and north of each centre in `measure`."""
        if not self.geographic:
            return [(float(r["easting"]) * self.scale, float(r["northing"]) * self.scale) for r in self.rows]
        degree = math.radians(EARTH_RADIUS)
        middle = math.cos(math.radians(sum(float(r["northing"]) for r in self.rows) / len(self.rows)))
        first = float(self.rows[0]["easting"])
        # The short way round: a track may cross the date line.
        east = [(float(r["easting"]) - first + 180.0) % 360.0 - 180.0 for r in self.rows]
        return [
            (e * degree * middle, float(r["northing"]) * degree) for e, r in zip(east, self.rows, strict=True)
        ]


def way_of(run: RunTables, rows: Sequence[Row]) -> Way | None:
    """The way of a stratum's centre; None where there is none, or a single year."""
    known = [r for r in rows if not is_missing(r.get("easting")) and not is_missing(r.get("year"))]
    if len(known) < 2:
        return None
    geographic = run.geographic
    metres = number_or_none((run.meta.get("change") or {}).get("metres"))
    measure, scale = ("km", 1.0) if geographic else ("units", 1.0)
    if metres is not None and not geographic:
        measure, scale = "km", metres / 1000.0
    path = sum(number_or_none(r.get("distance")) or 0.0 for r in known) * scale
    way = Way(known, measure, scale, 0.0, None, path, geographic)
    (x0, y0), (x1, y1) = (way.flat()[k] for k in (0, -1))
    direct = math.hypot(x1 - x0, y1 - y0)
    azimuth = math.degrees(math.atan2(x1 - x0, y1 - y0)) % 360.0 if direct > 0 else None
    return Way(known, measure, scale, direct, azimuth, path, geographic)
