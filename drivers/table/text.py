"""Tables as delimited text: comma, semicolon or tab; UTF-8; a header row; decimals with a point."""

from __future__ import annotations

import codecs
import csv
import gzip
import hashlib
import itertools
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

import pyarrow as pa
import pyarrow.csv as pa_csv

from drivers.errors import Fault, Place, TableError

MISSING = ("", "NA", "NaN", "nan", "null", "NULL")
"""What counts as missing. A closed list: any other text among numbers is a fault with its row."""

SEPARATORS = (",", ";", "\t")
SNIFFED_LINES = 50
"""Lines that are looked at to find the separator."""

CHUNK = 1 << 20
BLOCK = 8 << 20
"""Bytes that pyarrow parses at a time: room for rows of many thousand columns."""

csv.field_size_limit(1 << 27)


@dataclass(frozen=True, slots=True)
class Layout:
    """How a text table is laid out."""

    separator: str
    header: tuple[str, ...]
    """One name per column of data; empty for a column without a name (R's row names)."""
    header_lines: int


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    """The bytes of the text, decompressed; broken compression is a fault."""
    with path.open("rb") as raw:
        packed = raw.read(2) == b"\x1f\x8b"
    try:
        with gzip.open(path) if packed else path.open("rb") as stream:
            yield cast(IO[bytes], stream)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise TableError(
            Fault(f"{path.name} is not a complete gzip file ({error})", Place(str(path)))
        ) from None


def check_text(path: Path) -> str:
    """Read the file once: refuse what is not UTF-8, return the sha256 of its bytes."""
    digest = hashlib.sha256()
    with path.open("rb") as raw:
        while chunk := raw.read(CHUNK):
            digest.update(chunk)
    decoder = codecs.getincrementaldecoder("utf-8")()
    before, lines, last = 0, 0, b""
    with _opened(path) as stream:
        for chunk in itertools.chain(iter(lambda: stream.read(CHUNK), b""), [b""]):
            if not before and chunk[:2] in (b"\xff\xfe", b"\xfe\xff"):
                raise TableError(
                    Fault(
                        f"{path.name} is UTF-16, not UTF-8",
                        Place(str(path)),
                        "save it as UTF-8 and try again",
                    )
                )
            held = decoder.getstate()[0]
            try:
                decoder.decode(chunk, final=not chunk)
            except UnicodeDecodeError as error:
                data = held + chunk
                line = lines + data[: error.start].count(b"\n") + 1
                raise TableError(
                    _not_utf8(path, before - len(held) + error.start, line, data[error.start])
                ) from None
            if b"\0" in chunk:
                raise TableError(
                    Fault(f"{path.name} is not a text table: it holds NUL bytes", Place(str(path)))
                )
            before += len(chunk)
            lines += chunk.count(b"\n")
            last = chunk or last
    return digest.hexdigest()


def _not_utf8(path: Path, offset: int, line: int, byte: int) -> Fault:
    return Fault(
        f"{path.name} is not UTF-8: byte 0x{byte:02x} at offset {offset}, in line {line}",
        Place(str(path), line),
        'save it as UTF-8 (R: write.csv(..., fileEncoding = "UTF-8"); Excel: CSV UTF-8)',
    )


def _records(path: Path, separator: str) -> Iterator[tuple[int, list[str]]]:
    """Each record that is not an empty line, with the number of the line it begins in."""
    with _opened(path) as stream:
        reader = csv.reader(codecs.getreader("utf-8-sig")(stream), delimiter=separator)
        line = 1
        for fields in reader:
            if fields:
                yield line, fields
            line = reader.line_num + 1


def read_layout(path: Path) -> Layout:
    """Find the separator and the header.

    The separator is the one under which most of the first lines have as many fields as the header,
    and the header has the most fields.
    """
    best: tuple[float, int, int] | None = None
    found: Layout | None = None
    for rank, separator in enumerate(SEPARATORS):
        try:
            head = list(itertools.islice(_records(path, separator), SNIFFED_LINES + 1))
        except (csv.Error, UnicodeDecodeError) as error:
            if isinstance(error, UnicodeDecodeError):
                check_text(path)
            continue
        if not head:
            raise TableError(
                Fault(f"{path.name} is empty", Place(str(path)), "a table has a header row and data")
            )
        header, rows = head[0][1], [fields for _, fields in head[1:]]
        fits = [r for r in rows if len(r) in (len(header), len(header) + 1)]
        score = (len(fits) / len(rows) if rows and len(header) > 1 else 0.0, len(header), -rank)
        if best is None or score > best:
            lines = head[1][0] - 1 if len(head) > 1 else head[0][0]
            best, found = score, Layout(separator, _names(header, rows), lines)
    if found is None:
        raise TableError(Fault(f"{path.name} is not a text table", Place(str(path))))
    return found


def _names(header: list[str], rows: list[list[str]]) -> tuple[str, ...]:
    names = [name.strip() for name in header]
    if rows and all(len(fields) == len(names) + 1 for fields in rows):
        # R's write.table leaves the row names' column out of the header; a separator at the end of
        # every line gives a last column of nothing.
        names = [*names, ""] if all(not fields[-1] for fields in rows) else ["", *names]
    return tuple(names)


def read_text(path: Path, layout: Layout, columns: Sequence[str]) -> pa.Table:
    """The columns asked for, in that order, with pyarrow's parser (all cores, exact doubles)."""
    # Names without a column of their own need one for the parser, which refuses nothing but reads all.
    names = [name or f"\0{i}" for i, name in enumerate(layout.header)]
    convert = pa_csv.ConvertOptions(
        include_columns=list(columns), null_values=list(MISSING), strings_can_be_null=True, check_utf8=False
    )
    read = pa_csv.ReadOptions(column_names=names, skip_rows=layout.header_lines, block_size=BLOCK)
    broken: pa.ArrowInvalid | None = None
    for across_lines in (False, True):  # quoted line breaks are rare and cost the parallel reader
        parse = pa_csv.ParseOptions(delimiter=layout.separator, newlines_in_values=across_lines)
        try:
            with _opened(path) as stream:
                return pa_csv.read_csv(stream, read, parse, convert)
        except pa.ArrowInvalid as error:
            broken = error
    raise TableError(
        _ragged(path, layout) or Fault(f"{path.name} cannot be read: {broken}", Place(str(path)))
    )


def _ragged(path: Path, layout: Layout) -> Fault | None:
    """The first line whose number of values is not that of the header."""
    wanted = len(layout.header)
    try:
        for line, fields in itertools.islice(_records(path, layout.separator), 1, None):
            if len(fields) != wanted:
                named = f"{len(fields)} value" + ("" if len(fields) == 1 else "s")
                return Fault(
                    f"line {line} of {path.name} has {named}, where the header has {wanted} columns",
                    Place(str(path), line),
                    "is a separator missing, or a text with a separator not quoted?",
                )
    except csv.Error as error:
        return Fault(f"{path.name} cannot be read: {error}", Place(str(path)))
    return None


def line_of(path: Path, layout: Layout, position: int) -> int | None:
    """The line in which a data row (from 0) begins; only asked for where a message names it."""
    records = itertools.islice(_records(path, layout.separator), position + 1, None)
    return next((line for line, _ in records), None)
