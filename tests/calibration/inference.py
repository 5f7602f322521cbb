"""How often a piecewise SEM is wrong about neighbouring pixels, by each kind of errors.

    .venv/bin/python tests/calibration/inference.py [SEEDS] [--workers 2] [--only WORDS OF A WORLD ...]

A planted world goes through `dr.fit` and `effect_records` as a user's table does, and then four strata of
one world without a difference, or with one, through `compare_strata`. Printed are, for every world: how often
a path of nil and true independence claims are rejected at 0.05, how often Fisher's C rejects the true model,
and the share of 95 % intervals that hold the truth of the population. docs/inference.md holds the tables.

Fields have correlograms exp(-d / range) and are cut out of larger tori: their edges know nothing of each
other. Every seed is a new map: the mask of patches and the places of scattered points are drawn as well.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import Any, NamedTuple, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import fft

import drivers as dr
from drivers.compare import compare_strata
from drivers.effects import effect_records
from drivers.errors import FitError, Place
from drivers.methods.psem import PsemResult, fitter
from drivers.spec import LevelFamily, Vocabulary, bind, model_from_text
from drivers.table import PixelTable, make_partition, pixel_table_from_frame

Array = NDArray[np.float64]
T = TypeVar("T")

LEVEL = 0.05
KINDS = ("classical", "effective", "block", "bootstrap")

FORMULA = "soil <~ c + d\nm ~ x + z\nv ~ z\ny ~ m + x + soil"
PATHS = {
    ("m", "x"): 0.6,
    ("m", "z"): 0.3,
    ("v", "z"): 0.5,
    ("y", "m"): 0.5,
    ("y", "x"): 0.0,  # the path of nil
    ("y", "c"): 0.4,
    ("y", "d"): -0.3,
}
ALIKE = 0.4
"""Correlation of the exogenous x and z; c and d have none with anything."""

VARIABLES = ("x", "z", "c", "d", "m", "v", "y")
"""Causes first; y last, for the composite's weights come from the last response."""

CLAIMS = 6
"""y ⫫ z, m ⫫ soil, and v with x, soil, m and y."""


class World(NamedTuple):
    """Shape of the map, and range of the drivers and of the errors: in pixels, of scattered points in km."""

    map: str
    drivers: float
    errors: float


WORLDS = [
    *(World("96 × 96", reach, reach) for reach in (0, 2, 4, 8)),
    World("96 × 96", 8, 0),
    World("96 × 96", 8, 2),
    World("96 × 96", 2, 8),
    World("patches", 2, 2),
    World("patches", 4, 4),
    World("strip 8 × 200", 2, 2),
    World("strip 8 × 200", 4, 4),
    World("strip 8 × 200", 8, 8),
    World("scattered", 20, 20),
    World("scattered", 40, 40),
    World("48 × 48", 8, 8),
    World("32 × 32", 8, 8),
    World("32 × 32", 16, 16),
]

POINTS, KM_PER_CELL, CELLS = 10_000, 2.0, 256
"""Scattered points on a square of 512 km. Fields are made on cells of 2 km; no two points share a cell."""

DEGREE = 111.195
"""Kilometres per degree of latitude."""

PATCH_RANGE = 8.0
"""Land uses are where the largest of four fields of this range is largest: a quarter of the map each."""


USES = ("crop", "forest", "grass", "sand")


class Quantity(NamedTuple):
    """A number of effects.csv with its place there, and whether it is the standardised one."""

    label: str
    driver: str
    response: str
    kind: str
    standardised: bool = False


QUANTITIES = (
    Quantity("coefficient m ~ x", "x", "m", "direct"),
    Quantity("standardised m ~ x", "x", "m", "direct", True),
    Quantity("total effect x, y", "x", "y", "total"),
    Quantity("indirect x -> m -> y", "x", "y", "indirect"),
    Quantity("standardised y ~ m", "m", "y", "direct", True),
    Quantity("standardised total x, y", "x", "y", "total", True),
    Quantity("standardised indirect x -> m -> y", "x", "y", "indirect", True),
    Quantity("weak indirect z -> m -> y", "z", "y", "indirect"),
    Quantity("standardised y ~ soil", "soil", "y", "direct", True),
    Quantity("member c, y", "c", "y", "direct"),
)


