"""What a column holds, and what is wrong with it: the type rules of a pixel table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from drivers.errors import Fault, Place
from drivers.table.levels import encode, level_label, natural_order

Kind = Literal["numbers", "text", "dates", "other"]

MANY_LEVELS = 1000
"""A categorical with more levels than this is an identifier or a measurement, not a class."""

MOSTLY_NUMBERS = 0.5
"""A text column of which more than this share reads as numbers is numbers with a few bad cells."""

SHOWN_VALUES = 3
"""How many values a message shows: enough to recognise the column."""

DATES = "write it as a number, such as the year or the day of the year"


@dataclass(frozen=True, slots=True)
class Role:
    """What a study wants of one column."""

    name: str
    place: Place | None = None
    response: bool = False
    coordinate: bool = False
    categorical: bool = False
    label: bool = False
    """Only tells pixels apart (strata, groups of a random intercept): numbers or text, any number."""


Row = Callable[[int], str]
"""How a position in the table is told to a person: `row 17 (line 18)`."""


def row_number(position: int) -> str:
    """A row, counted from 1.

    >>> row_number(16)
    'row 17'
    """
    return f"row {position + 1}"


def plain(column: pd.Series) -> tuple[pd.Series, Kind]:
    """A column in one of the forms a pixel table holds, and its kind.

    Numbers become a numpy dtype (integers and booleans stay what they are unless values are missing),
    text becomes a categorical in natural order. Dates and mixtures are left as they are.
    """
    dtype = column.dtype
    if isinstance(dtype, pd.SparseDtype):
        return plain(pd.Series(np.asarray(column), index=column.index, name=column.name))
    if isinstance(dtype, pd.ArrowDtype):
        return _plain_arrow(column, dtype.pyarrow_dtype)
    if isinstance(dtype, pd.CategoricalDtype):
        return _plain_categories(column), "text"
    if isinstance(dtype, pd.StringDtype):
        return _categories(column), "text"
    if isinstance(dtype, np.dtype):
        if dtype.kind in "biuf":
            return column, "numbers"
        if dtype.kind in "mM":
            return column, "dates"
        return _plain_objects(column) if dtype.kind == "O" else (column, "other")
    if isinstance(dtype, pd.DatetimeTZDtype | pd.PeriodDtype):
        return column, "dates"
    if pd.api.types.is_numeric_dtype(dtype) or pd.api.types.is_bool_dtype(dtype):
        return _numbers(column), "numbers"
    return column, "other"


def _numbers(column: pd.Series) -> pd.Series:
    """Nullable, Arrow, Decimal or boxed numbers as a numpy column."""
    if column.isna().any():
        values: NDArray[np.generic] = column.to_numpy(dtype=np.float64, na_value=np.nan)
    elif pd.api.types.is_bool_dtype(column.dtype):
        values = column.to_numpy(dtype=np.bool_)
    elif pd.api.types.is_integer_dtype(column.dtype):
        values = column.to_numpy(
            dtype=np.int64 if pd.api.types.is_signed_integer_dtype(column.dtype) else np.uint64
        )
    else:
        values = column.to_numpy(dtype=np.float64)
    return pd.Series(values, index=column.index, name=column.name)


def _categories(column: pd.Series) -> pd.Series:
    """Text as a categorical in natural order; empty text is missing."""
    text = pd.Categorical(column)
    labels = [str(c) for c in text.categories]
    if "" in labels:
        text = text.remove_categories([""])
        labels.remove("")
    return pd.Series(text.reorder_categories(natural_order(labels)), index=column.index, name=column.name)


def _plain_categories(column: pd.Series) -> pd.Series:
    return column.cat.remove_categories([""]) if "" in column.cat.categories else column


def _plain_arrow(column: pd.Series, kind: pa.DataType) -> tuple[pd.Series, Kind]:
    types = pa.types
    if types.is_dictionary(kind):
        return plain(pd.Series(pa.array(column).to_pandas(), index=column.index, name=column.name))
    if types.is_decimal(kind):
        return _numbers(column.astype(pd.ArrowDtype(pa.float64()))), "numbers"
    if types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind):
        return _numbers(column), "numbers"
    if types.is_null(kind):
        return pd.Series(np.full(len(column), np.nan), index=column.index, name=column.name), "numbers"
    if types.is_string(kind) or types.is_large_string(kind):
        return _categories(column), "text"
    return column, "dates" if types.is_temporal(kind) else "other"


def _plain_objects(column: pd.Series) -> tuple[pd.Series, Kind]:
    holds = pd.api.types.infer_dtype(column, skipna=True)
    if holds == "string":
        return _categories(column), "text"
    if holds in ("floating", "integer", "mixed-integer-float", "decimal", "empty"):
        values = pd.to_numeric(column.where(column.notna(), np.nan), errors="coerce")
        return _numbers(
            values.astype(np.float64) if values.isna().any() or holds == "decimal" else values
        ), "numbers"
    if holds == "boolean":
        whole = not column.isna().any()
        return column.astype(np.bool_ if whole else np.float64), "numbers"
    dates = ("date", "datetime", "datetime64", "time", "timedelta", "timedelta64", "period")
    return column, "dates" if holds in dates else "other"


def faults_of(column: pd.Series, kind: Kind, role: Role, source: str, row: Row) -> list[Fault]:
    """Everything that keeps a column from its role; an empty list if nothing does.

    `column` and `kind` are as `plain` gives them.
    """
    what = f"column `{role.name}` of {source}"

    def fault(message: str, hint: str = "") -> list[Fault]:
        return [Fault(message, role.place, hint)]

    if kind == "dates":
        return fault(f"{what} holds dates", DATES)
    if kind == "other":
        return fault(*_other(column, what, row))
    missing = column.isna().to_numpy()
    if len(column) and missing.all():
        whose = "response" if role.response else "coordinate" if role.coordinate else "column"
        return fault(f"{whose} `{role.name}` is missing everywhere in {source}")
    if kind == "text" and not (role.categorical or role.label):
        return fault(*_text(column, what, role, row))
    found: list[Fault] = []
    if kind == "numbers":
        found += [Fault(message, role.place, hint) for message, hint in _infinite(column, what, row)]
    if role.coordinate and missing.any():
        where = f"{_times(int(missing.sum()), 'row')}, first in {row(int(np.argmax(missing)))}"
        found += fault(
            f"coordinate `{role.name}` of {source} is missing in {where}",
            "give every pixel its coordinates, or leave `pixel:` out",
        )
    if role.categorical and not found:
        found += [Fault(message, role.place, hint) for message, hint in _classes(column, kind, what, row)]
    return found


def _infinite(column: pd.Series, what: str, row: Row) -> list[tuple[str, str]]:
    values = column.to_numpy()
    if values.dtype.kind != "f":
        return []
    infinite = np.isinf(values)
    if not infinite.any():
        return []
    count = _times(int(infinite.sum()), "infinite value")
    return [(f"{what} holds {count}, first in {row(int(np.argmax(infinite)))}", "write missing values as NA")]


def _classes(column: pd.Series, kind: Kind, what: str, row: Row) -> list[tuple[str, str]]:
    """Categories are text or whole numbers, and not as many as pixels."""
    if kind == "numbers" and column.to_numpy().dtype.kind == "f":
        values = column.to_numpy(dtype=np.float64)
        broken = ~np.isnan(values) & (values != np.floor(values))
        if broken.any():
            first = int(np.argmax(broken))
            return [
                (
                    f"{what} is declared categorical but holds {level_label(values[first])} in {row(first)}",
                    "categories are text or whole numbers",
                )
            ]
    count = len(encode(column)[0])
    if count > MANY_LEVELS:
        return [(f"{what} is declared categorical but has {count} levels", f"the most is {MANY_LEVELS}")]
    return []


def holds_classes(column: pd.Series) -> bool:
    """Whether text is a set of classes, not numbers that something keeps from being read as such."""
    labels = pd.Series([str(c) for c in column.cat.categories], dtype=object)
    codes = column.cat.codes.to_numpy()
    commas = _reads_as_numbers(labels.str.replace(",", ".", regex=False), codes)
    present = codes >= 0
    return bool(present.any() and max(commas[present].mean(), 0.0) <= MOSTLY_NUMBERS)


def _text(column: pd.Series, what: str, role: Role, row: Row) -> tuple[str, str]:
    """Text where numbers are wanted: a class that is not declared, or numbers with bad cells."""
    labels = pd.Series([str(c) for c in column.cat.categories], dtype=object)
    codes = column.cat.codes.to_numpy()
    if (
        _reads_as_numbers(labels.str.replace(",", ".", regex=False), codes).all()
        and labels.str.contains(",").any()
    ):
        return f"{what} holds decimal commas ({_some(column)})", "write decimals with a point"
    good = _reads_as_numbers(labels, codes)
    present = codes >= 0
    bad = present & ~good
    if not bad.any():
        return f"{what} holds numbers that are stored as text ({_some(column)})", "store them as numbers"
    if good[present].mean() > MOSTLY_NUMBERS:
        first = int(np.argmax(bad))
        others = int(bad.sum()) - 1
        more = (
            f", and {_times(others, 'more value')} that {'is no number' if others == 1 else 'are no numbers'}"
        )
        return (
            f"{what} holds `{labels[codes[first]]}` in {row(first)}{more if others else ''}",
            "write missing values as NA, or leave them empty",
        )
    hint = (
        "coordinates are numbers" if role.coordinate else f"declare it: `{role.name}: {{categorical: true}}`"
    )
    if role.response:
        hint = "a response is numbers"
    return f"{what} holds text ({_some(column)})", hint


def _reads_as_numbers(labels: pd.Series, codes: NDArray[np.generic]) -> NDArray[np.bool_]:
    good = pd.to_numeric(labels, errors="coerce").notna().to_numpy(dtype=np.bool_)
    # -1, the missing, indexes the last element
    read: NDArray[np.bool_] = np.append(good, True)[codes]
    return read


def _other(column: pd.Series, what: str, row: Row) -> tuple[str, str]:
    """Mixtures, complex numbers, lists, bytes: name the types and the first odd row."""
    if column.dtype != object:
        return f"{what} holds values of type {column.dtype}", "columns are numbers or text"
    kinds = column.dropna().map(lambda value: type(value).__name__)
    usual = str(kinds.mode().iloc[0])
    odd = kinds[kinds != usual]
    if odd.empty:
        return f"{what} holds values of type {usual}", "columns are numbers or text"
    first = int(np.argmax(column.index == odd.index[0]))
    value = str(column.iloc[first])
    return (
        f"{what} mixes types: mostly {usual}, but {odd.iloc[0]} `{value}` in {row(first)}",
        "columns are numbers or text, not both",
    )


def _some(column: pd.Series) -> str:
    """The first few different values, in the order of the rows."""
    shown = [f"`{value}`" for value in column.dropna().drop_duplicates().iloc[: SHOWN_VALUES + 1]]
    return ", ".join(shown[:SHOWN_VALUES]) + (", ..." if len(shown) > SHOWN_VALUES else "")


def _times(count: int, noun: str) -> str:
    return f"{count} {noun}" + ("" if count == 1 else "s")
