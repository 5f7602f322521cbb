"""A study from its spec to its report: every model on every stratum, and partial failure."""

from __future__ import annotations

import platform
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from drivers.change import change_columns, check_change, run_change
from drivers.compare import compare_strata
from drivers.consensus import consensus
from drivers.effects import effect_records
from drivers.errors import FitError, Place
from drivers.forests import save_forests
from drivers.glossary import TABLES
from drivers.importance import importance_records
from drivers.maps import class_maps, metres_of, write_maps
from drivers.methods import METHODS, Result
from drivers.methods.psem import PsemResult
from drivers.methods.result import frame
from drivers.multiplicity import adjust
from drivers.pixels import pixel_frame
from drivers.progress import Reporter, Silent
from drivers.report import RunTables, check_target, write_report
from drivers.spec import BoundModel, StudySpec, read_spec
from drivers.table import (
    Partition,
    PixelTable,
    describe_strata,
    load,
    make_partition,
    nodata_warnings,
    table_columns,
    with_means,
)

Reporting = Callable[[int], AbstractContextManager[Reporter]]

PIXELS = "pixels.parquet"
"""Among the tables of a report: a row per pixel."""

PACKAGES = ("ecodrivers", "numpy", "scipy", "pandas", "pyarrow", "statsmodels", "patsy", "xgboost", "optuna")
"""The packages whose versions can change a number in a table."""


@dataclass(frozen=True)
class Run:
    """A finished study.

    Attributes
    ----------
    tables : the tables and facts that the report is made of
    results : every fit that succeeded, by (model, stratum)
    failures : the reason of every fit that did not, by (model, stratum)
    out : the folder of the report, if one was written
    pixels : a row per pixel, where a model was asked for columns by pixel
    """

    tables: RunTables
    results: Mapping[tuple[str, str], Result]
    failures: Mapping[tuple[str, str], str]
    out: Path | None = None
    pixels: pd.DataFrame | None = None

    def table(self, name: str) -> pd.DataFrame:
        """One table, as its CSV holds it."""
        return self.tables.tables[name]


def run(
    spec: str | Path | StudySpec,
    out: str | Path | None = None,
    *,
    reporting: Reporting | None = None,
) -> Run:
    """Run a study: every model on every stratum it asks for.

    Parameters
    ----------
    spec : path of a study spec, or one that was read
    out : folder to write the report into; nothing is written without it
    reporting : makes a reporter for a number of fits; silent by default

    Raises
    ------
    SpecError, TableError
        If the spec, a model file or the table is wrong; nothing is written then.

    Notes
    -----
    A stratum that cannot be fitted is a row of fit.csv with `status: failed` and its reason.
    """
    began = time.perf_counter()
    if out is not None:
        check_target(Path(out))
    study = spec if isinstance(spec, StudySpec) else read_spec(spec)
    table = load_table(study)
    read = time.perf_counter()
    partition = study_partition(study, table)
    rows: dict[str, list[dict[str, Any]]] = defaultdict(list)
    results: dict[tuple[str, str], Result] = {}
    failures: dict[tuple[str, str], str] = {}
    warnings = table_warnings(study, table)
    wanted = asked(study, partition)
    silent: Reporting = lambda _: nullcontext(Silent())  # noqa: E731
    pieces = sum(len(strata) for _, strata in wanted) + (study.change is not None)
    with (reporting or silent)(pieces) as reporter:
        changed = run_change(study, table, partition, reporter)
        warnings += changed.warnings
        for name, of_change in changed.rows.items():
            rows[name] += of_change
        for model, strata in wanted:
            fitter = METHODS[model.method](model, table, partition, study.seed)
            warnings += [f"model {model.name}: {warning}" for warning in fitter.warnings]
            for stratum in strata:
                reporter.start(f"{model.name} on {stratum.label}")
                key = {"model": model.name, "stratum": stratum.label}
                try:
                    result = fitter.fit(stratum, reporter)
                    records = {**result.records, **_derived(result)}
                    results[model.name, stratum.label] = result
                except (FitError, np.linalg.LinAlgError) as error:
                    # A singular matrix that no check foresaw is still one stratum's trouble.
                    reason = str(error) if isinstance(error, FitError) else f"numerically singular: {error}"
                    failures[model.name, stratum.label] = reason
                    failed = {"method": model.method, "n": stratum.rows, "status": "failed"}
                    records = {"fit": [{**failed, "message": reason}]}
                for name, found in records.items():
                    rows[name] += [{**key, **row} for row in found]
                reporter.done()
    fitted = time.perf_counter()
    tables = {"strata": _described(study, table, partition)}
    tables |= {name: frame(name, rows[name], keys=True) for name in TABLES if name in rows}
    if table.planted is not None:
        tables["planted"] = table.planted[list(TABLES["planted"])]
    meta = _meta(study, table, partition, warnings)
    if study.change is not None:
        meta["change"] = {**changed.facts, "metres": metres_of(table)}
    if study.fits:
        tables, notes = with_comparisons(tables, study, partition)
        meta["warnings"] += notes
    meta["timings"] = {"read_seconds": read - began, "fit_seconds": fitted - read}
    made = RunTables(tables, meta, class_maps(table, changed.pixels))
    pixels = pixel_frame(table, partition, results, changed.pixels)

    def more(folder: Path) -> None:
        save_forests(results, folder)
        if pixels is not None:
            pixels.to_parquet(folder / "tables" / PIXELS)
        write_maps(table, changed.pixels, folder)

    if out is not None:
        write_report(made, Path(out), more)
    return Run(made, results, failures, None if out is None else Path(out), pixels)


