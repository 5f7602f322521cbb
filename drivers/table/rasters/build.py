"""From a table spec to a pixel table: look at everything first, then read the grid row by row."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import rasterio
from numpy.typing import NDArray

from drivers.errors import Fault, TableError
from drivers.progress import SILENT, Parts, Reporter
from drivers.spec.table_spec import TableSpec, read_table_spec
from drivers.table.rasters.chunks import CACHE_MB, row_chunks
from drivers.table.rasters.columns import LayerColumn, table_columns
from drivers.table.rasters.derive import Evaluator
from drivers.table.rasters.fingerprint import fingerprint, input_files, named
from drivers.table.rasters.grid import RasterGrid
from drivers.table.rasters.parquet import ColumnFacts, TableWriter, Values, grid_facts
from drivers.table.rasters.plan import Plan, make_plan
from drivers.table.rasters.reader import Reader
from drivers.table.rasters.stack import Stack
from drivers.table.rasters.zones import Polygons


@dataclass(frozen=True, slots=True)
class BuiltTable:
    """A table that was written.

    Attributes
    ----------
    name : of the table
    path : the file
    pixels : rows
    cells : of the grid
    columns : name, type, unit and source of each, in order
    filled : pixels with a value, by column
    grid : where the pixels lie
    warnings : what a careful reader would want to know
    """

    name: str
    path: Path
    pixels: int
    cells: int
    columns: tuple[ColumnFacts, ...]
    filled: dict[str, int]
    grid: RasterGrid
    warnings: tuple[str, ...]


def build_table(spec: TableSpec | str | Path, reporter: Reporter = SILENT) -> BuiltTable:
    """Make the pixel table of a table spec.

    Parameters
    ----------
    spec
        A table spec, or the file of one.
    reporter
        Is told how far it is.

    Raises
    ------
    SpecError
        With every fault of the spec.
    TableError
        With every fault of the rasters; nothing is written then.
    """
    if not isinstance(spec, TableSpec):
        spec = read_table_spec(spec)
    with rasterio.Env(GDAL_CACHEMAX=CACHE_MB), Reader() as reader:
        plan = make_plan(spec)
        stack = Stack(plan.layers, plan.fits, plan.target, reader)
        return _Build(spec, plan, stack).run(reporter)


class _Build:
    """Reads the grid row by row and writes the pixels."""

    def __init__(self, spec: TableSpec, plan: Plan, stack: Stack) -> None:
        self.spec, self.plan, self.stack = spec, plan, stack
        kinds = {name: zone.kind for name, zone in plan.zones}
        self.columns = table_columns(spec, plan.layers, plan.years, stack, kinds)
        self.evaluator = Evaluator(stack, spec.derived, plan.years)
        self.filled = {column.facts.name: 0 for column in self.columns}
        self.infinite: dict[str, int] = {}
        self.inside = 0

    def run(self, reporter: Reporter) -> BuiltTable:
        plan, spec = self.plan, self.spec
        chunks = row_chunks(plan.target, len(self.columns), plan.fits.values())
        reporter.start(f"table {spec.name}")
        parts = Parts(reporter, len(chunks))
        facts: dict[str, Any] = {"table": spec.name, "title": spec.title, "spec_sha256": spec.sha256}
        facts["inputs"] = {named(spec, path): fingerprint(path) for path in input_files(spec, plan)}
        written = [column.facts for column in self.columns]
        with TableWriter(spec.output, written, {**facts, "grid": grid_facts(plan.target)}) as writer:
            for start, stop in chunks:
                parts.now(f"rows {start + 1} to {stop} of {plan.target.rows}")
                self._rows(start, stop, writer)
                parts.finished()
            self._check(writer.pixels)
        reporter.done()
        return BuiltTable(
            spec.name,
            spec.output,
            writer.pixels,
            plan.target.rows * plan.target.columns,
            tuple(column.facts for column in self.columns),
            self.filled,
            plan.target,
            tuple(self._warnings()),
        )

    def _rows(self, start: int, stop: int, writer: TableWriter) -> None:
        target, mask = self.plan.target, self.plan.mask
        shape = (stop - start, target.columns)
        inside = np.ones(shape, dtype=np.bool_) if mask is None else mask.burn(start, stop) >= 0
        self.inside += int(inside.sum())
        if not inside.any():
            return
        self.evaluator.begin(start, stop, inside)
        numbers: dict[str, NDArray[np.floating]] = {}
        known = np.zeros(shape, dtype=np.bool_)
        for column in self.columns:
            if isinstance(column, LayerColumn):
                values = self._finite(column, self.evaluator.column(column.source, column.year), inside)
                numbers[column.facts.name] = values
                known |= ~np.isnan(values)
        known &= inside
        if not known.any():
            return
        self.evaluator.forget()
        rows, places = np.nonzero(known)
        fixed: dict[str, Values] = {
            "easting": target.eastings[places],
            "northing": target.northings(start, stop)[rows],
            "cell_area": target.areas(start, stop)[rows],
        }
        for name, zone in self.plan.zones:
            fixed[name] = _labels(zone, zone.burn(start, stop)[known], self._kind(name))
        out: list[Values] = []
        for column in self.columns:
            name = column.facts.name
            part = fixed[name] if name in fixed else numbers.pop(name)[known]
            self.filled[name] += _count(part)
            if isinstance(column, LayerColumn) and column.categorical:
                self._check_classes(column, part)
            out.append(part)
        writer.add(out)

    def _kind(self, name: str) -> str:
        return next(column.facts.kind for column in self.columns if column.facts.name == name)

    def _finite(
        self, column: LayerColumn, values: NDArray[np.floating], inside: NDArray[np.bool_]
    ) -> NDArray[np.floating]:
        """Infinite results (a logarithm of 0, a division by 0) are missing, and counted."""
        if not column.derived:
            return values
        infinite = np.isinf(values)
        if infinite.any():
            name = column.source
            self.infinite[name] = self.infinite.get(name, 0) + int((infinite & inside).sum())
            values = np.where(infinite, np.nan, values)
        return values

    def _check_classes(self, column: LayerColumn, values: NDArray[np.floating]) -> None:
        broken = values[~np.isnan(values) & (values != np.floor(values))]
        limit = 2**31 if column.facts.kind == "int32" else 2**53
        if len(broken) or (len(values) and np.nanmax(np.abs(values), initial=0.0) >= limit):
            odd = broken[0] if len(broken) else np.nanmax(np.abs(values))
            message = f"layer `{column.source}` is categorical and holds {odd:g}, which is no class"
            hint = "classes are whole numbers; check `band` or `variable`, and `nodata`"
            raise TableError(Fault(message, column.place, hint))

    def _check(self, pixels: int) -> None:
        """A layer that is empty everywhere is a mistake, of the file, its nodata, or the place."""
        if not self.inside:
            place = self.spec.grid.place("mask")
            raise TableError(Fault("the mask holds the centre of no cell of the grid", place))
        faults = []
        for column in self.columns:
            name = column.facts.name
            if isinstance(column, LayerColumn) and not column.derived and not self.filled[name]:
                when = f" in {column.year}" if column.year is not None else ""
                message = f"layer `{column.source}` has no value{when} in any pixel of the grid"
                hint = f"all is nodata there: {', '.join(f'{c:g}' for c in column.codes) or 'NaN'}"
                faults.append(Fault(message, column.place, hint))
        if faults:
            raise TableError(faults)
        if not pixels:
            place = self.spec.grid.place("mask")
            raise TableError(Fault("no pixel has a value: the table would be empty", place))

    def _warnings(self) -> list[str]:
        found = list(self.plan.notes)
        for name, watch in self.stack.watches.items():
            suspects = watch.suspects()
            if suspects:
                codes = [f"{code:.10g}" for code, _ in suspects]
                counts = ", ".join(f"{code:.10g} in {count:,} cells" for code, count in suspects)
                declared = [f"{code:.10g}" for code in self.stack.layers[name].layer.nodata] + codes
                listed = declared[0] if len(declared) == 1 else f"[{', '.join(declared)}]"
                found.append(
                    f"`{name}` holds {counts}, far from its other values: "
                    f"if that means no data, add `nodata: {listed}`"
                )
        for text, tally in self.evaluator.tallies.items():
            said = tally.note(text)
            found += [said] if said else []
        for (name, text), count in self.evaluator.undefined.items():
            over = " and years" if self.plan.years[name] else ""
            found.append(
                f"`{name}`: `{text}` has no result in {count:,} pixels{over} (a negative number, or 0 / 0), "
                "which are left empty"
            )
        for name, count in self.infinite.items():
            found.append(
                f"`{name}` is infinite in {count:,} pixels (ln 0, division by 0) and left empty there"
            )
        for column in self.columns:
            name = column.facts.name
            if isinstance(column, LayerColumn) and column.derived and not self.filled[name]:
                found.append(f"`{name}` has no value in any pixel")
        return found


def _count(values: Values) -> int:
    if isinstance(values, pa.Array):
        return int(len(values) - values.null_count)
    return int(np.count_nonzero(~np.isnan(values)))


def _labels(zone: Polygons, numbers: NDArray[np.int32], kind: str) -> Any:
    """The zone of each pixel, null outside."""
    values = zone.values if kind != "text" else [str(value) for value in zone.values]
    table = pa.array(values, type=pa.string() if kind == "text" else pa.int64())
    return table.take(pa.array(numbers, mask=numbers < 0))
