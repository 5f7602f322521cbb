"""Every format round trip, column types, and the messages of everything that can be wrong, whole."""

import contextlib
import gzip
import hashlib
from decimal import Decimal
from pathlib import Path

import geopandas
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import shapely

from drivers.errors import Place, TableError
from drivers.table import load, pixel_table_from_frame, read_table, table_columns
from drivers.table.columns import MANY_LEVELS

TABLES = Path(__file__).resolve().parents[2] / "shared" / "data" / "tables"

FRAME = pd.DataFrame(
    {
        "NEP": [1.5, np.nan, -0.1, 1e-300],
        "TEM": [0.1 + 0.2, 2.0, 3.0, 1 / 3],
        "LUCC": [4, 1, 10, 4],
        "zone": ["wet", "dry", None, "wet"],
        "sealed": [True, False, True, True],
    }
)
NEEDED = dict.fromkeys(FRAME.columns)


def refusal(call, *args, **named) -> str:
    with pytest.raises(TableError) as caught:
        call(*args, **named)
    return str(caught.value)


def write_csv(path: Path, frame: pd.DataFrame = FRAME, **options) -> Path:
    frame.to_csv(path, index=False, na_rep="NA", **options)
    return path


WRITERS = {
    "a.csv": write_csv,
    "a.tsv": lambda path: write_csv(path, sep="\t"),
    "a.txt": lambda path: write_csv(path, sep=";"),
    "bom.csv": lambda path: write_csv(path, encoding="utf-8-sig"),
    "crlf.csv": lambda path: write_csv(path, lineterminator="\r\n"),
    "quoted.csv": lambda path: write_csv(path, quoting=2),
    "a.csv.gz": write_csv,
    "a.feather": lambda path: FRAME.to_feather(path) or path,
    "a.arrow": lambda path: FRAME.to_feather(path, compression="uncompressed") or path,
    "a.parquet": lambda path: FRAME.to_parquet(path) or path,
    "a.pq": lambda path: FRAME.set_index("NEP").to_parquet(path, row_group_size=2) or path,
}


@pytest.mark.parametrize("name", WRITERS)
def test_every_format_gives_the_same_table(tmp_path, name):
    path = WRITERS[name](tmp_path / name)
    table = load(path, needed=NEEDED, responses=["NEP"], categorical=["zone"], units={"TEM": "degC"})
    assert sorted(table_columns(path)) == sorted(FRAME.columns)
    assert table.columns == tuple(FRAME.columns)
    assert table.n == 4
    assert table.values("NEP").tobytes() == FRAME["NEP"].to_numpy().tobytes()
    assert table.values("TEM").tobytes() == FRAME["TEM"].to_numpy().tobytes()
    assert table.values("sealed").tolist() == [1.0, 0.0, 1.0, 1.0]
    assert table.levels("LUCC") == ("1", "4", "10")
    assert table.codes("LUCC").tolist() == [1, 0, 2, 1]
    assert table.levels("zone") == ("dry", "wet")
    assert table.codes("zone").tolist() == [1, 0, -1, 1]
    assert table.missing == {"NEP": 1, "TEM": 0, "LUCC": 0, "zone": 1, "sealed": 0}
    assert table.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert table.units == {"TEM": "degC"}
    assert table.source == name
    assert table.complete(["NEP", "zone"]).tolist() == [True, False, False, True]


def test_values_are_views_and_read_only():
    frame = pd.DataFrame({"a": np.arange(3.0), "b": [1, 2, 3]})
    table = pixel_table_from_frame(frame)
    assert np.shares_memory(table.values("a"), table.frame["a"].to_numpy())
    assert table.values("b") is table.values("b")
    for name in ("a", "b"):
        with pytest.raises(ValueError, match="read-only"):
            table.values(name)[0] = 9


def test_only_needed_columns_are_held(tmp_path):
    path = write_csv(tmp_path / "a.csv")
    assert load(path, needed={"TEM": None}).columns == ("TEM",)
    assert read_table(path, columns=["TEM", "zone"]).categorical == {"zone"}
    assert read_table(path).columns == tuple(FRAME.columns)


