"""distribution.csv, density.csv and their violins: of the response, and of a series of years."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import drivers as dr
from drivers.glossary import TABLES
from drivers.report.distribution_section import Distributions, spread_sentences, violin_figures
from drivers.report.run_tables import RunTables
from drivers.report.violins import Violin, violins

NAMED = ["q05", "q25", "median", "q75", "q95"]


@pytest.fixture
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(5)
    n = 400
    use = np.repeat([1, 2, 3, 4], n // 4)
    data: dict[str, Any] = {"x": np.arange(n) % 20 * 1000.0, "y": np.arange(n) // 20 * 1000.0, "use": use}
    data["TEM"] = rng.normal(size=n)
    data["NEP"] = 40.0 * use + data["TEM"] + rng.normal(0, 10, n)
    for year in range(2001, 2013):
        data[f"NEP_{year}"] = data["NEP"] + rng.normal(size=n)
    return pd.DataFrame(data)


def run(project: Any, frame: pd.DataFrame, **more: Any) -> dr.study.Run:
    project.table("p", frame)
    content = {
        "study": "s",
        "table": {"path": "../data/p.csv"},
        "strata": {"landuse": {"column": "use", "levels": {1: "crops", 2: "forest", 3: "grass"}}},
        **more,
    }
    return dr.run(project.spec("s", content))


CHANGE = {
    "series": {"NEP": {"columns": "NEP_{year}", "unit": "g C m-2 yr-1"}},
    "change": {"describe": "NEP", "over": ["all", "landuse"]},
}


def test_a_described_series_is_spread_by_land_use(project: Any, frame: pd.DataFrame, tmp_path: Path) -> None:
    done = run(project, frame, **CHANGE)
    table, density = done.table("distribution"), done.table("density")
    assert list(table) == list(TABLES["distribution"])
    assert list(density) == list(TABLES["density"])
    assert table["stratum"].tolist() == ["all", "landuse=crops", "landuse=forest", "landuse=grass"]
    assert set(table["variable"]) == {"NEP"}
    means = frame.filter(like="NEP_").mean(axis=1)
    row = table.set_index("stratum").loc["landuse=forest"]
    assert row[NAMED].tolist() == pytest.approx(means[frame.use == 2].quantile([0.05, 0.25, 0.5, 0.75, 0.95]))
    assert (row["n"], row["min"], row["max"]) == (100, *np.float64(means[frame.use == 2].agg(["min", "max"])))
    assert density.groupby("stratum").size().tolist() == [64] * 4
    page = done.tables
    assert Distributions().render(page, Distributions().figures(page)) == ""


def test_a_response_is_spread_over_the_strata_of_its_fits(project: Any, frame: pd.DataFrame) -> None:
    project.model("m", "NEP ~ TEM")
    done = run(
        project,
        frame,
        response={"NEP": {"unit": "g C m-2 yr-1"}},
        drivers={"climate": ["TEM"]},
        fit=[{"models": ["m"], "over": ["all", "landuse"]}],
    )
    table = done.table("distribution")
    assert table["n"].tolist() == [400, 100, 100, 100]
    assert table["median"][0] == pytest.approx(frame["NEP"].median())
    assert set(table["model"]) == {"response"}
    assert list(Distributions().figures(done.tables)) == ["01--violins-1.svg"]


def test_a_hole_in_a_year_leaves_the_mean_of_the_others(project: Any, frame: pd.DataFrame) -> None:
    frame.loc[::3, "NEP_2001"] = np.nan
    frame.loc[5, [f"NEP_{year}" for year in range(2001, 2013)]] = np.nan
    table = run(project, frame, **CHANGE).table("distribution").set_index("stratum")
    assert table.loc["all", "n"] == 399
    want = frame.filter(like="NEP_").mean(axis=1).median()
    assert table.loc["all", "median"] == pytest.approx(want, rel=1e-14)


def fake(rows: list[dict[str, Any]]) -> RunTables:
    points = [
        {"stratum": row["stratum"], "variable": row["variable"], "x": x, "density": d}
        for row in rows
        for x, d in ((row["min"], 0.1), (row["median"], 0.5), (row["max"], 0.1))
        if row["n"]
    ]
    tables = {"distribution": pd.DataFrame(rows), "density": pd.DataFrame(points)}
    return RunTables(tables, {"response": {"name": "NEP", "unit": "g C m-2 yr-1"}})


def spread_row(stratum: str, median: float, n: int = 9) -> dict[str, Any]:
    values = dict(zip(["min", *NAMED, "max"], median + np.arange(-30.0, 40.0, 10.0), strict=True))
    return {"stratum": stratum, "variable": "NEP", "n": n, **values}


def test_sentences() -> None:
    rows = [spread_row("all", 40.0), spread_row("landuse=crops", 10.0), spread_row("landuse=forest", 90.0)]
    assert spread_sentences(rows) == [
        "Half of the pixels lie between 30.0 and 50.0, nine tenths between 20.0 and 60.0.",
        "The median is largest in landuse: forest (90.0) and smallest in landuse: crops (10.0).",
    ]
    empty = {**spread_row("all", np.nan, 0)}
    assert spread_sentences([empty]) == []


def test_the_section_of_a_response() -> None:
    page = fake([spread_row("all", 40.0), spread_row("landuse=<b>", 10.0)])
    figures = Distributions().figures(page)
    assert list(figures) == ["01--violins-1.svg"]
    body = Distributions().render(page, figures)
    assert "<b>" not in body
    assert "g C m⁻² yr⁻¹" in body
    assert body.count("<svg") == 1


def test_many_strata_are_several_figures() -> None:
    page = fake([spread_row(f"zone=z{k}", k) for k in range(20)])
    assert len(violin_figures(page, "NEP", "x")) == 2


def test_strata_without_pixels_or_spread_have_a_row() -> None:
    nan = (np.nan,) * 5
    drawn = violins(
        [Violin("a=1", 0, nan, (np.nan, np.nan), []), Violin("a=2", 3, (2.0,) * 5, (2.0, 2.0), [])], title="t"
    )
    assert "no pixel has a value" in drawn
    assert "nan" not in drawn
    assert drawn.count("<circle") == 1
