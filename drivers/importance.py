"""Any method's importance on one scale: value, share and rank, by driver and by driver group."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from drivers.methods.result import Importance


def importance_rows(found: Sequence[Importance]) -> list[dict[str, Any]]:
    """Rows of importance.csv: shares and ranks among the drivers, and among the groups, of each measure.

    A share is the value over the sum of values; negative values have no share in it.

    Examples
    --------
    >>> found = [Importance("TEM", "climate", "q", 0.3), Importance("PRE", "climate", "q", 0.1)]
    >>> rows = importance_rows(found)
    >>> [(row["driver"], round(row["share"], 3), row["rank"]) for row in rows]
    [('TEM', 0.75, 1), ('PRE', 0.25, 2)]
    """
    rows = []
    for item in found:
        rivals = [
            other.value
            for other in found
            if other.measure == item.measure and bool(other.driver) == bool(item.driver)
        ]
        total = sum(max(value, 0.0) for value in rivals)
        rows.append(
            {
                "driver": item.driver or None,
                "group": item.group,
                "measure": item.measure,
                "value": item.value,
                "share": max(item.value, 0.0) / total if total > 0 else None,
                "rank": 1 + sum(value > item.value for value in rivals),
            }
        )
    return rows
