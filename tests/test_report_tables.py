"""Tables as files: exact bytes, round trips, and workbooks that repeat."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st
from test_report_fake import fake_run

from drivers.glossary import COLUMNS
from drivers.report.tables import TEXT_COLUMNS, csv_text, read_csv, sheet_name, write_csv, write_xlsx


def test_csv_bytes_are_exact(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "stratum": ["all", "balance=sink,landuse=forestland", '1"x'],
            "n": pd.array([40000, None, 7], dtype="Int64"),
            "df": [12.0, np.nan, 0.5],
            "estimate": [0.1, -1e-300, np.inf],
            "selects_on_response": [True, False, None],
            "empty": [None, None, None],
        }
    )
    write_csv(frame, tmp_path / "t.csv")
    assert (tmp_path / "t.csv").read_bytes() == (
        b"stratum,n,df,estimate,selects_on_response,empty\n"
        b"all,40000,12,0.1,true,\n"
        b'"balance=sink,landuse=forestland",,,-1e-300,false,\n'
        b'"1""x",7,0.5,inf,,\n'
    )


def test_csv_of_no_rows_and_no_columns(tmp_path: Path) -> None:
    write_csv(pd.DataFrame({"a": [], "b": []}), tmp_path / "t.csv")
    assert (tmp_path / "t.csv").read_bytes() == b"a,b\n"
    assert list(read_csv(tmp_path / "t.csv").columns) == ["a", "b"]


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_double_reads_back(value: float) -> None:
    text = csv_text(value)
    assert float(text) == value
    assert len(text.replace("-", "").replace(".", "").split("e")[0].lstrip("0")) <= 17 or value == int(value)


@given(st.integers(-(10**18), 10**18))
def test_integers_stay_integers(value: int) -> None:
    assert csv_text(np.int64(value)) == str(value)


def test_a_table_reads_back_to_the_bit(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "stratum": ["1", "NA", "None", "nan"],
            "driver": [None, "NaN", "null", "x"],
            "estimate": [0.1 + 0.2, 1 / 3, np.nan, 5e-324],
            "n": pd.array([1, None, 3, 2**53 + 1], dtype="Int64"),
        }
    )
    write_csv(frame, tmp_path / "t.csv")
    back = read_csv(tmp_path / "t.csv")
    assert back["stratum"].tolist() == ["1", "NA", "None", "nan"]
    assert back["driver"].tolist()[1:] == ["NaN", "null", "x"]
    assert back["driver"].isna().tolist() == [True, False, False, False]
    np.testing.assert_array_equal(back["estimate"], frame["estimate"])
    write_csv(back, tmp_path / "again.csv")
    assert (tmp_path / "again.csv").read_bytes() == (tmp_path / "t.csv").read_bytes()


def test_text_columns_are_those_without_a_unit() -> None:
    tables = fake_run().tables
    assert {"model", "stratum", "response", "term", "via", "message", "status"} <= TEXT_COLUMNS
    assert {name for name, column in COLUMNS.items() if not column.unit} - TEXT_COLUMNS == {
        "selects_on_response",
        "chosen",
    }
    for frame in tables.values():
        numbers = {
            c for c in frame.columns if pd.api.types.is_numeric_dtype(frame[c]) and frame[c].notna().any()
        }
        assert not numbers & TEXT_COLUMNS


def test_the_workbook_repeats_and_holds_the_tables(tmp_path: Path) -> None:
    tables = fake_run().tables
    write_xlsx(tables, tmp_path / "a.xlsx")
    time.sleep(1.1)  # openpyxl and zip both write whole or even seconds
    write_xlsx(tables, tmp_path / "b.xlsx")
    assert (tmp_path / "a.xlsx").read_bytes() == (tmp_path / "b.xlsx").read_bytes()
    book = openpyxl.load_workbook(tmp_path / "a.xlsx")
    assert book.sheetnames == list(tables)
    sheet = book["coefficients"]
    assert sheet.freeze_panes == "A2"
    assert sheet["A1"].value == "model"
    assert sheet["A1"].font.bold
    assert sheet.max_row == len(tables["coefficients"]) + 1


def test_a_name_that_looks_like_a_formula_stays_text(tmp_path: Path) -> None:
    frame = pd.DataFrame({"=cmd()": ["=1+1", "+x", "bell\x07"], "v": [np.inf, np.nan, 1.5]})
    write_xlsx({"t": frame}, tmp_path / "t.xlsx")
    sheet = openpyxl.load_workbook(tmp_path / "t.xlsx")["t"]
    assert [sheet.cell(r, 1).value for r in (1, 2, 3, 4)] == ["=cmd()", "=1+1", "+x", "bell"]
    assert {sheet.cell(r, 1).data_type for r in (1, 2, 3, 4)} == {"s"}
    assert [sheet.cell(r, 2).value for r in (2, 3, 4)] == ["inf", None, 1.5]


def test_no_tables_make_an_empty_workbook(tmp_path: Path) -> None:
    write_xlsx({}, tmp_path / "t.xlsx")
    assert openpyxl.load_workbook(tmp_path / "t.xlsx").sheetnames == ["empty"]


def test_sheet_names_are_legal_and_distinct() -> None:
    taken: set[str] = set()
    names = [sheet_name(n, taken) for n in ("a/b", "A_B", "x" * 40, "x" * 41, "")]
    assert names == ["a_b", "A_B_2", "x" * 31, "x" * 27 + "_2", "table"]
