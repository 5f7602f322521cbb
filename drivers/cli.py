"""The command `drivers`: check, table, run, show, compare, predict. Thin: arguments in, words out.

0 every fit succeeded; 3 some fits failed; 2 the spec, a model file or the table is wrong; 1 a defect of ours.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console

from drivers import __version__, study
from drivers.comparing_runs import compare_reports
from drivers.errors import DriversError, Fault, TableError, propose
from drivers.forests import read_forest
from drivers.progress import reporting
from drivers.report import check_target, read_report
from drivers.report.numbers import count, number, percent
from drivers.report.terminal import overview, print_to, terminal_table
from drivers.spec import StudySpec, read_spec
from drivers.spec.table_spec import is_table_spec, read_table_spec
from drivers.study_table import build_due_table, look_at_table, outdated_table, table_warnings

FALSE_DISCOVERIES = 0.05
"""Share of false ones among the differences that are shown."""

EXIT_WRONG_INPUT, EXIT_SOME_FAILED, EXIT_STOPPED = 2, 3, 130

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="What drives the pixels: path models on every stratum of a pixel table.",
)


@app.callback(invoke_without_command=True)
def _about(
    show_version: Annotated[bool, typer.Option("--version", help="Say the version and stop.")] = False,
) -> None:
    if show_version:
        print(f"ecodrivers {__version__}")
        raise typer.Exit


@app.command()
def check(
    spec: Annotated[
        Path, typer.Argument(help="A study spec, specs/NAME.yaml, or a table spec, NAME.table.yaml.")
    ],
) -> None:
    """Check a spec, its models and its table, or its rasters; report every fault; fit and write nothing."""
    if is_table_spec(spec):
        from drivers.table.rasters.outlook import look_ahead  # rasterio takes a second to import
        from drivers.table_command import outlook_lines

        print("\n".join(outlook_lines(look_ahead(read_table_spec(spec)))))
        return
    read = read_spec(spec)
    why = outdated_table(read)
    if read.table.spec is not None and why:
        from drivers.table_command import outlook_lines

        print("\n".join(outlook_lines(look_at_table(read))))
        print(f"{spec}: sound as far as can be known before its table is made (to be made because {why})")
        return
    found, table, partition = study.check(read)
    fits = sum(len(strata) for _, strata in study.asked(found, partition))
    print(f"{spec}: sound. {table.source}: {table.n} pixels. {len(found.models)} model(s), {fits} fit(s).")
    for name, lacking in table.missing.items():
        if lacking:
            print(f"  {name}: {lacking} missing")
    for warning in table_warnings(found, table):
        print(f"  warning: {warning}")
    for stratum in partition.strata:
        if stratum.rows == 0:
            print(f"  {stratum.label}: no pixels; its fits will fail")


@app.command()
def run(
    spec: Annotated[Path, typer.Argument(help="A study spec, specs/NAME.yaml.")],
    out: Annotated[Path | None, typer.Option(help="Folder of the report; default reports/NAME.")] = None,
) -> None:
    """Run a study and write its report."""
    target = out if out is not None else default_out(spec)
    try:
        done = study.run(_with_table(read_spec(spec), target), target, reporting=reporting)
    except KeyboardInterrupt:
        _stopped()
    print_to(Console(), overview(done.tables))
    print(f"Report: {target / 'index.html'}")
    if done.failures:
        print(f"{len(done.failures)} fit(s) failed; tables/fit.csv says why.", file=sys.stderr)
        raise typer.Exit(EXIT_SOME_FAILED)


def _with_table(read: StudySpec, target: Path) -> StudySpec:
    """The study with its table on disk: made from rasters where that is asked and due, which is said."""
    made = read.table.spec
    if made is None:
        return read
    check_target(target)  # before the rasters, which may take long
    why = outdated_table(read)
    if not why:
        print(f"Table: {made.output} is up to date with {made.path}")
    else:
        print(f"Table: {made.output} is made from {made.path}, because {why}")
        from drivers.table_command import table_lines

        for line in table_lines(build_due_table(read, reporting)):
            print(line)
    return replace(read, table=replace(read.table, spec=None))


@app.command()
def table(spec: Annotated[Path, typer.Argument(help="A table spec, specs/NAME.table.yaml.")]) -> None:
    """Make a pixel table from rasters."""
    from drivers.table_command import make_table, table_lines  # rasterio takes a second to import

    try:
        built = make_table(spec, reporting=reporting)
    except KeyboardInterrupt:
        _stopped()
    for line in table_lines(built):
        print(line)


@app.command()
def show(
    report: Annotated[Path, typer.Argument(help="A folder that `drivers run` wrote.")],
    table: Annotated[str | None, typer.Argument(help="A table, such as coefficients or effects.")] = None,
) -> None:
    """Show a report's tables in the terminal."""
    found = read_report(report)
    if table is None:
        print_to(Console(), overview(found))
        print("Tables: " + ", ".join(found.tables))
        return
    name = table.removesuffix(".csv")
    if name not in found.tables:
        raise TableError(Fault(f"{report} has no table `{name}`", hint=propose(name, list(found.tables))))
    print_to(Console(), terminal_table(found.tables[name], name))


