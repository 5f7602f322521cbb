"""Families of strata: from conditions, or from the levels of a column."""

from __future__ import annotations

from dataclasses import dataclass, field

from drivers.errors import Fault, Place, propose
from drivers.spec.canonical import number_text
from drivers.spec.condition import Condition, parse_condition
from drivers.spec.places import KeyPath, Places
from drivers.spec.shapes import LevelsShape, StudyShape
from drivers.spec.tokens import Refused

ALL = "all"
"""The reserved name of the stratum that holds every pixel."""

Level = bool | int | float | str


@dataclass(frozen=True, slots=True)
class ConditionFamily:
    """Strata such as `sink: NEP > 0`; they may overlap and need not cover all pixels."""

    name: str
    levels: tuple[tuple[str, Condition], ...]
    """(label, condition), as the spec orders them."""
    place: Place = field(compare=False)
    places: tuple[Place, ...] = field(compare=False)
    """Where each condition stands."""

    @property
    def variables(self) -> tuple[str, ...]:
        """The columns that the conditions use, each once."""
        return tuple(dict.fromkeys(name for _, condition in self.levels for name in condition.variables))


@dataclass(frozen=True, slots=True)
class LevelFamily:
    """One stratum per value of a column."""

    name: str
    column: str
    levels: tuple[tuple[Level, str], ...] | None
    """(value, label), as the spec orders them; None for all values of the column."""
    place: Place = field(compare=False)
    """Where the column is named."""

    @property
    def variables(self) -> tuple[str, ...]:
        """The column."""
        return (self.column,)


Family = ConditionFamily | LevelFamily


def read_strata(study: StudyShape, places: Places, faults: list[Fault]) -> tuple[Family, ...]:
    """The families of a study, as the spec orders them."""
    families: list[Family] = []
    for name, shape in (study.strata or {}).items():
        path: KeyPath = ("strata", name)
        if name == ALL:
            message = f"a family of strata cannot be called `{ALL}`: that is the stratum of all pixels"
            faults.append(Fault(message, places.key(path)))
        elif isinstance(shape, LevelsShape):
            families.append(_level_family(name, shape, places, faults))
        else:
            families.append(_condition_family(name, shape, places, faults))
    return tuple(families)


def read_over(
    text: str, families: tuple[Family, ...], place: Place, faults: list[Fault]
) -> tuple[str, ...] | None:
    """The families that an `over` item crosses: () for `all`, None when it is wrong."""
    names = [part.strip() for part in text.split("*")]
    if names == [ALL]:
        return ()
    known = [family.name for family in families]
    before = len(faults)
    for name in names:
        if name == ALL:
            faults.append(Fault(f"`{ALL}` cannot be crossed", place, f"leave `{ALL}` out of the product"))
        elif name not in known:
            message = f"`over` names `{name}`, which is not under `strata`" if name else "`*` crosses nothing"
            faults.append(Fault(message, place, propose(name, [ALL, *known])))
        elif names.count(name) > 1:
            faults.append(Fault(f"`{name}` is crossed with itself", place))
            break
    return tuple(names) if len(faults) == before else None


def _condition_family(
    name: str, conditions: dict[str, str], places: Places, faults: list[Fault]
) -> ConditionFamily:
    path: KeyPath = ("strata", name)
    if not conditions:
        faults.append(Fault(f"the family `{name}` has no strata", places.key(path)))
    levels, where = [], []
    for label, text in conditions.items():
        at = (*path, label)
        try:
            levels.append((label, parse_condition(text)))
            where.append(places.value(at))
        except Refused as refused:
            faults.append(refused.fault(lambda span, at=at: places.inside(at, span)))  # type: ignore[misc]
    return ConditionFamily(name, tuple(levels), places.key(path), tuple(where))


def _level_family(name: str, shape: LevelsShape, places: Places, faults: list[Fault]) -> LevelFamily:
    path: KeyPath = ("strata", name)
    place = places.value((*path, "column"))
    if shape.levels is None:
        return LevelFamily(name, shape.column, None, place)
    at: KeyPath = (*path, "levels")
    listed = isinstance(shape.levels, list)
    pairs = (
        [(value, level_label(value)) for value in shape.levels]
        if isinstance(shape.levels, list)
        else list(shape.levels.items())
    )
    if not pairs:
        faults.append(Fault(f"the family `{name}` has no levels", places.key(at)))
    seen: set[str] = set()
    for index, (value, label) in enumerate(pairs):
        here = places.value((*at, index if listed else value))
        if listed and any(sign in label for sign in "=,*"):
            message = f"the level `{label}` holds one of `=`, `,`, `*`"
            faults.append(Fault(message, here, "give it a label: `levels: {value: label}`"))
        if label in seen:
            hint = "" if listed else "to join two values, write a condition"
            faults.append(Fault(f"two levels of `{name}` are called `{label}`", here, hint))
        seen.add(label)
    return LevelFamily(name, shape.column, tuple(pairs), place)


def level_label(value: Level) -> str:
    """How a level without a label is called.

    >>> level_label(1), level_label(2.0), level_label("forest"), level_label(True)
    ('1', '2', 'forest', 'true')
    """
    if isinstance(value, bool):
        return str(value).lower()
    return number_text(float(value)) if isinstance(value, float) else str(value)
