"""Derived columns on some rows of the grid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import cast

import numpy as np
from numpy.typing import NDArray

from drivers.errors import Fault, Place, TableError
from drivers.spec.canonical import canonical, names_in
from drivers.spec.derived import EXTREMES, OVER_YEARS, RESPIRATION, TERRAIN
from drivers.spec.table_derive import DerivedSpec
from drivers.spec.terms import Call, Expression, Name, Number, Operation, Text
from drivers.stats.respiration import PLAUSIBLE, Variant, check_annual_respiration, monthly_respiration
from drivers.stats.terrain import northness, slope_and_aspect
from drivers.table.rasters.files import dated
from drivers.table.rasters.series import MONTHS, ranges
from drivers.table.rasters.stack import Stack

Array = NDArray[np.float64]
Years = tuple[int, ...]

UNITS = {"slope": "degree", "aspect": "degree", "northness": "1", RESPIRATION: "g C m-2 yr-1"}
"""Units of columns that are one call of a function."""

_ELEMENTWISE = {"abs": np.abs, "exp": np.exp, "log": np.log, "sqrt": np.sqrt}


@dataclass
class Tally:
    """Annual respiration of pixels: how many, and how many outside the range that is seen on land."""

    n: int = 0
    below: float = 0.0
    above: float = 0.0

    def note(self, text: str) -> str | None:
        """A word where it leaves the range."""
        if self.below + self.above == 0.0:
            return None
        low, high = PLAUSIBLE
        parts = [
            f"{count / self.n:.1%} {where} {bound:g}"
            for count, where, bound in ((self.below, "below", low), (self.above, "above", high))
            if count
        ]
        return (
            f"`{text}`: annual respiration is {' and '.join(parts)} g C m-2 of all pixels and years; "
            "check the units (degC, mm a month) and the variant"
        )


def years_of(expression: Expression, known: Mapping[str, Years]) -> Years | None:
    """The years that all parts of an expression have; None where it has no years.

    Parameters
    ----------
    known : years of layers and of derived columns; empty for those without
    """
    match expression:
        case Name(text):
            return known[text] or None
        case Call(function, _) if function in OVER_YEARS:
            return None
        case Call(_, parts) | Operation(_, parts):
            found = [years for part in parts if (years := years_of(part, known)) is not None]
            if not found:
                return None
            shared = set(found[0]).intersection(*found[1:])
            return tuple(sorted(shared))
    return None


def derived_years(
    derived: Sequence[DerivedSpec], layers: Mapping[str, Years]
) -> tuple[dict[str, Years], list[str]]:
    """The years of every layer and derived column, and a note where parts have more years than the whole.

    Raises
    ------
    TableError
        Where the parts of a column share no year.
    """
    known, notes = dict(layers), []
    waiting = list(derived)
    while waiting:
        item = next(i for i in waiting if not _names(i.expression) & {other.name for other in waiting})
        waiting.remove(item)
        years = years_of(item.expression, known)
        parts = {name: known[name] for name in sorted(_names(item.expression)) if known[name]}
        said = "; ".join(f"`{name}` {ranges(held)}" for name, held in parts.items())
        if years is not None and not years:
            message = f"the parts of `{item.name}` share no year"
            raise TableError(Fault(message, item.place, said))
        known[item.name] = years or ()
        if years and any(set(held) != set(years) for held in parts.values()) and _strict(item.expression):
            notes.append(
                f"`{item.name}` is for {ranges(years)}, the years that all of its parts have: {said}"
            )
    return known, notes


def _strict(expression: Expression) -> bool:
    """Whether no part goes over years of its own."""
    match expression:
        case Call(function, parts):
            return function not in OVER_YEARS and all(_strict(part) for part in parts)
        case Operation(_, parts):
            return all(_strict(part) for part in parts)
    return True


def _names(expression: Expression) -> set[str]:
    return {name.text for name in names_in(expression)}


class Evaluator:
    """Values of layers and derived columns on rows of the grid."""

    def __init__(self, stack: Stack, derived: Sequence[DerivedSpec], years: Mapping[str, Years]) -> None:
        self._stack = stack
        self._derived = {item.name: item for item in derived}
        self._years = years
        self._held: dict[tuple[str, int | None, int, int], NDArray[np.floating]] = {}
        self._outside: NDArray[np.bool_] = np.zeros((0, 0), dtype=np.bool_)
        self._rows = (0, 0)
        self._place: Place | None = None
        self._name = ""
        self._seen: set[tuple[int, int | None]] = set()
        self.tallies: dict[str, Tally] = {}
        self.undefined: dict[tuple[str, str], int] = {}
        """(derived column, what was computed) -> values that it has no result for, over all years."""

    def begin(self, start: int, stop: int, inside: NDArray[np.bool_]) -> None:
        """Go on to these rows; forget the others."""
        self._held.clear()
        self._seen.clear()
        self._rows, self._outside = (start, stop), ~inside

    def forget(self) -> None:
        """Let go of what was read; whoever asked for it has it."""
        self._held.clear()

    def column(self, name: str, year: int | None) -> NDArray[np.floating]:
        """A layer or derived column on the rows at hand, as it was read or in double precision."""
        return self._named(name, year, *self._rows)

    def _named(self, name: str, year: int | None, start: int, stop: int) -> NDArray[np.floating]:
        when = year if self._years[name] else None
        key = (name, when, start, stop)
        if key not in self._held:
            item = self._derived.get(name)
            if item is None:
                self._held[key] = self._stack.values(name, when, start, stop)
            else:
                outer, self._place, self._name = (self._place, self._name), item.place, name
                with np.errstate(all="ignore"):
                    self._held[key] = self._value(item.expression, when, start, stop)
                self._place, self._name = outer
        return self._held[key]

    def _value(self, expression: Expression, year: int | None, start: int, stop: int) -> Array:
        match expression:
            case Name(text):
                return np.asarray(self._named(text, year, start, stop), dtype=np.float64)
            case Number(value):
                return np.full((stop - start, self._stack.target.columns), value)
            case Operation(_, (only,)):
                return -self._value(only, year, start, stop)
            case Operation(operator, (left, right)):
                one, other = (self._value(part, year, start, stop) for part in (left, right))
                found = _combine(operator, one, other)
                self._note_undefined(expression, year, start, stop, found, one, other)
                return found
            case Call():
                return self._call(expression, year, start, stop)
        raise AssertionError(f"{type(expression).__name__} in a derived column")

    def _call(self, call: Call, year: int | None, start: int, stop: int) -> Array:
        function, parts = call.function, call.arguments
        if function == RESPIRATION:
            return self._respiration(call, year, start, stop)
        if function in TERRAIN:
            return self._terrain(function, parts[0], year, start, stop)
        if function in OVER_YEARS:
            years = years_of(parts[0], self._years) or ()
            total = self._value(parts[0], years[0], start, stop)
            for other in years[1:]:
                total = total + self._value(parts[0], other, start, stop)
            return total / len(years) if function == "mean" else total
        values = [self._value(part, year, start, stop) for part in parts]
        if function in EXTREMES:
            return np.asarray(reduce(np.minimum if function == "min" else np.maximum, values))
        found = np.asarray(_ELEMENTWISE[function](values[0]))
        self._note_undefined(call, year, start, stop, found, values[0])
        return found

    def _note_undefined(
        self,
        of: Operation | Call,
        year: int | None,
        start: int,
        stop: int,
        found: Array,
        *parts: Array,
    ) -> None:
        """Count where a result is missing though no part of it is: the logarithm of a negative number, 0 / 0.

        A piece of the grid with rows around it, as terrain needs, is counted without these, and once.
        """
        mine = slice(self._rows[0] - start, self._rows[1] - start)
        if (id(of), year) in self._seen or mine.start < 0 or mine.stop > stop - start:
            return
        self._seen.add((id(of), year))
        lost = np.isnan(found[mine]) & ~self._outside
        for part in parts:
            lost &= ~np.isnan(part[mine])
        if lost.any():
            key = self._name, canonical(of)
            self.undefined[key] = self.undefined.get(key, 0) + int(lost.sum())

    def _terrain(self, function: str, dem: Expression, year: int | None, start: int, stop: int) -> Array:
        """With one more row above and below, so that pieces of the grid meet without a seam."""
        target = self._stack.target
        top, bottom = max(start - 1, 0), min(stop + 1, target.rows)
        found = slope_and_aspect(self._value(dem, year, top, bottom), *target.sides(top, bottom))
        values = found.slope if function == "slope" else found.aspect
        kept = values[start - top : start - top + stop - start]
        return northness(kept) if function == "northness" else kept

    def _respiration(self, call: Call, year: int | None, start: int, stop: int) -> Array:
        warm, wet, variant = cast("tuple[Name, Name, Text]", call.arguments)
        total = np.zeros((stop - start, self._stack.target.columns))
        mine = (start, stop) == self._rows
        for month in range(1, MONTHS + 1):
            t = self._stack.month(warm.text, year, month, start, stop).astype(np.float64)
            p = self._stack.month(wet.text, year, month, start, stop).astype(np.float64)
            if mine:
                p[self._outside] = np.nan
            try:
                total += monthly_respiration(t, p, cast(Variant, variant.value))
            except ValueError as error:
                message = f"respiration of {dated(year, month)}: {error}"
                hint = f"declare the code with `nodata:` in the layer `{wet.text}`"
                raise TableError(Fault(message, self._place, hint)) from None
        if mine:
            tally = self.tallies.setdefault(canonical(call), Tally())
            seen = check_annual_respiration(total.ravel())
            if seen.n:
                tally.n += seen.n
                tally.below += seen.below * seen.n
                tally.above += seen.above * seen.n
        return total


def _combine(operator: str, one: Array, other: Array) -> Array:
    match operator:
        case "+":
            return one + other
        case "-":
            return one - other
        case "*":
            return one * other
        case "/":
            return np.asarray(one / other)
    return np.asarray(one**other)
