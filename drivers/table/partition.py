"""Strata as unions of cells: every row has one cell, every stratum is a few of them.

A summary (moments, counts, histograms) is made once per cell and added up per stratum, so strata
that overlap or are crossed cost nothing more.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from drivers.errors import Fault, TableError, propose
from drivers.spec.response_bounds import bounds
from drivers.spec.strata import ALL, ConditionFamily, Family, LevelFamily
from drivers.table.columns import MANY_LEVELS
from drivers.table.levels import Codes, level_label, match_level
from drivers.table.pixels import PixelTable, missing_column
from drivers.table.select import Mask, select

Limits = tuple[float, float]
"""The interval of a response, its ends infinite where it has none."""

LEVELS_AT_ONCE = 8
"""Conditions of which each pixel's answers are kept as the bits of one byte."""

DENSE_KEYS = 1 << 16
"""Above so many combinations of levels, those that occur are renumbered before the next family comes."""

MOST_KEYS = 1 << 24
"""More combinations than this do not fit into memory as a table of keys."""


@dataclass(frozen=True, slots=True)
class Stratum:
    """A part of the pixels."""

    label: str
    """`all`, `balance=sink`, or `balance=sink,landuse=forestland`."""
    levels: tuple[tuple[str, str], ...]
    """The (family, level) pairs that cut it out; none for all pixels."""
    selects_on_response: bool
    """Whether a condition on the response cuts it out, which truncates the response."""
    cells: tuple[int, ...]
    """The cells of the partition that make it up, ascending."""
    rows: int
    """How many pixels it has; 0 is kept, for it is an answer too."""
    limits: Mapping[str, Limits | None] = field(default_factory=dict)
    """For each response that cuts it out, the interval it leaves; None where no interval says it."""


@dataclass(frozen=True, eq=False)
class Partition:
    """Rows into cells, cells into strata."""

    codes: Codes
    """The cell of each row, shape (n,)."""
    cells: int
    """The number of cells: the combinations of levels that occur."""
    strata: tuple[Stratum, ...]
    """Every stratum asked for, in order, each once."""
    overlaps: tuple[str, ...] = ()
    """The families of which some pixel is in more than one level."""

    def cells_of(self, stratum: Stratum) -> Mask:
        """Which cells are in a stratum, shape (cells,)."""
        inside = np.zeros(self.cells, dtype=np.bool_)
        inside[list(stratum.cells)] = True
        return inside

    def rows_of(self, stratum: Stratum) -> Mask:
        """Which rows are in a stratum, shape (n,)."""
        return self.cells_of(stratum)[self.codes]

    def over(self, families: Sequence[str]) -> tuple[Stratum, ...]:
        """The strata of one crossing of families; of no family, the stratum of all pixels."""
        wanted = tuple(families)
        return tuple(s for s in self.strata if tuple(family for family, _ in s.levels) == wanted)

    def share_pixels(self, a: Stratum, b: Stratum) -> bool:
        """Whether two strata have a pixel in common."""
        return not set(a.cells).isdisjoint(b.cells)


@dataclass(frozen=True, slots=True)
class _Family:
    """A family whose pixels are known: a code per row, and the codes that each level holds."""

    codes: Codes
    size: int
    labels: tuple[str, ...]
    members: NDArray[np.bool_]
    """Which codes belong to which level, shape (size, levels)."""
    limits: tuple[Mapping[str, Limits | None], ...]
    """For each level the responses it selects on, and the interval it leaves of each."""


