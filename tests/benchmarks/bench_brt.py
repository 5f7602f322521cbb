"""How fast boosted trees are, beside bare xgboost growing the same forests in the same process.

    .venv/bin/python tests/benchmarks/bench_brt.py [PIXELS ...]

13 drivers, trees of complexity 5, 10-fold cross-validation, a holdout and the forest of all pixels, without
importance and curves. Bare xgboost grows as many trees on the same shares of the pixels, folds in as many
threads; the ratio is what validation and bookkeeping cost. The last column: rows per second of SHAP values.

R's gbm: 164 s at 1e4 for 2000 trees with 10 folds (issue 4).
"""

from __future__ import annotations

import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pandas as pd
import xgboost as xgb

from drivers.methods.boosting import WORKERS, Pixels, Setting, bins_for, grow_forest, parameters
from drivers.methods.brt import fitter
from drivers.methods.driver_sample import DriverTable
from drivers.methods.tree_scale import TreeScale
from drivers.spec import Vocabulary, bind, model_from_text
from drivers.table import PixelTable, make_partition, pixel_table_from_frame

DRIVERS = tuple(f"x{i}" for i in range(13))
FOLDS = 10
TREES = {10_000: 500, 100_000: 200, 1_000_000: 50}
SETTING = Setting(5, 0.05, 0.5, 10, 1)
OPTIONS: dict[str, Any] = {
    "n_trees": 0,
    "learning_rate": SETTING.learning_rate,
    "folds": FOLDS,
    "shap_pixels": 0,
    "permutations": 0,
    "interactions": False,
    "curves": False,
}


def make_table(pixels: int) -> PixelTable:
    """Independent normal drivers; four of them matter."""
    rng = np.random.default_rng(1)
    columns = {name: rng.normal(size=pixels) for name in DRIVERS}
    columns["y"] = columns["x0"] * columns["x1"] + np.sin(2 * columns["x2"]) + (columns["x3"] > 0)
    columns["y"] += rng.normal(size=pixels)
    return pixel_table_from_frame(pd.DataFrame(columns))


def bare(matrix: np.ndarray, y: np.ndarray, n_trees: int) -> None:
    """The same trees on the same shares of pixels: folds of the training part, the part, and all."""
    words = parameters(SETTING, "gaussian", 0.5, 0.0, bins_for(len(y)))
    y = ((y - y.mean()) / y.std()).astype(np.float32)
    n = round(0.7 * len(y))
    fold = np.arange(n) % FOLDS
    parts = [np.flatnonzero(fold != f) for f in range(FOLDS)] + [np.arange(n), np.arange(len(y))]

    def grow(rows: np.ndarray) -> None:
        xgb.train(
            words, xgb.QuantileDMatrix(matrix[rows], y[rows], max_bin=words["max_bin"], nthread=1), n_trees
        )

    with ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(grow, parts[:FOLDS]))
    for rows in parts[FOLDS:]:
        grow(rows)


def main(sizes: list[int]) -> None:
    """A line per size."""
    print(f"{'pixels':>9}  {'trees':>5}  {'bare xgboost':>12}  {'brt':>8}  {'ratio':>5}  {'SHAP rows/s':>11}")
    for pixels in sizes:
        table, n_trees = make_table(pixels), TREES.get(pixels, 100)
        words = Vocabulary("bench", ("y",), DRIVERS)
        options = {**OPTIONS, "n_trees": n_trees}
        text = model_from_text(f"y ~ {' + '.join(DRIVERS)}", method="brt", options=options)
        model, partition = bind(text, words), make_partition(table, [], [()])
        sample = DriverTable(model, table).sample(partition, partition.strata[0])  # type: ignore[arg-type]
        matrix = TreeScale.of(sample).matrix(sample.drivers)
        start = time.perf_counter()
        bare(matrix, sample.response, n_trees)
        middle = time.perf_counter()
        result = fitter(model, table, partition, 1).fit(partition.strata[0])
        end = time.perf_counter()
        forest = grow_forest(result_pixels(result), SETTING, 200)
        begin = time.perf_counter()
        forest.contributions(matrix[:2000])
        rate = 2000 / (time.perf_counter() - begin)
        ratio = (end - middle) / (middle - start)
        print(
            f"{pixels:>9}  {n_trees:>5}  {middle - start:>11.2f}s  {end - middle:>7.2f}s  {ratio:>5.2f}"
            f"  {rate:>11.0f}",
            flush=True,
        )


def result_pixels(result: Any) -> Any:
    """Ten thousand pixels of a fit at most, as trees see them."""
    sample = result.sample
    return Pixels(
        result.scale.matrix(sample.drivers)[:10_000],
        (False,) * 13,
        sample.response[:10_000],
        None,
        "gaussian",
    )


if __name__ == "__main__":
    main([int(float(a)) for a in sys.argv[1:]] or list(TREES))
