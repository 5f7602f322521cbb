"""Table specs: what they mean, the grammar of derived columns, and every fault of a spec at once."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import TypeAdapter

from drivers.errors import SpecError
from drivers.spec.canonical import canonical
from drivers.spec.derived import FUNCTIONS, parse_derived
from drivers.spec.document import read_document
from drivers.spec.table_shapes import TableDocument
from drivers.spec.table_spec import TableSpec, read_table_spec
from drivers.spec.tokens import Refused

CHINA = """\
table: china
title: The grid of the NPP product
grid:
  crs: EPSG:32651
  resolution: [1000, 500]
  bounds: [0, 0, 10000, 10000.5]
  mask: ../regions/henan.gpkg
  zones: {CITY: {file: ../regions/cities.shp, column: NAME}}
  max_gb: 80
layers:
  NPP:  {source: npp.tif, band: npp, unit: g C m-2 yr-1}
  LUCC: {source: "lucc/{year}.tif", resample: mode, categorical: true, years: {from: 2000, to: 2010, step: 5}}
  PRE:  {source: "pre/{year}_{month}.nc", variable: pr, resample: mode, nodata: [-9999, 65533], scale: 0.1}
  TEM:  {source: tem.zarr, time: month, aggregate: mean, offset: -273.15, years: [2001, 2003], crs: 4326}
  DEM:  {source: ../dem.tiff, band: 2, resample: average, nodata: -32768}
derive:
  NEP: NPP - RH
  RH: rh(TEM, PRE, variant='pei2009_additive')
  SLOPE: {formula: slope(DEM), unit: degree}
output: ../data/china.parquet
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def read(folder: Path, text: str) -> TableSpec:
    path = folder / "t.table.yaml"
    path.write_text(text, encoding="utf-8")
    return read_table_spec(path)


def refused(folder: Path, text: str) -> str:
    with pytest.raises(SpecError) as caught:
        read(folder, text)
    return str(caught.value)


def messages(folder: Path, layers: str, derive: str = "") -> list[str]:
    text = f"table: t\ngrid: {{like: g.tif}}\nlayers:\n{layers}"
    with pytest.raises(SpecError) as caught:
        read(folder, text + (f"derive:\n{derive}" if derive else ""))
    return [fault.message for fault in caught.value.faults]


def test_a_whole_spec(folder: Path) -> None:
    spec = read(folder, CHINA)
    assert (spec.name, spec.title) == ("china", "The grid of the NPP product")
    assert spec.output == folder / "../data/china.parquet" or spec.output == (
        folder.parent / "data/china.parquet"
    )
    grid = spec.grid
    assert (grid.like, grid.crs, grid.resolution) == (None, "EPSG:32651", (1000.0, 500.0))
    assert grid.bounds == (0.0, 0.0, 10000.0, 10000.5)
    assert grid.mask == folder.parent / "regions" / "henan.gpkg"
    assert (grid.zones[0].name, grid.zones[0].column, grid.max_gb) == ("CITY", "NAME", 80.0)
    npp, lucc, pre, tem, dem = spec.layers
    assert (npp.band, npp.format, npp.yearly, npp.unit) == ("npp", "geotiff", False, "g C m-2 yr-1")
    assert (lucc.years, lucc.resample, lucc.categorical, lucc.yearly) == (
        (2000, 2005, 2010),
        "mode",
        True,
        True,
    )
    assert (pre.format, pre.nodata, pre.scale, pre.monthly, pre.has_column) == (
        "netcdf",
        (-9999.0, 65533.0),
        0.1,
        True,
        False,
    )
    assert (tem.format, tem.years, tem.crs, tem.offset) == ("zarr", (2001, 2002, 2003), "EPSG:4326", -273.15)
    assert tem.monthly
    assert tem.has_column
    assert (dem.source, dem.band, dem.nodata) == (folder.parent / "dem.tiff", 2, (-32768.0,))
    assert [(item.name, item.yearly, item.unit) for item in spec.derived] == [
        ("NEP", True, ""),
        ("RH", True, ""),
        ("SLOPE", False, "degree"),
    ]


def test_output_is_beside_the_spec_by_default(folder: Path) -> None:
    spec = read(folder, "table: t\ngrid: {like: g.tif}\nlayers: {A: {source: a.tif}}\n")
    assert spec.output == folder / "t.parquet"
    assert spec.grid.like == folder / "g.tif"


