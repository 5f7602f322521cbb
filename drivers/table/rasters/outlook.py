"""What a table spec would make, and whether the table that is there is still that one; no pixel is read."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import rasterio

from drivers.errors import TableError
from drivers.spec.table_spec import TableSpec, read_table_spec
from drivers.table.rasters.chunks import CACHE_MB
from drivers.table.rasters.columns import table_columns
from drivers.table.rasters.fingerprint import fingerprint, input_files, named
from drivers.table.rasters.grid import RasterGrid
from drivers.table.rasters.parquet import ColumnFacts, table_facts
from drivers.table.rasters.plan import make_plan
from drivers.table.rasters.reader import Reader
from drivers.table.rasters.stack import Stack

BYTES = {"int32": 4, "float32": 4, "int64": 8, "float64": 8, "text": 16}
"""Of a value before it is compressed; a text is about so long."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a table spec would make of the files that are there.

    Attributes
    ----------
    spec : the table spec
    grid : where the pixels would lie
    columns : name, type, unit and source of each, in order
    notes : what would be left out, and other things to know
    inputs : every file that would be read, each once
    """

    spec: TableSpec
    grid: RasterGrid
    columns: tuple[ColumnFacts, ...]
    notes: tuple[str, ...]
    inputs: tuple[Path, ...]

    @property
    def cells(self) -> int:
        """Cells of the grid: rows of the table at most, for those without any value are left out."""
        return self.grid.rows * self.grid.columns

    @property
    def size(self) -> int:
        """Bytes of the table at most, before it is compressed."""
        return self.cells * sum(BYTES[column.kind] for column in self.columns)


def look_ahead(spec: TableSpec | str | Path) -> Outlook:
    """Check a table spec against the files that it names.

    Raises
    ------
    SpecError
        With every fault of the spec.
    TableError
        With every fault of the files, as far as they can be known without reading pixels.
    """
    if not isinstance(spec, TableSpec):
        spec = read_table_spec(spec)
    with rasterio.Env(GDAL_CACHEMAX=CACHE_MB), Reader() as reader:
        plan = make_plan(spec)
        stack = Stack(plan.layers, plan.fits, plan.target, reader)
        kinds = {name: zone.kind for name, zone in plan.zones}
        columns = table_columns(spec, plan.layers, plan.years, stack, kinds)
    return Outlook(spec, plan.target, tuple(c.facts for c in columns), plan.notes, input_files(spec, plan))


def outdated(spec: TableSpec) -> str:
    """Why the table of a spec has to be made, in words that follow a `because`; empty if it need not.

    A table that is there is made again when the spec says something else now, when the files have other
    years, or when a file is another one (`fingerprint`) or newer than the table. Where the files are gone,
    the table stands.

    Raises
    ------
    TableError
        If the table is not there, or is no table of ours, with every fault of the files.
    """
    if not spec.output.exists():
        return "it is not there yet"
    facts = _facts(spec)
    if not facts:
        look_ahead(spec)  # which says that it is no table of ours
    if facts.get("spec_sha256") != spec.sha256:
        return f"{spec.path.name} has changed since"
    try:
        outlook = look_ahead(spec)
    except TableError:
        if _any_input_left(spec):
            raise
        return ""
    if list(facts["columns"]) != [column.name for column in outlook.columns]:
        return "the files hold other years than it has"
    before = facts.get("inputs", {})
    others = [
        path.name
        for path in outlook.inputs
        if (known := before.get(named(spec, path))) is not None and known != fingerprint(path)
    ]
    if others:
        more = f" and {len(others) - 1} more are" if len(others) > 1 else " is"
        return f"{others[0]}{more} not what it was made from"
    made = spec.output.stat().st_mtime_ns
    newer = [path for path in outlook.inputs if _changed(path) > made]
    more = f" and {len(newer) - 1} more are" if len(newer) > 1 else " is"
    return f"{newer[0].name}{more} newer" if newer else ""


def _facts(spec: TableSpec) -> dict[str, Any]:
    """Of the table that is there; nothing where it is not ours, which building it will say."""
    try:
        return table_facts(spec.output)
    except TableError:
        return {}


def _any_input_left(spec: TableSpec) -> bool:
    """Whether a file of any layer is still there: tables travel without their rasters."""
    return any(_there(layer.source) for layer in spec.layers)


def _there(source: Path) -> bool:
    pattern = re.sub(r"\{[^{}]*\}", "*", source.as_posix().removeprefix(source.anchor))
    return any(True for _ in Path(source.anchor).glob(pattern))


def _changed(path: Path) -> int:
    """When a file was last written, in ns; of a Zarr store the last of its files."""
    if not path.is_dir():
        return path.stat().st_mtime_ns
    return max((each.stat().st_mtime_ns for each in path.rglob("*")), default=path.stat().st_mtime_ns)
