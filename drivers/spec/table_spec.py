"""Table specs: which rasters become which columns of a pixel table, on which grid."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from drivers.errors import Fault, Place, SpecError, propose
from drivers.spec.bind import place_order
from drivers.spec.canonical import names_in
from drivers.spec.derived import Operand
from drivers.spec.document import Document, load_document
from drivers.spec.places import KeyPath
from drivers.spec.table_derive import DerivedSpec, read_derived
from drivers.spec.table_grid import GridSpec, as_crs, read_grid
from drivers.spec.table_shapes import Aggregate, LayerShape, Resample, TableDocument, Time, YearsShape
from drivers.spec.validation import validate

RasterFormat = Literal["geotiff", "netcdf", "zarr"]

RASTER_FORMATS: dict[str, RasterFormat] = {
    ".tif": "geotiff",
    ".tiff": "geotiff",
    ".nc": "netcdf",
    ".nc4": "netcdf",
    ".cdf": "netcdf",
    ".zarr": "zarr",
}
"""End of a file name -> how it is read. No format that names further files (VRT) is among them."""

FIXED_COLUMNS = ("easting", "northing", "cell_area")
"""The columns that every table has."""

_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_NOT_FOR_CLASSES = ("bilinear", "average", "sum")
_WEB = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:(//|\")|/vsi")


@dataclass(frozen=True, slots=True)
class LayerSpec:
    """Rasters that become a column, or a column for every year."""

    name: str
    source: Path
    """The file; with `{year}`, `{month}` and `*` where they stand in the spec."""
    format: RasterFormat
    band: str | int | None
    variable: str | None
    time: Time | None
    years: tuple[int, ...] | None
    """The years that are wanted; None for all that are there."""
    resample: Resample | None
    categorical: bool
    nodata: tuple[float, ...]
    scale: float | None
    offset: float | None
    unit: str
    aggregate: Aggregate | None
    crs: str | None
    places: Mapping[str, Place] = field(compare=False, repr=False)
    """Key -> where its value stands; `""` for the layer itself."""

    @property
    def yearly(self) -> bool:
        """Whether it is a series of years."""
        return self.time is not None or self._holds("{year}")

    @property
    def monthly(self) -> bool:
        """Whether it is read by month."""
        return self.time == "month" or self._holds("{month}")

    @property
    def has_column(self) -> bool:
        """Whether it has columns of its own: months that do not become years have none."""
        return not self.monthly or self.aggregate is not None

    def place(self, *keys: str) -> Place:
        """Where the first of these keys that is given stands; the layer's own place without any."""
        return next((self.places[key] for key in keys if key in self.places), self.places[""])

    def _holds(self, sign: str) -> bool:
        return any(sign in str(text) for text in (self.source.as_posix(), self.band, self.variable))


@dataclass(frozen=True, slots=True)
class TableSpec:
    """Rasters to pixels: all that is needed to make the table but the rasters."""

    name: str
    title: str
    path: Path
    grid: GridSpec
    layers: tuple[LayerSpec, ...]
    derived: tuple[DerivedSpec, ...]
    """As the spec orders them; one may use another that stands below."""
    output: Path
    output_place: Place = field(compare=False)
    sha256: str


def read_table_spec(path: str | Path) -> TableSpec:
    """Read a table spec.

    Parameters
    ----------
    path
        A YAML file; the paths inside are relative to it.

    Raises
    ------
    SpecError
        With all that is wrong in the file at once.
    """
    return _Reader(Path(path)).read()


def is_table_spec(path: Path) -> bool:
    """Whether a file is a table spec: it says so by its name, or by its keys."""
    if path.name.endswith((".table.yaml", ".table.yml")):
        return True
    try:
        content = load_document(path, []).content
    except SpecError:  # whoever reads it says what is wrong with it
        return False
    return isinstance(content, dict) and "study" not in content and {"grid", "layers"} <= content.keys()


