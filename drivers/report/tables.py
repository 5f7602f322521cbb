"""Tables as files: CSV and one workbook, the same bytes for the same tables."""

from __future__ import annotations

import csv
import datetime
import io
import math
import re
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
from openpyxl.styles import Font
from openpyxl.utils import get_column_letter

from drivers.glossary import COLUMNS
from drivers.report.numbers import is_missing

EPOCH = datetime.datetime(2000, 1, 1)
"""The date inside every workbook: a wall clock would make equal tables unequal files."""
ZIP_EPOCH = (2000, 1, 1, 0, 0, 0)
_WHOLE = re.compile(r"-?\d{1,18}")
SHEET_ROWS = 1_048_576
SHEET_NAME = 31
WHOLE_LIMIT = 1e15
"""Below it a whole double is written as an integer, as in the CSV (and never as a negative zero)."""
WIDEST_COLUMN = 48
ROWS_MEASURED = 200
"""Rows that decide a column's width."""

TRUTHS = frozenset({"selects_on_response", "chosen"})
TEXT_COLUMNS = frozenset(name for name, column in COLUMNS.items() if not column.unit) - TRUTHS
"""Columns that are text even where every value looks like a number (a stratum called `1`).

All that have no unit, but for those that hold truth values.
"""


def write_csv(frame: pd.DataFrame, path: Path) -> None:
    """Write a table at full precision.

    Numbers are the shortest decimal that reads back to the same double (never more than 17
    significant digits), whole numbers have no decimal point, missing is empty, truth is `true` or
    `false`; UTF-8, `\\n` at line ends.
    """
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow([str(name) for name in frame.columns])
        columns = [[csv_text(value) for value in frame[name].tolist()] for name in frame.columns]
        writer.writerows(zip(*columns, strict=True))


def csv_text(value: Any) -> str:
    """One cell.

    >>> csv_text(0.1), csv_text(12.0), csv_text(1e-300), csv_text(float("nan")), csv_text(True), csv_text(7)
    ('0.1', '12', '1e-300', '', 'true', '7')
    """
    if is_missing(value):
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        text = repr(float(value))
        return text.removesuffix(".0") if value != 0 else "0"
    if hasattr(value, "item"):
        return csv_text(value.item())
    return str(value)


def read_csv(path: Path) -> pd.DataFrame:
    """Read a table that `write_csv` wrote; text columns stay text, and only an empty cell is missing.

    pandas' reader would make floats of whole numbers beside missing ones and lose digits of large ones.
    """
    with path.open(encoding="utf-8", newline="") as stream:
        names, *rows = list(csv.reader(stream)) or [[]]
    cells = list(zip(*rows, strict=True)) if rows else [() for _ in names]
    return pd.DataFrame({name: _column(name, cells[k]) for k, name in enumerate(names)}, columns=names)


def _column(name: str, cells: Sequence[str]) -> pd.Series[Any]:
    """The narrowest of truth, whole number, number and text that holds every cell."""
    known = [cell for cell in cells if cell != ""]
    if name not in TEXT_COLUMNS and known:
        if all(cell in ("true", "false") for cell in known):
            return pd.Series([None if c == "" else c == "true" for c in cells], dtype="boolean")
        if all(_WHOLE.fullmatch(cell) for cell in known):
            return pd.Series([pd.NA if c == "" else int(c) for c in cells], dtype="Int64")
        try:
            return pd.Series([math.nan if c == "" else float(c) for c in cells], dtype="float64")
        except ValueError:
            pass
    elif name not in TEXT_COLUMNS:
        return pd.Series([math.nan] * len(cells), dtype="float64")
    return pd.Series([None if c == "" else c for c in cells], dtype="str")


def write_xlsx(tables: Mapping[str, pd.DataFrame], path: Path) -> None:
    """Write one sheet per table: bold frozen header, fitted widths, texts never taken for formulas.

    A table longer than a sheet can be is written as far as it goes; the CSV has all of it.
    """
    book = Workbook(write_only=True)
    book.properties.creator = "ecodrivers"
    taken: set[str] = set()
    for name, frame in tables.items():
        _sheet(book, sheet_name(name, taken), frame)
    if not tables:
        book.create_sheet("empty")
    raw = io.BytesIO()
    book.save(raw)
    path.write_bytes(_timeless(raw.getvalue()))


def sheet_name(name: str, taken: set[str]) -> str:
    """A name that Excel takes: no `[]:*?/\\`, at most 31 letters, not used yet (whatever the case)."""
    plain = re.sub(r"[\[\]:*?/\\]", "_", name).strip("'")[:SHEET_NAME] or "table"
    found, k = plain, 2
    while found.casefold() in taken:
        found, k = f"{plain[: SHEET_NAME - 4]}_{k}", k + 1
    taken.add(found.casefold())
    return found


def _sheet(book: Workbook, name: str, frame: pd.DataFrame) -> None:
    sheet = book.create_sheet(name)
    sheet.freeze_panes = "A2"
    columns = [frame[column].tolist() for column in frame.columns]
    for k, column in enumerate(frame.columns):
        seen = [len(_shown(value)) for value in columns[k][:ROWS_MEASURED]]
        width = min(max([len(str(column)), *seen]) + 2, WIDEST_COLUMN)
        sheet.column_dimensions[get_column_letter(k + 1)].width = width
    sheet.append([_cell(sheet, str(column), bold=True) for column in frame.columns])
    for row in list(zip(*columns, strict=True))[: SHEET_ROWS - 1]:
        sheet.append([_cell(sheet, value) for value in row])


def _shown(value: Any) -> str:
    """About what the sheet shows: Excel's General format prints some ten characters of a number."""
    return f"{value:.9g}" if isinstance(value, float) and math.isfinite(value) else csv_text(value)


def _cell(sheet: Any, value: Any, *, bold: bool = False) -> Any:
    if is_missing(value):
        return None
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        value = repr(value)
    if isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) < WHOLE_LIMIT else value
    if isinstance(value, bool | int):
        return value
    cell = WriteOnlyCell(sheet, value=ILLEGAL_CHARACTERS_RE.sub("", str(value)))
    cell.data_type = "s"  # a name like `=cmd()` is a name, not a formula
    if bold:
        cell.font = Font(bold=True)
    return cell


def _timeless(raw: bytes) -> bytes:
    """The same workbook without the times that openpyxl and zip put into it."""
    stamp = EPOCH.strftime("%Y-%m-%dT%H:%M:%SZ").encode()
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(raw)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for entry in old.infolist():
            data = old.read(entry)
            if entry.filename == "docProps/core.xml":
                data = re.sub(rb"(<dcterms:(created|modified)[^>]*>)[^<]*", rb"\g<1>" + stamp, data)
            info = zipfile.ZipInfo(entry.filename, ZIP_EPOCH)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = 0o644 << 16
            new.writestr(info, data)
    return out.getvalue()
