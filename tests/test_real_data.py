"""Whole studies on real tables, with facts that can be checked elsewhere.

The tables lie beside the repository (../shared/data/tables); each test says so where
they are absent, and is skipped.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf

import drivers as dr

Find = Callable[[str], Path]


def run(project: Any, tmp_path: Path, spec: dict[str, Any]) -> Any:
    done = dr.run(project.spec("study", {"study": "study", "seed": 1, **spec}), tmp_path / "out")
    page = (done.out / "index.html").read_text(encoding="utf-8")
    assert page.count("<svg") >= len(done.results)
    return done


def path(done: Any, response: str, term: str, stratum: str = "all", model: str = "paths") -> pd.Series:
    table = done.table("coefficients")
    mine = table[(table.model == model) & (table.stratum == stratum)]
    mine = mine[(mine.response == response) & (mine.term == term)]
    assert len(mine) == 1
    return mine.iloc[0]


def fit_row(done: Any, stratum: str = "all", model: str = "paths") -> pd.Series:
    table = done.table("fit")
    return table[(table.stratum == stratum) & (table.model == model)].iloc[0]


def assert_ols(done: Any, formula: str, frame: pd.DataFrame, stratum: str) -> None:
    """One equation of numeric columns on one stratum against statsmodels."""
    want = smf.ols(formula, frame).fit()
    response = formula.split(" ~")[0]
    for term in want.params.index.drop("Intercept"):
        got = path(done, response, term, stratum)
        assert got.estimate == pytest.approx(want.params[term], rel=1e-7)
        assert got.std_error == pytest.approx(want.bse[term], rel=1e-7)
        assert got.p_value == pytest.approx(want.pvalues[term], rel=1e-5, abs=1e-300)
        std = want.params[term] * frame[term].std() / frame[response].std()
        assert got.std_estimate == pytest.approx(std, rel=1e-7)
    r2 = done.table("r2")
    got = r2[(r2.model == "paths") & (r2.stratum == stratum) & (r2.response == response)].r2.item()
    assert got == pytest.approx(want.rsquared, rel=1e-8)


def test_keeley(shared_table: Find, project: Any, tmp_path: Path) -> None:
    """Fire plots in California, with the numbers that Grace's and Lefcheck's books print."""
    project.model("paths", "firesev ~ age; cover ~ firesev")
    project.model("mediation", "rich ~ cover + firesev + age; cover ~ firesev; firesev ~ age")
    project.model("curve", "hump <~ 57.999*cover - 28.577*I(cover^2); rich ~ hump + firesev; cover ~ firesev")
    done = run(
        project,
        tmp_path,
        {
            "table": {"path": str(shared_table("keeley"))},
            "response": {"rich": {}},
            "drivers": {
                "fire": {"firesev": {}, "age": {"unit": "year"}, "cover": {}},
                "site": {"distance": {}, "elev": {"unit": "m"}, "abiotic": {}, "hetero": {}},
            },
            "strata": {"age_class": {"young": "age < 25", "old": "age >= 25"}},
            "fit": [
                {"models": ["paths", "mediation"], "over": ["all", "age_class"]},
                {"models": ["curve"], "over": ["all"]},
            ],
        },
    )
    assert done.failures == {}
    assert fit_row(done).n == 90
    # sem_book, chapters 2 and 3 (../shared/data/PUBLISHED.md, section 4).
    assert path(done, "firesev", "age").estimate == pytest.approx(0.0597, abs=5e-5)
    assert path(done, "firesev", "age").std_error == pytest.approx(0.0125, abs=5e-5)
    assert path(done, "firesev", "age").std_estimate == pytest.approx(0.454, abs=5e-4)
    assert path(done, "cover", "firesev").estimate == pytest.approx(-0.0839, abs=5e-5)
    assert path(done, "cover", "firesev").std_estimate == pytest.approx(-0.437, abs=5e-4)
    fit = fit_row(done)
    assert (fit.chisq, fit.chisq_df, fit.chisq_p) == (
        pytest.approx(3.297, abs=5e-4),
        1,
        pytest.approx(0.069, abs=5e-4),
    )
    assert (fit.fishers_c, fit.fishers_c_df) == (pytest.approx(5.18, abs=5e-3), 2)
    assert fit.fishers_c_p == pytest.approx(0.07503437, rel=1e-6)
    assert fit.aic == pytest.approx(364.696, abs=5e-4)
    assert fit.aic_dsep == pytest.approx(17.18, abs=5e-3)
    assert fit.verdict == "rejected"  # p is 0.075, but C/df is 2.59, above the field's 2
    effects = done.table("effects")
    mine = effects[(effects.model == "paths") & (effects.stratum == "all") & (effects.kind == "indirect")]
    assert mine.via.tolist() == ["age -> firesev -> cover"]
    assert mine.std_estimate.item() == pytest.approx(-0.198, abs=5e-4)
    assert mine.estimate.item() == pytest.approx(-0.005, abs=5e-4)
    assert mine.std_error.item() == pytest.approx(0.002, abs=5e-4)
    # The composite of cover and cover², chapter 8.
    assert path(done, "rich", "hump", model="curve").std_estimate == pytest.approx(0.292, abs=5e-4)
    fire = path(done, "rich", "firesev", model="curve")
    assert fire.estimate == pytest.approx(-2.132, abs=5e-4)
    assert fire.std_estimate == pytest.approx(-0.233, abs=5e-4)
    frame = pd.read_csv(shared_table("keeley"))
    assert_ols(done, "cover ~ firesev", frame[frame.age < 25], "age_class=young")


def test_shipley(shared_table: Find, project: Any, tmp_path: Path) -> None:
    """Trees at 20 sites: random intercepts, a survival behind a logit, a quarter of the rows incomplete."""
    lines = "DD ~ lat + (1 | site); Date ~ DD + (1 | site); Growth ~ Date + (1 | site)"
    project.model("paths", lines)
    done = run(
        project,
        tmp_path,
        {
            "table": {"path": str(shared_table("shipley"))},
            "response": {"Growth": {}},
            "drivers": {"season": {"Date": {"unit": "day"}, "DD": {}}, "place": {"lat": {"unit": "degree"}}},
            "strata": {"where": {"south": "lat < 65", "north": "lat >= 65", "pole": "lat > 79"}},
            "fit": [{"models": ["paths"], "over": ["all", "where"]}],
        },
    )
    frame = pd.read_csv(shared_table("shipley"))
    fit = fit_row(done)
    assert (fit.n, done.table("strata").dropped[0]) == (1431, 1900 - 1431)
    signs = {("DD", "lat"): -1, ("Date", "DD"): -1, ("Growth", "Date"): 1}
    for (response, term), sign in signs.items():
        got = path(done, response, term)
        assert np.sign(got.estimate) == sign
        assert got.p_value < 1e-5
    assert path(done, "DD", "lat").df == 18  # 20 sites, latitude is theirs
    assert path(done, "Date", "DD").df == 1410
    assert fit.fishers_c == pytest.approx(7.6376, abs=1e-3)
    assert (fit.verdict, fit.fishers_c_df) == ("accepted", 6)
    r2 = done.table("r2").set_index(["stratum", "response"])
    assert r2.loc[("all", "Date"), "r2_conditional"] > r2.loc[("all", "Date"), "r2"] > 0.3
    # One site north of 79 degrees: no intercepts to vary, which is said and stops nothing.
    north = fit_row(done, "where=pole")
    assert (north.status, fit_row(done, "where=south").status) == ("failed", "ok")
    assert north.message
    south = frame[frame.lat < 65].dropna(subset=["DD", "Date", "Growth"])
    want = smf.mixedlm("Date ~ DD", south, groups="site").fit(reml=False, method=["powell", "bfgs"])
    assert path(done, "Date", "DD", "where=south").estimate == pytest.approx(want.params["DD"], rel=1e-3)


def test_meadows(shared_table: Find, project: Any, tmp_path: Path) -> None:
    """Grazed and ungrazed meadows: a class among the predictors, and strata cut by its levels."""
    project.model("paths", "rich ~ elev + mass + grazed; mass ~ elev + grazed")
    project.model("within", "rich ~ elev + mass; mass ~ elev")
    done = run(
        project,
        tmp_path,
        {
            "table": {"path": str(shared_table("meadows"))},
            "response": {"rich": {}},
            "drivers": {
                "site": {"elev": {"unit": "cm"}, "mass": {}},
                "use": {"grazed": {"categorical": True}},
            },
            "strata": {"use": {"column": "grazed", "levels": {0: "ungrazed", 1: "grazed"}}},
            "fit": [{"models": ["paths", "within"], "over": ["all", "use"]}],
        },
    )
    frame = pd.read_csv(shared_table("meadows"))
    # The class is a constant inside its own levels: those fits fail, the others do not.
    assert set(done.failures) == {("paths", "use=ungrazed"), ("paths", "use=grazed")}
    assert "`grazed` has a single level (`0`) here" in done.failures["paths", "use=ungrazed"]
    strata = done.table("strata").set_index("stratum").n
    assert strata.to_dict() == {"all": 354, "use=ungrazed": 189, "use=grazed": 165}
    want = smf.ols("mass ~ elev + C(grazed)", frame).fit()
    assert path(done, "mass", "grazed[1]").estimate == pytest.approx(want.params["C(grazed)[T.1]"], rel=1e-8)
    assert path(done, "mass", "grazed[1]").estimate < 0  # grazing takes biomass away
    joint = path(done, "mass", "grazed")
    assert joint.statistic == pytest.approx(want.tvalues["C(grazed)[T.1]"] ** 2, rel=1e-7)
    for level in (0, 1):
        stratum = f"use={'grazed' if level else 'ungrazed'}"
        inside = frame[frame.grazed == level]
        for formula in ("rich ~ elev + mass", "mass ~ elev"):
            want = smf.ols(formula, inside).fit()
            for term in want.params.index[1:]:
                got = path(done, formula.split(" ~")[0], term, stratum, "within")
                assert got.estimate == pytest.approx(want.params[term], rel=1e-8)
        assert path(done, "rich", "elev", stratum, "within").estimate > 0
        assert fit_row(done, stratum, "within").verdict == "saturated"


def test_soil_grid(shared_table: Find, project: Any, tmp_path: Path) -> None:
    """13,132 pixels of Western Australia: NDVI on soil, topography and distances, by elevation."""
    project.model(
        "paths",
        "SOC ~ Elevation + Slope + Water; pH ~ Elevation + SOC; "
        "NDVI ~ SOC + pH + Slope + Water + Road + Mine",
        options={"errors": "classical"},
    )
    project.model(
        "groups",
        "land <~ Elevation + Slope; soil <~ SOC + pH; reach <~ Water + Road + Mine; "
        "NDVI ~ land + soil + reach; soil ~ land + reach; reach ~ land",
    )
    table = shared_table("soil_grid_wa")
    done = run(
        project,
        tmp_path,
        {
            "table": {"path": str(table)},
            "pixel": {"easting": "Lon", "northing": "Lat", "crs": "EPSG:4326"},
            "response": {"NDVI": {}},
            "drivers": {
                "topography": {"Elevation": {"unit": "m"}, "Slope": {"unit": "degree"}},
                "soil_columns": {"SOC": {}, "pH": {}},
                "distance": {"Water": {"unit": "km"}, "Road": {"unit": "km"}, "Mine": {"unit": "km"}},
            },
            "strata": {
                "height": {
                    "low": "Elevation < 450",
                    "middle": "450 <= Elevation < 520",
                    "high": "Elevation >= 520",
                }
            },
            "fit": [{"models": ["paths", "groups"], "over": ["all", "height"]}],
        },
    )
    frame = pd.read_csv(table)
    assert done.failures == {}
    strata = done.table("strata").set_index("stratum").n
    assert strata["all"] == 13_132
    assert strata.drop("all").sum() == 13_132
    for stratum, inside in (
        ("all", frame),
        ("height=middle", frame[(frame.Elevation >= 450) & (frame.Elevation < 520)]),
    ):
        for formula in (
            "SOC ~ Elevation + Slope + Water",
            "pH ~ Elevation + SOC",
            "NDVI ~ SOC + pH + Slope + Water + Road + Mine",
        ):
            assert_ols(done, formula, inside, stratum)
        assert fit_row(done, stratum).n == len(inside)
    # With 13,132 pixels any missing path is significant; the partial correlations say which ones matter.
    fit = fit_row(done)
    assert fit.verdict == "rejected"
    assert fit.fishers_c > 1000
    assert fit.equivalence_verdict == "not equivalent"
    # Pixels have coordinates: that the errors take them as independent has to be said somewhere.
    said = " ".join(done.table("fit").message.dropna()) + " ".join(done.tables.meta["warnings"])
    assert "independent" in said
    # The other model counts independent pixels: hundreds, not thousands, and slopes are known less well.
    honest = fit_row(done, model="groups")
    assert honest.errors == "effective"
    assert 10 < honest.n_effective < 1000
    paths = done.table("coefficients")
    of_groups = paths[(paths.model == "groups") & (paths.op == "~")]
    assert (of_groups.p_value > of_groups.p_classical).all()
    assert (
        paths[(paths.response == "NDVI") & (paths.model == "groups") & (paths.op == "~")].std_estimate > 0
    ).all()


def test_ndvi(shared_table: Find, project: Any, tmp_path: Path) -> None:
    """46,295 pixels of Inner Mongolia in five climate zones."""
    project.model(
        "paths",
        "Tempchange ~ Precipitation; GDP ~ Popdensity; "
        "NDVIchange ~ Tempchange + Precipitation + GDP + Popdensity",
    )
    project.model(
        "zones", "NDVIchange ~ Climatezone + Mining + Tempchange + Precipitation; Tempchange ~ Climatezone"
    )
    table = shared_table("ndvi_5")
    zones = ["Bsk", "Bwk", "Dwa", "Dwb", "Dwc"]
    done = run(
        project,
        tmp_path,
        {
            "table": {"path": str(table)},
            "response": {"NDVIchange": {}},
            "drivers": {
                "climate": {
                    "Climatezone": {"categorical": True},
                    "Tempchange": {"unit": "degC"},
                    "Precipitation": {"unit": "mm"},
                },
                "human": {"Mining": {"categorical": True}, "GDP": {}, "Popdensity": {}},
            },
            "strata": {"zone": {"column": "Climatezone"}},
            "fit": [{"models": ["paths"], "over": ["all", "zone"]}, {"models": ["zones"], "over": ["all"]}],
        },
    )
    frame = pd.read_csv(table)
    assert done.failures == {}
    strata = done.table("strata").set_index("stratum").n
    assert strata.to_dict() == {"all": 46_295, **{f"zone={z}": (frame.Climatezone == z).sum() for z in zones}}
    for zone in ("Bwk", "Dwa"):
        inside = frame[frame.Climatezone == zone]
        for formula in (
            "Tempchange ~ Precipitation",
            "GDP ~ Popdensity",
            "NDVIchange ~ Tempchange + Precipitation + GDP + Popdensity",
        ):
            assert_ols(done, formula, inside, f"zone={zone}")
    rain = path(done, "NDVIchange", "Precipitation")
    assert rain.std_estimate > 0.7
    assert rain.p_value == 0.0  # far below the smallest double
    assert -40_000 < rain.log_p < -10_000
    assert np.isfinite(fit_row(done).fishers_c)
    want = smf.ols("NDVIchange ~ Climatezone + Mining + Tempchange + Precipitation", frame).fit()
    got = done.results["zones", "all"].fit.equations
    e = next(e for e in got if e.equation.node == "NDVIchange")
    assert e.r2 == pytest.approx(want.rsquared, rel=1e-9)
    assert e.log_likelihood == pytest.approx(want.llf, rel=1e-10)
    assert e.parameters == want.df_model + 2
    f = want.wald_test_terms(scalar=True).table.loc["Climatezone", "statistic"]
    assert path(done, "NDVIchange", "Climatezone", model="zones").statistic == pytest.approx(f, rel=1e-6)
