"""distribution.csv and density.csv: how a variable is spread over the pixels of each stratum."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drivers.stats.distribution import find_distribution
from drivers.table.partition import Stratum

Array = NDArray[np.float64]
Rows = list[dict[str, Any]]

NAMES = ("q05", "q25", "median", "q75", "q95")
"""The quantiles of `drivers.stats.distribution`, as the table calls them."""


def distribution_rows(
    variable: str, values: Array, codes: NDArray[np.integer], cells: int, strata: Iterable[Stratum]
) -> Mapping[str, Rows]:
    """Rows by table.

    Parameters
    ----------
    variable : its name
    values : by pixel, shape (n,), NaN where missing
    codes : cell of the partition of each pixel, shape (n,)
    cells : how many there are
    strata : those that are described; a stratum is a few cells
    """
    found: dict[str, Rows] = {"distribution": [], "density": []}
    for stratum in strata:
        inside = np.zeros(cells, dtype=np.bool_)
        inside[list(stratum.cells)] = True
        of = find_distribution(values[inside[codes]])
        key = {"stratum": stratum.label, "variable": variable}
        quantiles = dict(zip(NAMES, of.quantiles.tolist(), strict=True))
        found["distribution"].append({**key, "n": of.n, "min": of.lowest, **quantiles, "max": of.highest})
        found["density"] += [
            {**key, "x": x, "density": density}
            for x, density in zip(of.x.tolist(), of.density.tolist(), strict=True)
        ]
    return found
