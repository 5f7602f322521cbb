"""Cells of finished tables: missing ones may be NaN, None or empty, and a column may not be there at all."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray


def numbers(frame: pd.DataFrame, column: str) -> NDArray[np.float64]:
    """A column as numbers, NaN where it is missing; shape (rows,).

    Examples
    --------
    >>> numbers(pd.DataFrame({"q": [0.5, None, ""]}), "q").tolist()
    [0.5, nan, nan]
    """
    if column not in frame.columns:
        return np.full(len(frame), np.nan)
    return np.asarray(pd.to_numeric(frame[column], errors="coerce"), dtype=np.float64)


def texts(frame: pd.DataFrame, column: str) -> NDArray[np.object_]:
    """A column as texts, empty where it is missing; shape (rows,).

    Examples
    --------
    >>> texts(pd.DataFrame({"driver": ["TEM", None, float("nan")]}), "driver").tolist()
    ['TEM', '', '']
    """
    if column not in frame.columns:
        return np.full(len(frame), "", dtype=object)
    found = np.empty(len(frame), dtype=object)
    found[:] = [str(cell) for cell in frame[column].tolist()]
    found[frame[column].isna().to_numpy()] = ""
    return found
