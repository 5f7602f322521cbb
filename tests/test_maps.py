"""GeoTIFFs of change: read back with rasterio and held against the pixels."""

from __future__ import annotations

import csv
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import rasterio
from test_report_change import made, pixels

from drivers.maps import OUTSIDE, ClassMap, class_maps, grid_of, metres_of, write_maps
from drivers.study import run as run_study
from drivers.table import PixelTable

CHANGE = {"trend": "NEP", "persistence": "NEP", "frequency": "NEP"}
NAMES = ["falls", "stays", "rises"]


def table(x: object, y: object, **more: object) -> PixelTable:
    frame = pd.DataFrame({"x": np.asarray(x, dtype=float), "y": np.asarray(y, dtype=float)})
    return PixelTable(frame, "t", easting="x", northing="y", **more)  # type: ignore[arg-type]


def columns(n: int) -> pd.DataFrame:
    codes = np.arange(n) % 4 - 1
    count = pd.array(np.arange(n) % 7, dtype="Int16")
    count[0] = pd.NA
    return pd.DataFrame(
        {
            "NEP_trend_class": pd.Categorical.from_codes(codes, pd.Index(NAMES), ordered=True),
            "NEP_sen_slope": np.where(np.arange(n) == 1, np.nan, np.arange(n) / 3),
            "NEP_rising": count,
            "NEP_n_years": np.arange(n, dtype=np.int16),
        }
    )


def test_a_run_writes_maps_that_agree_with_its_pixels(tmp_path: Path) -> None:
    frame = pixels(12).sample(frac=0.8, random_state=1)  # in no order, with holes
    frame.loc[frame.index[:3], "NEP_2001":"NEP_2015"] = np.nan
    made(tmp_path, frame, CHANGE)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        done = run_study(tmp_path / "c.yaml", tmp_path / "out")
    found = done.pixels
    assert found is not None
    listed = (tmp_path / "out" / "run.json").read_text(encoding="utf-8")
    for name in ("NEP_trend_class", "NEP_persistence_class", "NEP_sen_slope", "NEP_rising", "NEP_hurst"):
        assert f'"maps/{name}.tif"' in listed
        with rasterio.open(tmp_path / "out" / "maps" / f"{name}.tif") as tif:
            assert tif.crs.to_epsg() == 32651
            assert tif.res == (1000.0, 1000.0)
            assert tif.descriptions == (name,)
            values = tif.read(1, masked=True)
            assert values.count() <= len(found)
            rows, cols = rasterio.transform.rowcol(tif.transform, found["x"], found["y"])
            got = values[np.asarray(rows), np.asarray(cols)]
            inside = np.zeros(values.shape, dtype=bool)
            inside[rows, cols] = True
            assert np.ma.getmaskarray(values)[~inside].all()
        if name.endswith("class"):
            with (tmp_path / "out" / "maps" / f"{name}.csv").open(encoding="utf-8") as stream:
                names = {int(row["code"]): row["class"] for row in csv.DictReader(stream)}
            assert list(names.values()) == list(found[name].cat.categories)
            assert [names.get(int(code)) for code in got] == [
                None if pd.isna(v) else v for v in found[name].tolist()
            ]
        else:
            expected = found[name].to_numpy(dtype=np.float32, na_value=np.nan)
            np.testing.assert_array_equal(got.astype(np.float32).filled(np.nan), expected)


def test_the_same_bytes_twice(tmp_path: Path) -> None:
    made(tmp_path, pixels(6), CHANGE)
    for name in ("a", "b"):
        run_study(tmp_path / "c.yaml", tmp_path / name)
    for path in (tmp_path / "a" / "maps").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / "maps" / path.name).read_bytes()


