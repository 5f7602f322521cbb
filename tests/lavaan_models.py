"""lavaan's model syntax, as far as tests need it, as structures; the package has a grammar of its own."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from drivers.stats.sem_moments import SampleMoments, sample_moments
from drivers.stats.sem_structure import DIRECTED, MEAN, SYMMETRIC, Cell, Structure, structure

HERE = Path(__file__).resolve().parent
TABLES = HERE.parents[1] / "shared" / "data" / "tables"
PLACES = (HERE / "golden" / "lavaan.json", HERE.parents[1] / "shared" / "golden" / "lavaan.json")


@cache
def lavaan() -> dict[str, Any]:
    """lavaan's numbers, from the repository or from the project's shared folder."""
    for place in PLACES:
        if place.exists():
            found: dict[str, Any] = json.loads(place.read_text(encoding="utf-8"))
            return found
    pytest.skip(f"needs one of {PLACES}")


def table(name: str) -> pd.DataFrame:
    """A shared table."""
    path = TABLES / f"{name}.csv"
    if not path.exists():
        pytest.skip(f"needs {path}, a shared table that is not part of the repository")
    return pd.read_csv(path)


def sample_of(rows: list[np.ndarray]) -> SampleMoments:
    """Moments of complete rows of every group."""
    return sample_moments(
        [len(x) for x in rows],
        np.array([x.mean(axis=0) for x in rows]),
        np.array([np.cov(x.T, ddof=0) for x in rows]),
    )


@dataclass(frozen=True)
class Parsed:
    structure: Structure
    names: list[str]
    columns: list[str]
    labels: dict[str, int]
    defined: dict[str, str]

    def key(self, row: dict[str, Any]) -> tuple[int, int, int, int]:
        """matrix, group, row and column of a row of lavaan's parameter table."""
        g = int(row.get("group", 1)) - 1
        left = self.names.index(row["lhs"])
        if row["op"] == "~1":
            return MEAN, g, left, left
        right = self.names.index(row["rhs"])
        if row["op"] == "=~":
            return DIRECTED, g, right, left
        if row["op"] == "~":
            return DIRECTED, g, left, right
        return SYMMETRIC, g, max(left, right), min(left, right)

    def cell_of(self, row: dict[str, Any]) -> int | None:
        """Number of a row's cell in the structure, None for cells that are not listed."""
        s, key = self.structure, self.key(row)
        for i in range(len(s.matrix)):
            c = s.cell(i)
            pair = (c.row, c.row) if c.matrix == MEAN else (c.row, c.column)
            if c.matrix == SYMMETRIC:
                pair = (max(pair), min(pair))
            if (c.matrix, c.group, *pair) == key:
                return i
        return None


def parse(
    text: str, *, groups: int = 1, means: bool = False, fixed_x: bool = True, equal: tuple[str, ...] = ()
) -> Parsed:
    """sem()'s defaults: marker loadings, free errors, covariances of exogenous latents and last outcomes."""
    loadings: list[tuple[str, str, str]] = []
    paths: list[tuple[str, str, str]] = []
    pairs: list[tuple[str, str, str]] = []
    defined: dict[str, str] = {}
    for line in filter(None, (part.split("#")[0].strip() for part in re.split(r"[\n;]", text))):
        left, op, right = re.match(r"(\w[\w.]*)\s*(=~|~~|:=|~)\s*(.+)", line).groups()  # type: ignore[union-attr]
        if op == ":=":
            defined[left] = right
            continue
        for term in right.split("+"):
            label, name = ("", term.strip()) if "*" not in term else map(str.strip, term.split("*"))
            {"=~": loadings, "~": paths, "~~": pairs}[op].append((left, name, label))
    latents = list(dict.fromkeys(f for f, _, _ in loadings))
    seen = dict.fromkeys([x for _, x, _ in loadings if x not in latents])
    seen |= dict.fromkeys(y for y, _, _ in paths if y not in latents)
    seen |= dict.fromkeys(x for _, x, _ in paths if x not in latents)
    seen |= dict.fromkeys(v for a, b, _ in pairs for v in (a, b) if v not in latents)
    columns = list(seen)
    names = columns + latents
    explained = {y for y, _, _ in paths} | {x for _, x, _ in loadings}
    x = [v for v in columns if v not in explained and not any(v in q[:2] for q in pairs)]
    labels: dict[str, int] = {}
    cells: list[Cell] = []
    count = 0

    def add(matrix: int, row: str, column: str, label: str, g: int, shared: str = "") -> None:
        nonlocal count
        i, j = names.index(row), names.index(column)
        if re.fullmatch(r"-?[\d.]+", label):
            cells.append(Cell(matrix, i, j, float(label), -1, g))
            return
        key = (label if label != "NA" else "") or shared
        if key and key in labels:
            number = labels[key]
        else:
            number, count = count, count + 1
            if key:
                labels[key] = number
        cells.append(Cell(matrix, i, j, number=number, group=g))

    for g in range(groups):
        first: set[str] = set()
        for f, v, label in loadings:
            own = label if label or f in first else "1"
            shared = f"{f}=~{v}" if "loadings" in equal else ""
            add(DIRECTED, v, f, own, g, shared)
            first.add(f)
        for y, v, label in paths:
            add(DIRECTED, y, v, label, g, f"{y}~{v}" if "regressions" in equal else "")
        own_pairs = {frozenset(q[:2]) for q in pairs}
        for a, b, label in pairs:
            add(SYMMETRIC, a, b, label, g)
        for v in names:
            if not (v in x and fixed_x) and frozenset([v]) not in own_pairs:
                add(SYMMETRIC, v, v, "", g)
        sources = {v for _, v, _ in paths}
        latent_x = [f for f in latents if f not in explained]
        indicators = {b for _, b, _ in loadings}
        last = [v for v in names if v in explained - sources - indicators]
        for some in (latent_x, last, [] if fixed_x else x):
            for i, a in enumerate(some):
                for b in some[:i]:
                    if frozenset([a, b]) not in own_pairs:
                        add(SYMMETRIC, a, b, "", g)
        if means:
            for v in columns:
                if not (v in x and fixed_x):
                    add(MEAN, v, v, "", g, f"{v}~1" if "intercepts" in equal else "")
            if "intercepts" in equal and g > 0:
                for f in latents:
                    add(MEAN, f, f, "", g)
    made = structure(
        len(columns),
        len(latents),
        cells,
        groups=groups,
        means=means,
        exogenous=[columns.index(v) for v in x],
        fixed_x=fixed_x,
    )
    return Parsed(made, names, columns, labels, defined)