def test_points_and_polygons_give_coordinates(tmp_path):
    points = geopandas.GeoDataFrame(
        {"NEP": [1.0, 2.0]}, geometry=[shapely.Point(10, 20), shapely.Point(30, 40)], crs="EPSG:32651"
    )
    points.to_parquet(tmp_path / "points.parquet")
    table = load(tmp_path / "points.parquet", needed={"NEP": None})
    assert (table.easting, table.northing, table.crs) == ("easting", "northing", "EPSG:32651")
    assert table.values("easting").tolist() == [10, 30]
    assert table.values("northing").tolist() == [20, 40]
    assert table_columns(tmp_path / "points.parquet") == ["NEP"]

    cells = points.set_geometry(points.buffer(1, cap_style="square")).to_crs("EPSG:4326").to_crs("EPSG:32651")
    cells.to_parquet(tmp_path / "cells.geoparquet")
    centred = load(tmp_path / "cells.geoparquet", needed={"NEP": None}, crs="EPSG:32651")
    np.testing.assert_allclose(centred.values("northing"), [20, 40], atol=1e-6)
    assert refusal(load, tmp_path / "cells.geoparquet", needed={"NEP": None}, crs="EPSG:4326") == (
        "TableError: cells.geoparquet has its coordinates in EPSG:32651, not in EPSG:4326\n  leave `crs:` out"
    )


def test_missing_geometry_is_a_fault(tmp_path):
    points = geopandas.GeoDataFrame(
        {"NEP": [1.0, 2.0]}, geometry=[shapely.Point(1, 2), None], crs="EPSG:32651"
    )
    points.to_parquet(tmp_path / "p.parquet")
    assert "coordinate `easting` of p.parquet is missing in 1 row, first in row 2" in refusal(
        load, tmp_path / "p.parquet", needed={"NEP": None}
    )


def test_own_coordinates_of_a_geoparquet_file_stand(tmp_path):
    frame = geopandas.GeoDataFrame({"x": [7.0], "y": [8.0]}, geometry=[shapely.Point(1, 2)], crs="EPSG:32651")
    frame.to_parquet(tmp_path / "p.parquet")
    table = load(tmp_path / "p.parquet", needed={}, easting="x", northing="y")
    assert (table.columns, table.easting, table.crs) == (("x", "y"), "x", "EPSG:32651")


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ('"","a","b"\n"1",2,3\n"2",4,5\n', ["a", "b"]),  # write.csv
        ('"a";"b"\n"1";2;3\n"2";4;5\n', ["a", "b"]),  # write.table: no name above the row names
        ("a,b,\n2,3,\n4,5,\n", ["a", "b"]),  # a separator at the end of each line
        ("a,b\n2,3,\n4,5,\n", ["a", "b"]),
        (" a , b \n2,3\n\n4,5\n\n", ["a", "b"]),
        ('a,"b,\nc"\n2,3\n4,5\n', ["a", "b,\nc"]),
    ],
)
def test_headers(tmp_path, text, columns):
    (tmp_path / "a.csv").write_text(text)
    table = read_table(tmp_path / "a.csv")
    assert table_columns(tmp_path / "a.csv") == columns
    assert [table.values(c).tolist() for c in columns] == [[2, 4], [3, 5]]


def test_missing_values_of_text(tmp_path):
    (tmp_path / "a.csv").write_text('a,b\nNA,x\nNaN,NA\nnull,\n,"NA"\n1e3,y\n')
    table = read_table(tmp_path / "a.csv")
    assert table.missing == {"a": 4, "b": 3}
    assert table.levels("b") == ("x", "y")


def test_quoted_line_breaks(tmp_path):
    rows = "".join(f'{i},"two\nlines"\n' for i in range(5))
    (tmp_path / "a.csv").write_text("a,b\n" + rows)
    assert read_table(tmp_path / "a.csv").levels("b") == ("two\nlines",)


def test_five_hundred_columns(tmp_path):
    wide = pd.DataFrame(np.arange(100_000.0).reshape(200, 500), columns=[f"c{i}" for i in range(500)])
    wide.to_csv(tmp_path / "wide.csv", index=False)
    table = load(tmp_path / "wide.csv", needed={"c499": None, "c0": None})
    assert table.columns == ("c499", "c0")
    assert table.values("c499").tolist() == wide["c499"].tolist()
    assert len(table_columns(tmp_path / "wide.csv")) == 500


