"""How often effective pixels call a zero coefficient significant, and intervals hold the true one.

    .venv/bin/python tests/calibration/effective_size.py [SEEDS] [WORDS OF A WORLD ...]

x has nothing to do with y = 0.8 z1 + 0.8 z2 + errors, but shares z1 and z2 with it. For every world: the
median number of effective pixels of x, the share of seeds with p below 0.05 for x with pixels taken as
independent and with effective pixels, the share of 95 % intervals that hold the slope of z1, and the share
of seeds refused for too few effective pixels (which the sizes leave out). Fields are cut out of larger tori:
their edges know nothing of each other.
"""

from __future__ import annotations

import sys
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import fft, special

from drivers.stats.effective import Dependence, effective_n
from drivers.stats.lagged import lagged_moments
from drivers.stats.lattice import make_lattice
from drivers.stats.linear import least_squares
from drivers.stats.moments import moments

Array = NDArray[np.float64]

LEVEL = 0.05
SLOPE = 0.8


class World(NamedTuple):
    """Shape of the map, correlation of x and of the errors, number of confounders and their correlation."""

    map: str
    x: str
    errors: str
    confounders: int = 2
    z: str = "exp 4"


WORLDS = [
    *(World("48", field, field, count) for field in ("white", "exp 2", "exp 4", "exp 8") for count in (0, 2)),
    World("48", "exp 16", "exp 16"),
    World("48", "bell 3", "bell 3"),
    World("48", "bell 6", "bell 6", 2, "bell 6"),
    World("48", "bell 10", "bell 10", 2, "bell 6"),
    World("48", "white", "exp 8"),
    World("48", "exp 8", "white"),
    World("48", "white + exp 8", "white + exp 8"),
    World("48", "exp 2 + bell 8", "exp 2 + bell 8"),
    *(World("96", field, field) for field in ("white", "exp 2", "exp 4", "exp 8", "bell 4", "bell 8")),
    World("96", "exp 8", "exp 8", 0),
    World("96", "exp 8", "white"),
    World("96", "white", "bell 8"),
    World("24", "exp 4", "exp 4"),
    World("24", "exp 8", "exp 8"),
    World("24", "bell 6", "bell 6"),
    World("patch", "exp 2", "exp 2"),
    World("patch", "exp 4", "exp 4"),
    World("patch", "bell 4", "bell 4"),
    World("patch", "white", "white"),
    World("strip", "exp 4", "exp 4"),
    World("strip", "exp 8", "exp 8"),
    World("scattered", "white", "white"),
    World("scattered", "exp 4", "exp 4"),
    World("scattered", "exp 8", "exp 8"),
    World("200", "exp 8", "exp 8"),
    World("200", "exp 20", "exp 20"),
]


def correlation(name: str, distance: Array) -> Array:
    """`white`, `exp r` = exp(-d / r), `bell r` = exp(-(d / r)²)."""
    if name == "white":
        return np.where(distance == 0.0, 1.0, 0.0)
    kind, reach = name.split()
    scaled = distance / float(reach)
    return np.asarray(np.exp(-scaled) if kind == "exp" else np.exp(-(scaled**2)))


def fields(names: str, rows: int, columns: int, count: int, rng: np.random.Generator) -> Array:
    """Gaussian fields of unit variance, shape (count, rows, columns); `a + b` in equal parts."""
    parts = names.split(" + ")
    total = np.zeros((count, rows, columns))
    for name in parts:
        sizes = [fft.next_fast_len(max(2 * m, m + 100)) for m in (rows, columns)]
        lags = [np.minimum(np.arange(m), m - np.arange(m)) for m in sizes]
        spectrum = np.maximum(fft.fft2(correlation(name, np.hypot(lags[0][:, None], lags[1]))).real, 0.0)
        noise = rng.standard_normal((2, count, *sizes))
        field = fft.fft2((noise[0] + 1j * noise[1]) * np.sqrt(spectrum / spectrum.size)).real
        total += field[:, :rows, :columns]
    return total / np.sqrt(len(parts))


def make_map(name: str, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Which pixels there are."""
    if name == "strip":
        return np.ones((8, 200), dtype=bool)
    if name == "patch":
        return fields("bell 8", 48, 48, 1, rng)[0] > 0.7
    if name == "scattered":
        return rng.random((64, 64)) < 0.12
    return np.ones((int(name), int(name)), dtype=bool)


def one(world: World, seed: int) -> tuple[float, float, float, float]:
    """Effective pixels of x, its two p-values, and whether the interval of z1 (or of x) holds its slope."""
    rng = np.random.default_rng([seed, *"".join(map(str, world)).encode()])
    kept = make_map(world.map, rng)
    x, errors = (fields(name, *kept.shape, 1, rng)[0, kept] for name in (world.x, world.errors))
    z = fields(world.z, *kept.shape, world.confounders, rng)[:, kept]
    x = x + np.array([0.7, -0.5])[: len(z)] @ z
    columns = np.vstack([x, z, errors + SLOPE * z.sum(axis=0)])
    north, east = np.nonzero(kept)
    grid = make_lattice(east.astype(float), north.astype(float))
    predictors = list(range(len(columns) - 1))
    fit = least_squares(moments(columns), len(predictors), predictors)
    found = effective_n(Dependence(lagged_moments(columns, grid)), len(predictors), predictors)
    error = fit.std_error * found.std_error_factor
    classical, effective = (
        2.0 * special.stdtr(df, -abs(fit.coefficients[0]) / s)
        for df, s in ((fit.df, fit.std_error[0]), (found.df[0], error[0]))
    )
    which, truth = (1, SLOPE) if len(z) else (0, 0.0)
    half = special.stdtrit(found.df[which], 1.0 - LEVEL / 2.0) * error[which]
    inside = np.where(found.enough[which], abs(fit.coefficients[which] - truth) <= half, np.nan)
    return float(found.n_effective[0]), float(classical), float(effective), float(inside)


def main(seeds: int, words: list[str]) -> None:
    """Print the table."""
    print("| map | x | errors | confounders | n_effective | classical | effective | coverage | refused |")
    print("|---|---|---|---|---|---|---|---|---|")
    for world in WORLDS:
        if words and not set(words) & set(map(str, world)):
            continue
        n, classical, effective, inside = np.array([one(world, seed) for seed in range(seeds)]).T
        tested = np.isfinite(effective)
        size = (effective[tested] < LEVEL).mean() if tested.any() else np.nan
        held = inside[np.isfinite(inside)]
        coverage = held.mean() if len(held) else np.nan
        print(
            f"| {world.map} | {world.x} | {world.errors} | {world.confounders} × {world.z} "
            f"| {np.median(n):.0f} | {(classical < LEVEL).mean():.3f} | {size:.3f} | {coverage:.3f} "
            f"| {1.0 - tested.mean():.2f} |",
            flush=True,
        )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 300, sys.argv[2:])
