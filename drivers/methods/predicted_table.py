"""A table file with predictions beside its columns, in the file's own format."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

import pandas as pd
import pyarrow as pa
import pyarrow.feather as pa_feather
import pyarrow.parquet as pq

from drivers.errors import Fault, TableError
from drivers.methods.predictor import APPLICABLE, CHUNK, DISSIMILARITY, Predictor
from drivers.progress import SILENT, Reporter
from drivers.table import PixelTable
from drivers.table.columns import plain
from drivers.table.files import EASTING, FORMATS, NORTHING, TableFile, open_table, read_columns
from drivers.table.pixels import missing_column

SUFFIX = "-predicted"
"""What the default name of the file adds to the table's."""


@dataclass(frozen=True, slots=True)
class PredictedTable:
    """A file that was written.

    Attributes
    ----------
    path : where it is
    n : its rows
    applicable : the share of them in the area of applicability; None where the forest has none
    low, high : least and largest prediction; NaN without any
    unpredicted : pixels without a prediction, by driver: how many lack a value, how many have a level that
        was not seen
    """

    path: Path
    n: int
    applicable: float | None
    low: float
    high: float
    unpredicted: dict[str, tuple[int, int]]


def predict_table(
    predictor: Predictor, path: Path, out: Path | None = None, reporter: Reporter = SILENT
) -> PredictedTable:
    """Write a table again with the columns of `Predictor.augment` after its own.

    Parameters
    ----------
    predictor : the forest
    path : a table file of any format that is read; all of its columns stay as they are
    out : the file to write, of the same format; by default in the current folder, `NAME-predicted.csv`

    Raises
    ------
    TableError
        With every fault of the table; where `out` is the table, of another format, or cannot be written.
        Nothing is written then.
    """
    table = open_table(path)
    target = Path(f"{_stem(path)}{SUFFIX}{_ending(path)}") if out is None else out
    _check_target(target, path)
    new = (predictor.predicted, DISSIMILARITY, APPLICABLE)
    taken = [name for name in new if name in table.columns]
    if taken:
        hint = "rename it: predictions need the name"
        raise TableError([Fault(f"{path.name} has a column `{name}` already", hint=hint) for name in taken])
    pixels = _pixels(predictor, table)
    reporter.start(f"{predictor.model} on {predictor.stratum}, for {path.name}")
    added = predictor.augment(pixels, reporter)
    try:
        with _beside(target) as fresh:
            _write(table, added, fresh)
    except (pa.ArrowException, OSError, csv.Error) as error:
        why = (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
        message = f"cannot write {target}: {why[:1].lower()}{why[1:]}"
        raise TableError(Fault(message, hint="name another file with --out")) from error
    reporter.done()
    guess = added[predictor.predicted]
    share = None if predictor.area is None else float(added[APPLICABLE].mean())
    lacking = predictor.unpredicted(pixels) if guess.isna().any() else {}
    return PredictedTable(target, len(added), share, float(guess.min()), float(guess.max()), lacking)


def _pixels(predictor: Predictor, table: TableFile) -> PixelTable:
    """The columns that the forest needs, read and nothing else."""
    from_geometry = [EASTING, NORTHING] if table.geometry is not None else []
    known = [*table.columns, *(name for name in from_geometry if name not in table.columns)]
    absent = [missing_column(name, table.path.name, known) for name in predictor.columns if name not in known]
    if absent:
        raise TableError(absent)
    names = [name for name in predictor.columns if name in table.columns]
    contents = read_columns(table, names, None, len(names) < len(predictor.columns))
    held = {name: plain(contents.frame[name])[0] for name in predictor.columns}
    return PixelTable(pd.DataFrame(held, copy=False), table.path.name)


def _ending(path: Path) -> str:
    """`.csv`, `.parquet`, `.csv.gz`."""
    suffixes = path.suffixes
    count = 2 if suffixes[-1:] and suffixes[-1].lower() == ".gz" else 1
    return "".join(suffixes[-count:])


def _stem(path: Path) -> str:
    return path.name.removesuffix(_ending(path))


def _check_target(target: Path, path: Path) -> None:
    hint = "name another file with --out"
    if target.exists() and os.path.samefile(target, path):
        raise TableError(Fault(f"{target} is the table itself, and would be lost", hint=hint))
    if target.is_dir():
        raise TableError(Fault(f"{target} is a folder", hint=hint))
    if not target.absolute().parent.is_dir():
        raise TableError(Fault(f"there is no folder {target.parent}", hint=hint))
    kinds = [(FORMATS.get(_ending(p).lower().removesuffix(".gz")), _packed(p)) for p in (target, path)]
    if kinds[0] != kinds[1]:
        message = f"{target} does not end like {path.name}, and predictions are written as the table is"
        raise TableError(Fault(message, hint=f"name a file that ends in {_ending(path)}"))


def _packed(path: Path) -> bool:
    return path.suffix.lower() == ".gz"


@contextmanager
def _beside(target: Path) -> Iterator[Path]:
    """A file beside the target that takes its place when all is written, and is gone when not."""
    handle, name = tempfile.mkstemp(prefix=".predicted-", dir=target.absolute().parent)
    os.close(handle)
    fresh = Path(name)
    try:
        yield fresh
        mask = os.umask(0)
        os.umask(mask)
        fresh.chmod(0o666 & ~mask)
        fresh.replace(target)
    finally:
        fresh.unlink(missing_ok=True)


def _write(table: TableFile, added: pd.DataFrame, fresh: Path) -> None:
    if table.format == "text":
        _write_text(table, added, fresh)
    elif table.format == "parquet":
        _write_parquet(table.path, added, fresh)
    else:
        _write_feather(table.path, added, fresh)


def _columns(added: pd.DataFrame) -> pa.Table:
    return pa.Table.from_pandas(added, preserve_index=False).replace_schema_metadata(None)


def _write_parquet(path: Path, added: pd.DataFrame, fresh: Path) -> None:
    """Batch by batch; what the file says of itself (a geometry, its CRS) stays."""
    source, more = pq.ParquetFile(path), _columns(added)
    schema = pa.schema([*source.schema_arrow, *more.schema], source.schema_arrow.metadata)
    start = 0
    with source, pq.ParquetWriter(fresh, schema) as writer:
        for batch in source.iter_batches(CHUNK):
            part = more.slice(start, batch.num_rows)
            start += batch.num_rows
            held = pa.Table.from_batches([batch])
            writer.write_table(pa.table([*held.columns, *part.columns], schema=schema))


def _write_feather(path: Path, added: pd.DataFrame, fresh: Path) -> None:
    with path.open("rb") as stream:
        is_file = stream.read(4) in (b"ARRO", b"FEA1")
    held = pa_feather.read_table(path) if is_file else pa.ipc.open_stream(path.read_bytes()).read_all()
    more = _columns(added)
    schema = pa.schema([*held.schema, *more.schema], held.schema.metadata)
    pa_feather.write_feather(pa.table([*held.columns, *more.columns], schema=schema), str(fresh))


def _write_text(table: TableFile, added: pd.DataFrame, fresh: Path) -> None:
    """Line by line: text stays as it is, so that an identifier keeps its zeros and a number its digits."""
    assert table.layout is not None
    separator = table.layout.separator
    columns = [_texts(added[name]) for name in added.columns]
    with _lines_of(table.path) as lines, _text_file(fresh, packed=_packed(table.path)) as stream:
        writer = csv.writer(stream, delimiter=separator, lineterminator="\n")
        records = (record for record in csv.reader(lines, delimiter=separator) if record)
        next(records)  # the header, whose names the layout has, also for columns that lack one
        writer.writerow([*table.layout.header, *map(str, added.columns)])
        for record, *values in zip(records, *columns, strict=True):
            writer.writerow([*record, *values])


def _texts(column: pd.Series) -> Iterator[str]:
    """Numbers with all their digits, truths as `true` and `false`, what is missing as nothing."""
    for start in range(0, len(column), CHUNK):
        part = column.iloc[start : start + CHUNK]
        if part.dtype == "boolean":
            yield from ("" if value is pd.NA else str(value).lower() for value in part.tolist())
        else:
            yield from ("" if value != value else repr(value) for value in part.tolist())


@contextmanager
def _lines_of(path: Path) -> Iterator[IO[str]]:
    with path.open("rb") as raw:
        packed = raw.read(2) == b"\x1f\x8b"
    with gzip.open(path) if packed else path.open("rb") as stream:
        # "" as newline: a text may hold line breaks between quotes.
        yield io.TextIOWrapper(cast(IO[bytes], stream), "utf-8-sig", newline="")


@contextmanager
def _text_file(path: Path, *, packed: bool) -> Iterator[Any]:
    """For writing; a packed file holds neither its name nor the time."""
    with path.open("wb") as raw:
        if packed:
            with gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as stream:
                yield codecs.getwriter("utf-8")(stream)
        else:
            with io.TextIOWrapper(raw, "utf-8", newline="") as text:
                yield text
