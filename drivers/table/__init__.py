"""Floor 3: a table of pixels, its strata, and what each of them holds."""

from drivers.table.describe import describe_strata
from drivers.table.files import table_columns
from drivers.table.nodata import nodata_warnings
from drivers.table.partition import Partition, Stratum, make_partition
from drivers.table.pixels import PixelTable
from drivers.table.read import load, pixel_table_from_frame, read_table
from drivers.table.years import with_means

__all__ = [
    "Partition",
    "PixelTable",
    "Stratum",
    "describe_strata",
    "load",
    "make_partition",
    "nodata_warnings",
    "pixel_table_from_frame",
    "read_table",
    "table_columns",
    "with_means",
]
