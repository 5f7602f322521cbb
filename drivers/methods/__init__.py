"""Floor 4: one room per method; they do not import each other."""

from __future__ import annotations

from collections.abc import Callable

from drivers.methods import geodetector, lsem, psem
from drivers.methods.result import Fitter, Result, Together
from drivers.spec.bound import BoundModel
from drivers.table import Partition, PixelTable


def _brt(model: BoundModel, table: PixelTable, partition: Partition, seed: int) -> Fitter:
    from drivers.methods import brt  # xgboost takes a second to import, and only trees need it

    return brt.fitter(model, table, partition, seed)


METHODS: dict[str, Callable[[BoundModel, PixelTable, Partition, int], Fitter]] = {
    "psem": psem.fitter,
    "lsem": lsem.fitter,
    "geodetector": geodetector.fitter,
    "brt": _brt,
}
"""A method's name -> the function that prepares a model on a table, to be fitted stratum by stratum.

The last argument is the seed of everything random."""

__all__ = ["METHODS", "Fitter", "Result", "Together"]