@pytest.mark.parametrize(
    "column",
    [
        pd.Series([1, 2, None], dtype="Int64"),
        pd.Series([1.0, 2.0, None], dtype="Float32"),
        pd.Series([1.0, 2.0, None], dtype="double[pyarrow]"),
        pd.Series([1, 2, None], dtype="int16[pyarrow]"),
        pd.Series([Decimal("1"), Decimal("2"), None], dtype=pd.ArrowDtype(pa.decimal128(5, 2))),
        pd.Series([Decimal("1"), Decimal("2"), None], dtype=object),
        pd.Series([1, 2.0, None], dtype=object),
        pd.Series([1.0, 2.0, np.nan], dtype="float16"),
        pd.arrays.SparseArray([1.0, 2.0, np.nan]),
    ],
    ids=lambda column: str(column.dtype),
)
def test_number_types(column):
    table = pixel_table_from_frame(pd.DataFrame({"a": column}), columns=["a"], categorical=["a"])
    assert table.values("a").dtype == np.float64
    np.testing.assert_array_equal(table.values("a"), [1.0, 2.0, np.nan])
    assert (table.levels("a"), table.codes("a").tolist()) == (("1", "2"), [0, 1, -1])


@pytest.mark.parametrize("dtype", ["boolean", "bool[pyarrow]", object])
def test_boolean_types(dtype):
    table = pixel_table_from_frame(
        pd.DataFrame({"a": pd.Series([True, False, None], dtype=dtype)}), columns=["a"]
    )
    np.testing.assert_array_equal(table.values("a"), [1.0, 0.0, np.nan])


@pytest.mark.parametrize(
    ("column", "levels"),
    [
        (pd.Series(["b", "a", "b"]), ("a", "b")),
        (pd.Series(["b", "a", ""], dtype=object), ("a", "b")),
        (pd.Series(["b", "a", "b"], dtype="string[pyarrow]"), ("a", "b")),
        (pd.Series(["b", "a", "b"], dtype=pd.ArrowDtype(pa.string())), ("a", "b")),
        (pd.Series(["b", "a"], dtype=pd.ArrowDtype(pa.dictionary(pa.int8(), pa.string()))), ("b", "a")),
        (pd.Series(["10", "9", "1"]), ("1", "9", "10")),
        (pd.Series([10, 9, 1]), ("1", "9", "10")),
        (pd.Series([10**9, -(10**9), 7]), ("-1000000000", "7", "1000000000")),
        (pd.Series([10.0, 9.0, np.nan]), ("9", "10")),
        (pd.Series([True, False]), ("false", "true")),
        (pd.Series(pd.Categorical(["lo", "hi"], categories=["lo", "mid", "hi"], ordered=True)), ("lo", "hi")),
        (pd.Series(pd.Categorical([3, 1], categories=[3, 1])), ("3", "1")),
    ],
)
def test_level_order(column, levels):
    table = pixel_table_from_frame(pd.DataFrame({"a": column}), categorical=["a"])
    assert table.levels("a") == levels
    back = [levels[code] if code >= 0 else None for code in table.codes("a")]
    assert [b for b in back if b] == [
        str(v).removesuffix(".0").lower() for v in column if pd.notna(v) and v != ""
    ]
    assert table.codes("a").dtype == np.int32


@pytest.mark.parametrize("suffix", ["feather", "parquet"])
def test_ordered_levels_survive_a_file(tmp_path, suffix):
    order = ["very low", "low", "high"]
    frame = pd.DataFrame({"a": pd.Categorical(["high", "low", "very low"], categories=order, ordered=True)})
    getattr(frame, f"to_{suffix}")(tmp_path / f"a.{suffix}")
    assert load(tmp_path / f"a.{suffix}", needed={"a": None}, categorical=["a"]).levels("a") == tuple(order)