GRAMMAR = {
    "A": "A",
    "A - B": "A - B",
    "-A^2": "-A ^ 2",
    "(-A)**2": "(-A) ^ 2",
    "A^B^2": "A ^ B ^ 2",
    "A/B/2": "A / B / 2",
    "A - (B - 1e-3)": "A - (B - 0.001)",
    "+A": "A",
    "log(exp(A)) + sqrt(abs(B))": "log(exp(A)) + sqrt(abs(B))",
    "min(A, B, 3)": "min(A, B, 3)",
    "max(A, mean(B))": "max(A, mean(B))",
    "slope(A * 0.3048)": "slope(A * 0.3048)",
    "`soil pH` * 2": "`soil pH` * 2",
    "rh(TEM, PRE, variant='product') / 12": "rh(TEM, PRE, 'product') / 12",
    "mean": "mean",
}


@pytest.mark.parametrize(("text", "expected"), GRAMMAR.items())
def test_grammar(text: str, expected: str) -> None:
    assert canonical(parse_derived(text)) == expected


NOT_GRAMMAR = {
    "": "the formula is empty",
    "1 + 2": "the formula names no layer",
    "A +": "the formula ends where a layer or a number should be",
    "A B": "`B` stands where an operator or the end should be",
    "(A": "a parenthesis is not closed",
    "A.real.__class__()": "`A.real.__class__(...)` is no function of derived columns",
    "A[0]": "`[` has no meaning in a derived column",
    "open('x')": "`open(...)` is no function of derived columns",
    "__import__('os').system('x')": "`__import__(...)` is no function of derived columns",
    "eval(A)": "`eval(...)` is no function of derived columns",
    "lambda: A": "`:` has no meaning in a derived column",
    "A if B else C": "`if` stands where an operator or the end should be",
    "'text' + A": "`text` stands where a layer or a number should be",
    "log(A, 2)": "`log` is used as `log(x)`",
    "log()": "`log` is used as `log(x)`",
    "min(A)": "`min` is used as `min(a, b)`",
    "slope(A, B)": "`slope` is used as `slope(DEM)`",
    "rh(TEM, PRE)": "`rh()` needs its variant",
    "rh(TEM)": "`rh` is used as `rh(TEM, PRE, variant='...')`, on two layers",
    "rh(TEM - 273, PRE, variant='product')": "`rh` is used as `rh(TEM, PRE, variant='...')`, on two layers",
    "rh(TEM, PRE, variant=product)": "the variant of `rh()` is a text in quotes",
    "rh(TEM, PRE, variant='pei2009')": "`rh()` has no variant `pei2009`",
    "rh(TEM, PRE, 'product')": "`product` stands where a layer or a number should be",
    "A^" * 60 + "A": "nested more than 40 levels deep",
    "+".join("A" * 300): "more than 200 operators in one term",
    "9" * 400 + "*A": "the number " + "9" * 400 + " is too large",
    "A == B": "`=` stands where an operator or the end should be",
    ".": "`.` has no meaning in a derived column",
}


@pytest.mark.parametrize(("text", "message"), NOT_GRAMMAR.items())
def test_what_the_grammar_refuses(text: str, message: str) -> None:
    with pytest.raises(Refused) as caught:
        parse_derived(text)
    assert caught.value.message == message


@given(st.text(alphabet="AB1.(),+-*/^=' rhlogmean`\"[]_\n", max_size=40))
def test_every_text_is_read_or_refused(text: str) -> None:
    try:
        read_back = parse_derived(text)
    except Refused:
        return
    if "rh(" not in text:
        assert canonical(parse_derived(canonical(read_back))) == canonical(read_back)