def make_partition(
    table: PixelTable,
    families: Sequence[Family],
    overs: Sequence[Sequence[str]],
    responses: Collection[str] = (),
) -> Partition:
    """Cut a table into the strata of every crossing in `overs`.

    Parameters
    ----------
    table : PixelTable
    families : sequence of ConditionFamily or LevelFamily
        What the spec declares under `strata:`.
    overs : sequence of sequences of str
        Crossings of family names; an empty one is the stratum of all pixels.
    responses : collection of str
        The responses of the study: a stratum cut on one of them says so.

    Returns
    -------
    Partition
        Cells are numbered by the levels in declared order, never by the order of the rows.

    Examples
    --------
    >>> import pandas as pd
    >>> from drivers.errors import Place
    >>> from drivers.table import pixel_table_from_frame
    >>> table = pixel_table_from_frame(pd.DataFrame({"LUCC": [4, 1, 4, 9]}))
    >>> use = LevelFamily("use", "LUCC", ((1, "crop"), (4, "grass")), Place("specs/x.yaml"))
    >>> partition = make_partition(table, [use], [(), ("use",)])
    >>> [(s.label, s.rows, s.cells) for s in partition.strata], partition.codes.tolist()
    ([('all', 4, (0, 1, 2)), ('use=crop', 1, (1,)), ('use=grass', 2, (2,))], [2, 1, 2, 0])
    """
    declared = {family.name: family for family in families}
    used = list(dict.fromkeys(name for over in overs for name in over))
    faults: list[Fault] = []
    made: dict[str, _Family] = {}
    for name in used:
        if name not in declared:
            faults.append(Fault(f"there are no strata `{name}`", hint=propose(name, list(declared))))
            continue
        try:
            made[name] = _cut(table, declared[name], frozenset(responses))
        except TableError as error:
            faults += error.faults
    if faults:
        raise TableError(faults)
    codes, keys = _cells(table.n, [made[name] for name in used])
    rows = np.bincount(codes, minlength=len(keys))
    strata: dict[str, Stratum] = {}
    for over in overs:
        for stratum in _cross(tuple(over), made, used, keys, rows):
            strata.setdefault(stratum.label, stratum)
    overlaps = [name for i, name in enumerate(used) if (made[name].members[keys[:, i]].sum(axis=1) > 1).any()]
    return Partition(codes, len(keys), tuple(strata.values()), tuple(overlaps))


def _cut(table: PixelTable, family: Family, responses: frozenset[str]) -> _Family:
    if isinstance(family, LevelFamily):
        return _cut_by_levels(table, family, responses)
    return _cut_by_conditions(table, family, responses)


def _cut_by_conditions(table: PixelTable, family: ConditionFamily, responses: frozenset[str]) -> _Family:
    """A bit per level; the patterns that occur become the family's codes."""
    masks: list[Mask] = []
    faults: list[Fault] = []
    for (_, condition), place in zip(family.levels, family.places, strict=True):
        try:
            masks.append(select(table, condition, place))
        except TableError as error:
            faults += error.faults
    if faults:
        raise TableError(faults)
    codes = np.zeros(table.n, dtype=np.int32)
    members = np.zeros((1, 0), dtype=np.bool_)
    for start in range(0, len(masks), LEVELS_AT_ONCE):
        if start:  # many levels: number the patterns that occur before they outgrow an integer
            codes, found = _compact(codes, len(members))
            members = members[found]
        batch = masks[start : start + LEVELS_AT_ONCE]
        bits = np.zeros(table.n, dtype=np.uint8)
        for i, mask in enumerate(batch):
            bits |= mask.view(np.uint8) << np.uint8(i)
        size = 1 << len(batch)
        _check_size(len(members) * size)
        codes *= size
        codes += bits
        patterns = (np.arange(size)[:, None] >> np.arange(len(batch)) & 1).astype(np.bool_)
        members = np.column_stack([np.repeat(members, size, axis=0), np.tile(patterns, (len(members), 1))])
    labels = tuple(label for label, _ in family.levels)
    limits = tuple(
        {name: bounds(condition, name) for name in condition.variables if name in responses}
        for _, condition in family.levels
    )
    return _Family(codes, len(members), labels, members, limits)