def test_decimals_of_a_file(tmp_path):
    pd.DataFrame({"a": [Decimal("1.25"), None]}).to_parquet(tmp_path / "a.parquet")
    np.testing.assert_array_equal(
        load(tmp_path / "a.parquet", needed={"a": None}).values("a"), [1.25, np.nan]
    )


def test_all_faults_of_a_table_at_once(tmp_path):
    (tmp_path / "t.csv").write_text(
        "NEP,TEM,PRE,GDP,zone,day,euro,half,x\n"
        'NA,1,inf,1,low,2020-01-01,"1,5",1,1\n'
        'NA,2,1,n/a,medium,2020-01-02,"2,5",1.5,NA\n'
        "\n"
        "NA,3,-Inf,2,low,2020-01-03,3,2,NA\n"
        "NA,4,2,-,high,2020-01-04,4,2,4\n"
        "NA,4,2,5,higher,2020-01-05,4,2,4\n"
    )
    place = Place("specs/s.yaml", 4, 13, 5, "  climate: {PRECP: {}}")
    needed = {
        "NEP": None,
        "PRECP": place,
        "PRE": None,
        "GDP": None,
        "zone": None,
        "day": None,
        "euro": None,
        "half": None,
    }
    said = refusal(
        load,
        tmp_path / "t.csv",
        needed=needed,
        responses=["NEP"],
        categorical=["half"],
        easting="x",
        northing="TEM",
    )
    assert said == (
        "TableError: t.csv has no column `PRECP`\n"
        "  specs/s.yaml, line 4:  climate: {PRECP: {}}\n"
        "                                   ^^^^^\n"
        "  did you mean `PRE`?  known: NEP, TEM, PRE, GDP, zone, day, euro, half, x\n"
        "response `NEP` is missing everywhere in t.csv\n"
        "column `PRE` of t.csv holds 2 infinite values, first in row 1 (line 2)\n"
        "  write missing values as NA\n"
        "column `GDP` of t.csv holds `n/a` in row 2 (line 3), and 1 more value that is no number\n"
        "  write missing values as NA, or leave them empty\n"
        "column `zone` of t.csv holds text (`low`, `medium`, `high`, ...)\n"
        "  declare it: `zone: {categorical: true}`\n"
        "column `day` of t.csv holds dates\n"
        "  write it as a number, such as the year or the day of the year\n"
        "column `euro` of t.csv holds decimal commas (`1,5`, `2,5`, `3`, ...)\n"
        "  write decimals with a point\n"
        "column `half` of t.csv is declared categorical but holds 1.5 in row 2 (line 3)\n"
        "  categories are text or whole numbers\n"
        "coordinate `x` of t.csv is missing in 2 rows, first in row 2 (line 3)\n"
        "  give every pixel its coordinates, or leave `pixel:` out"
    )


def test_lines_are_told_past_empty_ones(tmp_path):
    (tmp_path / "t.csv").write_text("a,b\n1,2\n\n3,inf\n")
    assert "row 2 (line 4)" in refusal(load, tmp_path / "t.csv", needed={"b": None})


def test_faults_of_data_frames():
    mixed = pd.DataFrame({"a": [1, "n/a", 2], "z": [1j, 2, 3], "l": [[1], [2], [3]], "n": ["1", "2", "3"]})
    assert refusal(pixel_table_from_frame, mixed, columns=["a", "z", "l", "n"]) == (
        "TableError: column `a` of the data frame mixes types: mostly int, but str `n/a` in row 2\n"
        "  columns are numbers or text, not both\n"
        "column `z` of the data frame holds values of type complex128\n"
        "  columns are numbers or text\n"
        "column `l` of the data frame holds values of type list\n"
        "  columns are numbers or text\n"
        "column `n` of the data frame holds numbers that are stored as text (`1`, `2`, `3`)\n"
        "  store them as numbers"
    )
    days = pd.DataFrame({"a": pd.date_range("2020", periods=2), "b": pd.to_timedelta([1, 2])})
    assert refusal(pixel_table_from_frame, days, columns=["a", "b"]).count("holds dates") == 2
    table = pixel_table_from_frame(mixed)
    assert "mixes types" in refusal(table.values, "a")
    assert refusal(table.values, "b") == "TableError: the data frame has no column `b`\n  known: a, z, l, n"
    ids = pd.DataFrame({"id": range(MANY_LEVELS + 1)})
    assert refusal(pixel_table_from_frame, ids, categorical=["id"]) == (
        "TableError: column `id` of the data frame is declared categorical but has 1001 levels\n"
        "  the most is 1000"
    )
    twice = pd.DataFrame([[1, 2]], columns=["a", "a"])
    assert refusal(pixel_table_from_frame, twice) == "TableError: the data frame has several columns `a`"
    assert (
        refusal(pixel_table_from_frame, pd.DataFrame({"a": []})) == "TableError: the data frame has no rows"
    )
    assert refusal(pixel_table_from_frame, pd.DataFrame()) == "TableError: the data frame has no columns"


