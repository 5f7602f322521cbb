"""How well random folds and folds of spatial blocks tell the R² of boosted trees on pixels far away.

    .venv/bin/python tests/calibration/tree_folds.py [SEEDS]

Every world is a law from which regions are drawn: driver fields, and a response that is a function of them
plus a smooth field that no driver knows of. Trees are grown on one region; pixels of other regions, drawn
by the same law with other seeds, are the far ones. For every world, means over the seeds of the R² of random
folds, of block folds and on far pixels (all of them pooled, about their own mean), and of the difference
block - far with its standard error over seeds and their standard deviation. The R² of one region is itself
uncertain where it holds few patches: the standard deviation says how much, the mean says whether folds are
fair.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import fft

import drivers as dr
from drivers.methods.brt_result import BrtResult
from drivers.stats.scores import pooled_scores
from drivers.table import pixel_table_from_frame

Array = NDArray[np.float64]

OPTIONS = {
    "n_trees": 300,
    "learning_rate": 0.05,
    "train": 1.0,
    "shap_pixels": 0,
    "shap_interactions": 0,
    "permutations": 0,
    "interactions": False,
    "curves": False,
}
"""A given number of trees, no holdout and no readings of the forest: folds alone are at stake."""

FAR_REGIONS = 8
"""Regions, none of them trained on, that hold the far pixels: means of smooth fields need several."""

FAR_PIXELS = 1_000
"""Far pixels of each of these: neighbours tell the same, so all of them are not needed."""

FIRST_FAR = 10_000
"""Seed of the first far region, beyond all seeds of training."""

DRIVERS = 6


@dataclass(frozen=True)
class Law:
    """Smooth drivers, a curved response, smooth noise, and the shape of a region.

    Attributes
    ----------
    drivers_reach, noise_reach : practical range of the fields in cells, where 5 % correlation is left
    rows, columns : of the region
    points : how many of its cells are pixels, at random places inside them; None for all, at their centres
    share : of the response's variance that is noise
    """

    drivers_reach: float
    noise_reach: float
    rows: int = 60
    columns: int = 60
    points: int | None = None
    share: float = 0.4

    def __call__(self, seed: int) -> pd.DataFrame:
        """A region."""
        rng = np.random.default_rng(seed)
        fields = [smooth(self.drivers_reach, self.rows, self.columns, rng).ravel() for _ in range(DRIVERS)]
        noise = smooth(self.noise_reach, self.rows, self.columns, rng).ravel()
        north, east = np.divmod(np.arange(self.rows * self.columns, dtype=float), self.columns)
        signal = (curved(fields) - MEAN) / DEVIATION
        data = pd.DataFrame({f"x{j}": values for j, values in enumerate(fields)})
        data["y"] = np.sqrt(1.0 - self.share) * signal + np.sqrt(self.share) * noise
        data["e"], data["n"] = east, north
        if self.points is None:
            return data
        kept = data.iloc[np.sort(rng.choice(len(data), self.points, replace=False))].reset_index(drop=True)
        places = kept[["e", "n"]] + rng.uniform(-0.5, 0.5, (len(kept), 2))
        return kept.assign(e=places.e, n=places.n)


def smooth(reach: float, rows: int, columns: int, rng: np.random.Generator) -> Array:
    """A Gaussian field of correlation exp(-3 h / reach), cut out of a torus one reach wider."""
    sizes = [fft.next_fast_len(m + int(np.ceil(reach))) for m in (rows, columns)]
    lags = [np.minimum(np.arange(m), m - np.arange(m)) for m in sizes]
    spectrum = np.maximum(fft.fft2(np.exp(-3.0 * np.hypot(lags[0][:, None], lags[1]) / reach)).real, 0.0)
    noise = fft.fft2(rng.normal(size=sizes))
    # The mean of the spectrum is the variance of a pixel.
    made = fft.ifft2(np.sqrt(spectrum / spectrum.mean()) * noise).real
    return np.asarray(made[:rows, :columns], dtype=np.float64)


def curved(x: list[Array] | Array) -> Array:
    """What the drivers do: a wave, a product, a kink and a line; the last driver does nothing."""
    return np.asarray(np.sin(2.0 * x[0]) + 0.5 * x[1] * x[2] + 0.7 * np.abs(x[3]) + 0.4 * x[4])


MEAN = 0.7 * float(np.sqrt(2.0 / np.pi))
"""Expectation of `curved` over independent normal drivers."""

DEVIATION = float(np.sqrt((1.0 - np.exp(-8.0)) / 2.0 + 0.25 + 0.49 * (1.0 - 2.0 / np.pi) + 0.16))
"""Its standard deviation: the four parts are independent."""


@dataclass(frozen=True)
class Planted:
    """The planted world: 14 drivers and land use, all five land uses as one stratum.

    Attributes
    ----------
    pixels : of the region
    reach : practical range of drivers and noise in cells; None for the world's own
    """

    pixels: int
    reach: float | None = None

    def __call__(self, seed: int) -> pd.DataFrame:
        """A region; eastings and northings in cells of 1 km."""
        data = dr.simulate("horqin", pixels=self.pixels, seed=seed, range_pixels=self.reach).frame
        return (
            data.rename(columns={"NEP": "y", "LUCC": "landuse"})
            .assign(e=data.easting / 1000.0, n=data.northing / 1000.0)
            .drop(columns=["easting", "northing"])
        )


Region = Callable[[int], pd.DataFrame]

WORLDS: dict[str, Region] = {
    "planted, 4000 pixels": Planted(4_000),
    "planted, 4000 pixels, range 18": Planted(4_000, 18.0),
    "planted, 8000 pixels, range 8": Planted(8_000, 8.0),
    "drivers 12, noise 12": Law(12.0, 12.0),
    "drivers 6, noise 20": Law(6.0, 20.0),
    "drivers 20, noise 6": Law(20.0, 6.0),
    "drivers 12, noise 12, strip 18 × 200": Law(12.0, 12.0, 18, 200),
    "drivers 24, noise 24, 3000 scattered points": Law(24.0, 24.0, 120, 120, 3_000),
}


@dataclass(frozen=True)
class Compared:
    """R² of random folds, of block folds, and on far pixels."""

    random: float
    block: float
    far: float


def compare(region: Region, seed: int, options: Mapping[str, object]) -> Compared:
    """Trees on the region of one seed, by their folds and on far regions."""
    data = region(seed)
    names = [str(name) for name in data if name not in ("y", "e", "n")]
    found = dr.fit(
        f"y ~ {' + '.join(names)}",
        pixel_table_from_frame(data, easting="e", northing="n"),
        method="brt",
        categorical=["landuse"] if "landuse" in names else [],
        seed=seed,
        options=options,
    )
    assert isinstance(found, BrtResult)
    fit = found.glance().iloc[0]
    far = far_pixels(region)
    elsewhere = pooled_scores(far.y.to_numpy(), found.predict(far)).r2
    return Compared(float(fit.r2_random), float(fit.r2_block), elsewhere)


@cache
def far_pixels(region: Region) -> pd.DataFrame:
    """Pixels of regions that no forest has seen."""
    parts = []
    for seed in range(FIRST_FAR, FIRST_FAR + FAR_REGIONS):
        data = region(seed)
        some = np.random.default_rng(seed).choice(len(data), min(FAR_PIXELS, len(data)), replace=False)
        parts.append(data.iloc[some])
    return pd.concat(parts, ignore_index=True)


def main(seeds: int) -> None:
    """Print the table."""
    print(f"| world | random | block | far | block - far | standard error | deviation |   ({seeds} seeds)")
    print("|---|---|---|---|---|---|---|")
    for name, region in WORLDS.items():
        found = [compare(region, seed, OPTIONS) for seed in range(seeds)]
        random, block, far = (np.array([getattr(f, k) for f in found]) for k in ("random", "block", "far"))
        off = block - far
        spread = float(off.std(ddof=1)) if seeds > 1 else float("nan")
        print(
            f"| {name} | {random.mean():.3f} | {block.mean():.3f} | {far.mean():.3f} "
            f"| {off.mean():+.3f} | {spread / np.sqrt(seeds):.3f} | {spread:.3f} |",
            flush=True,
        )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20)
