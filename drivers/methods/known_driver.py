"""One driver as a forest knows it: at the pixels of another table, and as words on disk."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from drivers.errors import Fault, Place, TableError
from drivers.methods.driver_sample import Levels, Numbers
from drivers.methods.forest_file import DriverWords, damaged
from drivers.methods.learnt import Constants, factor_values, scales_in
from drivers.spec.bound import Driver
from drivers.spec.canonical import canonical, names_in
from drivers.spec.formula import parse_formula
from drivers.spec.terms import Call, Factor, Name, Span
from drivers.spec.tokens import quoted_name
from drivers.table import PixelTable
from drivers.table.columns import Row

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class KnownDriver:
    """A driver as the forest knows it.

    Attributes
    ----------
    driver : its factor and its group
    labels : the levels in the order of their codes; empty for numbers
    constants : (mean, standard deviation) of every `scale()` in its factor, learnt when it was fitted
    missing : whether pixels of the training lacked it: only then do the trees know where such pixels go
    """

    driver: Driver
    labels: tuple[str, ...]
    constants: Constants
    missing: bool

    def at(self, table: PixelTable, rows: slice, row: Row) -> Numbers | Levels:
        """The driver at some rows of a table; a level that was not seen has the code after the last one.

        Raises
        ------
        TableError
            If it is infinite somewhere, or a function without a value.
        """
        factor = self.driver.factor
        if factor.categorical:
            name = factor.variables[0]
            place = {label: i for i, label in enumerate(self.labels)}
            codes = [place.get(label, len(place)) for label in table.levels(name)]
            here = np.array([*codes, -1], dtype=np.int32)  # the last is for -1, the missing
            return Levels(self.driver, here[table.codes(name)[rows]], self.labels)

        def column(name: str) -> Array:
            return table.frame[name].iloc[rows].to_numpy(dtype=np.float64, na_value=np.nan)

        values = factor_values(factor, column, self.constants)
        infinite = np.isinf(values)
        if infinite.any():
            first = row(rows.start + int(np.argmax(infinite)))
            raise TableError(_not_finite(factor, table.source, first))
        return Numbers(self.driver, values)


def _not_finite(factor: Factor, source: str, first: str) -> Fault:
    if factor.plain:
        message = f"column `{factor.label}` of {source} is infinite, first in {first}"
        return Fault(message, hint="write missing values as NaN")
    message = f"`{factor.label}` is infinite or undefined in {source}, first in {first}"
    hint = "a logarithm or root of zero or less, a division by zero, or an overflow: make it missing there"
    return Fault(message, hint=hint)


def words_of(known: KnownDriver, centre: float, unit: float) -> DriverWords:
    """A driver as words on disk, with where trees have it moved to."""
    factor, expression = known.driver.factor, known.driver.factor.expression
    column = isinstance(expression, Name)
    return DriverWords(
        column=expression.text if isinstance(expression, Name) else None,
        function=None if column else factor.text,
        group=known.driver.group,
        categorical=factor.categorical,
        levels=known.labels,
        centre=centre,
        unit=unit,
        missing=known.missing,
        scaled=tuple(None if np.isnan(pair).any() else pair for pair in known.constants),
    )


def known_driver(words: DriverWords, path: Path) -> KnownDriver:
    """A driver from its words; a function is read by the grammar of formulas, and nothing else reads it.

    Raises
    ------
    TableError
        If the words do not fit together; `path` is where they stand.
    """
    if words.column is not None and words.function is None:
        name = Name(words.column, Span(0, 0))
        factor = Factor(quoted_name(words.column), name, (words.column,), words.categorical)
    elif words.column is None and words.function is not None:
        factor = _function(words.function, path)
    else:
        raise damaged(path, "a driver is neither a column nor a function")
    constants = tuple((np.nan, np.nan) if pair is None else pair for pair in words.scaled)
    fits = scales_in(factor.expression) == len(constants) and factor.categorical == words.categorical
    if not fits or (words.levels and not words.categorical) or len(set(words.levels)) < len(words.levels):
        raise damaged(path, f"what it says of `{factor.label}` does not fit together")
    if not factor.categorical:
        _check_computes(factor, constants, path)
    return KnownDriver(Driver(factor, words.group), words.levels, constants, words.missing)


def _function(text: str, path: Path) -> Factor:
    faults: list[Fault] = []
    equations = parse_formula(f"y ~ {text}", lambda _: Place(str(path)), faults)
    if not faults and len(equations) == 1 and len(equations[0].right) == 1:
        found = equations[0].right[0].expression
        if isinstance(found, Call) and canonical(found) == text and found.function != "poly":
            variables = tuple(dict.fromkeys(name.text for name in names_in(found)))
            return Factor(text, found, variables, found.function == "C")
    raise damaged(path, f"`{text}` is no function of the formula language")


def _check_computes(factor: Factor, constants: Constants, path: Path) -> None:
    """Numbers inside a function are Python's: `1 / 0` or a complex root would break off a prediction."""
    try:
        probe = factor_values(factor, lambda _: np.ones(1), constants)
    except (ArithmeticError, TypeError, ValueError):
        probe = np.empty(0)
    if probe.shape != (1,):
        raise damaged(path, f"`{factor.label}` cannot be worked out")
