"""Codes for missing values that were left in as numbers."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from drivers.table.pixels import PixelTable

NODATA_CODES = (-99999.0, -9999.0, -32768.0, -32767.0, -3.4028234663852886e38, 32767.0, 65535.0, 1e20)
"""What rasters and their exports write for no data: round numbers, and the ends of number types."""

FEWEST = 3
"""A code comes in numbers; one or two such values may be measured."""


def nodata_warnings(table: PixelTable, names: Iterable[str]) -> list[str]:
    """A sentence for each numeric column whose smallest or largest value looks like a code for no data.

    Examples
    --------
    >>> import pandas as pd
    >>> from drivers.table import pixel_table_from_frame
    >>> table = pixel_table_from_frame(pd.DataFrame({"TEM": [4.5, -9999, -9999, -9999, 6.1]}))
    >>> nodata_warnings(table, ["TEM"])
    ['column `TEM` holds -9999 in 3 pixels: if that is a code for no data, make it empty']
    """
    found = []
    for name in names:
        if name in table.categorical or table.holds_text(name):
            continue
        values = table.values(name)
        with np.errstate(invalid="ignore"):
            ends = {float(np.nanmin(values)), float(np.nanmax(values))}
        for code in NODATA_CODES:
            count = int((values == code).sum()) if code in ends else 0
            if count >= FEWEST:
                found.append(
                    f"column `{name}` holds {code:g} in {count} pixels: if that is a code for no data, "
                    "make it empty"
                )
    return found