def with_comparisons(
    tables: Mapping[str, pd.DataFrame], study: StudySpec, partition: Partition
) -> tuple[dict[str, pd.DataFrame], list[str]]:
    """The tables of a run with p-values adjusted over the study, strata and methods side by side, and notes.

    A table of comparisons is there where it has a row.
    """
    adjusted = adjust(tables)
    responses = _responses(study)
    strata = compare_strata(
        adjusted,
        partition.strata,
        partition.share_pixels,
        np.random.default_rng([study.seed, 0]),
        responses=responses,
    )
    methods = consensus(adjusted, responses, np.random.default_rng([study.seed, 1]))
    agreement = [part for part in (strata.rank_agreement, methods.rank_agreement) if len(part)]
    made = {
        "comparison": strata.comparison,
        "comparison_omnibus": strata.comparison_omnibus,
        "rank_agreement": pd.concat(agreement, ignore_index=True) if agreement else pd.DataFrame(),
        "consensus": methods.consensus,
    }
    found = {**adjusted, **{name: table for name, table in made.items() if len(table)}}
    return {name: found[name] for name in TABLES if name in found}, [*strata.notes, *methods.notes]


def _responses(study: StudySpec) -> dict[str, list[str]]:
    """The responses of each model, as its tables name them."""
    declared = {v.name for v in study.responses}
    return {m.name: m.subjects(declared) for m in study.models.values()}


def _derived(result: Result) -> dict[str, list[dict[str, Any]]]:
    """The rows that follow from a result, beside its own."""
    if isinstance(result, PsemResult):
        return effect_records(result)
    return importance_records(result)


def check(spec: str | Path) -> tuple[StudySpec, PixelTable, Partition]:
    """Read a spec, its models and its table, and cut the strata; fit nothing.

    Raises
    ------
    SpecError, TableError
        With all faults.
    """
    study = read_spec(spec)
    table = load_table(study)
    partition = study_partition(study, table)
    return study, table, partition


def load_table(study: StudySpec) -> PixelTable:
    """The columns that a study needs, checked."""
    variables = [*study.drivers, *study.responses]
    needed: dict[str, Place | None] = {v.name: v.place for v in variables}
    labels: set[str] = set()
    yearly: dict[str, str] = {}
    classes = {v.name for v in variables if v.categorical}
    by_year = change_columns(study)
    for name, place in by_year.needed.items():
        needed.setdefault(name, place)
    for family in study.strata:
        for name in family.variables:
            if name not in needed:
                needed[name] = family.place
                labels.add(name)
    for model in study.models.values():
        files = [file for file, _ in study.documents[1:] if Path(file).stem == model.name]
        for name in (*model.labels(), *model.quantities()):
            if name not in needed:
                needed[name] = Place(files[0]) if files else None
                labels |= {name} & set(model.labels())
        for column, name in model.year_columns().items():
            needed.setdefault(column, Place(files[0]) if files else None)
            yearly[column] = name
    means = _means_of_years(study)
    for name in means:
        del needed[name]
    pixel = study.pixel
    source = study.table
    table = load(
        source.path,
        world=source.simulate or None,
        pixels=source.pixels,
        seed=study.seed if source.seed is None else source.seed,
        needed=needed,
        responses=[v.name for v in study.responses if v.name not in means],
        categorical=[
            *classes,
            *by_year.categorical,
            *(column for column, name in yearly.items() if name in classes),
        ],
        labels=labels,
        units={**by_year.units, **{v.name: v.unit for v in variables if v.unit}},
        easting=pixel.easting if pixel else None,
        northing=pixel.northing if pixel else None,
        crs=pixel.crs if pixel else None,
        cell_size=pixel.size if pixel else None,
        place=source.place,
    )
    check_change(study, table)
    return with_means(table, means)


