"""The shape of a table spec: which keys, which kinds of value, what they mean."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag

from drivers.spec.shapes import Loose, Name, Shape

Resample = Literal["nearest", "bilinear", "average", "mode", "sum"]
Time = Literal["year", "month"]
Aggregate = Literal["mean", "sum"]

FIRST_YEAR, LAST_YEAR = 1000, 9999
"""Years have four digits, as in the names of files."""

MAX_GB = 32.0
"""Gigabytes of numbers that a table may hold before somebody has to say that this is meant: a country at
1 km with some hundred columns stays below, a slip of the resolution by ten does not."""

_Year = Annotated[int, Field(ge=FIRST_YEAR, le=LAST_YEAR)]


def _kind(value: object) -> str | None:
    """Which branch of a union a value asks for; numbers are no texts here."""
    if isinstance(value, bool):
        return None
    if isinstance(value, dict):
        return "<mapping>"
    if isinstance(value, list):
        return "<list>"
    return "<number>" if isinstance(value, (int, float)) else "<word>" if isinstance(value, str) else None


def _one_of(message: str) -> Discriminator:
    return Discriminator(_kind, custom_error_type="shape", custom_error_message=message)


ResolutionChoice = Annotated[
    Annotated[Annotated[float, Field(gt=0)], Tag("<number>")]
    | Annotated[list[Annotated[float, Field(gt=0)]], Tag("<list>"), Field(min_length=2, max_length=2)],
    _one_of("must be a number, or `[width, height]` for cells that are not square"),
]
CrsChoice = Annotated[
    Annotated[Name, Tag("<word>")] | Annotated[int, Tag("<number>")],
    _one_of("must be a coordinate system, as `EPSG:32651`"),
]
NodataChoice = Annotated[
    Annotated[float, Tag("<number>")] | Annotated[list[float], Tag("<list>"), Field(min_length=1)],
    _one_of("must be a number or a list of numbers"),
]
BandChoice = Annotated[
    Annotated[Name, Tag("<word>")] | Annotated[Annotated[int, Field(ge=1)], Tag("<number>")],
    _one_of("must be the name of a band, or its number from 1"),
]


class YearsShape(Shape):
    """Years at a distance: `{from: 2000, to: 2020, step: 5}`."""

    from_: _Year = Field(alias="from", description="The first year.")
    to: _Year = Field(description="The last year.")
    step: int = Field(1, ge=1, description="Years from one to the next.")


YearsChoice = Annotated[
    Annotated[list[_Year], Tag("<list>"), Field(min_length=1)] | Annotated[YearsShape, Tag("<mapping>")],
    _one_of("must be `[from, to]`, a list of years, or `{from: 2000, to: 2020, step: 5}`"),
]


class ZoneShape(Shape):
    """Polygons that give every pixel a name, such as prefectures."""

    file: Name = Field(description="A vector file, relative to this file.")
    column: Name = Field(description="The column of the vector file whose values are the zones.")


class GridShape(Shape):
    """The cells that become pixels."""

    like: Name | None = Field(None, description="A raster whose cells are taken as they are.")
    crs: CrsChoice | None = Field(
        None,
        description="As `EPSG:32651`; beside `like` only where its raster has none.",
    )
    resolution: ResolutionChoice | None = Field(
        None, description="The side of a cell in units of the CRS, or `[width, height]`."
    )
    bounds: Annotated[list[float], Field(min_length=4, max_length=4)] | None = Field(
        None, description="[west, south, east, north] in units of the CRS."
    )
    mask: Name | None = Field(None, description="A vector file; pixels outside its polygons are left out.")
    zones: dict[Name, ZoneShape] | None = Field(None, description="A column of zones from a vector file.")
    max_gb: float = Field(MAX_GB, gt=0, description="Gigabytes of numbers that the table may hold.")


class LayerShape(Shape):
    """A layer of rasters: one column, or one for every year."""

    source: Name = Field(
        description="GeoTIFF, NetCDF or Zarr, relative to this file; `{year}`, `{month}` and `*` in its name."
    )
    band: BandChoice | None = Field(
        None, description="GeoTIFF: name or number of the band; may hold `{year}`."
    )
    variable: Name | None = Field(None, description="NetCDF, Zarr: the variable; may hold `{year}`.")
    time: Time | None = Field(None, description="What the steps of the time axis (or the bands) are.")
    years: YearsChoice | None = Field(None, description="[from, to], a list, or {from, to, step}.")
    resample: Resample | None = Field(
        None, description="How cells become pixels; not needed where the raster has the cells of the grid."
    )
    categorical: bool = Field(False, description="Whether the values are classes, not quantities.")
    nodata: NodataChoice | None = Field(
        None, description="Codes for no data beside the file's own, as the file stores them."
    )
    scale: float | None = Field(
        None, description="What stored values are multiplied by; replaces the file's own."
    )
    offset: float | None = Field(None, description="What is added then; replaces the file's.")
    unit: Loose = Field("", description="The unit, as `g C m-2 yr-1`, `degC`, `mm`.")
    aggregate: Aggregate | None = Field(None, description="How months become a year: mean or sum.")
    crs: CrsChoice | None = Field(None, description="The coordinate system of a file that does not say it.")


class DerivedShape(Shape):
    """A column computed from layers, with its unit."""

    formula: Name = Field(description="As `NPP - RH`, `slope(DEM)`, `rh(TEM, PRE, variant='product')`.")
    unit: Loose = Field("", description="The unit.")


DerivedChoice = Annotated[
    Annotated[Name, Tag("<word>")] | Annotated[DerivedShape, Tag("<mapping>")],
    _one_of("must be a formula such as `NPP - RH`, or `{formula: ..., unit: ...}`"),
]


class TableDocument(Shape):
    """A table spec: rasters to pixels."""

    table: Name = Field(description="The name of the table.")
    title: str = Field("", description="A line about it.")
    grid: GridShape = Field(description="The cells that become pixels.")
    layers: Annotated[dict[Name, LayerShape], Field(min_length=1)] = Field(
        description="Column (or series of columns by year) -> where it comes from."
    )
    derive: dict[Name, DerivedChoice] | None = Field(None, description="Columns computed from layers.")
    output: Name | None = Field(None, description="The Parquet file to write; default TABLE.parquet, beside.")
