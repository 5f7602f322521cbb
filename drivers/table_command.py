"""What `drivers table` does and `drivers check` of a table spec says: rasters, and what they make."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from drivers.progress import Reporter
from drivers.report.numbers import count, number
from drivers.spec.table_spec import FIXED_COLUMNS
from drivers.table.crs import crs_label, unit_name
from drivers.table.rasters import BuiltTable, RasterGrid, build_table
from drivers.table.rasters.outlook import Outlook
from drivers.table.rasters.parquet import ColumnFacts
from drivers.table.rasters.series import ranges

Reporting = Callable[[int], AbstractContextManager[Reporter]]

SIZES = ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"))


def make_table(spec: Path, *, reporting: Reporting) -> BuiltTable:
    """Read a table spec and its rasters, and write the table.

    Parameters
    ----------
    spec
        A table spec, specs/NAME.table.yaml.
    reporting
        Makes the reporter, as `drivers.progress.reporting`.

    Raises
    ------
    SpecError, TableError
        With every fault; nothing is written then.
    """
    with reporting(1) as reporter:
        return build_table(spec, reporter)


def table_lines(built: BuiltTable) -> list[str]:
    """What was written, for the terminal."""
    lines = [
        f"{built.name}: {count(built.pixels)} pixels of {count(built.cells)} cells "
        f"({_cells(built.grid)}), {len(built.columns)} columns"
    ]
    for name, said, members in _series(built.columns):
        lacking = [built.pixels - built.filled[column] for column in members]
        if max(lacking):
            span = " to ".join(count(bound) for bound in sorted({min(lacking), max(lacking)}))
            lines.append(f"  {name}{said}: missing in {span} pixels")
        elif said:
            lines.append(f"  {name}{said}: complete")
    lines += [f"  warning: {warning}" for warning in built.warnings]
    lines.append(f"Table: {built.path}")
    return lines


def outlook_lines(outlook: Outlook) -> list[str]:
    """What would be written, for the terminal."""
    spec, grid = outlook.spec, outlook.grid
    at_most = f"{count(outlook.cells)} pixels at most ({grid.rows} rows of {grid.columns} cells)"
    lines = [
        f"{spec.path}: sound. {spec.name}: {at_most}, cells of {_cells(grid)}",
        f"  {len(outlook.columns)} columns, {_bytes(outlook.size)} of numbers at most; "
        f"{count(len(outlook.inputs))} file(s) to read",
    ]
    for name, said, members in _series(c for c in outlook.columns if c.name not in FIXED_COLUMNS):
        lines.append(f"  {name}{said}: {_origin([c for c in outlook.columns if c.name in members])}")
    lines += [f"  warning: {note}" for note in outlook.notes]
    state = "is there already and would be replaced" if spec.output.exists() else "is not there yet"
    lines.append(f"Table: {spec.output} {state}")
    return lines


def _cells(grid: RasterGrid) -> str:
    return f"{number(grid.width)} x {number(grid.height)} {unit_name(grid.crs)}s, {crs_label(grid.crs)}"


def _series(columns: Iterable[ColumnFacts]) -> list[tuple[str, str, list[str]]]:
    """Layers and derived columns in order: the name, its years in words, its columns."""
    groups: dict[str, list[ColumnFacts]] = {}
    for column in columns:
        groups.setdefault(column.series, []).append(column)
    found = []
    for name, members in groups.items():
        years = [column.year for column in members if column.year is not None]
        found.append((name, f" {ranges(years)}" if years else "", [column.name for column in members]))
    return found


def _origin(columns: Sequence[ColumnFacts]) -> str:
    """Where the columns of a layer come from, how they come onto the grid, their type and unit."""
    facts, parts = columns[0], []
    about = facts.about
    if "formula" in about:
        parts.append(str(about["formula"]))
    elif "zones" in about:
        parts.append(f"zones of {about['zones']}, {about['column']}")
    elif "layer" in about:
        sources = [column.about["source"] for column in columns]
        named = [str(name) for source in sources if isinstance(source, list) for name in source]
        parts.append(named[0] if named[0] == named[-1] else f"{named[0]} to {named[-1]}")
        parts.append(f"resampled by {about['resample']}" if about["resample"] else "cells as they are")
        if about.get("aggregate"):
            parts.append(f"{about['aggregate']} of months")
    if len(columns) > 1:
        parts.append(f"{len(columns)} columns")
    parts.append(facts.kind)
    parts += [facts.unit] if facts.unit else []
    return ", ".join(parts)


def _bytes(size: int) -> str:
    of, name = next(((of, name) for of, name in SIZES if size >= of), SIZES[-1])
    return f"{number(size / of)} {name}"
