"""Masks, zones and derived columns of small made GeoTIFFs, and the file that is written."""

from __future__ import annotations

import json
from pathlib import Path

import geopandas
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import rasterio
from made_rasters import FIELD, NORTH, SHAPE, SIDE, UTM, WEST, build, grid_folder, write_spec, write_tif
from pyproj import CRS
from shapely.geometry import MultiPolygon, Point, box

import drivers as dr
from drivers.errors import TableError
from drivers.stats.terrain import northness, slope_and_aspect
from drivers.table.crs import same_crs
from drivers.table.rasters import RasterGrid, build_table, chunks, grid_of, table_facts

RANDOM = np.random.default_rng(7)

folder = pytest.fixture(grid_folder)


# Masks and zones


def test_mask_and_zones(folder: Path) -> None:
    ring = box(WEST + 2000, NORTH - 6000, WEST + 6000, NORTH - 1000)
    frame = geopandas.GeoDataFrame({"name": ["whole"]}, geometry=[ring], crs=UTM)
    frame.to_crs("EPSG:4326").to_file(folder / "region.geojson", driver="GeoJSON")
    west = box(WEST, NORTH - 12000, WEST + 4000, NORTH)
    east = MultiPolygon(
        [box(WEST + 4000, NORTH - 12000, WEST + 5000, NORTH), box(WEST + 8000, 0, WEST + 9000, 1)]
    )
    parts = geopandas.GeoDataFrame(
        {"name": ["Chifeng", "通辽"], "code": [4, 5]}, geometry=[west, east], crs=UTM
    )
    parts.to_file(folder / "zones.gpkg")
    zones = "{CITY: {file: zones.gpkg, column: name}, CODE: {file: zones.gpkg, column: code}}"
    built, table = build(
        folder, "A: {source: grid.tif}", grid=f"{{like: grid.tif, mask: region.geojson, zones: {zones}}}"
    )
    assert built.pixels == 5 * 4
    assert list(table.columns) == ["easting", "northing", "cell_area", "CITY", "CODE", "A"]
    assert table["CITY"].value_counts(dropna=False).to_dict() == {"Chifeng": 10, "通辽": 5, None: 5} or (
        table["CITY"].value_counts().to_dict() == {"Chifeng": 10, "通辽": 5}
        and table["CITY"].isna().sum() == 5
    )
    assert table["CODE"].dropna().astype(int).value_counts().to_dict() == {4: 10, 5: 5}
    assert str(pq.read_schema(built.path).field("CODE").type) == "int64"


