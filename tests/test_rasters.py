"""Rasters to pixels on small made GeoTIFFs: cells, coordinate systems, resampling, areas."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import rasterio
from made_rasters import FIELD, NORTH, SHAPE, SIDE, UTM, WEST, build, column, grid_folder, write_tif
from pyproj import CRS
from rasterio.enums import Resampling
from rasterio.transform import Affine
from rasterio.vrt import WarpedVRT

from drivers.stats.terrain import slope_and_aspect
from drivers.table.crs import same_crs
from drivers.table.rasters import RasterGrid, chunks, resample

RANDOM = np.random.default_rng(7)

folder = pytest.fixture(grid_folder)


# Cells and values


def test_values_of_the_same_cells_are_bit_exact(folder: Path) -> None:
    double = RANDOM.normal(size=SHAPE)
    write_tif(folder / "double.tif", double)
    write_tif(folder / "whole.tif", np.arange(108, dtype=np.int16).reshape(SHAPE))
    built, frame = build(
        folder, "A: {source: grid.tif}\nB: {source: double.tif, resample: average}\nC: {source: whole.tif}"
    )
    assert built.pixels == built.cells == 108
    assert np.array_equal(column(frame, "A", SHAPE).astype(np.float32), FIELD)
    assert np.array_equal(column(frame, "B", SHAPE), double)
    assert np.array_equal(column(frame, "C", SHAPE), np.arange(108).reshape(SHAPE))
    assert [str(kind) for kind in frame.dtypes] == ["float64"] * 3 + ["float32", "float64", "int32"]
    assert frame["easting"].iloc[0] == WEST + SIDE / 2
    assert frame["northing"].iloc[0] == NORTH - SIDE / 2
    assert set(frame["cell_area"]) == {SIDE * SIDE}


def test_a_larger_map_of_the_same_cells_is_cut_not_resampled(folder: Path) -> None:
    large = RANDOM.normal(size=(40, 30)).astype(np.float32)
    write_tif(folder / "large.tif", large, west=WEST - 7 * SIDE, north=NORTH + 11 * SIDE)
    write_tif(folder / "small.tif", large[:4, :3], west=WEST + 2 * SIDE, north=NORTH - 5 * SIDE)
    write_tif(folder / "upside.tif", FIELD, south_up=True)
    built, frame = build(
        folder,
        "A: {source: large.tif}\nB: {source: small.tif}\nC: {source: upside.tif}\nD: {source: grid.tif}",
    )
    assert built.filled["B"] == 12
    assert np.array_equal(column(frame, "A", SHAPE), large[11:23, 7:16])
    assert np.array_equal(column(frame, "B", SHAPE)[5:9, 2:5], large[:4, :3])
    assert np.array_equal(column(frame, "C", SHAPE), column(frame, "D", SHAPE))


def test_pixels_without_any_value_are_left_out(folder: Path) -> None:
    holes = FIELD.copy()
    holes[:4] = np.nan
    other = FIELD.copy()
    other[2:] = -9999.0
    write_tif(folder / "holes.tif", holes)
    write_tif(folder / "other.tif", other, nodata=-9999.0)
    built, frame = build(folder, "A: {source: holes.tif}\nB: {source: other.tif}")
    assert built.pixels == len(frame) == 10 * 9
    assert built.filled["A"] == 8 * 9
    assert built.filled["B"] == 2 * 9
    assert frame[["A", "B"]].notna().sum(axis=1).eq(1).all()


@pytest.mark.parametrize("how", ["nearest", "bilinear", "average", "mode", "sum"])
@pytest.mark.parametrize("crs", [UTM, "EPSG:32650", "EPSG:4326"])
def test_resampling_is_that_of_gdal(
    folder: Path, how: str, crs: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Piece by piece as GDAL does it in one piece from the whole map."""
    values = np.round(RANDOM.normal(50.0, 4.0, (120, 110))).astype(np.float32)
    values[30:34, 20:50] = np.nan
    corner = {UTM: (WEST - 3210.0, NORTH + 4321.0), "EPSG:32650": (1_030_000.0, 4_030_000.0)}
    west, north = corner.get(crs, (122.95, 36.2))
    side = 300.0 if crs != "EPSG:4326" else 0.003
    write_tif(folder / "other.tif", values, crs=crs, west=west, north=north, side=side)
    grid = RasterGrid(CRS.from_user_input(crs), west, north, side, side, 120, 110)
    target = RasterGrid(CRS.from_user_input(UTM), WEST, NORTH, SIDE, SIDE, *SHAPE)
    more = {}
    if how == "bilinear":
        down, across = resample.cell_ratio(grid, target)
        more = {"XSCALE": 1 / across, "YSCALE": 1 / down}
    with (
        rasterio.open(folder / "other.tif") as file,
        WarpedVRT(
            file,
            src_nodata=np.nan,
            crs=UTM,
            transform=Affine(SIDE, 0, WEST, 0, -SIDE, NORTH),
            width=SHAPE[1],
            height=SHAPE[0],
            nodata=np.nan,
            resampling=Resampling[how],
            tolerance=1e-6,
            dtype="float64",
            **more,
        ) as warped,
    ):
        whole = warped.read(1)
    monkeypatch.setattr(chunks, "MOST_CELLS", 5 * SHAPE[1])
    monkeypatch.setattr(resample, "MAP_CELLS", 200)
    built, frame = build(folder, f"A: {{source: other.tif, resample: {how}}}\nB: {{source: grid.tif}}")
    got = column(frame, "A", SHAPE)
    assert built.filled["A"] > 30
    np.testing.assert_allclose(got, whole, rtol=1e-6, equal_nan=True)


