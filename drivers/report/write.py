"""A report on disk: written beside, then renamed, so that there is never half a report."""

from __future__ import annotations

import csv
import json
import os
import shutil
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import pandas as pd

from drivers.errors import Fault, TableError
from drivers.report.page import make_figures, render_page, slugs
from drivers.report.run_tables import RunTables
from drivers.report.tables import read_csv, write_csv, write_xlsx
from drivers.report.target import (
    RUN,
    cannot_write,
    check_target,
    clear_leftovers,
    is_ours,
    is_report,
    make_folders,
    remove_empty,
    temporary,
)

__all__ = ["check_target", "is_report", "read_facts", "read_report", "write_report"]

FILES = "files"
"""The key of run.json that lists what we wrote. Whatever else lies in a report is the user's."""


More = Callable[[Path], None]
"""Writes files of its own into the folder of a report."""


def write_report(run: RunTables, out: Path, more: More | None = None) -> None:
    """Write `tables/*.csv`, `tables.xlsx`, `figures/*.svg`, `run.json` and `index.html` into `out`.

    What `more` writes is part of the report: it appears and goes with it.

    A report that is there already is replaced; files that the user laid into it stay, also in
    `tables/` and `figures/`, unless the new report has a file of that name. A folder that is not
    ours, or a file, is refused and left alone.

    Raises
    ------
    TableError
        When `out` exists and is not a report, or when it cannot be written; nothing is left then.
    """
    out = Path(out)
    check_target(out)
    out = out.resolve()
    made: list[Path] = []
    try:
        made = make_folders(out.parent)
        clear_leftovers(out)
        fresh = temporary(out, "new")
        try:
            fresh.chmod(0o777 & ~_umask())
            _fill(run, fresh, more)
            if out.exists():
                _keep(out, fresh, "", _written(out))
            _swap(fresh, out)
        except BaseException:
            shutil.rmtree(fresh, ignore_errors=True)
            raise
    except BaseException as error:
        remove_empty(made)
        if isinstance(error, OSError):
            raise cannot_write(out, error) from error
        raise


def read_report(out: Path) -> RunTables:
    """Read a report back: its tables and its run.json.

    Raises
    ------
    TableError
        When `out` is not a report, or when one of its files is damaged.
    """
    facts = read_facts(out)
    tables = {path.stem: _table(path) for path in sorted((Path(out) / "tables").glob("*.csv"))}
    return RunTables(tables, facts)


def read_facts(out: Path) -> dict[str, Any]:
    """What the run.json of a report says.

    Raises
    ------
    TableError
        When `out` is not a report, or its run.json is damaged.
    """
    out = Path(out)
    try:
        words = (out / RUN).read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        raise _not_a_report(out, f"it has no {RUN}") from None
    except (OSError, ValueError) as error:
        raise _unreadable(out / RUN, error) from error
    try:
        meta = json.loads(words)
    except (ValueError, RecursionError) as error:
        raise _unreadable(out / RUN, error) from error
    if not is_ours(meta):
        raise _not_a_report(out, f"its {RUN} was not written by ecodrivers")
    return {name: value for name, value in meta.items() if name != FILES}


def _table(path: Path) -> pd.DataFrame:
    try:
        return read_csv(path)
    except (OSError, ValueError, csv.Error) as error:
        raise _unreadable(path, error) from error


def _not_a_report(out: Path, why: str) -> TableError:
    return TableError(Fault(f"{out} is not a report: {why}", hint="`drivers run SPEC` writes one"))


def _unreadable(path: Path, error: Exception) -> TableError:
    why = str(error)
    if isinstance(error, UnicodeDecodeError):
        why = f"it is not UTF-8 (byte {error.start})"
    elif isinstance(error, json.JSONDecodeError):
        why = f"it is not JSON ({error})"
    elif isinstance(error, OSError) and error.strerror:
        why = error.strerror[0].lower() + error.strerror[1:]
    return TableError(
        Fault(
            f"{path} cannot be read: {why}",
            hint="the report is damaged: run its spec again, into another folder or after removing this one",
        )
    )


def _fill(run: RunTables, folder: Path, more: More | None) -> None:
    (folder / "tables").mkdir()
    (folder / "figures").mkdir()
    for name, frame in run.tables.items():
        write_csv(frame, folder / "tables" / f"{name}.csv")
    write_xlsx(run.tables, folder / "tables.xlsx")
    figures, names = make_figures(run), slugs(run)
    for key, drawn in figures.items():
        for name, svg in drawn.items():
            _write(folder / "figures" / f"{names[key]}--{name}", svg)
    _write(folder / "index.html", render_page(run, figures))
    if more is not None:
        more(folder)
    found = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
    facts = {**run.meta, FILES: sorted([*found, RUN])}
    _write(folder / RUN, json.dumps(facts, indent=2, sort_keys=True, ensure_ascii=False, default=str) + "\n")


def _write(path: Path, words: str) -> None:
    path.write_text(words, encoding="utf-8", newline="\n")


def _written(out: Path) -> set[str]:
    """What the report in `out` says we wrote; nothing when it does not say, so that nothing is lost."""
    try:
        facts = json.loads((out / RUN).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return set()
    listed = facts.get(FILES) if isinstance(facts, dict) else None
    return {name for name in listed if isinstance(name, str)} if isinstance(listed, list) else set()


def _keep(old: Path, new: Path, below: str, written: Collection[str]) -> None:
    """Take along what the user laid into the old report.

    It is copied (linked, where the disk can) and not moved: whenever a run is killed, either the old
    report or the new one has all of it.
    """
    for entry in sorted(old.iterdir()):
        name, target = f"{below}{entry.name}", new / entry.name
        if name in written:
            continue
        if entry.is_symlink():
            if not os.path.lexists(target):
                target.symlink_to(os.readlink(entry), target_is_directory=entry.is_dir())
        elif entry.is_dir() and target.is_dir():
            _keep(entry, target, f"{name}/", written)
        elif os.path.lexists(target):
            continue
        elif entry.is_dir() and any(ours.startswith(f"{name}/") for ours in written):
            target.mkdir()
            _keep(entry, target, f"{name}/", written)
            remove_empty([target])  # nothing in it was the user's
        elif entry.is_dir():
            shutil.copytree(entry, target, symlinks=True, copy_function=_link)
        elif entry.is_file():
            _link(str(entry), str(target))


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def _swap(fresh: Path, out: Path) -> None:
    """Put the new folder in place of the old one."""
    if not out.exists():
        fresh.rename(out)
        return
    old = temporary(out, "old")
    try:
        out.rename(old)  # onto an empty folder: replaces it
    except OSError:
        old.rmdir()
        raise
    try:
        fresh.rename(out)
    except OSError:
        old.rename(out)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _umask() -> int:
    """The process's umask; mkdtemp makes folders that only the owner can open."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
