"""Rasters to pixels: layers on one grid become the columns of a pixel table."""

from drivers.table.rasters.build import BuiltTable, build_table
from drivers.table.rasters.grid import RasterGrid
from drivers.table.rasters.parquet import grid_of, table_facts

__all__ = ["BuiltTable", "RasterGrid", "build_table", "grid_of", "table_facts"]
