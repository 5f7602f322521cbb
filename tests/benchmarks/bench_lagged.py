"""Time and memory of the sums over pairs by distance, in multiples of one X.T @ X, and of effective pixels.

    .venv/bin/python tests/benchmarks/bench_lagged.py [SIDE ...]

The strata are eight interleaved land uses of a square map of 14 columns: in patches, and scattered pixel by
pixel; their sums over pairs are made one after the other. Memory is the peak beside the table. Then the
milliseconds of one `effective_n` for 1 to 8 predictors, after the caches are warm.
"""

from __future__ import annotations

import sys
import time
import tracemalloc
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from drivers.stats.effective import Dependence, effective_n
from drivers.stats.lagged import LaggedMoments, lagged_moments
from drivers.stats.lattice import Lattice

Array = NDArray[np.float64]

COLUMNS = 14
STRATA = 8
REPEATS = 5


def best(work: Callable[[], object], repeats: int = REPEATS) -> float:
    """Shortest of several runs, in seconds."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def make_columns(side: int, rng: np.random.Generator) -> Array:
    """Fields from white to smooth, each with some of the one before in it, shape (COLUMNS, side²)."""
    columns = np.empty((COLUMNS, side * side))
    for j in range(COLUMNS):
        field = ndimage.gaussian_filter(rng.standard_normal((side, side)), j % 5)
        columns[j] = (field / field.std()).ravel() + (0.3 * columns[j - 1] if j else 0.0)
    return columns


def sums_over_pairs(columns: Array, code: NDArray[np.intp], side: int) -> list[LaggedMoments]:
    """The lagged moments of every stratum, columns read one by one."""
    found = []
    for level in range(int(code.max()) + 1):
        inside = np.flatnonzero(code == level)
        row, column = np.divmod(inside, side)
        grid = Lattice(row, column, (side, side), 1.0, 1.0, True)
        found.append(lagged_moments([values[inside] for values in columns], grid))
    return found


def main(sides: list[int]) -> None:
    """Print a line per map and way of cutting it into strata."""
    print(f"{'side':>6}  {'strata':>10}  {'X.T @ X':>9}  {'sums':>9}  {'ratio':>6}  {'memory/table':>12}")
    for side in sides:
        rng = np.random.default_rng(1)
        columns = make_columns(side, rng)
        x = np.ascontiguousarray(columns.T)
        smooth = [ndimage.gaussian_filter(rng.standard_normal((side, side)), 8) for _ in range(STRATA)]
        ways = {
            "whole": np.zeros(side * side, dtype=np.intp),
            "patches": np.argmax(smooth, axis=0).ravel(),
            "scattered": rng.integers(0, STRATA, side * side),
        }
        for name, code in ways.items():
            # Measured beside each other: on a busy machine both slow down.
            blas = best(lambda x=x: x.T @ x)
            work = best(lambda c=columns, k=code, s=side: sums_over_pairs(c, k, s), 3)
            blas = min(blas, best(lambda x=x: x.T @ x))
            tracemalloc.start()
            strata = sums_over_pairs(columns, code, side)
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            print(
                f"{side:>6}  {name:>10}  {blas * 1e3:>7.1f}ms  {work * 1e3:>7.0f}ms  {work / blas:>6.1f}"
                f"  {peak / columns.nbytes:>12.2f}",
                flush=True,
            )
            if name == "whole":
                pixels = Dependence(strata[0])
        times = []
        for k in range(1, 9):
            predictors = list(range(k))
            effective_n(pixels, COLUMNS - 1, predictors)
            times.append(best(lambda d=pixels, v=predictors: effective_n(d, COLUMNS - 1, v), 20))
        print(f"{side:>6}  effective_n, 1 to 8 predictors: {' '.join(f'{t * 1e3:.2f}' for t in times)} ms")


if __name__ == "__main__":
    main([int(a) for a in sys.argv[1:]] or [40, 100, 1000])
