"""How fast the geodetector is, beside sorting the same columns in the same process.

    .venv/bin/python tests/benchmarks/bench_geodetector.py [PIXELS ...]

Eight continuous drivers (half of them skewed), 5 rules × 3 to 8 classes, factor and interaction detectors;
without `natural` and with it. The ratio is to `np.sort` of the eight columns. The last columns add what peers
do not have: the cross-fitted q, and surrogates for p_max. At 10,000 pixels PyPI's `geodetector` is timed
too, on its own rules (equal, quantile and, with natural, jenks), where `pip install geodetector` was run.

R's GD on the same task (issue 3): 39 s at 1e4, 89 s without natural at 1e5, over 7 minutes at 1e6.
"""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from drivers.methods.geodetector import fitter
from drivers.spec import Vocabulary, bind, model_from_text
from drivers.table import PixelTable, make_partition, pixel_table_from_frame

DRIVERS = tuple(f"x{i}" for i in range(8))
RULES = ("equal", "quantile", "geometric", "sd")
QUICK = {"permutations": 0, "folds": 0, "detectors": ["factor", "interaction"]}
PEER_PIXELS = 10_000
REPEATS = 3


def make_table(pixels: int) -> PixelTable:
    """Four normal and four lognormal drivers; three of them matter."""
    rng = np.random.default_rng(1)
    columns = {name: rng.normal(size=pixels) for name in DRIVERS}
    for name in DRIVERS[::2]:
        columns[name] = np.exp(columns[name])
    columns["y"] = columns["x1"] + np.log(columns["x0"]) * columns["x3"] + rng.normal(size=pixels)
    return pixel_table_from_frame(pd.DataFrame(columns))


def best(work: Callable[[], object], repeats: int = REPEATS) -> float:
    """Shortest of several runs, in seconds."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def detect(table: PixelTable, rules: tuple[str, ...], **options: Any) -> None:
    """All that a fit does, to the rows of its tables."""
    text = {**QUICK, **options, "discretize": {"methods": list(rules), "classes": [3, 8]}}
    model = bind(
        model_from_text(f"y ~ {' + '.join(DRIVERS)}", method="geodetector", options=text),
        Vocabulary("bench", ("y",), DRIVERS),
    )
    partition = make_partition(table, [], [()])
    records = fitter(model, table, partition, 0).fit(partition.strata[0]).records
    assert len(records["q_interaction"]) == 28
    assert len(records["breaks"]) == 8 * 6 * len(rules)


def peer(table: PixelTable, rules: tuple[str, ...]) -> float:
    """PyPI's geodetector on its own rules; NaN where it is not installed."""
    try:
        import geodetector
    except ImportError:
        return float("nan")
    names = ["quantile", "equal", *(["jenks"] if "natural" in rules else [])]
    x, y = table.frame[list(DRIVERS)], table.frame["y"]

    def run() -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            cut = geodetector.OptimalDiscretizer(discretize_methods=names, k_range=(3, 8))
            classes = pd.DataFrame(cut.fit_transform(x, y), columns=list(DRIVERS))
            geodetector.InteractionDetector().fit(classes, y)

    return best(run, 1)


def main(sizes: list[int]) -> None:
    """Two lines per size."""
    print(
        f"{'pixels':>9}  {'natural':>7}  {'8 sorts':>9}  {'geodetector':>11}  {'ratio':>7}"
        f"  {'+ 5 folds':>9}  {'+ 19 surrogates':>15}  {'PyPI':>9}"
    )
    for pixels in sizes:
        table = make_table(pixels)
        columns = [table.values(name) for name in DRIVERS]
        for rules in (RULES, (*RULES, "natural")):
            sorts = best(lambda columns=columns: [np.sort(c) for c in columns])
            whole = best(lambda table=table, rules=rules: detect(table, rules))
            folds = best(lambda table=table, rules=rules: detect(table, rules, folds=5))
            drawn = best(lambda table=table, rules=rules: detect(table, rules, permutations=19))
            other = peer(table, rules) if pixels == PEER_PIXELS else float("nan")
            print(
                f"{pixels:>9}  {'natural' in rules!s:>7}  {sorts * 1e3:>7.1f}ms  {whole * 1e3:>9.1f}ms"
                f"  {whole / sorts:>7.1f}  {folds * 1e3:>7.1f}ms  {drawn * 1e3:>13.1f}ms"
                f"  {'' if other != other else f'{other:.1f}s':>9}",
                flush=True,
            )


if __name__ == "__main__":
    main([int(float(a)) for a in sys.argv[1:]] or [10_000, 100_000, 1_000_000])
