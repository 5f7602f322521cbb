"""The table as Parquet: row groups as they come, and what is needed to put pixels back on their grid."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from drivers.errors import Fault, Place, TableError
from drivers.spec.places import shown
from drivers.spec.table_spec import FIXED_COLUMNS
from drivers.table.crs import crs_label, parse_crs
from drivers.table.files import METADATA
from drivers.table.rasters.grid import RasterGrid

GROUP_ROWS = 131_072
"""Rows of a group at least: fewer make reading slow, and many more need not be in memory at once."""

FORMAT = 1
"""Of the facts; grows when their meaning changes."""

Values = Any
"""A numpy array with NaN for missing, or an Arrow array as it shall be written."""


@dataclass(frozen=True, slots=True)
class ColumnFacts:
    """A column: its type, its unit, and where it comes from.

    Attributes
    ----------
    name, unit : as the table has them
    kind : int32, int64, float32, float64 or text
    about : facts for whoever reads the file: layer, year, source, resampling, nodata, scale
    """

    name: str
    kind: str
    unit: str
    about: Mapping[str, object]

    @property
    def series(self) -> str:
        """The layer or derived column that it is a year of; its own name where it is no year."""
        return str(self.about.get("series", self.name))

    @property
    def year(self) -> int | None:
        """Of a column that is a year."""
        year = self.about.get("year")
        return year if isinstance(year, int) else None


class TableWriter:
    """Writes a table beside its place and renames it when all is there; a failure leaves nothing."""

    def __init__(self, path: Path, columns: Sequence[ColumnFacts], facts: Mapping[str, object]) -> None:
        self._path = path
        self._columns = columns
        kinds = {"text": pa.string()}
        held = {c.name: {"kind": c.kind, "unit": c.unit, **c.about} for c in columns}
        text = json.dumps({"format": FORMAT, **facts, "columns": held}, ensure_ascii=False, allow_nan=False)
        self.schema = pa.schema(
            [(c.name, kinds.get(c.kind) or pa.type_for_alias(c.kind)) for c in columns],
            {METADATA: text.encode()},
        )
        self._waiting: list[pa.Table] = []
        self._rows = 0
        self.pixels = 0

    def __enter__(self) -> TableWriter:
        handle, name = tempfile.mkstemp(prefix=".table-", suffix=".parquet", dir=self._path.absolute().parent)
        os.close(handle)
        self._fresh = Path(name)
        split = [c.name for c in self._columns if c.kind.startswith("float") and c.name not in FIXED_COLUMNS]
        # Measured values hardly repeat: a dictionary is in vain, and their bytes pack best side by side.
        self._writer = pq.ParquetWriter(
            self._fresh,
            self.schema,
            compression="zstd",
            use_dictionary=[c.name for c in self._columns if c.name not in split],
            column_encoding=dict.fromkeys(split, "BYTE_STREAM_SPLIT"),
        )
        return self

    def add(self, values: Sequence[Values]) -> None:
        """Some pixels, a column after the other; NaN is missing."""
        arrays = [_array(v, field.type) for v, field in zip(values, self.schema, strict=True)]
        table = pa.table(arrays, schema=self.schema)
        self.pixels += table.num_rows
        self._waiting.append(table)
        self._rows += table.num_rows
        if self._rows >= GROUP_ROWS:
            self._flush()

    def _flush(self) -> None:
        if self._rows:
            self._writer.write_table(pa.concat_tables(self._waiting), row_group_size=self._rows)
        self._waiting, self._rows = [], 0

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._flush()
            self._writer.close()
            if kind is None:
                mask = os.umask(0)
                os.umask(mask)
                self._fresh.chmod(0o666 & ~mask)
                self._fresh.replace(self._path)
        finally:
            self._fresh.unlink(missing_ok=True)


def _array(values: Values, kind: pa.DataType) -> pa.Array:
    if isinstance(values, pa.Array):
        return values
    if values.dtype.kind != "f":
        return pa.array(values, type=kind)
    missing = np.isnan(values)
    if pa.types.is_integer(kind):
        whole = np.where(missing, 0, values).astype(kind.to_pandas_dtype())
        return pa.array(whole, type=kind, mask=missing)
    return pa.array(values.astype(kind.to_pandas_dtype(), copy=False), type=kind, mask=missing)


def check_target(path: Path, place: Place) -> Fault | None:
    """Why a table cannot be written here: no folder, or a file that is no table of ours."""
    if path.is_dir():
        return Fault(f"{shown(path)} is a folder", place)
    if not path.absolute().parent.is_dir():
        return Fault(f"there is no folder {shown(path.parent)}", place, "make it first")
    if not os.access(path.absolute().parent, os.W_OK):
        return Fault(f"nothing may be written into {shown(path.parent)}", place)
    if not path.exists():
        return None
    try:
        ours = METADATA in (pq.read_schema(path).metadata or {})
    except (pa.ArrowException, OSError):
        ours = False
    if ours:
        return None
    message = f"{shown(path)} is there already, and `drivers table` did not write it"
    return Fault(message, place, "name another file with `output:`, or remove it")


def grid_facts(grid: RasterGrid) -> dict[str, object]:
    """A grid as it stands in the file."""
    return {
        "crs": crs_label(grid.crs),
        "crs_wkt": grid.crs.to_wkt(),
        "crs_projjson": json.loads(grid.crs.to_json()),
        "transform": list(grid.transform)[:6],
        "shape": list(grid.shape),
    }


def table_facts(path: str | Path) -> dict[str, Any]:
    """What `drivers table` wrote into a file about its columns and its grid.

    Raises
    ------
    TableError
        If it did not write the file.
    """
    path = Path(path)
    try:
        held = (pq.read_schema(path).metadata or {}).get(METADATA)
    except (pa.ArrowException, OSError) as error:
        raise TableError(Fault(f"{shown(path)} is not a readable Parquet file ({error})")) from None
    if held is None:
        raise TableError(Fault(f"{shown(path)} does not know its grid", hint="make it with `drivers table`"))
    found: dict[str, Any] = json.loads(held)
    return found


def grid_of(path: str | Path) -> RasterGrid:
    """The grid of a table that `drivers table` wrote, for writing maps: `grid.cells(easting, northing)`."""
    facts = table_facts(path)["grid"]
    width, _, west, _, height, north = facts["transform"]
    rows, columns = facts["shape"]
    return RasterGrid(parse_crs(facts["crs_wkt"]), west, north, width, -height, rows, columns)
