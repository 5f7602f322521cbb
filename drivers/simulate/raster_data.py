"""What the simulated rasters are: their grids, how numbers are stored, and the specs beside them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

SCALE = 0.1
"""Of NEP and PRE as they are stored: whole tenths."""

TEM_SCALE, TEM_OFFSET = 0.02, -273.15
"""Of TEM: fiftieths of a kelvin, as MODIS stores temperatures."""

FILL = -32768
"""Declared nodata of NEP."""

OTHER_FILL = -9999
"""Declared nodata of NEP in even years, with the trap `changing`."""

UNDECLARED = 65533
"""What PRE holds where there is none, with the trap `undeclared`: a code of MOD17 that no file names."""

SHIFT = 0.3
"""Cells by which the grid of TEM is off, with the trap `misaligned`."""

HOLES = 0.02
"""Share of NEP and of PRE that is missing, in every year elsewhere."""

FINE = 2
"""Cells of DEM along each side of a pixel, with the trap `finer`."""


@dataclass(frozen=True, slots=True)
class Lattice:
    """Where the cells lie.

    Attributes
    ----------
    crs : as specs name it
    west, north : the outer corner of the first cell
    width, height : of a cell
    """

    crs: str
    west: float
    north: float
    width: float
    height: float


LATTICES: Mapping[str, Lattice] = {
    "metres": Lattice("EPSG:32651", 100_000.0, 5_100_000.0, 1000.0, 1000.0),
    "oblong": Lattice("EPSG:32651", 100_000.0, 5_100_000.0, 1000.0, 500.0),
    "degrees": Lattice("EPSG:4326", 118.0, 46.0, 0.0125, 0.0078125),
}
"""Squares of a kilometre, cells that are not square, and cells of degrees (a kilometre wide, near 45 N)."""

TRAPS: Mapping[str, str] = {
    "scaled": "NEP is stored as whole tenths, TEM in fiftieths of a kelvin",
    "changing": "the nodata value of NEP is another one in even years",
    "undeclared": "PRE holds 65533 where there is no value, and the file does not say so",
    "misaligned": "the cells of TEM are off by 0.3 of a cell",
    "finer": "DEM has four cells in each pixel",
    "netcdf": "PRE is one NetCDF with a time axis, whose rows go north, without a coordinate system",
}
"""What users stumble over: name -> what it does to the files."""

TABLE_SPEC = """# Simulated rasters, not measured (seed {seed}, {pixels} pixels). Traps: {traps}.
table: {name}
grid: {{like: rasters/LUCC_2020.tif}}
layers:
  LUCC: {{source: "rasters/LUCC_{{year}}.tif", categorical: true}}
  NEP: {{source: "rasters/NEP_{{year}}.tif"{nep}, unit: g C m-2 yr-1}}
  TEM: {{source: "rasters/TEM_{{year}}.tif"{tem}, unit: degC}}
  PRE: {{source: {pre}, unit: mm}}
  DEM: {{source: rasters/DEM.tif{dem}, unit: m}}
derive: {{SLOPE: slope(DEM), MEAN_NEP: {{formula: mean(NEP), unit: g C m-2 yr-1}}}}
"""

STUDY_SPEC = """# The study of the simulated rasters beside it: `drivers run {name}.yaml`
study: {name}
title: Simulated rasters, not measured
table: {{spec: {name}.table.yaml}}
series:
  NEP: {{columns: "NEP_{{year}}", unit: g C m-2 yr-1}}
  PRE: {{columns: "PRE_{{year}}", unit: mm}}
  LUCC:
    columns: "LUCC_{{year}}"
    levels: {{1: cropland, 2: forestland, 4: grassland, 7: unused, 8: impervious}}
strata:
  landuse:
    column: LUCC_2020
    levels: {{1: cropland, 2: forestland, 4: grassland, 7: unused, 8: impervious}}
change:
  over: [all, landuse]
  trend: NEP
  centre: {{series: NEP, weights: positive}}
  correlation: {{NEP: PRE}}
  transfer: LUCC
  describe: NEP
"""
