"""How fast trends are, beside sorting as many numbers as there are pairs of years.

    .venv/bin/python tests/benchmarks/bench_trend.py [PIXELS ...]

Theil-Sen and Mann-Kendall of every pixel over 21 years: complete series, series with a tenth of the years
missing at random, and series with ties; on one thread. The yardstick sorts an array of pixels x 210 along its
rows, in chunks. Peers: pymannkendall 553 pixels a second (PEERS, section 1d). Peak memory is what the call
itself allocates, its results included.
"""

from __future__ import annotations

import sys
import time
import tracemalloc
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from drivers.stats.frequency import change_frequency
from drivers.stats.persistence import fit_persistence, no_memory
from drivers.stats.series_correlation import series_correlation
from drivers.stats.trend import fit_trend

YEARS = range(2000, 2021)
PAIRS = 210
SORTED_AT_ONCE = 20_000
REPEATS = 3
PYMANNKENDALL = 553.0
"""Pixels a second of pymannkendall's original_test, looped over pixels of 21 years (PEERS, section 1d)."""


def best(work: Callable[[], object]) -> float:
    """Shortest of several runs, in seconds of this process, so that others on the machine count little."""
    times = []
    for _ in range(REPEATS):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return min(times)


def sort_pairs(pixels: int) -> float:
    """Seconds to sort pixels x 210 random numbers along rows; making them is not counted."""
    rng = np.random.default_rng(1)
    numbers = rng.normal(size=(min(SORTED_AT_ONCE, pixels), PAIRS))
    chunk = np.empty_like(numbers)
    shortest = float("inf")
    for _ in range(REPEATS):
        total = 0.0
        for start in range(0, pixels, len(numbers)):
            chunk[:] = numbers
            part = chunk[: pixels - start]
            begin = time.process_time()
            part.sort(axis=1)
            total += time.process_time() - begin
        shortest = min(shortest, total)
    return shortest


def peak(work: Callable[[], object]) -> int:
    """Bytes that a call allocates at most."""
    tracemalloc.start()
    work()
    found = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return found


def report(name: str, seconds: float, pixels: int, yardstick: float) -> None:
    """Print a line."""
    rate = pixels / seconds
    beside = f"{rate / PYMANNKENDALL:>14,.0f} x" if name.startswith("trend") else ""
    print(f"{name:<22} {seconds:>7.2f} s  {seconds / yardstick:>6.2f}  {rate:>12,.0f}{beside}")


def measure(pixels: int) -> None:
    """Print the figures of one size."""
    rng = np.random.default_rng(2)
    complete: NDArray[np.float64] = rng.normal(500.0, 50.0, (len(YEARS), pixels))
    gaps = complete.copy()
    gaps[rng.random(gaps.shape, dtype=np.float32) < 0.1] = np.nan
    ties = np.round(complete / 10.0)
    no_memory(len(YEARS))
    work: dict[str, Callable[[], object]] = {
        "trend, complete": lambda: fit_trend(complete, YEARS),
        "trend, gaps": lambda: fit_trend(gaps, YEARS),
        "trend, ties": lambda: fit_trend(ties, YEARS),
        "persistence": lambda: fit_persistence(complete, YEARS),
        "frequency": lambda: change_frequency(complete, YEARS),
        "correlation": lambda: series_correlation(complete, gaps),
    }
    yardstick = sort_pairs(pixels)
    print(f"{pixels:,} pixels x {len(YEARS)} years")
    print(f"{'':<22} {'time':>9}  {'ratio':>6}  {'pixels/s':>12}{'pymannkendall':>16}")
    report("sort pixels x 210", yardstick, pixels, yardstick)
    for name, call in work.items():
        report(name, best(call), pixels, yardstick)
    held = peak(work["trend, complete"])
    print(f"peak memory of trend: {held / 1e6:.0f} MB; input {complete.nbytes / 1e6:.0f} MB\n")


if __name__ == "__main__":
    for size in [int(float(a)) for a in sys.argv[1:]] or [100_000, 1_000_000]:
        measure(size)
