"""How often the geodetector calls a driver significant that has nothing to do with the response.

    .venv/bin/python tests/calibration/geodetector_size.py [SEEDS]

Response and driver are independent fields. For every setting: the share of seeds with p below 0.05, of the
maximum over 30 candidates (p_max), of the chosen classes with effective pixels (p_value) and with pixels
taken as independent (p_classical). Fields are cut out of larger tori: their edges know nothing of each other.
docs/geodetector.md holds the table.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import fft, special

from drivers.methods.geodetector import fitter
from drivers.spec import Vocabulary, bind, model_from_text
from drivers.table import make_partition, pixel_table_from_frame

Array = NDArray[np.float64]
Correlation = Callable[[Array], Array]

LEVEL = 0.05


def independent(d: Array) -> Array:
    """White noise."""
    return np.where(d == 0, 1.0, 0.0)


def exponential(reach: float) -> Correlation:
    """exp(-d / reach)."""
    return lambda d: np.exp(-d / reach)


def bell(reach: float) -> Correlation:
    """exp(-(d / reach)²), very smooth."""
    return lambda d: np.exp(-((d / reach) ** 2))


def field(correlation: Correlation, rows: int, columns: int, rng: np.random.Generator) -> Array:
    """A Gaussian field on rows × columns pixels."""
    sizes = [max(2 * m, m + 128) for m in (rows, columns)]
    lags = [np.minimum(np.arange(m), m - np.arange(m)) for m in sizes]
    spectrum = fft.fft2(correlation(np.hypot(lags[0][:, None], lags[1]))).real
    noise = fft.fft2(rng.normal(size=sizes))
    return fft.ifft2(np.sqrt(np.maximum(spectrum, 0)) * noise).real[:rows, :columns]


def blobs(rows: int, columns: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Half of the pixels, in patches."""
    return field(bell(12), rows, columns, rng) > 0


Setting = tuple[str, str, int, int]
"""Name of the correlation, shape of the map, rows, columns."""

CORRELATIONS: dict[str, Correlation] = {
    "independent": independent,
    "exponential 2": exponential(2),
    "exponential 4": exponential(4),
    "exponential 8": exponential(8),
    "bell 3": bell(3),
    "bell 6": bell(6),
}
SETTINGS: list[Setting] = [
    *((name, "full", 96, 96) for name in CORRELATIONS),
    ("independent", "full", 32, 32),
    ("exponential 4", "full", 48, 48),
    ("exponential 4", "patches", 96, 96),
    ("exponential 4", "strip", 16, 256),
    ("exponential 4", "skewed response", 96, 96),
    ("exponential 4", "smooth driver, independent response", 96, 96),
]


def one(setting: Setting, seed: int) -> tuple[float, float, float]:
    """p_max, p_value and p_classical of one pair of fields."""
    name, shape, rows, columns = setting
    rng = np.random.default_rng([seed, *name.encode(), rows])
    response = field(CORRELATIONS[name], rows, columns, rng)
    driver = field(CORRELATIONS[name], rows, columns, rng)
    if shape == "skewed response":
        response = special.exprel(response) * np.exp(response)
    if shape.startswith("smooth driver"):
        response = rng.normal(size=(rows, columns))
    kept = blobs(rows, columns, rng) if shape == "patches" else np.ones((rows, columns), dtype=bool)
    north, east = np.nonzero(kept)
    frame = pd.DataFrame({"y": response[kept], "x": driver[kept], "e": east * 1.0, "n": north * 1.0})
    table = pixel_table_from_frame(frame, easting="e", northing="n")
    model = bind(
        model_from_text("y ~ x", method="geodetector", options={"folds": 0}),
        Vocabulary("calibration", ("y",), ("x",)),
    )
    partition = make_partition(table, [], [()])
    (row,) = fitter(model, table, partition, seed).fit(partition.strata[0]).records["q"]
    return row["p_max"], row["p_value"], row["p_classical"]


def main(seeds: int) -> None:
    """Print the table."""
    print(f"| correlation | map | p_max | p_value | p_classical |   ({seeds} seeds)")
    print("|---|---|---|---|---|")
    with ProcessPoolExecutor() as pool:
        for setting in SETTINGS:
            p = np.array(list(pool.map(partial(one, setting), range(seeds), chunksize=10)))
            with np.errstate(invalid="ignore"):
                rates = (p < LEVEL + 1e-9).mean(axis=0)
            name, shape, rows, columns = setting
            where = f"{rows} × {columns}{'' if shape == 'full' else ', ' + shape}"
            print(f"| {name} | {where} | {rates[0]:.3f} | {rates[1]:.3f} | {rates[2]:.3f} |", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 500)