def _means_of_years(study: StudySpec) -> dict[str, list[str]]:
    """Numeric variables of `over_years` that the table has by year only, with their columns."""
    yearly: dict[str, list[str]] = {}
    for model in study.models.values():
        for column, name in model.year_columns().items():
            if column not in yearly.setdefault(name, []):
                yearly[name].append(column)
    if not yearly or study.table.path is None:
        return {}
    there = set(table_columns(study.table.path)) if study.table.path.is_file() else set(yearly)
    classes = {v.name for v in (*study.drivers, *study.responses) if v.categorical}
    return {name: columns for name, columns in yearly.items() if name not in there | classes}


def table_warnings(study: StudySpec, table: PixelTable) -> list[str]:
    """What in the table is allowed, and probably not meant."""
    means = [
        f"{study.documents[0][0]}: the table has `{name}` by year only; the mean of {', '.join(columns)} "
        "stands for it"
        for name, columns in _means_of_years(study).items()
    ]
    return [*means, *nodata_warnings(table, [v.name for v in (*study.drivers, *study.responses)])]


def study_partition(study: StudySpec, table: PixelTable) -> Partition:
    """The strata of a study, each once."""
    overs = list(dict.fromkeys(over for request in study.fits for over in request.over))
    if study.change is not None:
        overs = list(dict.fromkeys((*overs, *study.change.over)))
    responses = {v.name for v in study.responses}
    return make_partition(table, study.strata, overs, responses)


def asked(study: StudySpec, partition: Partition) -> list[tuple[BoundModel, list[Any]]]:
    """Every model with the strata it is asked for, each once, in the spec's order."""
    found: dict[str, dict[str, Any]] = {}
    for request in study.fits:
        for name in request.models:
            for over in request.over:
                for stratum in partition.over(over):
                    found.setdefault(name, {})[stratum.label] = stratum
    return [(study.models[name], list(strata.values())) for name, strata in found.items()]


def _described(study: StudySpec, table: PixelTable, partition: Partition) -> pd.DataFrame:
    response = study.responses[0].name if study.responses else None
    needed = [v.name for v in (*study.drivers, *study.responses)]
    return describe_strata(table, partition, response, needed)[list(TABLES["strata"])]


def _meta(
    study: StudySpec, table: PixelTable, partition: Partition, warnings: Sequence[str]
) -> dict[str, Any]:
    """run.json: what was asked, of what, by what."""
    response = study.responses[0] if study.responses else None
    missing = {name: count for name, count in table.missing.items() if count}
    responses = _responses(study)
    return {
        "study": study.name,
        "title": study.title,
        "response": {"name": response.name, "unit": response.unit} if response else {},
        "drivers": [
            {"name": v.name, "unit": v.unit, "group": v.group, "categorical": v.categorical}
            for v in study.drivers
        ],
        "groups": [name for name, _ in study.groups],
        "table": {
            "source": table.source,
            "n": table.n,
            "simulated": table.simulated,
            "coordinates": table.easting is not None,
            "crs": table.crs or "",
            "geographic": table.geographic,
            "missing": missing,
        },
        "models": [
            {
                "name": m.name,
                "method": m.method,
                "title": m.title,
                "formula": m.formula,
                "options": m.said(),
                "responses": responses[m.name],
            }
            for m in study.models.values()
        ],
        "strata": [s.label for s in partition.strata],
        "seed": study.seed,
        "versions": {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}},
        "sha256": {"documents": dict(study.documents), "table": table.sha256},
        "warnings": list(warnings),
    }
