"""A study from its spec to its report: every model on every stratum, and partial failure."""

from __future__ import annotations

import platform
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from drivers.change import run_change
from drivers.compare import compare_strata
from drivers.consensus import consensus
from drivers.effects import effect_records
from drivers.errors import FitError
from drivers.forests import save_forests
from drivers.glossary import TABLES
from drivers.importance import importance_records
from drivers.maps import class_maps, metres_of, write_maps
from drivers.methods import METHODS, Result, Together
from drivers.methods.lsem import LsemResult
from drivers.methods.psem import PsemResult
from drivers.methods.result import frame
from drivers.multiplicity import adjust
from drivers.pixels import pixel_frame
from drivers.progress import Silent
from drivers.report import RunTables, check_target, write_report
from drivers.spec import BoundModel, StudySpec, read_spec
from drivers.study_table import Reporting, load_table, ready_table, study_partition, table_warnings
from drivers.table import Partition, PixelTable, describe_strata
from drivers.table.distribution import distribution_rows

PIXELS = "pixels.parquet"
"""Among the tables of a report: a row per pixel."""

RESPONSE = "response"
"""What stands for the model's name where the table alone is described: such rows come from no model file."""

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
    silent: Reporting = lambda _: nullcontext(Silent())  # noqa: E731
    ready_table(study, reporting or silent)
    table = load_table(study)
    read = time.perf_counter()
    partition = study_partition(study, table)
    rows: dict[str, list[dict[str, Any]]] = defaultdict(list)
    results: dict[tuple[str, str], Result] = {}
    failures: dict[tuple[str, str], str] = {}
    warnings = table_warnings(study, table)
    wanted = asked(study, partition)
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
            if isinstance(fitter, Together):
                mine = [result for (name, _), result in results.items() if name == model.name]
                for name, together in fitter.together(mine).items():
                    rows[name] += [{"model": model.name, **row} for row in together]
    fitted = time.perf_counter()
    for name, of_response in _distributions(study, table, partition).items():
        rows[name] += of_response
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
    if isinstance(result, PsemResult | LsemResult):
        return effect_records(result)
    return importance_records(result)


def check(spec: str | Path | StudySpec) -> tuple[StudySpec, PixelTable, Partition]:
    """Read a spec, its models and its table, and cut the strata; fit nothing.

    Raises
    ------
    SpecError, TableError
        With all faults.
    """
    study = spec if isinstance(spec, StudySpec) else read_spec(spec)
    table = load_table(study)
    partition = study_partition(study, table)
    return study, table, partition


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


def _distributions(study: StudySpec, table: PixelTable, partition: Partition) -> dict[str, list[Any]]:
    """How each quantity among the responses is spread in each stratum; change describes its series itself."""
    described = study.change.describe if study.change is not None else None
    found: dict[str, list[Any]] = defaultdict(list)
    for response in study.responses:
        if response.categorical or (described is not None and response.name in described.names):
            continue
        values, codes = table.values(response.name), partition.codes
        made = distribution_rows(response.name, values, codes, partition.cells, partition.strata)
        for name, rows in made.items():
            found[name] += [{"model": RESPONSE, **row} for row in rows]
    return found


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
            "crs": table.crs_name,
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
