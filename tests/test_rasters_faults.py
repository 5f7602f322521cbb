"""Bad rasters and grids: what is said, whole, and that nothing is written."""

from __future__ import annotations

from pathlib import Path

import geopandas
import numpy as np
import pytest
from made_rasters import NORTH, UTM, WEST, build, write_spec, write_tif
from shapely.geometry import Point, box

from drivers.errors import TableError
from drivers.table.rasters import build_table

SHAPE = (6, 5)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_tif(tmp_path / "grid.tif", np.arange(30.0).reshape(SHAPE))
    return tmp_path


def refused(folder: Path, layers: str, **parts: str) -> str:
    with pytest.raises(TableError) as caught:
        build(folder, layers, **parts)
    assert not (folder / "made.parquet").exists()
    assert not list(folder.glob(".table-*"))
    return str(caught.value)


def test_no_overlap(folder: Path) -> None:
    write_tif(folder / "far.tif", np.ones(SHAPE), west=WEST + 50_000)
    write_tif(folder / "chile.tif", np.ones(SHAPE), crs="EPSG:4326", west=-71.0, north=-30.0, side=0.01)
    assert refused(folder, "A: {source: far.tif}\nB: {source: chile.tif, resample: bilinear}") == (
        "TableError: far.tif (layer `A`) does not overlap the grid\n"
        "  made.table.yaml, line 4:  A: {source: far.tif}\n"
        "                                        ^^^^^^^\n"
        "  it covers 123.56E to 123.61E, 36.09N to 36.14N; the grid 123.00E to 123.06E, 36.09N to 36.14N\n"
        "chile.tif (layer `B`) does not overlap the grid\n"
        "  made.table.yaml, line 5:  B: {source: chile.tif, resample: bilinear}\n"
        "                                        ^^^^^^^^^\n"
        "  it covers 71.00W to 70.95W, 30.06S to 30.00S; the grid 123.00E to 123.06E, 36.09N to 36.14N"
    )


def test_other_cells_and_no_word_of_resampling(folder: Path) -> None:
    write_tif(folder / "half.tif", np.ones(SHAPE), west=WEST + 500)
    write_tif(folder / "fine.tif", np.ones((40, 40)), side=200.0)
    assert refused(
        folder, "A: {source: half.tif}\nB: {source: fine.tif}\nC: {source: half.tif, categorical: true}"
    ) == (
        "TableError: the cells of half.tif are not those of the grid; `A` has no `resample`\n"
        "  made.table.yaml, line 4:  A: {source: half.tif}\n"
        "                                        ^^^^^^^^\n"
        "  add `resample: bilinear`, or `nearest` to keep its values as they are\n"
        "the cells of fine.tif are not those of the grid; `B` has no `resample`\n"
        "  made.table.yaml, line 5:  B: {source: fine.tif}\n"
        "                                        ^^^^^^^^\n"
        "  add `resample: average`: 5 of its cells make a pixel's side; `sum` for counts\n"
        "the cells of half.tif are not those of the grid; `C` has no `resample`\n"
        "  made.table.yaml, line 6:  C: {source: half.tif, categorical: true}\n"
        "                                        ^^^^^^^^\n"
        "  add `resample: mode` (the commonest class in a pixel) or `nearest`"
    )


def test_a_year_that_is_missing(folder: Path) -> None:
    for year in (2001, 2002, 2004, 2006):
        write_tif(folder / f"n_{year}.tif", np.ones(SHAPE))
    assert refused(folder, 'N: {source: "n_{year}.tif", years: [2001, 2006]}') == (
        "TableError: layer `N` has no map of 2003, 2005\n"
        '  made.table.yaml, line 4:  N: {source: "n_{year}.tif", years: [2001, 2006]}\n'
        "                                                               ^\n"
        "  there are 2001-2002, 2004, 2006; for the first and the last alone write {from: 2001, to: 2006, step: 5}"  # noqa: E501
    )
    built, _ = build(folder, 'N: {source: "n_{year}.tif"}')
    assert built.warnings == ("`N` has no map of 2003, 2005; there are 2001-2002, 2004, 2006",)


def test_files_that_are_not_there(folder: Path) -> None:
    assert refused(
        folder, 'A: {source: grit.tif}\nB: {source: "lost/{year}.tif"}\nC: {source: "x{year}.tif"}'
    ) == (
        "TableError: there is no file grit.tif\n"
        "  made.table.yaml, line 4:  A: {source: grit.tif}\n"
        "                                        ^^^^^^^^\n"
        "  . holds grid.tif\n"
        "there is no folder lost\n"
        '  made.table.yaml, line 5:  B: {source: "lost/{year}.tif"}\n'
        "                                        ^^^^^^^^^^^^^^^^^\n"
        "  . holds no such file\n"
        "no file matches x{year}.tif\n"
        '  made.table.yaml, line 6:  C: {source: "x{year}.tif"}\n'
        "                                        ^^^^^^^^^^^^^\n"
        "  . holds grid.tif, made.table.yaml"
    )