def test_all_faults_at_once(folder: Path) -> None:
    text = """\
table: china
grid: {like: npp.tif, resolution: 1000, crs: EPSG:99999}
layers:
  NPP: {source: npp.tif, bnad: npp}
  LUCC: {source: "lucc/{yaer}.tif", resample: mode}
  LAND: {source: "land/{year}.tif", resample: average, categorical: true}
  DEM: {source: https://example.org/dem.tif}
  TEM: {source: tem.grd}
derive:
  SLOPE: slope(DME)
  NEP: NPP - RH
outptu: china.parquet
"""
    assert refused(folder, text) == (
        "SpecError: `grid` has both `like` and `resolution`\n"
        "  t.table.yaml, line 2:  grid: {like: npp.tif, resolution: 1000, crs: EPSG:99999}\n"
        "                                                           ^^^^\n"
        "  remove `resolution`, or `like`\n"
        "`EPSG:99999` is not a coordinate system\n"
        "  t.table.yaml, line 2:  grid: {like: npp.tif, resolution: 1000, crs: EPSG:99999}\n"
        "                                                                      ^^^^^^^^^^\n"
        "  write it as `EPSG:32651`\n"
        "unknown key `bnad` of `layers.NPP`\n"
        "  t.table.yaml, line 4:  NPP: {source: npp.tif, bnad: npp}\n"
        "                                                ^^^^\n"
        "  did you mean `band`?  known: source, band, variable, time, years, resample, categorical, nodata, scale, "  # noqa: E501
        "offset, unit, aggregate and 1 more\n"
        "`{yaer}` has no meaning in a source\n"
        '  t.table.yaml, line 5:  LUCC: {source: "lucc/{yaer}.tif", resample: mode}\n'
        "                                        ^^^^^^^^^^^^^^^^^\n"
        "  known: {year}, {month}, *\n"
        "`LAND` is categorical: `average` of classes is no class\n"
        '  t.table.yaml, line 6:  LAND: {source: "land/{year}.tif", resample: average, categorical: true}\n'
        "                                                                     ^^^^^^^\n"
        "  write `resample: mode` or `resample: nearest`\n"
        "`https://example.org/dem.tif` is no file on this computer\n"
        "  t.table.yaml, line 7:  DEM: {source: https://example.org/dem.tif}\n"
        "                                       ^^^^^^^^^^^^^^^^^^^^^^^^^^^\n"
        "  download it, and name the file\n"
        "`tem.grd` is no raster that is read\n"
        "  t.table.yaml, line 8:  TEM: {source: tem.grd}\n"
        "                                       ^^^^^^^\n"
        "  rasters are GeoTIFF (.tif), NetCDF (.nc) and Zarr (.zarr); `gdal_translate` makes GeoTIFF\n"
        "`DME` is neither a layer nor a derived column\n"
        "  t.table.yaml, line 10:  SLOPE: slope(DME)\n"
        "                                       ^^^\n"
        "  did you mean `DEM`?  known: NPP, LUCC, LAND, DEM, TEM\n"
        "`RH` is neither a layer nor a derived column\n"
        "  t.table.yaml, line 11:  NEP: NPP - RH\n"
        "                                     ^^\n"
        "  known: NPP, LUCC, LAND, DEM, TEM\n"
        "unknown key `outptu`\n"
        "  t.table.yaml, line 12:  outptu: china.parquet\n"
        "                          ^^^^^^\n"
        "  did you mean `output`?  known: table, title, grid, layers, derive, output"
    )


def test_grids_that_are_none(folder: Path) -> None:
    text = "table: t\ngrid: {crs: EPSG:32651, bounds: [10, 0, 0, 10], mask: m.tif}\nlayers: {A: {source: a.tif}}\n"  # noqa: E501
    with pytest.raises(SpecError) as caught:
        read(folder, text)
    assert [(fault.message, fault.hint) for fault in caught.value.faults] == [
        (
            "`grid` does not say which cells: `resolution` missing",
            "write `like: RASTER`, or `crs`, `resolution` and `bounds`",
        ),
        ("`bounds` are not [west, south, east, north]", "west < east and south < north"),
        (
            "`m.tif` is no vector file that is read",
            "vector files are GeoPackage, Shapefile, GeoJSON, FlatGeobuf and GeoParquet",
        ),
    ]


