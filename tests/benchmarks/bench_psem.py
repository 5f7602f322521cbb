"""How fast a piecewise SEM is, beside one BLAS pass over the same numbers in the same process.

    .venv/bin/python tests/benchmarks/bench_psem.py [PIXELS ...]

Times everything after the table is in memory (strata, moments, every fit, effects, tables as data
frames) for 14 variables, 5 equations, 36 claims and 8 strata; prints the ratio to one X.T @ X of the
same columns, and peak memory over the table's size. Peers on the same model without strata, two cores:
piecewiseSEM 71 s and 2.7 GB at 1e6 pixels, lavaan 2.8 s and 0.6 GB (issue 2).
"""

from __future__ import annotations

import sys
import time
import tracemalloc
from collections.abc import Callable

import numpy as np
import pandas as pd

from drivers.effects import effect_records
from drivers.errors import Place
from drivers.methods import METHODS
from drivers.methods.result import frame
from drivers.spec import ConditionFamily, LevelFamily, Vocabulary, bind, model_from_text, parse_condition
from drivers.table import PixelTable, make_partition, pixel_table_from_frame

FORMULA = """
m1 ~ x1 + x2 + x3
m2 ~ x4 + x5 + m1
m3 ~ x6 + x7 + x8 + m1
m4 ~ x9 + m2 + m3
y ~ m1 + m2 + m3 + m4 + x1 + x4
"""
REPEATS = 5


def make_table(pixels: int) -> PixelTable:
    """Independent pixels of the model above, in 14 columns, and a land use of five scattered classes."""
    rng = np.random.default_rng(1)
    columns = {f"x{i}": rng.normal(size=pixels) for i in range(1, 10)}
    noise = rng.normal(size=(5, pixels))
    columns["m1"] = 0.4 * columns["x1"] + 0.2 * columns["x2"] + 0.1 * columns["x3"] + noise[0]
    columns["m2"] = 0.3 * columns["x4"] + 0.3 * columns["x5"] + 0.2 * columns["m1"] + noise[1]
    columns["m3"] = 0.3 * columns["x6"] + 0.2 * columns["x7"] + 0.1 * columns["x8"] + noise[2]
    columns["m4"] = 0.5 * columns["x9"] + 0.3 * columns["m2"] + 0.2 * columns["m3"] + noise[3]
    columns["y"] = 0.4 * columns["m1"] + 0.3 * columns["m3"] + 0.2 * columns["m4"] + noise[4]
    columns["use"] = rng.integers(1, 6, pixels).astype(np.int32)
    return pixel_table_from_frame(pd.DataFrame(columns), categorical=["use"])


def best(work: Callable[[], object]) -> float:
    """Shortest of several runs, in seconds."""
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def study(table: PixelTable) -> None:
    """All that `drivers run` does between reading and writing."""
    names = [c for c in table.columns if c != "use"]
    model = bind(model_from_text(FORMULA), Vocabulary("bench", ("y",), tuple(n for n in names if n != "y")))
    here = Place("bench")
    balance = (("sink", parse_condition("y > 0")), ("source", parse_condition("y <= 0")))
    families = [
        ConditionFamily("balance", balance, here, (here, here)),
        LevelFamily("use", "use", None, here),
    ]
    # A fresh copy forgets the codes and values that an earlier run has cached.
    fresh = PixelTable(table.frame, table.source, categorical=table.categorical, missing=table.missing)
    partition = make_partition(fresh, families, [(), ("balance",), ("use",)], {"y"})
    fitter = METHODS["psem"](model, fresh, partition)
    rows: dict[str, list[dict[str, object]]] = {}
    for stratum in partition.strata:
        result = fitter.fit(stratum)
        for name, found in {**result.records, **effect_records(result)}.items():
            rows.setdefault(name, []).extend(found)
    assert len(rows["dsep"]) == 36 * len(partition.strata) == 36 * 8
    for name, found in rows.items():
        frame(name, found)


def main(sizes: list[int]) -> None:
    """Print a line per size."""
    print(f"{'pixels':>9}  {'X.T @ X':>9}  {'study':>9}  {'ratio':>6}  {'memory/table':>12}")
    for pixels in sizes:
        table = make_table(pixels)
        x = table.frame.drop(columns="use").to_numpy()
        blas = best(lambda x=x: x.T @ x)
        whole = best(lambda table=table: study(table))
        tracemalloc.start()
        study(table)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        size = table.frame.memory_usage().sum()
        print(
            f"{pixels:>9}  {blas * 1e3:>7.1f}ms  {whole * 1e3:>7.1f}ms  {whole / blas:>6.1f}"
            f"  {(size + peak) / size:>12.2f}"
        )


if __name__ == "__main__":
    main([int(float(a)) for a in sys.argv[1:]] or [10_000, 100_000, 1_000_000])
