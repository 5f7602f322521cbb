"""Table files: which format it is, which columns it has, and reading the ones that are needed."""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import pyarrow as pa
import pyarrow.feather as pa_feather
import pyarrow.parquet as pq

from drivers.errors import Fault, Place, TableError
from drivers.table.columns import Row, row_number
from drivers.table.text import CHUNK, Layout, check_text, line_of, read_layout, read_text

Format = Literal["text", "parquet", "feather"]

FORMATS: dict[str, Format] = {
    ".csv": "text",
    ".tsv": "text",
    ".txt": "text",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".geoparquet": "parquet",
    ".feather": "feather",
    ".arrow": "feather",
}

KNOWN_FORMATS = (
    "tables are CSV (.csv, .tsv, .txt, also .gz), Parquet or GeoParquet (.parquet, .pq, .geoparquet), "
    "Feather (.feather, .arrow)"
)

ELSEWHERE = {
    ".xlsx": "save the sheet as CSV (`CSV UTF-8` in Excel) or as Parquet",
    ".xls": "save the sheet as CSV (`CSV UTF-8` in Excel) or as Parquet",
    ".ods": "save the sheet as CSV or as Parquet",
    ".rds": "save it from R: arrow::write_parquet(readRDS(...), ...)",
    ".rdata": "save it from R: arrow::write_parquet(...)",
    ".rda": "save it from R: arrow::write_parquet(...)",
    ".gpkg": "save it from Python: geopandas.read_file(...).to_parquet(...)",
    ".shp": "save it from Python: geopandas.read_file(...).to_parquet(...)",
    ".geojson": "save it from Python: geopandas.read_file(...).to_parquet(...)",
    ".tif": "rasters become a table with `drivers table`",
    ".tiff": "rasters become a table with `drivers table`",
    ".nc": "rasters become a table with `drivers table`",
}
"""Files that hold tables but are not read, and what to do with each."""

EASTING, NORTHING = "easting", "northing"
"""The names of the coordinates that come from a geometry column, and of those that `drivers table` writes."""

METADATA = b"ecodrivers"
"""Where `drivers table` keeps its facts among those of a Parquet file."""

SIMILAR_FILES = 3


@dataclass(frozen=True, slots=True)
class TableFile:
    """A table file whose header has been read, and nothing more."""

    path: Path
    format: Format
    columns: tuple[str, ...]
    """The names of the columns that can be read (no geometry, no nameless column)."""
    layout: Layout | None = None
    geometry: str | None = None
    crs: str | None = None
    """The CRS of the geometry, or of the grid that the table was made on."""
    gridded: bool = False
    """Whether `drivers table` wrote it, with coordinates of a grid that it knows."""
    cell: tuple[float, float] | None = None
    """Width and height of a cell of that grid, in units of the CRS."""

    @property
    def row(self) -> Row:
        """How messages name a row of this file."""
        layout = self.layout
        if layout is None:
            return row_number

        def row(position: int) -> str:
            line = line_of(self.path, layout, position)
            return row_number(position) + (f" (line {line})" if line else "")

        return row


@dataclass(frozen=True, slots=True)
class Contents:
    """What was read from a table file."""

    frame: pd.DataFrame
    sha256: str


def open_table(path: str | Path, place: Place | None = None) -> TableFile:
    """Read the header of a table file. `place` is where a spec names the file."""
    path = Path(path)
    format: Format = "text"
    try:
        format = _format(path, place)
        table_file = _open(path, format)
    except PermissionError:
        raise TableError(Fault(f"{path} may not be read (no permission)", place)) from None
    except (pa.ArrowException, OSError, ValueError) as error:
        raise TableError(_broken(path, format, error, place)) from None
    repeated = [name for i, name in enumerate(table_file.columns) if name in table_file.columns[:i]]
    if repeated:
        faults = [
            Fault(f"{path.name} has several columns `{name}`", place) for name in dict.fromkeys(repeated)
        ]
        raise TableError(faults)
    if not table_file.columns:
        raise TableError(Fault(f"{path.name} has no columns", place))
    return table_file


