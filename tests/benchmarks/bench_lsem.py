"""How fast a latent-variable SEM is after the moments, beside lavaan's class of work and semopy on rows.

    .venv/bin/python tests/benchmarks/bench_lsem.py [PIXELS]

A path model of 5 equations and 14 variables on eight strata, and a confirmatory factor analysis of three
factors and nine indicators. `fit` is the optimum; `all` also errors, indices, standardised solution,
modification indices, residuals and effects. lavaan takes 0.4 s for the path model at n = 1000 (issue 7);
semopy 2.3.11 is run here, on rows, where it is installed.
"""

from __future__ import annotations

import sys
import time
import warnings

import numpy as np
import pandas as pd
from bench_psem import FORMULA, best, make_table

from drivers.effects import effect_records
from drivers.errors import Place
from drivers.methods import METHODS
from drivers.methods.latent_fit import fit_latent
from drivers.spec import ConditionFamily, LevelFamily, Vocabulary, bind, model_from_text, parse_condition
from drivers.table import PixelTable, make_partition, pixel_table_from_frame

FACTORS = "f1 =~ x1 + x2 + x3\nf2 =~ x4 + x5 + x6\nf3 =~ x7 + x8 + x9"
LAVAAN = 0.4
"""Seconds of lavaan for such a path model at n = 1000."""


def factor_table(pixels: int) -> PixelTable:
    """Nine indicators of three factors that covary."""
    rng = np.random.default_rng(2)
    factors = np.linalg.cholesky(np.full((3, 3), 0.4) + 0.6 * np.eye(3)) @ rng.normal(size=(3, pixels))
    columns = {
        f"x{i + 1}": (1.0, 0.8, 1.2)[i % 3] * factors[i // 3] + rng.normal(size=pixels) for i in range(9)
    }
    return pixel_table_from_frame(pd.DataFrame(columns))


def line(name: str, strata: int, prepare: float, fit: float, everything: float) -> None:
    """A line of the table."""
    ratio = LAVAAN / (fit / strata)
    print(f"{name:>22}  {strata:>6}  {prepare:9.3f}  {fit / strata:11.5f}  {everything:9.3f}  {ratio:11.0f}")


def paths(pixels: int) -> None:
    """The path model on eight strata."""
    table = make_table(pixels)
    names = [c for c in table.columns if c != "use"]
    words = Vocabulary("bench", ("y",), tuple(n for n in names if n != "y"))
    # Residuals of what is only explained covary by default; in this model that is y alone.
    model = bind(model_from_text(FORMULA, method="lsem", options={"errors": "classical"}), words)
    here = Place("bench")
    balance = (("sink", parse_condition("y > 0")), ("source", parse_condition("y <= 0")))
    families = [
        ConditionFamily("balance", balance, here, (here, here)),
        LevelFamily("use", "use", None, here),
    ]
    partition = make_partition(table, families, [(), ("balance",), ("use",)], {"y"})
    start = time.perf_counter()
    fitter = METHODS["lsem"](model, table, partition, 1)
    prepared = time.perf_counter() - start
    samples = [fitter.fit(stratum).fit.sample for stratum in partition.strata]
    fit = best(lambda: [fit_latent(model, sample) for sample in samples])

    def everything() -> None:
        results = [fitter.fit(stratum) for stratum in partition.strata]
        for result in results:
            assert result.records["coefficients"]
            effect_records(result)

    line("path model", len(partition.strata), prepared, fit, best(everything))


def factors(pixels: int) -> None:
    """The factor analysis."""
    table = factor_table(pixels)
    words = Vocabulary("bench", (), table.columns)
    model = bind(model_from_text(FACTORS, method="lsem", options={"errors": "classical"}), words)
    partition = make_partition(table, [], [()], set())
    start = time.perf_counter()
    fitter = METHODS["lsem"](model, table, partition, 1)
    prepared = time.perf_counter() - start
    stratum = partition.strata[0]
    sample = fitter.fit(stratum).fit.sample
    fit = best(lambda: fit_latent(model, sample))

    def everything() -> None:
        result = fitter.fit(stratum)
        assert result.records["coefficients"]
        effect_records(result)

    line("3 factors", 1, prepared, fit, best(everything))
    try:
        import semopy
    except ImportError:
        print("semopy is not installed")
        return
    for name, text, frame in (
        ("3 factors", FACTORS, table.frame),
        ("path model", FORMULA.strip(), make_table(pixels).frame),
    ):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            start = time.perf_counter()
            semopy.Model(text).fit(frame)
            print(f"semopy on {len(frame)} rows, {name}: {time.perf_counter() - start:.2f} s, one stratum")


def main(pixels: int) -> None:
    """Print the table."""
    head = f"{'model':>22}  {'strata':>6}  {'moments s':>9}  {'fit/stratum':>11}"
    print(f"{head}  {'all strata':>9}  {'lavaan/fit':>11}")
    paths(pixels)
    factors(pixels)


if __name__ == "__main__":
    main(int(float(sys.argv[1])) if len(sys.argv) > 1 else 1_000_000)
