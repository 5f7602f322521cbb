"""The columns of a study in their roles: responses, and drivers in groups."""

from __future__ import annotations

from dataclasses import dataclass, field

from drivers.errors import Fault, Place
from drivers.spec.places import KeyPath, Places
from drivers.spec.shapes import StudyShape, VariableShape


@dataclass(frozen=True, slots=True)
class Variable:
    """A column with its role."""

    name: str
    unit: str
    categorical: bool
    group: str
    """Its driver group; empty for a response."""
    place: Place = field(compare=False)


@dataclass(frozen=True, slots=True)
class Roles:
    """All columns that a study declares, in the spec's order."""

    responses: tuple[Variable, ...]
    drivers: tuple[Variable, ...]
    groups: tuple[tuple[str, tuple[str, ...]], ...]


_Given = str | list[str] | dict[str, VariableShape | None]


def read_roles(study: StudyShape, places: Places, faults: list[Fault]) -> Roles:
    """Read `response` and `drivers`; refuse a column with two roles, and a group called like a column."""
    responses = _variables(study.response or [], ("response",), "", places)
    groups: list[tuple[str, tuple[str, ...]]] = []
    drivers: list[Variable] = []
    for group, given in (study.drivers or {}).items():
        members = _variables(given, ("drivers", group), group, places)
        if not members:
            faults.append(Fault(f"the driver group `{group}` is empty", places.key(("drivers", group))))
        groups.append((group, tuple(member.name for member in members)))
        drivers += members
    seen: dict[str, Variable] = {}
    for variable in (*responses, *drivers):
        first = seen.setdefault(variable.name, variable)
        if first is not variable:
            faults.append(Fault(_clash(first, variable), variable.place, "a column has one role"))
    for group, _ in groups:
        if group in seen:
            message = f"`{group}` is both a driver group and a column"
            faults.append(Fault(message, places.key(("drivers", group)), "rename the group"))
    return Roles(tuple(responses), tuple(drivers), tuple(groups))


def _variables(given: _Given, path: KeyPath, group: str, places: Places) -> list[Variable]:
    if isinstance(given, str):
        return [Variable(given, "", False, group, places.value(path))]
    if isinstance(given, list):
        return [
            Variable(name, "", False, group, places.value((*path, index))) for index, name in enumerate(given)
        ]
    return [
        Variable(
            name,
            shape.unit if shape is not None else "",
            shape.categorical if shape is not None else False,
            group,
            places.key((*path, name)),
        )
        for name, shape in given.items()
    ]


def _clash(first: Variable, second: Variable) -> str:
    if first.group == second.group:
        home = f"in the group `{first.group}`" if first.group else "under `response`"
        return f"`{first.name}` stands twice {home}"
    if not first.group:
        return f"`{first.name}` is both a response and a driver"
    return f"`{first.name}` is in two driver groups, `{first.group}` and `{second.group}`"
