"""Change over years on the page: what figures, sentences and tables say of small made regions."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from test_report_fake import assert_legible, fake_run, printed
from test_report_page import assert_sound_in_a_browser, needs_chromium, page_of, words_of

from drivers.maps import ClassMap
from drivers.report import RunTables, read_report, write_report
from drivers.report.change_rows import series_of, sure_shares
from drivers.report.change_section import ChangeOverYears
from drivers.report.page import make_figures
from drivers.study import run as run_study

SIDE, YEARS = 20, 20
CLASSES = {1: "cropland", 2: "forestland", 4: "grassland", 7: "unused"}
BAD = "<script>alert('x')</script> & \"co\""


def pixels(side: int = SIDE, years: int = YEARS) -> pd.DataFrame:
    """A slope that grows to the east, noise, and a land use that changes in a corner."""
    rng = np.random.default_rng(5)
    column, row = np.meshgrid(np.arange(side), np.arange(side))
    column, row = column.ravel(), row.ravel()
    found = {"x": 500_000.0 + 1000 * column, "y": 4_800_000.0 + 1000 * row}
    slope = (column - side / 2) / side
    for k in range(years):
        found[f"NEP_{2001 + k}"] = 5 + slope * 3 * k + rng.normal(0, 4, side * side)
        found[f"TEM_{2001 + k}"] = 8 + 0.05 * k + rng.normal(0, 0.3, side * side)
    codes = np.array(list(CLASSES))
    before = codes[rng.integers(0, 4, side * side)]
    found["LUCC_2001"] = before
    found["LUCC_2020"] = np.where((row < 4) & (before == 1), 2, np.where(column > 17, 4, before))
    found["LUCC"] = found["LUCC_2020"]
    return pd.DataFrame(found)


def made(folder: Path, frame: pd.DataFrame, change: dict[str, object], **more: object) -> RunTables:
    frame.to_parquet(folder / "p.parquet")
    spec = {
        "study": "c",
        "title": "NEP of a made region",
        "table": {"path": "p.parquet"},
        "pixel": {"easting": "x", "northing": "y", "crs": "EPSG:32651", "size": 1000},
        "series": {
            "NEP": {"columns": "NEP_{year}", "unit": "g C m-2 yr-1"},
            "TEM": {"columns": "TEM_{year}", "unit": "degC"},
            "LUCC": {"columns": "LUCC_{year}", "categorical": True, "levels": CLASSES},
        },
        "strata": {"landuse": {"column": "LUCC", "levels": CLASSES}},
        "change": change,
        "seed": 1,
        **more,
    }
    (folder / "c.yaml").write_text(
        yaml.safe_dump({k: v for k, v in spec.items() if v is not None}, sort_keys=False)
    )
    return run_study(folder / "c.yaml").tables


ALL = {
    "over": ["all", "landuse"],
    "trend": "NEP",
    "persistence": "NEP",
    "centre": {"series": "NEP", "weights": "positive"},
    "frequency": "NEP",
    "transfer": "LUCC",
    "correlation": {"NEP": ["TEM"]},
    "describe": "NEP",
}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunTables:
    return made(tmp_path_factory.mktemp("change"), pixels(), ALL)


@pytest.fixture(scope="module")
def words(run: RunTables) -> str:
    return words_of(page_of(run))


def spoilt(run: RunTables, names: dict[str, str]) -> RunTables:
    """The run with every name replaced, in tables, facts and maps."""

    def spoil(value: object) -> object:
        if isinstance(value, str):
            for old, new in names.items():
                value = value.replace(old, new)
            return value
        if isinstance(value, dict):
            return {k: spoil(v) for k, v in value.items()}
        return [spoil(v) for v in value] if isinstance(value, list) else value

    tables = {name: frame.map(spoil) for name, frame in run.tables.items()}
    meta = spoil(dict(run.meta))
    assert isinstance(meta, dict)
    maps = tuple(ClassMap(str(spoil(m.name)), m.codes, m.names, m.cell, m.in_km) for m in run.maps)
    return RunTables(tables, meta, maps)


def test_the_page_of_a_study_without_models_reads_well(words: str) -> None:
    assert "How NEP (g C m⁻² yr⁻¹) and LUCC changed from 2001 to 2020 on 400 pixels, in 5 strata." in words
    assert "NEP g C m⁻² yr⁻¹: 2001 to 2020, 20 years, columns NEP_{year}; description, trend," in words
    assert "dropped" not in words
    assert "the response" not in words.replace("net ecosystem", "")


def test_the_lead_of_drivers_and_change(run: RunTables) -> None:
    fake = fake_run()
    meta = {**fake.meta, "change": run.meta["change"]}
    both = RunTables({**fake.tables, "trend": run.tables["trend"]}, meta)
    assert ", and how NEP (g C m⁻² yr⁻¹) changed from 2001 to 2020, on" in words_of(page_of(both))


def test_every_table_has_its_part(words: str) -> None:
    for head in ("Mean over years", "Spread over the pixels", "Trend of every pixel", "Persistence",
                 "Years that rose and fell", "NEP and TEM", "Centre of gravity", "Transfers 2001 to 2020",
                 "NEP by stratum"):  # fmt: skip
        assert head in words, head


def test_contents_lead_to_every_series(run: RunTables) -> None:
    page = page_of(run)
    for k, name in ((1, "NEP"), (2, "LUCC")):
        assert f'<a href="#change-over-years--{k}">{name}</a>' in page
        assert f'<h3 id="change-over-years--{k}">{name}' in page


def test_sentences_say_what_tests_leave(run: RunTables, words: str) -> None:
    (nep,) = (s for s in series_of(run) if s.name == "NEP")
    shares = sure_shares(nep, nep.by_stratum("trend")["all"])
    assert shares is not None
    rows = run.tables["trend"].query("stratum == 'all' and z_from >= 1.96")
    assert np.isclose(shares.falling + shares.rising, rows["share"].sum())
    fdr = run.tables["trend"].query("stratum == 'all'")["share_fdr"].sum()
    assert np.isclose(shares.falling_fdr + shares.rising_fdr, fdr)
    assert "After control of the false discovery rate" in words
    assert "inflated by trends" in words
    assert "Only values above 0 weigh" in words
    assert "correlate through their trends alone" in words


def test_figures_are_well_formed_and_legible(run: RunTables) -> None:
    drawn = make_figures(run)["", "change-over-years"]
    kinds = {name.split("--")[2].rsplit("-", 1)[0] for name in drawn}
    assert kinds == {"means", "spread", "trend", "trend-map", "persistence-map", "centre", "correlation-1",
                     "transfer-2001-2020"}  # fmt: skip
    for figure in drawn.values():
        assert_legible(figure)


def test_figures_are_files_and_a_report_read_back_has_no_maps(run: RunTables, tmp_path: Path) -> None:
    write_report(run, tmp_path / "out")
    names = {path.name for path in (tmp_path / "out" / "figures").iterdir()}
    assert "change-over-years--01--NEP--trend-map-1.svg" in names
    back = read_report(tmp_path / "out")
    assert back.maps == ()
    page = page_of(back)
    assert "data:image/png" not in page
    assert words_of(page) == words_of(page_of(RunTables(run.tables, run.meta)))


def test_without_change_there_is_no_section() -> None:
    assert "Change over years" not in page_of(fake_run())
    assert ChangeOverYears().render(fake_run(), {}) == ""


def test_hostile_names_are_escaped(run: RunTables) -> None:
    bad = spoilt(run, {"NEP": BAD, "cropland": f"{BAD} crop", "TEM": "<b>TEM"})
    page = page_of(bad)
    assert page.count("<script>") == 1
    assert "<b>TEM" not in page
    for figure in make_figures(bad)["", "change-over-years"].values():
        assert_legible(figure)


def test_long_names_stay_inside(run: RunTables) -> None:
    long = spoilt(run, {
        "NEP": "net_ecosystem_productivity_of_the_growing_season_as_modelled",
        "cropland": "irrigated_and_rainfed_cropland_with_scattered_shelter_belts_and_villages",
        "forestland": "针叶林和阔叶林" * 6,
    })  # fmt: skip
    for figure in make_figures(long)["", "change-over-years"].values():
        assert_legible(figure)


def test_a_part_of_the_tables_is_enough(run: RunTables) -> None:
    meta = {"study": "c", "table": {"n": 400}}
    for name in ("trend", "persistence", "frequency", "centre", "transfer", "correlation", "series",
                 "series_trend", "description", "transfer_classes"):  # fmt: skip
        one = RunTables({name: run.tables[name]}, meta)
        assert "Change over years" in page_of(one), name
        printed(one)


def test_missing_numbers_never_show(tmp_path: Path) -> None:
    frame = pixels(6)
    for k in range(YEARS):  # every pixel has one year
        frame.loc[frame.index != k, f"NEP_{2001 + k}"] = np.nan
    change = {"over": ["all", "landuse"], "trend": "NEP", "persistence": "NEP", "describe": "NEP",
              "frequency": "NEP", "correlation": {"NEP": ["TEM"]}}  # fmt: skip
    run = made(tmp_path, frame, change)
    page = page_of(run)
    assert not re.search(r"\b(nan|NaN|None|inf)\b", page)
    for figure in make_figures(run)["", "change-over-years"].values():
        assert_legible(figure)
    assert "No pixel has a trend: its years are too few." in words_of(page)


def test_scattered_pixels_without_a_system(tmp_path: Path) -> None:
    frame = pixels(8)
    rng = np.random.default_rng(0)
    frame[["x", "y"]] = rng.random((64, 2)) * 1000
    run = made(tmp_path, frame, ALL, pixel={"easting": "x", "northing": "y"})
    assert run.maps == ()
    words = words_of(page_of(run))
    assert re.search(r"moved [\d.]+ units to the", words)
    assert "km" not in re.sub(r"[Mm]arkham", "", words)
    for figure in make_figures(run)["", "change-over-years"].values():
        assert_legible(figure)


def test_many_strata_are_paged(run: RunTables) -> None:
    tables = {}
    for name, frame in run.tables.items():
        one = frame[frame["stratum"] == "landuse=cropland"] if "stratum" in frame else frame
        every = [one.assign(stratum=f"zone=prefecture {k}") for k in range(30)]
        tables[name] = pd.concat([frame, *every], ignore_index=True) if "stratum" in frame else frame
    many = RunTables(tables, run.meta, run.maps)
    drawn = make_figures(many)["", "change-over-years"]
    assert sum("--means-" in name for name in drawn) == 3
    assert sum("--centre-" in name for name in drawn) == 12
    for figure in drawn.values():
        assert_legible(figure)
    assert "23 more strata are in tables/centre.csv" in words_of(page_of(many))


def test_the_terminal_says_something_of_change_alone(run: RunTables) -> None:
    said = printed(run, 90)
    assert "NEP of a made region" in said
    for head in ("sen_slope", "mk_p", "significant", "share_fdr"):
        assert head in said
    assert "landuse=forestland" in said
    assert "Change over years: what each class gained and lost" in said
    assert max(map(len, said.splitlines())) <= 91


def test_the_terminal_says_something_of_transfers_alone(tmp_path: Path) -> None:
    said = printed(made(tmp_path, pixels(), {"transfer": "LUCC"}), 90)
    assert said.splitlines()[0] == "NEP of a made region"
    line = next(line for line in said.splitlines() if "cropland" in line)
    assert line.split()[:5] == ["all", "LUCC", "2001", "2020", "cropland"]
    without = made(tmp_path, pixels().drop(columns=["x", "y"]), {"transfer": "LUCC"}, pixel=None)
    assert "share_gain" in printed(without, 90)


@needs_chromium
@pytest.mark.parametrize("width", [1280, 500])
def test_the_page_in_a_browser(run: RunTables, tmp_path: Path, width: int) -> None:
    assert_sound_in_a_browser(run, tmp_path, width)
