"""What `drivers table` does: a table spec becomes a pixel table; a few lines say what is in it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from drivers.progress import Reporter
from drivers.report.numbers import count, number
from drivers.table.rasters import BuiltTable, build_table
from drivers.table.rasters.crs import crs_label, unit_name
from drivers.table.rasters.series import ranges

Reporting = Callable[[int], AbstractContextManager[Reporter]]


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
    grid = built.grid
    unit = unit_name(grid.crs)
    size = f"{number(grid.width)} x {number(grid.height)} {unit}s, {crs_label(grid.crs)}"
    lines = [
        f"{built.name}: {count(built.pixels)} pixels of {count(built.cells)} cells ({size}), "
        f"{len(built.columns)} columns"
    ]
    groups: dict[str, list[tuple[str, int | None]]] = {}
    for column in built.columns:
        groups.setdefault(column.series, []).append((column.name, column.year))
    for name, members in groups.items():
        years = [year for _, year in members if year is not None]
        said = f" {ranges(years)}" if years else ""
        lacking = [built.pixels - built.filled[column] for column, _ in members]
        if max(lacking):
            span = " to ".join(count(bound) for bound in sorted({min(lacking), max(lacking)}))
            lines.append(f"  {name}{said}: missing in {span} pixels")
        elif years:
            lines.append(f"  {name}{said}: complete")
    lines += [f"  warning: {warning}" for warning in built.warnings]
    lines.append(f"Table: {built.path}")
    return lines
