"""Laws of change over years: what must hold for any pixels, and rates of false alarms."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.change import Changed, run_change
from drivers.change.areas import pixel_areas
from drivers.change.centre import great_circle
from drivers.change.years import change_columns
from drivers.spec import StudySpec, read_spec
from drivers.table import make_partition, pixel_table_from_frame

YEARS = range(2001, 2013)
SPEC = """\
study: laws
table: {path: p.csv}
series: {NEP: "NEP_{year}", TEM: "TEM_{year}", LUCC: "LUCC_{year}"}
strata: {kind: {column: use}}
change:
  trend: NEP
  persistence: NEP
  frequency: NEP
  describe: NEP
  correlation: {NEP: TEM}
  centre: {series: NEP, weights: positive}
  transfer: LUCC
  over: [all, kind]
"""


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> StudySpec:
    path: Path = tmp_path_factory.mktemp("laws") / "s.yaml"
    path.write_text(SPEC)
    return read_spec(path)


def pixels(seed: int, n: int, holes: float) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    columns: dict[str, Any] = {"x": rng.uniform(0, 9e5, n), "y": rng.uniform(0, 9e5, n)}
    columns["use"] = rng.choice(["a", "b", "c"], n)
    columns["cell_area"] = rng.uniform(0.5e6, 2e6, n)
    for year in YEARS:
        columns[f"NEP_{year}"] = np.where(rng.random(n) < holes, np.nan, rng.integers(-5, 20, n))
        columns[f"TEM_{year}"] = rng.normal(size=n)
        columns[f"LUCC_{year}"] = np.where(rng.random(n) < holes, np.nan, rng.integers(1, 5, n))
    return pd.DataFrame(columns)


def run(study: StudySpec, frame: pd.DataFrame, **pixel: Any) -> Changed:
    table = pixel_table_from_frame(frame, easting="x", northing="y", **pixel)
    assert study.change is not None
    return run_change(study, table, make_partition(table, study.strata, study.change.over))


def table(found: Changed, name: str) -> pd.DataFrame:
    return pd.DataFrame(found.rows[name])


sizes = st.integers(1, 80)
seeds = st.integers(0, 10_000)
holes = st.sampled_from([0.0, 0.1, 0.5])


@settings(max_examples=15)
@given(seeds, sizes, holes)
def test_shares_and_areas_add_up(study: StudySpec, seed: int, n: int, holes: float) -> None:
    frame = pixels(seed, n, holes)
    found = run(study, frame)
    for name in ("trend", "persistence"):
        rows = table(found, name)
        for label, own in rows.groupby("stratum"):
            inside = frame if label == "all" else frame[frame["use"] == str(label)[5:]]
            assert own.pixels.sum() == len(inside)
            assert own.area.sum() == pytest.approx(inside.cell_area.sum() / 1e6, rel=1e-12)
            known = own[own.trend_class != "unknown"]
            if known.pixels.sum():
                assert known.share.sum() == pytest.approx(1.0, rel=1e-12)
    trend = table(found, "trend")
    assert (trend.share_fdr.fillna(0.0) <= trend.share.fillna(0.0) + 1e-12).all()
    valid = frame.LUCC_2001.notna() & frame.LUCC_2012.notna()
    flows = table(found, "transfer") if found.rows["transfer"] else pd.DataFrame({"stratum": [], "area": []})
    for label in ("all", "kind=a", "kind=b", "kind=c"):
        inside = valid if label == "all" else valid & (frame["use"] == label[5:])
        got = flows[flows.stratum == label].area.sum()
        assert got == pytest.approx(frame.cell_area[inside].sum() / 1e6, rel=1e-12)
    years = table(found, "series").pivot(index="year", columns="stratum", values="total")
    parts = years.drop(columns="all").fillna(0.0).sum(axis=1)
    assert parts.to_numpy() == pytest.approx(years["all"].fillna(0.0).to_numpy(), rel=1e-9, abs=1e-9)


@settings(max_examples=8)
@given(seeds, st.integers(10, 60))
def test_the_order_of_pixels_changes_nothing(study: StudySpec, seed: int, n: int) -> None:
    frame = pixels(seed, n, 0.1)
    order = np.random.default_rng(seed).permutation(n)
    one, other = run(study, frame), run(study, frame.iloc[order].reset_index(drop=True))
    pd.testing.assert_frame_equal(
        one.pixels.iloc[order].reset_index(drop=True), other.pixels, check_exact=False, rtol=1e-12
    )
    for name in one.rows:
        pd.testing.assert_frame_equal(table(one, name), table(other, name), rtol=1e-8, atol=1e-9)


def test_chunks_change_nothing(study: StudySpec, monkeypatch: pytest.MonkeyPatch) -> None:
    frame = pixels(3, 500, 0.1)
    whole = run(study, frame)
    monkeypatch.setattr("drivers.change.ground.CHUNK_PIXELS", 77)
    parts = run(study, frame)
    pd.testing.assert_frame_equal(whole.pixels, parts.pixels, rtol=1e-13)
    for name in whole.rows:
        pd.testing.assert_frame_equal(table(whole, name), table(parts, name), rtol=1e-9, atol=1e-9)


def test_a_large_level_loses_no_digits(study: StudySpec) -> None:
    frame = pixels(3, 200, 0.0)
    names = [f"NEP_{year}" for year in YEARS]
    high = frame.assign(**{name: frame[name] + 1e9 for name in names})
    low, up = (table(run(study, f), "series") for f in (frame, high))
    assert up.sd.to_numpy() == pytest.approx(low.sd.to_numpy(), rel=1e-6)
    assert (up.area_mean - 1e9).to_numpy() == pytest.approx(low.area_mean.to_numpy(), abs=1e-6)


def test_false_alarms(study: StudySpec) -> None:
    """Issue 6: 5 % ± 1 of noise is persistent, and next to no trend stands after control."""
    rng = np.random.default_rng(5)
    n = 20_000
    columns = {f"{name}_{year}": rng.normal(size=n) for year in YEARS for name in ("NEP", "TEM")}
    columns |= {f"LUCC_{year}": rng.integers(1, 3, n) for year in YEARS}
    frame = pd.DataFrame({"x": np.zeros(n), "y": np.zeros(n), "use": "a", **columns})
    found = run(study, frame)
    rows = table(found, "persistence")
    persistent = rows[(rows.stratum == "all") & (rows.persistence_class == "persistent")].share.sum()
    assert persistent == pytest.approx(0.05, abs=0.01)
    trend = table(found, "trend")
    assert trend[trend.stratum == "all"].share_fdr.sum() <= 0.05
    correlation = table(found, "correlation").iloc[0]
    both = correlation.significant_positive + correlation.significant_negative
    assert both == pytest.approx(0.05, abs=0.01)
    assert correlation.fdr_positive + correlation.fdr_negative <= 0.05


def test_what_pixels_weigh() -> None:
    frame = pd.DataFrame({"lon": [0.0, 0.0], "lat": [0.0, 60.0], "v": [1.0, 2.0]})
    rows = slice(0, 2)
    degrees = pixel_areas(pixel_table_from_frame(frame, easting="lon", northing="lat"))
    assert degrees.unit == ""
    assert degrees.of(rows) == pytest.approx([1.0, 0.5])
    sized = pixel_areas(pixel_table_from_frame(frame, easting="lon", northing="lat", cell_size=1.0))
    assert (sized.unit, sized.of(rows).round(2).tolist()) == ("km2", [12308.92, 6216.72])
    plane: dict[str, Any] = {"easting": "v", "northing": "lat"}
    feet = pixel_areas(pixel_table_from_frame(frame, **plane, crs="EPSG:2263", cell_size=1000))
    assert feet.of(rows) == pytest.approx([0.3048006096**2] * 2, rel=1e-9)
    bare = pixel_areas(pixel_table_from_frame(frame, **plane, cell_size=3))
    assert (bare.unit, bare.of(rows).tolist()) == ("squared units of the coordinates", [9.0, 9.0])
    assert np.isnan(pixel_areas(pixel_table_from_frame(frame, **plane)).area(2.0))


def test_centres_on_the_sphere(study: StudySpec) -> None:
    """Across the meridian where longitudes break off; distances against pyproj's on a sphere."""
    from pyproj import Geod

    frame = pixels(4, 60, 0.0)
    rng = np.random.default_rng(4)
    frame["x"] = (rng.uniform(175, 185, 60) + 180) % 360 - 180
    frame["y"] = rng.uniform(30, 40, 60)
    found = table(run(study, frame, crs="EPSG:4326"), "centre")
    own = found[found.stratum == "all"].reset_index(drop=True)
    assert (own.easting.abs() > 175).all()
    assert own.northing.between(33, 37).all()
    sphere = Geod(a=6371008.8, b=6371008.8)
    places = [
        own[name].to_numpy()[part] for part in (slice(-1), slice(1, None)) for name in ("easting", "northing")
    ]
    azimuth, _, metres = sphere.inv(*places)
    assert own.distance[1:].to_numpy() == pytest.approx(np.array(metres) / 1000, rel=1e-9)
    assert own.azimuth[1:].to_numpy() == pytest.approx(np.array(azimuth) % 360, rel=1e-6)


def test_no_distance_has_no_direction() -> None:
    same = np.radians([[10.0], [20.0], [10.0], [20.0]])
    distance, azimuth = great_circle(*same)
    assert distance.tolist() == [0.0]
    assert np.isnan(azimuth).all()


def test_nothing_asked_is_nothing(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    (tmp_path / "models").mkdir()
    (tmp_path / "m.yaml").write_text("method: psem\nformula: y ~ a\n")
    path.write_text(
        "study: s\ntable: {path: p.csv}\nresponse: y\ndrivers: {g: [a]}\nfit: [{models: m.yaml}]\n"
    )
    plain = read_spec(path)
    assert plain.change is None
    assert change_columns(plain).needed == {}
    frame = pixel_table_from_frame(pd.DataFrame({"y": [1.0, 2.0], "a": [1.0, 3.0]}))
    found = run_change(plain, frame, make_partition(frame, [], [()]))
    assert (found.rows, found.pixels.shape, found.warnings) == ({}, (2, 0), ())
