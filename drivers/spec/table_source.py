"""Where a study's table comes from: a file, a simulated world, or rasters by a table spec."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from drivers.errors import Fault, Place, SpecError, propose
from drivers.spec.places import KeyPath, Places
from drivers.spec.shapes import DEMO_PIXELS, TableShape
from drivers.spec.table_spec import TableSpec, read_table_spec


@dataclass(frozen=True, slots=True)
class TableSource:
    """Where the pixel table comes from."""

    kind: Literal["path", "simulate", "spec"]
    path: Path | None
    """The file, relative to the working directory or absolute; None for `simulate`."""
    simulate: str
    """The planted world; for `simulate` only."""
    pixels: int
    seed: int | None
    """The world's own seed; None for the study's."""
    place: Place = field(compare=False)
    """Where the spec says so, for faults of the table."""
    spec: TableSpec | None = None
    """How to make the file from rasters; for `spec` only."""


def read_table_source(
    table: TableShape,
    places: Places,
    folder: Path,
    faults: list[Fault],
    spec_faults: list[Fault],
    *,
    sound: bool,
) -> TableSource:
    """The table that a study names.

    Parameters
    ----------
    table, places : what the document says, and where
    folder : what paths are relative to
    faults : grows by what is wrong in the study
    spec_faults : grows by what is wrong in the table spec that it names
    sound : whether the shape was right; if not, nothing is said about what is missing
    """
    at: KeyPath = ("table",)
    sources = [name for name in ("path", "simulate", "spec") if getattr(table, name) is not None]
    if sound and not sources:
        hint = "write `path:`, `spec:` or `simulate:`"
        faults.append(Fault("`table` names no table", places.key(at), hint))
    if sound and len(sources) > 1:
        faults.append(Fault(f"`table` has both `{sources[0]}` and `{sources[1]}`", places.key(at)))
    for key in ("pixels", "seed"):
        if sound and getattr(table, key) is not None and table.simulate is None and sources:
            faults.append(Fault(f"`{key}` is only for a simulated table", places.key((*at, key))))
    kind: Literal["path", "simulate", "spec"] = "path"
    path = None if table.path is None else Path(os.path.normpath(folder / table.path))
    made = None
    if table.simulate is not None:
        kind = "simulate"
    elif table.spec is not None and sound and len(sources) == 1:
        place = places.value((*at, "spec"))
        kind, made = "spec", _table_spec(folder, table.spec, place, faults, spec_faults)
        path = None if made is None else made.output
    return TableSource(
        kind,
        path,
        table.simulate or "",
        table.pixels or DEMO_PIXELS,
        table.seed,
        places.value((*at, sources[0])) if sources else places.key(at),
        made,
    )


def _table_spec(
    folder: Path, text: str, place: Place, faults: list[Fault], spec_faults: list[Fault]
) -> TableSpec | None:
    path = Path(os.path.normpath(folder / text))
    if not is_file(path):
        there = sorted(found.name for found in path.parent.glob("*.table.y*ml"))
        hint = propose(path.name, there) if there else "the path is relative to this file"
        faults.append(Fault(f"there is no table spec `{text}`", place, hint))
        return None
    try:
        return read_table_spec(path)
    except SpecError as error:
        spec_faults.extend(error.faults)
        return None


def is_file(path: Path) -> bool:
    """Whether a file is there; not where its name cannot be one."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False
