"""Where change over years can say nothing: rows with a reason, warnings, and tables that are refused."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from test_change_run import PIXEL, changed, pixels, rows

from drivers.change import change_columns
from drivers.errors import TableError
from drivers.spec import read_spec


def test_negative_weights_are_a_row_with_a_reason(project: Any) -> None:
    frame = pixels(holes=0.0)
    frame.loc[0, "NEP_2003"] = -5.0
    found = changed(project, frame, {"centre": "NEP", "zones": "zone"}, pixel=PIXEL)
    assert len(rows(found, "centre", stratum="zone=z1")) == 15
    refused = rows(found, "centre", stratum="zone=z0")
    reason = (
        "1 of 300 values are negative, and a centre of gravity with negative weights can lie anywhere; "
        "`weights: positive` counts them as 0"
    )
    assert refused.note.tolist() == [reason]
    assert found.warnings[0].startswith(
        "change: `NEP` has no centre of gravity in all, zone=z0: in the first 1"
    )
    allowed = changed(project, frame, {"centre": {"series": "NEP", "weights": "positive"}}, pixel=PIXEL)
    assert len(rows(allowed, "centre")) == 15


def test_short_series_say_so(project: Any) -> None:
    years = [f"{name}_{year}" for name in ("NEP", "TEM") for year in (2001, 2002, 2005)]
    asked = {"trend": "NEP", "persistence": "NEP", "correlation": {"NEP": "TEM"}, "frequency": "NEP"}
    found = changed(project, pixels(holes=0.0)[years], asked)
    gap = "no column between 2002 and 2005: these are no neighbouring years, "
    gap += "and slopes count the years between them"
    assert list(found.warnings) == [
        f"change: `NEP` has {gap}",
        f"change: `TEM` has {gap}",
        "change: `NEP` has 3 years and a trend needs 10 (`min_years`): no pixel has one",
        "change: `NEP` has at most 2 years without a gap and persistence needs 10 (`min_years`): no pixel "
        "has an exponent",
        "change: `NEP` and `TEM` have 3 years in common and a correlation needs 4 (`min_years`): no pixel "
        "has one",
    ]
    assert rows(found, "trend", trend_class="unknown").pixels.tolist() == [60]
    assert rows(found, "series_trend").note[0] == "3 years, of 10 that a trend needs"
    assert rows(found, "frequency").steps.tolist() == [1]


def refused(project: Any, change: dict[str, Any], **more: Any) -> str:
    with pytest.raises(TableError) as caught:
        changed(project, pixels(), change, **more)
    return str(caught.value)


def test_bad_tables(project: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project.root)
    text = refused(project, {"trend": ["NEP", "TEM"]}, series={"NEP": "NPE_{year}", "TEM": "TEM_{year}"})
    assert text == (
        "TableError: the series `NEP`: p.csv has no column like `NPE_{year}`\n"
        '  specs/s.yaml, line 7:  "NEP": "NPE_{year}",\n'
        "                                ^^^^^^^^^^^^\n"
        "  did you mean `NEP_{year}`?  known: NEP_{year}, TEM_{year}, LUCC_{year}"
    )
    text = refused(project, {"centre": "NEP"})
    assert text.startswith("TableError: `centre` needs the coordinates of the pixels\n  specs/s.yaml, line ")
    assert text.endswith("\n  add `pixel: {easting: NAME, northing: NAME}`")
    limits = {"NEP": {"columns": "NEP_{year}", "years": [2001, 2020]}}
    assert "the series `NEP`: p.csv has no column `NEP_2020`" in refused(
        project, {"trend": "NEP"}, series=limits
    )
    one = {"NEP": "NEP_200{year}", "TEM": "TEM_{year}"}
    assert "p.csv has no column like `NEP_200{year}`" in refused(project, {"trend": "NEP"}, series=one)
    text = refused(project, {"transfer": {"series": "LUCC", "years": [2001, 2020]}})
    assert "`transfer` asks for 2020: p.csv has no column `LUCC_2020`" in text
    assert "years of `LUCC`: 2001, 2002" in text
    text = refused(project, {"transfer": "NEP"})
    assert "column `NEP_2001` of p.csv is declared categorical but holds" in text
    levels = {"LUCC": {"columns": "LUCC_{year}", "levels": [8, 9]}}
    text = refused(project, {"transfer": "LUCC"}, series=levels)
    assert "`levels` of the series `LUCC` names no class of the table" in text
    assert "in the table: 1, 2, 3" in text


def test_areas_of_pixels_that_are_none(project: Any) -> None:
    frame = pixels().assign(cell_area=1e6)
    found = changed(project, frame, {"trend": "NEP"})
    assert pd.DataFrame(found.rows["trend"]).area.sum() == 60.0
    frame.loc[3, "cell_area"] = 0
    with pytest.raises(
        TableError, match=r"column `cell_area` of p\.csv is missing, negative or nil in row 4"
    ):
        changed(project, frame, {"trend": "NEP"})


def test_many_strata_are_one_warning(project: Any) -> None:
    frame = pixels(holes=0.0)
    frame["zone"] = [f"z{i % 6}" for i in range(60)]
    frame["NEP_2003"] = -1.0
    found = changed(project, frame, {"centre": "NEP", "zones": "zone"}, pixel=PIXEL)
    assert list(found.warnings) == [
        "change: `NEP` has no centre of gravity in all, zone=z0, zone=z1 and 4 more: in the first 60 of 900 "
        "values are negative, and a centre of gravity with negative weights can lie anywhere; "
        "`weights: positive` counts them as 0"
    ]


def test_a_world_without_years(project: Any) -> None:
    content = {
        "study": "s",
        "table": {"simulate": "chain"},
        "series": {"y": "y_{year}"},
        "change": {"trend": "y"},
    }
    study = read_spec(project.spec("s", content))
    with pytest.raises(TableError, match="the series `y`: the simulated world `chain` has no column like"):
        change_columns(study)


def test_a_column_of_two_series(project: Any) -> None:
    frame = pd.DataFrame({"B2001_2002": [1.0], "B2001_2003": [2.0], "B2003_2002": [2.0]})
    with pytest.raises(TableError) as caught:
        changed(project, frame, {"trend": ["A", "B"]}, series={"A": "B2001_{year}", "B": "B{year}_2002"})
    assert [fault.message for fault in caught.value.faults] == [
        "column `B2001_2002` is of two series, `A` and `B`"
    ]


def test_a_stratum_of_one_pixel_and_a_constant_series(project: Any) -> None:
    frame = pixels(holes=0.0)
    for year in range(2001, 2016):
        frame[f"NEP_{year}"] = 5.0
    frame["zone"] = ["alone", *(["rest"] * 59)]
    asked = {
        "trend": "NEP",
        "persistence": "NEP",
        "frequency": "NEP",
        "describe": "NEP",
        "centre": "NEP",
        "correlation": {"NEP": "TEM"},
        "zones": "zone",
    }
    found = changed(project, frame, asked, pixel=PIXEL)
    assert rows(found, "trend", trend_class="no change").pixels.tolist() == [60, 1, 59]
    assert rows(found, "persistence", persistence_class="unknown").pixels.tolist() == [60, 1, 59]
    assert rows(found, "correlation").unknown.tolist() == [60, 1, 59]
    assert rows(found, "frequency").unchanged.tolist() == [14, 14, 14]
    alone = rows(found, "description", stratum="zone=alone").iloc[0]
    assert (alone.n, alone["mean"], alone.growth) == (1, 5.0, 0.0)
    assert pd.isna(alone.sd)
    centre = rows(found, "centre", stratum="zone=alone")
    assert set(centre.easting) == {0.0}
    assert centre.azimuth.isna().all()


def test_positive_weights_where_nothing_is_positive(project: Any) -> None:
    frame = pixels(n=20)
    for year in range(2001, 2016):
        frame[f"NEP_{year}"] = -1.0
    asked = {"centre": {"series": "NEP", "weights": "positive"}}
    (row,) = changed(project, frame, asked, pixel=PIXEL).rows["centre"]
    assert row["note"] == "no value is above 0 in any year, and nothing weighs"
    frame.loc[3, "NEP_2002"] = 5.0
    found = rows(changed(project, frame, asked, pixel=PIXEL), "centre")
    assert found["note"].tolist() == [
        "" if year == 2002 else "no value is above 0 in this year" for year in range(2001, 2016)
    ]
    assert found["easting"].notna().sum() == 1