def test_labels_may_be_text_of_any_number(tmp_path):
    frame = pd.DataFrame({"tree": [f"t{i}" for i in range(2000)], "a": 1.0})
    write_csv(tmp_path / "a.csv", frame)
    assert len(load(tmp_path / "a.csv", needed={"tree": None}, labels=["tree"]).levels("tree")) == 2000


def test_missing_files(tmp_path):
    write_csv(tmp_path / "keeley.csv")
    place = Place("specs/s.yaml", 2)
    assert refusal(load, tmp_path / "keely.csv", needed={}, place=place) == (
        f"TableError: there is no table {tmp_path}/keely.csv\n  specs/s.yaml, line 2:\n"
        f"  in {tmp_path} there is `keeley.csv`"
    )
    assert refusal(read_table, tmp_path / "nowhere.parquet").endswith(f"tables in {tmp_path}: `keeley.csv`")
    assert refusal(read_table, tmp_path / "no" / "a.csv") == (
        f"TableError: there is no table {tmp_path}/no/a.csv\n  there is no folder {tmp_path}/no"
    )
    assert (
        refusal(table_columns, tmp_path)
        == f"TableError: {tmp_path} is a folder, not a table\n  name one file"
    )


def test_files_that_are_no_tables(tmp_path):
    def said(name: str, content: bytes) -> str:
        (tmp_path / name).write_bytes(content)
        return refusal(read_table, tmp_path / name)

    where = f"\n  {tmp_path}/"
    empty = "is empty\n  a table has a header row and data"
    assert said("zero.csv", b"") == f"TableError: zero.csv {empty}"
    assert said("zero.parquet", b"") == f"TableError: zero.parquet {empty}"
    assert (
        said("blank.csv", b"\n\n")
        == f"TableError: blank.csv is empty{where}blank.csv\n  a table has a header row and data"
    )
    assert said("head.csv", b"a,b\n") == "TableError: head.csv has no rows"
    assert said("twice.csv", b"a,b,a\n1,2,3\n") == "TableError: twice.csv has several columns `a`"
    assert said("a.xlsx", b"PK") == (
        "TableError: a.xlsx is not a table that can be read here\n"
        "  save the sheet as CSV (`CSV UTF-8` in Excel) or as Parquet"
    )
    assert said("a.dat", b"a") == (
        "TableError: a.dat is not a table that can be read here\n"
        "  tables are CSV (.csv, .tsv, .txt, also .gz), "
        "Parquet or GeoParquet (.parquet, .pq, .geoparquet), Feather (.feather, .arrow)"
    )
    latin = "zone,a\n" + "dry,1\n" * 3 + "kühl,2\n"
    assert said("latin.csv", latin.encode("latin-1")) == (
        f"TableError: latin.csv is not UTF-8: byte 0xfc at offset 26, in line 5{where}latin.csv, line 5:\n"
        '  save it as UTF-8 (R: write.csv(..., fileEncoding = "UTF-8"); Excel: CSV UTF-8)'
    )
    assert "latin.csv.gz is not UTF-8" in said("latin.csv.gz", gzip.compress(latin.encode("latin-1")))
    assert "is UTF-16, not UTF-8" in said("wide.csv", "a,b\n1,2\n".encode("utf-16"))
    assert "is not UTF-8" in said("header.csv", "größe,b\n1,2\n".encode("latin-1"))
    assert said("nul.csv", b"a,b\n1,\x002\n") == (
        f"TableError: nul.csv is not a text table: it holds NUL bytes{where}nul.csv"
    )
    assert said("ragged.csv", b"a,b,c\n1,2,3\n1,2\n") == (
        "TableError: line 3 of ragged.csv has 2 values, where the header has 3 columns"
        f"{where}ragged.csv, line 3:\n"
        "  is a separator missing, or a text with a separator not quoted?"
    )
    assert "is not a complete gzip file" in said("cut.csv.gz", gzip.compress(b"a,b\n1,2\n" * 9999)[:-20])
    assert said("bad.parquet", b"PAR1 what?").startswith(
        "TableError: bad.parquet is not a readable Parquet file ("
    )
    assert said("bad.feather", b"ARROW1what?").startswith(
        "TableError: bad.feather is not a readable Feather file ("
    )
    whole = WRITERS["a.parquet"](tmp_path / "whole.parquet").read_bytes()
    broken = whole[:4] + b"\0" * 200 + whole[204:]
    assert said("broken.parquet", broken).startswith(
        "TableError: broken.parquet is not a readable Parquet file ("
    )