class Found(NamedTuple):
    """What one seed of a world tells.

    n_effective : behind the path of nil, and the fewest behind any slope or claim
    nil : p of that path, by `KINDS` but the bootstrap
    claims : p, shape (3, CLAIMS)
    model : p of Fisher's C, classical and effective
    held : whether intervals hold the truth, shape (quantities, kinds); NaN where there is none
    width : of these intervals
    """

    n: int
    blocks: int
    n_effective: tuple[float, float]
    nil: Array
    claims: Array
    model: tuple[float, float]
    held: Array
    width: Array


def field(reach: float, rows: int, columns: int, count: int, rng: np.random.Generator) -> Array:
    """Gaussian fields of unit variance, shape (count, rows, columns)."""
    if not reach:
        return rng.standard_normal((count, rows, columns))
    sizes = [fft.next_fast_len(max(2 * size, size + int(12 * reach))) for size in (rows, columns)]
    lags = [np.minimum(np.arange(size), size - np.arange(size)) for size in sizes]
    spectrum = np.maximum(fft.fft2(np.exp(-np.hypot(lags[0][:, None], lags[1]) / reach)).real, 0.0)
    # Real and imaginary part are two independent fields.
    noise = rng.standard_normal((2, (count + 1) // 2, *sizes))
    made = fft.fft2((noise[0] + 1j * noise[1]) * np.sqrt(spectrum / spectrum.size))
    return np.concatenate([made.real, made.imag])[:count, :rows, :columns]


def population() -> dict[Quantity, float]:
    """The truth of every quantity where all exogenous variables and errors have unit variance."""
    place = {name: i for i, name in enumerate(VARIABLES)}
    b, cause = np.zeros((7, 7)), np.eye(7)
    for (response, driver), slope in PATHS.items():
        b[place[response], place[driver]] = slope
    cause[0, 1] = cause[1, 0] = ALIKE
    reach = np.linalg.inv(np.eye(7) - b)
    covariance = reach @ cause @ reach.T
    sd = dict(zip(VARIABLES, np.sqrt(np.diag(covariance)), strict=True))
    sd["soil"] = float(np.hypot(PATHS["y", "c"], PATHS["y", "d"]))  # weights are the members' slopes
    through = PATHS["y", "m"]
    raw = {
        ("x", "m", "direct"): PATHS["m", "x"],
        ("x", "y", "total"): PATHS["m", "x"] * through + PATHS["y", "x"],
        ("x", "y", "indirect"): PATHS["m", "x"] * through,
        ("z", "y", "indirect"): PATHS["m", "z"] * through,
        ("m", "y", "direct"): through,
        ("soil", "y", "direct"): 1.0,
        ("c", "y", "direct"): PATHS["y", "c"],
    }
    return {q: raw[q[1:4]] * (sd[q.driver] / sd[q.response] if q.standardised else 1.0) for q in QUANTITIES}


TRUTH = population()


def plant(drivers: Array, errors: Array) -> dict[str, Array]:
    """The variables, from 4 independent drivers and 3 errors at each pixel."""
    x, z, c, d = drivers
    z = ALIKE * x + np.sqrt(1.0 - ALIKE**2) * z
    made = {"x": x, "z": z, "c": c, "d": d}
    for name, error in zip(("m", "v", "y"), errors, strict=True):
        made[name] = error + sum(slope * made[of] for (to, of), slope in PATHS.items() if to == name)
    return made


def make_table(world: World, rng: np.random.Generator) -> tuple[PixelTable, str | None]:
    """A table of a world, and the condition of the stratum that is looked at."""
    if world.map == "scattered":
        cell = rng.choice(CELLS * CELLS, POINTS, replace=False)
        row, column = np.divmod(cell, CELLS)
        reaches = [reach / KM_PER_CELL for reach in world[1:]]
        fields = [
            field(r, CELLS, CELLS, k, rng)[:, row, column] for r, k in zip(reaches, (4, 3), strict=True)
        ]
        north, east = ((v + rng.random(POINTS)) * KM_PER_CELL for v in (row, column))
        latitude = 40.0 + north / DEGREE
        half = CELLS * KM_PER_CELL / 2.0
        longitude = 110.0 + (east - half) / (DEGREE * np.cos(np.deg2rad(latitude)))
        frame = pd.DataFrame({**plant(*fields), "easting": longitude, "northing": latitude})
        table = pixel_table_from_frame(frame, easting="easting", northing="northing", crs="EPSG:4326")
        return table, None
    sizes = {"strip": (8, 200), "patches": (48, 48)}
    rows, columns = sizes.get(world.map.split()[0]) or (int(world.map.split()[0]),) * 2
    pixels = rows * columns
    fields = [
        field(r, rows, columns, k, rng).reshape(k, pixels) for r, k in zip(world[1:], (4, 3), strict=True)
    ]
    frame = pd.DataFrame(plant(*fields))
    if world.map != "patches":
        return on_grid(frame, columns), None
    frame["use"] = land_use(rows, columns, rng)
    return on_grid(frame, columns), "use == 'forest'"


def on_grid(frame: pd.DataFrame, columns: int) -> PixelTable:
    """A table whose rows are the pixels of a map, row by row."""
    northing, easting = np.divmod(np.arange(len(frame), dtype=float), columns)
    placed = frame.assign(easting=easting, northing=northing)
    return pixel_table_from_frame(placed, easting="easting", northing="northing")


def land_use(rows: int, columns: int, rng: np.random.Generator) -> NDArray[np.object_]:
    """Four land uses in irregular patches, interleaved; by pixel, shape (rows * columns,)."""
    largest = field(PATCH_RANGE, rows, columns, 4, rng).reshape(4, -1).argmax(axis=0)
    return np.asarray(np.array(USES, dtype=object)[largest])


def one(world: World, seed: int) -> Found:
    """One seed of a world."""
    rng = np.random.default_rng([seed, *world.map.encode(), *(int(reach) for reach in world[1:])])
    table, where = make_table(world, rng)
    result = dr.fit(FORMULA, table, where=where, seed=seed)
    assert isinstance(result, PsemResult)
    records = result.records
    columns = ("p_classical", "p_value", "p_block")
    nil = next(r for r in records["coefficients"] if (r["response"], r["op"], r["term"]) == ("y", "~", "x"))
    whole = records["fit"][0]
    claims = np.array([[row[name] for row in records["dsep"]] for name in columns])
    held, width = coverage(effect_records(result)["effect_errors"])
    return Found(
        whole["n"],
        whole["n_blocks"],
        (nil["n_effective"], whole["n_effective"]),
        np.array([nil[name] for name in columns]),
        claims,
        (whole["fishers_c_p_classical"], whole["fishers_c_p"]),
        held,
        width,
    )


def coverage(rows: Iterable[dict[str, Any]]) -> tuple[Array, Array]:
    """Whether each interval holds the truth, and how wide it is, shapes (quantities, kinds)."""
    found = {(r["driver"], r["response"], r["kind"], r["errors"]): r for r in rows}
    held, width = np.full((2, len(QUANTITIES), len(KINDS)), np.nan)
    for i, quantity in enumerate(QUANTITIES):
        names = ("std_conf_low", "std_conf_high") if quantity.standardised else ("conf_low", "conf_high")
        for j, kind in enumerate(KINDS):
            row = found.get((*quantity[1:4], kind))
            if row is not None and np.isfinite(row[names[0]]):
                held[i, j] = row[names[0]] <= TRUTH[quantity] <= row[names[1]]
                width[i, j] = row[names[1]] - row[names[0]]
    return held, width


class Planted(NamedTuple):
    """Four land uses over one map, with one path of one of them made larger by so much."""

    size: int
    reach: float
    difference: float


PLANTED = [
    *(Planted(96, reach, 0.0) for reach in (0, 2, 4, 8)),
    *(Planted(96, 4, d) for d in (0.2, 0.4, 0.6)),
]
SMALL_FORMULA = "m ~ x + z; y ~ m + x"
TESTED = ("path", "std_path", "std_total_effect")


def compared(world: Planted, seed: int) -> Array:
    """How many rows of comparison.csv are significant after adjustment, by kind of errors and quantity.

    Returns
    -------
    Shape (3, quantities, 3): rows that differ in truth and are significant, rows that do not differ and are
    significant, rows that differ and are not. With a difference planted in m ~ x of forest, the rows of its
    standardised paths and of effects through it that differ too count as true.
    """
    rng = np.random.default_rng([seed, world.size, int(world.reach), int(100 * world.difference)])
    pixels = world.size**2
    x, z, *errors = field(world.reach, world.size, world.size, 4, rng).reshape(4, pixels)
    use = land_use(world.size, world.size, rng)
    m = np.where(use == "forest", 0.5 + world.difference, 0.5) * x + 0.3 * z + errors[0]
    frame = pd.DataFrame({"x": x, "z": z, "m": m, "y": 0.5 * m + errors[1], "use": use})
    table = on_grid(frame, world.size)
    model = bind(model_from_text(SMALL_FORMULA), Vocabulary("calibration", ("y",), ("x", "z", "m")))
    partition = make_partition(table, [LevelFamily("use", "use", None, Place("strata"))], [("use",)], {"y"})
    prepared = fitter(model, table, partition, seed)
    slopes: list[dict[str, Any]] = []
    effects: list[dict[str, Any]] = []
    for stratum in partition.strata:
        key = {"model": "m", "stratum": stratum.label}
        try:
            result = prepared.fit(stratum)
        except FitError:  # a land use that hardly occurs
            continue
        slopes += [{**key, **row} for row in result.records["coefficient_errors"]]
        effects += [{**key, **row} for row in effect_records(result)["effect_errors"]]
    counts = np.zeros((3, len(TESTED), 3))
    for i, kind in enumerate(KINDS[:3]):
        tables = {"coefficients": of_kind(slopes, kind), "effects": of_kind(effects, kind)}
        rows = compare_strata(tables, partition.strata, partition.share_pixels, rng).comparison
        for j, quantity in enumerate(TESTED):
            mine = rows[rows["quantity"] == quantity]
            forest = (mine["stratum_a"] == "use=forest") | (mine["stratum_b"] == "use=forest")
            # A larger slope of x makes m vary more, so every standardised path from or to m differs a little.
            same = quantity == "path"
            touched = ((mine["driver"] == "x") & (mine["response"] == "m")) if same else mine["driver"] != ""
            true = (forest & touched & (world.difference != 0.0)).to_numpy()
            found = (mine["p_adjusted"] < LEVEL).to_numpy()
            counts[i, j] = (true & found).sum(), (~true & found).sum(), (true & ~found).sum()
    return counts


def of_kind(rows: Sequence[dict[str, Any]], kind: str) -> pd.DataFrame:
    """The rows of one kind of errors."""
    return pd.DataFrame([row for row in rows if row["errors"] == kind])


def rate(p: Array) -> float:
    """Share of p-values below the level, of those that there are."""
    known = p[np.isfinite(p)]
    return float((known < LEVEL).mean()) if known.size else np.nan


def join(shares: Iterable[float]) -> str:
    """Shares of several kinds of errors in one cell."""
    return " / ".join("–" if np.isnan(share) else f"{share:.3f}" for share in shares)


def print_sizes(found: dict[World, list[Found]]) -> None:
    """The table of rejections."""
    print("\nRejected at 0.05 though true: classical / effective / block.")
    print("Worst claim: effective; true model (Fisher's C): classical / effective.\n")
    print(
        "| map | range of drivers, errors | pixels | n_effective | blocks | path of nil | claims "
        "| worst claim | true model | refused |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|")
    for world, seeds in found.items():
        nil = np.array([f.nil for f in seeds])
        claims = np.array([f.claims for f in seeds])
        model = np.array([f.model for f in seeds])
        worst = max(rate(claims[:, 1, i]) for i in range(CLAIMS))
        n_effective = np.nanmedian([f.n_effective for f in seeds], axis=0)
        print(
            f"| {world.map} | {world.drivers:g}, {world.errors:g} | {np.median([f.n for f in seeds]):.0f} "
            f"| {n_effective[0]:.0f} | {np.median([f.blocks for f in seeds]):.0f} "
            f"| {join(rate(nil[:, i]) for i in range(3))} | {join(rate(claims[:, i]) for i in range(3))} "
            f"| {worst:.3f} | {join(rate(model[:, i]) for i in range(2))} "
            f"| {np.isnan(nil[:, 1]).mean():.2f} |"
        )


def print_coverage(found: dict[World, list[Found]], quantities: Sequence[Quantity]) -> None:
    """The table of intervals."""
    print("\nShare of 95 % intervals that hold the truth: classical / effective / block / bootstrap.\n")
    print("| map | range of drivers, errors | " + " | ".join(q.label for q in quantities) + " |")
    print("|---|---|" + "---|" * len(quantities))
    for world, seeds in found.items():
        held = np.array([f.held for f in seeds])
        known = np.isfinite(held)
        with np.errstate(invalid="ignore"):
            shares = np.where(known, held, 0.0).sum(axis=0) / known.sum(axis=0)
        cells = " | ".join(join(shares[QUANTITIES.index(q)]) for q in quantities)
        print(f"| {world.map} | {world.drivers:g}, {world.errors:g} | {cells} |")


def print_compared(world: Planted, counts: Array) -> None:
    """A line of the table of differences between strata, from counts of shape (seeds, 3, quantities, 3)."""
    true, false, missed = np.moveaxis(counts, -1, 0)
    wrong = (false > 0).mean(axis=0)
    cells = [join(wrong[:, j]) for j in range(len(TESTED))]
    with np.errstate(invalid="ignore"):
        share = np.where(true + false > 0, false / (true + false), 0.0).mean(axis=0)
        power = true[..., 0].sum(axis=0) / (true + missed)[..., 0].sum(axis=0)
    rest = f"{join(share[:, 0])} | {join(power)}"
    print(f"| {world.reach:g} | {world.difference:g} | {' | '.join(cells)} | {rest} |", flush=True)


def over_seeds(make: Callable[[int], T], seeds: int, workers: int) -> Iterator[T]:
    """Results of every seed, in order."""
    if workers < 2:
        yield from map(make, range(seeds))
        return
    with ProcessPoolExecutor(workers) as pool:
        yield from pool.map(make, range(seeds), chunksize=5)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description="Calibration of the errors of a piecewise SEM.")
    parser.add_argument("seeds", nargs="?", type=int, default=300)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--only", nargs="*", default=[], help="words of a world's map, or `strata`")
    given = parser.parse_args(arguments)
    found: dict[World, list[Found]] = {}
    for world in WORLDS:
        if not given.only or any(word in world.map for word in given.only):
            found[world] = list(over_seeds(partial(one, world), given.seeds, given.workers))
    if found:
        print_sizes(found)
        print_coverage(found, QUANTITIES[:4])
        print_coverage(found, QUANTITIES[4:])
    if given.only and "strata" not in given.only:
        return
    print("\nFour land uses side by side: seeds with a significant row that is none, by kind of errors.\n")
    print("| range | planted | " + " | ".join(TESTED) + " | false among significant paths | power |")
    print("|---|---|" + "---|" * (len(TESTED) + 2))
    for planted in PLANTED:
        print_compared(
            planted, np.array(list(over_seeds(partial(compared, planted), given.seeds, given.workers)))
        )


if __name__ == "__main__":
    main()
