"""What errors that know neighbours cost, beside one BLAS pass over the same numbers in the same process.

    .venv/bin/python tests/benchmarks/bench_errors.py [PIXELS ...]

The model of bench_psem.py (14 variables, 5 equations, 36 claims) on a square grid whose land uses are
patches, in eight strata: `uses`, eight land uses that part the map; `crossed`, all pixels, sink and source,
and five land uses, so that each pixel is in three strata. `errors`: reading the pixels, all three kinds of
errors of all coefficients and claims of all strata, without draws. `draws`: what 999 draws of blocks add, for
every coefficient, raw and standardised, and every effect.
"""

from __future__ import annotations

import sys
import time
import tracemalloc

import numpy as np
import pandas as pd
from bench_psem import FORMULA, best, make_table
from scipy import ndimage

from drivers.effects import effect_records
from drivers.errors import Place
from drivers.methods import METHODS
from drivers.spec import ConditionFamily, LevelFamily, Vocabulary, bind, model_from_text, parse_condition
from drivers.table import Partition, PixelTable, make_partition, pixel_table_from_frame

BESIDE = ["five", "eight", "east", "north"]
"""Columns that are not in the model."""


def gridded(pixels: int) -> PixelTable:
    """The table of bench_psem.py on a grid, every variable smooth, five and eight land uses in patches."""
    side = round(pixels**0.5)
    frame = make_table(side**2).frame
    values = {
        name: ndimage.gaussian_filter(frame[name].to_numpy().reshape(side, side), 2.0).ravel() * 7.0
        for name in frame.columns
        if name != "use"
    }
    patches = ndimage.gaussian_filter(np.random.default_rng(2).normal(size=(side, side)), 6.0).ravel()
    uses = {
        name: np.searchsorted(np.quantile(patches, np.arange(1, many) / many), patches).astype(np.int32) + 1
        for name, many in (("five", 5), ("eight", 8))
    }
    north, east = np.divmod(np.arange(side**2), side)
    made = pd.DataFrame({**values, **uses, "east": east * 1.0, "north": north * 1.0})
    return pixel_table_from_frame(
        made, categorical=["five", "eight"], easting="east", northing="north", cell_size=1.0
    )


def strata(table: PixelTable, way: str) -> Partition:
    """Eight strata."""
    here = Place("bench")
    if way == "uses":
        return make_partition(table, [LevelFamily("use", "eight", None, here)], [("use",)], ())
    balance = (("sink", parse_condition("y > 0")), ("source", parse_condition("y <= 0")))
    families = [
        ConditionFamily("balance", balance, here, (here, here)),
        LevelFamily("use", "five", None, here),
    ]
    return make_partition(table, families, [(), ("balance",), ("use",)], ())


def fits(table: PixelTable, way: str, draws: int, *, effects: bool) -> tuple[float, float]:
    """Fit all strata; seconds of (preparing and coefficients and claims, effects)."""
    names = tuple(c for c in table.columns if c not in BESIDE)
    given = model_from_text(FORMULA, options={"draws": draws})
    model = bind(given, Vocabulary("bench", ("y",), tuple(n for n in names if n != "y")))
    partition = strata(table, way)
    start = time.perf_counter()
    fitter = METHODS["psem"](model, table, partition, 1)
    results = [fitter.fit(stratum) for stratum in partition.strata]
    assert [len(result.records["dsep"]) for result in results] == [36] * 8
    first = time.perf_counter() - start
    start = time.perf_counter()
    if effects:
        for result in results:
            effect_records(result)
    return first, time.perf_counter() - start


def main(sizes: list[int]) -> None:
    """Print a line per size and way of cutting it."""
    print(
        f"{'pixels':>9}  {'strata':>8}  {'X.T @ X':>9}  {'errors':>9}  {'ratio':>6}  {'draws':>8}"
        f"  {'memory/table':>12}"
    )
    for pixels in sizes:
        table = gridded(pixels)
        x = table.frame.drop(columns=BESIDE).to_numpy()
        for way in ("uses", "crossed"):
            # Measured beside each other: on a busy machine both slow down.
            blas = best(lambda x=x: x.T @ x)
            errors = min(fits(table, way, 0, effects=False)[0] for _ in range(5))
            blas = min(blas, best(lambda x=x: x.T @ x))
            draws = fits(table, way, 999, effects=True)[1]
            tracemalloc.start()
            fits(table, way, 999, effects=True)
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            size = table.frame.memory_usage().sum()
            print(
                f"{table.n:>9}  {way:>8}  {blas * 1e3:>7.1f}ms  {errors * 1e3:>7.0f}ms  {errors / blas:>6.1f}"
                f"  {draws:>7.2f}s  {(size + peak) / size:>12.2f}",
                flush=True,
            )


if __name__ == "__main__":
    main([int(float(a)) for a in sys.argv[1:]] or [10_000, 100_000, 1_000_000])
