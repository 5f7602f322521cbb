"""Simulated rasters: the world `horqin-years` as GeoTIFF and NetCDF, with the traps of real ones.

What a table spec makes of them is known exactly, so that the way from rasters to pixels can be tested.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from drivers.errors import Fault, TableError, propose
from drivers.simulate.ground import FloatArray, Ground, IntArray, lay_ground
from drivers.simulate.horqin_years import LAND_USE_YEARS, YEARS, build_horqin_years
from drivers.simulate.raster_data import (
    FILL,
    FINE,
    HOLES,
    LATTICES,
    OTHER_FILL,
    SCALE,
    SHIFT,
    STUDY_SPEC,
    TABLE_SPEC,
    TEM_OFFSET,
    TEM_SCALE,
    TRAPS,
    UNDECLARED,
    Lattice,
)

NAME = "horqin-rasters"
"""Of the table spec and the study spec."""

FEWEST_PIXELS, MOST_PIXELS = 100, 4_000_000
"""Below, the rarest land use has no pixel; above, 66 rasters are more than a disk expects."""

RANGE = 8.0
"""Practical range of the fields, as a share of the region's side: one in so many."""


@dataclass(frozen=True, slots=True)
class SimulatedRasters:
    """Rasters on disk, and what they hold.

    Attributes
    ----------
    table_spec : the spec that makes a table of them
    study_spec : a study of that table
    frame : the columns that the table has to have, in its order of rows, NaN where missing
    note : says that they are simulated
    """

    table_spec: Path
    study_spec: Path
    frame: pd.DataFrame
    note: str


def simulate_rasters(
    folder: str | Path,
    *,
    pixels: int = 4000,
    seed: int = 0,
    grid: str = "metres",
    traps: Collection[str] = tuple(TRAPS),
) -> SimulatedRasters:
    """Write rasters of twenty years, with a table spec and a study spec beside them.

    NEP, temperature and rain of 2001 to 2020, land use of every fifth of them, elevation. Files of the same
    name are written over.

    Parameters
    ----------
    folder
        Where; it is made if it is not there. The rasters go to its folder `rasters`.
    pixels
        Of the region, exactly: 100 to 4 million.
    seed
        Of `numpy.random.default_rng`; the same seed gives the same files.
    grid
        `metres` (squares of a kilometre), `oblong` (1000 by 500 m) or `degrees` (longitude and latitude).
    traps
        What makes real rasters hard to read, all by default: `scaled`, `changing` (nodata values),
        `undeclared` (a fill value), `misaligned`, `finer`, `netcdf`. The table spec answers to each.

    Raises
    ------
    TableError
        For an unknown grid or trap, or numbers out of range; all faults at once.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     made = simulate_rasters(folder, pixels=100, traps=["changing"])
    ...     print(made.table_spec.name, made.frame.shape, len(list(Path(folder, "rasters").iterdir())))
    horqin-rasters.table.yaml (100, 68) 66
    """
    faults = _faults(pixels, seed, grid, traps)
    if faults:
        raise TableError(faults)
    folder = Path(folder)
    (folder / "rasters").mkdir(parents=True, exist_ok=True)
    ground = lay_ground(pixels, np.random.default_rng(seed))
    table = build_horqin_years(ground, ground.side / RANGE)
    writer = _Writer(folder / "rasters", ground, LATTICES[grid], frozenset(traps))
    frame = writer.write(table.frame)
    more = writer.said()
    listed = ", ".join(name for name in TRAPS if name in traps) or "none"
    paths = folder / f"{NAME}.table.yaml", folder / f"{NAME}.yaml"
    facts = {"name": NAME, "seed": seed, "pixels": pixels, "traps": listed}
    paths[0].write_text(TABLE_SPEC.format(**facts, **more), encoding="utf-8")
    paths[1].write_text(STUDY_SPEC.format(name=NAME), encoding="utf-8")
    return SimulatedRasters(*paths, frame, table.note)


