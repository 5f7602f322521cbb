"""Any method's importance on one scale: value, share and rank, by driver and by driver group."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

from drivers.methods import Result
from drivers.methods.result import Importance, importance_rows


@runtime_checkable
class Measuring(Protocol):
    """A result that knows how important its drivers are."""

    def measured(self) -> Sequence[Importance]:
        """Importance of every driver and group, by every measure."""


def importance_records(result: Result) -> dict[str, list[dict[str, Any]]]:
    """The rows of importance.csv that follow from a result; no table where it measures none."""
    return {"importance": importance_rows(result.measured())} if isinstance(result, Measuring) else {}