@app.command()
def compare(
    run_a: Annotated[Path, typer.Argument(help="A folder that `drivers run` wrote.")],
    run_b: Annotated[Path, typer.Argument(help="Another one: another region, or another period.")],
    out: Annotated[Path | None, typer.Option(help="Folder for the tables, as CSV; must not exist.")] = None,
) -> None:
    """Compare two finished runs: every model and stratum that both have."""
    found = compare_reports(run_a, run_b, out)
    table = found.comparison
    tested = table["p_value"].notna()
    apart = table[tested & (table["p_adjusted"] < FALSE_DISCOVERIES)]
    for note in found.notes:
        print(f"note: {note}")
    if len(apart):
        print_to(Console(), terminal_table(apart.sort_values("p_adjusted", kind="stable"), "comparison"))
    print(
        f"{len(apart)} of {int(tested.sum())} tested differences remain at a false discovery rate of "
        f"{FALSE_DISCOVERIES:.0%}; {int((~tested).sum())} numbers have no standard error to test with"
    )
    if out is not None:
        print(f"Tables: {out}")


@app.command()
def predict(
    report: Annotated[Path, typer.Argument(help="A folder that `drivers run` wrote.")],
    table: Annotated[Path, typer.Argument(help="A table with the columns of the drivers.")],
    model: Annotated[str | None, typer.Option(help="Which model, where several have forests.")] = None,
    stratum: Annotated[str | None, typer.Option(help="Which stratum; default all, or the only one.")] = None,
    out: Annotated[Path | None, typer.Option(help="File to write; default TABLE-predicted.")] = None,
) -> None:
    """Predict the response on another table, with a forest of a report."""
    forest = read_forest(report, model, stratum)
    from drivers.methods.predicted_table import predict_table  # xgboost takes a second to import

    try:
        with reporting(1) as reporter:
            made = predict_table(forest, table, out, reporter)
    except KeyboardInterrupt:
        _stopped()
    unit = f" {forest.unit}" if forest.unit else ""
    print(f"{count(made.n)} pixels; {forest.response} from {number(made.low)} to {number(made.high)}{unit}")
    for driver, (lacking, unseen) in made.unpredicted.items():
        said = [f"{count(lacking)} without a value"] * (lacking > 0)
        said += [f"{count(unseen)} with a level that the forest has not seen"] * (unseen > 0)
        print(f"not predicted: `{driver}`: {', '.join(said)}")
    if made.applicable is None:
        print("No driver of this forest matters, so nothing says where it applies.")
    else:
        print(f"{percent(made.applicable)} of the pixels are in the area of applicability")
    print(f"Predictions: {made.path}")


def _stopped() -> NoReturn:
    """Ctrl-C: what is written is written whole or not at all."""
    print("stopped; nothing was written", file=sys.stderr)
    sys.exit(EXIT_STOPPED)


def default_out(spec: Path) -> Path:
    """reports/NAME beside specs/; in the current folder for a spec that lies elsewhere."""
    home = spec.parent.parent if spec.resolve().parent.name == "specs" else Path()
    return home / "reports" / spec.stem


def main() -> None:
    """Entry point. Our errors become a message and exit code 2; anything else is a defect, with traceback."""
    try:
        app()
    except DriversError as error:
        print(error, file=sys.stderr)
        sys.exit(EXIT_WRONG_INPUT)
    except KeyboardInterrupt:
        _stopped()
