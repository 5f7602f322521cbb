"""What tells an input file from another one of the same name: its size and pieces of what it holds."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from drivers.spec.table_spec import TableSpec
from drivers.table.rasters.plan import Plan

PIECES, PIECE = 64, 4096
"""So many bytes at so many places are read of a file, in 0.3 ms; all of a country's rasters take minutes. A
raster of other values differs in nearly every piece; what one pixel differs in may lie between."""

BESIDE = {".shp": (".dbf", ".shx", ".prj")}
"""Files that belong to one of another ending."""


def fingerprint(path: Path) -> str:
    """A hash of a file's size and of pieces of it; of a folder (a Zarr store) of the names and sizes in it.

    Parameters
    ----------
    path : a file or folder that exists
    """
    found = hashlib.sha256()
    if path.is_dir():
        for each in sorted(path.rglob("*")):
            if each.is_file():
                found.update(f"{each.relative_to(path).as_posix()}:{each.stat().st_size};".encode())
        return found.hexdigest()
    beside = [path.with_suffix(suffix) for suffix in BESIDE.get(path.suffix.lower(), ())]
    for each in (path, *(other for other in beside if other.exists())):
        size = each.stat().st_size
        found.update(f"{size};".encode())
        step = max((size - PIECE) // (PIECES - 1), PIECE)
        with each.open("rb") as file:
            for start in range(0, size, step):
                file.seek(start)
                found.update(file.read(PIECE))
    return found.hexdigest()


def input_files(spec: TableSpec, plan: Plan) -> tuple[Path, ...]:
    """Every file that a table spec reads, each once."""
    found = [plane.path for maps in plan.layers.values() for plane in maps.planes]
    found += [path for path in (spec.grid.like, spec.grid.mask) if path is not None]
    found += [zone.file for zone in spec.grid.zones]
    return tuple(dict.fromkeys(found))


def named(spec: TableSpec, path: Path) -> str:
    """A file as the table's facts name it: from the folder of the spec, so that a project may move."""
    return Path(os.path.relpath(path, spec.path.parent)).as_posix()
