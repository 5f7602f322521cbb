"""Where a report may be written: folders of ours, folders that can be made, and what a killed run left."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
import tempfile
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

from drivers.errors import Fault, TableError

RUN = "run.json"
HINT = "name another folder with --out"
LONGEST = 120
"""Bytes of a report's name that a temporary folder's name repeats; file systems allow some 255 in all."""


def check_target(out: Path) -> None:
    """Refuse a place that a report must not or cannot take; callers may ask before hours of fitting.

    What a report needs is tried (a folder beside `out`, and `out` itself) and taken away again.

    Raises
    ------
    TableError
        When `out` is a file or a folder that is not ours, or when nothing can be written there.
    """
    out = Path(out)
    try:
        out = out.resolve()
        there = out.exists()
        if there and not out.is_dir():
            raise TableError(Fault(f"cannot write a report to {out}: it is a file", hint=HINT))
        if there and any(out.iterdir()) and not is_report(out):
            raise TableError(
                Fault(
                    f"cannot write a report to {out}: the folder is not empty and is not a report",
                    hint=f"{HINT}, or empty this one",
                )
            )
        _try(out, there=there)
    except (OSError, RuntimeError, ValueError) as error:  # RuntimeError: links that go in a circle
        raise cannot_write(out, error) from error


def cannot_write(out: Path, error: Exception) -> TableError:
    """The refusal that a fault of the file system becomes."""
    why = str(error)
    if isinstance(error, OSError) and error.strerror:
        named = error.filename if isinstance(error.filename, str) else ""
        why = error.strerror[0].lower() + error.strerror[1:]
        if Path(named).name.startswith(f".{_stem(out)}-"):  # our hidden folder says nothing to a user
            why = f"nothing can be made in {out.parent} ({why})"
        elif named and Path(named).name != out.name:
            why += f" ({named})"
    return TableError(Fault(f"cannot write a report to {out}: {why}", hint=HINT))


def is_report(out: Path) -> bool:
    """Whether a folder was written by ecodrivers: its run.json says which ecodrivers ran, on what bytes."""
    try:
        return is_ours(json.loads((out / RUN).read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return False


def is_ours(facts: Any) -> bool:
    """Whether the contents of a run.json are those that a run writes; many programs write a run.json."""
    if not isinstance(facts, dict) or "sha256" not in facts:
        return False
    versions = facts.get("versions")
    return isinstance(versions, dict) and "ecodrivers" in versions


def make_folders(folder: Path) -> list[Path]:
    """Make a folder and those above it; return the ones made, the deepest first, so they can be removed."""
    missing = []
    at = folder
    while not at.exists():
        missing.append(at)
        at = at.parent
    made: list[Path] = []
    try:
        for each in reversed(missing):
            each.mkdir(exist_ok=True)
            made.insert(0, each)
        if not folder.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, "this is a file, not a folder", str(folder))
    except OSError:
        remove_empty(made)
        raise
    return made


def remove_empty(folders: list[Path]) -> None:
    """Remove folders that are still empty; another run may have moved in."""
    for folder in folders:
        try:
            folder.rmdir()
        except OSError:
            return


def _try(out: Path, *, there: bool) -> None:
    """Make what a report needs, and unmake it."""
    made = make_folders(out.parent)
    try:
        temporary(out, "new").rmdir()
        if not there:
            out.mkdir()
            out.rmdir()
    finally:
        remove_empty(made)


def temporary(out: Path, kind: Literal["new", "old"]) -> Path:
    """Make a hidden folder beside `out`; its name says which process it belongs to."""
    return Path(tempfile.mkdtemp(prefix=f".{_stem(out)}-{kind}-{os.getpid()}-", dir=out.parent))


def clear_leftovers(out: Path) -> None:
    """Remove what runs to the same target left when they were killed.

    A run that was killed between two renames left the old report under a hidden name and nothing at
    `out`: the old report is put back.
    """
    pattern = re.compile(rf"\.{re.escape(_stem(out))}-(new|old)-(\d+)-[a-z0-9_]{{8}}")
    try:
        siblings = sorted(out.parent.iterdir())
    except OSError:
        return
    for sibling in siblings:
        found = pattern.fullmatch(sibling.name)
        if found is None or sibling.is_symlink() or not sibling.is_dir() or _alive(int(found.group(2))):
            continue
        if found.group(1) == "old" and not out.exists() and is_report(sibling):
            sibling.rename(out)
        else:
            shutil.rmtree(sibling, ignore_errors=True)


def folder_name(label: str) -> str:
    """The name of a folder for a model or a stratum, whatever its label holds; another label, another name.

    Letters and digits of ASCII, `=`, `,`, `-` and `_` stay, all else is percent-encoded: no name leads
    elsewhere, and none is special to a file system. A long one ends in its digest.

    >>> folder_name("balance=sink,landuse=forest land"), folder_name("../x")
    ('balance=sink,landuse=forest%20land', '%2E%2E%2Fx')
    """
    # `quote` takes `.` and `~` as safe; a name may not begin, end or consist of dots everywhere.
    name = quote(label, safe="=,").replace(".", "%2E").replace("~", "%7E")
    if len(name) <= LONGEST:
        return name
    return f"{name[: LONGEST // 2]}~{hashlib.sha256(label.encode()).hexdigest()[: LONGEST // 2 - 1]}"


def _stem(out: Path) -> str:
    """The name of a report as its temporary folders carry it; a very long one by its digest."""
    name = os.fsencode(out.name)
    return out.name if len(name) <= LONGEST else hashlib.sha256(name).hexdigest()


def _alive(process: int) -> bool:
    """Whether a process runs; where that cannot be asked without harm, it is taken to run."""
    if os.name != "posix":
        return True
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True
    return True