def test_two_files_for_a_year(folder: Path) -> None:
    write_tif(folder / "n_2001_a.tif", np.ones(SHAPE))
    write_tif(folder / "n_2001_b.tif", np.ones(SHAPE))
    assert refused(folder, 'N: {source: "n_{year}_*.tif"}').startswith(
        "TableError: two files match n_{year}_*.tif for 2001: n_2001_a.tif and n_2001_b.tif"
    )


def test_corrupt_files(folder: Path) -> None:
    (folder / "text.tif").write_text("no raster")
    (folder / "vrt.tif").write_text('<VRTDataset rasterXSize="5" rasterYSize="6"/>')
    message = refused(folder, "A: {source: text.tif}\nB: {source: vrt.tif}")
    assert "text.tif cannot be read as GeoTIFF: 'text.tif' not recognized" in message.replace(
        str(folder) + "/", ""
    )
    assert "vrt.tif cannot be read as GeoTIFF" in message


def test_bands_and_variables_that_are_not_there(folder: Path) -> None:
    write_tif(folder / "b.tif", np.ones((3, *SHAPE)), names=("npp", "pre", "tem"))
    assert refused(
        folder, "A: {source: b.tif, band: nnp}\nB: {source: b.tif, band: 7}\nC: {source: b.tif}"
    ) == (
        "TableError: b.tif has no band `nnp`\n"
        "  made.table.yaml, line 4:  A: {source: b.tif, band: nnp}\n"
        "                                                     ^^^\n"
        "  did you mean `npp`?  known: npp, pre, tem\n"
        "b.tif has no band 7: it has 3 bands\n"
        "  made.table.yaml, line 5:  B: {source: b.tif, band: 7}\n"
        "                                                     ^\n"
        "  known: npp, pre, tem\n"
        "b.tif has 3 bands\n"
        "  made.table.yaml, line 6:  C: {source: b.tif}\n"
        "                                        ^^^^^\n"
        "  say which with `band:`  known: npp, pre, tem"
    )


def test_a_layer_without_any_value(folder: Path) -> None:
    write_tif(folder / "e_2001.tif", np.full(SHAPE, -1.0), nodata=-1.0)
    write_tif(folder / "e_2002.tif", np.ones(SHAPE), nodata=-1.0)
    assert refused(folder, 'E: {source: "e_{year}.tif"}\nB: {source: grid.tif}') == (
        "TableError: layer `E` has no value in 2001 in any pixel of the grid\n"
        '  made.table.yaml, line 4:  E: {source: "e_{year}.tif"}\n'
        "                                        ^^^^^^^^^^^^^^\n"
        "  all is nodata there: -1"
    )


def test_classes_with_fractions(folder: Path) -> None:
    write_tif(folder / "c.tif", np.full(SHAPE, 2.5))
    assert refused(folder, "C: {source: c.tif, categorical: true}") == (
        "TableError: layer `C` is categorical and holds 2.5, which is no class\n"
        "  made.table.yaml, line 4:  C: {source: c.tif, categorical: true}\n"
        "                                        ^^^^^\n"
        "  classes are whole numbers; check `band` or `variable`, and `nodata`"
    )


def test_a_grid_by_a_slip_of_the_resolution(folder: Path) -> None:
    grid = f"{{crs: {UTM}, resolution: 1, bounds: [{WEST}, {NORTH - 99_000}, {WEST + 99_000}, {NORTH}]}}"
    assert (
        refused(folder, "A: {source: grid.tif, resample: bilinear}", grid=grid)
        == (
            "TableError: the grid has 99,000 x 99,000 cells of 1 x 1 metres: 314 GB of numbers in 4 columns\n"
            f"  made.table.yaml, line 2:  grid: {grid}\n" + " " * 64 + "^\n"
            "  take a coarser `resolution` or narrower `bounds`, or put `max_gb: 314` into `grid` if this is meant; "  # noqa: E501
            "the finest layer has cells of 1000"
        )
    )


def test_bounds_in_other_units_than_the_resolution(folder: Path) -> None:
    message = refused(
        folder, "A: {source: grid.tif}", grid="{crs: EPSG:4326, resolution: 1000, bounds: [110, 35, 120, 40]}"
    )
    assert message == (
        "TableError: `bounds` hold no whole cell: they are 10 x 5 degrees, and a cell is 1000 x 1000 degrees\n"  # noqa: E501
        "  made.table.yaml, line 2:  grid: {crs: EPSG:4326, resolution: 1000, bounds: [110, 35, 120, 40]}\n"
        "                                                                             ^\n"
        "  bounds and resolution are in the unit of EPSG:4326, which is the degree"
    )


