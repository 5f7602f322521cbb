"""What two finished runs have in common, and whether it may be compared."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from drivers.errors import Fault, TableError

Facts = Mapping[str, Any]
"""The contents of a run.json."""

_COMMENT = re.compile(r"('[^']*'|\"[^\"]*\"|`[^`]*`)|#[^\n]*")
"""A comment, or a quoted text that may hold a `#`."""


@dataclass(frozen=True, slots=True)
class CommonGround:
    """What two runs share.

    Attributes
    ----------
    models, strata : by name and label, in the first run's order
    notes : what is not compared, or means less than it seems
    units : the variables whose units differ
    """

    models: tuple[str, ...]
    strata: tuple[str, ...]
    notes: tuple[str, ...] = ()
    units: frozenset[str] = frozenset()

    def other_unit(self, term: str) -> bool:
        """Whether a variable whose unit differs is in a term.

        Examples
        --------
        >>> ground = CommonGround((), (), units=frozenset({"PRE"}))
        >>> ground.other_unit("log1p(PRE)"), ground.other_unit("PRE_max")
        (True, False)
        """
        return any(re.search(rf"(?<![\w.]){re.escape(name)}(?![\w.])", term) for name in self.units)


def common_ground(facts_a: Facts, facts_b: Facts, name_a: str, name_b: str) -> CommonGround:
    """What two runs share; refuses two that cannot be compared.

    Parameters
    ----------
    facts_a, facts_b : their run.json
    name_a, name_b : what messages call them

    Raises
    ------
    TableError
        Every reason why nothing can be compared, at once: the same table, no stratum in common, no model in
        common, or other formulas, methods or options in all shared models.

    Examples
    --------
    >>> model = {"name": "m", "method": "brt", "formula": "NEP ~ TEM", "options": {}}
    >>> north, south = ({"models": [model], "strata": ["all"], "sha256": {"table": t}} for t in "ab")
    >>> common_ground(north, south, "north", "south").models
    ('m',)
    """
    faults = _same_table(facts_a, facts_b, name_a, name_b)
    models_a, models_b = (_models(facts) for facts in (facts_a, facts_b))
    shared = [name for name in models_a if name in models_b]
    if not shared:
        faults.append(_nothing("model", list(models_a), list(models_b), name_a, name_b))
    unlike = {
        name: differences
        for name in shared
        if (differences := _differences(models_a[name], models_b[name], name_a, name_b))
    }
    if shared and len(unlike) == len(shared):
        faults += [
            Fault(f"model `{name}` is not the same model in both runs", hint="\n  ".join(found))
            for name, found in unlike.items()
        ]
    strata_a, strata_b = (list(facts.get("strata") or []) for facts in (facts_a, facts_b))
    strata = [label for label in strata_a if label in strata_b]
    if not strata:
        faults.append(_nothing("stratum", strata_a, strata_b, name_a, name_b))
    if faults:
        raise TableError(faults)
    notes = [
        f"model `{name}` is not compared, for it is not the same model in both runs: {'; '.join(found)}"
        for name, found in unlike.items()
    ]
    units = _units(facts_a, facts_b)
    if units:
        listed = ", ".join(f"`{name}` ({a} and {b})" for name, (a, b) in units.items())
        notes.append(
            f"units differ between `{name_a}` and `{name_b}`: {listed}; raw paths and effects from or to "
            "them are left out, standardised ones, q and influence have no units"
        )
    notes += _drivers_of_one(facts_a, facts_b, name_a, name_b)
    models = tuple(name for name in shared if name not in unlike)
    return CommonGround(models, tuple(strata), tuple(notes), frozenset(units))


def _same_table(facts_a: Facts, facts_b: Facts, name_a: str, name_b: str) -> list[Fault]:
    a, b = ((facts.get("sha256") or {}).get("table") for facts in (facts_a, facts_b))
    if not a or a != b:
        return []
    return [
        Fault(
            f"`{name_a}` and `{name_b}` used the same table, so a stratum would be compared with itself",
            hint="give two runs on two tables, of two regions or two periods; strata of one run are compared "
            "in its own report",
        )
    ]


def _models(facts: Facts) -> dict[str, Mapping[str, Any]]:
    return {str(model["name"]): model for model in facts.get("models") or []}


def _nothing(what: str, in_a: Sequence[str], in_b: Sequence[str], name_a: str, name_b: str) -> Fault:
    """Nothing of a kind is in both runs."""

    def listed(names: Sequence[str]) -> str:
        return ", ".join(f"`{name}`" for name in names) or "none"

    hint = f"`{name_a}` has {listed(in_a)}; `{name_b}` has {listed(in_b)}"
    return Fault(f"no {what} is in both `{name_a}` and `{name_b}`", hint=hint)


def _differences(a: Mapping[str, Any], b: Mapping[str, Any], name_a: str, name_b: str) -> list[str]:
    """What tells two models of one name apart, in words."""
    found = []
    if a.get("method") != b.get("method"):
        found.append(f"its method is {a.get('method')} in `{name_a}` and {b.get('method')} in `{name_b}`")
    formulas = [_statements(str(model.get("formula") or "")) for model in (a, b)]
    if formulas[0] != formulas[1]:
        texts = ["; ".join(lines) for lines in formulas]
        found.append(f"its formula is  {texts[0]}  in `{name_a}` and  {texts[1]}  in `{name_b}`")
    options_a, options_b = (dict(model.get("options") or {}) for model in (a, b))
    for key in sorted(options_a.keys() | options_b.keys()):
        here, there = (_said(options, key) for options in (options_a, options_b))
        if here != there:
            found.append(f"its option `{key}` is {here} in `{name_a}` and {there} in `{name_b}`")
    return found


def _said(options: Mapping[str, Any], key: str) -> str:
    return str(options[key]) if key in options else "the default"


def _statements(formula: str) -> tuple[str, ...]:
    """The lines of a formula without comments and spare blanks; their order means nothing.

    Where a statement runs over several lines the order stays, for sorting would tear it apart.
    """
    bare = _COMMENT.sub(lambda match: match[1] or "", formula)
    lines = [" ".join(line.split()) for line in re.split(r"[\n;]", bare)]
    lines = [line for line in lines if line]
    return tuple(sorted(lines) if all("~" in line for line in lines) else lines)


def _units(facts_a: Facts, facts_b: Facts) -> dict[str, tuple[str, str]]:
    """The units of variables that have another one in each run; a unit that is not told is no other one."""
    told = []
    for facts in (facts_a, facts_b):
        variables = [facts.get("response") or {}, *(facts.get("drivers") or [])]
        told.append({str(v["name"]): str(v.get("unit") or "") for v in variables if v.get("name")})
    a, b = told
    return {name: (a[name], b[name]) for name in a if a[name] and b.get(name) and a[name] != b[name]}


def _drivers_of_one(facts_a: Facts, facts_b: Facts, name_a: str, name_b: str) -> list[str]:
    names = [[str(d["name"]) for d in facts.get("drivers") or []] for facts in (facts_a, facts_b)]
    notes = []
    for mine, others, run in ((names[0], names[1], name_a), (names[1], names[0], name_b)):
        alone = [name for name in mine if name not in others]
        if alone:
            listed = ", ".join(f"`{name}`" for name in alone)
            are = "is a driver" if len(alone) == 1 else "are drivers"
            notes.append(
                f"{listed} {are} in `{run}` only; where a formula names a group or `.`, the numbers of other "
                "drivers do not allow for the same ones in both runs"
            )
    return notes
