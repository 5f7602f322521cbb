"""What `drivers table` says, and traps that needed a second look."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import geopandas
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from made_rasters import NORTH, UTM, WEST, build, column, write_spec, write_tif
from shapely.geometry import box

from drivers.errors import TableError
from drivers.progress import reporting
from drivers.table.rasters import resample
from drivers.table_command import make_table, table_lines

SHAPE = (6, 5)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_tif(tmp_path / "grid.tif", np.arange(30.0).reshape(SHAPE))
    return tmp_path


def test_what_the_command_says(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    holes = np.ones(SHAPE)
    holes[0, :3] = np.nan
    for year in (2001, 2002):
        write_tif(folder / f"n_{year}.tif", holes if year == 2002 else np.ones(SHAPE))
    spec = write_spec(
        folder, 'N: {source: "n_{year}.tif"}\nA: {source: grid.tif}', more="derive: {S: slope(A)}\n"
    )
    built = make_table(spec, reporting=reporting)
    assert table_lines(built) == [
        "made: 30 pixels of 30 cells (1\u202f000 x 1\u202f000 metres, EPSG:32651), 7 columns",
        "  N 2001-2002: missing in 0 to 3 pixels",
        "  S: missing in 18 pixels",
        f"Table: {folder / 'made.parquet'}",
    ]
    assert capsys.readouterr().err == "[1/1] table made\n"


def test_importing_the_spec_reads_no_raster_library() -> None:
    code = (
        "import sys, drivers.spec.table_spec; print({'rasterio', 'xarray', 'geopandas'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_files_of_decades_are_one_series(folder: Path) -> None:
    """As CMIP names them: the years are in the time axis, the name says nothing that can be read."""

    y = ("y", NORTH - 1000.0 * (np.arange(6) + 0.5), {"standard_name": "projection_y_coordinate"})
    x = ("x", WEST + 1000.0 * (np.arange(5) + 0.5), {"standard_name": "projection_x_coordinate"})
    for first in (1990, 1992):
        days = pd.date_range(f"{first}-01-01", periods=24, freq="MS")
        values = np.full((24, *SHAPE), float(first))
        made = xr.Dataset({"pr": (("time", "y", "x"), values)}, {"time": days, "y": y, "x": x})
        made.to_netcdf(folder / f"pr_{first}01-{first + 1}12.nc")
    _, frame = build(folder, 'P: {source: "pr_*.nc", time: month, aggregate: sum, crs: EPSG:32651}')
    assert frame.iloc[0, 3:].to_dict() == {
        "P_1990": 12 * 1990.0,
        "P_1991": 12 * 1990.0,
        "P_1992": 12 * 1992.0,
        "P_1993": 12 * 1992.0,
    }


def test_infinite_codes_and_infinite_values_are_missing(folder: Path) -> None:
    values = np.ones(SHAPE, dtype=np.float32)
    values[0, 0], values[1, 1] = np.inf, -np.inf
    write_tif(folder / "inf.tif", values, nodata=np.inf)
    built, _ = build(folder, "A: {source: inf.tif}\nB: {source: grid.tif}")
    assert built.filled["A"] == 28


def test_complex_numbers_are_refused(folder: Path) -> None:
    write_tif(folder / "c.tif", np.ones(SHAPE, dtype=np.complex64))
    with pytest.raises(TableError, match=r"c\.tif holds complex64, and not real numbers"):
        build(folder, "A: {source: c.tif}")


def test_a_mask_between_the_centres(folder: Path) -> None:
    thin = box(WEST, NORTH - 400, WEST + 9000, NORTH - 100)
    geopandas.GeoDataFrame({"n": [1]}, geometry=[thin], crs=UTM).to_file(folder / "thin.gpkg")
    with pytest.raises(TableError) as caught:
        build(folder, "A: {source: grid.tif}", grid="{like: grid.tif, mask: thin.gpkg}")
    assert str(caught.value) == (
        "TableError: the mask holds the centre of no cell of the grid\n"
        "  made.table.yaml, line 2:  grid: {like: grid.tif, mask: thin.gpkg}\n"
        "                                                         ^^^^^^^^^"
    )


@pytest.mark.parametrize("how", ["average", "sum", "mode", "bilinear", "nearest"])
def test_a_pixel_that_reaches_beyond_a_map(folder: Path, how: str) -> None:
    """GDAL alone would count the last column of the map twice."""
    values = np.random.default_rng(1).integers(1, 50, (24, 18)).astype(float)
    write_tif(folder / "fine.tif", values, side=250.0)  # four and a half pixels wide
    _, frame = build(folder, f"A: {{source: fine.tif, resample: {how}}}\nB: {{source: grid.tif}}")
    got = column(frame, "A", SHAPE)
    blocks = [[values[4 * r : 4 * r + 4, 4 * c : 4 * c + 4] for c in range(5)] for r in range(6)]
    if how == "average":
        np.testing.assert_allclose(got, [[b.mean() for b in row] for row in blocks], rtol=1e-12)
    elif how == "sum":
        np.testing.assert_allclose(got, [[b.sum() for b in row] for row in blocks], rtol=1e-12)
    elif how == "mode":
        assert all(got[r, c] in blocks[r][c] for r in range(6) for c in range(5))
    else:
        assert np.isfinite(got[:, :4]).all()


def test_maps_far_finer_than_the_grid_in_pieces(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(1).normal(size=(600, 500))
    write_tif(folder / "fine.tif", values, side=10.0)
    monkeypatch.setattr(resample, "MAP_CELLS", 5000)
    _, frame = build(folder, "A: {source: fine.tif, resample: average}")
    expected = values.reshape(6, 100, 5, 100).mean(axis=(1, 3))
    np.testing.assert_allclose(column(frame, "A", SHAPE), expected, rtol=1e-10, atol=1e-14)


def test_a_world_file_beside_a_picture_counts(folder: Path) -> None:
    """Georeference in a sidecar, as older tools write it."""
    write_tif(folder / "s.tif", np.ones(SHAPE), crs=None, west=0.0, north=0.0, side=1.0)
    import rasterio
    from rasterio.transform import Affine

    with rasterio.open(
        folder / "s.tif", "w", driver="GTiff", height=6, width=5, count=1, dtype="float64", tfw="YES",
        transform=Affine(1000.0, 0, WEST, 0, -1000.0, NORTH), PROFILE="BASELINE",
    ) as file:  # fmt: skip
        file.write(np.ones((1, *SHAPE)))
    built, _ = build(folder, f"A: {{source: s.tif, crs: {UTM}}}")
    assert built.pixels == 30
    assert all(c.about.get("resample") is None for c in built.columns)
