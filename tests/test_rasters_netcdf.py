"""NetCDF and Zarr: axes, packed numbers, time, coordinate systems."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from made_rasters import NORTH, SIDE, UTM, WEST, build, column, write_tif
from pyproj import CRS

from drivers.errors import TableError

SHAPE = (5, 8)
RANDOM = np.random.default_rng(7)
WORLD = "{crs: EPSG:4326, resolution: 15, bounds: [-180, -90, 180, 90]}"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_tif(tmp_path / "grid.tif", np.ones(SHAPE))
    return tmp_path


def projected(values: Any, **more: Any) -> xr.Dataset:
    """A Dataset `v` on the cells of grid.tif, with its grid mapping."""
    array = np.asarray(values)
    dims = ("time", "y", "x")[-array.ndim :]
    coords = {
        "y": ("y", NORTH - SIDE * (np.arange(SHAPE[0]) + 0.5), {"standard_name": "projection_y_coordinate"}),
        "x": ("x", WEST + SIDE * (np.arange(SHAPE[1]) + 0.5), {"standard_name": "projection_x_coordinate"}),
    }
    made = xr.Dataset({"v": (dims, array, {"grid_mapping": "utm", **more})}, coords)
    made["utm"] = ((), 0, CRS.from_user_input(UTM).to_cf())
    return made


def timed(count: int, start: str = "2001-01-01", freq: str = "MS") -> xr.Dataset:

    days = pd.date_range(start, periods=count, freq=freq) + pd.Timedelta(days=14)
    values = RANDOM.uniform(size=(count, *SHAPE))
    return projected(values).assign_coords(time=days)


def world(longitudes: np.ndarray, *, south_up: bool) -> tuple[xr.Dataset, np.ndarray]:
    """A field that knows its own latitude and longitude, and what it is on a grid of -180 to 180."""
    latitudes = np.arange(-82.5, 90, 15.0)[:: 1 if south_up else -1]
    values = latitudes[:, None] * 1000 + (longitudes + 180.0) % 360.0
    made = xr.Dataset(
        {"v": (("lat", "lon"), values)},
        {
            "lat": ("lat", latitudes, {"units": "degrees_north"}),
            "lon": ("lon", longitudes, {"units": "degrees_east"}),
        },
    )
    expected = np.arange(82.5, -90, -15.0)[:, None] * 1000 + np.arange(7.5, 360, 15.0)
    return made, expected


@pytest.mark.parametrize("suffix", ["nc", "zarr"])
@pytest.mark.parametrize("south_up", [True, False])
@pytest.mark.parametrize("first", [-172.5, 7.5])
def test_longitudes_to_360_and_rows_from_the_south(
    folder: Path, suffix: str, south_up: bool, first: float
) -> None:
    made, expected = world(np.arange(first, first + 360, 15.0), south_up=south_up)
    made.to_netcdf(folder / "w.nc") if suffix == "nc" else made.to_zarr(folder / "w.zarr")
    for grid in (WORLD, f"{{like: w.{suffix}}}"):
        built, frame = build(folder, f"V: {{source: w.{suffix}}}", grid=grid)
        assert np.array_equal(frame["V"].to_numpy().reshape(12, 24), expected)
        assert frame["easting"].iloc[0] == -172.5
        assert next(c for c in built.columns if c.name == "V").about["resample"] is None


def test_a_piece_beyond_180_is_moved_by_a_turn(folder: Path) -> None:
    made, expected = world(np.arange(187.5, 300, 15.0), south_up=True)
    made.to_netcdf(folder / "w.nc")
    _, frame = build(folder, "V: {source: w.nc}", grid=WORLD)
    assert np.array_equal(frame["V"].to_numpy().reshape(12, -1), expected[:, :8])


def test_a_turned_world_under_a_projected_grid(folder: Path) -> None:
    """Longitudes to 360 under a grid west of Greenwich, where they have to be found a turn further."""
    made, _ = world(np.arange(7.5, 360, 15.0), south_up=True)
    made.to_netcdf(folder / "w.nc")
    write_tif(folder / "west.tif", np.ones(SHAPE), crs="EPSG:32618", side=100_000.0)
    _, frame = build(
        folder, "V: {source: w.nc, resample: nearest}\nB: {source: west.tif}", grid="{like: west.tif}"
    )
    assert frame["V"].notna().all()
    assert set(frame["V"] % 1000) <= {597.5, 612.5, 627.5}


def test_packed_numbers_valid_range_and_several_codes(folder: Path) -> None:
    stored = np.arange(40, dtype=np.int16).reshape(SHAPE)
    stored[0, :3] = [-999, -888, 5000]
    made = projected(
        stored,
        scale_factor=0.01,
        add_offset=10.0,
        _FillValue=np.int16(-999),
        missing_value=np.int16(-888),
        valid_range=np.array([0, 1000], dtype=np.int16),
        units="mm",
    )
    made.to_netcdf(folder / "p.nc")
    built, frame = build(
        folder, "V: {source: p.nc}\nW: {source: p.nc, scale: 1, unit: cm}\nB: {source: grid.tif}"
    )
    got = column(frame, "V", SHAPE)
    assert np.isnan(got[0, :3]).all()
    np.testing.assert_allclose(got[1:], stored[1:] * 0.01 + 10.0, rtol=1e-15)
    assert column(frame, "W", SHAPE)[1, 0] == 8.0
    assert {c.name: c.unit for c in built.columns if c.name in "VW"} == {"V": "mm", "W": "cm"}


def test_unsigned_bytes_and_the_default_fill(folder: Path) -> None:
    stored = np.full(SHAPE, 200, dtype=np.uint8).view(np.int8)
    projected(stored, _Unsigned="true", _FillValue=np.int8(-1)).to_netcdf(folder / "u.nc")
    unwritten = np.ones(SHAPE, dtype=np.float32)
    unwritten[0, 0] = 9.969209968386869e36
    made = projected(unwritten)
    made["v"].encoding["_FillValue"] = None
    made.to_netcdf(folder / "f.nc")
    _, frame = build(folder, "U: {source: u.nc}\nF: {source: f.nc}")
    assert set(frame["U"]) == {200}
    assert frame["F"].isna().sum() == 1


def test_months_of_one_file_and_partial_years(folder: Path) -> None:
    made = timed(29, "2000-10-01")
    made.to_netcdf(folder / "t.nc")
    built, frame = build(folder, "V: {source: t.nc, time: month, aggregate: mean}")
    assert list(frame.columns[3:]) == ["V_2001", "V_2002"]
    np.testing.assert_allclose(
        column(frame, "V_2002", SHAPE), made["v"].sel(time="2002").mean("time"), rtol=1e-14
    )
    assert built.warnings == (
        "`V`: 2000 is left out, since only 3 of its 12 maps are there",
        "`V`: 2003 is left out, since only 2 of its 12 maps are there",
    )


def test_half_months_and_days(folder: Path) -> None:

    days = pd.date_range("2001-01-01", "2003-03-31", freq="D")
    values = RANDOM.uniform(size=(len(days), *SHAPE))
    projected(values).assign_coords(time=days).to_netcdf(folder / "d.nc")
    built, frame = build(folder, "V: {source: d.nc, time: month, aggregate: sum}")
    np.testing.assert_allclose(column(frame, "V_2002", SHAPE), values[365:730].sum(axis=0), rtol=1e-13)
    assert list(frame.columns[3:]) == ["V_2001", "V_2002"]
    assert len(built.warnings) == 1


def test_a_missing_month_inside_is_an_error(folder: Path) -> None:
    made = timed(36)
    made.isel(time=[i for i in range(36) if i not in (15, 16)]).to_netcdf(folder / "t.nc")
    with pytest.raises(TableError) as caught:
        build(folder, "V: {source: t.nc, time: month, aggregate: mean}")
    assert str(caught.value) == (
        "TableError: layer `V` has no map of 2002-04, 2002-05\n"
        "  made.table.yaml, line 4:  V: {source: t.nc, time: month, aggregate: mean}\n"
        "                                        ^^^^\n"
        "  whole years: 2001, 2003"
    )


def test_a_file_of_months_for_every_year(folder: Path) -> None:
    made = timed(24)
    for year in ("2001", "2002"):
        made.sel(time=year).to_netcdf(folder / f"pre_{year}.nc")
    _, frame = build(folder, 'V: {source: "pre_{year}.nc", time: month, aggregate: sum}')
    expected = made["v"].sel(time="2001").sum("time")
    np.testing.assert_allclose(column(frame, "V_2001", SHAPE), expected, rtol=1e-14)


@pytest.mark.parametrize(
    ("values", "attributes"),
    [
        (np.arange(12.0), {"units": "months since 2001-01-01"}),
        (np.arange(200101, 200113), {}),
        (np.arange(12.0) * 30 + 15, {"units": "days since 2001-01-01", "calendar": "360_day"}),
        (np.cumsum([31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]), {"units": "days since 2001-01-01"}),
    ],
)
def test_time_axes_of_all_kinds(folder: Path, values: Any, attributes: dict[str, str]) -> None:
    made = projected(RANDOM.uniform(size=(12, *SHAPE)))
    made["time"] = ("time", values, attributes)
    if "calendar" not in attributes and "days" in attributes.get("units", ""):
        # Months labelled by their end: only the bounds tell.
        made["time"].attrs["bounds"] = "time_bnds"
        made["time_bnds"] = (("time", "two"), np.stack([[0, *values[:-1]], values], axis=1).astype(float))
    made.to_netcdf(folder / "t.nc")
    _, frame = build(folder, "V: {source: t.nc, time: month, aggregate: mean}")
    assert list(frame.columns[3:]) == ["V_2001"]
    assert frame["V_2001"].to_numpy() == pytest.approx(made["v"].mean("time").to_numpy().ravel())


def test_years_of_one_file_and_variables_by_year(folder: Path) -> None:
    made = projected(RANDOM.uniform(size=(3, *SHAPE))).assign_coords(time=[2001, 2002, 2003])
    made.to_netcdf(folder / "y.nc")
    made["lu_1990"], made["lu_2000"] = made["v"][0], made["v"][1]
    made.drop_vars(["v", "time"]).to_netcdf(folder / "z.nc")
    layers = 'V: {source: y.nc, time: year, years: [2002, 2003]}\nL: {source: z.nc, variable: "lu_{year}"}'
    _, frame = build(folder, layers)
    assert list(frame.columns[3:]) == ["V_2002", "V_2003", "L_1990", "L_2000"]
    assert np.array_equal(frame["V_2002"], frame["L_2000"])


def test_a_monthly_file_as_years_is_refused(folder: Path) -> None:
    timed(24).to_netcdf(folder / "t.nc")
    with pytest.raises(TableError) as caught:
        build(folder, "V: {source: t.nc, time: year}")
    assert str(caught.value) == (
        "TableError: layer `V` has 12 maps of 2001\n"
        "  made.table.yaml, line 4:  V: {source: t.nc, time: year}\n"
        "                                                    ^^^^\n"
        "  if they are months, say `time: month` and `aggregate: mean` or `sum`"
    )


def test_uneven_axes_further_dimensions_and_damage(folder: Path) -> None:
    uneven = projected(np.ones(SHAPE))
    uneven["y"] = ("y", np.array([5.0, 4.0, 3.0, 2.0, 0.5]) * SIDE, uneven["y"].attrs)
    uneven.to_netcdf(folder / "uneven.nc")
    deep = projected(np.ones(SHAPE)).expand_dims(level=3)
    deep.to_netcdf(folder / "deep.nc")
    (folder / "text.nc").write_text("no NetCDF")
    with pytest.raises(TableError) as caught:
        build(folder, "A: {source: uneven.nc}\nB: {source: deep.nc}\nC: {source: text.nc}")
    assert [fault.message for fault in caught.value.faults] == [
        "`y` of uneven.nc is not evenly spaced",
        "`v` of deep.nc has 3 steps along `level`",
        f"text.nc cannot be read as NetCDF: [Errno -51] NetCDF: Unknown file format: '{folder / 'text.nc'}'",
    ]


def test_metres_without_a_coordinate_system(folder: Path) -> None:
    made = projected(np.ones(SHAPE)).drop_vars("utm")
    made["v"].attrs.clear()
    made.to_netcdf(folder / "m.nc")
    with pytest.raises(TableError) as caught:
        build(folder, "A: {source: m.nc}")
    assert str(caught.value) == (
        "TableError: m.nc does not say its coordinate system\n"
        "  made.table.yaml, line 4:  A: {source: m.nc}\n"
        "                                        ^^^^\n"
        "  add it to the layer: `A: {source: m.nc, crs: EPSG:...}`"
    )
    built, _ = build(folder, "A: {source: m.nc, crs: 32651}")
    assert built.pixels == 40


def test_pickled_objects_in_zarr_are_not_opened(folder: Path) -> None:
    made = projected(np.ones(SHAPE))
    made.to_zarr(folder / "z.zarr", zarr_format=2)
    held = folder / "z.zarr" / "v" / ".zarray"
    said = json.loads(held.read_text())
    said["filters"] = [{"id": "pickle", "protocol": 4}]
    held.write_text(json.dumps(said))
    with pytest.raises(TableError, match="it holds pickled objects, which could run code"):
        build(folder, "A: {source: z.zarr}")


def test_a_classic_file_that_is_cut_off(folder: Path) -> None:
    """The library would read zeros where the file ends."""
    timed(12).to_netcdf(folder / "t.nc", format="NETCDF3_CLASSIC")
    data = (folder / "t.nc").read_bytes()
    (folder / "t.nc").write_bytes(data[:-200])
    with pytest.raises(TableError, match=r"t\.nc cannot be read as NetCDF: it is cut off"):
        build(folder, "V: {source: t.nc, time: month, aggregate: mean}")
