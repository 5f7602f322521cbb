"""strata.csv: what each stratum holds, from one pass over the cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from drivers.table.partition import Partition
from drivers.table.pixels import PixelTable


@dataclass(frozen=True, slots=True)
class _Cells:
    """Summaries of one column per cell, each of shape (cells,); they add up to strata."""

    n: NDArray[np.int64]
    pivot: float
    mean: NDArray[np.float64]
    """Above the pivot: a mean near 1e9 would lose its last digits before cells are put together."""
    squares: NDArray[np.float64]
    """Sums of squared deviations from the cell's own mean."""
    lowest: NDArray[np.float64]
    highest: NDArray[np.float64]


def describe_strata(
    table: PixelTable, partition: Partition, response: str | None, needed: Sequence[str] = ()
) -> pd.DataFrame:
    """The rows of strata.csv.

    Parameters
    ----------
    table : PixelTable
    partition : Partition
    response : str or None
        The column that is described; without one its columns are missing.
    needed : sequence of str
        Columns of which a missing value costs a pixel.

    Returns
    -------
    pandas.DataFrame
        `stratum, n, dropped, share, mean, sd, min, max, selects_on_response`: n counts all pixels of
        the stratum, `dropped` those of them with a missing value in the response or in `needed`, and
        mean to max describe the response where it is not missing (sd with n - 1).
    """
    wanted = dict.fromkeys([*((response,) if response is not None else ()), *needed])
    dropped = np.bincount(partition.codes[~table.complete(wanted)], minlength=partition.cells)
    cells = None if response is None else _summarise(table.values(response), partition)
    rows = []
    for stratum in partition.strata:
        inside = np.array(stratum.cells, dtype=np.intp)
        mean, sd, lowest, highest = (np.nan,) * 4 if cells is None else _together(cells, inside)
        rows.append(
            {
                "stratum": stratum.label,
                "n": stratum.rows,
                "dropped": int(dropped[inside].sum()),
                "share": stratum.rows / table.n,
                "mean": mean,
                "sd": sd,
                "min": lowest,
                "max": highest,
                "selects_on_response": stratum.selects_on_response,
            }
        )
    return pd.DataFrame(rows)


def _summarise(values: NDArray[np.float64], partition: Partition) -> _Cells:
    """Two sums per cell around its mean: safe for values such as 1e9 plus a little noise."""
    codes, cells = partition.codes, partition.cells
    present = ~np.isnan(values)
    if not present.all():
        values, codes = values[present], codes[present]
    n = np.bincount(codes, minlength=cells)
    some = np.maximum(n, 1)
    pivot = values[0] if len(values) else 0.0
    mean = np.bincount(codes, values - pivot, minlength=cells) / some
    deviations = values - pivot
    deviations -= mean[codes]
    # What rounding left of the mean is taken out of both sums (the corrected two-pass algorithm).
    rest = np.bincount(codes, deviations, minlength=cells)
    squares = np.bincount(codes, deviations * deviations, minlength=cells) - rest * rest / some
    lowest, highest = np.full(cells, np.inf), np.full(cells, -np.inf)
    np.minimum.at(lowest, codes, values)
    np.maximum.at(highest, codes, values)
    return _Cells(n, float(pivot), mean + rest / some, np.maximum(squares, 0.0), lowest, highest)


def _together(cells: _Cells, inside: NDArray[np.intp]) -> tuple[float, float, float, float]:
    """Mean, sd, min and max of several cells together (Chan, Golub & LeVeque 1983)."""
    n = cells.n[inside]
    total = int(n.sum())
    if total == 0:
        return np.nan, np.nan, np.nan, np.nan
    inside, n = inside[n > 0], n[n > 0]
    mean = float((n * cells.mean[inside]).sum()) / total
    squares = float(cells.squares[inside].sum()) + float((n * (cells.mean[inside] - mean) ** 2).sum())
    sd = float(np.sqrt(squares / (total - 1))) if total > 1 else np.nan
    return cells.pivot + mean, sd, float(cells.lowest[inside].min()), float(cells.highest[inside].max())