def _cut_by_levels(table: PixelTable, family: LevelFamily, responses: frozenset[str]) -> _Family:
    place = family.place
    if family.column not in table.columns:
        fault = missing_column(family.column, table.source, table.columns)
        raise TableError(Fault(f"the strata `{family.name}`: {fault.message}", place, fault.hint))
    found = table.levels(family.column)
    if family.levels is None:
        if len(found) > MANY_LEVELS:
            raise TableError(
                Fault(
                    f"the strata `{family.name}`: column `{family.column}` has {len(found)} values",
                    place,
                    "name the ones you want under `levels:`, or cut it by conditions",
                )
            )
        wanted = [(label, [position]) for position, label in enumerate(found)]
    else:
        merged: dict[str, list[int]] = {}  # two values with one label are one level
        for value, label in family.levels:
            position = match_level(value, found)
            merged.setdefault(label, []).extend([] if position is None else [position])
        wanted = list(merged.items())
        if not any(positions for _, positions in wanted):
            values = ", ".join(f"`{level_label(value)}`" for value, _ in family.levels)
            raise TableError(
                Fault(
                    f"the strata `{family.name}`: no pixel has {family.column} = {values}",
                    place,
                    propose(level_label(family.levels[0][0]) if family.levels else "", found),
                )
            )
    # Code 0 is the pixels of no level, level i of the family is code i + 1.
    size = len(wanted) + 1
    code_of = np.zeros(len(found) + 1, dtype=np.int32)
    for i, (_, positions) in enumerate(wanted):
        code_of[positions] = i + 1
    limits = ({name: None for name in responses if name == family.column},) * len(wanted)
    members = np.eye(size, dtype=np.bool_)[:, 1:]
    codes = code_of[table.codes(family.column)]  # -1, the missing, indexes the last element
    return _Family(codes, size, tuple(label for label, _ in wanted), members, limits)


def _cells(n: int, families: Sequence[_Family]) -> tuple[Codes, NDArray[np.int64]]:
    """The cell of each row, and the code of every family in each cell, shape (cells, families)."""
    codes = np.zeros(n, dtype=np.int32)
    keys = np.zeros((1, 0), dtype=np.int64)
    for i, family in enumerate(families):
        if len(keys) * family.size > DENSE_KEYS:
            codes, found = _compact(codes, len(keys))
            keys = keys[found]
        _check_size(len(keys) * family.size)
        codes = codes * np.int32(family.size) + family.codes if i else family.codes
        keys = np.column_stack(
            [np.repeat(keys, family.size, axis=0), np.tile(np.arange(family.size), len(keys))]
        )
    codes, found = _compact(codes, len(keys))
    return codes, keys[found]


def _check_size(combinations: int) -> None:
    if combinations > MOST_KEYS:
        raise TableError(f"the strata have {combinations} combinations of levels; the most is {MOST_KEYS}")


def _compact(keys: Codes, size: int) -> tuple[Codes, NDArray[np.int64]]:
    """Number the keys that occur, ascending: the new code of each row, and the key of each code."""
    found = np.flatnonzero(np.bincount(keys, minlength=size))
    if len(found) == size:
        return keys, found
    rank = np.zeros(size, dtype=np.int32)
    rank[found] = np.arange(len(found), dtype=np.int32)
    return rank[keys], found


def _cross(
    over: tuple[str, ...],
    made: Mapping[str, _Family],
    used: Sequence[str],
    keys: NDArray[np.int64],
    rows: NDArray[np.int64],
) -> list[Stratum]:
    """The strata of one crossing, in the declared order of its families' levels."""
    strata = []
    for levels in itertools.product(*(range(len(made[name].labels)) for name in over)):
        chosen = list(zip(over, levels, strict=True))
        inside = np.ones(len(keys), dtype=np.bool_)
        for name, level in chosen:
            inside &= made[name].members[keys[:, used.index(name)], level]
        pairs = tuple((name, made[name].labels[level]) for name, level in chosen)
        limits = _common_limits([made[name].limits[level] for name, level in chosen])
        strata.append(
            Stratum(
                ",".join(f"{family}={level}" for family, level in pairs) or ALL,
                pairs,
                bool(limits),
                tuple(int(cell) for cell in np.flatnonzero(inside)),
                int(rows[inside].sum()),
                limits,
            )
        )
    return strata


def _common_limits(parts: Sequence[Mapping[str, Limits | None]]) -> dict[str, Limits | None]:
    """What all of some levels leave of each response."""
    found: dict[str, Limits | None] = {}
    for part in parts:
        for name, limits in part.items():
            so_far = found.get(name, (-np.inf, np.inf))
            both = (
                None
                if limits is None or so_far is None
                else (max(limits[0], so_far[0]), min(limits[1], so_far[1]))
            )
            found[name] = both
    return found
