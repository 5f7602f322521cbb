"""Series of a study: variables that a table holds as a column a year."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from drivers.errors import Fault, Place
from drivers.spec.places import KeyPath, Places
from drivers.spec.roles import Roles
from drivers.spec.shapes import SeriesShape, StudyShape
from drivers.spec.strata import Family, Level, LevelFamily, level_label

YEAR = "{year}"


@dataclass(frozen=True, slots=True)
class Series:
    """A variable by year, as a spec declares it; which years there are, the table says."""

    name: str
    template: str
    """The names of its columns, with `{year}`."""
    years: tuple[int, int] | None = None
    """The first and the last year that count; None for all that the table has."""
    unit: str = ""
    categorical: bool | None = None
    """Whether its values are classes; None where nobody says."""
    levels: tuple[tuple[Level, str], ...] | None = None
    """(value, label) of the classes that count; None for all of them."""
    names: tuple[tuple[Level, str], ...] = ()
    """Labels of classes that do not choose among them: those of a family of strata of that column."""
    place: Place = field(default=Place(""), compare=False)
    """Where its pattern stands."""

    def column(self, year: int) -> str:
        """The column of a year."""
        return self.template.replace(YEAR, str(year))

    def years_in(self, columns: Iterable[str]) -> dict[int, str]:
        """The years among some columns, ascending, each with its column; a year has four digits.

        >>> Series("NEP", "NEP_{year}").years_in(["x", "NEP_2002", "NEP_2001", "NEP_mean", "NEP_99"])
        {2001: 'NEP_2001', 2002: 'NEP_2002'}
        """
        first, *others = (re.escape(part) for part in self.template.split(YEAR))
        # A pattern that has the year twice has the same one twice.
        pattern = first + "([1-9][0-9]{3})" + r"\1".join(others)
        found = {int(match[1]): name for name in columns if (match := re.fullmatch(pattern, name))}
        low, high = self.years or (min(found, default=0), max(found, default=0))
        return {year: found[year] for year in sorted(found) if low <= year <= high}


def read_series(
    study: StudyShape, roles: Roles, strata: Iterable[Family], places: Places, faults: list[Fault]
) -> tuple[Series, ...]:
    """The series of a study, as the spec orders them; two of them cannot be the same columns.

    Unit and kind are those of the variable of that name, unless the series has its own.
    """
    variables = {variable.name: variable for variable in (*roles.responses, *roles.drivers)}
    labels: dict[str, tuple[tuple[Level, str], ...]] = {}
    for family in strata:
        if isinstance(family, LevelFamily) and family.levels is not None:
            labels.setdefault(family.column, family.levels)
    found: list[Series] = []
    owners: dict[str, str] = {}
    for name, given in (study.series or {}).items():
        at: KeyPath = ("series", name)
        shape = SeriesShape(columns=given) if isinstance(given, str) else given
        place = places.value(at if isinstance(given, str) else (*at, "columns"))
        first = owners.setdefault(shape.columns, name)
        if first != name:
            message = f"the series `{first}` and `{name}` are the same columns `{shape.columns}`"
            faults.append(Fault(message, place, "give one name to a series"))
        if shape.levels is not None and shape.categorical is False:
            message = f"the series `{name}` has `levels` and is not categorical"
            faults.append(Fault(message, places.value((*at, "categorical")), "remove one of them"))
        if shape.levels is not None and not shape.levels:
            faults.append(Fault(f"the series `{name}` has no levels", places.value((*at, "levels"))))
        variable = variables.get(name)
        categorical = shape.categorical
        declared = variable is not None and variable.categorical
        if shape.levels is not None or (categorical is None and declared):
            categorical = True
        found.append(
            Series(
                name,
                shape.columns,
                None if shape.years is None else (shape.years[0], shape.years[1]),
                shape.unit if shape.unit is not None else variable.unit if variable is not None else "",
                categorical,
                _levels(shape.levels),
                labels.get(name, ()),
                place,
            )
        )
    return tuple(found)


def _levels(given: list[Level] | Mapping[Level, str] | None) -> tuple[tuple[Level, str], ...] | None:
    if given is None:
        return None
    if isinstance(given, list):
        return tuple((value, level_label(value)) for value in given)
    return tuple(given.items())
