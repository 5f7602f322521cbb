"""Columns by pixel, of the methods that have something to say about single pixels: pixels.parquet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

import numpy as np
import pandas as pd

from drivers.methods import Result
from drivers.table import Partition, PixelTable, Stratum


@runtime_checkable
class PixelWise(Protocol):
    """A result with columns by pixel."""

    def pixel_columns(self) -> pd.DataFrame:
        """Columns whose index is the row of the table; none where none were asked for."""


def pixel_frame(
    table: PixelTable,
    partition: Partition,
    results: Mapping[tuple[str, str], Result],
    changed: pd.DataFrame | None = None,
) -> pd.DataFrame | None:
    """A row per pixel of the table: its place, its strata, and the columns of change and of all results.

    Strata of one family share a column, `MODEL.FAMILY.COLUMN`, such as `nep-trees.balance.fitted`: each pixel
    has the value of its own stratum. Where they overlap, each has its own, `MODEL.FAMILY=LEVEL.COLUMN`. The
    stratum of all pixels is the family `all`. A family with the name of a coordinate is `strata.NAME`.

    Parameters
    ----------
    table, partition : the pixels and their strata
    results : every fit that succeeded, by (model, stratum)
    changed : columns of change over years, such as `NEP_sen_slope`, a row per pixel from 0

    Returns
    -------
    None where no result has such columns.
    """
    strata = {stratum.label: stratum for stratum in partition.strata}
    made: dict[str, pd.Series] = {}
    for (model, label), result in results.items():
        if not isinstance(result, PixelWise):
            continue
        found = result.pixel_columns()
        for name in found:
            key = f"{model}.{_family(partition, strata[label])}.{name}"
            if key not in made:
                made[key] = pd.Series(pd.NA if found[name].dtype == bool else np.nan, index=range(table.n))
                made[key] = made[key].astype("boolean" if found[name].dtype == bool else found[name].dtype)
            made[key].iloc[found.index] = found[name].to_numpy()
    if not made and (changed is None or not len(changed.columns)):
        return None
    places = {name: table.values(name) for name in (table.easting, table.northing) if name is not None}
    levels = {f"strata.{k}" if k in places else k: v for k, v in _levels(table.n, partition).items()}
    found = pd.DataFrame({**places, **levels, **made}, index=range(table.n))
    if changed is None:
        return found
    first = len(places) + len(levels)
    return pd.concat([found.iloc[:, :first], changed, found.iloc[:, first:]], axis="columns")


def _family(partition: Partition, stratum: Stratum) -> str:
    families = [family for family, _ in stratum.levels]
    if set(families) & set(partition.overlaps):
        return stratum.label
    return "*".join(families) or "all"


def _levels(n: int, partition: Partition) -> dict[str, pd.Series]:
    """The level of every pixel in each family whose levels do not overlap."""
    out: dict[str, pd.Series] = {}
    for stratum in partition.strata:
        inside = np.flatnonzero(partition.rows_of(stratum))
        for family, level in stratum.levels:
            if family not in partition.overlaps:
                out.setdefault(family, pd.Series(pd.NA, index=range(n), dtype="string"))
                out[family].iloc[inside] = level
    return out
