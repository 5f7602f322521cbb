"""Layers of small made GeoTIFFs: years and months, stored numbers, nodata."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from made_rasters import FIELD, SHAPE, build, column, grid_folder, write_tif

import drivers as dr
from drivers.stats.respiration import monthly_respiration

RANDOM = np.random.default_rng(7)

folder = pytest.fixture(grid_folder)


# Years and months


def test_a_file_for_every_year(folder: Path) -> None:
    for year in (2001, 2002, 2003):
        write_tif(folder / "npp" / f"npp_{year}_v6.tif", FIELD + year)
    write_tif(folder / "npp" / "npp_mean.tif", FIELD)
    built, frame = build(folder, 'NPP: {source: "npp/npp_{year}_*.tif", unit: g C m-2 yr-1}')
    assert [c.name for c in built.columns[3:]] == ["NPP_2001", "NPP_2002", "NPP_2003"]
    assert {c.unit for c in built.columns[3:]} == {"g C m-2 yr-1"}
    assert np.array_equal(column(frame, "NPP_2002", SHAPE), FIELD + 2002)
    one, _ = build(folder, 'NPP: {source: "npp/npp_{year}_*.tif", years: {from: 2001, to: 2003, step: 2}}')
    assert [c.name for c in one.columns[3:]] == ["NPP_2001", "NPP_2003"]


def test_bands_that_are_years_or_months(folder: Path) -> None:
    stack = np.stack([FIELD + i for i in range(24)])
    write_tif(folder / "years.tif", stack[:2], names=("lu_1990", "lu_2010"))
    write_tif(folder / "months.tif", stack)
    layers = """
    A: {source: years.tif, band: "lu_{year}"}
    B: {source: years.tif, time: year, years: [2005, 2006]}
    C: {source: months.tif, time: month, years: [2005, 2006], aggregate: mean}
    """
    _, frame = build(folder, layers)
    assert list(frame.columns[3:]) == ["A_1990", "A_2010", "B_2005", "B_2006", "C_2005", "C_2006"]
    assert np.array_equal(column(frame, "B_2006", SHAPE), stack[1])
    expected = stack[12:].astype(np.float64).mean(axis=0)
    np.testing.assert_allclose(column(frame, "C_2006", SHAPE), expected, rtol=1e-14)


def test_months_become_years_and_need_all_twelve(folder: Path) -> None:
    months = RANDOM.uniform(0.0, 90.0, (12, *SHAPE))
    months[6, 0, 0] = np.nan
    for month, values in enumerate(months, 1):
        write_tif(folder / "pre" / f"pre_2001_{month:02d}.tif", values)
        write_tif(folder / "tem" / "2001" / f"{month}.tif", values / 3.0)
    layers = """
    PRE: {source: "pre/pre_{year}_{month}.tif", aggregate: sum, unit: mm}
    TEM: {source: "tem/{year}/{month}.tif", unit: degC}
    """
    more = 'derive: {RH: "rh(TEM, PRE, variant=\'pei2009_additive\')", LESS: "10 - RH"}\n'
    built, frame = build(folder, layers, more=more)
    assert list(frame.columns[3:]) == ["PRE_2001", "RH_2001", "LESS_2001"]
    np.testing.assert_allclose(
        column(frame, "PRE_2001", SHAPE).ravel()[1:], months.sum(axis=0).ravel()[1:], rtol=1e-14
    )
    expected = sum(monthly_respiration(m / 3.0, m, "pei2009_additive") for m in months)
    np.testing.assert_allclose(column(frame, "RH_2001", SHAPE).ravel()[1:], expected.ravel()[1:], rtol=1e-12)
    assert built.pixels == 107  # the pixel without July has no value at all
    assert next(c.unit for c in built.columns if c.name == "RH_2001") == "g C m-2 yr-1"


def test_implausible_respiration_is_said(folder: Path) -> None:
    for month in range(1, 13):
        write_tif(folder / f"p{month}_2001.tif", np.full(SHAPE, 5.0))
        write_tif(folder / f"t{month}_2001.tif", np.full(SHAPE, 250.0 if month == 7 else 10.0))
    layers = 'P: {source: "p{month}_{year}.tif"}\nT: {source: "t{month}_{year}.tif"}'
    built, _ = build(folder, layers, more="derive: {RH: \"rh(T, P, variant='product')\"}\n")
    assert built.warnings == (
        "`rh(T, P, 'product')`: annual respiration is 100.0% above 1500 g C m-2 of all pixels and years; "
        "check the units (degC, mm a month) and the variant",
    )


# Stored numbers


def test_scale_offset_and_nodata_that_changes_between_years(folder: Path) -> None:
    stored = np.arange(108, dtype=np.int16).reshape(SHAPE)
    early, late = stored.copy(), stored.copy()
    early[0, 0], late[0, 1], late[0, 2] = -9999, -32768, 32767
    write_tif(folder / "t_2001.tif", early, nodata=-9999)
    write_tif(folder / "t_2002.tif", late, nodata=-32768)
    _, frame = build(folder, 'T: {source: "t_{year}.tif", scale: 0.1, offset: -5, nodata: 32767}')
    first, second = column(frame, "T_2001", SHAPE), column(frame, "T_2002", SHAPE)
    assert np.isnan(first[0, 0])
    assert np.isnan(first).sum() == 1
    assert np.isnan(second[0, 1])
    assert np.isnan(second[0, 2])
    assert np.isnan(second).sum() == 2
    np.testing.assert_allclose(first[1], stored[1] * 0.1 - 5, rtol=1e-15)


def test_the_scale_of_the_file_holds_until_the_spec_says_another(folder: Path) -> None:
    write_tif(folder / "s.tif", np.full(SHAPE, 200, dtype=np.int16), scale=0.5, offset=1.0)
    _, frame = build(folder, "A: {source: s.tif}\nB: {source: s.tif, scale: 0.1}")
    assert set(frame["A"]) == {101.0}
    assert set(frame["B"]) == {20.0}


def test_nodata_is_missing_before_it_is_averaged(folder: Path) -> None:
    fine = np.full((24, 18), 7.0)
    fine[::2, ::2] = -3.4028234663852886e38
    write_tif(folder / "fine.tif", fine.astype(np.float32), side=500.0)
    _, frame = build(folder, "A: {source: fine.tif, resample: average, nodata: -3.4e38}")
    assert set(frame["A"]) == {7.0}


def test_undeclared_fill_values_are_suspected(folder: Path) -> None:
    stored = RANDOM.integers(0, 15000, SHAPE).astype(np.uint16)
    stored[3:5] = 65533
    stored[5, 0:4] = 65535
    write_tif(folder / "npp.tif", stored)
    built, _ = build(folder, "NPP: {source: npp.tif}\nB: {source: grid.tif}")
    assert built.warnings == (
        "`NPP` holds 65535 in 4 cells, 65533 in 18 cells, far from its other values: "
        "if that means no data, add `nodata: [65535, 65533]`",
    )
    built, _ = build(folder, "NPP: {source: npp.tif, nodata: [65533, 65535]}\nB: {source: grid.tif}")
    assert built.warnings == ()


def test_a_code_that_cannot_occur_is_said(folder: Path) -> None:
    write_tif(folder / "c.tif", np.ones(SHAPE, dtype=np.uint8))
    built, _ = build(folder, "C: {source: c.tif, nodata: -9999}")
    assert built.warnings == ("`C`: `nodata: -9999` can never occur, since c.tif stores uint8",)


def test_classes_are_whole_numbers_that_may_be_missing(folder: Path) -> None:
    classes = RANDOM.integers(1, 6, (24, 18)).astype(np.float32)
    classes[0:2, 0:2] = np.nan
    write_tif(folder / "lu.tif", classes, side=500.0)
    built, frame = build(
        folder, "LU: {source: lu.tif, resample: mode, categorical: true}\nB: {source: grid.tif}"
    )
    schema = pq.read_schema(built.path)
    assert str(schema.field("LU").type) == "int32"
    assert frame["LU"].isna().sum() == 1
    table = dr.table.read_table(built.path, categorical=["LU"])
    assert set(table.levels("LU")) <= {"1", "2", "3", "4", "5"}


def test_classes_lie_anywhere_but_255_is_suspected(folder: Path) -> None:
    use = np.tile(np.array([1, 2, 4, 30, 31, 80], dtype=np.uint8), 18).reshape(SHAPE)
    write_tif(folder / "use.tif", use)
    built, _ = build(folder, "A: {source: grid.tif}\nU: {source: use.tif, categorical: true}")
    assert built.warnings == ()
    use[:3] = 255
    write_tif(folder / "use.tif", use)
    built, _ = build(folder, "A: {source: grid.tif}\nU: {source: use.tif, categorical: true}")
    assert [w.partition(",")[0] for w in built.warnings] == ["`U` holds 255 in 27 cells"]
