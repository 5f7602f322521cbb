"""A report on disk: written beside, then renamed, so that there is never half a report."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from drivers.errors import Fault, TableError
from drivers.report.page import make_figures, render_page, slugs
from drivers.report.run_tables import RunTables
from drivers.report.tables import read_csv, write_csv, write_xlsx

RUN = "run.json"
OURS = frozenset({"index.html", RUN, "tables", "tables.xlsx", "figures"})
"""What a report folder holds of ours; anything else that lies in it is the user's and survives a rerun."""


def write_report(run: RunTables, out: Path) -> None:
    """Write `tables/*.csv`, `tables.xlsx`, `figures/*.svg`, `run.json` and `index.html` into `out`.

    A report that is there already is replaced; a folder that is not ours, or a file, is refused and
    left alone.

    Raises
    ------
    TableError
        When `out` exists and is not a report.
    """
    out = Path(out).resolve()
    check_target(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    try:
        fresh.chmod(0o777 & ~_umask())
        _fill(run, fresh)
        _swap(fresh, out)
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        raise


def check_target(out: Path) -> None:
    """Refuse a place that a report must not take; callers may ask before hours of fitting."""
    if not out.exists():
        return
    if not out.is_dir():
        raise TableError(
            Fault(f"cannot write a report to {out}: it is a file", hint="name another folder with --out")
        )
    if any(out.iterdir()) and not is_report(out):
        raise TableError(
            Fault(
                f"cannot write a report to {out}: the folder is not empty and is not a report",
                hint="name another folder with --out, or empty this one",
            )
        )


def is_report(out: Path) -> bool:
    """Whether a folder was written by ecodrivers: it has a run.json that holds a run."""
    try:
        facts = json.loads((out / RUN).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(facts, dict)


def read_report(out: Path) -> RunTables:
    """Read a report back: its tables and its run.json.

    Raises
    ------
    TableError
        When `out` is not a report.
    """
    out = Path(out)
    if not is_report(out):
        raise TableError(
            Fault(f"{out} is not a report: it has no {RUN}", hint="`drivers run SPEC` writes one")
        )
    meta: dict[str, Any] = json.loads((out / RUN).read_text(encoding="utf-8"))
    tables = {path.stem: read_csv(path) for path in sorted((out / "tables").glob("*.csv"))}
    return RunTables(tables, meta)


def _fill(run: RunTables, folder: Path) -> None:
    (folder / "tables").mkdir()
    (folder / "figures").mkdir()
    for name, frame in run.tables.items():
        write_csv(frame, folder / "tables" / f"{name}.csv")
    write_xlsx(run.tables, folder / "tables.xlsx")
    figures, names = make_figures(run), slugs(run)
    for key, drawn in figures.items():
        for name, svg in drawn.items():
            _write(folder / "figures" / f"{names[key]}--{name}", svg)
    _write(
        folder / RUN, json.dumps(run.meta, indent=2, sort_keys=True, ensure_ascii=False, default=str) + "\n"
    )
    _write(folder / "index.html", render_page(run, figures))


def _write(path: Path, words: str) -> None:
    path.write_text(words, encoding="utf-8", newline="\n")


def _swap(fresh: Path, out: Path) -> None:
    """Put the new folder in place of the old; what the user laid into the old one moves along."""
    if not out.exists():
        fresh.rename(out)
        return
    old = Path(tempfile.mkdtemp(prefix=f".{out.name}-old-", dir=out.parent))
    out.rename(old)  # onto an empty folder: replaces it
    try:
        fresh.rename(out)
    except OSError:
        old.rename(out)
        raise
    for entry in sorted(old.iterdir()):
        if entry.name not in OURS:
            entry.rename(out / entry.name)
    shutil.rmtree(old, ignore_errors=True)


def _umask() -> int:
    """The process's umask; mkdtemp makes folders that only the owner can open."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