LAYERS = {
    "  A: {source: a.tif, variable: pr}\n": "`variable` is not for GeoTIFF",
    "  A: {source: a.nc, band: 2}\n": "`band` is not for NetCDF or Zarr",
    '  A: {source: "a_{month}.tif", aggregate: sum}\n': "layer `A` has months and no years",
    "  A: {source: a.tif, years: [2001, 2002]}\n": "`years` of `A`, which is no series of years",
    '  A: {source: "{year}.tif", years: [2003, 2001]}\n': "`years` ends before it begins",
    '  A: {source: "{year}.tif", aggregate: sum}\n': "`aggregate` makes years from months, and `A` has no months",  # noqa: E501
    "  A: {source: a.tif, categorical: true, scale: 2}\n": "`A` is categorical and cannot have `scale`",
    '  A: {source: "{year}_{month}.tif"}\n': "layer `A` is monthly, and nothing says how months become a year",  # noqa: E501
    "  A: {source: a.tif, scale: 0}\n": "`scale` of `A` is 0",
    "  A: {source: a.tif, nodata: x}\n": "`layers.A.nodata` must be a number or a list of numbers",
    "  A: {source: a.tif, nodata: .nan}\n": "`layers.A.nodata` must be a finite number",
    "  A: {source: a.tif, resample: [mode]}\n": "`layers.A.resample` cannot be a list",
    "  A: {source: a.tif, time: day}\n": "`layers.A.time` cannot be `day`",
    "  A: {band: 1}\n": "the key `source` of `layers.A` is missing",
    "  A: {source: /vsicurl/x.tif}\n": "`/vsicurl/x.tif` is no file on this computer",
    "  A: {source: x.vrt}\n": "`x.vrt` is no raster that is read",
    "  easting: {source: a.tif}\n": "the layer `easting` has the name of a column which every table has",
}


@pytest.mark.parametrize(("layers", "message"), LAYERS.items())
def test_layers_that_make_no_sense(folder: Path, layers: str, message: str) -> None:
    assert messages(folder, layers) == [message]


DERIVED = {
    "  X: X + 1\n": ["derived columns need each other: X -> X"],
    "  X: Y\n  Y: Z + A\n  Z: X\n": ["derived columns need each other: X -> Y -> Z -> X"],
    "  X: mean(A)\n": ["`mean()` goes over years, and what stands in it has none"],
    "  X: C * 2\n": ["`C` is categorical, and classes cannot be computed with"],
    "  X: P / 12\n  Y: rh(P, P, variant='product')\n": [
        "`P` is monthly, and nothing says how months become a year"
    ],
    "  Y: rh(A, P, variant='product')\n": ["`rh()` sums months to years, and `A` is not monthly"],
    "  X: A + Q + R\n": ["`Q` is neither a layer nor a derived column"],
    "  X: A +\n  Y: X + 1\n": ["the formula ends where a layer or a number should be"],
    "  A: C2 + 1\n  C2: P2\n": [
        "`P2` is neither a layer nor a derived column",
        "the derived column `A` has the name of a column from layers",
    ],
}


@pytest.mark.parametrize(("derive", "expected"), DERIVED.items())
def test_derived_columns_that_cannot_be(folder: Path, derive: str, expected: list[str]) -> None:
    layers = (
        "  A: {source: a.tif}\n  C: {source: c.tif, categorical: true}\n"
        '  P: {source: "p_{year}_{month}.tif"}\n'
    )
    assert sorted(messages(folder, layers, derive)) == sorted(expected)


def test_a_caret_inside_a_quoted_formula(folder: Path) -> None:
    text = (
        "table: t\ngrid: {like: g.tif}\nlayers: {TEM: {source: a.tif}}\n"
        "derive: {RH: \"rh(TEM, PER, variant='prodct')\"}\n"
    )
    assert refused(folder, text) == (
        "SpecError: `rh()` has no variant `prodct`\n"
        "  t.table.yaml, line 4:  derive: {RH: \"rh(TEM, PER, variant='prodct')\"}\n"
        "                                                            ^^^^^^^^\n"
        "  did you mean `product`?  known: pei2009_additive, product"
    )


def test_the_schema_accepts_what_the_reader_accepts(folder: Path) -> None:
    (folder / "t.table.yaml").write_text(CHINA)
    content = read_document(folder / "t.table.yaml").content
    schema = TypeAdapter(TableDocument).json_schema()
    Draft202012Validator.check_schema(schema)
    assert not list(Draft202012Validator(schema).iter_errors(content))


def test_the_functions_are_pinned() -> None:
    assert (
        *("abs", "exp", "log", "sqrt", "max", "min", "mean", "sum"),
        *("slope", "aspect", "northness", "rh"),
    ) == FUNCTIONS