@pytest.mark.parametrize(
    ("x", "y", "more"),
    [
        ([0.0, 0.31, 7.77, 2.2], [1.0, 0.2, 3.3, 9.1], {"crs": "EPSG:32651"}),  # scattered
        ([0, 1000, 0, 1000], [0, 0, 1000, 1000], {}),  # no system
        ([0, 1000, 0, 0], [0, 0, 1000, 1000], {"crs": "EPSG:32651", "cell_size": 1000.0}),  # one cell twice
        ([0, 1, 1e9, 5e8], [0, 1, 1e9, 1], {"crs": "EPSG:32651", "cell_size": 1.0}),  # far too empty
    ],
)
def test_no_maps_where_there_is_no_grid(
    tmp_path: Path, x: list[float], y: list[float], more: dict[str, object]
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        write_maps(table(x, y, **more), columns(4), tmp_path)
    assert not (tmp_path / "maps").exists()


def test_a_scattered_run_is_silent(tmp_path: Path) -> None:
    frame = pixels(6)
    frame[["x", "y"]] = np.random.default_rng(2).random((36, 2)) * 9000
    made(tmp_path, frame, CHANGE, pixel={"easting": "x", "northing": "y", "crs": "EPSG:32651"})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        done = run_study(tmp_path / "c.yaml", tmp_path / "out")
    assert done.tables.maps == ()
    assert not (tmp_path / "out" / "maps").exists()
    assert not [w for w in done.tables.meta["warnings"] if "map" in w]


def test_cells_that_are_not_square_and_degrees(tmp_path: Path) -> None:
    x, y = np.meshgrid(100 + 0.25 * np.arange(5), 40 - 0.1 * np.arange(3))
    geographic = table(x.ravel(), y.ravel(), crs="EPSG:4326")
    grid = grid_of(geographic)
    assert grid is not None
    assert grid.shape == (3, 5)
    assert (grid.width, grid.height) == pytest.approx((0.25, 0.1))
    assert (grid.west, grid.north) == pytest.approx((99.875, 40.05))
    assert metres_of(geographic) is None
    (shown,) = class_maps(geographic, columns(15))
    assert shown.in_km
    assert shown.cell == pytest.approx((0.25 * 111.195 * np.cos(np.deg2rad(39.9)), 11.1195), rel=1e-4)
    write_maps(geographic, columns(15), tmp_path)
    with rasterio.open(tmp_path / "maps" / "NEP_n_years.tif") as tif:
        assert tif.nodata == OUTSIDE
        np.testing.assert_array_equal(tif.read(1), np.arange(15).reshape(3, 5))
        assert tif.bounds == pytest.approx((99.875, 39.75, 101.125, 40.05))


def test_pictures_hold_what_is_outside_and_unknown() -> None:
    found = table([0, 1000, 2000, 0], [0, 0, 0, 1000], crs="EPSG:32651", cell_size=1000.0)
    (shown,) = class_maps(found, columns(4))
    assert shown.names == tuple(NAMES)
    assert shown.cell == (1.0, 1.0)
    out, none = ClassMap.OUTSIDE, ClassMap.UNKNOWN
    assert shown.codes.tolist() == [[2, out, out], [none, 0, 1]]
    assert class_maps(found, columns(4)[["NEP_sen_slope"]]) == ()
    assert class_maps(PixelTable(pd.DataFrame({"a": [1.0]}), "t"), columns(1)) == ()


def test_names_that_no_disk_takes(tmp_path: Path) -> None:
    found = table([0, 1], [0, 0], crs="EPSG:32651", cell_size=1.0)
    bad = pd.DataFrame({"a/b:c": [1.0, 2.0], "a?b:c": [3.0, 4.0], "A/B:C": [5.0, 6.0], "../x": [7.0, 8.0]})
    write_maps(found, bad, tmp_path)
    names = sorted(path.name for path in (tmp_path / "maps").iterdir())
    assert len({name.casefold() for name in names}) == 4
    assert not [path for path in tmp_path.iterdir() if path.name != "maps"]
    with rasterio.open(tmp_path / "maps" / "a_b_c.tif") as tif:
        assert tif.descriptions == ("a/b:c",)
