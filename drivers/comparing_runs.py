"""Two finished runs side by side: from their folders to tables on disk."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from drivers.compare import Comparison, compare_runs
from drivers.errors import Fault, TableError
from drivers.report import read_report
from drivers.report.tables import write_csv

COMPARED = {
    "psem": ("coefficients", "effects"),
    "lsem": ("coefficients", "effects"),
    "geodetector": ("q",),
    "brt": ("importance",),
}
"""The tables of each method that hold what is compared."""

SEED = 0
"""Of the intervals of rank agreement."""


def compare_reports(run_a: Path, run_b: Path, out: Path | None = None) -> Comparison:
    """Compare two folders that `drivers run` wrote, as `drivers.compare.compare_runs` does.

    Parameters
    ----------
    out : folder to write comparison.csv and rank_agreement.csv into; nothing is written without it

    Raises
    ------
    TableError
        If one of them is no report, nothing in them can be compared, or `out` is there already.
    """
    if out is not None and out.exists():
        raise TableError(Fault(f"{out} exists already", hint="give --out a folder that does not exist"))
    (a, b), names = (read_report(run) for run in (run_a, run_b)), [run_a.resolve().name, run_b.resolve().name]
    if names[0] == names[1]:
        names = [str(run_a), str(run_b)]
    rng = np.random.default_rng(SEED)
    found = compare_runs(a.tables, b.tables, names[0], names[1], a.meta, b.meta, rng)
    lost = [note for run, name in ((a, names[0]), (b, names[1])) for note in _lost(run.tables, name)]
    found = replace(found, notes=(*lost, *found.notes))
    if out is not None:
        out.mkdir(parents=True)
        for name in ("comparison", "rank_agreement"):
            write_csv(getattr(found, name), out / f"{name}.csv")
    return found


def _lost(tables: Mapping[str, pd.DataFrame], run: str) -> Iterator[str]:
    """What is said where a run lacks a table that its methods write: someone has taken it out."""
    if "fit" not in tables:
        yield f"{run} has no fit.csv: which of its models failed is not known"
        return
    fitted = tables["fit"]
    methods = fitted.loc[fitted["status"] == "ok", "method"].unique()
    for name in dict.fromkeys(table for method in methods for table in COMPARED.get(str(method), ())):
        if name not in tables:
            yield f"{run} has no {name}.csv, so what it holds is not compared"
