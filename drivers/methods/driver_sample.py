"""One response and its drivers on the pixels of a stratum: what methods without paths work on."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drivers.errors import FitError
from drivers.methods.design import make_design
from drivers.methods.positions import Positions, positions_of
from drivers.spec.bound import Driver, DriverModel
from drivers.spec.canonical import canonical
from drivers.spec.terms import Call, Expression, Factor, Name, Operation, Term
from drivers.table import Partition, PixelTable, Stratum

Array = NDArray[np.float64]
Rows = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Numbers:
    """A numeric driver on some pixels."""

    driver: Driver
    values: Array
    """Shape (n,), NaN where missing."""


@dataclass(frozen=True, slots=True)
class Levels:
    """A categorical driver on some pixels."""

    driver: Driver
    codes: NDArray[np.int32]
    """Position in `labels`, shape (n,), -1 where missing."""
    labels: tuple[str, ...]
    """The levels that these pixels have."""


@dataclass(frozen=True)
class DriverSample:
    """The pixels of a stratum that have a response."""

    rows: Rows
    """Their rows in the table, shape (n,)."""
    response: Array
    """Shape (n,), without missing values."""
    drivers: tuple[Numbers | Levels, ...]
    weights: Array | None
    positions: Positions | None
    dropped: int
    """Pixels of the stratum without a response."""

    @property
    def n(self) -> int:
        """The number of pixels."""
        return len(self.response)

    @cached_property
    def centre(self) -> float:
        """The (weighted) mean of the response."""
        top = power_of_two(self.response)
        return float(np.average(self.response / top, weights=self.weights)) * top

    @cached_property
    def unit(self) -> float:
        """A power of two as large as the response's deviations: in it no square over- or underflows."""
        return power_of_two(self.response - self.centre)

    @cached_property
    def centred(self) -> Array:
        """The response less its mean, in units of `unit`, shape (n,)."""
        return (self.response - self.centre) / self.unit


def power_of_two(values: Array) -> float:
    """The power of two next above the largest size of the values; dividing by it rounds nothing."""
    largest = float(np.nanmax(np.abs(values), initial=0.0))
    return float(2.0 ** min(np.frexp(largest)[1], 1023)) if largest > 0 else 1.0


class DriverTable:
    """The columns of a driver model on a table, each made once for all strata."""

    def __init__(self, model: DriverModel, table: PixelTable) -> None:
        self._model = model
        self._table = table
        self._made: dict[str, Array] = {}

    def sample(
        self, partition: Partition, stratum: Stratum, renamed: Mapping[str, str] | None = None
    ) -> DriverSample:
        """The stratum's pixels with a response; `renamed` gives variables other columns (a year's).

        Raises
        ------
        FitError
            If there are none, or a function of a column is not finite.
        """
        target = _renamed(self._model.target, renamed or {})
        inside = partition.rows_of(stratum)
        response = self._values(target)
        rows = np.flatnonzero(inside & ~np.isnan(response))
        if len(rows) == 0:
            raise FitError(
                "no pixels in this stratum"
                if stratum.rows == 0
                else f"none of the {stratum.rows} pixels of this stratum has a value of `{target.label}`"
            )
        found = _at(response, rows)
        _require_finite(target, found)
        weights = self._weights(rows)
        drivers = tuple(self.driver(driver, rows, renamed or {}) for driver in self._model.drivers)
        dropped = stratum.rows - len(rows)
        at = positions_of(self._table, rows)
        return DriverSample(rows, found, drivers, weights, at, dropped)

    def driver(
        self, driver: Driver, rows: Rows, renamed: Mapping[str, str] | None = None
    ) -> Numbers | Levels:
        """One driver at some rows."""
        factor = _renamed(driver.factor, renamed or {})
        if not factor.categorical:
            values = _at(self._values(factor), rows)
            _require_finite(factor, values)
            return Numbers(driver, values)
        name = factor.variables[0]
        codes = _at(self._table.codes(name), rows)
        labels = self._table.levels(name)
        present = np.bincount(codes + 1, minlength=len(labels) + 1)[1:] > 0
        place = np.append(np.cumsum(present) - 1, -1).astype(np.int32)  # the last is for -1, the missing
        kept = tuple(label for label, has in zip(labels, present, strict=True) if has)
        return Levels(driver, place[codes], kept)

    def _weights(self, rows: Rows) -> Array | None:
        name = self._model.quantities()
        if not name:
            return None
        weights = _at(self._table.values(name[0]), rows)
        bad = int((~((weights > 0) & np.isfinite(weights))).sum())
        if bad:
            raise FitError(
                f"the weights `{name[0]}` are missing, infinite, zero or negative for {bad} pixels: "
                "a weight is a positive number, such as an area"
            )
        return np.asarray(weights / power_of_two(weights))

    def _values(self, factor: Factor) -> Array:
        """A numeric factor at every pixel of the table, NaN where a variable is missing."""
        if factor.plain:
            return self._table.values(factor.variables[0])
        if factor.text not in self._made:
            design = make_design(self._table, [Term((factor,))])
            rows = np.flatnonzero(design.complete)
            out = np.full(self._table.n, np.nan)
            made = design.matrix(rows)[0]
            made[np.isnan(made)] = np.inf  # undefined, not missing: it is refused where it is used
            out[rows] = made
            self._made[factor.text] = out
        return self._made[factor.text]


def own_stream(seed: int, *words: str) -> np.random.Generator:
    """Random numbers of one task of one fit: no stratum's depend on what else was asked for."""
    return np.random.default_rng([seed, zlib.crc32("\n".join(words).encode())])


def _at(values: NDArray[Any], rows: Rows) -> NDArray[Any]:
    """Some rows of a column; the column itself where they are all of them."""
    return values if len(rows) == len(values) else values[rows]


def _require_finite(factor: Factor, values: Array) -> None:
    if not np.isinf(values).any():
        return
    if factor.plain:
        raise FitError(f"`{factor.label}` is infinite for some pixels: write missing values as NaN")
    else:
        raise FitError(
            f"`{factor.label}` is infinite or undefined for some pixels: a logarithm or root of zero or "
            "less, a division by zero, or an overflow"
        )


def _renamed(factor: Factor, names: Mapping[str, str]) -> Factor:
    """The same function of other columns."""
    if not names.keys() & set(factor.variables):
        return factor
    expression = _with_names(factor.expression, lambda name: names.get(name, name))
    variables = tuple(names.get(name, name) for name in factor.variables)
    return Factor(canonical(expression), expression, variables, factor.categorical)


def _with_names(expression: Expression, rename: Callable[[str], str]) -> Expression:
    match expression:
        case Name(text, span):
            return Name(rename(text), span)
        case Call(function, arguments, span):
            return Call(function, tuple(_with_names(a, rename) for a in arguments), span)
        case Operation(operator, operands, span):
            return Operation(operator, tuple(_with_names(o, rename) for o in operands), span)
        case _:
            return expression
