"""Variables that a table has by year only: their mean over the years stands for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from drivers.table.pixels import PixelTable


def with_means(table: PixelTable, years: Mapping[str, Sequence[str]]) -> PixelTable:
    """The table with a further column for each name: the mean of its columns by year.

    A pixel needs all of the years; otherwise the mean is missing.

    Examples
    --------
    >>> import pandas as pd
    >>> from drivers.table import pixel_table_from_frame
    >>> table = pixel_table_from_frame(pd.DataFrame({"NEP_2013": [1.0, 2.0], "NEP_2015": [3.0, None]}))
    >>> with_means(table, {"NEP": ["NEP_2013", "NEP_2015"]}).values("NEP").tolist()
    [2.0, nan]
    """
    if not years:
        return table
    means = {name: sum(table.values(c) for c in columns) / len(columns) for name, columns in years.items()}
    frame = table.frame.assign(**means)
    missing = {name: int(frame[name].isna().sum()) for name in means}
    return replace(table, frame=frame, missing={**table.missing, **missing}, _values_of={}, _levels_of={})