def test_pieces_meet_without_a_seam(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_tif(folder / "fine.tif", RANDOM.normal(size=(70, 60)), side=250.0, north=NORTH + 333.0)
    layers = "DEM: {source: grid.tif}\nFINE: {source: fine.tif, resample: bilinear}"
    more = "derive: {SLOPE: slope(DEM), FACE: northness(FINE), BOTH: SLOPE + FINE}\n"
    one = build(folder, layers, more=more)[1]
    monkeypatch.setattr(chunks, "MOST_CELLS", 2 * SHAPE[1])
    pd.testing.assert_frame_equal(build(folder, layers, more=more)[1], one)
    expected = slope_and_aspect(FIELD.astype(float), SIDE, SIDE).slope
    np.testing.assert_array_equal(column(one, "SLOPE", SHAPE), expected)


def test_a_coordinate_system_in_other_words_is_the_same(folder: Path) -> None:
    utm = CRS.from_user_input(UTM)
    for number, text in enumerate((utm.to_wkt("WKT1_ESRI"), utm.to_wkt("WKT1_GDAL"), utm.to_proj4())):
        write_tif(folder / f"{number}.tif", FIELD, crs=text)
    built, frame = build(
        folder, "A: {source: 0.tif}\nB: {source: 1.tif}\nC: {source: 2.tif}\nD: {source: grid.tif}"
    )
    for name in "ABC":
        assert np.array_equal(frame[name], frame["D"])
        facts = next(c.about for c in built.columns if c.name == name)
        assert facts["resample"] is None


def test_which_coordinate_systems_are_the_same() -> None:
    china = "+proj=aea +lat_0=0 +lon_0=105 +lat_1=25 +lat_2=47 +x_0=0 +y_0=0 {} +units=m +no_defs"
    albers = CRS.from_user_input(china.format("+ellps=GRS80"))
    other = china.replace("lat_1=25", "lat_1=27")
    assert not same_crs(albers, CRS.from_user_input(other.format("+ellps=GRS80")))
    swapped = china.replace("lat_1=25 +lat_2=47", "lat_1=47 +lat_2=25")
    assert same_crs(albers, CRS.from_user_input(swapped.format("+ellps=GRS80")))
    assert not same_crs(CRS.from_epsg(4326), CRS.from_epsg(4214))  # Beijing 1954
    assert same_crs(CRS.from_epsg(4326), CRS.from_user_input("OGC:CRS84"))
    assert not same_crs(CRS.from_epsg(32651), CRS.from_epsg(32751))
    pulkovo, beijing = CRS.from_epsg(4284), CRS.from_epsg(4214)  # one ellipsoid, a hundred metres apart
    assert not same_crs(pulkovo, beijing)


# Areas


def test_areas_of_a_geographic_grid_sum_to_the_ellipsoid() -> None:
    world = RasterGrid(CRS.from_epsg(4326), -180.0, 90.0, 0.5, 0.5, 360, 720)
    assert world.areas(0, 360).sum() * 720 == pytest.approx(510_065_621_724_088.4, rel=1e-12)
    ball = CRS.from_proj4("+proj=longlat +R=6371000")
    sphere = RasterGrid(ball, -180.0, 90.0, 0.5, 0.5, 360, 720)
    assert sphere.areas(0, 360).sum() * 720 == pytest.approx(4 * np.pi * 6371000.0**2, rel=1e-12)
    geod = CRS.from_epsg(4326).get_geod()
    assert geod is not None
    lon, lat = [10.0, 10.0, *np.linspace(10, 10.5, 400), *np.linspace(10.5, 10, 400)], [50.0, 49.5]
    lat += [49.5] * 400 + [50.0] * 400
    true = abs(geod.polygon_area_perimeter(lon, lat)[0])
    assert world.areas(80, 81)[0] == pytest.approx(true, rel=1e-6)


def test_sides_in_metres_and_in_feet(folder: Path) -> None:
    world = RasterGrid(CRS.from_epsg(4326), 0.0, 61.0, 1.0, 1.0, 2, 2)
    across, down = world.sides(0, 1)
    geod = CRS.from_epsg(4326).get_geod()
    assert geod is not None
    assert across[0] == pytest.approx(1000 * geod.inv(0.0, 60.5, 0.001, 60.5)[2], rel=1e-6)
    assert down[0] == pytest.approx(geod.inv(0.0, 60.0, 0.0, 61.0)[2], rel=1e-6)
    feet = RasterGrid(CRS.from_epsg(2263), 0.0, 0.0, 1000.0, 1000.0, 2, 2)
    assert feet.areas(0, 1)[0] == pytest.approx((1000 * 1200 / 3937) ** 2)


def test_a_projection_that_does_not_keep_areas_is_said(folder: Path) -> None:
    write_tif(folder / "web.tif", FIELD, crs="EPSG:3857", north=7_000_000.0)
    built, _ = build(folder, "A: {source: web.tif}", grid="{like: web.tif}")
    assert built.warnings[0].startswith(
        "`cell_area` is width times height, and EPSG:3857 does not keep areas"
    )