class _Reader:
    """Reads one table spec; gathers its faults."""

    def __init__(self, path: Path) -> None:
        self.faults: list[Fault] = []
        self.document: Document = load_document(path, self.faults)
        self.folder = self.document.path.parent

    def read(self) -> TableSpec:
        content = self.document.content
        if not isinstance(content, dict):
            message = f"{self.document.file} is not a table spec: it is no mapping of keys"
            hint = "a table spec begins with `table: NAME`"
            raise SpecError(Fault(message, self.document.value(()), hint))
        if "study" in content and "layers" not in content:
            message = f"{self.document.file} is a study spec, not a table spec"
            raise SpecError(
                Fault(message, self.document.key(("study",)), "a table spec has `grid` and `layers`")
            )
        stand_in = {"table": "x", "grid": {}, "layers": {"x": {"source": "x.tif"}}}
        found, unsound = validate(TableDocument, content, self.document, self.faults, stand_in)
        grid = read_grid(found.grid, self.document, self.folder, self.faults, sound="grid" not in unsound)
        given = content.get("layers")
        named = set(given) if isinstance(given, dict) else set()
        layers = [self._layer(name, layer) for name, layer in found.layers.items() if name in named]
        names = frozenset(map(str, named))
        derived = read_derived(found, layer_operands(layers), names, self.document, self.faults)
        self._check_names(grid, layers, found.derive or {})
        if len(derived) == len(found.derive or {}) and "derive" not in unsound:
            self._check_months(layers, derived)
        output = self._output(found)
        if self.faults:
            raise SpecError(sorted(self.faults, key=place_order))
        return TableSpec(
            found.table,
            found.title,
            self.document.path,
            grid,
            tuple(layers),
            tuple(derived),
            output,
            self.document.value(("output",)) if found.output else self.document.value(("table",)),
            self.document.sha256,
        )

    def _fault(self, message: str, place: Place, hint: str = "") -> None:
        self.faults.append(Fault(message, place, hint))

    def _layer(self, name: str, layer: LayerShape) -> LayerSpec:
        at: KeyPath = ("layers", name)
        places = {"": self.document.key(at)}
        for key in LayerShape.model_fields:
            if getattr(layer, key) is not None and key in layer.model_fields_set:
                places[key] = self.document.value((*at, key))
        format = self._format(layer, places["source"] if "source" in places else places[""])
        nodata = layer.nodata if isinstance(layer.nodata, list) else [layer.nodata]
        spec = LayerSpec(
            name,
            Path(os.path.normpath(self.folder / layer.source)),
            format or "geotiff",
            layer.band,
            layer.variable,
            layer.time,
            self._years(layer, places),
            layer.resample,
            layer.categorical,
            tuple(float(value) for value in nodata if value is not None),
            layer.scale,
            layer.offset,
            layer.unit,
            layer.aggregate,
            as_crs(layer.crs, places.get("crs", places[""]), self.faults),
            places,
        )
        if format is not None:
            self._check_layer(spec)
        return spec

    def _format(self, layer: LayerShape, place: Place) -> RasterFormat | None:
        source = layer.source
        if _WEB.match(source):
            self._fault(f"`{source}` is no file on this computer", place, "download it, and name the file")
            return None
        for sign in _PLACEHOLDER.findall(source):
            if sign not in ("year", "month"):
                self._fault(f"`{{{sign}}}` has no meaning in a source", place, "known: {year}, {month}, *")
                return None
        found = RASTER_FORMATS.get(Path(source).suffix.lower())
        if found is None:
            hint = "rasters are GeoTIFF (.tif), NetCDF (.nc) and Zarr (.zarr); `gdal_translate` makes GeoTIFF"
            self._fault(f"`{source}` is no raster that is read", place, hint)
        return found

    def _years(self, layer: LayerShape, places: Mapping[str, Place]) -> tuple[int, ...] | None:
        years = layer.years
        if years is None:
            return None
        if isinstance(years, YearsShape):
            found = list(range(years.from_, years.to + 1, years.step))
        else:
            found = list(range(years[0], years[1] + 1)) if len(years) == 2 else sorted(set(years))
        if not found:
            self._fault("`years` ends before it begins", places["years"], "write it as [from, to]")
            return None
        return tuple(found)

    def _check_layer(self, layer: LayerSpec) -> None:
        """What the keys of a layer say together."""
        name = layer.name
        wrong = "band" if layer.format != "geotiff" else "variable"
        if getattr(layer, wrong) is not None:
            what, other = ("GeoTIFF", "band") if wrong == "variable" else ("NetCDF or Zarr", "variable")
            self._fault(f"`{wrong}` is not for {what}", layer.place(wrong), f"write `{other}:`")
        if layer.monthly and not layer.yearly:
            self._fault(f"layer `{name}` has months and no years", layer.place("source"), "add {year}")
        if layer.years is not None and not layer.yearly:
            hint = "put {year} into `source`, `band` or `variable`, or say `time: year`"
            self._fault(f"`years` of `{name}`, which is no series of years", layer.place("years"), hint)
        if layer.aggregate is not None and not layer.monthly:
            message = f"`aggregate` makes years from months, and `{name}` has no months"
            self._fault(message, layer.place("aggregate"), "put {month} into `source`, or say `time: month`")
        if layer.scale == 0.0:
            self._fault(
                f"`scale` of `{name}` is 0", layer.place("scale"), "leave it out for values as stored"
            )
        if not layer.categorical:
            return
        if layer.resample in _NOT_FOR_CLASSES:
            message = f"`{name}` is categorical: `{layer.resample}` of classes is no class"
            self._fault(message, layer.place("resample"), "write `resample: mode` or `resample: nearest`")
        for key in ("scale", "offset", "aggregate"):
            if getattr(layer, key) is not None:
                self._fault(f"`{name}` is categorical and cannot have `{key}`", layer.place(key))

    def _check_months(self, layers: Iterable[LayerSpec], derived: Iterable[DerivedSpec]) -> None:
        """Months that neither become years nor respiration would never be seen."""
        used = {name.text for item in derived for name in names_in(item.expression)}
        for layer in layers:
            if not layer.has_column and layer.name not in used:
                message = f"layer `{layer.name}` is monthly, and nothing says how months become a year"
                self._fault(message, layer.place(), "add `aggregate: mean` or `sum`, or use it in `rh()`")

    def _check_names(self, grid: GridSpec, layers: Iterable[LayerSpec], derived: Iterable[str]) -> None:
        """Every column has a name of its own."""
        taken = dict.fromkeys(FIXED_COLUMNS, "which every table has")
        for kind, at, names in (
            ("zones", ("grid", "zones"), [zone.name for zone in grid.zones]),
            ("layer", ("layers",), [layer.name for layer in layers]),
            ("derived column", ("derive",), list(derived)),
        ):
            for name in names:
                if name in taken:
                    message = f"the {kind} `{name}` has the name of a column {taken[name]}"
                    self._fault(message, self.document.key((*at, name)), "give it another name")
                taken[name] = f"from {'/'.join(at)}"

    def _output(self, found: TableDocument) -> Path:
        text = found.output or f"{found.table}.parquet"
        place = self.document.value(("output",)) if found.output else self.document.value(("table",))
        path = Path(os.path.normpath(self.folder / text))
        if path.suffix.lower() not in (".parquet", ".pq"):
            hint = propose(Path(text).suffix or text, [".parquet", ".pq"])
            self._fault(f"`{text}` is no Parquet file", place, hint)
        elif not found.output and Path(text).name != text:
            self._fault(f"`{text}` is no name of a file", place, "say where the table goes with `output:`")
        return path


def layer_operands(layers: Iterable[LayerSpec]) -> dict[str, Operand]:
    """What the names of layers mean in a formula."""
    return {
        layer.name: Operand(layer.yearly, layer.monthly, layer.has_column, layer.categorical)
        for layer in layers
    }