class _Writer:
    """Writes the layers, and keeps what a reader has to find in them."""

    def __init__(self, folder: Path, ground: Ground, lattice: Lattice, traps: frozenset[str]) -> None:
        self.folder, self.ground, self.lattice, self.traps = folder, ground, lattice, traps
        self.row, self.column = ground.cells // ground.side, ground.cells % ground.side

    def write(self, world: pd.DataFrame) -> pd.DataFrame:
        lattice = self.lattice
        found: dict[str, Any] = {
            "easting": lattice.west + (self.column + 0.5) * lattice.width,
            "northing": lattice.north - (self.row + 0.5) * lattice.height,
        }
        for year in LAND_USE_YEARS:
            found[f"LUCC_{year}"] = self._classes(year, world[f"LUCC_{year}"].to_numpy())
        for year in YEARS:
            found[f"NEP_{year}"] = self._carbon(year, world[f"NEP_{year}"].to_numpy())
        for year in YEARS:
            found[f"TEM_{year}"] = self._warmth(year, world[f"TEM_{year}"].to_numpy())
        found |= self._rain({year: world[f"PRE_{year}"].to_numpy() for year in YEARS})
        found["DEM"] = self._elevation(world["DEM"].to_numpy())
        return pd.DataFrame(found)

    def said(self) -> dict[str, str]:
        """What the table spec has to say of each layer."""
        scaled = "scaled" in self.traps
        pre = "rasters/PRE.nc" if "netcdf" in self.traps else '"rasters/PRE_{year}.tif"'
        pre += ", variable: pre, time: year" if "netcdf" in self.traps else ""
        pre += f", crs: {self.lattice.crs}" if "netcdf" in self.traps else ""
        pre += f", nodata: {UNDECLARED}" if "undeclared" in self.traps else ""
        return {
            "nep": f", scale: {SCALE}" if scaled else "",
            "tem": (f", scale: {TEM_SCALE}, offset: {TEM_OFFSET}" if scaled else "")
            + (", resample: nearest" if "misaligned" in self.traps else ""),
            "pre": f"{pre}, scale: {SCALE}",
            "dem": ", resample: average" if "finer" in self.traps else "",
        }

    def _holes(self, values: FloatArray) -> NDArray[np.bool_]:
        return self.ground.rng.random(len(values)) < HOLES

    def _classes(self, year: int, codes: IntArray) -> FloatArray:
        self._tif(f"LUCC_{year}", self._map(codes.astype(np.uint8), 0), nodata=0)
        return codes.astype(np.float64)

    def _carbon(self, year: int, values: FloatArray) -> FloatArray:
        gone = self._holes(values)
        code = OTHER_FILL if "changing" in self.traps and year % 2 == 0 else FILL
        if "scaled" in self.traps:
            stored: NDArray[Any] = np.rint(values / SCALE).astype(np.int16)
            known = stored * SCALE
        else:
            stored = values.astype(np.float32)
            known = stored.astype(np.float64)
        self._tif(
            f"NEP_{year}", self._map(np.where(gone, code, stored).astype(stored.dtype), code), nodata=code
        )
        return np.where(gone, np.nan, known)

    def _warmth(self, year: int, values: FloatArray) -> FloatArray:
        if "scaled" in self.traps:
            stored: NDArray[Any] = np.rint((values - TEM_OFFSET) / TEM_SCALE).astype(np.uint16)
            known = stored * TEM_SCALE + TEM_OFFSET
        else:
            stored = values.astype(np.float32)
            known = stored.astype(np.float64)
        shift = SHIFT if "misaligned" in self.traps else 0.0
        self._tif(f"TEM_{year}", self._map(stored, 0), nodata=0, shift=shift)
        return np.asarray(known)

    def _rain(self, by_year: dict[int, FloatArray]) -> dict[str, FloatArray]:
        """Undeclared, the code stands wherever there is no rain to tell of, and no file names it."""
        declared = None if "undeclared" in self.traps else UNDECLARED
        found, maps = {}, []
        for year, values in by_year.items():
            gone = self._holes(values)
            stored = np.rint(np.maximum(values, 0.0) / SCALE).astype(np.uint16)
            found[f"PRE_{year}"] = np.where(gone, np.nan, stored * SCALE)
            maps.append(self._map(np.where(gone, UNDECLARED, stored).astype(np.uint16), UNDECLARED))
        if "netcdf" in self.traps:
            self._netcdf(np.stack(maps), declared)
        else:
            for year, grid in zip(by_year, maps, strict=True):
                self._tif(f"PRE_{year}", grid, nodata=declared)
        return found

    def _elevation(self, values: FloatArray) -> FloatArray:
        """Whole metres; finer cells are up and down by the same, so that their mean is exact."""
        whole = np.rint(values)
        grid = self._map(whole.astype(np.float32), np.nan)
        if "finer" in self.traps:
            grid = np.repeat(np.repeat(grid, FINE, axis=0), FINE, axis=1)
            up = np.indices(grid.shape).sum(axis=0) % 2 == 0
            grid = np.where(up, grid + 3, grid - 3).astype(np.float32)
        self._tif("DEM", grid, nodata=np.nan, parts=FINE if "finer" in self.traps else 1)
        return np.asarray(whole)

    def _map(self, values: NDArray[Any], outside: float) -> NDArray[Any]:
        grid = np.full((self.ground.side, self.ground.side), outside, dtype=values.dtype)
        grid[self.row, self.column] = values
        return grid

    def _tif(
        self, name: str, grid: NDArray[Any], *, nodata: float | None, shift: float = 0.0, parts: int = 1
    ) -> None:
        import rasterio  # it takes a second, and most simulations write no rasters
        from rasterio.transform import Affine

        lattice = self.lattice
        width, height = lattice.width / parts, lattice.height / parts
        west, north = lattice.west + shift * width, lattice.north - shift * height
        with rasterio.open(
            (self.folder / f"{name}.tif").as_posix(),
            "w",
            driver="GTiff",
            count=1,
            height=grid.shape[0],
            width=grid.shape[1],
            dtype=grid.dtype.name,
            crs=lattice.crs,
            transform=Affine(width, 0.0, west, 0.0, -height, north),
            nodata=nodata,
            compress="deflate",
        ) as file:
            file.write(grid, 1)

    def _netcdf(self, maps: NDArray[np.uint16], declared: int | None) -> None:
        import xarray as xr

        lattice, side = self.lattice, self.ground.side
        degrees = lattice.crs == "EPSG:4326"
        names = ("lat", "lon") if degrees else ("y", "x")
        said = (
            ("latitude", "longitude") if degrees else ("projection_y_coordinate", "projection_x_coordinate")
        )
        steps = np.arange(side) + 0.5
        places = (lattice.north - steps * lattice.height, lattice.west + steps * lattice.width)
        units = ("degrees_north", "degrees_east") if degrees else ("m", "m")
        coordinates: dict[str, Any] = {
            name: (name, place, {"standard_name": standard, "units": unit})
            for name, place, standard, unit in zip(names, places, said, units, strict=True)
        }
        coordinates["time"] = pd.to_datetime([f"{year}-07-01" for year in YEARS])
        data = xr.Dataset({"pre": (("time", *names), maps)}, coordinates)
        # From the south, as many climate models write.
        data = data.isel({names[0]: slice(None, None, -1)})
        encoding = {"pre": {"_FillValue": declared}}
        data.to_netcdf(self.folder / "PRE.nc", encoding=encoding)


def _faults(pixels: int, seed: int, grid: str, traps: Collection[str]) -> list[Fault]:
    faults = []
    if not FEWEST_PIXELS <= pixels <= MOST_PIXELS:
        hint = f"choose {FEWEST_PIXELS} to {MOST_PIXELS:,} pixels"
        faults.append(Fault(f"cannot simulate rasters of {pixels} pixels", hint=hint))
    if seed < 0:
        faults.append(Fault(f"a seed cannot be negative: {seed}", hint="choose 0 or more"))
    if grid not in LATTICES:
        faults.append(Fault(f"there is no simulated grid `{grid}`", hint=propose(grid, list(LATTICES))))
    for trap in traps:
        if trap not in TRAPS:
            faults.append(Fault(f"there is no trap `{trap}`", hint=propose(trap, list(TRAPS))))
    return faults