def test_a_raster_without_a_coordinate_system(folder: Path) -> None:
    write_tif(folder / "bare.tif", np.ones(SHAPE), crs=None)
    assert refused(folder, "A: {source: bare.tif}") == (
        "TableError: bare.tif does not say its coordinate system\n"
        "  made.table.yaml, line 4:  A: {source: bare.tif}\n"
        "                                        ^^^^^^^^\n"
        "  add it to the layer: `A: {source: bare.tif, crs: EPSG:...}`"
    )
    assert build(folder, f"A: {{source: bare.tif, crs: {UTM}}}")[0].pixels == 30
    (folder / "made.parquet").unlink()
    assert refused(folder, "A: {source: bare.tif}", grid="{like: bare.tif}") == (
        "TableError: bare.tif does not say its coordinate system\n"
        "  made.table.yaml, line 2:  grid: {like: bare.tif}\n"
        "                                         ^^^^^^^^\n"
        "  add it: `grid: {like: bare.tif, crs: EPSG:...}`"
    )
    assert build(folder, "A: {source: bare.tif}", grid=f"{{like: bare.tif, crs: {UTM}}}")[0].pixels == 30


def test_a_coordinate_system_against_the_file(folder: Path) -> None:
    assert refused(folder, "A: {source: grid.tif, crs: EPSG:32650}") == (
        "TableError: grid.tif is in EPSG:32651, not in EPSG:32650\n"
        "  made.table.yaml, line 4:  A: {source: grid.tif, crs: EPSG:32650}\n"
        "                                                       ^^^^^^^^^^\n"
        "  leave `crs:` out, or mend the file with `gdal_edit -a_srs`"
    )


def test_vector_files(folder: Path) -> None:
    geopandas.GeoDataFrame({"name": ["p"]}, geometry=[Point(WEST, NORTH)], crs=UTM).to_file(
        folder / "points.gpkg"
    )
    far = geopandas.GeoDataFrame({"name": ["f"]}, geometry=[box(0, 0, 1, 1)], crs=UTM)
    far.to_file(folder / "far.gpkg")
    near = geopandas.GeoDataFrame({"name": ["n"]}, geometry=[box(WEST, 0, WEST + 9e5, NORTH)], crs=UTM)
    near.to_file(folder / "near.gpkg")
    (folder / "evil.geojson").write_text("<OGRVRTDataSource><OGRVRTLayer name='x'/></OGRVRTDataSource>")
    grid = (
        "{like: grid.tif, mask: points.gpkg, zones: {A: {file: far.gpkg, column: name}, "
        "B: {file: near.gpkg, column: nane}, C: {file: lost.gpkg, column: x}, D: {file: evil.geojson, column: x}}}"  # noqa: E501
    )
    with pytest.raises(TableError) as caught:
        build_table(write_spec(folder, "V: {source: grid.tif}", grid=grid))
    assert [(fault.message, fault.hint) for fault in caught.value.faults] == [
        ("points.gpkg holds Point, not polygons", ""),
        ("far.gpkg does not overlap the grid", ""),
        ("near.gpkg has no column `nane`", "did you mean `name`?  known: name"),
        ("there is no file lost.gpkg", ""),
        ("evil.geojson is not what its name says: it does not begin as a .geojson file", ""),
    ]


def test_a_file_that_is_not_ours_is_not_overwritten(folder: Path) -> None:
    (folder / "made.parquet").write_bytes(b"PAR1 something of value")
    with pytest.raises(TableError) as caught:
        build(folder, "A: {source: grid.tif}")
    assert str(caught.value) == (
        "TableError: made.parquet is there already, and `drivers table` did not write it\n"
        "  made.table.yaml, line 1:  table: made\n"
        "                                   ^^^^\n"
        "  name another file with `output:`, or remove it"
    )
    assert (folder / "made.parquet").read_bytes() == b"PAR1 something of value"


def test_respiration_with_a_fill_value_in_precipitation(folder: Path) -> None:
    for month in range(1, 13):
        values = np.ones(SHAPE)
        values[0, 0] = -32768.0 if month == 3 else 1.0
        write_tif(folder / f"p_2001_{month}.tif", values)
    layers = 'P: {source: "p_{year}_{month}.tif"}\nT: {source: "p_{year}_{month}.tif", nodata: -32768}'
    assert refused(folder, layers, more="derive: {R: \"rh(T, P, variant='product')\"}\n") == (
        "TableError: respiration of 2001-03: precipitation is below 0 in 1 of 30 values; is that a fill value?\n"  # noqa: E501
        "  made.table.yaml, line 6:  derive: {R: \"rh(T, P, variant='product')\"}\n"
        "                                        ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^\n"
        "  declare the code with `nodata:` in the layer `P`"
    )


def test_parts_that_share_no_year_and_columns_of_one_name(folder: Path) -> None:
    for name in ("a_2001", "b_2002"):
        write_tif(folder / f"{name}.tif", np.ones(SHAPE))
    layers = 'A: {source: "a_{year}.tif"}\nB: {source: "b_{year}.tif"}'
    assert refused(folder, layers, more="derive: {C: A + B}\n") == (
        "TableError: the parts of `C` share no year\n"
        "  made.table.yaml, line 6:  derive: {C: A + B}\n"
        "                                        ^^^^^\n"
        "  `A` 2001; `B` 2002"
    )
    assert refused(folder, 'A: {source: "a_{year}.tif"}\nA_2001: {source: grid.tif}').startswith(
        "TableError: two columns would be called `A_2001`\n  made.table.yaml, line 5:  A_2001: {source: grid.tif}\n"  # noqa: E501
    )
