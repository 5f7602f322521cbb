"""Floor 4: one room per method; they do not import each other."""

from __future__ import annotations

from collections.abc import Callable

from drivers.methods import geodetector, psem
from drivers.methods.result import Fitter, Result
from drivers.spec.bound import BoundModel
from drivers.table import Partition, PixelTable

METHODS: dict[str, Callable[[BoundModel, PixelTable, Partition, int], Fitter]] = {
    "psem": psem.fitter,
    "geodetector": geodetector.fitter,
}
"""A method's name -> the function that prepares a model on a table, to be fitted stratum by stratum.

The last argument is the seed of everything random."""

__all__ = ["METHODS", "Fitter", "Result"]
