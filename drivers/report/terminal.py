"""Tables for a terminal."""

from __future__ import annotations

from typing import Any

import pandas as pd
from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from drivers.report.numbers import is_missing
from drivers.report.run_tables import RunTables, text
from drivers.report.wording import failures

OVERVIEW = (
    "model",
    "stratum",
    "n",
    "fishers_c",
    "fishers_c_df",
    "fishers_c_p",
    "verdict",
    "aicc",
    "r2",
    "status",
)
"""The columns of fit.csv that a first look needs."""

DIGITS = 4
"""Significant digits in a terminal; the files have them all."""


def terminal_table(frame: pd.DataFrame, title: str) -> Table:
    """A table with its empty columns left out and numbers at four digits."""
    made = Table(title=title, box=box.SIMPLE, title_justify="left", title_style="bold", header_style="bold")
    shown = [c for c in frame.columns if not frame[c].map(is_missing).all() or len(frame) == 0]
    for name in shown:
        number = pd.api.types.is_numeric_dtype(frame[name]) and not pd.api.types.is_bool_dtype(frame[name])
        made.add_column(str(name), justify="right" if number else "left", overflow="fold")
    for cells in zip(*(frame[name].tolist() for name in shown), strict=True):
        made.add_row(*(Text(_shown(cell)) for cell in cells))
    return made


def overview(run: RunTables) -> RenderableType:
    """What a run found at a glance: the strata and the fits, then what failed and why."""
    parts: list[RenderableType] = []
    fits = run.tables.get("fit")
    if fits is not None:
        kept = [name for name in OVERVIEW if name in fits.columns]
        parts.append(terminal_table(fits[kept], text(run.meta.get("title")) or text(run.meta.get("study"))))
    parts += [Text(f"failed: {m} on {s}: {why}", style="red") for m, s, why in failures(run)]
    parts += [Text(f"warning: {warning}", style="yellow") for warning in run.meta.get("warnings") or []]
    return Group(*parts)


def print_to(console: Console, what: RenderableType) -> None:
    """Print, unwrapped where the output is no terminal, so that it can be piped."""
    if console.is_terminal:
        console.print(what)
    else:
        Console(file=console.file, width=250).print(what)


def _shown(cell: Any) -> str:
    if is_missing(cell):
        return ""
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() and abs(cell) < 1e9 else f"{cell:.{DIGITS}g}"
    return str(cell)