def test_a_late_bad_byte_is_found_where_it_is(tmp_path):
    text = "a,b\n" + "1,x\n" * 600_000
    (tmp_path / "a.csv").write_bytes(text.encode() + b"2,\xff\n")
    said = refusal(read_table, tmp_path / "a.csv", columns=["a"])
    assert f"byte 0xff at offset {len(text) + 2}, in line 600002" in said


def test_types_are_found_over_the_whole_file(tmp_path):
    rows, padding = 100_000, "x" * 100  # past the first block that the parser takes its types from
    (tmp_path / "a.csv").write_text("a,b,c\n" + f"1,2,{padding}\n" * rows + "1.5,x,y\n")
    table = read_table(tmp_path / "a.csv", columns=["a"])
    assert table.values("a")[-1] == 1.5
    assert f"holds `x` in row {rows + 1} (line {rows + 2})" in refusal(
        load, tmp_path / "a.csv", needed={"b": None}
    )


def test_content_hash_of_frames():
    frame = pd.DataFrame({"a": [1.0, 2.0], "z": ["x", "y"]})
    first = pixel_table_from_frame(frame).sha256
    assert pixel_table_from_frame(frame.copy()).sha256 == first
    assert pixel_table_from_frame(frame.assign(a=[1.0, 2.5])).sha256 != first
    assert pixel_table_from_frame(frame.assign(z=["x", "x"])).sha256 != first


def test_simulated_tables_say_so():
    table = load(world="chain", pixels=200, seed=3, needed={"x": None, "y": None})
    assert table.n == 200
    assert table.columns == ("x", "y")
    assert table.simulated
    assert table.planted is not None
    assert table.sha256 == load(world="chain", pixels=200, seed=3, needed={"x": None, "y": None}).sha256
    said = refusal(load, world="chian", needed={}, place=Place("specs/s.yaml", 2))
    assert said.startswith("TableError: there is no simulated world `chian`\n  specs/s.yaml, line 2:")


@pytest.mark.skipif(not TABLES.is_dir(), reason="../shared/data/tables is not there")
def test_real_tables_are_read():
    for path in sorted(TABLES.glob("*.csv")):
        table = read_table(path)
        want = pd.read_csv(path)
        assert table.columns == tuple(c for c in want.columns if not c.startswith("Unnamed"))
        for name in table.columns:
            assert table.missing[name] == want[name].isna().sum()
            if pd.api.types.is_numeric_dtype(want[name]):
                np.testing.assert_allclose(table.values(name), want[name].to_numpy(dtype=float), rtol=4e-16)


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.feather", "a.arrow", "a.parquet"])
def test_damaged_files_are_read_or_refused(tmp_path, name):
    whole = WRITERS[name](tmp_path / name).read_bytes()
    rng = np.random.default_rng(1)
    for _ in range(60):
        damaged = bytearray(whole)
        for position in rng.integers(0, len(whole), 3):
            damaged[position] = rng.integers(256)
        (tmp_path / name).write_bytes(damaged)
        with contextlib.suppress(TableError):
            read_table(tmp_path / name)