def test_pieces_of_zones_meet(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disc = Point(WEST + 4500, NORTH - 6000).buffer(4000)
    geopandas.GeoDataFrame({"n": ["disc"]}, geometry=[disc], crs=UTM).to_file(folder / "disc.gpkg")
    grid = "{like: grid.tif, mask: disc.gpkg}"
    one = build(folder, "A: {source: grid.tif}", grid=grid)[1]
    monkeypatch.setattr(chunks, "MOST_CELLS", SHAPE[1])
    pd.testing.assert_frame_equal(build(folder, "A: {source: grid.tif}", grid=grid)[1], one)
    far = np.hypot(one["easting"] - WEST - 4500, one["northing"] - NORTH + 6000)
    assert len(one) == 48  # centres that lie on the edge are outside
    assert far.max() < 4000


# Derived columns


def test_arithmetic_of_layers_and_years(folder: Path) -> None:
    for year in (2001, 2002):
        write_tif(folder / f"a_{year}.tif", FIELD.astype(float) * year)
    write_tif(folder / "a_2003.tif", FIELD.astype(float))
    for year in (2000, 2001, 2002):
        write_tif(folder / f"b_{year}.tif", np.full(SHAPE, float(year)))
    more = """derive:
  NEP: A - B
  LAST: MEAN ^ 2 / 4
  MEAN: mean(NEP)
  TOTAL: sum(A)
  SQUARE: -DEM^2 + max(DEM, 100, B_)
  B_: "0"
  ODD: {formula: "log(exp(DEM / 100)) * 100 - abs(-DEM) + sqrt(min(DEM, 4) * 0)", unit: m}
""".replace('  B_: "0"\n', "").replace(", B_", "")
    layers = 'A: {source: "a_{year}.tif"}\nB: {source: "b_{year}.tif"}\nDEM: {source: grid.tif}'
    built, frame = build(folder, layers, more=more)
    assert [c.name for c in built.columns if c.series == "NEP"] == ["NEP_2001", "NEP_2002"]
    np.testing.assert_allclose(frame["NEP_2002"], frame["A_2002"] - 2002.0, rtol=1e-15)
    np.testing.assert_allclose(frame["MEAN"], (frame["NEP_2001"] + frame["NEP_2002"]) / 2, rtol=1e-15)
    np.testing.assert_allclose(frame["LAST"], frame["MEAN"] ** 2 / 4, rtol=1e-15)
    np.testing.assert_allclose(frame["TOTAL"], frame[["A_2001", "A_2002", "A_2003"]].sum(axis=1), rtol=1e-14)
    dem = frame["DEM"].astype(float)
    np.testing.assert_allclose(frame["SQUARE"], -(dem**2) + np.maximum(dem, 100), rtol=1e-14)
    np.testing.assert_allclose(frame["ODD"], 0.0, atol=1e-10)
    assert built.columns[-1].unit == "m"
    assert built.warnings == (
        "`NEP` is for 2001-2002, the years that all of its parts have: `A` 2001-2003; `B` 2000-2002",
    )


def test_slope_on_degrees_uses_metres(folder: Path) -> None:
    write_tif(folder / "deg.tif", FIELD, crs="EPSG:4326", west=120.0, north=42.0, side=(0.01, 0.02))
    more = "derive: {S: slope(DEM), A: aspect(DEM), N: northness(DEM)}\n"
    _, frame = build(folder, "DEM: {source: deg.tif}", grid="{like: deg.tif}", more=more)
    grid = RasterGrid(CRS.from_epsg(4326), 120.0, 42.0, 0.01, 0.02, *SHAPE)
    found = slope_and_aspect(FIELD.astype(float), *grid.sides(0, 12))
    np.testing.assert_array_equal(frame["S"].to_numpy().reshape(SHAPE), found.slope)
    np.testing.assert_array_equal(frame["N"].to_numpy().reshape(SHAPE), northness(found.aspect))


def test_infinite_results_are_missing_and_said(folder: Path) -> None:
    write_tif(folder / "zero.tif", np.where(FIELD > 100, 0.0, FIELD))
    count = int((FIELD > 100).sum())
    built, frame = build(folder, "A: {source: zero.tif}", more="derive: {L: log(A)}\n")
    assert frame["L"].isna().sum() == count
    assert built.warnings == (
        f"`L` is infinite in {count} pixels (ln 0, division by 0) and left empty there",
    )


# The file


def test_the_file_knows_its_grid(folder: Path) -> None:
    built, frame = build(folder, "A: {source: grid.tif, unit: m}")
    grid = grid_of(built.path)
    assert (grid.west, grid.north, grid.width, grid.height, grid.shape) == (WEST, NORTH, SIDE, SIDE, SHAPE)
    assert same_crs(grid.crs, CRS.from_user_input(UTM))
    rows, places = grid.cells(frame["easting"].to_numpy(), frame["northing"].to_numpy())
    held = np.full(grid.shape, np.nan, dtype=np.float32)
    held[rows, places] = frame["A"]
    assert np.array_equal(held, FIELD)
    facts = table_facts(built.path)
    assert facts["grid"]["crs"] == UTM
    assert json.loads(json.dumps(facts))["columns"]["A"]["unit"] == "m"


def test_the_same_spec_writes_the_same_bytes(folder: Path) -> None:
    first = build(folder, "A: {source: grid.tif}")[0].path.read_bytes()
    assert build(folder, "A: {source: grid.tif}")[0].path.read_bytes() == first


def test_row_groups_and_nothing_half_written(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from drivers.table.rasters import parquet

    monkeypatch.setattr(parquet, "GROUP_ROWS", 20)
    monkeypatch.setattr(chunks, "MOST_CELLS", SHAPE[1])
    built, _ = build(folder, "A: {source: grid.tif}")
    assert pq.ParquetFile(built.path).num_row_groups == 4
    kept = built.path.read_bytes()
    write_tif(folder / "bad.tif", FIELD)
    data = (folder / "bad.tif").read_bytes()
    (folder / "bad.tif").write_bytes(data[: len(data) - 300])
    with pytest.raises(TableError, match=r"bad\.tif cannot be read as GeoTIFF"):
        build(folder, "A: {source: bad.tif}")
    assert built.path.read_bytes() == kept
    assert not list(folder.glob(".table-*"))


def test_a_study_reads_the_table(folder: Path) -> None:
    write_tif(folder / "b.tif", FIELD * 2 + RANDOM.normal(size=SHAPE).astype(np.float32))
    build_table(write_spec(folder, "A: {source: grid.tif}\nB: {source: b.tif}"))
    (folder / "models").mkdir()
    (folder / "specs").mkdir()
    (folder / "models" / "m.yaml").write_text("method: psem\nformula: A ~ B\n")
    spec = folder / "specs" / "s.yaml"
    spec.write_text(
        "study: s\ntable: {path: ../made.parquet}\n"
        "pixel: {easting: easting, northing: northing, size: 1000}\n"
        "response: {A: {}}\ndrivers: {x: {B: {}}}\nfit: [{models: [m]}]\n"
    )
    done = dr.run(spec, folder / "out")
    assert done.table("fit")["n"].tolist() == [108]


def test_rasterio_reads_what_was_written(folder: Path) -> None:
    """The helper itself: the made file is what the tests think it is."""
    with rasterio.open(folder / "grid.tif") as file:
        assert np.array_equal(file.read(1), FIELD)


EMPTY = "(a negative number, or 0 / 0), which are left empty"


def test_what_a_formula_has_no_result_for_is_counted(folder: Path) -> None:
    low = FIELD - 100
    for year in (2001, 2002):
        write_tif(folder / f"n_{year}.tif", low)
    built, frame = build(
        folder,
        'A: {source: grid.tif}\nN: {source: "n_{year}.tif"}',
        more="derive: {L: log(A - 100), R: N^0.5, T: slope(sqrt(A - 100)), M: mean(R) + 1}\n",
    )
    bad = int((low < 0).sum())
    assert frame["L"].isna().sum() == bad
    assert [w for w in built.warnings if "no result" in w] == [
        f"`L`: `log(A - 100)` has no result in {bad} pixels {EMPTY}",
        f"`R`: `N ^ 0.5` has no result in {2 * bad} pixels and years {EMPTY}",
        f"`T`: `sqrt(A - 100)` has no result in {bad} pixels {EMPTY}",
    ]


def test_values_without_a_result_are_counted_once_in_pieces(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunks, "MOST_CELLS", 9)
    built, _ = build(folder, "A: {source: grid.tif}", more="derive: {L: log(A - 100), T: slope(L)}\n")
    bad = int((FIELD < 100).sum())
    assert [w for w in built.warnings if "no result" in w] == [
        f"`L`: `log(A - 100)` has no result in {bad} pixels {EMPTY}"
    ]