def table_columns(path: str | Path) -> list[str]:
    """The names of a table's columns, from its header alone."""
    return list(open_table(path).columns)


def read_columns(
    table: TableFile, columns: Sequence[str], place: Place | None = None, coordinates: bool = False
) -> Contents:
    """Read these columns, in this order, as they stand in the file.

    With `coordinates`, the geometry becomes the columns easting and northing.
    """
    path = table.path
    try:
        if table.layout is not None:
            digest = check_text(path)
            arrow = read_text(path, table.layout, columns)
        else:
            digest = _sha256(path)
            arrow = _read_arrow(path, table.format, columns)
            arrow.validate(full=True)  # offsets that point outside a damaged file would crash Python
        frame = _to_pandas(arrow)
        if coordinates and table.geometry is not None:
            with _geometry_faults():
                frame = _with_coordinates(path, table.geometry, frame)
    except PermissionError:
        raise TableError(Fault(f"{path} may not be read (no permission)", place)) from None
    except (pa.ArrowException, OSError, ValueError) as error:
        raise TableError(_broken(path, table.format, error, place)) from None
    if len(frame) == 0:
        raise TableError(Fault(f"{path.name} has no rows", place))
    return Contents(frame, digest)


def _format(path: Path, place: Place | None) -> Format:
    """By the end of the name; every way in which there is no table to read is a fault."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    packed = suffixes[-1:] == [".gz"]
    ending = suffixes[-2] if packed and len(suffixes) > 1 else suffixes[-1] if suffixes else ""
    if not path.exists():
        raise TableError(Fault(f"there is no table {path}", place, _similar_files(path)))
    if path.is_dir():
        raise TableError(Fault(f"{path} is a folder, not a table", place, "name one file"))
    format = FORMATS.get(ending)
    if format is None or (packed and format != "text"):
        hint = ELSEWHERE.get(ending, KNOWN_FORMATS)
        raise TableError(Fault(f"{path.name} is not a table that can be read here", place, hint))
    if path.stat().st_size == 0:
        raise TableError(Fault(f"{path.name} is empty", place, "a table has a header row and data"))
    return format


def _similar_files(path: Path) -> str:
    """The files of that folder whose names are most like it."""
    folder = path.parent
    if not folder.is_dir():
        return f"there is no folder {folder}"
    names = {p.name.lower(): p.name for p in sorted(folder.iterdir()) if not p.name.startswith(".")}
    near = difflib.get_close_matches(path.name.lower(), list(names), n=SIMILAR_FILES, cutoff=0.5)
    if near:
        return f"in {folder} there is " + ", ".join(f"`{names[name]}`" for name in near)
    tables = [name for key, name in names.items() if Path(key).suffix in FORMATS]
    if tables:
        return f"tables in {folder}: " + ", ".join(f"`{name}`" for name in tables[:SIMILAR_FILES])
    return f"{folder} holds no table"


def _open(path: Path, format: Format) -> TableFile:
    if format == "text":
        layout = read_layout(path)
        return TableFile(path, format, tuple(name for name in layout.header if name), layout)
    if format == "feather":
        return TableFile(path, format, tuple(_feather_names(path)))
    schema = pq.read_schema(path)
    if METADATA in (schema.metadata or {}):
        with _geometry_faults("its grid"):
            return _open_gridded(path, schema)
    if b"geo" not in (schema.metadata or {}):
        return TableFile(path, format, tuple(schema.names))
    with _geometry_faults():
        return _open_geo(path, schema)


def _open_gridded(path: Path, schema: pa.Schema) -> TableFile:
    """A table of `drivers table`: where its cells lie and how large they are stands in the file."""
    grid = json.loads(schema.metadata[METADATA])["grid"]
    width, _, _, _, height, _ = (float(number) for number in grid["transform"])
    return gridded_file(path, schema.names, grid["crs_wkt"], (width, -height))


def gridded_file(path: Path, columns: Sequence[str], crs: object, cell: tuple[float, float]) -> TableFile:
    """A table of `drivers table`, whether it is written yet or not."""
    return TableFile(path, "parquet", tuple(columns), None, None, _crs(crs), gridded=True, cell=cell)


def _open_geo(path: Path, schema: pa.Schema) -> TableFile:
    geo = json.loads(schema.metadata[b"geo"])
    names = tuple(name for name in schema.names if name not in geo["columns"])
    shape = geo["primary_column"]
    return TableFile(path, "parquet", names, None, shape, _crs(geo["columns"][shape].get("crs", "OGC:CRS84")))


@contextmanager
def _geometry_faults(what: str = "its geometry") -> Iterator[None]:
    """The ways in which geopandas and pyproj refuse damaged metadata, as one."""
    try:
        yield
    except (KeyError, TypeError, AttributeError, RuntimeError) as error:
        raise ValueError(f"{what}: {error}") from error


def _crs(described: object) -> str | None:
    """A CRS by its short name (`EPSG:32651`) where it has one; GeoParquet writes PROJJSON, and we WKT."""
    import pyproj  # it takes a tenth of a second, and most tables name none

    if described is None:
        return None
    crs = pyproj.CRS.from_user_input(described)
    authority = crs.to_authority()
    return ":".join(authority) if authority else str(crs.to_wkt())


def _feather_names(path: Path) -> list[str]:
    with pa.memory_map(str(path)) as stream:
        magic = stream.read(6)
        stream.seek(0)
        if magic == b"ARROW1":
            return list(pa.ipc.open_file(stream).schema.names)
        if magic[:4] == b"FEA1":  # Feather version 1 has no schema to ask for
            return list(pa_feather.read_table(path).column_names)
        return list(pa.ipc.open_stream(stream).schema.names)


def _read_arrow(path: Path, format: Format, columns: Sequence[str]) -> pa.Table:
    if format == "parquet":
        # ParquetFile reads this one file; read_table would look for a data set in the folder names.
        return pq.ParquetFile(path).read(columns=list(columns)).select(list(columns))
    with pa.memory_map(str(path)) as stream:
        head = stream.read(6)
        stream.seek(0)
        if head == b"ARROW1" or head[:4] == b"FEA1":
            return pa_feather.read_table(path, columns=list(columns)).select(list(columns))
        return pa.ipc.open_stream(stream).read_all().select(list(columns))


def _to_pandas(table: pa.Table) -> pd.DataFrame:
    """Each column on its own: text as categories, decimals as doubles, numbers without a copy."""
    types = pa.types
    for i, field in enumerate(table.schema):
        column: Any = table.column(i)
        if types.is_decimal(field.type):
            table = table.set_column(i, field.name, column.cast(pa.float64()))
        elif (
            types.is_string(field.type)
            or types.is_large_string(field.type)
            or types.is_string_view(field.type)
        ):
            table = table.set_column(i, field.name, column.cast(pa.string()))
    frame: pd.DataFrame = table.to_pandas(ignore_metadata=True, split_blocks=True, types_mapper=_text_as_text)
    return frame


def _text_as_text(kind: pa.DataType) -> pd.ArrowDtype | None:
    # Arrow-backed text is encoded as categories several times faster than Python strings.
    return pd.ArrowDtype(kind) if pa.types.is_string(kind) else None


def _with_coordinates(path: Path, geometry: str, frame: pd.DataFrame) -> pd.DataFrame:
    """Add easting and northing of the points, or of the centroids of polygons."""
    import geopandas  # heavy, and only GeoParquet needs it

    shapes = geopandas.read_parquet(path, columns=[geometry]).geometry
    # Without its CRS: geopandas warns of centroids in degrees, which are good enough inside one pixel.
    points = shapes.set_crs(None, allow_override=True).centroid
    return frame.assign(**{EASTING: points.x.to_numpy(), NORTHING: points.y.to_numpy()})


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _broken(path: Path, format: Format, error: Exception, place: Place | None) -> Fault:
    said = str(error).strip().split("\n")[0]
    name = {"text": "text table", "parquet": "Parquet file", "feather": "Feather file"}[format]
    return Fault(
        f"{path.name} is not a readable {name} ({said})", place, "write it again, or check the download"
    )
